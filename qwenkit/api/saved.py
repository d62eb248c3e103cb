"""A conversation as a file: plain JSON, written whole or not at all. Keys are never part of it.

Functions cannot be written down. The file names them, and a conversation that has them can take it up again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from qwenkit.errors import ConfigError
from qwenkit.protocol import functions
from qwenkit.protocol.toolbox import Toolbox
from qwenkit.types.message import Message


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
