"""``python -m tools.keys`` writes the table of keys in docs/tui.md anew, from the registry of the terminal UI.

``--check`` changes nothing and says whether it is current.
"""

import argparse
import sys
from pathlib import Path

from monitor.tui.registry import ACTIONS, Action

DOCUMENT = Path(__file__).resolve().parents[1] / "docs/tui.md"
BEGIN, END = "<!-- keys: python -m tools.keys -->", "<!-- /keys -->"

PLACES = {
    "all": "everywhere", "table": "tables", "overview": "Overview", "peers": "Peers", "domains": "Domains", "routes": "Routes",
    "plan": "Plan", "events": "Events", "lookup": "Lookup", "health": "Health", "route": "a route",
    "plan-live": "the live plan", "plan-frozen": "a frozen plan", "plan-waiting": "a plan that waits",
    "plan-soaking": "a plan that soaks", "plan-done": "a plan that was applied",
}  # fmt: skip
"""What the places of the registry are called."""


def row(action: Action) -> str:
    """Return one line of the table."""
    keys = " ".join(f"`{key}`" for key in action.keys)
    places = ", ".join(PLACES[place] for place in action.where)
    return f"| {keys} | {places} | {action.text}{' (needs `W` first)' if action.changes else ''} |"


def table() -> str:
    """Return the whole table."""
    return "\n".join(["| key | where | what it does |", "|---|---|---|", *map(row, ACTIONS)])


def renewed(text: str) -> str:
    """Return the document with the table of today.  Raises ValueError if it has no place for one."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> int:
    """Do what the command line says; 1 with ``--check`` if the table is another one."""
    parser = argparse.ArgumentParser(prog="python -m tools.keys", description="the table of keys in docs/tui.md")
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if it is not current")
    arguments = parser.parse_args()
    before = DOCUMENT.read_text(encoding="utf-8")
    after = renewed(before)
    if arguments.check and before != after:
        print("docs/tui.md: the table of keys is not current; run `python -m tools.keys`", file=sys.stderr)
        return 1
    if before != after:
        DOCUMENT.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
