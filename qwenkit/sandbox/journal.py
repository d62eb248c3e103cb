"""The journal: which requests arrived, for tests and lessons that look at the wire from the other side.

A session of the realtime socket is one entry, of method WS, and `frames` is what the client said in it.

Keys are not in it: the Authorization header is masked, and `auth` holds its scheme and the digest of its key, enough to
tell whether two clients sent the same one. It forgets the oldest beyond a number of requests and of bytes, and of an
uploaded file it keeps the beginning.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qwenkit.sandbox.identity import digest

MOST_REQUESTS = 1000
MOST_BYTES = 32 * 1024 * 1024
MOST_OF_UPLOAD = 64 * 1024
SECRET = ("authorization", "x-acs-security-token", "x-acs-bearer-token")
MOST_FRAMES, LONGEST_FRAME = 500, 4096  # of a session; characters of one that is kept whole


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. Header names are in lower case; `json` is None for a body that is not JSON."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    auth: dict[str, str]
    request_id: str
    body: bytes = field(repr=False)
    frames: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_FRAMES), repr=False)

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def heard(self, frame: str) -> None:
        """A frame of the client's: the latest are kept, of long ones, which hold sound, the beginning."""
        self.frames.append(frame if len(frame) <= LONGEST_FRAME else f"{frame[:100]}…")


class Journal:
    """The latest requests, oldest first."""

    def __init__(self) -> None:
        self._seen: deque[Seen] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def note(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], request_id: str, body: bytes
    ) -> Seen:
        scheme, _, key = headers.get("authorization", "").rpartition(" ")
        auth = {"scheme": scheme, "sha256": digest(key)} if key else {}
        if headers.get("content-type", "").startswith("multipart/") or path.startswith("/bailian-upload/"):
            body = body[:MOST_OF_UPLOAD]
        shown = {name: f"{scheme} ***".strip() if name in SECRET else value for name, value in headers.items()}
        with self._lock:
            seen = Seen(method, path, dict(query), shown, auth, request_id, body)
            self._seen.append(seen)
            self._bytes += len(body)
            while len(self._seen) > MOST_REQUESTS or self._bytes > MOST_BYTES:
                self._bytes -= len(self._seen.popleft().body)
        return seen

    def list(self) -> list[Seen]:
        with self._lock:
            return list(self._seen)

    def clear(self) -> None:
        with self._lock:
            self._seen.clear()
            self._bytes = 0
