"""Which store a place means: memory, a SQLite file, Qdrant's or PostgreSQL's address."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote, urlsplit

from qwenkit.errors import ConfigError
from qwenkit.retrieval.shelves import Store
from qwenkit.secret import Secret

_HINT = "a path, http://host:6333/collection (Qdrant), postgresql://host/base?table=… or None for memory"


def store(where: Any) -> tuple[Store, str]:
    """The store, and the root of the machine it is on ("" for one that needs no requests of ours)."""
    if isinstance(where, Secret):
        return _address(where)
    if not isinstance(where, str | os.PathLike | None) or where == "":
        raise ConfigError(f"where cannot be {where!r:.60}", hint=_HINT)
    from qwenkit.retrieval.sqlite import Sqlite

    return Sqlite(where), ""


def _address(told: Secret) -> tuple[Store, str]:
    """An address is a secret, since it may hold a password: no frame of a traceback shows it."""
    scheme = told.reveal().partition("://")[0].lower()
    if scheme in ("http", "https"):
        return _qdrant(told)
    if scheme in ("postgresql", "postgres"):
        from qwenkit.retrieval.postgres import Postgres

        return Postgres(told), ""
    raise ConfigError(f"there is no store for {scheme:.20}:// addresses", hint=_HINT)


def _qdrant(told: Secret) -> tuple[Store, str]:
    from qwenkit.retrieval.qdrant import Qdrant

    parts = urlsplit(told.reveal())
    prefix, _, collection = parts.path.strip("/").rpartition("/")
    host = parts.netloc.rpartition("@")[2]
    key = Secret(unquote(parts.username or "") or os.environ.get("QDRANT_API_KEY", ""))
    root = f"{parts.scheme}://{host}{'/' if prefix else ''}{prefix}"
    del parts
    if not collection or not host:
        raise ConfigError("the address of a Qdrant collection needs its name", hint="http://host:6333/collection")
    return Qdrant(root, unquote(collection), key if key else None), root
