"""What the parts of the monitor may ask of each other."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from monitor.rib.path import PeerId
from monitor.rib.update import Update
from monitor.rib.validation import RoaState, States
from programmer.route import Family, PrefixKey


class Source(Protocol):
    """A speaker that tells about its peers and their paths.

    ``updates`` reconnects by itself for ever and ends only when it is cancelled.  It yields lists that the consumer
    handles in one go: never empty, at most a few thousand long, in order.  Memory is bounded on both sides however slow the
    consumer is: when it falls behind, the source drops what waits, says ``FeedLost``, and tells everything again.
    """

    @property
    def name(self) -> str:
        """The name in the configuration."""

    def updates(self) -> AsyncIterator[Sequence[Update]]:
        """Tell everything, then every change."""

    @property
    def kind(self) -> str:
        """How it is spoken to: ``gobgp`` (gRPC) or ``bmp``."""

    def complaints(self) -> Sequence[str]:
        """What an operator should know of it now, one sentence each."""

    async def refresh_peers(self) -> None:
        """Read the peers' counters now rather than at the next turn."""

    async def close(self) -> None:
        """Release the connection."""


@runtime_checkable
class SessionControl(Protocol):
    """Sources that can shut and open a session (gRPC can, BMP cannot)."""

    async def disable_peer(self, peer: PeerId, communication: str) -> None:
        """Shut the session administratively; verified by reading the peer back."""

    async def enable_peer(self, peer: PeerId) -> None:
        """Allow the session again."""


@runtime_checkable
class Retelling(Protocol):
    """Sources whose speaker counts what it told, and can be made to tell everything again (BMP)."""

    def tell_again(self, cause: str) -> None:
        """Doubt what was told, because of *cause*: say ``FeedLost``, and have it told again."""


@runtime_checkable
class OriginValidation(Protocol):
    """Sources that say which paths RPKI makes valid (gRPC does, BMP does not).

    Both calls raise SourceError when there is no answer, or when the speaker was not the same all the while.
    """

    async def roa_state(self) -> RoaState:
        """Return what the speaker's RPKI caches have told it; costs it a walk over its ROAs."""

    async def validate(self, family: Family, keys: Sequence[PrefixKey], state: RoaState) -> dict[PrefixKey, States]:
        """Return what it says of the paths for *keys*, under the ROAs of *state*; a prefix without an answer is left out."""


Document = dict[str, object]
"""One answer of the API: a JSON object in the shapes that the command line fixes (``-o json``)."""


class Endorsement(NamedTuple):
    """What comes with a decision about a plan.

    ``signature`` is an SSH signature (PROTOCOL.sshsig of OpenSSH) over ``statement``, which may be left out where it is the one
    that ``statement`` of the Feed gives.  Without a signature the identity is that of the socket, and ``name`` what its user
    says to be called.  ``comment`` is free text; with ``break_glass`` it is the reason, and nobody else is asked.
    """

    statement: bytes = b""
    signature: str = ""
    ticket: str = ""
    comment: str = ""
    name: str = ""
    break_glass: bool = False


