"""What must hold between the keys of change control: rules that decide, people who can prove who they are, probes that can fail.

``ApprovalCheck`` works on plain data, as ``check`` does.  ``check_people`` comes after it, when the signers file is read:
it asks whether everybody together could satisfy each rule.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.change.probe import HttpTarget, IcmpTarget, ProbeConfig, ProbeKind, TcpTarget, parse_target
from monitor.change.quorum import SIGNED, Quorum, Requirement, Voice
from monitor.change.rule import ApprovalRule, RuleAction
from monitor.change.statement import NAMESPACE
from monitor.config import parse, parse_change
from monitor.config.check import Entry
from monitor.config.document import Document, KeyPath
from monitor.config.model import MOST_PEOPLE, PROBE_KEYS, ApprovalConfig, SoakConfig
from monitor.errors import ConfigProblem
from monitor.filter import Query
from monitor.filter.analysis import hidden_by, implies, never
from monitor.filter.field import CLASSES
from monitor.filter.node import And, Comparison, Node, Not, Or

SIGNERS_HINT = "set approval.allowed_signers"

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_USUAL = ProbeConfig(name="", kind=ProbeKind.ICMP, target="")
_FOREVER = float("inf")


class _Rule(NamedTuple):
    """A rule whose filter can be read."""

    label: str
    query: Query
    match: Entry


@dataclass(slots=True)
class ApprovalCheck:
    """One run over one document; fills ``errors`` and ``warnings``."""

    document: Document
    errors: list[ConfigProblem] = field(default_factory=list)
    warnings: list[ConfigProblem] = field(default_factory=list)

    def run(self) -> None:
        """Check ``approval`` and ``windows``."""
        root = Entry(self.document.data, ())
        domains = dict(root.fields("domains"))
        windows = list(root.items("windows"))
        self._unique(windows, "window")
        if approval := root.get("approval"):
            self._people(approval)
            rules = list(approval.items("rules"))
            self._unique(rules, "rule")
            for rule in rules:
                self._rule(rule, approval, has_windows=bool(windows))
            self._filters(rules, domains)
            if soak := approval.get("soak"):
                self._soak(soak, domains)

    def _error(self, entry: Entry, message: str, hint: str = "", *, of_key: bool = False) -> None:
        self.errors.append(self.document.problem(entry.path, message, hint, of_key=of_key))

    def _warn(self, entry: Entry, message: str, hint: str = "", *, of_key: bool = False) -> None:
        self.warnings.append(self.document.problem(entry.path, message, hint, of_key=of_key))

    def _unique(self, entries: Sequence[Entry], what: str) -> None:
        """Refuse a name that an earlier entry has."""
        seen: dict[str, int] = {}
        for entry in entries:
            name = entry.get("name")
            if name is None or not isinstance(name.value, str):
                continue
            if name.value in seen:
                message = f"the name {name.value} is taken by the {what} in line {seen[name.value]}"
                self._error(name, message, f"each {what} needs its own name")
            seen.setdefault(name.value, self.document.line_of(name.path))

    # Who may approve

    def _people(self, approval: Entry) -> None:
        groups = approval.get("groups")
        needed = {name for rule in approval.items("rules") for name, _ in rule.fields("needs")}
        for name, group in approval.fields("groups"):
            members: set[str] = set()
            for member, item in Entry({name: group.value}, group.path[:-1]).parsed(name, parse_change.principal):
                if member in members:
                    self._error(item, f"{member} is listed twice", "remove one of them")
                members.add(member)
            if name not in needed:
                self._warn(group, f"no rule needs the group {name}", of_key=True)
        if approval.has("allowed_signers"):
            return
        if groups and groups.value != {}:
            message = "groups do nothing: nobody can prove who they are"
            self._error(groups, message, SIGNERS_HINT, of_key=True)
        local = approval.get("allow_local")
        if local and local.value is False:
            message = "nobody could approve anything: no local identity counts, and nobody can prove who they are"
            self._error(local, message, SIGNERS_HINT)

    def _rule(self, rule: Entry, approval: Entry, *, has_windows: bool) -> None:
        """Check the keys of one rule against each other."""
        if not isinstance(rule.value, dict):
            return
        decision, approve, in_window = rule.get("decision"), rule.get("approve"), rule.get("in_window")
        if "decision" not in rule.value and "approve" not in rule.value:
            self._error(rule, "a rule needs decision or approve", "write for example approve: 1")
            return
        word = decision.value if decision else "approve"
        inside = in_window is not None and in_window.value is True
        if not isinstance(word, str) or word not in set(RuleAction):
            return
        if decision and approve and not (word == "auto" and inside):
            hint = "approve: N says it all" if word == "approve" else "remove one of them"
            hint = "with in_window: true it is for outside a window" if word == "auto" else hint
            self._error(approve, "a rule has either decision or approve", hint, of_key=True)
        for key in ("per_minute", "in_window"):
            if (found := rule.get(key)) and word != "auto":
                self._error(found, f"{key} is used with decision: auto only", of_key=True)
        if in_window and inside and word == "auto" and not has_windows:
            message = "in_window does nothing: there are no windows"
            self._error(in_window, message, "add windows, or remove in_window", of_key=True)
        asks = word == "approve" or (word == "auto" and inside)
        for key in ("needs", "ticket"):
            if (found := rule.get(key)) and not asks:
                message = f"{key} is used where people are asked only"
                self._error(found, message, "write approve: N in place of the decision", of_key=True)
        if asks:
            self._askable(rule, approval)

    def _askable(self, rule: Entry, approval: Entry) -> None:
        """Refuse a rule that asks for people whom nobody could tell apart, or for groups that do not exist."""
        groups = [name for name, _ in approval.fields("groups")]
        for name, count in rule.fields("needs"):
            if name not in groups:
                hint = parse.nearest(name, groups) or "give its people in approval.groups"
                self._error(count, f"there is no group called {parse.shown(name)}", hint, of_key=True)
        if approval.has("allowed_signers"):
            return
        approve, needs = rule.get("approve"), rule.get("needs")
        people = _whole(approve.value if approve else None)
        if people > MOST_PEOPLE:
            return
        wanted = sum(_whole(count.value) for _, count in rule.fields("needs"))
        if approve and people > 1:
            self._error(approve, _unprovable(max(people, wanted)), SIGNERS_HINT)
        elif needs and wanted:
            self._error(needs, _unprovable(max(people, wanted)), SIGNERS_HINT, of_key=True)

    # What the filters mean

    def _filters(self, rules: Sequence[Entry], domains: Mapping[str, Entry]) -> None:
        earlier: list[_Rule] = []
        for number, rule in enumerate(rules, 1):
            name, match = rule.get("name"), rule.get("match")
            label = name.value if name and isinstance(name.value, str) else f"rule {number}"
            if match is None:
                continue
            try:
                query = parse_change.approval_match(match.value)
            except parse.Unacceptable:
                continue
            self._meaning(query, match, domains)
            if why := never(query):
                self._error(match, f"{label} can never match: {why}", "correct the filter, or remove the rule")
            elif (index := hidden_by(query, [other.query for other in earlier])) is not None:
                other = earlier[index]
                place = f"{other.label} in line {self.document.line_of(other.match.path)}"
                if not implies(query, other.query):
                    place += " and the rules before it together match"
                else:
                    place += " matches"
                rest = "everything" if str(other.query) == "*" else "all of it"
                hint = "move it up, or remove it"
                self._error(match, f"{label} is never reached: {place} {rest}", hint)
            earlier.append(_Rule(label, query, match))

    def _meaning(self, query: Query, match: Entry, domains: Mapping[str, Entry]) -> None:
        """Warn about words that no operation has."""
        for remark in query.hints:
            self.warnings.append(
                self.document.problem(
                    match.path, remark.message, f"did you mean {remark.suggestion}?", offset=remark.position
                )
            )
        for name, known in (("class", CLASSES), ("domain", tuple(domains))):
            for word in _words_of(query.node, name):
                told = any(parse.shown(word) in remark.message for remark in query.hints)
                if word not in known and not told:
                    hint = parse.nearest(word, known)
                    self._warn(match, f"no operation is of the {name} {parse.shown(word)}", hint)

    # Soak and probes

    def _soak(self, soak: Entry, domains: Mapping[str, Entry]) -> None:
        duration, most = soak.get("duration"), soak.get("most")
        lasts = _seconds(duration, SoakConfig().duration)
        longest = _seconds(most, _FOREVER)
        if most and lasts is not None and longest is not None and longest < lasts:
            text = parse.duration_text(lasts)
            self._error(most, f"{most.value} is shorter than the duration of {text}", f"write {text} or more")
        probes = list(soak.items("probes"))
        self._unique(probes, "probe")
        for probe in probes:
            if isinstance(probe.value, dict):
                self._probe(probe, domains)
                self._rhythm(probe, lasts)

    def _probe(self, probe: Entry, domains: Mapping[str, Entry]) -> None:
        given = probe.value if isinstance(probe.value, dict) else {}
        kinds = [kind for kind in ProbeKind if kind.value in given]
        listed = "tcp, icmp, http or bgp"
        if not kinds:
            self._error(probe, f"a probe needs {listed}", 'write for example tcp: "10.96.0.1:443"')
            return
        for other in kinds[1:]:
            if found := probe.get(other.value):
                self._error(found, f"a probe has one of {listed}", "make two probes of it", of_key=True)
        if len(kinds) > 1:
            return
        kind = kinds[0]
        for key in given:
            users = [other for other in ProbeKind if key in PROBE_KEYS[other]]
            if users and kind not in users and (found := probe.get(key)):
                words = ", ".join(user.value for user in users)
                self._error(found, f"{key} is used with {words} only", of_key=True)
        domain = probe.get("domain")
        if domain and isinstance(domain.value, str) and domain.value not in domains and kind is not ProbeKind.BGP:
            hint = parse.nearest(domain.value, domains)
            self._error(domain, f"there is no domain called {parse.shown(domain.value)}", hint)
        target = probe.get(kind.value)
        if target is None or not isinstance(target.value, str):
            return
        try:
            meant = parse_target(kind, target.value)
        except ValueError:
            return
        if isinstance(meant, TcpTarget | IcmpTarget | HttpTarget):
            self._way(probe, target, meant)
        else:
            self._sessions(target, meant.name, domains)

    def _way(self, probe: Entry, target: Entry, meant: TcpTarget | IcmpTarget | HttpTarget) -> None:
        """Check how the packets of a probe leave."""
        address = meant.address
        for source, item in probe.parsed("source", parse_change.probe_source):
            if source.version != address.version:
                self._error(item, f"{source} cannot reach {address}", "give an address of the same family")
        if address.version == 6 and address.is_link_local and not probe.has("interface"):
            self._error(target, f"{address} is link-local: it may be on any link", "give the interface, too")
        insecure = probe.get("insecure")
        if insecure and insecure.value is True and isinstance(meant, HttpTarget) and not meant.secure:
            self._error(insecure, "insecure does nothing without https", "remove it", of_key=True)

    def _sessions(self, target: Entry, name: str, domains: Mapping[str, Entry]) -> None:
        """Refuse a probe of sessions that are nowhere."""
        if name in domains:
            return
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            hint = parse.nearest(name, domains)
            self._error(target, f"there is no domain called {parse.shown(name)}", hint)
            return
        for domain in domains.values():
            for selector, _ in domain.parsed("peers", parse.peer_selector):
                # Which addresses an interface has behind it shows only when its peers are there.
                if selector.matches(address) or selector.prefix is None:
                    return
        self._error(target, f"no domain has the peer {name}", "write the address of a peer, or the name of a domain")

    def _rhythm(self, probe: Entry, lasts: float | None) -> None:
        """Refuse a probe that would answer too late, or could never fail."""
        interval, failures = probe.get("interval"), probe.get("failures")
        every = _seconds(interval, _USUAL.interval)
        limit = _seconds(probe.get("timeout"), _USUAL.timeout)
        if every is None or limit is None:
            return
        if limit >= every and not probe.has("bgp"):
            message = f"the timeout of {parse.duration_text(limit)} is not shorter than the interval"
            hint = f"write less than {parse.duration_text(every)}"
            self._error(probe.get("timeout") or interval or probe, message, hint)
        count = _whole(failures.value) if failures else _USUAL.failures
        if lasts is not None and count >= 1 and every * count >= lasts:
            took = parse.duration_text(every * count)
            message = f"{count} failures take {took}, so it could never fail before the soak ends"
            hint = f"a soak lasts {parse.duration_text(lasts)}: look more often, or write fewer failures"
            self._error(failures or interval or probe, message, hint)


def check_people(document: Document, config: ApprovalConfig) -> Iterator[ConfigProblem]:
    """Yield what is wrong with the people of the rules and groups, now that the signers are known."""
    able = config.people
    base: KeyPath = ("approval",)
    for name, members in config.groups:
        for member in sorted(members - able):
            yield _stranger(document, (*base, "groups", name), member, config, able)
    if not able:
        message = f"nobody in {config.allowed_signers} can sign for {NAMESPACE}"
        yield document.problem((*base, "allowed_signers"), message, "add a line for each person: NAME KEY-TYPE KEY")
        return
    # A group with strangers in it has its complaint already.
    quorum = Quorum({name: members for name, members in config.groups if members <= able})
    for rule in config.rules:
        if rule.line:
            yield from _unsatisfied(document, rule, quorum, able)


def _stranger(
    document: Document, path: KeyPath, member: str, config: ApprovalConfig, able: frozenset[str]
) -> ConfigProblem:
    """Return the problem with a member of a group who cannot sign."""
    given = document.value(path)
    place = (*path, given.index(member)) if isinstance(given, list) and member in given else path
    if member in config.signers.principals:
        message = f"no key of {member} may sign for {NAMESPACE}"
        return document.problem(
            place, message, f"add {NAMESPACE} to the namespaces of a key in {config.allowed_signers}"
        )
    return document.problem(place, f"{member} is not in {config.allowed_signers}", parse.nearest(member, able))


def _unsatisfied(
    document: Document, rule: ApprovalRule, quorum: Quorum, able: frozenset[str]
) -> Iterator[ConfigProblem]:
    """Yield why everybody together could not satisfy *rule*."""
    path: KeyPath = ("approval", "rules", rule.number - 1)
    sizes = [(name, count, len(quorum.groups[name])) for name, count in rule.groups if name in quorum.groups]
    small = [(name, count, have) for name, count, have in sizes if have < count]
    for name, count, have in small:
        yield document.problem((*path, "needs", name), f"{name} has {have} of the {count} people that are needed")
    if small or len(sizes) < len(rule.groups) or (rule.people == 1 and not rule.groups):
        return
    if rule.people > len(able):
        key = "approve" if rule.approve == rule.people else "needs"
        message = f"{rule.people} people are needed, and {len(able)} can sign"
        yield document.problem((*path, key), message, "ask for fewer, or add people to approval.allowed_signers")
        return
    wanted = Requirement(people=rule.people, groups=dict(rule.groups))
    everybody = [Voice(name, SIGNED, _FOREVER) for name in able]
    found = quorum.standing(wanted, everybody, author="", now=0.0)
    if not found.enough:
        message = f"everybody together is not enough, since each person counts once: {found.missing} would be missing"
        yield document.problem((*path, "needs"), message, "add people to the groups", of_key=True)


def _words_of(node: Node, name: str) -> Iterator[str]:
    """Yield the words that a filter compares the field *name* with, as a whole."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _words_of(part, name)
        case Not(part):
            yield from _words_of(part, name)
        case Comparison(field_name, operator, values) if field_name == name and operator in {"=", "!=", "in"}:
            yield from map(str, values)


def _unprovable(people: int) -> str:
    """Say that nobody could be told from a second person."""
    if people == 1:
        return "a person of a group is needed, and nobody can prove who they are: a local identity is in no group"
    number = _NUMBERS[people] if people < len(_NUMBERS) else str(people)
    return f"{number} people are needed, and nobody can prove who they are: a local identity never counts as a second person"


def _whole(value: object) -> int:
    """Return a whole number that is not negative, or 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _seconds(entry: Entry | None, usual: float) -> float | None:
    """Return a duration, *usual* where none is given, None where it cannot be read."""
    if entry is None:
        return usual
    try:
        return parse.duration(entry.value, 0.0, _FOREVER)
    except parse.Unacceptable:
        return None
