"""How things look is decided before any test loads Textual."""

from tests.support.screens import decide

decide()
