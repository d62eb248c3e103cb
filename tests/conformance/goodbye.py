"""How a test leaves a session of the official SDK: its own close() waits for seconds when two threads read at once."""

from __future__ import annotations

import contextlib
import socket
from typing import Any


def hang_up(sdk: Any) -> None:
    with contextlib.suppress(OSError, AttributeError):
        sdk.ws.sock.sock.shutdown(socket.SHUT_RDWR)
    sdk.thread.join(5)
