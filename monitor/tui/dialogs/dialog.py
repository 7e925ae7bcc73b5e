"""What all dialogs have in common."""

from typing import Any, Generic, TypeVar

from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer], Generic[Answer]):
    """Stands over a screen; ``ready`` once it is built: keys that are typed before wait for it."""

    ready = False

    def take(self, event: Any) -> bool:
        """Deal with a key; returns whether that is done, else Textual does.  Escape leaves without an answer."""
        leaves: bool = event.key == "escape"
        if leaves:
            self.dismiss(None)
        return leaves
