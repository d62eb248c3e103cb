"""Numbers in a text that point to its sources, and the sources below it: the same for agents and for retrieval.

A mark that the service or a model wrote becomes a raised number, whose tooltip is the source's title. Only digits and
an escaped title get out of here; the text around them has been through `markdown` already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from qwenkit.display.page import escape, fold, note
from qwenkit.display.text import clip, line
from qwenkit.types.grounded import MARK, numbers

MAX_SOURCES = 20
MAX_SNIPPET = 600
MAX_TITLE = 100
_HEADING = re.compile(r"\A\s*#{1,6} [^\n]*\n+(?=\s*\S)")  # the title above says it
_BREAK = re.compile(r"\n{2,}|\n(?=[-*+|#])")
_ASIDE = r"<(?:pre|code)\b.*?</(?:pre|code)>|<[^>]*>"  # code, and what stands within a tag
_REF = re.compile(rf"{_ASIDE}|\s*&lt;ref&gt;\[(\d{{1,4}})\]&lt;/ref&gt;", re.DOTALL)
_PLAIN = re.compile(f"{_ASIDE}|{MARK}", re.DOTALL)


def raised(
    html: str, titles: Mapping[int, str], *, plain: bool = False, holds: Mapping[int, Sequence[bool]] | None = None
) -> str:
    """Rendered text with its marks as raised numbers; with `plain`, `[1]` is a mark too, where `titles` knows it.

    `holds` tells of each number whether it is right where it stands for the first time, the second, and so on.
    """
    left = {number: list(each) for number, each in (holds or {}).items()}

    def one(number: int) -> str:
        told = left.get(number) or [True]
        right = told.pop(0) if len(told) > 1 else told[0]
        title = escape(line(titles.get(number, ""), MAX_TITLE))
        return f'<sup class="qk-cite{"" if right else " qk-bad"}" title="{title}">{number}</sup>'

    def sign(match: re.Match[str]) -> str:
        found = numbers(match[1]) if match[1] else []
        known = not plain or any(number in titles for number in found)
        return "".join(map(one, found)) if found and known else match[0]

    return (_PLAIN if plain else _REF).sub(sign, html)


def sources(rows: Iterable[tuple[int, str, str, str]], count: int, render: Callable[[str], str] = escape) -> str:
    """Sources to open: number, title, a short fact and the text; what is beyond the cap is said."""
    parts = []
    for number, title, fact, text in list(rows)[:MAX_SOURCES]:
        shown, rest = clip(_HEADING.sub("", text, count=1), MAX_SNIPPET)
        summary = f'<span class="qk-cite">{number}</span> {escape(line(title, MAX_TITLE))}'
        summary += f" <small>{escape(fact)}</small>" if fact else ""
        parts.append(
            fold(
                summary, f'<div class="qk-body" dir="auto"><p>{_BREAK.sub("<br>", render(shown))}</p></div>{note(rest)}'
            )
        )
    more = count - len(parts)
    return "\n".join(parts) + (note(f"… {more} more") if more > 0 else "")
