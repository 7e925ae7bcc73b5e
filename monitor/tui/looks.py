"""What this terminal can show, and how each meaning looks on it.

Decided before Textual is imported: it picks its colour filter once, when it is loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rich.style import Style

from monitor.text.table import clean

Depth = Literal["plain", "16", "256", "true"]
"""How many colours: none, the terminal's own sixteen, the palette of 256, 24 bits."""

COLORS = ("auto", "16", "256", "true", "never")
"""What ``--color`` takes."""

THEMES = ("auto", "dark", "light", "contrast", "daltonic", "mono")
"""What ``--theme`` takes; all of them leave the terminal's own background alone."""

DUMB = ("dumb", "unknown")
"""Values of TERM that cannot place a cursor."""

_ENGINE_DEPTHS: dict[Depth, str] = {"plain": "standard", "16": "standard", "256": "256", "true": "truecolor"}

_LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")

_SIXTEEN = {
    "text": "",
    "muted": "dim",
    "title": "bold",
    "accent": "cyan",
    "head": "bold",
    "ok": "green",
    "warn": "yellow",
    "bad": "bold red",
    "add": "green",
    "change": "yellow",
    "delete": "red",
    "hold": "magenta",
    "foreign": "cyan",
    "key": "bold",
    "cursor": "reverse",
    "here": "bold underline",
}

_MONO = {
    token: style if style in {"bold", "dim", "reverse", "bold underline"} else "" for token, style in _SIXTEEN.items()
}
_MONO |= {"bad": "bold reverse", "warn": "bold", "delete": "bold"}

_BLUE_ORANGE = {"ok": "bright_blue", "add": "bright_blue", "warn": "yellow", "change": "yellow", "delete": "bold yellow",
                "bad": "bold bright_yellow", "hold": "white"}  # fmt: skip

_THEMES: dict[str, dict[Depth, dict[str, str]]] = {
    "auto": {"16": {}, "256": {}, "true": {}},
    "dark": {
        "16": {},
        "256": {},
        "true": {"accent": "#6cb6ff", "ok": "#57c06a", "warn": "#e3b341", "bad": "bold #ff6b60", "add": "#57c06a",
                 "change": "#e3b341", "delete": "#ff6b60", "hold": "#d2a8ff", "foreign": "#56d4dd", "muted": "#8b949e"},
    },
    "light": {
        "16": {"accent": "blue", "foreign": "blue", "warn": "magenta", "change": "magenta"},
        "256": {},
        "true": {"accent": "#0550ae", "ok": "#116329", "warn": "#7d4e00", "bad": "bold #b30000", "add": "#116329",
                 "change": "#7d4e00", "delete": "#b30000", "hold": "#6639ba", "foreign": "#0a6570", "muted": "#57606a"},
    },
    "contrast": {
        "16": {"muted": "", "accent": "bold cyan", "ok": "bold green", "warn": "bold yellow", "add": "bold green",
               "change": "bold yellow", "delete": "bold red", "hold": "bold magenta", "foreign": "bold cyan"},
        "256": {},
        "true": {},
    },
    "daltonic": {
        "16": _BLUE_ORANGE,
        "256": {},
        "true": {"ok": "#5aa9ff", "add": "#5aa9ff", "warn": "#e69f00", "change": "#e69f00", "delete": "bold #e69f00",
                 "bad": "bold #ffb000", "hold": "#c0c0c0", "accent": "#9ecbff", "foreign": "#9ecbff"},
    },
    "mono": {"16": _MONO, "256": _MONO, "true": _MONO},
}  # fmt: skip

_ASCII = str.maketrans(
    {
        "─": "-",
        "│": "|",
        "▸": ">",
        "▾": "v",
        "·": ".",
        "…": "~",
        "→": ">",
        "█": "#",
        "░": ".",
        "↑": "^",
        "↓": "v",
        "✓": "+",
        "▁": ".",
        "▂": ".",
        "▃": ":",
        "▄": "-",
        "▅": "=",
        "▆": "+",
        "▇": "*",
        "�": "?",
    }
)
"""Our own glyphs in a terminal without them; the block ramp becomes one of growing ink."""


@dataclass(frozen=True, slots=True)
class Looks:
    """How things look: ``depth`` of colours, ``ascii`` alone or not, a ``theme``'s name."""

    depth: Depth = "16"
    ascii: bool = False
    theme: str = "auto"

    def styles(self) -> dict[str, Style]:
        """Return the style of each token; with ``plain`` none has a colour."""
        if self.depth == "plain":
            return {token: Style.parse(text or "none") for token, text in _MONO.items()}
        chosen = _THEMES[self.theme]
        # 256 colours are the nearest to the 24-bit ones; Rich finds them.
        over = chosen["16"] if self.depth == "16" else {**chosen["16"], **(chosen["256"] or chosen["true"])}
        return {token: Style.parse(text or "none") for token, text in {**_SIXTEEN, **over}.items()}

    def drawn(self, text: str) -> str:
        """Return *text* as this terminal can draw it."""
        if not text.isprintable():
            text = clean(text)  # the last line of defence: whoever made this line should have done it
        if not self.ascii or text.isascii():
            return text
        return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")

    def engine(self) -> dict[str, str]:
        """Return the environment in which Textual draws so; to be set before it is imported."""
        found = {
            "TEXTUAL_COLOR_SYSTEM": _ENGINE_DEPTHS[self.depth],
            "TEXTUAL_THEME": "ansi-light" if self.theme == "light" else "ansi-dark",
            "TEXTUAL_ANIMATIONS": "none",
            "TEXTUAL_SMOOTH_SCROLL": "0",
            "TEXTUAL_DISABLE_KITTY_KEY": "1",
            # The grid that a second frame waits for: a key right after a tick would be heard that much later.
            "TEXTUAL_FPS": "120",
        }
        return found | ({"NO_COLOR": "1"} if self.depth == "plain" else {})


def looks_of(
    environ: Mapping[str, str], color: str = "auto", theme: str = "auto", *, plain_text: bool = False
) -> Looks:
    """Return the looks for a terminal that *environ* describes; what was asked for comes first.

    ``kubectl exec`` says TERM=xterm and nothing else: sixteen colours, and line drawing, since an unset locale says nothing.
    """
    term = environ.get("TERM", "")
    depth: Depth
    if color == "never" or (color == "auto" and environ.get("NO_COLOR")):
        depth = "plain"
    elif color in {"16", "256", "true"}:
        depth = color  # type: ignore[assignment]
    elif environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"}:
        depth = "true"
    else:
        depth = "256" if "256color" in term else "16"
    return Looks(depth, plain_text or _no_unicode(environ), theme)


def _no_unicode(environ: Mapping[str, str]) -> bool:
    # What Python itself puts there where the locale is C says nothing of the terminal (PEP 538).
    coerced = not environ.get("LC_ALL") and environ.get("LC_CTYPE") == "C.UTF-8" and environ.get("LANG")
    names = ("LANG",) if coerced else _LOCALE
    locale = next((environ[name] for name in names if environ.get(name)), "")
    return bool(locale) and "utf" not in locale.lower().replace("-", "")


def can_draw(environ: Mapping[str, str]) -> bool:
    """Return whether a cursor can be placed on this terminal at all; one that says nothing of itself is taken for an xterm."""
    return environ.get("TERM", "") not in DUMB
