"""Lines of spans: what every part of a screen is before it is drawn.  Pure."""

from collections.abc import Iterable, Iterator, Sequence

from monitor.text.table import clean, shortened, width

Span = tuple[str, str]
"""Text, and the token that says what it means (``monitor.tui.looks``)."""

Line = tuple[Span, ...]

BLOCKS = " ▁▂▃▄▅▆▇█"


def line(*parts: str | Span) -> Line:
    """Return a line of plain texts and spans; empty ones are left out."""
    spans = [(part, "text") if isinstance(part, str) else part for part in parts]
    return tuple(span for span in spans if span[0])


def plain(found: Iterable[Span]) -> str:
    """Return the text of a line."""
    return "".join(text for text, _ in found)


def size(found: Iterable[Span]) -> int:
    """Return how many columns a line takes."""
    return sum(width(text) for text, _ in found)


def cut(found: Line, columns: int) -> Line:
    """Return a line that takes at most *columns*; what is too long ends in an ellipsis."""
    if size(found) <= columns:
        return found
    kept: list[Span] = []
    room = columns
    for text, token in found:
        if width(text) >= room:
            if room > 0:
                # The ellipsis stands although the text would fit, since more comes after it.
                kept.append((shortened(text, room) if width(text) > room else shortened(f"{text}…", room), token))
            break
        kept.append((text, token))
        room -= width(text)
    return tuple(kept)


def spread(left: Line, right: Line, columns: int) -> Line:
    """Return a line with one part at each end; the left one gives way."""
    if not right:
        return cut(left, columns)
    room = columns - size(right) - 1
    if room < 4:
        return cut(left, columns)
    first = cut(left, room)
    return (*first, (" " * (columns - size(first) - size(right)), "text"), *right)


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Return *text* in exactly *columns*."""
    if text.isascii() and columns > 0:
        # Most cells are: a page has a thousand of them.
        cell = text if len(text) <= columns else f"{text[: columns - 1]}…"
        return cell.rjust(columns) if right else cell.ljust(columns)
    cell = shortened(text, columns)
    blanks = " " * (columns - width(cell))
    return blanks + cell if right else cell + blanks


def rule(columns: int, title: str = "") -> Line:
    """Return a horizontal line, with a title in it where there is one."""
    if not title:
        return (("─" * columns, "muted"),)
    head = f"── {title} "
    return (("── ", "muted"), (title, "title"), (" " + "─" * max(0, columns - width(head)), "muted"))


def wrapped(text: str, columns: int, token: str = "text", first: Line = (), rest: str = "") -> Iterator[Line]:
    """Yield running text in lines of at most *columns*; *first* stands before the first one, *rest* before the others."""
    current, room = "", max(8, columns - max(size(first), width(rest)))
    started = False
    for word in clean(text).split():
        piece = word
        while width(piece) > room:
            if current:
                yield (*(first if not started else ((rest, "text"),)), (current, token))
                current, started = "", True
            head = piece[:room]
            while width(head) > room:
                head = head[:-1]
            yield (*(first if not started else ((rest, "text"),)), (head, token))
            started, piece = True, piece[len(head) :]
        if current and width(current) + 1 + width(piece) > room:
            yield (*(first if not started else ((rest, "text"),)), (current, token))
            current, started = "", True
        current = f"{current} {piece}" if current and piece else current or piece
    if current or not started:
        yield (*(first if not started else ((rest, "text"),)), (current, token))


def bar(share: float, columns: int) -> str:
    """Return a bar that is filled to *share* (0 to 1)."""
    filled = round(min(max(share, 0.0), 1.0) * columns)
    return "█" * filled + "░" * (columns - filled)


def sparkline(values: Sequence[float], columns: int) -> str:
    """Return all values as blocks; where there are more of them than *columns*, the largest of each few stands for them.

    Every value that is not zero shows.
    """
    each = -(-len(values) // max(1, columns))
    first = len(values) % each if each else 0
    parts = [values[:first], *(values[at : at + each] for at in range(first, len(values), each))] if each > 1 else []
    shown = [max(part) for part in parts if part] if each > 1 else list(values)
    most = max(shown, default=0)
    if most <= 0:
        return " " * (columns - len(shown)) + "▁" * len(shown)
    marks = [BLOCKS[max(1, round(value / most * 8))] if value > 0 else "▁" for value in shown]
    return " " * (columns - len(shown)) + "".join(marks)
