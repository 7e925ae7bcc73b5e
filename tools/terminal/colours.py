"""Select Graphic Rendition: the part of a terminal's language that says how text looks (pure)."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
SIXTEEN = (*NAMES, *(f"bright{name}" for name in NAMES))
"""The colours that a terminal chooses itself, in the order of their numbers."""

DEFAULT = "default"
LEVELS = (0x00, 0x5F, 0x87, 0xAF, 0xD7, 0xFF)
RENDITION = re.compile(rb"\x1b\[([0-9;:]*)m")

FLAGS: dict[int, dict[str, bool]] = {
    1: {"bold": True}, 2: {"dim": True}, 3: {"italics": True}, 4: {"underscore": True}, 5: {"blink": True},
    6: {"blink": True}, 7: {"reverse": True}, 9: {"strikethrough": True}, 21: {"underscore": True},
    22: {"bold": False, "dim": False}, 23: {"italics": False}, 24: {"underscore": False}, 25: {"blink": False},
    27: {"reverse": False}, 29: {"strikethrough": False},
}  # fmt: skip
FIELDS = ("bold", "dim", "italics", "underscore", "blink", "reverse", "strikethrough")


class Change(NamedTuple):
    """One thing that a sequence changes: a field of a cell, its new value, and how a colour was named.

    The kind is "16", "256" or "rgb" for a colour, else "none"; a field "" is something that is not shown here.
    """

    field: str
    value: str | bool
    kind: str = "none"


NOTHING = Change("", value=False)
RESET = (Change("fg", DEFAULT), Change("bg", DEFAULT), *(Change(field, value=False) for field in FIELDS))


def changes(parameters: str) -> Iterator[Change]:
    """Yield what ``CSI parameters m`` changes; what nobody understands changes nothing."""
    items = iter(parameters.split(";"))
    for item in items:
        head, *parts = item.split(":")
        number = int(head or 0)
        if number == 0:
            yield from RESET
        elif number == 4 and parts:
            yield Change("underscore", parts[0] != "0")
        elif number in FLAGS:
            yield from (Change(field, value) for field, value in FLAGS[number].items())
        elif number in {38, 48, 58}:
            yield _extended({38: "fg", 48: "bg"}.get(number, ""), parts or _separate(items))
        else:
            yield _of_sixteen(number)


def _separate(items: Iterator[str]) -> list[str]:
    """The parts of a colour of which each is a parameter of its own."""
    kind = next(items, "")
    return [kind, *(next(items, "") for _ in range({"5": 1, "2": 3}.get(kind, 0)))]


def _extended(field: str, parts: list[str]) -> Change:
    numbers = [int(part or 0) for part in parts]
    match numbers:
        case [5, index, *_] if index < 256:
            return Change(field, of_index(index), "256")
        case [2, red, green, blue] | [2, _, red, green, blue, *_] if max(red, green, blue) < 256:
            return Change(field, f"{red:02x}{green:02x}{blue:02x}", "rgb")
    return NOTHING


def _of_sixteen(number: int) -> Change:
    for base, field, names in ((30, "fg", SIXTEEN[:8]), (40, "bg", SIXTEEN[:8]), (90, "fg", SIXTEEN[8:]),
                               (100, "bg", SIXTEEN[8:])):  # fmt: skip
        if base <= number < base + 8:
            return Change(field, names[number - base], "16")
    if number in {39, 49}:
        return Change("fg" if number == 39 else "bg", DEFAULT)
    return NOTHING


def of_index(index: int) -> str:
    """A colour of the 256: the name of one of the sixteen, else six hexadecimal digits."""
    if index < 16:
        return SIXTEEN[index]
    if index >= 232:
        return f"{8 + 10 * (index - 232):02x}" * 3
    red, green, blue = (index - 16) // 36, (index - 16) // 6 % 6, (index - 16) % 6
    return f"{LEVELS[red]:02x}{LEVELS[green]:02x}{LEVELS[blue]:02x}"


def count(octets: bytes) -> Counter[str]:
    """How many sequences name a colour of the "16", of the "256", an "rgb" colour, or "none" of them."""
    found: Counter[str] = Counter()
    for match in RENDITION.finditer(octets):
        kinds = {change.kind for change in changes(match[1].decode("ascii"))} - {"none"}
        found.update(kinds or {"none"})
    return found
