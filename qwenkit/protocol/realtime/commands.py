"""What a client says: each command is a frame without its event id, ready for `encode(event_id=…, **command)`.

`COMMANDS` names the client events and what each must have; it is there to be looked at. Nothing is refused for not
being in it: a service may know more than we do.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable
from typing import Any

import msgspec

from qwenkit.errors import ConfigError

COMMANDS: dict[str, tuple[str, ...]] = {
    "session.update": ("session",),
    "session.finish": (),
    "input_audio_buffer.append": ("audio",),
    "input_audio_buffer.commit": (),
    "input_audio_buffer.clear": (),
    "input_image_buffer.append": ("image",),
    "input_text_buffer.append": ("text",),
    "input_text_buffer.commit": (),
    "input_text_buffer.clear": (),
    "response.create": (),
    "response.cancel": (),
    "conversation.item.create": ("item",),
    "conversation.item.retrieve": ("item_id",),
    "conversation.item.delete": ("item_id",),
    "conversation.item.truncate": ("item_id", "content_index", "audio_end_ms"),
}
Command = dict[str, Any]
APPEND = "input_audio_buffer.append"
_PLAIN = re.compile(r"[\w-]+", re.ASCII).fullmatch


def encode(type: str, event_id: str = "", **fields: Any) -> str:
    """A frame. Bytes travel as base64; a field that is None is left out."""
    if type == APPEND and len(fields) == 1 and _PLAIN(event_id) and isinstance(sound := fields.get("audio"), bytes):
        return f'{{"event_id":"{event_id}","type":"{APPEND}","audio":"{b2a_base64(sound, newline=False).decode()}"}}'
    told = {name: value for name, value in fields.items() if value is not None}
    frame = {"event_id": event_id, "type": type, **told} if event_id else {"type": type, **told}
    try:
        return msgspec.json.encode(frame).decode()
    except (TypeError, ValueError, RecursionError) as unfit:
        raise ConfigError(
            f"{type} cannot be sent: {unfit}", hint="a frame holds what JSON can hold, and bytes"
        ) from None


def _plain(type: str) -> Callable[[], Command]:
    return lambda: {"type": type}


def _carries(type: str) -> Callable[[Any], Command]:
    """A command with the one thing it must have."""
    return lambda value: {"type": type, COMMANDS[type][0]: value}


finish = _plain("session.finish")
commit = _plain("input_audio_buffer.commit")
clear = _plain("input_audio_buffer.clear")
cancel = _plain("response.cancel")
update = _carries("session.update")
append = _carries(APPEND)  # 16-bit samples at the session's rate
text_append = _carries("input_text_buffer.append")
image = _carries("input_image_buffer.append")  # a JPEG; a session takes it only after sound


def create(**response: Any) -> Command:
    """Ask for an answer. What is said of it holds for this one only."""
    return {"type": "response.create", "response": response or None}


def item(item: dict[str, Any], previous_item_id: str | None = None) -> Command:
    return {"type": "conversation.item.create", "previous_item_id": previous_item_id, "item": item}


def message(text: str) -> Command:
    """Typed words. They are not documented for every model that takes them."""
    return item({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})


def output(call_id: str, result: str) -> Command:
    """What came of a call."""
    return item({"type": "function_call_output", "call_id": call_id, "output": result})


def approval(request_id: str, approve: bool) -> Command:
    """Whether a tool of somebody else's may be called."""
    return item({"type": "mcp_approval_response", "approval_request_id": request_id, "approve": approve})
