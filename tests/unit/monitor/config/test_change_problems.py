"""What is wrong with rules, people, windows and probes is found at its place, with what to write instead.

In these files «…» marks the text that must be underlined.
"""

import ast
from pathlib import Path

import pytest

from monitor.config.model import Mode
from monitor.filter.field import CLASSES
from programmer import approval as product
from tests.unit.monitor.config.files import DOMAIN, SIGNERS, check, config_of, only_problem, problems_of

UNPROVABLE = "people are needed, and nobody can prove who they are: a local identity never counts as a second person"
HINT = "set approval.allowed_signers"
NIGHTLY = 'windows: [{name: nightly, cron: "0 22 * * *", duration: 1h, timezone: UTC}]\n'


def rules(marked: str, more: str = "") -> str:
    """Return a good file with these approval rules."""
    return f"{DOMAIN}approval: {{rules: [{marked}]}}\n{more}"


def soak(marked: str) -> str:
    """Return a good file with this soak."""
    return f"{DOMAIN}approval: {{soak: {{{marked}}}}}\n"


def probe(marked: str) -> str:
    """Return a good file with this probe."""
    return soak(f"probes: [{{name: a, {marked}}}]")


def windows(marked: str) -> str:
    """Return a good file with this window, where keys are missing with the usual ones."""
    usual = {"name": "night", "cron": "'0 22 * * *'", "duration": "1h", "timezone": "UTC"}
    keys = ", ".join(f"{key}: {value}" for key, value in usual.items() if f"{key}:" not in marked)
    return f"{DOMAIN}windows: [{{{', '.join(filter(None, (keys, marked)))}}}]\n"


def people(directory: Path, marked: str, signers: str = SIGNERS) -> str:
    """Return a good file with these keys under approval, and a signers file."""
    file = directory / "signers"
    file.write_text(signers)
    file.chmod(0o644)
    return f"{DOMAIN}approval:\n  allowed_signers: {file}\n  {marked}\n"


@pytest.mark.parametrize(
    ("marked", "key", "message", "hint"),
    [
        ("«{match: '*'}»", "", "a rule needs decision or approve", "write for example approve: 1"),
        ("{«name»: a, approve: 1}", ".match", "the key match is missing", ""),
        ("{match: '*', decision: auto, «approve»: 1}", ".approve", "either decision or approve", "in_window: true"),
        ("{match: '*', decision: deny, «approve»: 1}", ".approve", "either decision or approve", "remove one"),
        ("{match: '*', decision: approve, «approve»: 1}", ".approve", "either decision or approve", "says it all"),
        ("{match: '*', decision: «ask»}", ".decision", "'ask' is none of auto, approve, deny", ""),
        ("{match: '*', decision: «autom»}", ".decision", "is none of", "did you mean auto?"),
        ("{match: '*', approve: «0»}", ".approve", "0 is below 1", ""),
        ("{match: '*', approve: «17»}", ".approve", "17 is above 16", ""),
        ("{match: '*', approve: 1, «per_minute»: 5}", ".per_minute", "with decision: auto only", ""),
        ("{match: '*', decision: auto, per_minute: «0»}", ".per_minute", "0 is below 1", ""),
        ("{match: '*', decision: auto, per_minute: «1000001»}", ".per_minute", "above 1000000", ""),
        ("{match: '*', decision: deny, «in_window»: true}", ".in_window", "with decision: auto only", ""),
        (
            "{match: '*', decision: auto, «in_window»: true}",
            ".in_window",
            "in_window does nothing: there are no windows",
            "add windows, or remove in_window",
        ),
        ("{match: '*', decision: auto, «ticket»: x}", ".ticket", "where people are asked only", "approve: N"),
        ("{match: '*', decision: deny, «needs»: {a: 1}}", ".needs", "where people are asked only", ""),
        ("{match: '*', approve: 1, risk: «medium»}", ".risk", "'medium' is none of low, med, high", ""),
        ("{match: '*', approve: 1, name: «a b»}", ".name", "'a b' is not a name", ""),
        ("{match: '*', approve: 1, needs: «{}»}", ".needs", "at least one entry is needed", ""),
    ],
)
def test_a_rule_that_does_not_decide_one_thing_is_refused(marked: str, key: str, message: str, hint: str) -> None:
    if "«name»" in marked:
        problem = only_problem(rules(marked.replace("«", "").replace("»", "")))
        assert (problem.key, problem.message) == (f"approval.rules[0]{key}", message)
        return
    check(rules(marked), f"approval.rules[0]{key}", message, hint)


