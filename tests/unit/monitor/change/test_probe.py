"""What probes are made of, and what a series of looks means."""

import contextlib
import ipaddress
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.change.probe import (
    BgpTarget,
    HttpTarget,
    IcmpTarget,
    ProbeConfig,
    ProbeKind,
    Result,
    TcpTarget,
    Verdict,
    Watch,
    parse_target,
)

FOUR, SIX = ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("2001:db8::1")
WEB = "http" + "://"
UP = Result(ok=True, seconds=0.010, text="connected", at=100.0)
DOWN = Result(ok=False, seconds=0.0, text="connection refused", at=100.0)


def watch(before: Result = UP, failures: int = 2, warn_factor: float = 5.0) -> Watch:
    return Watch(
        ProbeConfig(name="api", kind=ProbeKind.TCP, target="192.0.2.1:443", failures=failures, warn_factor=warn_factor),
        before,
    )


def verdicts(watched: Watch, *results: Result) -> list[str]:
    seen = []
    for result in results:
        watched.take(result)
        seen.append(watched.verdict.value)
    return seen


@pytest.mark.parametrize(
    ("kind", "text", "target"),
    [
        (ProbeKind.TCP, "192.0.2.1:443", TcpTarget(FOUR, 443)),
        (ProbeKind.TCP, "[2001:db8::1]:443", TcpTarget(SIX, 443)),
        (ProbeKind.TCP, "[2001:DB8:0::1]:65535", TcpTarget(SIX, 65535)),
        (ProbeKind.ICMP, "192.0.2.1", IcmpTarget(FOUR)),
        (ProbeKind.ICMP, "2001:db8::1", IcmpTarget(SIX)),
        (ProbeKind.HTTP, f"{WEB}192.0.2.1", HttpTarget(secure=False, address=FOUR, port=80, path="/")),
        (
            ProbeKind.HTTP,
            f"{WEB}192.0.2.1:8080/a%20b?c=d%2Fe",
            HttpTarget(secure=False, address=FOUR, port=8080, path="/a%20b?c=d%2Fe"),
        ),
        (ProbeKind.HTTP, "https://[2001:db8::1]/x", HttpTarget(secure=True, address=SIX, port=443, path="/x")),
        (ProbeKind.BGP, "2001:DB8::1", BgpTarget("2001:db8::1")),
        (ProbeKind.BGP, "internet", BgpTarget("internet")),
    ],
)
def test_a_target_is_read(kind: ProbeKind, text: str, target: object) -> None:
    assert parse_target(kind, text) == target


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (ProbeKind.TCP, "api.internal:443", "must not depend on DNS"),
        (ProbeKind.TCP, "localhost:443", "must not depend on DNS"),
        (ProbeKind.TCP, "192.0.2.1", "not an address and a port"),
        (ProbeKind.TCP, "", "not an address and a port"),
        (ProbeKind.TCP, ":443", "write for example 192.0.2.1:443"),
        (ProbeKind.TCP, "2001:db8::1:443", r"\[2001:db8::1\]:443"),
        (ProbeKind.TCP, "[192.0.2.1]:443", "brackets are for IPv6"),
        (ProbeKind.TCP, "192.0.2.1:0", "from 1 to 65535"),
        (ProbeKind.TCP, "192.0.2.1:65536", "from 1 to 65535"),
        (ProbeKind.TCP, "192.0.2.1:+1", "not an address and a port"),
        (ProbeKind.TCP, "192.0.2.1:٤٤٣", "not an address and a port"),
        (ProbeKind.TCP, "192.0.2.256:443", "is not an IP address"),
        (ProbeKind.TCP, "192.0.2.01:443", "is not an IP address"),
        (ProbeKind.TCP, "[fe80::1%eth0]:443", "as `interface`"),
        (ProbeKind.TCP, "[::ffff:192.0.2.1]:443", "write the IPv4 address"),
        (ProbeKind.TCP, "0.0.0.0:443", "does not name one host"),
        (ProbeKind.ICMP, "router", "must not depend on DNS"),
        (ProbeKind.ICMP, "192.0.2.0/24", "must not depend on DNS"),
        (ProbeKind.ICMP, "224.0.0.1", "does not name one host"),
        (ProbeKind.ICMP, "ff02::1", "does not name one host"),
        (ProbeKind.HTTP, f"{WEB}web.internal/healthz", "the name as `host`"),
        (ProbeKind.HTTP, "192.0.2.1:80", "not an http or https URL"),
        (ProbeKind.HTTP, "ftp" + "://192.0.2.1/", "not an http or https URL"),
        (ProbeKind.HTTP, WEB, "not an http or https URL"),
        (ProbeKind.HTTP, f"{WEB}192.0.2.1/a b", "percent signs"),
        (ProbeKind.HTTP, f"{WEB}192.0.2.1/\n", "percent signs"),
        (ProbeKind.HTTP, f"{WEB}user:word@192.0.2.1/", "no credentials"),
        (ProbeKind.HTTP, f"{WEB}192.0.2.1/#top", "leave out '#top'"),
        (ProbeKind.HTTP, f"{WEB}192.0.2.1:0/", "from 1 to 65535"),
        (ProbeKind.HTTP, f"{WEB}192.0.2.1:99999/", "is not a URL"),
        (ProbeKind.HTTP, f"{WEB}[2001:db8::1/", "is not a URL"),
        (ProbeKind.BGP, "", "neither a peer's address nor a domain's name"),
        (ProbeKind.BGP, "a b", "neither a peer's address nor a domain's name"),
    ],
)
def test_a_target_that_cannot_be_is_refused_with_a_reason(kind: ProbeKind, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_target(kind, text)


@given(st.sampled_from(ProbeKind), st.text())
def test_any_text_is_a_target_or_is_refused(kind: ProbeKind, text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_target(kind, text)


@pytest.mark.parametrize("text", ["https://[2001:db8::1]:8443/x?y=z", f"{WEB}192.0.2.1:8080/"])
def test_the_url_of_a_target_is_the_one_that_was_written(text: str) -> None:
    target = parse_target(ProbeKind.HTTP, text)
    assert isinstance(target, HttpTarget)
    assert target.url == text


def test_before_the_first_look_the_verdict_is_that_of_before() -> None:
    assert watch(UP).verdict is Verdict.OK
    assert watch(DOWN).verdict is Verdict.WAS_FAILING
    assert watch(UP).document()["now"] is None
    assert watch(UP).text == "connected; not looked at since the change"


def test_failures_in_a_row_fail_a_probe_and_a_success_between_them_does_not() -> None:
    watched = watch(failures=2)
    assert verdicts(watched, UP, DOWN, UP, DOWN, DOWN, DOWN) == ["ok", "failing", "ok", "failing", "failed", "failed"]
    assert (watched.good, watched.total, watched.last) == (2, 6, DOWN)


def test_one_failure_is_enough_where_one_counts() -> None:
    assert verdicts(watch(failures=1), DOWN) == ["failed"]


def test_a_probe_that_answers_again_is_ok() -> None:
    assert verdicts(watch(), DOWN, DOWN, UP) == ["failing", "failed", "ok"]


def test_a_probe_that_failed_before_the_change_does_not_fail_until_it_has_succeeded() -> None:
    watched = watch(DOWN)
    assert verdicts(watched, DOWN, DOWN, DOWN) == ["was-failing"] * 3
    assert verdicts(watched, UP, DOWN, UP, DOWN, DOWN) == ["recovered", "failing", "recovered", "failing", "failed"]


def test_an_answer_that_takes_much_longer_than_before_is_slow() -> None:
    slow, edge = UP._replace(seconds=0.051), UP._replace(seconds=0.050)
    watched = watch()
    assert verdicts(watched, edge, slow, UP) == ["ok", "slow", "ok"]
    watched.take(slow)
    assert watched.text == "connected in 51 ms; before the change in 10 ms"


def test_answers_within_the_noise_of_the_node_are_never_slow() -> None:
    assert verdicts(watch(UP._replace(seconds=0.0001)), UP._replace(seconds=0.0019)) == ["ok"]


def test_what_has_no_latency_is_never_slow() -> None:
    sessions = Result(ok=True, seconds=0.0, text="3 of 3 sessions up", at=1.0)
    assert verdicts(watch(sessions), sessions) == ["ok"]


def test_a_probe_that_recovered_has_no_latency_to_be_compared_with() -> None:
    assert verdicts(watch(DOWN), UP._replace(seconds=9.0)) == ["recovered"]


def test_the_document_can_be_written_as_json() -> None:
    watched = watch()
    verdicts(watched, UP._replace(seconds=0.0123456), DOWN)
    assert json.loads(json.dumps(watched.document())) == {
        "name": "api",
        "kind": "tcp",
        "target": "192.0.2.1:443",
        "before": {"ok": True, "milliseconds": 10.0, "text": "connected"},
        "now": {"ok": False, "milliseconds": 0.0, "text": "connection refused"},
        "good": 1,
        "total": 2,
        "verdict": "failing",
        "text": "connection refused; failure 1 in a row, and 2 count as failed",
    }


@given(st.booleans(), st.lists(st.booleans()), st.integers(1, 4))
def test_a_probe_has_failed_when_its_last_looks_failed_after_a_success(
    before: bool, looks: list[bool], failures: int
) -> None:
    watched = watch(UP if before else DOWN, failures)
    for ok in looks:
        watched.take(UP if ok else DOWN)
    failed = len(looks) >= failures and not any(looks[len(looks) - failures :])
    if before or any(looks):
        assert (watched.verdict is Verdict.FAILED) == failed
    else:
        assert watched.verdict is Verdict.WAS_FAILING
    assert (watched.good, watched.total) == (sum(looks), len(looks))
    assert (watched.verdict is Verdict.RECOVERED) == (not before and bool(looks) and looks[-1])
    assert watched.document()["verdict"] == watched.verdict.value
    assert watched.text
