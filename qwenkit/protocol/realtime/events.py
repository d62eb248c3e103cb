"""Frames in, events out. One table is the specification: what the wire calls an event, and the shape it has.

Reading never fails, whatever a server says: a field of the wrong type is dropped, a name nobody knows is kept, and
what is no event at all says so. The name is looked for at the start of the frame, where servers put it; the decoder
of its shape then confirms it, so a frame is read once.
"""

from __future__ import annotations

import binascii
import json
import re
from typing import Any

import msgspec

from qwenkit.protocol.lenient import Lenient
from qwenkit.types import realtime as shapes
from qwenkit.types.realtime import AudioEvent, Event, OtherEvent, ResponseEvent, TextEvent

_HEARD = "conversation.item.input_audio_transcription"
_AMBIENT = "conversation.item.ambient_audio_transcription"
_TABLE: dict[type[Event], str] = {
    shapes.SessionEvent: "session.created session.updated session.finished",
    shapes.ErrorEvent: "error",
    shapes.SpeechEvent: "input_audio_buffer.speech_started input_audio_buffer.speech_stopped",
    shapes.BufferEvent: "input_audio_buffer.committed input_audio_buffer.cleared "
    "input_text_buffer.committed input_text_buffer.cleared",
    shapes.ItemEvent: "conversation.item.created conversation.item.retrieved conversation.item.deleted "
    "response.output_item.added response.output_item.done",
    shapes.HeardEvent: " ".join(
        f"{name}.{end}" for name in (_HEARD, _AMBIENT) for end in ("delta", "text", "completed", "failed")
    ),
    ResponseEvent: "response.created response.done response.cancelled",
    shapes.PartEvent: "response.content_part.added response.content_part.done",
    TextEvent: "response.text.delta response.text.text response.text.done "
    "response.audio_transcript.delta response.audio_transcript.text response.audio_transcript.done",
    AudioEvent: "response.audio.delta response.audio.done",
    shapes.ArgumentsEvent: "response.function_call_arguments.delta response.function_call_arguments.done "
    "response.mcp_call_arguments.delta response.mcp_call_arguments.done",
    shapes.ProgressEvent: "mcp_list_tools.in_progress mcp_list_tools.completed mcp_list_tools.failed "
    "response.mcp_call.in_progress response.mcp_call.completed response.mcp_call.failed",
}
SPEC: dict[str, type[Event]] = {name: family for family, names in _TABLE.items() for name in names.split()}

_PEEK = re.compile(rb'"type"\s*:\s*"([a-z_.]+)"').search
_FRONT = 256  # bytes of a frame in which its name is looked for
_DECODERS: dict[bytes, Any] = {
    name.encode(): (name, msgspec.json.Decoder(family).decode) for name, family in SPEC.items()
}
_LENIENT = {family: Lenient.of(family) for family in (*_TABLE, OtherEvent)}
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_NOT_YET = (None, "", "null")  # how an answer without an end says so


def read(frame: str | bytes, at: float = 0.0) -> list[Event]:
    """The events in a frame: one, nearly always."""
    data = frame if isinstance(frame, bytes) else frame.encode("utf-8", "replace")
    found = _PEEK(data, 0, _FRONT)
    known = _DECODERS.get(found[1]) if found else None
    if known is not None:
        try:
            event: Event = known[1](data)
        except _UNREADABLE:
            pass
        else:
            if event.type == known[0]:
                event.at, event.source = at, data
                return [event]
    events = _slowly(data)
    for event in events:
        event.at, event.source = at, data
    return events


def _slowly(data: bytes) -> list[Event]:
    """Frames that are not as they should be, or have their name where it was not looked for."""
    try:
        wire = _decoded(data)
    except (ValueError, RecursionError) as broken:
        return [OtherEvent(broken=f"no JSON: {broken}"[:200])]
    if not isinstance(wire, dict):
        return [OtherEvent(broken=f"no JSON object but {type(wire).__name__}")]
    name = wire.get("type")
    if not isinstance(name, str) and isinstance(wire.get("choices"), list):
        return _choices(wire)
    family = SPEC.get(name, OtherEvent) if isinstance(name, str) else OtherEvent
    if family is AudioEvent:
        wire["delta"] = _mended(wire.get("delta"))
    try:
        event: Event = _LENIENT[family].decode(msgspec.json.encode(wire))
    except (msgspec.DecodeError, RecursionError) as misfit:
        return [OtherEvent(type=name if isinstance(name, str) else "", broken=f"not as expected: {misfit}"[:200])]
    return [event]


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except _UNREADABLE:  # half a surrogate pair, a stray byte
        wire = json.loads(data.decode("utf-8", "replace"))
        return msgspec.json.decode(json.dumps(wire, ensure_ascii=False).encode("utf-8", "replace"))


def _mended(text: Any) -> bytes:
    """Base64 that a strict reader refuses: no padding, line breaks, the other alphabet."""
    if not isinstance(text, str):
        return b""
    plain = re.sub(r"[^A-Za-z0-9+/]", "", text.replace("-", "+").replace("_", "/"))
    whole = plain[: len(plain) - (len(plain) % 4 == 1)]
    return binascii.a2b_base64(whole + "=" * (-len(whole) % 4))


def _choices(wire: dict[str, Any]) -> list[Event]:
    """An answer in the frames of chat, which one digest reports: text, sound and an end without names."""
    events: list[Event] = []
    for choice in wire["choices"]:
        choice = choice if isinstance(choice, dict) else {}
        message = choice.get("message") or choice.get("delta")
        content = message.get("content") if isinstance(message, dict) else None
        for part in [{"text": content}] if isinstance(content, str) else content if isinstance(content, list) else ():
            events += _spoken(part) if isinstance(part, dict) else ()
        if choice.get("finish_reason") not in _NOT_YET:
            response = {"status": "completed", "usage": wire.get("usage")}
            events.append(ResponseEvent(type="response.done", response=response))
    return events or [OtherEvent(broken="an answer with nothing in it")]


def _spoken(part: dict[str, Any]) -> list[Event]:
    text, audio = part.get("text"), part.get("audio")
    said: list[Event] = [TextEvent(type="response.text.delta", delta=text)] if text and isinstance(text, str) else []
    pcm = _mended(audio.get("data")) if isinstance(audio, dict) else b""
    return said + ([AudioEvent(type="response.audio.delta", pcm=pcm)] if pcm else [])
