"""Who may ask: requests that were really meant for this machine, with a key that is valid now.

The service listens on 127.0.0.1 only. A web page could still reach it by a name that resolves to 127.0.0.1, so Host
must be a loopback name, and Origin, which browsers add, a loopback page. Keys are compared in constant time.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qwenkit.sandbox.errors import Refusal, is_nested
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.routing import Verb
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.store import Tokens

_LOOPBACK = re.compile(r"(?:https?://)?(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
LONGEST_LIFE = 1800
USUAL_LIFE = 60


def check_neighbour(headers: Mapping[str, str]) -> None:
    """Refuse what a foreign web page could have sent."""
    for name in ("host", "origin"):
        value = headers.get(name)
        if value is not None and not _LOOPBACK.fullmatch(value):
            raise Refusal(
                "AccessDenied", f"The sandbox answers this machine only; it refuses this {name.title()} header."
            )


def check_key(service: Service, path: str, headers: Mapping[str, str], *, temporary: bool = True) -> None:
    """Refuse a missing, wrong or expired key, and a workspace that this sandbox was told not to have."""
    key = _bearer(headers)
    if not key and not is_nested(path):
        raise Refusal("InvalidApiKey", "No API-key provided.")
    permanent = hmac.compare_digest(key.encode(), service.key.encode())
    if not permanent and not (temporary and service.shelf(Tokens).lives(digest(key), service.clock())):
        raise Refusal("InvalidApiKey")
    workspace = headers.get("x-dashscope-workspace")
    if workspace and service.workspaces is not None and workspace not in service.workspaces:
        raise Refusal("NOT AUTHORIZED")


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


async def mint(service: Service, request: Request) -> Response:
    """A temporary key that lives 1 to 1800 seconds. A temporary key cannot make another."""
    check_key(service, request.url.path, request.headers, temporary=False)
    life = _life(request.query_params.get("expire_in_seconds", str(USUAL_LIFE)))
    now = service.clock()
    token = f"st-{secrets.token_hex(16)}"
    service.shelf(Tokens).keep(digest(token), now + life, now)
    return JSONResponse({"token": token, "expires_at": int(now + life)})


def _life(asked: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", asked) or not 1 <= int(asked) <= LONGEST_LIFE:
        raise Refusal("InvalidParameter", f"Range of expire_in_seconds should be [1, {LONGEST_LIFE}]")
    return int(asked)


ROUTES: list[Verb] = [("POST", "/api/v1/tokens", mint)]
