"""What sets a machine up for the tests and the lab."""
