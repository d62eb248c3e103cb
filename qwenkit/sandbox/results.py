"""Files that calls leave behind: served from `/results/…` for 24 hours to whoever has the signed address.

As on the service's storage the address itself is the ticket: it says until when it holds and is signed, so no key is
needed to open it. Storage refuses in XML.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.routing import Verb
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.store import Store

LIFE = 24 * 3600.0
ACCESS_KEY = "SANDBOX"
_PLAIN = re.compile(r"[^\w.-]+")


class Results:
    """What was made, by an address nobody guesses. The secret that signs is kept with the files it signs for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.run(
            "CREATE TABLE IF NOT EXISTS results (path TEXT PRIMARY KEY, kind TEXT NOT NULL, content BLOB NOT NULL,"
            " expires_at REAL NOT NULL)"
        )
        store.run("CREATE TABLE IF NOT EXISTS signing (secret TEXT NOT NULL)")
        store.run(
            "INSERT INTO signing SELECT ? WHERE NOT EXISTS (SELECT 1 FROM signing)",
            secrets.token_hex(16),
        )

    def keep(self, owner: str, name: str, content: bytes, kind: str, now: float) -> str:
        """Keep a file for a day, and forget those that are older; the path and query it is served at."""
        path = f"/results/{digest(owner)[:32]}/{_PLAIN.sub('-', name)}"
        self._store.run("DELETE FROM results WHERE expires_at <= ?", now)
        self._store.run("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", path, kind, content, now + LIFE)
        ticket = {"Expires": str(int(now + LIFE)), "OSSAccessKeyId": ACCESS_KEY}
        return f"{path}?{urlencode({**ticket, 'Signature': self._signature(path, ticket['Expires'])})}"

    def get(self, address: str, now: float) -> tuple[bytes, str] | None:
        """The content and its type at a signed path, while it holds."""
        parts = urlsplit(address)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        expires = asked.get("Expires", "")
        signed = hmac.compare_digest(self._signature(parts.path, expires).encode(), asked.get("Signature", "").encode())
        if not (signed and now < int(expires)):
            return None
        rows = self._store.run("SELECT content, kind FROM results WHERE path = ?", parts.path)
        return (rows[0][0], rows[0][1]) if rows else None

    def has(self, path: str) -> bool:
        return bool(self._store.run("SELECT 1 FROM results WHERE path = ?", path))

    def _signature(self, path: str, expires: str) -> str:
        secret = self._store.run("SELECT secret FROM signing")[0][0]
        return hmac.new(secret.encode(), f"{path}\n{expires}".encode(), "sha256").hexdigest()[:28]


async def download(service: Service, request: Request) -> Response:
    address = f"{request.url.path}?{request.url.query}"
    found = service.shelf(Results).get(address, service.clock())
    if found is None:
        expired = "Request has expired." if "Signature" in request.query_params else "AccessDenied"
        return refused(403, "AccessDenied", expired, request)
    checksum = base64.b64encode(hashlib.md5(found[0], usedforsecurity=False).digest()).decode()
    return Response(found[0], media_type=found[1], headers={"content-md5": checksum})


def refused(status: int, code: str, message: str, request: Request) -> Response:
    """How the storage says no."""
    told = f"<Code>{code}</Code><Message>{message}</Message><RequestId>{request.state.request_id}</RequestId>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{told}</Error>'
    return Response(body, status, media_type="application/xml")


ROUTES: list[Verb] = [("GET", "/results/{owner}/{name}", download)]
