"""A conversation as bubbles: yours on the right, the model's across the page, tools and instructions folded.

On top stands how much of the model's window is used, because that is what ends conversations. The newest pictures are
shown small and the newest sounds can be played; older ones are only named, so that the card stays light.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from qwenkit.display.markdown import markdown
from qwenkit.display.page import Bundle, bar, escape, fold, foot, note, page, source
from qwenkit.display.pictures import thumbnail
from qwenkit.display.reply import call
from qwenkit.display.rounds import body, run, thinking
from qwenkit.display.sound import player, shortened
from qwenkit.display.text import clean, clip, line, pretty
from qwenkit.errors import QwenError
from qwenkit.types.audio import Audio
from qwenkit.types.image import Image
from qwenkit.types.message import Message
from qwenkit.types.tools import ToolRun

MAX_MESSAGES = 40
MAX_CHARS = 8_000
# All bubbles together; the oldest go first.
MAX_TOTAL = 48_000
MAX_CALLS = 12
MAX_NAME = 80
PREVIEW = 70
# Pictures and sounds that a card holds: the newest, each within so many CSS pixels and bytes, or seconds.
MAX_HELD = {"image": 6, "audio": 2}
SIDE = 160
PICTURE_BYTES = 10_000
FULL_S, MOST_S = 15.0, 30.0
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
    room = dict(MAX_HELD)
    bubbles = [_bubble(each, results, room) for each in reversed(shown) if each.tool_call_id not in results][::-1]
    model = line(getattr(value, "answering", value.model), MAX_NAME)
    level = bar(value.context_used, value.context_limit) if value.context_limit else ""
    facts = foot([escape(model), escape(f"when full: {value.policy}")])
    level = f'<p class="qk-level">{level} {escape(window)}</p>'
    html = page("conversation", level, *map(note, remarks), *(bubbles or [note("Nothing said yet.")]), facts)
    lines = [f"{model}, {window}, when full: {value.policy}", *remarks, *map(_line, shown)]
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


def _bubble(message: Message, results: Mapping[str | None, Message], room: dict[str, int]) -> str:
    role = message.role if message.role in ("system", "user", "assistant", "tool") else "other"
    if role in ("system", "tool"):
        title = f'{role} <span class="qk-soft">{escape(line(message.text, PREVIEW))}</span>'
        text, rest = clip(pretty(message.text) if role == "tool" else message.text, MAX_CHARS)
        inner = source(text) if role == "tool" else _words(text)
        return fold(title, inner + note(rest), kind=f"turn qk-{role}")
    thought = thinking(markdown(message.reasoning_content or "", chars=MAX_CHARS))
    inner = thought + _words(message.text) + _attached(message, room) + _calls(message.tool_calls or [], results)
    return f'<div class="qk-turn qk-{role}"><p class="qk-who"><small>{escape(_who(message))}</small></p>\n{inner}</div>'


def _who(message: Message) -> str:
    who = {"user": "you", "assistant": "model"}.get(message.role, message.role)
    return line(f"{who} {message.name or ''}", MAX_NAME)


def _words(text: str) -> str:
    return body(markdown(text, chars=MAX_CHARS))


def _attached(message: Message, room: dict[str, int]) -> str:
    """Pictures and sounds of a message as far as there is room for them; everything else of it named."""
    spoken = [("audio", message.spoken)] if message.spoken is not None else []
    shown, named = "", []
    for kind, held in [*_held(message.content), *spoken]:
        drawn = _drawn(kind, held, room)
        shown += drawn
        named += [] if drawn else [_named(kind, held)]
    more = [f"… {len(named) - MAX_CALLS} more"] if len(named) > MAX_CALLS else []
    return shown + (note("with " + ", ".join([*named[:MAX_CALLS], *more])) if named else "")


def _held(content: Any) -> list[tuple[str, Any]]:
    """What a message has beside its words: the kind, and the value or the address."""
    found = []
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and part.get("type") != "text":
            told = str(part.get("type", "part"))
            inner = part.get(told)
            held = (inner.get("url") or inner.get("data")) if isinstance(inner, dict) else inner
            found.append((told.removeprefix("input_").removesuffix("_url"), held))
    return found


def _drawn(kind: str, held: Any, room: dict[str, int]) -> str:
    """A picture or a sound that is here; "" for addresses, for what cannot be read, and when the card is full."""
    known: type[Image | Audio] | None = {"image": Image, "audio": Audio}.get(kind)
    if known is None or not room[kind]:
        return ""
    try:
        value = known.of(held) if isinstance(held, str) and held.startswith("data:") else held
        if not isinstance(value, known) or not value.loaded:
            return ""
        drawn = _picture(value) if isinstance(value, Image) else _sound(value)
    except QwenError:
        return ""
    room[kind] -= bool(drawn)
    return drawn


def _picture(image: Image) -> str:
    return f"<p>{thumbnail(image, SIDE, PICTURE_BYTES).tag(image.name)}</p>"


def _sound(audio: Audio) -> str:
    if not audio.duration:
        return ""
    label = str(audio.meta.get("voice") or "")
    played = player(audio, label, full_s=FULL_S, most_s=MOST_S) + note(shortened(audio, FULL_S, MOST_S))
    return f'<div style="min-width:260px">{played}</div>'  # else a bubble of few words is narrower than the player


def _named(kind: str, held: Any) -> str:
    """The kind, and the name of the file where there is one."""
    name = getattr(held, "name", "") if getattr(held, "path", None) is not None else ""
    return line(f"{kind} {name}".strip(), MAX_NAME)


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
    held = [_named(kind, one) for kind, one in _held(message.content)] + ["spoken"] * (message.spoken is not None)
    held = [*held[:MAX_CALLS], "…"] if len(held) > MAX_CALLS else held
    told = f"({', '.join(held)})" if held else ""
    return f"{message.role}: {' '.join(part for part in (text, rest, told, *asked) if part)}"
