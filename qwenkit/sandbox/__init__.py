"""The sandbox: a service on 127.0.0.1 that speaks the DashScope protocols, for rooms without a key or a network.

`Sandbox().start()` gives a URL and a key; the official SDKs and qwenkit talk to it over real sockets. It really does
what it can (`mind` samples, calculates, calls tools, fills schemas) and says so where it cannot. It is not Qwen, never
claims to be, and never sends anything anywhere. It imports nothing of qwenkit but `catalogue`.

Read next: `server` (start and stop), `app` (what happens to a request), `chat` (the first route), `faults` (failing on
demand), `serve` (the command).
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from qwenkit.sandbox.server import Sandbox

__all__ = ["Sandbox"]


class _Room(ModuleType):
    """Importing this package puts it where `qk.sandbox` was a function; so it can be called like one."""

    def __call__(self, **settings: Any) -> Any:
        return import_module("qwenkit.notebook.connect").sandbox(**settings)


sys.modules[__name__].__class__ = _Room
