"""The reply card: thinking folded away, the answer, the tools it asks for, and one line of facts.

`text/plain` is the answer and nothing else, so it is stable and reads well in a terminal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from qwenkit.display.markdown import MAX_CHARS, markdown
from qwenkit.display.page import Bundle, escape, fold, foot, note, page, seconds, source, volatile
from qwenkit.display.text import clip, line
from qwenkit.types.reply import Choice, Reply, ToolCall

MAX_CHOICES = 8
MAX_CALLS = 12
MAX_ARGUMENTS = 2_000
MAX_NAME = 80
# Shorter JSON stays on one line.
ONE_LINE = 76

# What an ending means, for those that need a word.
_ENDINGS = {
    "length": "Cut at max_tokens: raise it, or ask to go on.",
    "content_filter": "Stopped by the service's safety check.",
}

Body = Callable[[Choice], str]


def reply(value: Reply) -> Bundle:
    return {"text/plain": plain(value), "text/html": card(value)}


def card(value: Reply, *, remark: str = "", running: bool = False, words: Body | None = None) -> str:
    """The card. `remark` says how a drawing ended early; while `running`, `words` draws each choice's text instead."""
    shown = value.choices[:MAX_CHOICES]
    words = words or partial(answer, chars=MAX_CHARS // max(len(shown), 1))
    many = len(value.choices) > 1
    parts = [_section(choice, words(choice), many, running) for choice in shown]
    if len(value.choices) > len(shown):
        parts.append(note(f"… {len(value.choices) - len(shown)} more answers in reply.texts"))
    if remark:
        parts.append(note(remark, "warn"))
    facts = [] if running else footer(value)
    return page("reply qk-running" if running else "reply", *parts, foot(facts))


def answer(choice: Choice, *, chars: int) -> str:
    """A choice's thinking and text, whole. Thinking that led to nothing stands open."""
    folded = bool(choice.text or choice.tool_calls)
    thought = thinking(markdown(choice.thinking, chars=chars // 2), open=not folded)
    return thought + body(markdown(choice.text, chars=chars))


def thinking(html: str, *, open: bool = False) -> str:
    return fold("Thinking", body(html), open=open, kind="thinking") if html else ""


def body(html: str) -> str:
    return f'<div class="qk-body" dir="auto">\n{html}</div>' if html else ""


def _section(choice: Choice, words: str, many: bool, running: bool) -> str:
    ending = "" if running else _ENDINGS.get(choice.finish_reason or "", "")
    title = f'<p class="qk-head"><strong>{choice.index + 1}</strong></p>' if many else ""
    inner = "\n".join(part for part in (title, words, calls(choice.tool_calls), note(ending, "warn")) if part)
    if not inner and not running:
        inner = note("The answer is empty.")
    return f'<div class="qk-choice">\n{inner}\n</div>' if many else inner


def calls(tools: list[ToolCall]) -> str:
    """The tool calls of an answer: name and arguments."""
    return "\n".join(call(tool.name, tool.arguments) for tool in tools[:MAX_CALLS]) + (
        note(f"… {len(tools) - MAX_CALLS} more calls") if len(tools) > MAX_CALLS else ""
    )


def call(name: str, arguments: str) -> str:
    text, rest = clip(pretty(arguments), MAX_ARGUMENTS)
    title = f'<p class="qk-head">calls <code>{escape(line(name, MAX_NAME))}</code></p>'
    return f'<div class="qk-call">{title}{source(text, "json")}{note(rest)}</div>'


def footer(value: Reply) -> list[str]:
    """Model, tokens, cost, time: what the last line says, as HTML. Times vary and are marked."""
    receipt = value.receipt
    return [
        escape(line(value.model or receipt.model, MAX_NAME)),
        "sandbox" if receipt.sandbox else "",
        _tokens(value),
        _cost(value),
        f"{receipt.tries} tries" if receipt.tries > 1 else "",
        "with logprobs" if any(choice.logprobs for choice in value.choices) else "",
        volatile(_times(receipt.latency, receipt.first_token)) if receipt.latency is not None else "",
    ]


def _tokens(value: Reply) -> str:
    usage = value.usage
    if usage is None:
        return ""
    kinds = {"thinking": usage.reasoning, "cached": usage.cached, "audio": usage.audio, "image": usage.image}
    extra = ", ".join(f"{count:,} {name}" for name, count in kinds.items() if count)
    return f"{usage.prompt:,} + {usage.completion:,} tokens" + (f" ({extra})" if extra else "")


def _cost(value: Reply) -> str:
    if value.cost is None:
        return ""
    return f"free (live ≈ {escape(value.cost)})" if value.receipt.sandbox else f"≈ {escape(value.cost)}"


def _times(latency: float, first: float | None) -> str:
    return seconds(latency) + (f", first token {seconds(first)}" if first is not None else "")


def plain(value: Reply) -> str:
    """The answer as text; several answers numbered, a tool call as a line of its own."""
    texts = [_plain_choice(choice) for choice in value.choices[:MAX_CHOICES]]
    return texts[0] if len(texts) == 1 else "\n\n".join(f"[{n}] {text}" for n, text in enumerate(texts, 1))


def _plain_choice(choice: Choice) -> str:
    return "\n".join([choice.text, *map(plain_call, choice.tool_calls[:MAX_CALLS])]).strip("\n")


def plain_call(tool: ToolCall) -> str:
    return f"{line(tool.name, MAX_NAME)}({clip(tool.arguments, MAX_ARGUMENTS)[0]})"


def pretty(data: str) -> str:
    """JSON text set out to be read: on one line when it fits, else indented. Anything else comes back as it is."""
    try:
        value = json.loads(data)
        flat = json.dumps(value, ensure_ascii=False)
        return flat if len(flat) <= ONE_LINE else json.dumps(value, ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return data
