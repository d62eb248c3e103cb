"""What the Responses and Conversations APIs remember, and how it is listed a page at a time.

Responses can be retrieved and continued for seven days. A deleted one is gone for both, but still stands behind the
answers that were built on it; a deleted conversation keeps its items.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from starlette.datastructures import QueryParams

from qwenkit.sandbox import files
from qwenkit.sandbox.errors import invalid
from qwenkit.sandbox.response_items import Json
from qwenkit.sandbox.store import Store

LIFE = 7 * 24 * 3600.0  # seconds
_USUAL_AND_MOST = (20, 100)  # items on a page


class Kept(NamedTuple):
    """A stored response with the input it answered."""

    answer: Json
    input: list[Json]
    previous: str


class Turns:
    """Stored responses."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.run(
            "CREATE TABLE IF NOT EXISTS responses (id TEXT PRIMARY KEY, kept_at REAL NOT NULL, previous TEXT NOT NULL,"
            " input TEXT NOT NULL, answer TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0)"
        )

    def keep(self, answer: Json, given: list[Json], previous: str, now: float) -> None:
        row = (answer["id"], now, previous, json.dumps(given), json.dumps(answer))
        self._store.run("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?, 0)", *row)

    def get(self, name: str, now: float) -> Kept | None:
        """A response that may still be retrieved and continued."""
        return self._read(name, "AND NOT deleted AND kept_at > ?", now - LIFE)

    def delete(self, name: str) -> None:
        self._store.run("UPDATE responses SET deleted = 1 WHERE id = ?", name)

    def before(self, name: str) -> list[Json]:
        """Everything said up to a response and in it, oldest first."""
        items: list[Json] = []
        while name and (kept := self._read(name)):
            items = [*kept.input, *kept.answer["output"], *items]
            name = kept.previous
        return items

    def _read(self, name: str, condition: str = "", *values: float) -> Kept | None:
        rows = self._store.run(f"SELECT answer, input, previous FROM responses WHERE id = ? {condition}", name, *values)
        return Kept(json.loads(rows[0][0]), json.loads(rows[0][1]), rows[0][2]) if rows else None


class Conversations:
    """Conversation objects and their items, in the order in which they came."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.run(
            "CREATE TABLE IF NOT EXISTS conversations (id TEXT PRIMARY KEY, made_at INTEGER NOT NULL,"
            " metadata TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0)"
        )
        store.run(
            "CREATE TABLE IF NOT EXISTS conversation_items (place INTEGER PRIMARY KEY, conversation TEXT NOT NULL,"
            " id TEXT NOT NULL, item TEXT NOT NULL, UNIQUE (conversation, id))"
        )

    def make(self, name: str, made_at: int, metadata: Json) -> None:
        self._store.run("INSERT INTO conversations VALUES (?, ?, ?, 0)", name, made_at, json.dumps(metadata))

    def exists(self, name: str) -> bool:
        """Whether there is or ever was one of this name."""
        return bool(self._store.run("SELECT 1 FROM conversations WHERE id = ?", name))

    def get(self, name: str) -> Json | None:
        rows = self._store.run("SELECT made_at, metadata FROM conversations WHERE id = ? AND NOT deleted", name)
        if not rows:
            return None
        return {"id": name, "object": "conversation", "created_at": rows[0][0], "metadata": json.loads(rows[0][1])}

    def describe(self, name: str, metadata: Json) -> None:
        self._store.run("UPDATE conversations SET metadata = ? WHERE id = ?", json.dumps(metadata), name)

    def delete(self, name: str) -> None:
        self._store.run("UPDATE conversations SET deleted = 1 WHERE id = ?", name)

    def add(self, name: str, items: Iterable[Json]) -> None:
        """Append items; one that comes again, by its id, keeps its place."""
        insert = (
            "INSERT INTO conversation_items (conversation, id, item) VALUES (?, ?, ?)"
            " ON CONFLICT (conversation, id) DO UPDATE SET item = excluded.item"
        )
        self._store.all((insert, (name, item["id"], json.dumps(item))) for item in items)

    def items(self, name: str) -> list[Json]:
        rows = self._store.run("SELECT item FROM conversation_items WHERE conversation = ? ORDER BY place", name)
        return [json.loads(row[0]) for row in rows]

    def remove(self, name: str, item: str) -> None:
        self._store.run("DELETE FROM conversation_items WHERE conversation = ? AND id = ?", name, item)


def page(items: list[Json], query: QueryParams) -> Json:
    """One page of items given oldest first, as `after`, `limit` and `order` ask."""
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise invalid(f"Invalid 'order': {order}. Supported values are: ('asc','desc').")
    return listed(*files.page(items if order == "asc" else items[::-1], query, *_USUAL_AND_MOST))


def listed(items: list[Json], has_more: bool = False) -> Json:
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": has_more}
