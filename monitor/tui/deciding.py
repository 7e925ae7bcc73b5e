"""The dialogs of change control: what each decision does is told in numbers before it can be taken."""

import os
from typing import TYPE_CHECKING, Any

from monitor.errors import MonitorError
from monitor.text.moment import span
from monitor.text.requirement import requirement
from monitor.text.table import clean, duration, moment, number
from monitor.tui.cells import changes, mark, until, value
from monitor.tui.desk import Desk
from monitor.tui.dialogs.decision import Ask, Decision
from monitor.tui.dialogs.text import TextScreen
from monitor.tui.line import Line, line, wrapped
from monitor.tui.pane import language
from monitor.tui.panes.plantold import voice

if TYPE_CHECKING:
    from monitor.ports import Endorsement
    from monitor.tui.app import BgpmonApp

ROOM = 72
"""Columns of running text in a dialog."""

Document = dict[str, Any]


def fact(label: str, *value: Any) -> Line:
    """Return one fact of a dialog."""
    return line((f" {label:<9} ", "head"), *value)


def block(document: Document) -> str:
    """Return the first block of a plan's digest, which is typed to decide about it."""
    return str(document.get("short") or document.get("digest") or "")[:4]


def _endorsement(*, ticket: str = "", comment: str = "", name: str = "") -> "Endorsement":
    # It comes with the client, which is loaded after the first frame.
    from monitor.ports import Endorsement  # noqa: PLC0415 - see above

    return Endorsement(ticket=ticket, comment=comment, name=name)


def span_error(text: str) -> str:
    """Return what is wrong with a duration."""
    try:
        return "" if span(text) >= 1 else "at least 1s"
    except ValueError as error:
        return str(error)


