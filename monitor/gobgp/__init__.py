"""The adapter to GoBGP: its gRPC API, generations 3 and 4, behind the ports of ``monitor.ports``."""
