"""What people are told of grpc's words."""

import pytest

from monitor.gobgp.client import core_of


@pytest.mark.parametrize(
    ("details", "core"),
    [
        (
            (
                "failed to connect to all addresses; last error: FAILED_PRECONDITION: unix:/run/gobgp/api.sock: "
                "connect failed: addr: unix:/run/gobgp/api.sock error: Connection refused"
            ),
            "cannot connect: Connection refused",
        ),
        (
            (
                "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to remote host: "
                "Connection refused"
            ),
            "cannot connect: Connection refused",
        ),
        ("Stream removed (Socket closed)", "Stream removed (Socket closed)"),
        (
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:50051: Ssl handshake failed",
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:50051: Ssl handshake failed",
        ),
    ],
)
def test_core_of_a_failed_connection(details: str, core: str) -> None:
    assert core_of(details) == core
