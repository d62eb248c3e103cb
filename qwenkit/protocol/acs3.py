"""ACS3-HMAC-SHA256: how a request to Alibaba Cloud's OpenAPI is signed.

    request -> canonical text -> its hash -> HMAC with the AccessKey's secret -> one Authorization header

Pure: date and nonce come from outside, and hold for one try. What is signed is the host, the content type and every
`x-acs-*` header. The query is signed as `%20` whatever spelling travels, so the receiver can build it anew.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "ACS3-HMAC-SHA256"
EMPTY = hashlib.sha256(b"").hexdigest()


def signed(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    key_id: str,
    secret: str,
    action: str,
    version: str,
    date: str,
    nonce: str,
    token: str = "",
) -> dict[str, str]:
    """The headers to add: what is signed, and the signature over it."""
    parts = urlsplit(url)
    added = {
        "host": parts.netloc,
        "x-acs-action": action,
        "x-acs-version": version,
        "x-acs-date": date,
        "x-acs-signature-nonce": nonce,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest() if body else EMPTY,
    }
    if token:
        added |= {"x-acs-accesskey-id": key_id, "x-acs-security-token": token}
    kind = next((text for name, text in headers.items() if name.lower() == "content-type"), "")
    told = {**added, "content-type": kind} if body and kind else added
    text = canonical(method, parts.path, parts.query, told, sorted(told), added["x-acs-content-sha256"])
    return {**added, "Authorization": authorization(text, sorted(told), key_id, secret)}


def canonical(
    method: str, path: str, query: str, headers: Mapping[str, str], names: Iterable[str], body_hash: str
) -> str:
    """The request as both sides write it down before hashing."""
    pairs = sorted(parse_qsl(query, keep_blank_values=True), key=lambda pair: pair[0])
    asked = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    return "\n".join((method, path or "/", asked, lines, ";".join(names), body_hash))


def authorization(canonical: str, names: Iterable[str], key_id: str, secret: str) -> str:
    text = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={key_id},SignedHeaders={';'.join(names)},Signature={signature}"


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")
