"""A command of the command line, as the prompt offers it.  Loads nothing, so that the command line can make some."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """A command of the command line: its words, what it does, and whether it changes something."""

    words: str
    text: str
    changes: bool = False
