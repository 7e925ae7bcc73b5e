"""The daemon's own gRPC API, both ends: protos/bgpmon/v1/bgpmon.proto.

server  Feed and Control on two unix sockets
client  the same calls from another process
"""

READ_SOCKET = "read.sock"
"""Name in the run_dir of the socket that offers Feed alone."""

ADMIN_SOCKET = "admin.sock"
"""Name in the run_dir of the socket that offers Feed and Control."""

FEED = "bgpmon.v1.Feed"
CONTROL = "bgpmon.v1.Control"

MESSAGE_LIMIT = 64 << 20
"""Octets of the largest answer."""

METADATA_LIMIT = 64 << 10
"""Octets of a status text and its like, percent-encoded as gRPC sends it."""
