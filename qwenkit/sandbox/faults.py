"""Failing on demand: which fault the next request meets. `misbehave` carries it out.

A fault is a short text:

    429  500  401 ...            an error answer with that status (400 to 599) and the code that usually goes with it
    429:insufficient_quota       the same with another code
    429;retry-after=0.2          the same with a Retry-After header
    cut:5                        the connection closes after 5 events of a stream (in the middle of a plain answer)
    error:5                      an error event inside the stream after 5 events
    slow:2.5                     2.5 seconds pass before the answer begins
    garbage                      broken JSON: the plain answer, or one line of the stream
    reset   reset:headers        the connection is reset before the answer, or just after its headers
    sse400                       a 400 whose body is framed as an event
    html   empty                 a proxy's HTML page with 502; a 200 with nothing in it

and for the next session of the realtime socket, after so many events of the server:

    ws-reset:5   ws-close:1011:5   ws-stall:5          the connection breaks, is closed with a code, falls silent
    ws-garbage:5   ws-binary:5   ws-big:5              broken JSON, a binary frame, 3 MB of text; then it goes on

A fault meets the next request, the next few, or with a rate a share of all: which ones is chance, the same every time.
"""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass

_SPEC = re.compile(r"(?P<kind>[a-z0-9-]+)(?::(?P<detail>[^;]+))?(?:;retry-after=(?P<retry_after>\d+(?:\.\d+)?))?")
_COUNT = re.compile(r"\d{1,9}")
_SECONDS = re.compile(r"\d{1,4}(?:\.\d+)?")
_NOTHING = re.compile(r"")
_CODE = re.compile(r"[A-Za-z][\w. ]*")
_DETAILS = {
    "cut": _COUNT,
    "error": _COUNT,
    "slow": _SECONDS,
    "reset": re.compile(r"(?:headers)?"),
    "garbage": _NOTHING,
    "sse400": _NOTHING,
    "html": _NOTHING,
    "empty": _NOTHING,
    "ws-close": re.compile(r"(?:10(?:0[0137-9]|1[0-4])|[34]\d{3}):\d{1,9}"),
    **dict.fromkeys(("ws-reset", "ws-stall", "ws-garbage", "ws-binary", "ws-big"), _COUNT),
}
SOCKET = "/api-ws/"  # where faults of the realtime socket wait
STATUS = "status"


@dataclass(frozen=True)
class Fault:
    """One way to fail, read from its text."""

    kind: str
    detail: str = ""
    status: int = 0
    retry_after: str = ""


def parse(spec: str) -> Fault:
    """Read a fault's text; a ValueError says what is possible."""
    found = _SPEC.fullmatch(spec.strip())
    kind = found["kind"] if found else ""
    detail = (found["detail"] or "") if found else ""
    retry_after = (found["retry_after"] or "") if found else ""
    if re.fullmatch(r"[45]\d\d", kind) and (not detail or _CODE.fullmatch(detail)):
        return Fault(STATUS, detail, int(kind), retry_after)
    if kind in _DETAILS and _DETAILS[kind].fullmatch(detail) and not retry_after:
        return Fault(kind, detail)
    raise ValueError(
        f"unknown fault {spec!r}: use a status such as 429, 429:insufficient_quota or 429;retry-after=1, or one of "
        "cut:5, error:5, slow:2.5, garbage, reset, reset:headers, sse400, html, empty; "
        "of a realtime session ws-reset:5, ws-close:1011:5, ws-stall:5, ws-garbage:5, ws-binary:5, ws-big:5"
    )


@dataclass
class _Waiting:
    fault: Fault
    times: int | None
    path: str
    rate: float | None
    chance: random.Random

    def meets(self, path: str) -> bool:
        if self.fault.kind.startswith("ws-") and SOCKET not in path:
            return False
        return self.path in path and (self.rate is None or self.chance.random() < self.rate)


class Faults:
    """Faults waiting for requests, first come first served."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._lock = threading.Lock()

    def add(self, spec: str, times: int | None = 1, path: str | None = None, rate: float | None = None) -> None:
        """Let the next `times` requests fail (None: all until cleared) whose path contains `path`.

        With a `rate`, such as 0.05 for one in twenty, that share of them fails until cleared, `times` or not.
        """
        if rate is not None and not 0 <= rate <= 1:
            raise ValueError(f"a rate cannot be {rate!r}: use a share such as 0.05")
        waiting = _Waiting(parse(spec), None if rate is not None else times, path or "", rate, random.Random(spec))
        with self._lock:
            self._waiting.append(waiting)

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def take(self, path: str) -> Fault | None:
        """The fault that a request to `path` meets, if any."""
        with self._lock:
            for waiting in self._waiting:
                if waiting.meets(path):
                    self._use(waiting)
                    return waiting.fault
        return None

    def _use(self, waiting: _Waiting) -> None:
        if waiting.times is not None:
            waiting.times -= 1
            if waiting.times <= 0:
                self._waiting.remove(waiting)
