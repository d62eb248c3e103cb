"""ACS3-HMAC-SHA256: whether a request was signed with the sandbox's access key, lately, and came for the first time.

What was signed is put together again from the request as it arrived and its own list SignedHeaders, never from a list
of ours. A query may come form-encoded (`+` for a blank) though `%20` was signed, so it is read and written anew.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, quote

from starlette.requests import Request

from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.knowledge.values import Wrong
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.store import Store

ALGORITHM = "ACS3-HMAC-SHA256"
WINDOW = 900.0  # seconds that the two clocks may differ
_DATE = "%Y-%m-%dT%H:%M:%SZ"
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM}\s+Credential=(?P<key>[^,\s]+),\s*SignedHeaders=(?P<names>[^,\s]+),\s*Signature=(?P<signature>[^,\s]+)"
)
_ALWAYS = {"host", *(f"x-acs-{name}" for name in ("action", "version", "date", "signature-nonce", "content-sha256"))}


class Sent(NamedTuple):
    """A request as far as it is signed. The path is as sent, names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes

    @classmethod
    def of(cls, request: Request) -> Sent:
        path = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
        query = request.scope["query_string"].decode("latin-1")
        return cls(request.method, path.decode("latin-1"), query, request.headers.items(), request.state.body)

    def header(self, name: str) -> str:
        """Its value; several of one name sorted, as they are signed."""
        return ",".join(sorted(value.strip() for each, value in self.headers if each == name))


class Nonces:
    """The nonces that have come, for as long as the requests they came with would still be taken."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.run("CREATE TABLE IF NOT EXISTS nonces (digest TEXT PRIMARY KEY, until REAL NOT NULL)")

    def fresh(self, nonce: str, until: float, now: float) -> bool:
        self._store.run("DELETE FROM nonces WHERE until < ?", now)
        put = "INSERT OR IGNORE INTO nonces VALUES (?, ?) RETURNING digest"
        return bool(self._store.run(put, digest(nonce), until))


def check(service: Service, sent: Sent) -> None:
    """Refuse a request that is not signed as it should be, in the words of the gateway."""
    read = _AUTHORIZATION.fullmatch(sent.header("authorization"))
    if read is None:
        raise Wrong(
            "IncompleteSignature", f"The request must be signed: {ALGORITHM} Credential, SignedHeaders, Signature."
        )
    if not _same(read["key"], service.access_key_id):
        raise Wrong("InvalidAccessKeyId.NotFound", "Specified access key is not found.", 404)
    names = read["names"].lower().split(";")
    if missing := sorted(_needed(sent).difference(names)):
        raise Wrong("IncompleteSignature", f"These headers must be there and signed: {', '.join(missing)}.")
    at, now, told = _time(sent.header("x-acs-date")), service.clock(), to_sign(sent, names)
    if abs(now - at) > WINDOW:
        raise Wrong("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
    if not _same(read["signature"], signature(service.access_key_secret, told)):
        raise Wrong("SignatureDoesNotMatch", f"Specified signature does not match our calculation of [{told}].")
    if not _same(sent.header("x-acs-content-sha256"), digest(sent.body)):
        raise Wrong("SignatureDoesNotMatch", "The header x-acs-content-sha256 is not the hash of the body that came.")
    if not service.shelf(Nonces).fresh(sent.header("x-acs-signature-nonce"), at + WINDOW, now):
        raise Wrong("SignatureNonceUsed", "Specified signature nonce was used already.")


def _needed(sent: Sent) -> set[str]:
    """Some headers always, and of those that came all of the gateway's and the type of a body."""
    came = {name for name, _ in sent.headers}
    return _ALWAYS | {name for name in came if name.startswith("x-acs-") or (name == "content-type" and sent.body)}


def _time(date: str) -> float:
    try:
        return datetime.strptime(date, _DATE).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Wrong("InvalidTimeStamp.Format", f"Specified time stamp or date value is not {_DATE}.") from None


def to_sign(sent: Sent, names: Iterable[str]) -> str:
    """The text that is signed: the algorithm's name and the hash of the canonical request."""
    return f"{ALGORITHM}\n{digest(canonical(sent, names))}"


def canonical(sent: Sent, names: Iterable[str]) -> str:
    """Method, path, query, signed headers, their names and the hash of the body, each in one agreed spelling."""
    names = sorted(names)
    headers = "".join(f"{name}:{sent.header(name)}\n" for name in names)
    told = sent.header("x-acs-content-sha256")
    return "\n".join((sent.method, sent.path or "/", _query(sent.query), headers, ";".join(names), told))


def _query(text: str) -> str:
    pairs = sorted(parse_qsl(text, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)


def signature(secret: str, told: str) -> str:
    return hmac.new(secret.encode(), told.encode(), "sha256").hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
