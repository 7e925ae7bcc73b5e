"""Which targets are allowed, and how large events are read in slices."""

import contextlib
from pathlib import Path as FilePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import SourceError, SourceRefused
from monitor.gobgp.client import Client, Event, Tls, is_local, split_table
from monitor.gobgp.dialect import GENERATION_4, Dialect
from tests.unit.monitor.gobgp.messages import BOTH, path


@pytest.mark.parametrize(
    "target",
    [
        "unix:///run/gobgp.sock",
        "/run/gobgp.sock",
        "127.0.0.1:50051",
        "localhost:50051",
        "[::1]:50051",
        "127.1.2.3:1",
    ],
)
def test_local_targets_need_no_tls(target: str) -> None:
    assert is_local(target)


@pytest.mark.parametrize(
    "target",
    ["192.0.2.1:50051", "gobgp.example:50051", "[2001:db8::1]:50051", "0.0.0.0:50051", "dns:///host:1"],
)
def test_remote_targets_without_tls_are_refused(target: str) -> None:
    assert not is_local(target)
    with pytest.raises(SourceRefused, match="set tls with ca, cert and key"):
        Client(target)


def test_a_missing_certificate_is_named(tmp_path: FilePath) -> None:
    missing = tmp_path / "ca.pem"
    with pytest.raises(SourceRefused, match=r"cannot read .*ca\.pem: No such file"):
        Client("192.0.2.1:50051", Tls(missing, missing, missing))


@pytest.mark.parametrize("dialect", BOTH, ids=["v3", "v4"])
def test_a_table_in_one_piece_is_read_like_any_other(dialect: Dialect) -> None:
    response = dialect.messages.WatchEventResponse
    one = path(dialect)
    whole = response(table=response.TableEvent(paths=[one] * 12_000)).SerializeToString()
    assert len(whole) > 1 << 20
    event = Event(dialect, whole)
    assert event.peer_event is None
    assert event.is_large
    paths = list(event.paths())
    assert len(paths) == 12_000
    assert paths[0] == paths[-1] == one


@given(st.binary(min_size=1, max_size=40), st.integers(0, 60))
def test_a_broken_table_is_an_error_of_ours_or_none(noise: bytes, position: int) -> None:
    response = GENERATION_4.messages.WatchEventResponse
    whole = response(table=response.TableEvent(paths=[path(GENERATION_4)] * 3)).SerializeToString()
    damaged = whole[:position] + noise + whole[position:]
    parts: list[tuple[int, int]] = []
    with contextlib.suppress(SourceError):
        parts += split_table(damaged)
    assert all(0 <= start <= end <= len(damaged) for start, end in parts)


async def test_an_empty_address_never_reaches_the_speaker() -> None:
    client = Client("127.0.0.1:1")
    with pytest.raises(SourceRefused, match="every peer"):
        await client.disable_peer("", "maintenance")
    with pytest.raises(SourceRefused, match="every peer"):
        await client.enable_peer("")
    await client.close()
