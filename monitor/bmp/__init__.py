"""A source: any speaker that exports what it hears over BMP (RFC 7854), Cilium's above all.

wire        messages in a stream of octets; per-peer headers, Peer Up and Down, statistics
opening     what the OPENs in a Peer Up negotiated
speaker     who speaks, and its oddities
attribute   path attributes into interned sets, malformed ones as RFC 7606 says
update      UPDATE messages into paths
ending      how a session ended
session     one connection's conversation into updates that may be believed
access      who may connect
source      the station: listens, admits, reads, and starts over when in doubt
"""
