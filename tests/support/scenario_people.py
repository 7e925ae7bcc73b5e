"""The sentences of scenarios that are about people: freezing, deciding, holding, pausing."""

import re
from typing import Any

from monitor.change.statement import NAMESPACE
from monitor.config import parse
from monitor.ports import Endorsement
from tests.support.scenario_story import Story, sentence, statement

WITH = r"(?: with (her key|ticket \S+(?: and her key)?))?"


@sentence(r"(\w+) freezes the plan(?: of (.+))?")
async def freeze(story: Story, match: re.Match[str]) -> None:
    """``bgpmon plan freeze``, of everything or of what a filter matches."""
    await _freeze(story, match[1], match[2] or "")


@sentence(r"(\w+) freezes even what is denied")
async def freeze_denied(story: Story, match: re.Match[str]) -> None:
    """``bgpmon plan freeze --denied``."""
    await _freeze(story, match[1], "", denied=True)


async def _freeze(story: Story, who: str, filter_text: str, *, denied: bool = False) -> None:
    name = who if not story.stage.config.approval.self_approve else ""
    story.answer = await story.stage.control.freeze(who, filter_text, denied=denied, name=name)
    story.digest = str(story.answer["digest"])
    story.digests.append(story.digest)


async def _endorsed(story: Story, who: str, act: str, text: str | None) -> Endorsement:
    ticket = found[1] if text and (found := re.match(r"ticket (\S+)", text)) else ""
    if not text or "her key" not in text:
        return Endorsement(ticket=ticket)
    document: Any = await story.stage.feed.statement(story.digest, act, ticket)
    signed = document["text"].encode()
    signature = story.stage.people.key(who).sign(signed, NAMESPACE).decode()
    return Endorsement(signed, signature, ticket)


@sentence(rf"(\w+) approves{WITH}")
async def approve(story: Story, match: re.Match[str]) -> None:
    """``bgpmon approve`` of the plan that was frozen last."""
    endorsed = await _endorsed(story, match[1], "approve", match[2])
    story.answer = await story.stage.control.approve(story.digest, match[1], endorsed)


@sentence(r"(\w+) breaks the glass: (.+)")
async def break_glass(story: Story, match: re.Match[str]) -> None:
    """``bgpmon approve --break-glass``."""
    endorsed = Endorsement(comment=match[2], break_glass=True)
    story.answer = await story.stage.control.approve(story.digest, match[1], endorsed)


@sentence(r"(\w+) rejects: (.+)")
async def reject(story: Story, match: re.Match[str]) -> None:
    """``bgpmon reject`` of the plan that was frozen last."""
    story.answer = await story.stage.control.reject(story.digest, match[2], match[1])


@sentence(rf"(\w+) confirms{WITH}")
async def confirm(story: Story, match: re.Match[str]) -> None:
    """``bgpmon confirm`` of the plan that was frozen last."""
    endorsed = await _endorsed(story, match[1], "confirm", match[2])
    story.answer = await story.stage.control.confirm(story.digest, match[1], endorsed)


@sentence(r"(\w+) rolls back(?: plan (\d+))?")
async def roll_back(story: Story, match: re.Match[str]) -> None:
    """``bgpmon rollback``: of the change in flight, or of the plan with that place among those frozen here, from 1."""
    digest = story.digests[int(match[2]) - 1] if match[2] else ""
    story.answer = await story.stage.control.roll_back(digest, match[1])
    story.digest = str(story.answer["digest"])
    if match[2]:
        story.digests.append(story.digest)


@sentence(r"(\w+) extends the soak by (\w+)")
async def extend(story: Story, match: re.Match[str]) -> None:
    """``bgpmon extend``."""
    story.answer = await story.stage.control.extend(story.digest, _seconds(match[2]), match[1])


@sentence(r"(\w+) holds (.+) for (\w+): (.+)")
async def hold(story: Story, match: re.Match[str]) -> None:
    """``bgpmon hold FILTER --for``."""
    story.answer = await story.stage.control.hold(match[2], _seconds(match[3]), match[4], match[1])


@sentence(r"(\w+) releases hold (\d+)")
async def release(story: Story, match: re.Match[str]) -> None:
    """``bgpmon release``."""
    story.answer = await story.stage.control.release(int(match[2]), match[1])


@sentence(r"(\w+) pauses everything: (.+)")
async def pause(story: Story, match: re.Match[str]) -> None:
    """``bgpmon pause``."""
    story.answer = await story.stage.control.pause(match[2], match[1])


@sentence(r"(\w+) resumes")
async def resume(story: Story, match: re.Match[str]) -> None:
    """``bgpmon resume``."""
    story.answer = await story.stage.control.resume(match[1])


@sentence(r"(\w+) withdraws all")
async def withdraw_all(story: Story, match: re.Match[str]) -> None:
    """``bgpmon withdraw-all``."""
    story.answer = await story.stage.control.withdraw_all(match[1])


def _seconds(text: str) -> float:
    return parse.duration(text, 0.0, 1e9)


@statement("frozen")
async def frozen(story: Story, _: str, stated: Any) -> None:
    """``frozen: {KEY: VALUE, …}``: some of what ``bgpmon plan show`` says of the plan that was frozen last.

    A key with dots looks into what is inside: ``approvals.missing``.
    """
    document: Any = await story.stage.feed.plan(story.digest)
    found = {}
    for key in stated:
        value = document
        for part in key.split("."):
            value = value[part]
        found[key] = value
    assert found == stated, f"it is {found!r}"


@statement("operations")
async def operations(story: Story, _: str, stated: Any) -> None:
    """``operations: {PREFIX: CLASS DECISION; EFFECT, …}``: of the live plan; what stands behind the semicolon may be left out."""
    document: Any = await story.stage.feed.plan()
    found = {}
    for row in document["operations"]:
        name = row["prefix"] or "rule"
        words = f"{row['class']} {row['decision']}"
        found[name] = f"{words}; {row['effect']}" if ";" in str(stated.get(name, "")) else words
    assert found == stated, f"it is {found!r}"


@statement("told")
async def told(story: Story, _: str, stated: Any) -> None:
    """``told: [WORDS, …]``: the log of the plan that was frozen last has these words, in this order."""
    document: Any = await story.stage.feed.plan(story.digest)
    lines = [line["text"] for line in document["progress"]["log"]]
    rest = list(lines)
    for words in stated:
        while rest and words not in rest[0]:
            rest.pop(0)
        assert rest, f"{words!r} is not told in {lines}"


@statement("journal")
def journal(story: Story, _: str, stated: Any) -> None:
    """``journal: [WORDS, …]``: the events of the journal have these words, in this order, and the chain is whole."""
    lines = [
        f"{event['kind']} {event.get('detail') or event.get('cause')}"
        for event in story.stage.journal.events(limit=9999)
    ]
    rest = list(lines)
    for words in stated:
        while rest and words not in rest[0]:
            rest.pop(0)
        assert rest, f"{words!r} is not in {lines}"
    assert story.stage.journal.verify().ok
