"""Measurements: what bgpmon costs, in one run with what it is compared to."""
