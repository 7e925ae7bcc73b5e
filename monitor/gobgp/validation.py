"""Asks a GoBGP for RPKI states: its event stream has none, a look-up of a prefix in the global table has.

GoBGP works a state out when it is asked, from the prefix, the origin AS and the ROAs that it holds at that moment.  While it
holds none, every path looks as if no ROA covered it; so the caches are asked about as well.
"""

from collections.abc import Sequence

from monitor.gobgp.client import Client
from monitor.gobgp.decode import Announced, Decoder
from monitor.rib.attribute import AttributeTable, Rpki
from monitor.rib.path import PeerId
from monitor.rib.validation import RoaState, States, origin_of
from programmer.route import Family, PrefixKey, text_of

_AFI = {Family.IPV4: 1, Family.IPV6: 2}


async def roa_state(client: Client) -> RoaState:
    """Return what GoBGP's RPKI caches have told it."""
    servers = await client.list_rpki()
    if not servers:
        return RoaState(synced=False, version=(), text="gobgpd has no RPKI cache (rpki-servers in its configuration)")
    version, words, synced = [], [], False
    for server in servers:
        state, name = server.state, f"{server.conf.address}:{server.conf.remote_port}"
        records = state.record_ipv4 + state.record_ipv6
        # A cache that went away leaves its ROAs for a while (an hour, unless configured otherwise); they count.
        synced = synced or bool(state.end_of_data or records)
        # The moment of the connection is part of it: another cache may have as many ROAs, and number its data alike.
        counts = (state.serial, state.record_ipv4, state.record_ipv6, state.end_of_data)
        version.append((name, state.up, state.uptime.seconds, *counts))
        words.append(f"{name} is {'up' if state.up else 'down'}, {records:,} {'ROA' if records == 1 else 'ROAs'}")
    return RoaState(synced, tuple(sorted(version)), "gobgpd's RPKI caches: " + "; ".join(sorted(words)))


async def validate(client: Client, source: str, family: Family, keys: Sequence[PrefixKey]) -> dict[PrefixKey, States]:
    """Return what GoBGP says now of the paths for *keys*; a prefix of which it says nothing is left out.

    The paths are those in its global table, after its import policy.
    """
    decoder = Decoder(client.dialect, AttributeTable(), lambda neighbor, _router_id, _asn: PeerId(source, neighbor))
    found: dict[PrefixKey, dict[int, Rpki]] = {}
    async for messages in client.list_exact(_AFI[family], [text_of(family, key) for key in keys]):
        for message in messages:
            heard = decoder.decode(message)
            if isinstance(heard, Announced) and heard.path.rpki is not Rpki.NONE:
                found.setdefault(heard.key, {})[origin_of(heard.path.attributes.as_path)] = heard.path.rpki
    # GoBGP 4.0 to 4.4 understand types of look-up differently: what was not asked for is left out.
    return {key: tuple(sorted(found[key].items())) for key in keys if key in found}
