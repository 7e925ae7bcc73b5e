"""What must hold between keys: references, overlaps, families, and options that would do nothing.

Works on plain data beside the schema's own check, so that one run finds every error of both kinds.  What
cannot be parsed is passed over here, since the schema complains about it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeGuard, TypeVar

from monitor.config import parse
from monitor.config.document import Document, KeyPath, path_text
from monitor.config.model import SOURCE_KEYS, PeerSelector
from monitor.errors import ConfigProblem
from programmer.route import MAIN_TABLE, Address, Family, Prefix, TableId, family_of

T = TypeVar("T")

PROTOCOL_OWNERS = {
    11: "zebra (FRR)",
    12: "bird",
    16: "dhcp",
    18: "keepalived",
    42: "babel",
    186: "bgp (FRR)",
    187: "isis (FRR)",
    188: "ospf (FRR)",
    189: "rip (FRR)",
    192: "eigrp (FRR)",
}
"""RTPROT_* in linux/rtnetlink.h: numbers that another daemon may use on the same node."""

FOREIGN_TABLES = {
    77: "kube-router's",
    78: "kube-router's",
    79: "kube-router's",
    200: "Cilium's ingress proxy",
    2004: "Cilium's proxy",
    2005: "Cilium's proxy",
}
"""Tables that other agents of a node fill and empty as their own."""

TLS_HINT = "use gobgpd's unix socket, its loopback address, or mutual TLS: tls: {ca: FILE, cert: FILE, key: FILE}"

GRPC_HINT = "remove it, or use gobgpd's gRPC API as the source"


@dataclass(frozen=True, slots=True)
class Entry:
    """A value of the file, whatever its type, and where it stands."""

    value: object
    path: KeyPath

    def get(self, key: str) -> "Entry | None":
        """Return the value under *key*, or None if this is no mapping or has no such key."""
        if isinstance(self.value, dict) and self.value.get(key) is not None:
            return Entry(self.value[key], (*self.path, key))
        return None

    def has(self, key: str) -> bool:
        """Say whether *key* is given."""
        return self.get(key) is not None

    def fields(self, key: str) -> Iterator[tuple[str, "Entry"]]:
        """Yield the keys and values of the mapping under *key*."""
        found = self.get(key)
        if found and isinstance(found.value, dict):
            for name in found.value:
                if (item := found.get(name)) is not None:
                    yield name, item

    def items(self, key: str) -> Iterator["Entry"]:
        """Yield the entries of the list under *key*; a single value is a list of one."""
        found = self.get(key)
        if found and isinstance(found.value, list):
            for index, item in enumerate(found.value):
                yield Entry(item, (*found.path, index))
        elif found and not isinstance(found.value, dict):
            yield found

    def parsed(self, key: str, parser: Callable[[object], T]) -> list[tuple[T, "Entry"]]:
        """Return what can be parsed of the list under *key*."""
        found = []
        for item in self.items(key):
            try:
                found.append((parser(item.value), item))
            except parse.Unacceptable:
                continue
        return found

    def families(self) -> frozenset[str]:
        """Return the families of a domain."""
        given = {item.value for item in self.items("families") if isinstance(item.value, str)}
        return frozenset(given or {"ipv4", "ipv6"})


@dataclass(slots=True)
class Check:
    """One run over one document; fills ``errors`` and ``warnings``."""

    document: Document
    errors: list[ConfigProblem] = field(default_factory=list)
    warnings: list[ConfigProblem] = field(default_factory=list)

    def run(self) -> None:
        """Check everything."""
        root = Entry(self.document.data, ())
        self._top(root)
        sources = dict(root.fields("sources"))
        domains = dict(root.fields("domains"))
        for source in sources.values():
            self._source(source)
        for domain in domains.values():
            self._domain(domain, sources)
        self._unused(sources, domains)
        self._listeners(sources)
        self._peers(domains)
        self._tables(domains)
        self._priorities(domains)

    def _error(self, entry: Entry, message: str, hint: str = "", *, of_key: bool = False) -> None:
        self.errors.append(self.document.problem(entry.path, message, hint, of_key=of_key))

    def _warn(self, entry: Entry, message: str, hint: str = "", *, of_key: bool = False) -> None:
        self.warnings.append(self.document.problem(entry.path, message, hint, of_key=of_key))

    def _top(self, root: Entry) -> None:
        protocol = root.get("protocol")
        if protocol and isinstance(protocol.value, int) and protocol.value in PROTOCOL_OWNERS:
            owner = PROTOCOL_OWNERS[protocol.value]
            self._warn(protocol, f"protocol {protocol.value} is the mark of {owner}; its routes would look like ours")
        encapsulation = root.get("encapsulation")
        if encapsulation and encapsulation.value is True and not root.has("protect"):
            self._warn(encapsulation, "encapsulation does nothing without prefixes in protect")

    # One source

    def _source(self, source: Entry) -> None:
        if not isinstance(source.value, dict):
            return
        kinds = [kind for kind in SOURCE_KEYS if kind in source.value]
        bmp = source.get("bmp")
        if len(kinds) > 1 and bmp:
            self._error(bmp, "a source has either gobgp or bmp", "make two sources of it", of_key=True)
        elif not kinds:
            hint = 'write gobgp: "unix:///run/gobgp/gobgpd.sock" or bmp: "127.0.0.1:11019"'
            self._error(source, "a source needs gobgp or bmp", hint, of_key=True)
        for kind, keys in SOURCE_KEYS.items():
            for key in keys:
                if kinds and kind not in kinds and (found := source.get(key)):
                    self._error(found, f"{key} is used with {kind} only", of_key=True)
        self._target(source)
        if bmp:
            self._distinct(source, "allow_uids", parse.user)
            self._distinct(source, "allow_addresses", parse.sender)
            self._admission(source)

    def _target(self, source: Entry) -> None:
        targets = source.parsed("gobgp", parse.gobgp_target)
        tls = source.get("tls")
        if not targets:
            return
        target, entry = targets[0]
        if target.startswith("unix://") and tls:
            self._error(tls, "a unix socket needs no TLS", "remove tls", of_key=True)
        elif not parse.loopback_target(target) and not tls:
            message = f"{target} is not on this host; over the network anyone could inject routes"
            self._error(entry, message, TLS_HINT)

    def _distinct(self, entry: Entry, key: str, parser: Callable[[object], object]) -> None:
        """Refuse an entry of the list under *key* that means the same as an earlier one."""
        seen = set()
        for value, item in entry.parsed(key, parser):
            if value in seen:
                self._error(item, f"{value} is listed twice", "remove one of them")
            seen.add(value)

    def _admission(self, source: Entry) -> None:
        """Refuse a BMP listener that everybody can use, or nobody."""
        listens = source.parsed("bmp", parse.bmp_listen)
        if not listens:
            return
        text, entry = listens[0]
        address, port = parse.listen_place(text)
        uids, others = source.get("allow_uids"), source.get("allow_addresses")
        if address.is_loopback:
            if others and others.value != []:
                message = f"allow_addresses does nothing: no other host can connect to {text}"
                self._error(others, message, "remove it, or listen at another address of this host", of_key=True)
            if uids and uids.value == []:
                self._error(uids, f"nobody may connect to {text}", "give the number of the speaker's user; root is 0")
        elif others is None or others.value == []:
            message = f"{text} is open to other hosts; whoever reaches it could inject routes"
            loopback = "127.0.0.1" if address.version == 4 else "[::1]"
            self._error(
                entry, message, f"give the speaker's address in allow_addresses, or listen at {loopback}:{port}"
            )
        else:
            self._warn(entry, f"BMP to {text} is neither encrypted nor authenticated", "use a network that you trust")
            for other, item in source.parsed("allow_addresses", parse.sender):
                if other.version != address.version:
                    message = f"{other} cannot connect to {text}"
                    self._error(item, message, "a source listens for one family: that of its bmp address")

    def _unused(self, sources: dict[str, Entry], domains: dict[str, Entry]) -> None:
        used = [found.value for domain in domains.values() if (found := domain.get("source"))]
        for name, source in sources.items():
            if name not in used:
                self._warn(source, f"no domain uses the source {name}", of_key=True)

    # One domain

    def _domain(self, domain: Entry, sources: dict[str, Entry]) -> None:
        source = domain.get("source")
        if source and isinstance(source.value, str) and source.value not in sources:
            hint = parse.nearest(source.value, sources)
            self._error(source, f"there is no source called {parse.shown(source.value)}", hint)
        for key in ("families", "interfaces"):
            self._repeated(domain, key)
        self._family_keys(domain)
        self._table(domain)
        self._import(domain)
        if source and isinstance(source.value, str) and source.value in sources and sources[source.value].has("bmp"):
            self._over_bmp(domain)
        for _, limit in domain.fields("peer_limit"):
            action = limit.get("action")
            for key in ("restart", "attempts"):
                if (found := limit.get(key)) and (action is None or action.value != "teardown"):
                    self._error(found, f"{key} is used with action: teardown only", of_key=True)
        for rule in domain.items("rules"):
            self._rule(rule, domain.families())
        interfaces = [item.value for item in domain.items("interfaces")]
        for selector, item in domain.parsed("peers", parse.peer_selector):
            if selector.interface and selector.interface not in interfaces:
                hint = f"add {selector.interface} to interfaces"
                self._warn(item, "next hops of this peer are never on the domain's interfaces", hint)

    def _over_bmp(self, domain: Entry) -> None:
        """Refuse what a source cannot do that only hears: BMP (RFC 7854) takes no orders, and tells paths and sessions only."""
        for _, limit in domain.fields("peer_limit"):
            if (action := limit.get("action")) and action.value == "teardown":
                self._error(action, "a BMP source cannot shut a session", "use freeze or warn")
        for rule in domain.items("import"):
            for condition in (rule.get("accept"), rule.get("deny")):
                if condition and (rpki := condition.get("rpki")):
                    self._error(rpki, "a BMP source does not tell RPKI states", GRPC_HINT, of_key=True)
        if (auth := domain.get("require_auth")) and auth.value is True:
            message = "a BMP source does not tell whether sessions are authenticated"
            self._error(auth, message, GRPC_HINT, of_key=True)

    def _repeated(self, domain: Entry, key: str) -> None:
        seen: dict[object, Entry] = {}
        for item in domain.items(key):
            if not isinstance(item.value, str):
                continue
            if item.value in seen:
                self._error(item, f"{item.value} is listed twice", "remove one of them")
            seen.setdefault(item.value, item)

    def _family_keys(self, domain: Entry) -> None:
        families = domain.families()
        for key in ("limit", "peer_limit", "default_lengths", "preferred_source"):
            for name, item in domain.fields(key):
                if name in {"ipv4", "ipv6"} and name not in families:
                    self._error(item, f"the domain does not use {name}", f"add {name} to families", of_key=True)

    def _table(self, domain: Entry) -> None:
        for table, item in domain.parsed("table", parse.table):
            if table in FOREIGN_TABLES:
                owner = FOREIGN_TABLES[table]
                self._warn(item, f"table {table} is {owner} table, which empties it at will", "choose another one")
            if table == MAIN_TABLE:
                for family in sorted(domain.families()):
                    limits = domain.get("limit")
                    if limits is None or not limits.has(family):
                        message = f"the domain writes {family} routes to the main table without a limit"
                        self._warn(item, message, f"set limit: {{{family}: {{routes: N}}}}")

    def _import(self, domain: Entry) -> None:
        rules = list(domain.items("import"))
        if not any(rule.has("accept") for rule in rules):
            message = "no import rule accepts anything, so nothing will be installed"
            self._warn(
                domain,
                message,
                "add an import rule, for example accept: {prefix: 10.8.0.0/14, le: 28}",
                of_key=True,
            )
        closed = 0
        for number, rule in enumerate(rules, 1):
            if closed:
                self._warn(rule, f"import rule {number} is never reached: rule {closed} matches everything")
            self._import_rule(rule, domain)
            if any((found := rule.get(word)) and found.value == "any" for word in ("accept", "deny")):
                closed = closed or number

    def _import_rule(self, rule: Entry, domain: Entry) -> None:
        if not isinstance(rule.value, dict):
            return
        accept, deny = rule.get("accept"), rule.get("deny")
        if accept and deny:
            self._error(deny, "a rule has either accept or deny", "make two rules of it", of_key=True)
        elif not accept and not deny:
            self._error(rule, "a rule needs accept or deny", "write for example accept: {prefix: 10.8.0.0/14}")
        if deny and not accept:
            for key in ("metric", "preferred_source"):
                if found := rule.get(key):
                    self._error(found, f"{key} is used with accept only", of_key=True)
        for name, item in rule.fields("preferred_source"):
            if name in {"ipv4", "ipv6"} and name not in domain.families():
                self._error(item, f"the domain does not use {name}", f"add {name} to families", of_key=True)
        for condition in (accept, deny):
            if condition:
                self._condition(condition)
                self._effect(condition, domain, accepting=condition is accept)

    def _condition(self, condition: Entry) -> None:
        if condition.value == {}:
            self._error(condition, "the condition is empty", "write any to match every path")
        ge, le = condition.get("ge"), condition.get("le")
        for bound in (ge, le):
            if bound and not condition.has("prefix"):
                self._error(bound, f"{bound.path[-1]} needs a prefix", "write prefix: too", of_key=True)
        low = ge.value if ge and _whole(ge.value) else None
        high = le.value if le and _whole(le.value) else None
        if ge and le and low is not None and high is not None and low > high:
            self._error(le, f"le {high} is below ge {low}")
        for prefix, item in condition.parsed("prefix", parse.prefix):
            for bound, value in ((ge, low), (le, high)):
                if bound is None or value is None:
                    continue
                if value < prefix.prefixlen:
                    word = bound.path[-1]
                    self._error(bound, f"{word} {value} is below the length of {prefix}")
                elif value > prefix.max_prefixlen:
                    word, longest = bound.path[-1], prefix.max_prefixlen
                    self._error(bound, f"{word} {value} is above {longest}, the longest length of {item.value}")

    def _effect(self, condition: Entry, domain: Entry, *, accepting: bool) -> None:
        """Warn about a condition that no route of the domain can meet."""
        lengths = {"ipv4": 8, "ipv6": 16}
        for name, item in domain.fields("default_lengths"):
            if name in lengths and _whole(item.value):
                lengths[name] = item.value
        policy = domain.get("default_route")
        le = condition.get("le")
        open_ended = condition.has("ge") and le is None
        for prefix, item in condition.parsed("prefix", parse.prefix):
            family = family_of(prefix).label
            longest = prefix.max_prefixlen if open_ended else prefix.prefixlen
            if le and _whole(le.value):
                longest = le.value
            if family not in domain.families():
                self._warn(item, f"the domain does not use {family}, so {prefix} never matches")
            elif accepting and longest < lengths[family] and (policy is None or policy.value != "accept"):
                message = f"{prefix} counts as a default route and is refused"
                self._warn(item, message, "set default_route: accept, or change default_lengths")

    def _rule(self, rule: Entry, families: frozenset[str]) -> None:
        if not isinstance(rule.value, dict):
            return
        ends = [*rule.parsed("from", parse.prefix), *rule.parsed("to", parse.prefix)]
        if not rule.has("from") and not rule.has("to"):
            self._error(rule, "a rule needs from or to", "for all packets write from: 0.0.0.0/0")
        if len(ends) == 2 and ends[0][0].version != ends[1][0].version:
            self._error(ends[1][1], "from and to are of different families", "make two rules of it")
        for prefix, item in ends:
            family = family_of(prefix).label
            if family not in families:
                self._error(item, f"the domain does not use {family}", f"add {family} to families")

    # Between sources, and between domains

    def _listeners(self, sources: dict[str, Entry]) -> None:
        taken: list[tuple[Address, int, str, Entry]] = []
        for name, source in sources.items():
            for text, item in source.parsed("bmp", parse.bmp_listen):
                address, port = parse.listen_place(text)
                for other, other_port, other_name, other_item in taken:
                    if port == other_port and _same_listener(address, other):
                        line = self.document.line_of(other_item.path)
                        message = f"{text} is taken by source {other_name} in line {line}"
                        self._error(item, message, "each BMP source needs its own port")
                        break
                taken.append((address, port, name, item))

    def _peers(self, domains: dict[str, Entry]) -> None:
        taken: list[tuple[object, str, PeerSelector, Entry]] = []
        for name, domain in domains.items():
            source = domain.get("source")
            for selector, item in domain.parsed("peers", parse.peer_selector):
                for other_source, other_name, other, other_item in taken:
                    if source is None or other_source != source.value:
                        continue
                    line = self.document.line_of(other_item.path)
                    if other_name != name and _overlap(selector, other):
                        message = f"{selector.text} is in domain {other_name} too, by {other.text} in line {line}"
                        self._error(item, message, "a peer belongs to exactly one domain")
                        break
                    if other_name == name and selector == other:
                        self._error(
                            item,
                            f"{selector.text} is listed twice, first in line {line}",
                            "remove one of them",
                        )
                        break
                taken.append((source.value if source else None, name, selector, item))

    def _tables(self, domains: dict[str, Entry]) -> None:
        first: dict[TableId, str] = {}
        for name, domain in domains.items():
            for table, item in domain.parsed("table", parse.table):
                if table in first:
                    message = f"domains {first[table]} and {name} share table {table}"
                    hint = f"where both want the same prefix, {first[table]} wins, since it is listed first"
                    self._warn(item, message, hint)
                first.setdefault(table, name)

    def _priorities(self, domains: dict[str, Entry]) -> None:
        taken: dict[tuple[Family, int], KeyPath] = {}
        for domain in domains.values():
            for rule in domain.items("rules"):
                ends: list[tuple[Prefix, Entry]] = [
                    *rule.parsed("from", parse.prefix),
                    *rule.parsed("to", parse.prefix),
                ]
                priority = rule.get("priority")
                if not ends or priority is None or not _whole(priority.value):
                    continue
                place = (family_of(ends[0][0]), priority.value)
                if place in taken:
                    first, line = path_text(taken[place]), self.document.line_of(taken[place])
                    message = f"priority {priority.value} is taken by {first} in line {line}"
                    self._error(priority, message, f"each {place[0].label} rule needs its own priority")
                taken.setdefault(place, rule.path)


def _whole(value: object) -> TypeGuard[int]:
    """Say whether *value* is a whole number; true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _same_listener(one: Address, other: Address) -> bool:
    """Say whether two addresses cannot be listened at on one port; ``0.0.0.0`` and ``::`` are all of their family."""
    return one.version == other.version and (one == other or one.is_unspecified or other.is_unspecified)


def _overlap(one: PeerSelector, other: PeerSelector) -> bool:
    """Say whether a peer could be selected by both, as far as the entries tell."""
    if one.interface and other.interface and one.interface != other.interface:
        return False
    if one.prefix is None or other.prefix is None:
        return one.prefix == other.prefix
    # A zone makes two link-local addresses different; without one on either side they may be the same.
    return one.prefix.version == other.prefix.version and one.prefix.overlaps(other.prefix)
