"""Every kind of mistake is found, at its place, with what to write instead.

In these files «…» marks the text that must be underlined.
"""

import pytest

from monitor.config import ConfigError, Overrides
from monitor.errors import ConfigProblem
from tests.unit.monitor.config.files import BMP, DOMAIN, GOOD, check, only_problem, problems_of, underlined

SOURCE = '{fabric: {gobgp: "127.0.0.1:50051"}}'
IMPORT = "[{accept: any}]"


def domain(marked: str) -> str:
    """Return a good file with more keys in its domain."""
    return f"{DOMAIN}    {marked}\n"


def imported(marked: str) -> str:
    """Return a good file with this import policy in place of its own."""
    return DOMAIN.replace(IMPORT, marked)


@pytest.mark.parametrize(
    ("marked", "key", "message", "hint"),
    [
        ("«mod»: auto\n" + DOMAIN, "mod", "unknown key 'mod'", "did you mean mode?"),
        ("«window»: []\n" + DOMAIN, "window", "unknown key 'window'", "did you mean windows?"),
        ("«page»: {listen: 127.0.0.1}\n" + DOMAIN, "page", "unknown key 'page'", "known:"),
        (DOMAIN + "approval: {«soaks»: {}}\n", "approval.soaks", "unknown key 'soaks'", "did you mean soak?"),
        (DOMAIN + "approval: {soak: {«probe»: []}}\n", "approval.soak.probe", "unknown key 'probe'", "probes?"),
        (
            DOMAIN + "approval: {rules: [{match: '*', approve: 1, «tickets»: CHG}]}\n",
            "approval.rules[0].tickets",
            "unknown key 'tickets'",
            "did you mean ticket?",
        ),
        (
            DOMAIN + "approval: {soak: {probes: [{name: a, bgp: storage, «udp»: 1}]}}\n",
            "approval.soak.probes[0].udp",
            "unknown key 'udp'",
            "known: bgp",
        ),
        ("journal: {«kept»: 90d}\n" + DOMAIN, "journal.kept", "unknown key 'kept'", "did you mean keep?"),
        (DOMAIN.replace("gobgp:", "«grpc»: 1, gobgp:"), "sources.fabric.grpc", "unknown key 'grpc'", "gobgp"),
        (
            BMP.replace("bmp:", "«allow_uid»: 0, bmp:"),
            "sources.fabric.allow_uid",
            "unknown key 'allow_uid'",
            "did you mean allow_uids?",
        ),
        (domain("«metrc»: 3"), "domains.storage.metrc", "unknown key 'metrc'", "did you mean metric?"),
        (
            imported("[{deny: {«comunity»: 65001:1}}, {accept: any}]"),
            "domains.storage.import[0].deny.comunity",
            "unknown key",
            "did you mean community?",
        ),
        (
            domain("limit: {ipv4: {routes: 5, «warn»: 3}}"),
            "domains.storage.limit.ipv4.warn",
            "unknown key 'warn'",
            "did you mean warn_percent?",
        ),
        (
            domain("limit: {«ipv5»: {routes: 5}}"),
            "domains.storage.limit.ipv5",
            "unknown key",
            "did you mean ipv",
        ),
        (
            domain("rules: [{from: 10.0.0.0/8, priority: 1, «tos»: 3}]"),
            "domains.storage.rules[0].tos",
            "unknown",
            "",
        ),
        (
            domain("removal_budget: {«time»: 3m}"),
            "domains.storage.removal_budget.time",
            "unknown key",
            "hold",
        ),
        ("api: {«grup»: wheel}\n" + DOMAIN, "api.grup", "unknown key", "did you mean group?"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_the_nearest(marked: str, key: str, message: str, hint: str) -> None:
    check(marked, key, message, hint)


@pytest.mark.parametrize(
    ("marked", "key", "message", "hint"),
    [
        (
            "mode: «autom»\n" + DOMAIN,
            "mode",
            "'autom' is none of dry-run, approve, auto",
            "did you mean auto?",
        ),
        ("mode: «true»\n" + DOMAIN, "mode", "true is none of", ""),
        ("encapsulation: «yes»\n" + DOMAIN, "encapsulation", "'yes' is neither true nor false", ""),
        ("protocol: «4»\n" + DOMAIN, "protocol", "protocol 4 (static)", "196"),
        ("protocol: «256»\n" + DOMAIN, "protocol", "256 is not a number from 5 to 255", ""),
        ("protocol: «bird»\n" + DOMAIN, "protocol", "'bird' is not a number", ""),
        (
            "protect: [«10.96.0.1/12»]\n" + DOMAIN,
            "protect[0]",
            "bits set beyond its length",
            "write 10.96.0.0/12",
        ),
        ("protect: [10.0.0.0/8, «10.0.0.0/33»]\n" + DOMAIN, "protect[1]", "is not a prefix", "10.8.0.0/14"),
        ("protect: «10.0.0.0/8»\n" + DOMAIN, "protect", "is not a list", "write [10.0.0.0/8]"),
        ("netns: «blue»\n" + DOMAIN, "netns", "is not a file", "/run/netns/blue"),
        ("state_dir: «var/lib»\n" + DOMAIN, "state_dir", "does not start with /", ""),
        (f"run_dir: «/{'d' * 96}»\n" + DOMAIN, "run_dir", "too long for a socket", ""),
        ("reconcile: «60»\n" + DOMAIN, "reconcile", "60 has no unit", "write 60s"),
        ("reconcile: «1 minute»\n" + DOMAIN, "reconcile", "is not a duration", "30s"),
        ("reconcile: «10ms»\n" + DOMAIN, "reconcile", "outside 1s to 1d", ""),
        ("api: {group: «12»}\n" + DOMAIN, "api.group", "12 is not a group name", 'quotes: "12"'),
        ("node: «a b»\n" + DOMAIN, "node", "is not a node name", ""),
        ("api: «wheel»\n" + DOMAIN, "api", "is not a mapping", "known keys: group"),
        (domain("metric: «0»"), "domains.storage.metric", "0 is below 1", ""),
        (domain("metric: «4294967296»"), "domains.storage.metric", "above 4294967295", ""),
        (domain('metric: «"200"»'), "domains.storage.metric", "'200' is not a whole number", ""),
        (domain("metric: «1.5»"), "domains.storage.metric", "1.5 is not a whole number", ""),
        (domain("multipath: «65»"), "domains.storage.multipath", "65 is above 64", ""),
        (
            domain("families: [«ipv7»]"),
            "domains.storage.families[0]",
            "none of ipv4, ipv6",
            "did you mean ipv",
        ),
        (domain("families: «[]»"), "domains.storage.families", "at least one entry", ""),
        (domain("families: [ipv4, «ipv4»]"), "domains.storage.families[1]", "listed twice", ""),
        (domain("default_route: «allow»"), "domains.storage.default_route", "none of deny, accept", ""),
        (domain("default_lengths: {ipv4: «0»}"), "domains.storage.default_lengths.ipv4", "below 1", ""),
        (
            domain("preferred_source: {ipv4: «2001:db8::1»}"),
            "domains.storage.preferred_source.ipv4",
            "is not an ipv4 address",
            "",
        ),
        (
            domain("preferred_source: {ipv4: «10.8.0.5/32»}"),
            "domains.storage.preferred_source.ipv4",
            "is not an address",
            "without a length",
        ),
        (
            domain("limit: {ipv4: {routes: 5, action: «teardown»}}"),
            "domains.storage.limit.ipv4.action",
            "freeze",
            "",
        ),
        (domain("limit: {ipv4: {routes: «0»}}"), "domains.storage.limit.ipv4.routes", "below 1", ""),
        (
            domain("removal_budget: {percent: «101»}"),
            "domains.storage.removal_budget.percent",
            "101 is above 100",
            "",
        ),
        (
            domain("rules: [{from: 10.0.0.0/8, priority: «32766»}]"),
            "domains.storage.rules[0].priority",
            "above 32765",
            "",
        ),
        (DOMAIN.replace("101", "«255»"), "domains.storage.table", "table 255 belongs to the kernel", "101"),
        (DOMAIN.replace("101", "«local»"), "domains.storage.table", "table 255 belongs to the kernel", ""),
        (DOMAIN.replace("101", "«253»"), "domains.storage.table", "belongs to the kernel", ""),
        (DOMAIN.replace("101", "«0»"), "domains.storage.table", "belongs to the kernel", ""),
        (DOMAIN.replace("101", "«4294967296»"), "domains.storage.table", "outside 1 to 4294967295", ""),
        (DOMAIN.replace("101", "«storage»"), "domains.storage.table", "is not a table", "main"),
        (DOMAIN.replace("eth1", "«lo»"), "domains.storage.interfaces[0]", "loopback", ""),
        (DOMAIN.replace("eth1", "«interface-of-twenty»"), "domains.storage.interfaces[0]", "1 to 15", ""),
        (DOMAIN.replace("eth1", "eth1, «eth1»"), "domains.storage.interfaces[1]", "listed twice", ""),
        (
            DOMAIN.replace("198.51.100.1", "«198.51.100.300»"),
            "domains.storage.peers[0]",
            "not an address",
            "",
        ),
        (
            DOMAIN.replace("198.51.100.1", "«198.51.100.1/24»"),
            "domains.storage.peers[0]",
            "bits set",
            "100.0/24",
        ),
        (
            DOMAIN.replace("198.51.100.1", "«'2001:db8::1%eth1'»"),
            "domains.storage.peers[0]",
            "link-local",
            "",
        ),
        (DOMAIN.replace("198.51.100.1", "«0.0.0.0»"), "domains.storage.peers[0]", "no peer's address", ""),
        (DOMAIN.replace("198.51.100.1", "«224.0.0.5»"), "domains.storage.peers[0]", "no peer's address", ""),
        (DOMAIN.replace("[198.51.100.1]", "«[]»"), "domains.storage.peers", "at least one entry", ""),
    ],
)
def test_a_bad_value_is_underlined_and_corrected(marked: str, key: str, message: str, hint: str) -> None:
    check(marked, key, message, hint)


@pytest.mark.parametrize(
    ("marked", "key", "message", "hint"),
    [
        ("[{accept: {community: «65001:70000»}}]", "accept.community", "0 to 65535", "large_community"),
        ("[{accept: {community: «65001:1:2»}}]", "accept.community", "large community", "large_community"),
        (
            "[{accept: {community: «no-exprt»}}]",
            "accept.community",
            "not a community",
            "did you mean no-export?",
        ),
        ("[{accept: {community: «65001»}}]", "accept.community", "is not a community", "quotes"),
        (
            "[{accept: {community: [65001:1, «x:1»]}}]",
            "accept.community[1]",
            "is not a community",
            "ASN:VALUE",
        ),
        ("[{accept: {large_community: «65001:1»}}]", "accept.large_community", "three numbers", "ASN:X:Y"),
        ("[{accept: {large_community: «4294967296:1:1»}}]", "accept.large_community", "three numbers", ""),
        ("[{accept: {as_path: '^65001(_[0-9]+)«)»'}}]", "accept.as_path", "unbalanced parenthesis", ""),
        ("[{accept: {as_path: '_65001_«x»'}}]", "accept.as_path", "'x' cannot stand in", "use digits"),
        ("[{accept: {as_path: ['_1_', '«*»_65001_']}}]", "accept.as_path[1]", "nothing to repeat", ""),
        ("[{accept: {next_hop: «router»}}]", "accept.next_hop", "is not a prefix", ""),
        ("[{accept: {peer: «198.51.100.1/8»}}]", "accept.peer", "bits set", "198.0.0.0/8"),
        (
            "[{accept: {origin: «ibgp»}}]",
            "accept.origin",
            "none of igp, egp, incomplete",
            "did you mean igp?",
        ),
        ("[{accept: {rpki: «unknown»}}]", "accept.rpki", "none of valid, not-found, invalid", ""),
        ("[{accept: {prefix: 10.0.0.0/8, ge: «129»}}]", "accept.ge", "", ""),
        (
            "[{accept: {prefix: 10.8.0.0/14, ge: «8»}}]",
            "accept.ge",
            "ge 8 is below the length of 10.8.0.0/14",
            "",
        ),
        ("[{accept: {prefix: 10.8.0.0/14, le: «33»}}]", "accept.le", "above 32", ""),
        ("[{accept: {prefix: 10.8.0.0/14, ge: 30, le: «28»}}]", "accept.le", "le 28 is below ge 30", ""),
        ("[{accept: {«le»: 24, community: 65001:1}}]", "accept.le", "le needs a prefix", ""),
        ("[{accept: «{}»}]", "accept", "the condition is empty", "any"),
        ("[{accept: «all»}]", "accept", "'all' is not a mapping", "write any"),
        ("[{accept: any, «deny»: {community: 65001:1}}]", "deny", "either accept or deny", "two rules"),
        ("[{deny: {community: 65001:1}, «metric»: 5}, {accept: any}]", "metric", "with accept only", ""),
        ("[{accept: any, metric: «-1»}]", "metric", "-1 is below 1", ""),
    ],
)
def test_a_bad_import_rule_is_underlined_and_corrected(marked: str, key: str, message: str, hint: str) -> None:
    if "129" in marked:
        # Two truths about one number: no prefix is that long, and this one's family ends earlier.
        found = problems_of(imported(marked.replace("«", "").replace("»", "")))
        assert [problem.message for problem in found] == [
            "ge 129 is above 32, the longest length of 10.0.0.0/8",
            "129 is above 128",
        ]
        return
    check(imported(marked), f"domains.storage.import[0].{key}", message, hint)


def test_a_rule_that_says_neither_accept_nor_deny_is_an_error() -> None:
    check(
        imported("[«{metric: 5}», {accept: any}]"),
        "domains.storage.import[0]",
        "needs accept or deny",
        "accept",
    )


@pytest.mark.parametrize(
    ("marked", "key", "message", "hint"),
    [
        (
            DOMAIN.replace("source: fabric", "source: «fabrik»"),
            "domains.storage.source",
            "no source",
            "fabric?",
        ),
        (
            domain("rules: [{from: 10.0.0.0/8, to: «2001:db8::/32», priority: 5}]"),
            "domains.storage.rules[0].to",
            "different families",
            "two rules",
        ),
        (domain("rules: [«{priority: 5}»]"), "domains.storage.rules[0]", "needs from or to", "0.0.0.0/0"),
        (
            domain("rules: [{from: 10.0.0.0/8, priority: 5}, {to: 10.0.0.0/8, priority: «5»}]"),
            "domains.storage.rules[1].priority",
            "taken by domains.storage.rules[0] in line 9",
            "ipv4",
        ),
        (
            domain("peer_limit: {ipv4: {paths: 5, «restart»: 5m}}"),
            "domains.storage.peer_limit.ipv4.restart",
            "with action: teardown only",
            "",
        ),
        (
            domain("families: [ipv4]\n    limit: {«ipv6»: {routes: 5}}"),
            "domains.storage.limit.ipv6",
            "does not use ipv6",
            "families",
        ),
        (
            domain("families: [ipv6]\n    rules: [{from: «10.0.0.0/8», priority: 5}]"),
            "domains.storage.rules[0].from",
            "does not use ipv4",
            "families",
        ),
    ],
)
def test_keys_that_contradict_each_other_are_an_error(marked: str, key: str, message: str, hint: str) -> None:
    check(marked, key, message, hint)


@pytest.mark.parametrize(
    ("target", "message", "hint"),
    [
        ("10.0.0.1:50051", "not on this host", "mutual TLS"),
        ("gobgp.example.net:50051", "not on this host", "unix socket"),
        ("0.0.0.0:50051", "no address to connect to", "127.0.0.1:50051"),
        ("127.0.0.1", "does not end in a port", "127.0.0.1:50051"),
        ("127.0.0.1:0", "does not end in a port", ""),
        ("::1:50051", "is not host:port", "[::1]:50051"),
        ("127.0.0.300:1", "does not name a host", ""),
        ("/run/gobgp.sock", "is not a target", "unix:///run/gobgp.sock"),
        ("unix:/run/gobgp.sock", "is not a target", "unix:///run/gobgp.sock"),
        ("unix://run/gobgp.sock", "does not name a socket", ""),
        (f"unix:///{'s' * 107}", "longer than 107", ""),
        ("http://127.0.0.1:50051", "does not name a host", ""),
    ],
)
def test_a_target_that_is_unsafe_or_unclear_is_refused(target: str, message: str, hint: str) -> None:
    marked = DOMAIN.replace('"127.0.0.1:50051"', f'«"{target}"»')
    check(marked, "sources.fabric.gobgp", message, hint)


def test_tls_on_a_unix_socket_is_refused() -> None:
    tls = "{ca: /etc/ca.pem, cert: /etc/c.pem, key: /etc/k.pem}"
    marked = DOMAIN.replace('{gobgp: "127.0.0.1:50051"}', f'{{gobgp: "unix:///run/g", «tls»: {tls}}}')
    check(marked, "sources.fabric.tls", "needs no TLS", "remove")


def test_tls_needs_all_three_files() -> None:
    marked = DOMAIN.replace('"127.0.0.1:50051"', '"192.0.2.1:5", «tls»: {ca: /etc/ca.pem, cert: /etc/c.pem}')
    check(marked, "sources.fabric.tls.key", "the key key is missing")


@pytest.mark.parametrize(("name", "line"), [("source", 4), ("peers", 5), ("interfaces", 6), ("table", 7)])
def test_a_missing_key_is_shown_at_what_should_hold_it(name: str, line: int) -> None:
    lines = DOMAIN.splitlines()
    del lines[line - 1]
    problems = [item for item in problems_of("\n".join(lines)) if item.message == f"the key {name} is missing"]
    assert [(item.place, item.key, underlined(item)) for item in problems] == [
        ("bgpmon.yaml:3:3", f"domains.storage.{name}", "storage")
    ]


def test_sources_and_domains_must_be_there() -> None:
    assert [item.message for item in problems_of("mode: auto\n")] == [
        "the key sources is missing",
        "the key domains is missing",
    ]


@pytest.mark.parametrize(
    ("old", "new", "ok"),
    [
        ("198.51.100.2", "198.51.100.1", False),
        ("198.51.100.2", "198.51.100.0/24", False),
        ("198.51.100.2", "'2001:db8::/32', 198.51.100.0/31", False),
        ("198.51.100.2", "198.51.100.128/25", True),
        ("198.51.100.2", "eth2", True),
    ],
)
def test_a_peer_belongs_to_one_domain_of_its_source(old: str, new: str, *, ok: bool) -> None:
    second = DOMAIN.split("domains:\n")[1].replace("storage", "fabric2").replace("101", "102")
    text = DOMAIN + second.replace("198.51.100.1", "198.51.100.2").replace(old, new)
    messages = [item.message for item in problems_of(text)]
    if ok:
        assert messages == []
    else:
        assert [message.partition(" in domain ")[2] for message in messages] == [
            "storage too, by 198.51.100.1 in line 5"
        ]


def test_the_same_address_may_be_a_peer_of_two_sources() -> None:
    second = DOMAIN.split("domains:\n")[1].replace("storage", "other").replace("fabric", "b").replace("101", "102")
    text = DOMAIN.replace(SOURCE, '{fabric: {gobgp: "127.0.0.1:1"}, b: {gobgp: "127.0.0.1:2"}}') + second
    assert problems_of(text) == []


def test_priorities_are_counted_over_all_domains_for_each_family() -> None:
    rule = "    rules: [{from: 10.0.0.0/8, priority: 5}, {from: '2001:db8::/32', priority: 5}]\n"
    assert problems_of(DOMAIN + rule) == []
    second = DOMAIN.split("domains:\n")[1].replace("storage", "b").replace("100.1", "100.2").replace("101", "102")
    assert [item.key for item in problems_of(DOMAIN + rule + second + rule)] == [
        "domains.b.rules[0].priority",
        "domains.b.rules[1].priority",
    ]


def test_a_key_that_stands_twice_is_an_error() -> None:
    check(domain("«table»: 102"), "domains.storage.table", "stands twice; the first is in line 7", "remove one")
    check(DOMAIN + "«sources»: {}\n", "sources", "stands twice; the first is in line 1")


@pytest.mark.parametrize(
    ("marked", "key"),
    [
        ("«protect»:\n" + DOMAIN, "protect"),
        (domain("«limit»: ~"), "domains.storage.limit"),
        (domain("«metric»:"), "domains.storage.metric"),
    ],
)
def test_a_key_without_a_value_is_an_error(marked: str, key: str) -> None:
    check(marked, key, "there is no value", "remove the key")


def test_a_list_entry_without_a_value_is_an_error() -> None:
    check(
        DOMAIN.replace("[198.51.100.1]", "[198.51.100.1, «~»]"),
        "domains.storage.peers[1]",
        "there is no value",
    )


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "bgpmon.yaml", "the file is empty"),
        ("# nothing\n", "bgpmon.yaml", "the file is empty"),
        ("- a\n- b\n", "bgpmon.yaml:1:1", "the file is a list, not keys with values"),
        ("just words\n", "bgpmon.yaml:1:1", "the file is 'just words', not keys with values"),
        ("mode: [auto\nnode: x\n", "bgpmon.yaml:2:5", "not YAML: while parsing a flow sequence"),
        ("a: b\n\tc: d\n", "bgpmon.yaml:2:1", "not YAML"),
        ("a: 1\n---\nb: 2\n", "bgpmon.yaml:2:1", "not YAML: expected a single document"),
        ("a: *b\n", "bgpmon.yaml:1:4", "not YAML: found undefined alias"),
        ("a: \x07\n", "bgpmon.yaml", "not YAML: special characters are not allowed"),
        ("a: &x [*x]\n", "bgpmon.yaml:1:4", "refers to itself"),
        ("[" * 3000, "bgpmon.yaml", "nested too deeply"),
    ],
)
def test_what_is_no_document_at_all_is_one_problem(text: str, place: str, message: str) -> None:
    problem = only_problem(text)
    assert (problem.place[: len(place)], message in problem.message) == (place, True), problem.text


