"""The card of speech in another language: what was heard, and what was said instead, with its sound."""

from __future__ import annotations

from qwenkit.display import reply
from qwenkit.display.audio import said
from qwenkit.display.markdown import MAX_CHARS
from qwenkit.display.page import Bundle, foot, head, note, page
from qwenkit.display.text import line
from qwenkit.types.live import Translation

MAX_NAME = 40
UNHEARD = "Nobody was heard to speak."


def translation(value: Translation) -> Bundle:
    heard, words = line(value.heard.text, MAX_CHARS), reply.plain(value)
    told = f"{heard}\n→ {words}" if heard else words
    return {"text/plain": told or UNHEARD, "text/html": card(value)}


def card(value: Translation, *, remark: str = "", running: bool = False, words: reply.Body | None = None) -> str:
    """Below the original stands what it became; while it grows there is nothing to play yet."""
    told = " → ".join(line(each, MAX_NAME) for each in (value.heard.language, value.to) if each)
    parts = [head(told), said(value.heard.text), *(reply.answer(each, chars=MAX_CHARS) for each in value.choices)]
    if running or remark:
        return page("reply qk-running", *parts, note(remark, "warn"))
    sound = "" if value.audio is None else reply.spoken(value.audio)
    silent = "" if value.heard.text or value.text else note(UNHEARD)
    return page("reply", *parts, silent, sound, foot(reply.footer(value)))
