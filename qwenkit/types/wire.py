"""What went over the wire, as values: exchanges, their events and frames. Secrets are masked before they get here."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

import msgspec

from qwenkit.types._shown import Shown


class WireEvent(msgspec.Struct, frozen=True):
    """One SSE event or WebSocket frame, `at` seconds after the exchange began; `sent` for client frames."""

    at: float
    data: str
    sent: bool = False


class Exchange(Shown, msgspec.Struct):
    """One request and what came back: a body, a list of events, or an error."""

    method: str = ""
    url: str = ""
    request_headers: dict[str, str] = {}
    request_body: str = ""
    status: int | None = None
    response_headers: dict[str, str] = {}
    response_body: str = ""
    events: list[WireEvent] = []
    error: str = ""
    started: float = 0.0
    headers_after: float | None = None
    finished_after: float | None = None
    attempt: int = 1

    def curl(self) -> str:
        """The same request as a curl command. The key stays out: it reads $DASHSCOPE_API_KEY.

        Of a picture or a sound inside the request the trace keeps the beginning only; a comment in front then says so.
        """
        parts = [f"{_SHORTENED if _CUT.search(self.request_body) else ''}curl -X {self.method} {shlex.quote(self.url)}"]
        for name, value in self.request_headers.items():
            if name.lower() == "authorization" and value.startswith("ACS3"):
                parts[0] = f"# It was signed for one moment: a repeat needs a new signature.\n{parts[0]}"
            elif name.lower() == "authorization":
                parts.append('-H "Authorization: Bearer $DASHSCOPE_API_KEY"')
            elif name.lower() not in _CURL_WRITES:
                parts.append(f"-H {shlex.quote(f'{name}: {value}')}")
        if self.request_body:
            parts.append(f"-d {shlex.quote(_pretty(self.request_body))}")
        return " \\\n  ".join(parts)

    def __repr__(self) -> str:
        outcome = self.status if self.status is not None else self.error or "pending"
        return f"Exchange({self.method} {self.url}, {outcome}, events={len(self.events)})"


class Wire(Shown):
    """The exchanges a `trace` saw, in the order they began."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def __len__(self) -> int:
        return len(self.exchanges)

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self.exchanges)

    def __getitem__(self, position: int) -> Exchange:
        return self.exchanges[position]

    def __repr__(self) -> str:
        return f"Wire({len(self.exchanges)} exchange{'s' if len(self.exchanges) != 1 else ''})"


_CUT = re.compile(r"data:[\w/.+-]*;base64,[\w+/=]*… [\d,]+ more")
_SHORTENED = "# runs once the shortened data: URL (… more) is replaced by your file's, or by its address\n"
_CURL_WRITES = {"host", "content-length", "accept-encoding", "connection", "user-agent", "accept"}


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        return body
