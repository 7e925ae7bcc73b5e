"""What GoBGP says of RPKI, as messages of both generations."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from monitor.gobgp.dialect import Dialect
from monitor.gobgp.validation import roa_state, validate
from monitor.rib.attribute import Rpki
from monitor.rib.validation import NO_ORIGIN
from programmer.route import Family
from tests.unit.monitor.gobgp.messages import BOTH, as_path, attribute, nlri, path
from tests.unit.monitor.rib.build import key

NET, OTHER = key("198.51.100.0/24"), key("203.0.113.0/24")


class Said:
    """A client whose speaker says this; ``asked`` is what it was asked for."""

    def __init__(self, dialect: Dialect, *destinations: list[Any], servers: Iterable[dict[str, Any]] = ()) -> None:
        self.dialect = dialect
        self.asked: list[tuple[int, list[str]]] = []
        self._destinations = destinations
        self._servers = list(servers)

    async def list_exact(self, afi: int, prefixes: Iterable[str]) -> AsyncIterator[list[Any]]:
        self.asked.append((afi, list(prefixes)))
        for paths in self._destinations:
            yield paths

    async def list_rpki(self) -> list[Any]:
        messages = self.dialect.messages
        return [
            messages.RpkiServer(
                conf=messages.RpkiServerConf(address="192.0.2.9", remote_port=323),
                state=messages.RpkiServerState(**state),
            )
            for state in self._servers
        ]


def said(dialect: Dialect, state: int, *asns: int, **fields: Any) -> Any:
    pattrs = [
        attribute(dialect, "OriginAttribute", origin=0),
        as_path(dialect, *asns),
        attribute(dialect, "NextHopAttribute", next_hop="192.0.2.2"),
    ]
    validation = dialect.messages.Validation(state=state + dialect.shift)
    return path(dialect, **({"pattrs": pattrs, "validation": validation} | fields))


@pytest.mark.parametrize("dialect", BOTH)
async def test_states_are_told_by_prefix_and_origin(dialect: Dialect) -> None:
    other = {"nlri": nlri(dialect, 24, "203.0.113.0")}
    client = Said(
        dialect,
        [said(dialect, 2, 65001, 64500), said(dialect, 2, 65002, 64500), said(dialect, 3, 64501)],
        [said(dialect, 1, 64502, **other)],
    )
    found = await validate(client, "fabric", Family.IPV4, [NET, OTHER])  # type: ignore[arg-type]
    assert client.asked == [(1, ["198.51.100.0/24", "203.0.113.0/24"])]
    assert found == {NET: ((64500, Rpki.VALID), (64501, Rpki.INVALID)), OTHER: ((64502, Rpki.NOT_FOUND),)}


@pytest.mark.parametrize("dialect", BOTH)
async def test_what_says_nothing_is_left_out(dialect: Dialect) -> None:
    client = Said(dialect, [said(dialect, 0, 64500), path(dialect), said(dialect, 2, 64501, neighbor_ip="")])
    assert await validate(client, "fabric", Family.IPV4, [NET]) == {}  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", BOTH)
async def test_what_was_not_asked_for_is_left_out(dialect: Dialect) -> None:
    client = Said(dialect, [said(dialect, 2, 64500)])
    assert await validate(client, "fabric", Family.IPV4, [OTHER]) == {}  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_set_at_the_end_of_the_path_is_no_origin(dialect: Dialect) -> None:
    segment = dialect.messages.AsSegment(type=1, numbers=[64500, 64501])
    pattrs = [
        attribute(dialect, "OriginAttribute", origin=0),
        attribute(dialect, "AsPathAttribute", segments=[segment]),
        attribute(dialect, "NextHopAttribute", next_hop="192.0.2.2"),
    ]
    client = Said(dialect, [said(dialect, 1, pattrs=pattrs)])
    found = await validate(client, "fabric", Family.IPV4, [NET])  # type: ignore[arg-type]
    assert found == {NET: ((NO_ORIGIN, Rpki.NOT_FOUND),)}


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(
    ("servers", "synced", "text"),
    [
        ([], False, "gobgpd has no RPKI cache"),
        ([{"up": True}], False, "192.0.2.9:323 is up, 0 ROAs"),
        ([{"up": False}], False, "192.0.2.9:323 is down, 0 ROAs"),
        ([{"up": True, "end_of_data": 1}], True, "192.0.2.9:323 is up, 0 ROAs"),
        ([{"up": True, "end_of_data": 1, "record_ipv4": 1500, "record_ipv6": 2}], True, "1,502 ROAs"),
        ([{"up": False, "record_ipv4": 7}], True, "192.0.2.9:323 is down, 7 ROAs"),
        ([{"up": False}, {"up": True, "end_of_data": 1}], True, "is down, 0 ROAs; 192.0.2.9:323 is up"),
    ],
)
async def test_roas_count_once_a_cache_has_told_them_all(
    dialect: Dialect, servers: list[dict[str, Any]], synced: bool, text: str
) -> None:
    state = await roa_state(Said(dialect, servers=servers))  # type: ignore[arg-type]
    assert state.synced is synced
    assert text in state.text


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_change_of_roas_changes_the_version(dialect: Dialect) -> None:
    messages = dialect.messages
    before = {"up": True, "end_of_data": 1, "record_ipv4": 2, "serial": 4, "uptime": messages.Timestamp(seconds=100)}
    again = {"uptime": messages.Timestamp(seconds=130)}
    versions = {
        (await roa_state(Said(dialect, servers=[before | change]))).version  # type: ignore[arg-type]
        for change in (
            {},
            {"end_of_data": 2},
            {"serial": 5},
            {"record_ipv4": 3},
            {"record_ipv6": 1},
            {"up": False},
            again,
        )
    }
    assert len(versions) == 7
    assert (await roa_state(Said(dialect, servers=[before]))).version in versions  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", BOTH)
def test_prefixes_are_asked_for_exactly(dialect: Dialect) -> None:
    request = dialect.exact_request(2, ["2001:db8::/32"])
    assert [(one.prefix, one.type) for one in request.prefixes] == [("2001:db8::/32", 0)]
    assert (request.family.afi, request.family.safi) == (2, 1)
    assert request.table_type == dialect.shift
