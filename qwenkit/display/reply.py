"""The reply card: thinking folded away, the answer, the tools it asks for, and one line of facts.

`text/plain` is the answer and nothing else, so it is stable and reads well in a terminal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from qwenkit.display import rounds, structured
from qwenkit.display.markdown import MAX_CHARS, markdown
from qwenkit.display.page import Bundle, escape, foot, note, page, seconds, source, volatile
from qwenkit.display.rounds import body, thinking
from qwenkit.display.sound import player, shortened
from qwenkit.display.text import clip, line, pretty
from qwenkit.errors import SchemaMismatch
from qwenkit.types.audio import Audio
from qwenkit.types.reply import Choice, Reply, ToolCall

MAX_CHOICES = 8
MAX_CALLS = 12
MAX_ARGUMENTS = 2_000
MAX_NAME = 80

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
    words = words or partial(_words, value, MAX_CHARS // max(len(shown), 1))
    many = len(value.choices) > 1
    parts = [_section(choice, words(choice), many, running) for choice in shown]
    parts.insert(0, rounds.rounds(value.rounds))
    if len(value.choices) > len(shown):
        parts.append(note(f"… {len(value.choices) - len(shown)} more answers in reply.texts"))
    if value.rounds and value.tool_calls and not running:
        parts.append(note("Stopped here: these calls were not carried out. talk() goes on.", "warn"))
    if remark:
        parts.append(note(remark, "warn"))
    if running:
        return page("reply qk-running", *parts)
    sound = "" if value.audio is None else spoken(value.audio)
    return page("reply", *parts, sound, foot(footer(value)))


def spoken(audio: Audio) -> str:
    """The player of a spoken answer, in full quality as far as an answer goes."""
    voice = str(audio.meta.get("voice") or "")
    return player(audio, voice) + note(shortened(audio)) if audio.duration else note("No sound came with it.")


def _words(value: Reply, chars: int, choice: Choice) -> str:
    """A choice's words as its reply wants them: after its prefix, or as the value they hold."""
    choice = replace(choice, text=value.prefix + choice.text)
    if value.schema is None or choice.tool_calls:
        return answer(choice, chars=chars)
    try:
        shown = structured.view(value.value if len(value.choices) == 1 else json.loads(choice.text))
    except SchemaMismatch as wrong:
        shown = source(pretty(choice.text)) + note(wrong.message, "warn")
    except ValueError:
        shown = source(choice.text)
    return thinking(markdown(choice.thinking, chars=chars // 2)) + shown


def answer(choice: Choice, *, chars: int) -> str:
    """A choice's thinking and text, whole. Thinking that led to nothing stands open."""
    folded = bool(choice.text or choice.tool_calls)
    thought = thinking(markdown(choice.thinking, chars=chars // 2), open=not folded)
    return thought + body(markdown(choice.text, chars=chars))


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
    receipt, rounds_ran = value.receipt, len(value.rounds)
    return [
        escape(line(value.model or receipt.model, MAX_NAME)),
        "sandbox" if receipt.sandbox else "",
        f"after {rounds_ran} round{'s' * (rounds_ran > 1)} of tools" if rounds_ran else "",
        _tokens(value),
        _sounding(value),
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
    kinds["written to the cache"] = usage.cache_created
    extra = ", ".join(f"{count:,} {name}" for name, count in kinds.items() if count)
    return f"{usage.prompt:,} + {usage.completion:,} tokens" + (f" ({extra})" if extra else "")


def _sounding(value: Reply) -> str:
    if value.audio is None:
        return ""
    voice = escape(line(str(value.audio.meta.get("voice") or ""), MAX_NAME))
    return f"{voice}, {seconds(value.audio.duration)}" if voice else seconds(value.audio.duration)


def _cost(value: Reply) -> str:
    if value.cost is None:
        return ""
    thought = f", of it thinking {escape(value.thinking_cost)}" if value.thinking_cost else ""
    live = f"≈ {escape(value.cost)}{thought}"
    return f"free (live {live})" if value.receipt.sandbox else live


def _times(latency: float, first: float | None) -> str:
    return seconds(latency) + (f", first token {seconds(first)}" if first is not None else "")


def plain(value: Reply) -> str:
    """The answer as text; several answers numbered, a tool call as a line of its own."""
    texts = [_plain_choice(choice, value.prefix) for choice in value.choices[:MAX_CHOICES]]
    if value.rounds:
        texts[:1] = ["\n".join(text for text in (rounds.plain(value.rounds), *texts[:1]) if text)]
    return texts[0] if len(texts) == 1 else "\n\n".join(f"[{n}] {text}" for n, text in enumerate(texts, 1))


def _plain_choice(choice: Choice, prefix: str = "") -> str:
    return "\n".join([prefix + choice.text, *map(plain_call, choice.tool_calls[:MAX_CALLS])]).strip("\n")


def plain_call(tool: ToolCall) -> str:
    return f"{line(tool.name, MAX_NAME)}({clip(tool.arguments, MAX_ARGUMENTS)[0]})"
