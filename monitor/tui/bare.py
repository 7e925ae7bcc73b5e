"""Lines that are drawn as they are: a widget without border and padding needs nothing put around each of its rows.

Textual puts them around every row of every widget, also where they are none, which takes as long as making the row itself.
"""

from typing import Any

from textual._styles_cache import StylesCache
from textual.strip import Strip


class BareLines(StylesCache):
    """Takes the strips of a widget as they are where its content fills it."""

    def render_line(self, styles: Any, y: int, size: Any, content_size: Any, *rest: Any) -> Strip:
        """Return row *y* of a widget; see ``StylesCache``."""
        if size != content_size:
            return super().render_line(styles, y, size, content_size, *rest)
        # Behind padding and backgrounds: what makes the content of a row.
        strip: Strip = rest[3](y)
        return strip
