"""For every test: no key, no proxy, and no way out of this machine."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

for name in [name for name in os.environ if name.upper().startswith(("DASHSCOPE_", "QWENKIT_KEY", "ALIBABA_CLOUD_"))]:
    del os.environ[name]
os.environ.update(NO_PROXY="*", no_proxy="*")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background: interrupts are tested too
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """All cores (four at most) for the whole suite; a few tests by name are sooner done without workers."""
    return min(os.cpu_count() or 1, 4) if config.args_source is config.ArgsSource.TESTPATHS else 0


@pytest.fixture(autouse=True, scope="session")
def _only_loopback() -> Iterator[None]:
    """A connection to any other machine fails, loudly, in whichever test tried it."""
    patch = pytest.MonkeyPatch()
    for method in ("connect", "connect_ex"):
        patch.setattr(socket.socket, method, _guarded(getattr(socket.socket, method)))
    yield
    patch.undo()


@pytest.fixture(autouse=True, scope="session")
def _certificates_read_once() -> Iterator[None]:
    """Every client of httpx and of the official SDKs would read them again, for 35 ms of processor time each."""
    from httpx._transports import default

    patch = pytest.MonkeyPatch()
    patch.setattr(default, "create_ssl_context", cache(default.create_ssl_context))
    yield
    patch.undo()


def _guarded(connect: Any) -> Any:
    def guarded_connect(self: socket.socket, address: Any) -> Any:
        inet = self.family in (socket.AF_INET, socket.AF_INET6)
        if inet and not str(address[0]).startswith(("127.", "::1", "localhost")):
            raise RuntimeError(f"a test tried to reach {address[0]}: only loopback is allowed")
        return connect(self, address)

    return guarded_connect