@pytest.mark.parametrize(
    ("match", "message", "hint"),
    [
        ('"«c»las=delete"', "there is no field 'clas'", "did you mean class?"),
        ('"op=- and len>«3»33"', "333 is more than 128", "did you mean 128?"),
        ("op=-    and state=failed «)»", "there is no ( for this )", ""),
        ('"op=- and«"»', "something is missing here", ""),
        ("'op=- and «@»mine'", "a saved filter cannot stand in an approval rule", "write out"),
        ('"op=- and «r»ule=delete"', "an approval rule cannot ask for rule", "ask for class"),
        ('"class=rule and «r»ule in (a, b)"', "an approval rule cannot ask for rule", ""),
        ('«""»', "the filter is empty", 'write "*"'),
        ("«7»", "7 is not a filter", 'put it in quotes: "7"'),
        ("«op=- and op=+»", "rule 1 can never match: op=- and op=+ exclude each other", "correct the filter"),
        ("«len<8 and in 10.8.0.0/14»", "rule 1 can never match: ", ""),
    ],
)
def test_a_filter_that_means_nothing_is_underlined_where_it_is_wrong(match: str, message: str, hint: str) -> None:
    check(rules(f"{{match: {match}, approve: 1}}"), "approval.rules[0].match", message, hint)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("{name: rest, match: '*', approve: 1}", "class=delete", "rest in line 9 matches everything"),
        ("{match: 'op=-', approve: 1}", "op=- and class=delete", "rule 1 in line 9 matches all of it"),
        (
            "{match: 'op=+', approve: 1}, {match: 'op=~', decision: deny}, {name: gone, match: 'op=-', approve: 1}",
            "'class=delete'",
            "gone in line 9 and the rules before it together match all of it",
        ),
    ],
)
def test_a_rule_behind_others_that_take_everything_from_it_is_refused(first: str, second: str, message: str) -> None:
    count = first.count("{")
    check(
        rules(f"{first}, {{match: «{second}», approve: 1}}"),
        f"approval.rules[{count}].match",
        f"rule {count + 1} is never reached: {message}",
        "move it up, or remove it",
    )


def test_names_of_rules_windows_and_probes_are_used_once() -> None:
    check(
        rules("{name: a, match: 'op=-', approve: 1},\n {name: «a», match: 'op=+', approve: 1}"),
        "approval.rules[1].name",
        "the name a is taken by the rule in line 9",
        "each rule needs its own name",
    )
    check(
        soak("probes: [{name: a, bgp: storage},\n {name: «a», icmp: 10.0.0.1}]"),
        "approval.soak.probes[1].name",
        "the name a is taken by the probe in line 9",
        "each probe needs its own name",
    )
    again = '{name: «nightly», cron: "0 3 * * *", duration: 1h, timezone: UTC}'
    check(
        DOMAIN + NIGHTLY.replace("}]", "},\n " + again + "]"),
        "windows[1].name",
        "the name nightly is taken by the window in line 9",
        "each window needs its own name",
    )


@pytest.mark.parametrize(
    ("marked", "message", "hint"),
    [
        ("«''»", "a pattern has 1 to 200 characters", ""),
        ("'CHG-«(»[0-9]+'", "missing ), unterminated subpattern", ""),
        ("«.*»", "'.*' matches an empty ticket, so none would be needed", "write .+"),
        (r"'CH«G»\$'", "bad escape", ""),
        ("«12»", "12 is not a pattern", "quotes"),
    ],
)
def test_a_ticket_pattern_that_asks_for_nothing_or_is_wrong_is_refused(marked: str, message: str, hint: str) -> None:
    if "bad escape" in message:
        # What is whole in the file breaks without its last sign, as the match of a whole ticket takes it.
        problem = only_problem(rules(f"{{match: '*', approve: 1, ticket: {marked}}}".replace("«", "").replace("»", "")))
        assert (problem.key, "bad escape" in problem.message) == ("approval.rules[0].ticket", True)
        return
    check(rules(f"{{match: '*', approve: 1, ticket: {marked}}}"), "approval.rules[0].ticket", message, hint)


