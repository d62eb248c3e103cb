"""From an error body to the right exception.

The service spells errors in two shapes (`{"error": {...}}` and `{"code", "message"}`), sometimes framed as SSE, and
proxies between us and it answer in HTML or with nothing at all. One reading serves them all. Which class, which cure
and whether a retry can help come from the catalogue's table of codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from qwenkit import catalogue, errors
from qwenkit.protocol.flow import Answer, Request

_MOST_RAW = 20_000
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.I | re.S)


def from_answer(answer: Answer, request: Request) -> errors.APIError:
    """The exception for an answer whose status is not 2xx."""
    return build(answer.status, answer.headers, answer.body, request=request.name, tries=answer.tries)


def from_event(data: bytes, *, status: int | None, request: str, request_id: str) -> errors.APIError | None:
    """The exception for an error that travels inside a stream, or None when the event is no error."""
    body = _decode(data)
    if not isinstance(body, dict) or not _is_error(body):
        return None
    return build(status, {}, data, request=request, request_id=request_id)


def build(
    status: int | None,
    headers: Mapping[str, str],
    body: bytes,
    *,
    request: str,
    request_id: str = "",
    tries: int = 1,
) -> errors.APIError:
    code, message, told_id = _read(body, status)
    facts = catalogue.code_facts(code, message) or catalogue.status_facts(status or 500)
    kind = getattr(errors, facts.kind, errors.APIError) if facts else errors.APIError
    error: errors.APIError = kind(
        message,
        status=status,
        code=code,
        raw=body[:_MOST_RAW].decode("utf-8", "replace"),
        hint=facts.cure if facts else "",
        retry=facts.retry if facts else "no",
        most_tries=facts.tries if facts else None,
        retry_after=retry_after(headers),
        request=request,
        request_id=told_id or headers.get("x-request-id", "") or request_id,
        tries=tries,
    )
    return error


def unreadable(what: str, data: bytes, *, request: str, request_id: str) -> errors.APIError:
    """What to raise for a 200 answer that is not what was asked for: the error sent in its place, or a complaint."""
    return from_event(data, status=200, request=request, request_id=request_id) or errors.ServerError(
        f"the answer is not {what}: {data[:80].decode('utf-8', 'replace')!r}",
        status=200,
        raw=data[:2000].decode("utf-8", "replace"),
        hint="try again; if it stays, something between you and the service rewrites its answers",
        request=request,
        request_id=request_id,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the service asks us to wait, if it says; dates are not honoured because clocks differ."""
    for name, unit in (("retry-after-ms", 1000.0), ("x-acs-retry-after", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    return None


def _read(body: bytes, status: int | None) -> tuple[str, str, str]:
    """Code, message and request id, from whichever shape the body has."""
    parsed = _decode(body)
    if not isinstance(parsed, dict):
        return "", _explain(body, status), ""
    if "Code" in parsed:  # Alibaba Cloud's OpenAPI writes its names in capitals
        return str(parsed["Code"]), _spoken(parsed.get("Message")), str(parsed.get("RequestId") or "")
    nested = parsed.get("error")
    inner: Mapping[str, Any] = nested if isinstance(nested, dict) else parsed
    message = _spoken(inner.get("message") or inner.get("detail")) or _spoken(nested if isinstance(nested, str) else "")
    code = str(inner.get("code") or inner.get("type") or "")
    told = parsed.get("request_id") or parsed.get("id") or inner.get("id") or ""
    return (
        "" if code == str(status) else code,  # other servers repeat the status there
        message or _explain(body, status),
        str(told).removeprefix("chatcmpl-"),
    )


def _spoken(message: Any) -> str:
    """The words of a message; models of third parties put the JSON of another error there."""
    text = str(message or "").strip()
    inside = _decode(text.encode("utf-8", "replace")) if text.startswith("{") else None
    nested = inside.get("error", inside) if isinstance(inside, dict) else None
    words = nested.get("message") if isinstance(nested, dict) else None
    return words if words and isinstance(words, str) else text


def _decode(body: bytes) -> Any:
    """The JSON in a body, SSE framing stripped; None when there is none."""
    text = body.strip()
    if not text.startswith((b"{", b"[")):
        lines = [line[5:].strip() for line in text.splitlines() if line.startswith(b"data:")]
        text = next((line for line in lines if line.startswith(b"{")), b"")
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _is_error(body: dict[str, Any]) -> bool:
    if body.get("error"):
        return True
    return "choices" not in body and "output" not in body and bool(body.get("code")) and "message" in body


def _explain(body: bytes, status: int | None) -> str:
    """A sentence for bodies that are not the service's own."""
    if not body.strip():
        return f"the answer was empty (HTTP {status})"
    title = _TITLE.search(body[:4000])
    if title or body.lstrip()[:1] == b"<":
        words = title[1].strip().decode("utf-8", "replace")[:120] if title else "no title"
        return f"a web page came back in place of an answer ({words}); a proxy may stand between you and the service"
    return f"the answer is not in the service's form: {body[:120].decode('utf-8', 'replace')!r}"