class Feed(Protocol):
    """Everything that may be read.  Nothing here changes anything.

    Raises BadRequest for an argument that cannot be understood, Stale for a plan digest that nobody knows.
    """

    async def status(self) -> Document:
        """``{node, mode, ready, domains, peers, plan, …}``."""

    async def peers(self, address: str = "") -> Document:
        """``{items}``: all peers, or the one at *address*."""

    async def domains(self) -> Document:
        """``{items}``: each domain with its counts, reasons, guards and rules."""

    async def routes(self, filter_text: str = "", domain: str = "", limit: int = 1000) -> Document:
        """``{items, total, truncated}``: desired and installed routes that the filter matches."""

    async def view(
        self,
        filter_text: str = "",
        domain: str = "",
        sort: str = "",
        *,
        descending: bool = False,
        problems: bool = False,
        replaces: int = 0,
        wait: float = 0.0,
    ) -> Document:
        """``{view, total, complete, …}``: opens a list of routes in an order, of which ``window`` shows a part.

        Which routes it has stays as it is now.  *sort* is the name of a column, empty for prefix order.  *problems* leaves out
        what is as it should be.  *replaces* is a view that is closed for it.  Waits up to *wait* seconds, 5 at most, until it
        is complete.
        """

    async def window(self, view: int, first: int = 0, count: int = 50, around: str = "", before: int = 0) -> Document:
        """``{view, total, complete, first, at, changes, items}``: *count* rows of a view, 500 at most, as they are now.

        From row *first* on, or from *before* rows above the route whose key is *around*.  A view of whole tables that is still
        being sorted has a *total* that grows, and no items.  Raises Stale for a view that is not there any more: one that
        nobody looked at for a minute, or of a daemon that was started again.
        """

    async def close_view(self, view: int) -> Document:
        """``{view, closed}``: drop a view."""

    async def explain(self, prefix: str, domain: str = "") -> Document:
        """Why a route is there, or why not: ``{prefix, domain, verdict, desired, installed, paths, …}``."""

    async def lookup(self, address: str) -> Document:
        """Where a packet would go: ``{address, bgp, kernel, plan, verdict, covering, agrees}``."""

    async def plan(self, digest: str = "", limit: int = 5000) -> Document:
        """The live plan, or the frozen one of *digest*: ``{number, digest, state, summary, operations}``.

        Has at most *limit* operations, and never more than 5000.
        """

    async def plans(self, limit: int = 20) -> Document:
        """``{items}``: frozen plans, the newest first, without their operations."""

    async def compare(self, one: str, other: str = "") -> Document:
        """What two plans have in common and what only one of them has; without *other* the live one."""

    async def export(self, digest: str) -> Document:
        """A whole plan as it was frozen, from which ``plan verify`` computes its digest."""

    async def statement(self, digest: str, act: str = "approve", ticket: str = "", expires: float = 0.0) -> Document:
        """``{text, namespace, command, …}``: what a person signs to decide about a plan."""

    async def windows(self, at: float = 0.0, count: int = 5) -> Document:
        """``{at, open, text, configured, items}``: when changes may be applied, from a moment on (0: now)."""

    async def holds(self) -> Document:
        """``{items}``."""

    async def history(self, prefix: str = "", limit: int = 100) -> Document:
        """``{items}``: what was done, newest first."""

    async def events(self, after: int = 0, since: float = 0.0, limit: int = 100, wait: float = 0.0) -> Document:
        """``{items, last}``: records of the journal in order; waits up to *wait* seconds for the first one."""

    async def audit(self) -> Document:
        """``{ok, records, head, problems, …}``: whether the journal is whole."""

    async def audit_export(self, after: int = 0, since: float = 0.0, limit: int = 1000) -> Document:
        """``{lines, last, truncated}``: records as lines of JSON, without a gap."""

    async def replay(self, at: float, what: str, filter_text: str = "", limit: int = 1000) -> Document:
        """``status``, ``plan`` or ``routes`` as they were at a moment."""

    async def judge(self, digest: str = "") -> Document:
        """``{items}``: which approval rule decides on each operation of a plan, or of the live one."""

    async def doctor(self) -> Document:
        """``{items: [{check, ok, detail, fix}]}``."""


class Control(Protocol):
    """Everything that changes something.  ``actor`` says who asked, as the socket vouches for it (``uid 0``).

    Raises Refused when policy, mode or state says no, Stale for an unknown, expired or drifted plan, BadRequest otherwise.
    """

    async def freeze(self, actor: str, filter_text: str = "", *, denied: bool = False, name: str = "") -> Document:
        """Freeze the live plan, or what a filter matches of it: ``{digest, state, number, summary}``."""

    async def approve(self, digest: str, actor: str, endorsement: Endorsement = ...) -> Document:
        """Approve, and apply once enough people have: ``{digest, state, approvals, applied, stale, failed, …}``."""

    async def reject(self, digest: str, reason: str, actor: str, endorsement: Endorsement = ...) -> Document:
        """Refuse a plan that is not applied: ``{digest, state}``."""

    async def confirm(self, digest: str, actor: str, endorsement: Endorsement = ...) -> Document:
        """Keep a change that soaks: ``{digest, state}``."""

    async def roll_back(self, digest: str, actor: str, reason: str = "", name: str = "") -> Document:
        """Take back a change that soaks, or freeze the way back from an older one: ``{digest, state}``."""

    async def extend(self, digest: str, seconds: float, actor: str) -> Document:
        """Move the deadline of a change that soaks: ``{digest, state, deadline}``."""

    async def hold(self, filter_text: str, seconds: float, reason: str, actor: str) -> Document:
        """Keep operations out of plans for a time: ``{id, until, …}``."""

    async def release(self, number: int, actor: str) -> Document:
        """End a hold: ``{id, state}``."""

    async def pause(self, reason: str, actor: str) -> Document:
        """Write nothing more until resumed: ``{state, since, reason}``."""

    async def resume(self, actor: str) -> Document:
        """Let things be written again: ``{state}``."""

    async def reload(self, actor: str) -> Document:
        """Read the configuration file again: ``{state, warnings}``; the old one stays in force if it is bad."""

    async def withdraw_all(self, actor: str) -> Document:
        """Remove every route and rule of ours, and write nothing more until restarted: ``{removed, failed}``."""