def test_a_ticket_pattern_has_at_most_200_characters() -> None:
    assert problems_of(rules(f"{{match: '*', approve: 1, ticket: {'A' * 200}}}")) == []
    problem = only_problem(rules(f"{{match: '*', approve: 1, ticket: {'A' * 201}}}"))
    assert problem.message == "a pattern has 1 to 200 characters"


@pytest.mark.parametrize(
    ("marked", "key", "message"),
    [
        (rules("{match: '*', approve: «2»}"), "approval.rules[0].approve", f"two {UNPROVABLE}"),
        (rules("{match: '*', approve: «16»}"), "approval.rules[0].approve", f"16 {UNPROVABLE}"),
        (
            rules("{match: '*', decision: auto, in_window: true, approve: «3»}", NIGHTLY),
            "approval.rules[0].approve",
            f"three {UNPROVABLE}",
        ),
        (
            f"{DOMAIN}approval: {{«allow_local»: false}}\n".replace("«allow_local»: false", "allow_local: «false»"),
            "approval.allow_local",
            "nobody could approve anything: no local identity counts, and nobody can prove who they are",
        ),
        (
            f"{DOMAIN}approval: {{«groups»: {{a: [alice]}}}}\n",
            "approval.groups",
            "groups do nothing: nobody can prove who they are",
        ),
    ],
)
def test_people_who_cannot_prove_who_they_are_are_no_second_person(marked: str, key: str, message: str) -> None:
    check(marked, key, message, HINT)


def test_a_group_without_signers_is_refused_at_the_rule_too() -> None:
    found = problems_of(
        f"{DOMAIN}approval: {{groups: {{a: x}}, rules: [{{match: '*', approve: 1, needs: {{a: 1}}}}]}}\n"
    )
    assert [(item.key, item.message) for item in found] == [
        ("approval.groups", "groups do nothing: nobody can prove who they are"),
        (
            "approval.rules[0].needs",
            "a person of a group is needed, and nobody can prove who they are: a local identity is in no group",
        ),
    ]


@pytest.mark.parametrize("mode", list(Mode))
def test_two_people_without_signers_are_refused_in_every_mode(mode: Mode) -> None:
    assert "two people are needed" in only_problem(f"mode: {mode}\n{rules('{match: default, approve: 2}')}").message


GROUPS = "groups: {ops: [alice@corp, bob@corp], platform: carol@corp}"


@pytest.mark.parametrize(
    ("marked", "key", "message", "hint"),
    [
        (
            "rules: [{match: '*', approve: «4»}]",
            "rules[0].approve",
            "4 people are needed, and 3 can sign",
            "ask for fewer, or add people",
        ),
        (
            "groups: {ops: [alice@corp, «alise@corp»]}\n  rules: [{match: '*', approve: 1, needs: {ops: 1}}]",
            "groups.ops[1]",
            "alise@corp is not in ",
            "did you mean alice@corp?",
        ),
        (
            "groups: {ops: «zoe»}\n  rules: [{match: '*', approve: 1, needs: {ops: 1}}]",
            "groups.ops",
            "zoe is not in ",
            "known: alice@corp, bob@corp, carol@corp",
        ),
        (
            f"{GROUPS}\n  rules: [{{match: '*', approve: 2, needs: {{ops: 1, platform: «2»}}}}]",
            "rules[0].needs.platform",
            "platform has 1 of the 2 people that are needed",
            "",
        ),
        (
            f"{GROUPS}\n  rules: [{{match: '*', approve: 1, needs: {{ops: 1, platform: 1, «opps»: 1}}}}]",
            "rules[0].needs.opps",
            "there is no group called 'opps'",
            "did you mean ops?",
        ),
        (
            "groups: {a: bob@corp, b: bob@corp}\n  rules: [{match: '*', approve: 2, «needs»: {a: 1, b: 1}}]",
            "rules[0].needs",
            "everybody together is not enough, since each person counts once: one of b would be missing",
            "add people to the groups",
        ),
        (
            f"{GROUPS}\n  rules: [{{match: '*', approve: 2, needs: {{ops: 1, platform: 1}}, ticket: «''»}}]",
            "rules[0].ticket",
            "1 to 200 characters",
            "",
        ),
        (
            "groups: {a: [bob@corp, «bob@corp»]}\n  rules: [{match: '*', approve: 2, needs: {a: 1}}]",
            "groups.a[1]",
            "bob@corp is listed twice",
            "remove one",
        ),
        ("groups: {a: «[]»}", "groups.a", "at least one entry is needed", ""),
        ("groups: {a: «'*@corp'»}", "groups.a", "'*@corp' is not a principal", "alice@example.net"),
        ("groups: {«a b»: bob@corp}", "groups.a b", "'a b' is not a name", ""),
    ],
)
def test_rules_that_everybody_together_cannot_satisfy_are_refused(
    tmp_path: Path, marked: str, key: str, message: str, hint: str
) -> None:
    check(people(tmp_path, marked), f"approval.{key}", message, hint)


