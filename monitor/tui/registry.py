"""Every action by its name, its keys and where it works: the one list behind keys, footer, help, palette and docs/tui.md.

Lower case looks, upper case changes something (``G``, the end of a list, is the exception).
"""

from collections.abc import Iterable
from dataclasses import dataclass

PANES = ("overview", "peers", "domains", "routes", "plan", "events", "lookup", "health")
"""The screens, by the number that opens each."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done.

    ``keys`` as they are typed; the first one is shown.  ``where`` names places: ``all``, ``table``, a pane, or a state of one.
    ``word`` is for the footer, ``text`` for the help.  ``rank`` orders the footer, 0 keeps out of it.  ``changes`` ones need the
    screen to be unlocked.
    """

    name: str
    keys: tuple[str, ...]
    where: tuple[str, ...]
    word: str
    text: str
    rank: int = 0
    changes: bool = False


ALL = ("all",)
TABLE = ("table",)
ROUTES = ("routes",)
PLAN = ("plan",)

ACTIONS = (
    *(
        Action(f"go_{pane}", (str(number),), ALL, pane, f"the screen {pane.capitalize()}")
        for number, pane in enumerate(PANES, 1)
    ),
    Action("command", (":",), ALL, "command", "a command, in the words of the command line", 2),
    Action("palette", ("ctrl+p",), ALL, "palette", "look for an action or a command by some letters of it"),
    Action("filter", ("/",), ("routes", "plan", "events", "peers"), "filter", "show only what an expression matches", 8),
    Action("help", ("?",), ALL, "help", "what works here; once more: everything", 1),
    Action("back", ("escape", "-", "backspace"), ALL, "back", "back to where you were", 3),
    Action("history_back", ("[",), ALL, "back", "one place back in what you looked at"),
    Action("history_forward", ("]",), ALL, "forward", "one place forward in what you looked at"),
    Action("problems", ("!",), ("routes", "plan", "peers", "overview", "health"), "problems", "only what needs a look", 6),
    Action("lookup_here", ("i",), ALL, "lookup", "where an address would go; filled from the row under the cursor", 4),
    Action("freeze_display", ("f",), ALL, "hold still", "hold the display still; once more: go on"),
    Action("theme", ("t",), ALL, "theme", "the next theme"),
    Action("mouse", ("m",), ALL, "mouse", "mouse on or off (off lets your terminal select text)"),
    Action("lock", ("W",), ALL, "unlock", "unlock for changes, or lock again", 2),
    Action("redraw", ("ctrl+l",), ALL, "redraw", "draw everything anew"),
    Action("quit", ("q", "ctrl+c"), ALL, "quit", "leave; the daemon goes on", 1),
    Action("up", ("up", "k"), TABLE, "up", "one row up"),
    Action("down", ("down", "j"), TABLE, "down", "one row down"),
    Action("page_up", ("pageup", "ctrl+b"), TABLE, "page up", "one page up"),
    Action("page_down", ("pagedown", "ctrl+f"), TABLE, "page down", "one page down"),
    Action("top", ("g", "home"), TABLE, "top", "the first row"),
    Action("bottom", ("G", "end"), TABLE, "end", "the last row"),
    Action("open", ("enter",), TABLE, "open", "open what is under the cursor", 9),
    Action("explain", ("e",), ("routes", "plan", "events"), "explain", "why this route is there, or not", 7),
    Action("history_here", ("v",), ("routes", "plan", "route"), "history", "what was done to this prefix"),
    Action("plan_row", ("o",), ("routes", "route"), "plan row", "the operation of the live plan on this prefix", 5),
    Action("sort", ("s",), TABLE, "sort", "choose what to sort by", 5),
    Action("sort_left", ("<",), TABLE, "sort left", "sort by the column on the left"),
    Action("sort_right", (">",), TABLE, "sort right", "sort by the column on the right"),
    Action("reverse", ("=",), TABLE, "reverse", "turn the order around"),
    Action("columns", ("w",), TABLE, "columns", "choose columns"),
    Action("copy", ("c",), ("table", "route", "lookup"), "copy", "copy the prefix, address or digest under the cursor", 4),
    Action("copy_row", ("y",), ("table", "route"), "copy JSON", "copy the row as JSON"),
    Action("export", ("x",), ("table",), "export", "write the rows to a file, or print them when you leave"),
    Action("renew", ("r",), ALL, "ask again", "ask the daemon again"),
    Action("peer_routes", ("p",), ("peers", "routes"), "its routes", "the routes of this peer", 6),
    Action("domain_routes", ("d",), ("domains",), "its routes", "the routes of this domain", 6),
    Action("plan_list", ("l",), PLAN, "all plans", "frozen plans, newest first", 6),
    Action("plan_diff", ("d",), ("plan-frozen",), "diff", "what differs from the live plan", 5),
    Action("group", ("b",), PLAN, "group by", "group by operation, next hop, risk, domain, rule; once more: the rows"),
    Action("freeze", ("F",), ("plan-live",), "freeze", "freeze the plan: a copy that stays, with a digest to approve", 9,
           changes=True),
    Action("approve", ("A",), ("plan-waiting",), "approve", "approve this plan", 9, changes=True),
    Action("reject", ("N",), ("plan-waiting",), "reject", "refuse this plan, with a reason", 8, changes=True),
    Action("sign", ("S",), ("plan-waiting",), "sign", "the commands that sign it on your own machine", 7),
    Action("hold", ("X",), ("plan-live", "plan-waiting", "routes"), "hold", "keep prefixes out of plans for a time", 5,
           changes=True),
    Action("confirm", ("C",), ("plan-soaking",), "confirm", "keep the change", 9, changes=True),
    Action("rollback", ("R",), ("plan-soaking", "plan-done"), "roll back", "take the change back", 8, changes=True),
    Action("extend", ("+",), ("plan-soaking",), "extend", "more time before it is taken back", 7, changes=True),
    Action("next_row", ("n",), ("route",), "next", "the next row of the table"),
    Action("previous_row", ("p",), ("route",), "previous", "the row before"),
)  # fmt: skip


def at(places: Iterable[str]) -> dict[str, Action]:
    """Return the action of each key that works in one of *places*; the first place that knows a key has it."""
    found: dict[str, Action] = {}
    for place in places:
        for action in ACTIONS:
            if place in action.where:
                for key in action.keys:
                    found.setdefault(key, action)
    return found


def named(name: str) -> Action:
    """Return an action by its name.  Raises KeyError."""
    return BY_NAME[name]


BY_NAME = {action.name: action for action in ACTIONS}

KEY_WORDS = {
    "escape": "esc", "pageup": "pgup", "pagedown": "pgdn", "ctrl+p": "^P", "ctrl+l": "^L", "ctrl+c": "^C", "ctrl+b": "^B",
    "ctrl+f": "^F", "backspace": "bksp",
}  # fmt: skip


def key_word(key: str) -> str:
    """Return a key as people write it."""
    return KEY_WORDS.get(key, key)
