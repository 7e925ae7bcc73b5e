"""Answers about views: opens them, and shows a window of one."""

import asyncio
import ipaddress
import time
from dataclasses import dataclass, field

from monitor.engine.columns import NAMES, PREFIX
from monitor.engine.core import Engine
from monitor.engine.cursor import Cursor
from monitor.engine.ordering import Place, key_of_place
from monitor.engine.rows import Hops, Row
from monitor.engine.text import forwarding_text, moment
from monitor.engine.views import RouteView, Views
from monitor.engine.walk import Asked, Segment, TableName
from monitor.errors import BadRequest
from monitor.filter import parse
from monitor.ports import Document
from monitor.rib.attribute import RPKI_WORDS, Origin, Rpki, community_text
from programmer.reconciler import TableState
from programmer.route import Family, TableId, family_of, key_of, text_of

LONGEST_WAIT = 5.0
"""Seconds that opening a view may wait for its end."""

MOST_SHOWN = 500
"""Rows in one window."""

ORIGINS = tuple(origin.name.lower() for origin in sorted(Origin))
"""Names by number: they are looked up for every row of a window."""


@dataclass
class ViewFeed:
    """The part of the read half that is about views."""

    engine: Engine
    views: Views = field(init=False)

    def __post_init__(self) -> None:
        self.views = Views(self.engine, time.monotonic, time.time)

    async def view(
        self,
        filter_text: str = "",
        domain: str = "",
        sort: str = "",
        *,
        descending: bool = False,
        problems: bool = False,
        replaces: int = 0,
        wait: float = 0.0,
    ) -> Document:
        """``{view, total, complete, …}``: a new view, complete or not after *wait* seconds, 5 at most."""
        if domain and domain not in self.engine.domains:
            raise BadRequest(f"no domain {domain!r}; there are {', '.join(self.engine.domains)}")
        if sort and sort not in NAMES:
            raise BadRequest(f"no column {sort!r} to sort by; there are {', '.join(NAMES)}")
        query = parse(filter_text)
        if replaces:
            self.views.close(replaces)
        view = self.views.open(Asked(query, domain, problems), sort, descending=descending)
        assert view.task is not None
        await asyncio.wait([view.task], timeout=min(max(wait, 0.0), LONGEST_WAIT))
        return self._head(view) | {
            "filter": str(query),
            "sort": view.sort or PREFIX,
            "descending": descending,
            "columns": list(NAMES),
            "hints": [hint.message for hint in query.hints],
        }

    def _head(self, view: RouteView) -> Document:
        took = self.views.elapsed(view)
        return {
            "view": view.number,
            "total": view.total,
            "complete": view.complete,
            "took_seconds": round(took, 3),
            "made_at": moment(view.made_at),
        }

    async def window(self, view: int, first: int = 0, count: int = 50, around: str = "", before: int = 0) -> Document:
        """``{view, total, complete, first, at, changes, items}``: some rows of a view as they are now."""
        found = self.views.get(view)
        count = min(max(count, 1), MOST_SHOWN)
        at: int | None = None
        if around:
            row, there = found.find(*_place(around))
            if row is not None:
                at = row if there else None
                # A last window is a full one, and the row that was asked for is in it.
                first = max(0, min(row - min(before, count - 1), found.total - count))
        first = min(max(first, 0), found.total)
        items = self._rows(found.places(first, count), time.time())
        return self._head(found) | {"first": first, "at": at, "changes": found.changes(self.engine), "items": items}

    def _rows(self, places: list[tuple[Segment, Place]], now: float) -> list[Document]:
        tables, cursors = self.engine.reconciler.tables, dict[TableName, Cursor]()
        rows: list[Document] = []
        hops: Hops = {}
        for segment, place in places:
            name = segment.table, segment.family
            cursor = cursors.get(name)
            if cursor is None and name in tables:
                cursor = cursors[name] = Cursor(self.engine, tables[name])
            if cursor is not None and cursor.move(place):
                rows.append(row_document(cursor, tables[name], place, now, hops))
            else:
                rows.append(gone_document(self.engine, segment, place))
        return rows

    async def close_view(self, view: int) -> Document:
        """``{view, closed}``: whether there was such a view."""
        return {"view": view, "closed": self.views.close(view)}


def key_text(table: TableId, prefix: str, place: Place) -> str:
    """Return the key of a row: table, prefix, and the metric of a foreign route, as in ``101 10.8.0.0/24 1024``."""
    text = f"{table} {prefix}"
    return text if isinstance(place, bytes) else f"{text} {place[1]}"


def _place(text: str) -> tuple[TableId, Family, Place]:
    """Return what the key of a row names; BadRequest for a text that is none."""
    try:
        table, prefix, *metric = text.split()
        network = ipaddress.ip_network(prefix)
        key = key_of(network)
        (foreign,) = map(int, metric) if metric else (None,)
        return TableId(int(table)), family_of(network), key if foreign is None else (key, foreign)
    except ValueError:
        raise BadRequest(f"{text!r} is not the key of a row; one is as in '101 192.0.2.0/24'") from None


def gone_document(engine: Engine, segment: Segment, place: Place) -> Document:
    """Return ``{key, prefix, table, domain, gone}``: a route that was there when the view was made."""
    prefix = text_of(segment.family, key_of_place(place))
    return {
        "key": key_text(segment.table, prefix, place),
        "prefix": prefix,
        "table": segment.table,
        "domain": engine.domain_of_table(segment.table),
        "gone": True,
    }


def row_document(row: Row, state: TableState, place: Place, now: float, known: Hops) -> Document:
    """Return one row as it is now: what ``routes`` shows, and what there is room for on a screen.

    *now* is in seconds since the epoch, *known* as for ``route_document``.
    """
    engine, path = row.engine, row.best_path
    attributes = path.attributes if path else None
    peer = engine.peers.get(path.peer) if path else None
    links = engine.reconciler.links
    differs = isinstance(place, bytes) and place in state.difference
    document = row.document(now, known)
    document |= {
        "key": key_text(state.spec.table, str(document["prefix"]), place),
        "op": row.op,
        "local_pref": attributes.local_pref if attributes else None,
        "med": attributes.med if attributes else None,
        "origin": ORIGINS[attributes.origin] if attributes else None,
        "path_length": attributes.as_path_length if attributes else None,
        "communities": [community_text(item) for item in attributes.communities] if attributes else [],
        "rpki": RPKI_WORDS[path.rpki if path else Rpki.NONE],
        "description": peer.peer.description if peer else "",
        "now": forwarding_text(links, state.current(row.key)) if differs else None,
        "then": forwarding_text(links, state.desired.get(row.key)) if differs else None,
    }
    return document
