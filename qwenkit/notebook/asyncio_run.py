"""`asyncio.run` inside a notebook, for scripts that are pasted as they are.

A kernel runs an event loop already, so `asyncio.run(main())`, the last line of every asynchronous example, is refused
there. nest-asyncio2 lets loops nest. Which version matters: with nest-asyncio 1.6, and with nest-asyncio2 before 1.7.3,
every cell that is queued behind a nested call is never run, and messages of widgets are lost. So the version is
checked, the older package is refused, and nothing is patched before somebody asks for it.
"""

from __future__ import annotations

import asyncio
import sys
from importlib import metadata

from qwenkit.errors import ConfigError

_NEEDED = (1, 7, 3)
_INSTALL = "run  pip install 'qwenkit[lab]'  in this environment, then restart the kernel"


def allow() -> None:
    """Let loops nest in this kernel. Outside of a running loop there is nothing to allow, and nothing happens."""
    if "nest_asyncio" in sys.modules and hasattr(asyncio, "_nest_patched"):
        raise ConfigError(
            "nest_asyncio is at work in this kernel: cells queued behind a nested call would never run",
            hint="restart the kernel and leave out nest_asyncio.apply(); qk.notebook.allow_asyncio_run() replaces it",
        )
    _check()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    import nest_asyncio2

    nest_asyncio2.apply()


def _check() -> None:
    try:
        found = metadata.version("nest-asyncio2")
    except metadata.PackageNotFoundError:
        raise ConfigError("asyncio.run in a notebook needs nest-asyncio2", hint=_INSTALL) from None
    if _numbers(found) < _NEEDED:
        needed = ".".join(map(str, _NEEDED))
        raise ConfigError(f"nest-asyncio2 {found} loses queued cells; {needed} or later is needed", hint=_INSTALL)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
