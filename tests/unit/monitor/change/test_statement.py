"""The text of a statement has one spelling, which is read back strictly."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.change.signature import verify
from monitor.change.statement import LONGEST_STATEMENT, LONGEST_VALUE, NAMESPACE, Act, Statement, read_statement
from tests.support.signing import make_key

DIGEST = "0123456789abcdef" * 4
EXPIRES = 1795644190.0
PLAIN = Statement(node="leaf1", plan=17, digest=DIGEST, act=Act.APPROVE, expires=EXPIRES)
FULL = replace(PLAIN, ticket="CHG-4711", comment="looked at with Zoë: fine")
TEXT = f"""\
bgpmon plan statement v1
act: approve
node: leaf1
plan: 17
digest: {DIGEST}
expires: 2026-11-25T22:03:10Z
ticket: CHG-4711
comment: looked at with Zoë: fine
"""

WORDS = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=30)
COMMENTS = st.text(max_size=30).filter(str.isprintable)
STATEMENTS = st.builds(
    Statement,
    node=WORDS.map(str.strip).filter(bool),
    plan=st.integers(1, 2**63 - 1),
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    act=st.sampled_from(Act),
    expires=st.integers(0, 253402300799).map(float),
    ticket=st.just("") | WORDS.map(str.strip),
    comment=COMMENTS.map(str.strip),
)


def statement_or_reason(octets: bytes) -> Statement | str:
    try:
        return read_statement(octets)
    except ValueError as error:
        return str(error)


def test_a_person_can_read_the_text() -> None:
    assert FULL.text == TEXT


def test_ticket_and_comment_are_left_out_where_they_are_empty() -> None:
    assert "".join(TEXT.splitlines(keepends=True)[:-2]) == PLAIN.text
    assert "ticket" in replace(PLAIN, ticket="x").text
    assert "ticket" not in replace(PLAIN, comment="x").text


@given(STATEMENTS)
def test_every_statement_is_read_back_as_it_was(statement: Statement) -> None:
    octets = statement.text.encode()
    assert read_statement(octets) == statement
    assert read_statement(octets).text.encode() == octets
    assert len(octets) <= LONGEST_STATEMENT


def test_the_longest_statement_can_be_read() -> None:
    longest = "n" * LONGEST_VALUE
    statement = replace(PLAIN, node=longest, ticket=longest, comment="\N{GRINNING FACE}" * LONGEST_VALUE)
    assert read_statement(statement.text.encode()) == statement


@given(st.binary(max_size=300) | st.builds(lambda rest: TEXT.encode() + rest, st.binary(max_size=20)))
def test_garbage_is_refused_with_the_line(octets: bytes) -> None:
    found = statement_or_reason(octets)
    assert found.startswith("line ") if isinstance(found, str) else found.text.encode() == octets


@given(st.integers(0, len(TEXT.encode()) - 1), st.integers(1, 255))
def test_a_changed_octet_is_another_statement_or_none(position: int, mask: int) -> None:
    octets = bytearray(TEXT.encode())
    octets[position] ^= mask
    found = statement_or_reason(bytes(octets))
    if isinstance(found, str):
        assert found.startswith("line ")
    else:
        assert found != FULL
        assert found.text.encode() == octets


SWAPPED = TEXT.replace("act: approve\nnode: leaf1\n", "node: leaf1\nact: approve\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: expected 'bgpmon plan statement v1', found ''"),
        (f"\ufeff{TEXT}", "line 1: expected"),
        (f"\n{TEXT}", "line 1: expected"),
        (f"hello\n{TEXT}", "line 1: expected"),
        (TEXT.replace("v1", "v2"), "line 1: expected"),
        ("bgpmon plan statement v1\n", "line 2: expected 'act: …', found the end"),
        (SWAPPED, "line 2: expected 'act: …', found 'node: leaf1'"),
        (TEXT.replace("act: approve\n", "act: approve\n" * 2), "line 3: expected 'node: …', found 'act: approve'"),
        (TEXT.replace("act: approve", "act: Approve"), "line 2: 'Approve' is no act"),
        (TEXT.replace("act: approve", "act: shrug"), "line 2: 'shrug' is no act"),
        (TEXT.replace("act: ", "act:"), "line 2: expected 'act: …'"),
        (TEXT.replace("act: ", "Act: "), "line 2: expected 'act: …'"),
        (TEXT.replace("leaf1", ""), "line 3: the node of a statement is empty"),
        (TEXT.replace("leaf1", "leaf1 "), "line 3: the node of a statement neither begins nor ends with a space"),
        (TEXT.replace("leaf1", " leaf1"), "line 3: the node of a statement neither begins nor ends with a space"),
        (TEXT.replace("leaf1", "l\u0435af1"), "line 3: the node of a statement is plain ASCII"),
        (TEXT.replace("plan: 17", "plan: 017"), "line 4: '017' is not the number of a plan"),
        (TEXT.replace("plan: 17", "plan: +17"), "line 4: '+17' is not"),
        (TEXT.replace("plan: 17", "plan: \N{ARABIC-INDIC DIGIT ONE}"), "line 4: "),
        (TEXT.replace("plan: 17", f"plan: {2**63}"), "line 4: "),
        (TEXT.replace(DIGEST, DIGEST.upper()), "line 5: the digest"),
        (TEXT.replace(DIGEST, DIGEST[:12]), "line 5: the digest"),
        (TEXT.replace("22:03:10Z", "22:03:10+00:00"), "line 6: '2026-11-25T22:03:10+00:00' is not a moment"),
        (TEXT.replace("22:03:10Z", "22:03:60Z"), "line 6: "),
        (TEXT.replace("22:03:10Z", "24:00:00Z"), "line 6: "),
        (TEXT.replace("22:03:10Z", "22:03:10.5Z"), "line 6: "),
        (TEXT.replace("T22", " 22"), "line 6: "),
        (TEXT.replace("2026-11-25", "2026-02-29"), "line 6: "),
        (TEXT.replace("2026", "1969"), "line 6: 1969-11-25T22:03:10Z is before 1970"),
        (TEXT.replace("ticket: CHG-4711", "ticket: "), "line 7: the ticket of a statement is empty"),
        (TEXT.replace("ticket: CHG-4711", ""), "line 7: expected the end of the statement, found ''"),
        (TEXT.replace("with", "\u202ewith"), "line 8: the comment of a statement holds U+202E"),
        (TEXT.replace("with", "\twith"), "line 8: the comment of a statement holds U+0009"),
        (TEXT.replace("\n", "\r\n"), "line 1: ends in CR LF"),
        (TEXT.replace("leaf1\n", "leaf1\r\n"), "line 3: ends in CR LF"),
        (TEXT.removesuffix("\n"), "line 8: the newline at the end is missing"),
        (f"{TEXT}\n", "line 9: expected the end of the statement, found ''"),
        (f"{TEXT}ticket: x\n", "line 9: expected the end of the statement, found 'ticket: x'"),
        (f"{TEXT}x", "line 9: the newline at the end is missing"),
        (f"{TEXT}{'x' * LONGEST_STATEMENT}", "line 1: a statement has at most 16384 octets"),
    ],
)
def test_what_is_not_canonical_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^line ") as refused:
        read_statement(text.encode())
    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match=r"^line [18]: this is not UTF-8"):
        read_statement(TEXT.encode(encoding))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"node": ""}, "the node of a statement is empty"),
        ({"node": "a\nb"}, "U\\+000A"),
        ({"node": "a "}, "neither begins nor ends"),
        ({"node": "Zoë"}, "plain ASCII"),
        ({"ticket": "x\x7f"}, "U\\+007F"),
        ({"ticket": "Ünf"}, "plain ASCII"),
        ({"ticket": " "}, "neither begins nor ends"),
        ({"comment": "x\r"}, "U\\+000D"),
        ({"comment": "a\u2028b"}, "U\\+2028"),
        ({"comment": "a\ud800"}, "U\\+D800"),
        ({"comment": "x" * (LONGEST_VALUE + 1)}, "at most 2000 characters"),
        ({"plan": 0}, "number of a plan"),
        ({"plan": -1}, "number of a plan"),
        ({"plan": 2**63}, "number of a plan"),
        ({"digest": DIGEST.upper()}, "64 hex digits"),
        ({"digest": DIGEST[:-1]}, "64 hex digits"),
        ({"digest": f"{DIGEST}\n"}, "64 hex digits"),
        ({"expires": 0.5}, "whole second"),
        ({"expires": -1.0}, "whole second"),
        ({"expires": 1e12}, "whole second"),
        ({"expires": math.nan}, "whole second"),
        ({"expires": math.inf}, "whole second"),
    ],
)
def test_a_value_that_cannot_stand_on_its_line_is_refused(change: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        replace(PLAIN, **change)  # type: ignore[arg-type]


def test_ssh_keygen_signs_the_text(tmp_path: Path) -> None:
    octets = FULL.text.encode()
    armored = make_key(tmp_path).sign(octets, NAMESPACE)
    assert verify(armored, octets, NAMESPACE).key.kind == "ssh-ed25519"
