"""What must outlive a request: one SQLite database, in memory or in the file given as `data`.

The store knows no table. A module that keeps something brings a shelf: a class made once per store, which creates its
table and reads and writes it through `run`. Secrets are kept as digests, so the file gives no key away.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from os import PathLike
from typing import Any


class Store:
    """One connection behind one lock: statements are short, and several threads may ask."""

    def __init__(self, data: str | PathLike[str] | None = None) -> None:
        self._lock = threading.RLock()
        try:
            self._base = sqlite3.connect(data or ":memory:", check_same_thread=False, isolation_level=None)
            self._base.execute("PRAGMA schema_version")
        except sqlite3.Error as problem:
            raise OSError(f"cannot keep the sandbox's data in {data}: {problem}; choose another file") from problem

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """One statement, whole or not at all; the rows it gives."""
        with self._lock:
            return self._base.execute(statement, values).fetchall()

    def all(self, work: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
        """Several statements, all of them or none."""
        with self._lock:
            self._base.execute("BEGIN")
            try:
                for statement, values in work:
                    self._base.execute(statement, values)
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._base.close()


class Tokens:
    """Temporary keys, as digests."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.run("CREATE TABLE IF NOT EXISTS tokens (digest TEXT PRIMARY KEY, expires_at REAL NOT NULL)")

    def keep(self, digest: str, expires_at: float, now: float) -> None:
        """Remember a key, and forget those that have expired."""
        self._store.run("DELETE FROM tokens WHERE expires_at <= ?", now)
        self._store.run("INSERT INTO tokens VALUES (?, ?)", digest, expires_at)

    def lives(self, digest: str, now: float) -> bool:
        rows = self._store.run("SELECT expires_at FROM tokens WHERE digest = ?", digest)
        return bool(rows) and now < rows[0][0]


class Starts:
    """How often a sandbox has been started on this data, so that ids of one start never come again in the next."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.run("CREATE TABLE IF NOT EXISTS starts (at INTEGER PRIMARY KEY)")

    def begun(self) -> int:
        """The starts before this one, which is counted now."""
        before: int = self._store.run("SELECT COUNT(*) FROM starts")[0][0]
        self._store.run("INSERT INTO starts DEFAULT VALUES")
        return before
