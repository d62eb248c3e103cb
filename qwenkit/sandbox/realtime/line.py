"""One open socket, as the sessions see it: events out, commands in, and everything that can go wrong on the way.

    line.send("response.created", response={…})     an event, with an event_id of its own
    command = await line.receive()                  a JSON object with a type; None when the client has gone
    await line.refuse("…", "invalid_value", "session.voice", command)

What is no JSON object with a type is answered with an `error` event here and never reaches a session. Limits of time
close the socket under `service.clock`; faults that were asked for happen after so many events.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.types import Message, Receive, Scope, Send

from qwenkit.catalogue.realtime import APPEND_MEGABYTES, RealtimeFacts
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.misbehave import reset
from qwenkit.sandbox.realtime.limits import QUIET, REASONS, THROTTLED, Rates, ended
from qwenkit.sandbox.realtime.wrong import Wrong, missing

if TYPE_CHECKING:
    from qwenkit.catalogue import Model
    from qwenkit.sandbox.faults import Fault
    from qwenkit.sandbox.journal import Seen
    from qwenkit.sandbox.service import Service

Json = dict[str, Any]
LOOK_S = 0.25  # between two looks at the clock
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
_STRANGE: dict[str, Message] = {  # what a fault sends in between
    "ws-garbage": {"text": '{"event_id":"event_broken","type":"response.audio.delta","delta":"AAAA'},
    "ws-binary": {"bytes": b"\x00\xff sandbox"},
}


class Line:
    """A session's end of the socket. Sends may come from several tasks; one task receives."""

    def __init__(
        self,
        service: Service,
        scope: Scope,
        receive: Receive,
        send: Send,
        model: Model,
        facts: RealtimeFacts,
        seen: Seen,
        fault: Fault | None = None,
    ) -> None:
        self.service, self.scope, self.model, self.facts = service, scope, model, facts
        self.switches = service.realtime
        self._opened = self._answered = service.clock()
        self.gone = False
        self._receive, self._send, self._seen = receive, send, seen
        self._fault = fault
        self._after = int(fault.detail.rpartition(":")[2] or 0) if fault else 0  # events before the fault
        self._deaf = False
        self._numbers: Counter[str] = Counter()
        self._watch = asyncio.create_task(self._look_at_the_clock())

    def id(self, prefix: str) -> str:
        """A name for something of this session: of the same kind and number always the same one."""
        self._numbers[prefix] += 1
        return f"{prefix}_{digest(f'{self._seen.request_id}/{prefix}/{self._numbers[prefix]}')[:20]}"

    async def send(self, type: str, **fields: Any) -> None:
        """One event. A client that has gone is no error: `receive` tells it."""
        if type == "response.created" and not self._may_answer():
            await self.close(1011, THROTTLED)
        await self.send_frame({"event_id": self.id("event"), "type": type, **fields})

    async def send_frame(self, frame: Json) -> None:
        """An event, or a frame that is none (`choices`)."""
        fault, self._after = self._fault if self._after == 0 else None, self._after - 1
        if fault is not None:
            await self._misbehave(fault)
        if not frame.get("type", "").startswith(QUIET):
            self._answered = self.service.clock()
        if not self._deaf:
            await self._pass({"text": _encode(frame).decode()})

    async def receive(self, timeout: float | None = None) -> Json | None:
        """The next command, None when the client has gone. TimeoutError when nothing came for so long."""
        async with asyncio.timeout(timeout):
            while not self.gone:
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    self.gone = True
                    break
                try:
                    return self._read(message.get("text"))
                except Wrong as wrong:
                    await self.refuse(wrong.message, wrong.code, wrong.param)
        return None

    async def refuse(
        self,
        message: str,
        code: str = "",
        param: str = "",
        event: Json | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        """An error event, which leaves the socket open; `event` is the command that was wrong."""
        error = {"type": kind, "code": code, "message": message, "param": param}
        if event is not None and isinstance(event.get("event_id"), str):
            error["event_id"] = event["event_id"]
        await self.send("error", error=error)

    async def unknown(self, command: Json) -> None:
        """Refuse a command that this family does not have."""
        await self.refuse(f"Invalid event type: '{command['type']}'.", "invalid_value", "type", command)

    async def sound(self, command: Json, name: str = "audio", megabytes: float = APPEND_MEGABYTES) -> bytes:
        """What a command brings in Base64. Wrong when it is none, or too much."""
        text = command.get(name)
        if not isinstance(text, str) or not text:
            raise missing(name)
        try:
            content = base64.b64decode(text, validate=True)
        except ValueError:
            raise Wrong(f"Invalid '{name}': it is no valid Base64.", name) from None
        if len(content) > megabytes * 1024 * 1024:
            raise Wrong(f"Invalid '{name}': {len(content)} bytes are more than {megabytes:g} MB.", name)
        return content

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye; `receive` gives None from now on."""
        self._deaf = True
        await self._pass({"type": "websocket.close", "code": code, "reason": reason})

    async def done(self) -> None:
        """The session is over, whoever ended it."""
        self._watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watch

    def _read(self, text: str | None) -> Json:
        if text is None:
            raise Wrong("Binary frames are not supported: send JSON in text frames.")
        self._seen.heard(text)
        try:
            command = _decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise Wrong("Invalid JSON: the frame could not be parsed.") from None
        if not isinstance(command, dict) or not isinstance(command.get("type"), str):
            raise missing("type")
        return command

    def _may_answer(self) -> bool:
        most = self.facts.requests_per_minute
        return self.service.shelf(Rates).allows(self.facts.group, most, self.service.clock())

    async def _pass(self, message: Message) -> None:
        if not self.gone:
            with contextlib.suppress(OSError, RuntimeError):  # it has closed meanwhile; receive will tell
                await self._send({"type": "websocket.send", **message})

    async def _misbehave(self, fault: Fault) -> None:
        if fault.kind == "ws-reset":
            reset(self.scope)
        elif fault.kind == "ws-close":
            code = int(fault.detail.partition(":")[0])
            await self.close(code, REASONS.get(code, "The sandbox was asked to close with this code."))
        elif fault.kind == "ws-stall":
            self._deaf = True
        elif fault.kind == "ws-big":
            await self.send("sandbox.big", padding="x" * (3 << 20))
        else:
            await self._pass(_STRANGE[fault.kind])

    async def _look_at_the_clock(self) -> None:
        clock = self.service.clock
        while not (reason := ended(self.switches, clock() - self._opened, clock() - self._answered)):
            await asyncio.sleep(LOOK_S)
        await self.close(1007, reason)
