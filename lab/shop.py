"""The service of the story and the client that calls it: run as a file, in the namespaces of a router and of a pod.

``shop.py serve ADDRESS PORT`` takes TCP connections and closes them.  ``shop.py call ADDRESS PORT`` makes one about ten times
a second and notes each on stdout: when it began, when it ended (seconds since the epoch), and ``ok`` or why not.  It
imports nothing of the lab, because it is run by its file name.
"""

import contextlib
import os
import socket
import struct
import sys
import time

EVERY = 0.1
"""Seconds between two connections."""

PATIENCE = 0.5
"""Seconds that a connection may take: less than the second after which TCP sends its first packet again (RFC 6298)."""


def serve(address: str, port: int) -> None:
    """Take connections for ever."""
    with socket.create_server((address, port), backlog=128) as listener:
        while True:
            with contextlib.suppress(ConnectionError):
                listener.accept()[0].close()


def call(address: str, port: int) -> None:
    """Connect again and again, for ever."""
    while True:
        began = time.time()
        words = attempt(address, port)
        print(f"{began:.3f} {time.time():.3f} {words}", flush=True)
        time.sleep(EVERY)


def attempt(address: str, port: int) -> str:
    """Connect once: ``ok``, or what the kernel said.

    The kernel itself measures the time, so that a busy machine, which lets this process wait, is not taken for an outage.
    """
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, int(PATIENCE * 1e6)))
        try:
            opened.connect((address, port))
        except BlockingIOError:
            return "no answer"
        except OSError as error:
            return os.strerror(error.errno or 0).lower()
    return "ok"


if __name__ == "__main__":
    {"serve": serve, "call": call}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