class Decider:
    """Opens the dialogs; every decision is the daemon's, which refuses what is not allowed."""

    def __init__(self, app: "BgpmonApp", desk: Desk) -> None:
        self._app = app
        self._desk = desk

    def _open(
        self,
        title: str,
        told: list[Line],
        asks: list[Ask],
        verb: str,
        act: Any,
        *,
        danger: bool = False,
        then: Any = None,
    ) -> None:
        def ended(became: str | None) -> None:
            if became is not None:
                self._desk.say(became)
                if then is not None:
                    then()
            self._app.pane.renew()

        title = self._desk.title(title)
        self._app.push_screen(Decision(self._desk.painter, title, told, asks, verb, act, danger=danger), ended)

    # Freezing

    def freeze(self, document: Document, filter_text: str = "") -> None:
        """Freeze the live plan, or what a filter matches of it."""
        summary = document.get("summary")
        total = changes(summary)
        told = [
            fact("changes", *mark(summary), f"   {number(total)} operations in the live plan"),
            fact("means", "an immutable copy with a digest; nothing is written by it"),
            fact("later", "what BGP changes afterwards is not in it"),
        ]
        made: list[str] = []

        async def act(values: dict[str, str]) -> str:
            answer = await self._desk.link.tell("freeze", filter_text=values["filter"], name=self._desk.name)
            made.append(str(answer["digest"]))
            short = clean(answer.get("short") or str(answer["digest"])[:12])
            return f"plan #{value(answer, 'number')} is frozen: digest {short}"

        asks = [
            Ask("filter", "only what matches", filter_text, "empty: everything that is pending", check=_filter_error)
        ]
        self._open(f"FREEZE PLAN #{clean(document.get('number'))}", told, asks, "Freeze", act,
                   then=lambda: self._desk.go("plan", digest=made[-1]))  # fmt: skip

    # Approving

    def _told(self, document: Document) -> list[Line]:
        now = self._desk.now()
        effect = document.get("effect") or {}
        given = document.get("approvals") or {}
        shares = [
            f"{table['percent']:.3g}% of {value(table, 'domain')} {value(table, 'family')}"
            for table in effect.get("tables") or []
            if isinstance(table.get("percent"), int | float)
        ]
        told = [
            fact(
                "digest",
                (clean(document.get("short")), "accent"),
                f"   (sha256 {clean(document.get('digest'))[:12]}…{clean(document.get('digest'))[-4:]})",
            ),
            fact("changes", *mark(document.get("summary")), f"   {', '.join(shares[:3])}"),
            fact(
                "risk",
                (
                    clean(document.get("risk")).upper(),
                    "bad" if document.get("risk") == "high" else "warn" if document.get("risk") == "med" else "text",
                ),
            ),
        ]
        defaults = [
            table for table in effect.get("tables") or [] if table.get("default_route") not in (None, "", "unchanged")
        ]
        if defaults:
            for table in defaults:
                told += list(
                    wrapped(
                        f"{table.get('domain')}: {table['default_route']}", ROOM - 12, "bad", fact("DEFAULT"), " " * 11
                    )
                )[:3]
        else:
            told.append(fact("default", "every default route unchanged"))
        looks = [item for item in effect.get("checks") or [] if item.get("verdict") != "ok"]
        for item in looks[:4]:
            told += list(wrapped(str(item.get("text")), ROOM - 12, "warn", fact("look"), " " * 11))[:2]
        if effect.get("moved"):
            told.append(fact("moves", clean(effect["moved"])))
        left = (document.get("left_out") or {}).get("reasons") or {}
        if left:
            words = ", ".join(f"{number(many)} {clean(why)}" for why, many in left.items())
            told += list(wrapped(words, ROOM - 12, "text", fact("left out"), " " * 11))[:2]
        if words := requirement(document.get("requirement")):
            told += list(
                wrapped(
                    f"{words}; {clean(given.get('have'))} of {clean(given.get('need'))} so far",
                    ROOM - 12,
                    "text",
                    fact("needs"),
                    " " * 11,
                )
            )
        for item in (given.get("items") or [])[:3]:
            told += list(wrapped(voice(item), ROOM - 12, "text", fact("others"), " " * 11))[:2]
        soak = document.get("soak") or {}
        window = document.get("window") or {}
        when = "applied at once" if window.get("open") else "applied when the window opens"
        if soak.get("seconds"):
            probes = ", ".join(clean(probe.get("name")) for probe in soak.get("probes") or []) or "none"
            after = (
                f"{when}, soaks {duration(soak['seconds'])}, probes: {probes}; not confirmed: all of it is rolled back"
            )
        else:
            after = f"{when}; no soak: it stays"
        told += list(wrapped(after, ROOM - 12, "text", fact("after"), " " * 11))
        told.append(fact("expires", f"in {until(document.get('expires_at'), now)}"))
        return told

    def _asks(self, document: Document) -> list[Ask]:
        tickets = (document.get("requirement") or {}).get("tickets") or []
        hint = f"must match {tickets[0]}" if tickets else "not asked for"
        return [
            Ask("ticket", "ticket", "", hint, needed=bool(tickets)),
            Ask("comment", "comment", "", "for the record"),
            Ask("block", "first block of the digest", "", "four characters", must=block(document)),
        ]

    def approve(self, document: Document) -> None:
        """Approve a frozen plan as the user of the socket; where that is not enough, say what is."""
        digest = str(document["digest"])

        async def act(values: dict[str, str]) -> str:
            with_it = _endorsement(ticket=values["ticket"], comment=values["comment"], name=self._desk.name)
            answer = await self._desk.link.tell("approve", digest=digest, endorsement=with_it)
            state = str(answer.get("state"))
            words = f"plan #{clean(document.get('number'))} is {state}"
            if isinstance(answer.get("applied"), int) and answer["applied"]:
                words += f": {number(answer['applied'])} operations applied"
            return words

        many = changes(document.get("summary"))
        told = self._told(document)
        wanted = document.get("requirement") or {}
        if (wanted.get("people") or 0) > 1 or wanted.get("groups"):
            told += list(
                wrapped(
                    "people must sign for this: escape, then S shows the commands for your own machine",
                    ROOM - 12,
                    "warn",
                    fact("sign"),
                    " " * 11,
                )
            )
        self._open(f"APPROVE PLAN #{clean(document.get('number'))} on {clean(document.get('node'))}", told, self._asks(document),
                   f"Approve ({number(many)} changes)", act)  # fmt: skip

    def reject(self, document: Document) -> None:
        """Refuse a frozen plan."""
        digest = str(document["digest"])

        async def act(values: dict[str, str]) -> str:
            await self._desk.link.tell(
                "reject", digest=digest, reason=values["reason"], endorsement=_endorsement(name=self._desk.name)
            )
            return f"plan #{clean(document.get('number'))} is rejected"

        told = [fact("digest", (clean(document.get("short")), "accent")), fact("changes", *mark(document.get("summary"))),
                fact("means", "this copy can never be applied; the live plan stays as it is")]  # fmt: skip
        self._open(
            f"REJECT PLAN #{clean(document.get('number'))}",
            told,
            [Ask("reason", "reason", "", "for the history", needed=True)],
            "Reject",
            act,
        )

    async def sign(self, document: Document) -> None:
        """Show the commands that sign an approval on the operator's own machine; the plan's screen shows it when it comes."""
        act = "confirm" if document.get("state") == "soaking" else "approve"
        try:
            made = await self._desk.link.ask("statement", digest=str(document["digest"]), act=act)
        except MonitorError as error:
            self._desk.say(str(error), bad=True)
            return
        inside = os.environ.get("KUBERNETES_SERVICE_HOST")
        away = (
            f"kubectl exec -i {os.environ.get('POD_NAME') or os.environ.get('HOSTNAME') or 'POD'} -- "
            if inside
            else f"ssh {clean(document.get('node'))} "
        )
        file, short = f"plan-{clean(made.get('number'))}.txt", clean(made.get("short"))
        lines: list[Line] = [
            line(("On your own machine, where your key is:", "title")),
            (),
            line(f"  {away}bgpmon plan statement {short} --act {act} > {file}"),
            line(f"  cat {file}"),
            line(f"  {clean(made.get('sign'))}"),
            line(f"  {away}bgpmon {act} {short} --signature /dev/stdin < {file}.sig"),
            (),
            line((f"The signature counts until {moment(made.get('expires_at'))}.", "muted")),
            line(("The plan's screen shows it within a second of its arrival.", "muted")),
            line(("Where a rule asks for a ticket, give `--ticket` to both bgpmon commands.", "muted")),
            (),
            line(("What is signed:", "title")),
            (),
        ]
        lines += [line(f"  {clean(text)}") if text else () for text in str(made.get("text") or "").split("\n")]
        self._app.push_screen(TextScreen(self._desk.painter, f"SIGN PLAN #{clean(made.get('number'))}", lines))
        self._app.copy_to_clipboard(f"{away}bgpmon plan statement {short} --act {act} > {file}")

    # Soaking

    def confirm(self, document: Document) -> None:
        """Keep a change that soaks."""
        digest = str(document["digest"])
        progress = document.get("progress") or {}

        async def act(_: dict[str, str]) -> str:
            await self._desk.link.tell("confirm", digest=digest, endorsement=_endorsement(name=self._desk.name))
            return f"plan #{clean(document.get('number'))} is confirmed: it stays"

        bad = [item for item in document.get("probes") or [] if item.get("verdict") not in ("ok", "recovered")]
        well = ("all well", "ok") if document.get("probes") else ("none are configured", "warn")
        told = [fact("digest", (clean(document.get("short")), "accent")), fact("changes", *mark(document.get("summary"))),
                fact("deadline", f"rolls back in {until(progress.get('deadline'), self._desk.now())} otherwise"),
                fact("probes", (f"{len(bad)} not well", "bad") if bad else well)]  # fmt: skip
        asks = [Ask("block", "first block of the digest", "", "four characters", must=block(document))]
        self._open(f"KEEP PLAN #{clean(document.get('number'))}", told, asks, "Confirm", act)

    def rollback(self, document: Document) -> None:
        """Take a change back: at once while it soaks, as a plan of its own afterwards."""
        digest, soaking = str(document["digest"]), document.get("state") == "soaking"
        made: list[str] = []

        async def act(values: dict[str, str]) -> str:
            answer = await self._desk.link.tell(
                "roll_back", digest=digest, reason=values["reason"], name=self._desk.name
            )
            if soaking:
                return f"plan #{clean(document.get('number'))} is {clean(answer.get('state'))}"
            made.append(str(answer["digest"]))
            return f"the way back is plan #{clean(answer.get('number'))}, frozen: it is approved like any other"

        means = (
            "taken back at once, and read back"
            if soaking
            else "the way back is frozen as a plan of its own, to be approved"
        )
        told = [fact("changes", *mark(document.get("summary"))), fact("means", means)]
        asks = [Ask("reason", "reason", "", "for the history")]
        self._open(f"ROLL BACK PLAN #{clean(document.get('number'))}", told, asks, "Roll back", act, danger=True,
                   then=lambda: self._desk.go("plan", digest=made[-1]) if made else None)  # fmt: skip

    def extend(self, document: Document) -> None:
        """Give a change that soaks more time."""
        digest = str(document["digest"])

        async def act(values: dict[str, str]) -> str:
            answer = await self._desk.link.tell("extend", digest=digest, seconds=span(values["by"]))
            return (
                f"plan #{clean(document.get('number'))} rolls back at {moment(answer.get('deadline'))} unless confirmed"
            )

        terms = document.get("soak") or {}
        told = [fact("most", f"{duration(terms.get('most_seconds'))} in all, counted from when it was applied")]
        asks = [Ask("by", "by how much", "5m", "such as 5m", needed=True, check=span_error)]
        self._open(f"EXTEND THE SOAK OF PLAN #{clean(document.get('number'))}", told, asks, "Extend", act)

    # Holds

    def hold(self, prefix: str) -> None:
        """Keep prefixes out of plans for a time."""

        async def act(values: dict[str, str]) -> str:
            answer = await self._desk.link.tell(
                "hold", filter_text=values["filter"], seconds=span(values["for"]), reason=values["reason"]
            )
            return f"hold {clean(answer.get('id'))} keeps {values['filter']} out of plans until {moment(answer.get('until'))}"

        told = [
            fact("means", "what matches is neither written nor frozen while it lasts"),
            fact("end", "`:release ID`, or by itself"),
        ]
        asks = [
            Ask("filter", "what", prefix, "an expression, such as 10.1.5.0/24", needed=True, check=_filter_error),
            Ask("for", "for how long", "2h", "such as 2h", needed=True, check=span_error),
            Ask("reason", "reason", "", "for the history, and for those who wait", needed=True),
        ]
        self._open("HOLD", told, asks, "Hold", act)


def _filter_error(text: str) -> str:
    return str(language().check(text, "routes"))
