"""What a filter can ask about: one row of a table of routes, paths or plan operations."""

from typing import Protocol

from monitor.rib.attribute import PathAttributes, Rpki
from programmer.route import Address, Family, PrefixKey


class FilterRow(Protocol):
    """One row.  Every attribute is cheap to read; what a row cannot know has the neutral value named here.

    ``state`` is a word such as ``installed``; ``op`` is ``+``, ``~``, ``-`` or empty; ``risk`` is ``low``,
    ``med``, ``high`` or empty; ``rule`` names the rule that decided and ``reason`` is a label of
    ``monitor.rib.reason`` or words. ``peer`` is the address as its source writes it, a link-local one with
    its zone.  ``next_hops`` are addresses without a zone.  ``received_at`` is in seconds since the epoch
    (UTC).  ``ecmp`` counts the next hops of the route. ``protocol`` is the kernel's route protocol number
    (rtm_protocol), 0 where there is none.
    """

    @property
    def family(self) -> Family:
        """The address family of ``key``."""

    @property
    def key(self) -> PrefixKey:
        """The prefix."""

    @property
    def domain(self) -> str:
        """Name of the routing domain, or empty."""

    @property
    def table(self) -> int:
        """Kernel table, 0 for none."""

    @property
    def metric(self) -> int:
        """Metric of the route."""

    @property
    def state(self) -> str:
        """One word."""

    @property
    def op(self) -> str:
        """What a plan does here."""

    @property
    def class_(self) -> str:
        """Class of a plan operation, or empty."""

    @property
    def risk(self) -> str:
        """Risk of a plan operation, or empty."""

    @property
    def rule(self) -> str:
        """The rule that decided, or empty."""

    @property
    def reason(self) -> str:
        """Why the row is what it is."""

    @property
    def peer(self) -> str:
        """Address of the peer, or empty."""

    @property
    def asn(self) -> int:
        """AS number of the peer, 0 while unknown."""

    @property
    def next_hops(self) -> tuple[Address, ...]:
        """Gateways of the route."""

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Names of the links of the route."""

    @property
    def attributes(self) -> PathAttributes | None:
        """The path's attributes, None where there is no path."""

    @property
    def received_at(self) -> float | None:
        """When it was last accepted, None while unknown."""

    @property
    def ecmp(self) -> int:
        """Number of next hops."""

    @property
    def best(self) -> bool:
        """True for the best path of its prefix."""

    @property
    def rpki(self) -> Rpki:
        """Origin validation state."""

    @property
    def protocol(self) -> int:
        """Route protocol."""

    @property
    def description(self) -> str:
        """Free words about the peer."""
