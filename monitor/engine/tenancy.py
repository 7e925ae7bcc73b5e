"""Makes sure that a table is ours to use before the first route is written into it."""

from monitor.config import Config, ForeignRoutes
from monitor.errors import Refused
from programmer.fib import Fib, ForeignRoute, Ownership
from programmer.journal import Journal
from programmer.route import MAIN_TABLE, Family, PrefixKey, text_of

SHOWN = 3
"""Foreign routes that the refusal names."""

_KERNEL = 2
"""RTPROT_KERNEL (linux/rtnetlink.h): what the kernel itself puts into the table of a VRF."""


async def refuse_occupied(config: Config, fib: Fib, journal: Journal) -> None:
    """Raise Refused if a table that was never used before holds routes of another program.

    Two programs in one table end with one of them emptying it.  A table that we have used, or that holds routes with our
    mark, is ours already; ``main`` belongs to everybody, and naming it says so.
    """
    for table in config.tables:
        domains = [domain for domain in config.domains if domain.table == table]
        accepted = any(domain.foreign_routes is ForeignRoutes.ACCEPT for domain in domains)
        if table == MAIN_TABLE or accepted or journal.own(table, ()):
            continue
        metrics = frozenset(metric for domain in domains for metric in domain.metrics)
        found: list[str] = []
        for family in Family:
            image = await fib.read(table, family, Ownership(config.protocol, metrics))
            if image.routes or image.extras:
                found = []
                break
            found += _foreign(family, image.foreign)
        if found:
            raise Refused(
                f"table {table} of domain {domains[0].name} already holds routes of another program "
                f"({', '.join(found[:SHOWN])}; {len(found):,} in all): choose a table that nobody uses, "
                f"or set `foreign_routes: accept` for the domain if both are to live in it"
            )


def _foreign(family: Family, routes: dict[tuple[PrefixKey, int], ForeignRoute]) -> list[str]:
    """Return the routes that somebody else put there, as text."""
    return [
        f"{text_of(family, key)} proto {route.protocol}"
        for (key, _), route in sorted(routes.items())
        if route.protocol != _KERNEL
    ]
