"""The card of fill-in-the-middle: the program, with the new part marked."""

from __future__ import annotations

from qwenkit.display.page import Bundle, escape, foot, note, page
from qwenkit.display.reply import Body, footer
from qwenkit.display.text import clip
from qwenkit.types.completion import Completion

MAX_AROUND = 4_000
MAX_MIDDLE = 20_000


def completion(value: Completion) -> Bundle:
    return {"text/plain": value.code, "text/html": card(value)}


def card(value: Completion, *, remark: str = "", running: bool = False, words: Body | None = None) -> str:
    """The card; what stands around the gap is shown as far as it is near."""
    before, after = value.before[-MAX_AROUND:], value.after[:MAX_AROUND]
    middle, rest = clip(value.text, MAX_MIDDLE)
    marked = f'<mark class="qk-middle">{escape(middle)}</mark>' if middle else ""
    cut = "Cut at max_tokens." if value.finish_reason == "length" else ""
    return page(
        "completion",
        f'<pre class="qk-code"><code>{escape(before)}{marked}{escape(after)}</code></pre>',
        note(rest),
        note(remark or cut, "warn"),
        foot([] if running else footer(value)),
    )