def test_a_key_for_other_namespaces_is_nobody_s_voice(tmp_path: Path) -> None:
    signers = SIGNERS.replace("bgpmon-plan@v1,file", "git")
    check(
        people(tmp_path, "rules: [{match: '*', approve: «3»}]", signers),
        "approval.rules[0].approve",
        "3 people are needed, and 2 can sign",
    )
    check(
        people(
            tmp_path,
            "groups: {a: [alice@corp, «bob@corp»]}\n  rules: [{match: '*', approve: 1, needs: {a: 1}}]",
            signers,
        ),
        "approval.groups.a[1]",
        "no key of bob@corp may sign for bgpmon-plan@v1",
        "add bgpmon-plan@v1 to the namespaces",
    )


def test_a_signers_file_with_nobody_in_it_is_refused(tmp_path: Path) -> None:
    problem = only_problem(people(tmp_path, "expires: 1h", "# nobody yet\n"))
    assert problem.key == "approval.allowed_signers"
    assert problem.message == f"nobody in {tmp_path}/signers can sign for bgpmon-plan@v1"


def test_what_is_wrong_in_the_signers_file_is_told_with_its_name_and_line(tmp_path: Path) -> None:
    text = people(tmp_path, "expires: 1", SIGNERS + "dave ssh-foo AAAA\n*@corp ssh-ed25519 x\n")
    found = problems_of(text.replace("expires: 1", "expires: 2h"))
    assert {item.file for item in found} == {f"{tmp_path}/signers"}
    assert next(item.line for item in found) == 5
    assert "a key type must follow the principals" in found[0].message
    assert (found[0].excerpt, found[0].column, found[0].width) == ("dave ssh-foo AAAA", 1, 17)
    assert any("'*@corp' is a pattern" in item.message and item.line == 6 for item in found)
    assert problems_of(text + "nonsense: 1\n")[0].file == "bgpmon.yaml"


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda file: file.unlink(), "cannot read the signers file: No such file or directory"),
        (lambda file: file.chmod(0o646), "everybody may write the signers file, so anyone could add a key"),
        (lambda file: (file.unlink(), file.mkdir()), "the signers file is a directory or a device, not a file"),
        (lambda file: file.write_bytes(b"\xff\n"), "the signers file is not UTF-8 text"),
        (lambda file: file.write_bytes(b"#" * ((1 << 20) + 1)), "the signers file is larger than 1 MiB"),
    ],
)
def test_a_signers_file_that_cannot_be_trusted_is_refused(tmp_path: Path, prepare: object, message: str) -> None:
    text = people(tmp_path, "expires: 1h")
    assert callable(prepare)
    prepare(tmp_path / "signers")
    problem = only_problem(text)
    assert (problem.file, problem.line, problem.key) == (f"{tmp_path}/signers", 0, "approval.allowed_signers")
    assert problem.message == message
    assert problem.hint == (f"chmod o-w {tmp_path}/signers" if "everybody" in message else problem.hint)


def test_the_signers_file_has_a_whole_name() -> None:
    check(f"{DOMAIN}approval: {{allowed_signers: «signers»}}\n", "approval.allowed_signers", "does not start with /")


