"""Reads the kernel's answers to a batch of changes."""

from programmer.codec import wire


class Replies:
    """Collects the answers to *count* messages numbered from *first*, where only the last was to be acked.

    ``failures`` maps the place in the batch (0 to count - 1) to (errno, the kernel's own words or an empty
                 string).
    """

    def __init__(self, first: int, count: int) -> None:
        self._first = first
        self._count = count
        self.failures: dict[int, tuple[int, str]] = {}
        self.complete = False

    def feed(self, buffer: wire.Buffer) -> None:
        """Take one datagram; ``complete`` is true once the last message was answered.

        Answers to other messages than ours are ignored.  Raises CodecError.
        """
        for kind, flags, sequence, _, _, message in wire.messages(memoryview(buffer)):
            if kind != wire.NLMSG_ERROR:
                continue
            place = (sequence - self._first) & 0xFFFFFFFF
            if place >= self._count:
                continue
            code, text = error_of(message, flags)
            if code:
                self.failures[place] = (code, text)
            if place == self._count - 1:
                self.complete = True


def error_of(message: memoryview, flags: int) -> tuple[int, str]:
    """Return (errno, the kernel's words) of one NLMSG_ERROR message.

    Errno 0 is an acknowledgement.  Raises CodecError.
    """
    if len(message) < wire.HEADER.size * 2 + wire.S32.size:
        raise wire.CodecError(f"an error message has {len(message)} octets")
    code = -int(wire.S32.unpack_from(message, wire.HEADER.size)[0])
    if code < 0:
        raise wire.CodecError(f"an error message carries the positive number {-code}")
    if not flags & wire.NLM_F_ACK_TLVS:
        return code, ""
    begin = wire.HEADER.size + wire.S32.size
    asked = int(wire.U32.unpack_from(message, begin)[0])
    begin += wire.HEADER.size if flags & wire.NLM_F_CAPPED else wire.aligned(max(asked, wire.HEADER.size))
    return code, words_of(message[begin:])


def words_of(tail: memoryview) -> str:
    """Return the text of NLMSGERR_ATTR_MSG among the attributes in *tail*, or an empty string.

    Raises CodecError.
    """
    for kind, payload in wire.attributes(tail):
        if kind == wire.NLMSGERR_ATTR_MSG:
            return bytes(payload).rstrip(b"\0").decode("utf-8", "replace")
    return ""
