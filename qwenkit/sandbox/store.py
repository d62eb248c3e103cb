"""What must outlive a request: one SQLite database, in memory or in the file given as `data`.

Temporary keys are the only state so far. They are kept as digests, so the file gives no key away.
"""

from __future__ import annotations

import sqlite3
import threading
from os import PathLike

_SCHEMA = "CREATE TABLE IF NOT EXISTS tokens (digest TEXT PRIMARY KEY, expires_at REAL NOT NULL)"


class Store:
    """One connection behind one lock: statements are short, and several threads may ask."""

    def __init__(self, data: str | PathLike[str] | None = None) -> None:
        self._lock = threading.Lock()
        try:
            self._base = sqlite3.connect(data or ":memory:", check_same_thread=False, isolation_level=None)
            self._base.execute(_SCHEMA)
        except sqlite3.Error as problem:
            raise OSError(f"cannot keep the sandbox's data in {data}: {problem}; choose another file") from problem

    def keep_token(self, digest: str, expires_at: float, now: float) -> None:
        """Remember a temporary key, and forget those that have expired."""
        with self._lock:
            self._base.execute("DELETE FROM tokens WHERE expires_at <= ?", (now,))
            self._base.execute("INSERT INTO tokens VALUES (?, ?)", (digest, expires_at))

    def token_lives(self, digest: str, now: float) -> bool:
        with self._lock:
            row = self._base.execute("SELECT expires_at FROM tokens WHERE digest = ?", (digest,)).fetchone()
        return row is not None and now < row[0]

    def close(self) -> None:
        with self._lock:
            self._base.close()