@pytest.mark.parametrize(
    ("marked", "key", "message", "hint"),
    [
        (
            "timezone: «Europe/Berln»",
            "timezone",
            "there is no time zone 'Europe/Berln'",
            "did you mean 'Europe/Berlin'?",
        ),
        ("timezone: «utc»", "timezone", "there is no time zone 'utc'", "did you mean 'UTC'?"),
        ("cron: «0 22 * *»", "cron", "0 22 * *", ""),
        ("cron: «0 25 * * *»", "cron", "'25'", ""),
        ("cron: «0 0 30 2 *»", "cron", "never comes about", ""),
        ("cron: «5»", "cron", "5 is not a schedule", "quotes"),
        ("duration: «59s»", "duration", "59s is outside 1m to 30d", ""),
        ("duration: «31d»", "duration", "31d is outside 1m to 30d", ""),
        ("kind: «forbid»", "kind", "'forbid' is none of allow, deny", ""),
    ],
)
def test_a_window_that_cannot_be_is_underlined(marked: str, key: str, message: str, hint: str) -> None:
    check(windows(marked), f"windows[0].{key}", message, hint)


def test_a_window_needs_a_schedule_a_duration_and_a_time_zone() -> None:
    found = problems_of(f"{DOMAIN}windows: [{{name: a}}]\n")
    assert [item.message for item in found] == [f"the key {key} is missing" for key in ("cron", "duration", "timezone")]


@pytest.mark.parametrize(
    ("marked", "key", "message", "hint"),
    [
        (soak("duration: «9s»"), "soak.duration", "9s is outside 10s to 1d", ""),
        (soak("duration: 10m, most: «5m»"), "soak.most", "5m is shorter than the duration of 10m", "write 10m or more"),
        (soak("most: «4m»"), "soak.most", "4m is shorter than the duration of 5m", ""),
        (soak("probes: [«{name: a}»]"), "soak.probes[0]", "a probe needs tcp, icmp, http or bgp", "10.96.0.1:443"),
        (soak("probes: «api»"), "soak.probes", "'api' is not a list", ""),
        (probe("icmp: 10.0.0.1, «bgp»: storage"), "soak.probes[0].bgp", "one of tcp, icmp, http or bgp", "two probes"),
        (probe("tcp: «10.0.0.1»"), "soak.probes[0].tcp", "is not an address and a port", "write them as in"),
        (probe("icmp: «gw.example»"), "soak.probes[0].icmp", "no host name", "write for example"),
        (probe("http: «'http://127.0.0.1/#a'»"), "soak.probes[0].http", "fragment", ""),
        (probe("icmp: 10.0.0.1, «statuses»: [200, 200]"), "soak.probes[0].statuses", "with http only", ""),
        (probe("tcp: '10.0.0.1:1', «host»: a.example"), "soak.probes[0].host", "host is used with http only", ""),
        (probe("bgp: storage, «insecure»: false"), "soak.probes[0].insecure", "with http only", ""),
        (probe("bgp: storage, «timeout»: 1s"), "soak.probes[0].timeout", "used with tcp, icmp, http only", ""),
        (probe("bgp: storage, «domain»: storage"), "soak.probes[0].domain", "used with tcp, icmp, http only", ""),
        (probe("icmp: 10.0.0.1, domain: «storge»"), "soak.probes[0].domain", "no domain called 'storge'", "storage?"),
        (probe("bgp: «storge»"), "soak.probes[0].bgp", "there is no domain called 'storge'", "did you mean storage?"),
        (probe("bgp: «198.51.100.9»"), "soak.probes[0].bgp", "no domain has the peer 198.51.100.9", "a peer"),
        (probe("icmp: 10.0.0.1, source: «'2001:db8::1'»"), "soak.probes[0].source", "cannot reach 10.0.0.1", "family"),
        (probe("icmp: «'fe80::1'»"), "soak.probes[0].icmp", "link-local", "give the interface"),
        (probe("icmp: 10.0.0.1, interface: «lo»"), "soak.probes[0].interface", "loopback", ""),
        (probe("icmp: 10.0.0.1, mark: «0»"), "soak.probes[0].mark", "0 is below 1", ""),
        (probe("http: 'http://127.0.0.1/', «insecure»: true"), "soak.probes[0].insecure", "nothing without https", ""),
        (probe("http: 'http://127.0.0.1/', statuses: «[399, 200]»"), "soak.probes[0].statuses", "above", "[200, 399]"),
        (probe("http: 'http://127.0.0.1/', statuses: «200»"), "soak.probes[0].statuses", "two numbers", "[200, 399]"),
        (
            probe("http: 'http://127.0.0.1/', statuses: «[99, 200]»"),
            "soak.probes[0].statuses",
            "99 is not a status",
            "",
        ),
        (probe("http: 'http://127.0.0.1/', host: «a_b»"), "soak.probes[0].host", "a_b", "shop.example"),
        (probe("icmp: 10.0.0.1, timeout: «5s»"), "soak.probes[0].timeout", "not shorter than the interval", "than 5s"),
        (probe("icmp: 10.0.0.1, interval: «1s»"), "soak.probes[0].interval", "timeout of 2s is not shorter", "than 1s"),
        (
            probe("icmp: 10.0.0.1, interval: 1m, failures: «5»"),
            "soak.probes[0].failures",
            "5 failures take 5m, so it could never fail before the soak ends",
            "a soak lasts 5m",
        ),
        (
            soak("duration: 10s, probes: [{name: a, bgp: storage, interval: «5s»}]"),
            "soak.probes[0].interval",
            "2 failures take 10s",
            "a soak lasts 10s",
        ),
        (probe("icmp: 10.0.0.1, warn_factor: «0.5»"), "soak.probes[0].warn_factor", "0.5 is below 1", ""),
    ],
)
def test_a_soak_that_could_not_judge_is_refused(marked: str, key: str, message: str, hint: str) -> None:
    check(marked, f"approval.{key}", message, hint)


