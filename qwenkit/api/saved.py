"""A conversation as a file: plain JSON, written whole or not at all. Keys are never part of it.

Functions cannot be written down. The file names them, and a conversation that has them can take it up again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from qwenkit.errors import ConfigError
from qwenkit.protocol import functions, parts
from qwenkit.protocol.media import is_media
from qwenkit.protocol.toolbox import Toolbox
from qwenkit.types.message import Message

# Where a part of a message has its file: its kind, and the name of the field.
_FILES = {"image_url": ("image", "url"), "video_url": ("video", "url"), "input_audio": ("audio", "data")}
SMALL = 1_000_000  # bytes of a picture or a sound that is written into the file itself


def write(facts: dict[str, Any], path: str | Path) -> Path:
    try:
        text = json.dumps(facts, ensure_ascii=False, indent=2).encode("utf-8") + b"\n"
    except (TypeError, ValueError) as unfit:
        raise ConfigError(f"the conversation cannot be written as JSON ({unfit})", hint="keep to plain data") from unfit
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    fresh.write_bytes(text)  # whole, before the old file goes
    os.replace(fresh, target)
    return target


def messages(history: list[Message]) -> list[dict[str, Any]]:
    """A history as a file can hold it: what is small goes in whole, larger files by their path."""
    return [_plain(message.to_wire()) for message in history]


def _plain(thing: Any) -> Any:
    if isinstance(thing, dict):
        return {name: _plain(each) for name, each in thing.items()}
    if isinstance(thing, list):
        return [_plain(each) for each in thing]
    if not is_media(thing):
        return thing
    if not thing.loaded:
        return thing.url
    return str(thing.path) if thing.path is not None and thing.byte_size > SMALL else thing.data_url()


def revived(content: Any) -> Any:
    """Content as it was before it was written: files in it are values again, which can be shown and counted."""
    return [_revived(part) for part in content] if isinstance(content, list) else content


def _revived(part: Any) -> Any:
    place = _FILES.get(str(part.get("type"))) if isinstance(part, dict) else None
    held = part.get(part["type"]) if place else None
    if not place or not isinstance(held, dict) or not isinstance(held.get(place[1]), str):
        return part
    kind, name = place
    try:
        return {**part, part["type"]: {**held, name: _opened(kind, held[name])}}
    except ConfigError:  # no file any more: whoever sends it is told
        return part


def _opened(kind: str, address: str) -> Any:
    if not address.startswith("data:"):
        return parts.value(address, kind)
    from qwenkit.types.audio import Audio
    from qwenkit.types.image import Image
    from qwenkit.types.video import Video

    named: dict[str, type[Image | Audio | Video]] = {"image": Image, "audio": Audio, "video": Video}
    return named[kind].of(address)


def counted(facts: dict[str, Any], most: int) -> tuple[int, int]:
    """How many of the messages the service had counted, and their tokens."""
    told = facts.get("counted")
    if not isinstance(told, list) or len(told) != 2 or not all(type(each) is int and each >= 0 for each in told):
        return 0, 0
    return (told[0], told[1]) if told[0] <= most else (0, 0)


def plain(options: Any) -> tuple[dict[str, Any], list[str]]:
    """Options as a file can hold them, and the names of the functions among the tools, which it cannot."""
    kept = dict(options)
    box = Toolbox(kept.pop("tools", None))
    declared = [tool for tool in box.tools if isinstance(tool, dict)]
    if "tool_choice" in kept:
        kept["tool_choice"] = functions.choice(kept["tool_choice"])
    return {**kept, "tools": declared} if declared else kept, list(box.functions)


def read(path: str | Path, tools: Any) -> tuple[dict[str, Any], list[Message], dict[str, Any]]:
    """Everything the file says, its messages, and its options, with the functions it names taken from these tools."""
    name = Path(path).name
    try:
        facts: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        messages = [Message.of(dict(message)) for message in facts["messages"]]
        for message in messages:
            message.content = revived(message.content)
        options, wanted = dict(facts.get("options") or {}), list(facts.get("functions") or [])
        declared = list(options.get("tools", []))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as bad:
        raise ConfigError(f"{name} is not a saved conversation ({bad})", hint="use talk.save(path)") from bad
    here = Toolbox(tools).functions
    missing = ", ".join(each for each in wanted if each not in here)
    if missing:
        hint = f"restore it into a conversation that has them: qwen.conversation(tools=[{missing}]).restore(…)"
        raise ConfigError(f"{name} uses functions, which a file cannot hold: {missing}", hint=hint)
    ready = [here[each].call for each in wanted]
    return facts, messages, {**options, "tools": [*declared, *ready]} if ready else options
