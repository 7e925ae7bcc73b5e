"""Keys in the order they were typed: each is dealt with before the next one is looked at.

Over a slow link several keys arrive at once.  Textual hands a key to the widget that has the focus when it arrives, and lets that
widget deal with it later; if the first key moves the focus, the ones behind it would be heard in the wrong place.
"""

from typing import Any

from textual.widgets import Input

_EDITS = {
    "backspace": "delete_left", "ctrl+h": "delete_left", "delete": "delete_right", "left": "cursor_left",
    "right": "cursor_right", "home": "home", "ctrl+a": "home", "end": "end", "ctrl+e": "end", "ctrl+w": "delete_left_word",
    "ctrl+u": "delete_left_all", "ctrl+k": "delete_right_all", "ctrl+left": "cursor_left_word",
    "ctrl+right": "cursor_right_word", "ctrl+d": "delete_right",
}  # fmt: skip
"""Keys that change a line, as shells have them, and what Textual calls that."""


def edit(box: Input, event: Any) -> bool:
    """Change a line by a key; returns whether it was one that does."""
    if event.key in _EDITS:
        getattr(box, f"action_{_EDITS[event.key]}")()
        return True
    if event.is_printable and event.character:
        box.insert_text_at_cursor(event.character)
        return True
    return False


def sign(event: Any) -> str:
    """Return a key as the registry writes it: the character where there is one, else its name."""
    character = event.character
    return str(character) if character and character.isprintable() and event.key != "space" else str(event.key)