def test_records_stay_between_a_day_and_ten_years() -> None:
    check(f"{DOMAIN}journal: {{keep: «23h»}}\n", "journal.keep", "23h is outside 1d to 3650d")
    check(f"{DOMAIN}journal: {{keep: «3651d»}}\n", "journal.keep", "3651d is outside 1d to 3650d")


def test_lists_have_an_end_and_a_list_of_rules_a_beginning() -> None:
    check(f"{DOMAIN}approval: {{rules: «[]»}}\n", "approval.rules", "at least one entry is needed")
    many = ", ".join(f"{{match: 'table={number}', approve: 1}}" for number in range(51))
    problem = only_problem(f"{DOMAIN}approval: {{rules: [{many}]}}\n")
    assert (problem.key, problem.message) == ("approval.rules", "at most 50 entries are allowed")


def test_a_peer_that_only_an_interface_selects_may_be_watched() -> None:
    text = probe("bgp: 198.51.100.9").replace("[198.51.100.1]", "[198.51.100.1, eth1]")
    assert problems_of(text) == []


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ("class=mass-delte", "'mass-delte' is not a usual class (did you mean mass-delete?)"),
        ("class=vanish", "no operation is of the class 'vanish' (known: add, add-small, "),
        ("not domain=storge", "no operation is of the domain 'storge' (did you mean storage?)"),
        ("op=- or state=instaled", "'instaled' is not a usual state (did you mean installed?)"),
    ],
)
def test_a_word_that_no_operation_has_is_a_warning(match: str, words: str) -> None:
    (warning,) = config_of(rules(f"{{match: {match!r}, approve: 1}}")).warnings
    assert warning.partition(": approval.rules[0].match: ")[2].startswith(words)
    # A usual word that is misspelt has its own column in the file.
    column = 28 if "no operation" in words else 29 + match.index(words.split("'")[1])
    assert warning.startswith(f"bgpmon.yaml:9:{column}: ")


def test_a_group_that_no_rule_needs_is_a_warning(tmp_path: Path) -> None:
    (warning,) = config_of(people(tmp_path, GROUPS.replace("platform: carol@corp", "").replace("], }", "]}"))).warnings
    assert warning.endswith("approval.groups.ops: no rule needs the group ops")


def test_the_classes_are_those_that_the_product_tells_apart() -> None:
    functions = {"categorise", "_category_of_removal", "_category_of_change"}
    tree = ast.parse(Path(product.__file__).read_text(encoding="utf-8"))
    returned = {
        node.value
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and function.name in functions
        for statement in ast.walk(function)
        if isinstance(statement, ast.Return) and statement.value is not None
        for node in ast.walk(statement.value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert returned | {"rule"} == set(CLASSES)
