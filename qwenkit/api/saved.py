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


def read(path: str | Path) -> tuple[dict[str, Any], list[Message], dict[str, Any]]:
    """Everything the file says, its messages, and its options."""
    try:
        facts: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        messages = [Message.of(dict(message)) for message in facts["messages"]]
        return facts, messages, dict(facts.get("options") or {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as bad:
        raise ConfigError(f"{Path(path).name} is not a saved conversation ({bad})", hint="use talk.save(path)") from bad


def plain(options: Any) -> dict[str, Any]:
    """Options as a file can hold them: of the tools the dicts, of a function that was chosen the name."""
    kept = dict(options)
    if "tools" in kept:
        kept["tools"] = [tool for tool in functions.several(kept["tools"]) if isinstance(tool, dict)]
    if "tool_choice" in kept:
        kept["tool_choice"] = functions.choice(kept["tool_choice"])
    return {name: value for name, value in kept.items() if name != "tools" or value}


def with_functions(options: dict[str, Any], named: list[str], tools: Any, file: str) -> dict[str, Any]:
    """The options of a file with the functions it names, taken from the tools at hand."""
    here = Toolbox(tools).functions
    missing = ", ".join(name for name in named if name not in here)
    if missing:
        hint = f"restore it into a conversation that has them: qwen.conversation(tools=[{missing}]).restore(…)"
        raise ConfigError(f"{file} uses functions, which a file cannot hold: {missing}", hint=hint)
    ready = [here[name].call for name in named]
    return {**options, "tools": [*options.get("tools", []), *ready]} if ready else options
