"""Files that calls leave behind: served from `/results/…` for 24 hours without a key, as the service's storage does."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.routing import Verb
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.store import Store

LIFE = 24 * 3600.0
_PLAIN = re.compile(r"[^\w.-]+")


class Results:
    """What was made, by an address nobody guesses."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.run(
            "CREATE TABLE IF NOT EXISTS results (path TEXT PRIMARY KEY, kind TEXT NOT NULL, content BLOB NOT NULL,"
            " expires_at REAL NOT NULL)"
        )

    def keep(self, owner: str, name: str, content: bytes, kind: str, now: float) -> str:
        """Keep a file for a day, and forget those that are older; the path it is served at."""
        path = f"/results/{digest(owner)[:32]}/{_PLAIN.sub('-', name)}"
        self._store.run("DELETE FROM results WHERE expires_at <= ?", now)
        self._store.run("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", path, kind, content, now + LIFE)
        return path

    def get(self, path: str, now: float) -> tuple[bytes, str] | None:
        rows = self._store.run("SELECT content, kind FROM results WHERE path = ? AND expires_at > ?", path, now)
        return (rows[0][0], rows[0][1]) if rows else None


async def download(service: Service, request: Request) -> Response:
    found = service.shelf(Results).get(request.url.path, service.clock())
    if found is None:
        raise Refusal("NotFound", "The result does not exist, or its 24 hours are over.")
    return Response(found[0], media_type=found[1])


ROUTES: list[Verb] = [("GET", "/results/{owner}/{name}", download)]