def test_aliases_that_explode_are_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "repeated too much" in only_problem("\n".join(lines)).message


def test_a_tag_is_refused() -> None:
    problem = only_problem("mode: !!python/name:os.system auto\n" + DOMAIN)
    assert (problem.place, problem.key) == ("bgpmon.yaml:1:7", "mode")
    assert "is not used here" in problem.message


def test_all_errors_come_at_once_in_the_order_of_the_file() -> None:
    text = (
        GOOD.replace("mode: dry-run ", "mode: dry_run ")
        .replace("unix:///run/gobgp/gobgpd.sock", "10.0.0.1:50051")
        .replace("source: fabric", "source: fabrik")
        .replace("table: 101", "tabel: 101")
        .replace("ge: 16, le: 28", "ge: 29, le: 28")
        .replace("65001:666", "65001:66666")
        .replace("expires: 1h", "expires: 1")
    )
    assert [(item.line, item.key) for item in problems_of(text)] == [
        (2, "mode"),
        (11, "sources.fabric.gobgp"),
        (14, "domains.storage.table"),
        (15, "domains.storage.source"),
        (18, "domains.storage.tabel"),
        (25, "domains.storage.import[0].accept.le"),
        (26, "domains.storage.import[1].deny.community"),
        (35, "approval.expires"),
    ]


def test_a_problem_is_printed_with_place_hint_line_and_carets() -> None:
    with pytest.raises(ConfigError) as caught:
        raise ConfigError(problems_of(domain("metrc: 3")))
    assert str(caught.value) == (
        "bgpmon.yaml:9:5: domains.storage.metrc: unknown key 'metrc'\n"
        "    hint: did you mean metric?\n"
        "    9 |     metrc: 3\n"
        "      |     ^^^^^"
    )


def test_a_wrong_flag_is_named_as_a_flag() -> None:
    (problem,) = problems_of(DOMAIN, Overrides(mode="automatic"))
    assert problem == ConfigProblem(
        "flag --mode", 0, 0, "mode", "'automatic' is none of dry-run, approve, auto", "did you mean auto?"
    )
    assert problem.text.startswith("flag --mode: mode: 'automatic'")
