"""One bill from every spelling of it.

Chat says `prompt_tokens`, the native, Responses and embedding APIs `input_tokens`; the parts have two names as well,
and may be missing or null. Whatever came, a `Usage` comes out. What a bill says beside tokens (built-in tools, seconds,
images) is kept too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwenkit.types.usage import CompletionDetails, PromptDetails, Usage

_SECONDS = ("seconds", "duration", "video_duration")
_CACHE = ("cached_tokens", "cache_creation_input_tokens", "cache_type")


def usage(wire: Any) -> Usage | None:
    """The usage in a wire object; None when there is none or it is empty."""
    if not isinstance(wire, Mapping) or not wire:
        return None
    prompt = _count(wire, "prompt_tokens", "input_tokens")
    completion = _count(wire, "completion_tokens", "output_tokens")
    total = _count(wire, "total_tokens") or prompt + completion
    if total and not prompt and not completion:  # embeddings and rerank name the total only
        prompt = total
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        prompt_tokens_details=_prompt_details(wire),
        completion_tokens_details=_completion_details(wire),
        seconds=_number(next((wire[name] for name in _SECONDS if wire.get(name) is not None), None)),
        lines=_count(wire, "SR"),
        images=_count(wire, "image_count", "output_image_count"),
        characters=_count(wire, "characters"),
        tools=_tools(wire),
    )


def _prompt_details(wire: Mapping[str, Any]) -> PromptDetails | None:
    """Native bills split the prompt in two places: modalities in one, the cache in the other."""
    told = {name: wire[name] for name in ("image_tokens", "video_tokens", "audio_tokens", *_CACHE) if wire.get(name)}
    told = _known(PromptDetails, told, wire.get("input_tokens_details"), wire.get("prompt_tokens_details"))
    return PromptDetails(**told) if told else None


def _completion_details(wire: Mapping[str, Any]) -> CompletionDetails | None:
    told = _known(CompletionDetails, wire.get("completion_tokens_details"), wire.get("output_tokens_details"))
    return CompletionDetails(**told) if told else None


def _known(kind: Any, *parts: Any) -> dict[str, Any]:
    told = [pair for part in parts if isinstance(part, Mapping) for pair in part.items()]
    return {name: value for name, value in told if name in kind.__struct_fields__ and _fits(name, value)}


def _fits(name: str, value: Any) -> bool:
    return isinstance(value, str) if name == "cache_type" else isinstance(value, int)


def _tools(wire: Mapping[str, Any]) -> dict[str, int]:
    """How often each built-in tool was used, from `x_tools` or `plugins`."""
    counts: dict[str, int] = {}
    for part in (wire.get("plugins"), wire.get("x_tools")):
        for name, told in part.items() if isinstance(part, Mapping) else ():
            count = told.get("count") if isinstance(told, Mapping) else told
            if isinstance(count, int) and count:
                counts[str(name)] = count
    return counts


def _count(wire: Mapping[str, Any], *names: str) -> int:
    return next((wire[name] for name in names if isinstance(wire.get(name), int)), 0)


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None
