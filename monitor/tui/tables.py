"""Actions that every table has: moving, order, columns, copying, taking rows along."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.errors import MonitorError
from monitor.text.table import clean, number
from monitor.tui.column import Row
from monitor.tui.desk import Desk
from monitor.tui.dialogs.choice import Choice
from monitor.tui.link import said
from monitor.tui.panes.route import RoutePane
from monitor.tui.panes.routes import RoutesPane
from monitor.tui.table import Table

if TYPE_CHECKING:
    from monitor.tui.app import BgpmonApp

MOST_EXPORTED = 100_000
"""Rows in one export; a filter, or the command line, serves for more."""

BATCH = 500


class TableActions:
    """What the keys of the place ``table`` do."""

    def __init__(self, app: "BgpmonApp", desk: Desk) -> None:
        self._app = app
        self._desk = desk

    @property
    def _table(self) -> Table:
        table = self._app.pane.table
        assert table is not None
        return table

    def do_up(self) -> None:
        """One row up."""
        self._table.move(-1)

    def do_down(self) -> None:
        """One row down."""
        self._table.move(1)

    def do_page_up(self) -> None:
        """One page up."""
        self._table.move(-self._table.page)

    def do_page_down(self) -> None:
        """One page down."""
        self._table.move(self._table.page)

    def do_top(self) -> None:
        """The first row."""
        self._table.move_to(0)

    def do_bottom(self) -> None:
        """The last row."""
        self._table.move_to(self._table.rows.total - 1)

    def do_open(self) -> None:
        """Open the row."""
        self._table.open()

    # Order and columns

    def _order(self, name: str, *, descending: bool) -> None:
        pane = self._app.pane
        if isinstance(pane, RoutesPane):
            pane.sorted_by(name, descending=descending)
            return
        table = self._table
        table.sort, table.descending = name, descending
        table.relayout()
        pane.redraw()

    def _orders(self) -> list[tuple[str, str]]:
        """Return the names of what can be sorted by, each with its title."""
        table = self._table
        if isinstance(self._app.pane, RoutesPane):
            return list({column.sort: (column.sort, column.title) for column in table.columns if column.sort}.values())
        return [(column.title, column.title) for column in table.columns if column.key is not None]

    def do_sort(self) -> None:
        """Choose what to sort by."""
        table, orders = self._table, self._orders()
        if not orders:
            self._desk.say("this table has an order of its own")
            return
        items = [{"key": name, "name": title, "text": "now" if name == table.sort else ""} for name, title in orders]

        def chosen(name: str | None) -> None:
            if name is not None:
                self._order(name, descending=table.descending if name != table.sort else not table.descending)

        self._app.push_screen(
            Choice(self._app.painter, "SORT BY (the same once more: the other way)", items, marked=[table.sort]), chosen
        )

    def _beside(self, by: int) -> None:
        names = [name for name, _ in self._orders()]
        if not names:
            return
        at = names.index(self._table.sort) if self._table.sort in names else -by
        self._order(names[(at + by) % len(names)], descending=self._table.descending)

    def do_sort_left(self) -> None:
        """Sort by the column on the left."""
        self._beside(-1)

    def do_sort_right(self) -> None:
        """Sort by the column on the right."""
        self._beside(1)

    def do_reverse(self) -> None:
        """Turn the order around."""
        if self._table.sort:
            self._order(self._table.sort, descending=not self._table.descending)

    def do_columns(self) -> None:
        """Choose columns."""
        table = self._table
        named = [column.title for column in table.columns if column.title]
        shown = [title for title in named if title not in table.hidden and (table.wide or not _of(table, title).wide)]
        items = [{"key": title, "name": title, "text": ""} for title in named]

        def chosen(found: str | None) -> None:
            if found is None:
                return
            kept = set(found.split("\n"))
            table.wide = any(_of(table, title).wide for title in kept if title in named)
            table.hidden = frozenset(title for title in named if title not in kept)
            table.relayout()

        self._app.push_screen(
            Choice(
                self._app.painter, "COLUMNS (a narrow window shows the first ones)", items, marked=shown, several=True
            ),
            chosen,
        )

    # Taking along

    def do_copy(self) -> None:
        """Copy what is meant by "this"."""
        self._app.copy(self._app.pane.target())

    def do_copy_row(self) -> None:
        """Copy the row as JSON."""
        if (row := self._table.row) is not None:
            self._app.copy_row(dict(row))

    def do_export(self) -> None:
        """Choose a form and write, or print at the end."""
        total = self._table.rows.total
        items = [
            {"key": "json", "name": "JSON file", "text": "a list of objects"},
            {"key": "ndjson", "name": "NDJSON file", "text": "one object a line"},
            {"key": "csv", "name": "CSV file", "text": "for a spreadsheet"},
            {"key": "print", "name": "print", "text": "NDJSON on this terminal, when you leave"},
        ]

        def chosen(form: str | None) -> None:
            if form is not None:
                self._app.run_worker(self._export(form), exclusive=True, group="export")

        self._app.push_screen(
            Choice(self._app.painter, f"EXPORT {number(min(total, MOST_EXPORTED))} ROWS", items), chosen
        )

    async def _export(self, form: str) -> None:
        try:
            rows = [dict(row) async for row in self._all()]
        except MonitorError as error:
            self._desk.say(f"nothing is exported: {said(error)}", bad=True)
            return
        for row in rows:
            row.pop("key", None)
        if form == "print":
            self._desk.printed += [json.dumps(row, ensure_ascii=True) for row in rows]
            self._desk.say(f"{number(len(rows))} rows are printed when you leave")
            return
        text = FORMS[form](rows)
        stamp = str(int(self._desk.now()))
        file = Path(os.environ.get("TMPDIR") or "/tmp") / f"bgpmon-{self._app.pane.id}-{stamp}.{form}"  # noqa: S108 - named, made anew, ours
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                stream.write(text + "\n")
        except OSError as error:
            self._desk.say(f"cannot write {file}: {error.strerror}; x, then print, needs no file", bad=True)
            return
        pod = os.environ.get("HOSTNAME", "POD")
        away = f"; kubectl cp {pod}:{file} {file.name}" if os.environ.get("KUBERNETES_SERVICE_HOST") else ""
        more = f" of {number(self._table.rows.total)}" if self._table.rows.total > len(rows) else ""
        self._desk.say(f"{number(len(rows))}{more} rows in {file}{away}")

    async def _all(self) -> Any:
        """Yield every row of the table, as many as an export holds."""
        pane, table = self._app.pane, self._table
        if not isinstance(pane, RoutesPane):
            for index in range(min(table.rows.total, MOST_EXPORTED)):
                yield table.rows.row(index) or {}
            return
        view, first = pane.rows.view, 0
        while first < min(pane.rows.total, MOST_EXPORTED):
            page = await self._desk.link.ask("window", view=view, first=first, count=BATCH)
            for item in page["items"]:
                yield item
            if not page["items"]:
                return
            first += len(page["items"])

    def beside(self, by: int) -> None:
        """Open the route below or above the one that is open."""
        routes = self._app.query_one("#routes", RoutesPane)
        routes.table.move(by)
        row: Row | None = routes.table.row
        pane = self._app.pane
        if row and row.get("prefix") and isinstance(pane, RoutePane):
            pane.arrive(prefix=str(row["prefix"]), domain=str(row.get("domain") or ""))


def _of(table: Table, title: str) -> Any:
    return next(column for column in table.columns if column.title == title)


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Return rows as CSV (RFC 4180); what a spreadsheet would take for a formula is text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
    return stream.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = json.dumps(value) if isinstance(value, dict | list) else clean(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t"} and not text[1:].replace(".", "").isdigit() else text


FORMS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "json": lambda rows: json.dumps(rows, indent=1, ensure_ascii=True),
    "ndjson": lambda rows: "\n".join(json.dumps(row) for row in rows),
    "csv": as_csv,
}
"""Rows as a file, by the form that was chosen."""
