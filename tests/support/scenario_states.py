"""The statements of scenarios: what the kernel, the plan, the counts and the explanations say."""

from typing import Any

from monitor.errors import ConfigError, MonitorError
from tests.support.scenario_stage import complete_file
from tests.support.scenario_story import Story, statement


@statement("table")
async def table(story: Story, number: str, stated: Any) -> None:
    """``table 101: {PREFIX: ROUTE, …}``: every route in it, ours as ``via A dev L``, others with their protocol."""
    _equal(await story.stage.routes(int(number)), stated or {})


@statement("routes")
async def routes(story: Story, where: str, stated: Any) -> None:
    """``routes in 101: NUMBER``: how many."""
    found = await story.stage.routes(int(where.removeprefix("in ")))
    assert len(found) == stated, f"there are {len(found)}"


@statement("plan")
async def plan(story: Story, _: str, stated: Any) -> None:
    """``plan: [+ DOMAIN PREFIX, …]``: the live plan's operations, in any order; rules by their text."""
    document: Any = await story.stage.feed.plan()
    found = [
        " ".join((row["op"], row["domain"], row["prefix"] or row["after"] or row["before"]))
        for row in document["operations"]
    ]
    _equal(sorted(found), sorted(stated or []))


@statement("why")
async def why(story: Story, _: str, stated: Any) -> None:
    """``why: {DOMAIN PREFIX: REASON, …}``: the reason that ``bgpmon explain`` gives; without a domain, the first one's."""
    found = {}
    for name in stated:
        *domain, prefix = name.split()
        document = await story.stage.feed.explain(prefix, domain[0] if domain else "")
        found[name] = document["reason"]
    _equal(found, stated)


@statement("paths")
async def paths(story: Story, where: str, stated: Any) -> None:
    """``paths DOMAIN PREFIX: {ROUTER: REASON, …}``: with ``, by STEP`` for a loser; best first."""
    domain, prefix = where.split()
    document: Any = await story.stage.feed.explain(prefix, domain)
    names = {router.id.address: name for name, router in story.stage.routers.items()}
    found = [
        (names[row["peer"]], row["reason"] + (f", by {row['step']}" if row.get("step") else ""))
        for row in document["paths"]
    ]
    _equal(found, list(stated.items()))


@statement("counts")
async def counts(story: Story, where: str, stated: Any) -> None:
    """``counts DOMAIN FAMILY: {KEY: NUMBER, …}``: some of what ``bgpmon status`` counts."""
    name, family = where.split()
    document: Any = await story.stage.feed.status()
    (domain,) = (item for item in document["domains"] if item["name"] == name)
    said = domain["families"][family]
    _equal({key: said[key] for key in stated}, stated)


@statement("state")
async def state(story: Story, _: str, stated: Any) -> None:
    """``state: {DOMAIN: WORD, …}``: whether what is known of a domain is complete."""
    document: Any = await story.stage.feed.status()
    _equal({item["name"]: item["state"] for item in document["domains"]}, stated)


@statement("warnings")
async def warnings(story: Story, _: str, stated: Any) -> None:
    """``warnings: [WORDS, …]``: there is a warning with these words, for each."""
    found = await _warnings(story)
    missing = [words for words in stated if not any(words in warning for warning in found)]
    assert not missing, f"{missing} is not among {found}"


@statement("silence")
async def silence(story: Story, _: str, stated: Any) -> None:
    """``silence: [WORDS, …]``: no warning has any of these words."""
    found = [warning for warning in await _warnings(story) if any(words in warning for words in stated)]
    assert not found, f"it is said: {found}"


async def _warnings(story: Story) -> list[str]:
    document: Any = await story.stage.feed.status()
    return list(document["warnings"])


@statement("rules")
async def rules(story: Story, _: str, stated: Any) -> None:
    """``rules: [TEXT, …]``: the policy rules with our mark."""
    found = await story.stage.kernel.rules(story.stage.config.protocol)
    _equal(sorted(rule.text for rule in found), sorted(stated or []))


@statement("written")
def written(story: Story, _: str, stated: Any) -> None:
    """``written: NUMBER``: how many route writes the kernel was asked for since this was stated last, or since the start."""
    asked = story.stage.kernel.asked[story.seen_writes :]
    story.seen_writes += len(asked)
    assert len(asked) == stated, f"{len(asked)} writes: {asked[:5]}"


@statement("answer")
def answer(story: Story, _: str, stated: Any) -> None:
    """``answer: {KEY: VALUE, …}``: some of what the last person was told."""
    _equal({key: story.answer.get(key) for key in stated}, stated)


@statement("refused")
async def refused(story: Story, act: str, stated: Any) -> None:
    """``refused SENTENCE: WORDS``: the sentence fails as a person's command does, with these words."""
    told = ""
    try:
        await story.happen(act)
    except MonitorError as error:
        told = str(error)
    assert told, "it is not refused"
    assert stated in told, f"it is refused with {told!r}"


@statement("reload")
async def reload(story: Story, because: str, stated: Any) -> None:
    """``reload: CHANGES``: bgpmon reads its configuration again, with these keys of the file changed.

    With ``refused`` behind ``reload`` the file is refused, and the old one stays.  A domain that is null is taken out.
    """
    before, told = story.stage.file, ""
    story.stage.file = complete_file(_changed(before, stated))
    try:
        story.answer = await story.stage.control.reload("operator")
    except (MonitorError, ConfigError) as error:
        told, story.stage.file = str(error), before
    assert bool(told) == (because == "refused"), f"refused: {told}" if told else "it was not refused"
    await story.stage.settle()


def _changed(file: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return *file* with *changes* laid over it, mapping by mapping; null takes a key out."""
    result = dict(file)
    for key, value in changes.items():
        if value is None:
            del result[key]
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _changed(result[key], value)
        else:
            result[key] = value
    return result


def _equal(found: object, stated: object) -> None:
    assert found == stated, f"it is {found!r}"
