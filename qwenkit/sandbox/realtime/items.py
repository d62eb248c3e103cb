"""The conversation of a session: its items, as they are shown on the wire and as the mind is told them.

The oldest turns are forgotten beyond what the model keeps, without a word.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from qwenkit.catalogue import Model, tokens
from qwenkit.sandbox.realtime.wrong import Wrong, missing, unlike

Json = dict[str, Any]
AUDIO_TOKENS = {"in": 7.0, "out": 12.5}  # a second, where nobody says
LEAST_IMAGE, MOST_IMAGE = 4, 1280
_PATCHES = {"qwen-omni-turbo-realtime": 28}
_NO_ITEM = "Item with id '{}' does not exist."
_KEYS = {"function_call_output": ("call_id", "output"), "function_call": ("call_id", "name", "arguments")}
_TYPES = ("message", *_KEYS, "mcp_approval_response")


@dataclass
class Item:
    """One item: `wire` is what is shown, `message` what the mind reads."""

    wire: Json
    message: Json = field(default_factory=dict)
    seconds: float = 0.0  # of sound that was sent
    pictures: int = 0  # tokens
    marks: list[tuple[int, int]] = field(default_factory=list)  # (ms of the reply's sound, characters begun by then)

    @property
    def id(self) -> str:
        return str(self.wire["id"])


def wire(id: str, type: str, status: str = "completed", **fields: Any) -> Json:
    return {"id": id, "object": "realtime.item", "type": type, "status": status, **fields}


@dataclass
class Conversation:
    """All items in order."""

    model: Model
    items: list[Item] = field(default_factory=list)

    def put(self, item: Item, after: Any = None) -> None:
        """Add an item: at the end, after the one named, or first of all after "root"."""
        if any(each.id == item.id for each in self.items):
            raise Wrong(f"Item with id '{item.id}' already exists.", "item.id")
        place = len(self.items) if after is None else 0
        if after not in (None, "root"):
            place = self.items.index(self.get(after, "previous_item_id")) + 1
        self.items.insert(place, item)

    def get(self, id: Any, param: str = "item_id") -> Item:
        found = next((each for each in self.items if each.id == id), None)
        if found is None:
            raise Wrong(_NO_ITEM.format(id), param)
        return found

    def truncate(self, id: Any, end_ms: Any) -> None:
        """Forget what of a spoken reply was not heard."""
        item = self.get(id)
        if not isinstance(end_ms, int) or not (item.marks and item.wire["content"]):
            raise Wrong("Only spoken messages of the assistant can be truncated.", "item_id")
        upto = next((at for ms, at in item.marks if ms >= end_ms), None)
        item.message["content"] = item.message["content"][:upto]
        for part in item.wire["content"]:
            part |= {"text": part["text"][:upto], "transcript": part["text"][:upto]}

    def unanswered(self) -> bool:
        """Whether a call has no output yet."""
        calls, outputs = (
            {each.wire["call_id"] for each in self.items if each.wire["type"] == type}
            for type in ("function_call", "function_call_output")
        )
        return not calls <= outputs

    def kept(self, most_turns: int | None = None, room: float = math.inf) -> list[Item]:
        """What the model has before it: whole turns from the newest back, within its caps and so many tokens of text.

        Pictures have a cap of their own.
        """
        limits, kept = self.model.limits, list[Item]()
        turns = most_turns or int(limits.get("audio_turns_kept", 0)) or math.inf
        seconds, films = limits.get("audio_seconds_kept", math.inf), limits.get("video_turns_kept", math.inf)
        for turn in self._turns():
            spent = sum(each.seconds for each in (*turn, *kept))
            room -= tokens.count_messages([each.message for each in turn])
            if turns < 1 or (kept and (spent > float(seconds) or room < 0)):
                break
            shown = sum(bool(each.pictures) for each in (*turn, *kept)) <= float(films)
            kept, turns = [*(each if shown else _unseen(each) for each in turn), *kept], turns - 1
        return kept

    def _turns(self) -> Iterator[list[Item]]:
        """What a user said and all that followed, the newest first."""
        end = len(self.items)
        for at in range(end - 1, -1, -1):
            if at == 0 or self.items[at].wire.get("role") == "user":
                yield self.items[at:end]
                end = at


def messages(items: Iterable[Item]) -> list[Json]:
    """What the mind reads; calls that were made together are one message."""
    told: list[Json] = []
    for message in (item.message for item in items):
        if told and "tool_calls" in message and "tool_calls" in told[-1]:
            told[-1] = {**told[-1], "tool_calls": told[-1]["tool_calls"] + message["tool_calls"]}
        else:
            told.append(message)
    return told


def cost(model: Model, items: list[Item], channels: int, compact: bool) -> tuple[int, int]:
    """Tokens of the sound and of the pictures."""
    sound = sum(audio_tokens(model, each.seconds, "in") for each in items if each.seconds)
    seen = sum(each.pictures for each in items)
    return sound * (2 if channels > 1 else 1), math.ceil(seen / 4) if compact else seen


def _unseen(item: Item) -> Item:
    content = item.message.get("content")
    parts = [part for part in content if part["type"] != "seen"] if isinstance(content, list) else content
    return Item(item.wire, {**item.message, "content": parts}, item.seconds)


def audio_tokens(model: Model, seconds: float, way: str) -> int:
    """What sound costs; less than a second counts as one."""
    rate = float(model.limits.get(f"audio_tokens_per_second_{way}") or AUDIO_TOKENS[way])
    return math.ceil(max(seconds, 1.0) * rate)


def image_tokens(model: Model, width: int, height: int) -> int:
    patch = _PATCHES.get(model.line or model.name, 32)
    return min(max(math.ceil(width / patch) * math.ceil(height / patch), LEAST_IMAGE), MOST_IMAGE)


# -- items that a client makes ---------------------------------------------------------------------------------------


def made(given: Any, id: str) -> Item:
    """The item of a `conversation.item.create`, under its own id if it brought one."""
    if not isinstance(given, dict):
        raise missing("item")
    type, name = given.get("type"), given.get("id")
    id = name if isinstance(name, str) and name else id
    if type not in _TYPES:
        raise unlike(type, " or ".join(_TYPES), "item.type")
    if type == "message":
        return _message(given, id)
    if type == "mcp_approval_response":  # no server was reached, so nothing waits for one
        raise Wrong(_NO_ITEM.format(given.get("approval_request_id")), "item.approval_request_id")
    for key in _KEYS[type]:
        if not isinstance(given.get(key), str):
            raise missing(f"item.{key}")
    shown = wire(id, type, **{key: given[key] for key in _KEYS[type]})
    if type == "function_call":
        return called(shown)
    return Item(shown, {"role": "tool", "tool_call_id": shown["call_id"], "content": shown["output"]})


def called(shown: Json) -> Item:
    """A call that was made, by the mind or in a conversation that is told again."""
    function = {"name": shown["name"], "arguments": shown["arguments"]}
    call = {"id": shown["call_id"], "type": "function", "function": function}
    return Item(shown, {"role": "assistant", "content": "", "tool_calls": [call]})


def _message(given: Json, id: str) -> Item:
    role, parts = given.get("role"), given.get("content")
    if role not in ("user", "assistant", "system"):
        raise unlike(role, "'user'", "item.role")
    if not isinstance(parts, list) or not parts:
        raise missing("item.content")
    words = "\n".join(_words(part if isinstance(part, dict) else {}) for part in parts)
    return Item(wire(id, "message", role=role, content=parts), {"role": role, "content": words})


def _words(part: Json) -> str:
    if part.get("type") in ("input_image", "input_video"):
        raise Wrong("Invalid video file.", "item.content")
    text = part.get("text", part.get("transcript"))
    if not isinstance(text, str):
        raise unlike(part.get("type"), "'input_text'", "item.content.type")
    return text
