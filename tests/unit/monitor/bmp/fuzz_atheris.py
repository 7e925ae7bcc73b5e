"""Feeds the BMP reader with what atheris (libFuzzer) finds; anything but ``Malformed`` ends it.

It is a script and not a test, as atheris is no dependency of the project.  In an environment that has it::

    python -m tests.unit.monitor.bmp.fuzz_atheris [libFuzzer options, e.g. -max_total_time=180] [corpus directory]

The first octet of an input chooses the terms of the conversation, the second how it is read: as a whole stream, or as bodies of
messages after a Peer Up, with their lengths put right.  Without a directory it starts from the corpus of the tests, in a
temporary one.
"""

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["monitor.bmp"]):
    from tests.support import bmp
    from tests.unit.monitor.bmp import corpus


def one_input(data: bytes) -> None:
    """Hear one input."""
    if len(data) < 2:
        return
    terms = corpus.TERMS[data[0] % len(corpus.TERMS)]
    rest = data[2:]
    if data[1] & 1:
        rest = corpus.PLAIN.up() + corpus.BOTH.up() + b"".join(_repaired(rest))
    corpus.hear(rest, terms)


def _repaired(data: bytes) -> list[bytes]:
    """Cut octets into bodies of messages: two octets of length, one of the kind, the body."""
    found = []
    while len(data) >= 3:
        length = int.from_bytes(data[:2], "big")
        found.append(bmp.message(data[2] % 8, data[3 : 3 + length]))
        data = data[3 + length :]
    return found


def _seed(directory: Path) -> None:
    whole = b"".join(corpus.MESSAGES)
    for number in range(len(corpus.TERMS)):
        (directory / f"whole-{number}").write_bytes(bytes((number, 0)) + whole)
    for number, message in enumerate(corpus.MESSAGES):
        body = len(message[6:]).to_bytes(2, "big") + message[5:]
        (directory / f"stream-{number}").write_bytes(b"\0\0" + message)
        (directory / f"body-{number}").write_bytes(b"\0\x01" + body)


def main() -> None:
    """Fuzz until something is found or the options end it."""
    with tempfile.TemporaryDirectory() as directory:
        seeds = Path(directory)
        _seed(seeds)
        given = any(not argument.startswith("-") for argument in sys.argv[1:])
        atheris.Setup([*sys.argv, *([] if given else [directory])], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
