"""A conversation as bubbles: yours on the right, the model's across the page, tools and instructions folded.

On top stands how much of the model's window is used, because that is what ends conversations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from qwenkit.display.markdown import markdown
from qwenkit.display.page import Bundle, bar, escape, fold, foot, note, page, source
from qwenkit.display.reply import call
from qwenkit.display.rounds import body, run, thinking
from qwenkit.display.text import clean, clip, line, pretty
from qwenkit.types.message import Message
from qwenkit.types.tools import ToolRun

MAX_MESSAGES = 40
MAX_CHARS = 8_000
# All bubbles together; the oldest go first.
MAX_TOTAL = 48_000
MAX_CALLS = 12
MAX_NAME = 80
PREVIEW = 70
# `text/plain` shows each message's beginning.
PLAIN_CHARS = 600


def conversation(value: Any) -> Bundle:
    """Reads `messages`, `model`, `policy`, `context_used`, `context_limit` and, where there is one, `forgotten`."""
    window = _window(value)  # first: counting makes messages of what the user has put into the list
    shown = _latest(value.messages)
    hidden, forgotten = len(value.messages) - len(shown), getattr(value, "forgotten", 0)
    remarks = [f"{forgotten:,} earlier messages forgotten to fit the window"] if forgotten else []
    remarks += [f"… {hidden:,} earlier messages"] if hidden else []
    results = _results(shown)
    bubbles = [_bubble(each, results) for each in shown if each.tool_call_id not in results]
    level = bar(value.context_used, value.context_limit) if value.context_limit else ""
    facts = foot([escape(line(value.model, MAX_NAME)), escape(f"when full: {value.policy}")])
    level = f'<p class="qk-level">{level} {escape(window)}</p>'
    html = page("conversation", level, *map(note, remarks), *(bubbles or [note("Nothing said yet.")]), facts)
    lines = [f"{value.model}, {window}, when full: {value.policy}", *remarks, *map(_line, shown)]
    return {"text/plain": "\n".join(lines), "text/html": html}


def _latest(messages: list[Message]) -> list[Message]:
    """The newest messages that fit a card."""
    sizes = accumulate(min(len(message.text), MAX_CHARS) for message in reversed(messages[-MAX_MESSAGES:]))
    fitting = sum(1 for size in sizes if size <= MAX_TOTAL)
    return messages[-max(fitting, 1) :]


def _window(value: Any) -> str:
    used, limit = value.context_used, value.context_limit
    return f"{used:,} of {limit:,} tokens" if limit else f"{used:,} tokens"


def _results(messages: Sequence[Message]) -> dict[str | None, Message]:
    """The results that stand beside their call, by its id."""
    asked = {one.get("id") for message in messages for one in message.tool_calls or []} - {None, ""}
    return {each.tool_call_id: each for each in messages if each.role == "tool" and each.tool_call_id in asked}


def _bubble(message: Message, results: Mapping[str | None, Message]) -> str:
    role = message.role if message.role in ("system", "user", "assistant", "tool") else "other"
    if role in ("system", "tool"):
        title = f'{role} <span class="qk-soft">{escape(line(message.text, PREVIEW))}</span>'
        text, rest = clip(pretty(message.text) if role == "tool" else message.text, MAX_CHARS)
        inner = source(text) if role == "tool" else _words(text)
        return fold(title, inner + note(rest), kind=f"turn qk-{role}")
    thought = thinking(markdown(message.reasoning_content or "", chars=MAX_CHARS))
    inner = thought + _words(message.text) + _attached(message.content) + _calls(message.tool_calls or [], results)
    return f'<div class="qk-turn qk-{role}"><p class="qk-who"><small>{escape(_who(message))}</small></p>\n{inner}</div>'


def _who(message: Message) -> str:
    who = {"user": "you", "assistant": "model"}.get(message.role, message.role)
    return line(f"{who} {message.name or ''}", MAX_NAME)


def _words(text: str) -> str:
    return body(markdown(text, chars=MAX_CHARS))


def _attached(content: Any) -> str:
    """Pictures, sound and files of a message, named."""
    parts = content if isinstance(content, list) else []
    kinds = [str(part.get("type", "part")) for part in parts if isinstance(part, dict) and part.get("type") != "text"]
    kinds = [kind.removeprefix("input_").removesuffix("_url") for kind in kinds]
    return note("with " + ", ".join(line(kind, MAX_NAME) for kind in kinds[:MAX_CALLS])) if kinds else ""


def _calls(wire: Sequence[dict[str, Any]], results: Mapping[str | None, Message]) -> str:
    """The calls of a message, each with its result if it has one."""
    parts = []
    for one in wire[:MAX_CALLS]:
        function, result = one.get("function") or {}, results.get(one.get("id"))
        told = (str(function.get("name", "")), str(function.get("arguments", "")))
        parts.append(run(ToolRun("", *told, result=result.text)) if result else call(*told))
    return "".join(parts) + (note(f"… {len(wire) - MAX_CALLS} more calls") if len(wire) > MAX_CALLS else "")


def _line(message: Message) -> str:
    asked = [f"{(one.get('function') or {}).get('name')}(…)" for one in message.tool_calls or []]
    text, rest = clip(clean(message.text[: PLAIN_CHARS * 2]), PLAIN_CHARS)
    return f"{message.role}: {' '.join(part for part in (text, rest, *asked) if part)}"
