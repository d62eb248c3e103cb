"""The doctor's live half: which region knows the key, and does a WebSocket get through.

One `GET /models` per region with a host for every workspace, and one WebSocket handshake that is closed at once.
Neither is billed. The places are arguments, so the whole of it runs against sandboxes as well.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from qwenkit.secret import Secret
from qwenkit.types.connection import Finding

PATIENCE = 10.0

Environment = Mapping[str, str]


def live_findings(env: Environment, places: Mapping[str, str] | None = None) -> Iterator[Finding]:
    """Ask the configured address, and the regions (`places`: name to base URL) that might know the key instead."""
    from qwenkit.config import Config
    from qwenkit.errors import ConfigError

    try:
        config = Config.resolve(env=env)
    except ConfigError as wrong:
        yield Finding("live calls", None, f"nothing to try: {wrong.message}", wrong.hint)
        return
    key = config.key
    mine = ask(config.urls["compatible"], key)
    yield Finding("answer", not mine, mine or "the service lists its models", _cure(mine) if mine else "")
    if "native" in config.urls:
        yield region_of(key, config.region, bool(mine), shared_hosts() if places is None else places)
    if "inference" in config.urls:
        yield handshake(config.urls["inference"], key)


def shared_hosts() -> dict[str, str]:
    """The regions any key can be tried in; the others have workspace hosts only."""
    from qwenkit import catalogue

    return {region.name: f"https://{region.shared_host}" for region in catalogue.regions() if region.shared_host}


def ask(base_url: str, key: Secret) -> str:
    """Why this address does not list its models for this key; empty when it does."""
    from qwenkit.api.client import Client
    from qwenkit.api.core import Core
    from qwenkit.config import Config
    from qwenkit.errors import QwenError

    try:  # an empty environment: a workspace or address set there would make every region refuse
        config = Config.resolve(api_key=key, base_url=base_url, max_retries=0, timeout=PATIENCE, env={})
        with Client.of(Core(config)) as client:
            client.models.live()
    except QwenError as refused:
        return f"{type(refused).__name__}: {refused.message}"
    return ""


def region_of(key: Secret, configured: str, refused: bool, places: Mapping[str, str]) -> Finding:
    with ThreadPoolExecutor(len(places) or 1) as pool:
        answers = dict(zip(places, pool.map(lambda place: ask(place, key), places.values()), strict=True))
    known = [name for name, reason in answers.items() if not reason]
    if known and refused:
        cure = f"set DASHSCOPE_REGION={known[0]}, or pass region={known[0]!r}"
        return Finding("region of the key", False, f"{' and '.join(known)}, not {configured or 'this address'}", cure)
    if known:
        return Finding("region of the key", True, " and ".join(known))
    silent = [name for name, reason in answers.items() if not reason.startswith(("AuthError", "PermissionDenied"))]
    if silent:
        cure = "check the connection and the proxy settings"
        return Finding("region of the key", None, f"no answer from {', '.join(silent)}", cure)
    cure = "make a new key in the console; Frankfurt and Tokyo keys need workspace='ws-…' and their region"
    return Finding("region of the key", False if refused else None, "no region with a shared host knows it", cure)


def handshake(url: str, key: Secret) -> Finding:
    """Open a WebSocket, say nothing, close it."""
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    def bearer() -> dict[str, str]:
        return {"Authorization": f"Bearer {key.reveal()}"}  # in no frame of ours while we wait

    try:
        with connect(url, additional_headers=bearer(), open_timeout=PATIENCE, close_timeout=1):
            return Finding("WebSocket", True, "the handshake succeeds")
    except InvalidStatus as refused:
        status = refused.response.status_code
        cure = "the key is refused, see above" if status in (401, 403) else "let the proxy pass WebSocket upgrades"
        return Finding("WebSocket", False, f"refused with HTTP {status}", cure)
    except Exception as failure:  # whatever a proxy or firewall makes of it
        cure = "let wss connections pass the proxy or firewall; chat works without them, realtime does not"
        nameless = isinstance(failure, socket.gaierror)
        return Finding("WebSocket", False, "no such host name" if nameless else type(failure).__name__, cure)


def _cure(reason: str) -> str:
    if reason.startswith("AuthError"):
        return "the key is wrong, deleted, or of another region: see the next line"
    return "check the connection and the proxy settings" if reason.startswith("TransportError") else "see the message"
