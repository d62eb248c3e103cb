"""The prompt cache: which part of a prompt is charged less because it was sent before.

The implicit rule, always on: a prompt is cut into blocks of 64 tokens; the blocks from the beginning on that an earlier
prompt to the same model began with too are hits, if they are 256 tokens or more. The explicit rule takes its place when
a content part carries `cache_control`: the prompt up to each such mark, the first four of them, of 1024 tokens or more,
is kept for five minutes and renewed by every hit. Only digests are kept. Nothing is faster here: what the cache
changes is the bill.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from qwenkit.catalogue import tokens
from qwenkit.sandbox.identity import digest

BLOCK = 64
LEAST = 256
LEAST_MARKED = 1024
MOST_MARKS = 4
MARK_LIFE = 300.0  # seconds
MOST_KEPT = 20_000

Details = dict[str, Any]


class PromptCache:
    """What prompts began with, oldest forgotten first."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[str, None] = OrderedDict()
        self._marks: OrderedDict[str, float] = OrderedDict()

    def details(self, model: str, messages: list[dict[str, Any]], prompt_tokens: int, now: float) -> Details:
        """The `prompt_tokens_details` of a call, which is remembered for the next."""
        marked = list(_marked_prefixes(messages))[:MOST_MARKS]
        if marked:
            return self._explicit(model, marked, now)
        if prompt_tokens < LEAST:
            return {"cached_tokens": 0}
        return {"cached_tokens": min(self._implicit(model, _rendered(messages)), prompt_tokens)}

    def _implicit(self, model: str, text: str) -> int:
        pieces = tokens.split(text)
        chain, hits, unbroken = model, 0, True
        for start in range(0, len(pieces) - BLOCK + 1, BLOCK):
            chain = digest(chain + "".join(pieces[start : start + BLOCK]))
            unbroken = unbroken and chain in self._blocks
            hits += BLOCK if unbroken else 0
            _keep(self._blocks, chain, None)
        return hits if hits >= LEAST else 0

    def _explicit(self, model: str, prefixes: list[str], now: float) -> Details:
        hit = written = 0
        for prefix in prefixes:
            length = tokens.count(prefix)
            if length < LEAST_MARKED:
                continue
            name = digest(f"{model}\n{prefix}")
            if now < self._marks.get(name, 0.0):
                hit = length
            written = length
            _keep(self._marks, name, now + MARK_LIFE)
        created = max(written - hit, 0)
        return {
            "cached_tokens": hit,
            "cache_creation_input_tokens": created,
            "cache_creation": {"ephemeral_5m_input_tokens": created},
            "cache_type": "ephemeral",
        }


def _keep(shelf: OrderedDict[str, Any], name: str, value: Any) -> None:
    shelf[name] = value
    shelf.move_to_end(name)
    if len(shelf) > MOST_KEPT:
        shelf.popitem(last=False)


def _marked_prefixes(messages: list[dict[str, Any]]) -> Iterator[str]:
    """The prompt's text up to each part that carries a mark."""
    so_far = ""
    for message in messages:
        so_far += f"<{message['role']}>"
        content = message.get("content")
        for part in content if isinstance(content, list) else [content]:
            so_far += _text(part)
            if isinstance(part, dict) and part.get("cache_control"):
                yield so_far


def _rendered(messages: list[dict[str, Any]]) -> str:
    return "".join(f"<{message['role']}>{_text(message.get('content'))}" for message in messages)


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):
        return "".join(_text(part) for part in content)
    told = {name: value for name, value in content.items() if name != "perceived"}  # its digest is there
    return str(content["text"]) if "text" in content else json.dumps(told, sort_keys=True)
