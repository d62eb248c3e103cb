"""The first cell of every notebook: `qwen = qk.connect()`.

With a key it connects to the service. Without one it starts the sandbox, an embedded service on this machine that
speaks the same protocols, and says so. Calling it again in the same kernel reuses the sandbox that is running.
"""

from __future__ import annotations

import difflib
import inspect
import os
import threading
from typing import Any

import msgspec

from qwenkit.access import AccessKey
from qwenkit.api.client import Client
from qwenkit.api.core import Core
from qwenkit.config import HTTP_NAMES, Config, Settings, environment, find_key
from qwenkit.errors import ConfigError
from qwenkit.secret import Secret

_READING_PACE = 80  # tokens per second of the shared sandbox's streams: fast, yet one sees the answer arrive

_lock = threading.Lock()
_running: dict[int, Any] = {}  # by process id: a forked child must not believe the parent's sandbox is its own


def connect(*, model: str = "", budget: Any = None, **settings: Any) -> Client:
    """Live with a key, sandbox without. Settings are those of `qk.Client`.

    An address, given or in DASHSCOPE_BASE_URL, is called as well: a local server with open weights needs no key.
    """
    settings["api_key"] = Secret.of(settings.get("api_key"))  # no frame of ours shows the key
    _refuse_unknown(settings, Client, "connect")
    if settings["api_key"] or settings.get("base_url") or _in_environment(environment()):
        return Client(model=model, budget=budget, **settings)
    Config.resolve(
        **{**_placing(settings), "api_key": "sk-none", "env": {}}
    )  # a wrong region is wrong without a key too
    return sandbox(model=model, budget=budget)


def _placing(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "api_key"}


def _refuse_unknown(settings: dict[str, Any], maker: Any, name: str) -> None:
    """Raise on a setting that does not exist, naming the nearest one that does."""
    known = set(inspect.signature(maker).parameters)
    for setting in settings:
        if setting not in known:
            near = difflib.get_close_matches(setting, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it knows: {', '.join(sorted(known))}"
            raise ConfigError(f"{name} has no setting {setting!r}", hint=hint)


def _in_environment(env: Settings) -> bool:
    return bool(find_key(None, env)[0]) or any(env.get(name) for name in HTTP_NAMES)


def sandbox(*, model: str = "", budget: Any = None, fresh: bool = False, **settings: Any) -> Client:
    """A client of the embedded sandbox: no key, no network, no cost.

    One sandbox serves the whole kernel; `fresh=True`, or any setting of `qwenkit.sandbox.Sandbox` (`seed`, `pace`,
    `data`), starts one of its own. `client.box` is the service itself: `client.box.fault("429")` makes it misbehave.
    """
    box = _start(settings) if fresh or settings else _shared()
    config = Config.resolve(api_key=box.key, base_url=box.url, env={})
    signing = AccessKey(box.access_key_id, Secret(box.access_key_secret), workspace=box.workspace)
    config = msgspec.structs.replace(config, access_key=signing)
    return Client.of(Core(config, model=model, budget=budget, box=box))


def _shared() -> Any:
    with _lock:
        box = _running.get(os.getpid())
        if box is None or not box.running:
            box = _running[os.getpid()] = _start({"pace": _READING_PACE})
        return box


def _start(settings: dict[str, Any]) -> Any:
    from qwenkit.sandbox import Sandbox

    _refuse_unknown(settings, Sandbox, "sandbox")
    return Sandbox(**settings).start()
