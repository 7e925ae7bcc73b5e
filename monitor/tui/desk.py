"""What every screen works with: the daemon, the looks, the clock, and the ways to other screens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from monitor.tui.line import Line
from monitor.tui.lines import Painter
from monitor.tui.link import Document, Link
from monitor.tui.word import Word


@dataclass
class Desk:
    """Shared by the screens of one terminal.

    ``read_words`` tells the commands of the command line.  ``name`` is what the operator says to be called.  ``still`` tells since
    when the display is held, None while it moves.  The callables are the application's.
    """

    link: Link
    painter: Painter
    read_words: Callable[[], Sequence[Word]] = tuple
    name: str = ""
    still: float | None = None
    go: Callable[..., None] = field(default=lambda *_, **__: None)
    say: Callable[..., None] = field(default=lambda *_, **__: None)
    frame: Callable[[], None] = field(default=lambda: None)
    """Draws the lines around the screen anew."""
    ask_status: Callable[[], None] = field(default=lambda: None)
    """Reads the status now rather than at the next second."""
    show_text: Callable[[str, list[Line]], None] = field(default=lambda *_: None)
    printed: list[str] = field(default_factory=list)
    """What is printed once the terminal is given back."""

    @cached_property
    def words(self) -> Sequence[Word]:
        """The commands that ``:`` takes from the command line."""
        return self.read_words()

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self.link.clock()

    @property
    def status(self) -> Document:
        """The last status that was heard, perhaps none."""
        return self.link.status

    def title(self, text: str) -> str:
        """Return the title of a dialog that changes something, which says it where nothing real is changed."""
        return f"DEMO: {text}" if self.status.get("simulated") else text

    @property
    def change(self) -> dict[str, Any]:
        """The part of the status about change control."""
        return self.status.get("change") or {}
