"""Route messages to plain values and back, in bulk: bytes in, bytes out, no socket.

wire      numbers of linux/netlink.h and linux/rtnetlink.h, and how messages and attributes follow each other
encode    many changes into one buffer
reply     the kernel's answers to such a buffer
decode    one route message, a whole dump, one notification
"""

from programmer.codec.decode import DumpDecoder, Event, EventDecoder
from programmer.codec.encode import Action, Encoder, dump_request
from programmer.codec.reply import Replies
from programmer.codec.wire import CodecError

__all__ = [
    "Action",
    "CodecError",
    "DumpDecoder",
    "Encoder",
    "Event",
    "EventDecoder",
    "Replies",
    "dump_request",
]
