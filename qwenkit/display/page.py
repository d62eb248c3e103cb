"""The frame that every card shares: one root element, one small style sheet, and a few pieces of plain HTML.

What comes out is script-free, loads nothing, and still reads well where a host strips the style sheet: lists, tables
and `<details>` carry the meaning, CSS only the look. Every text passes `escape`. Figures that vary from run to run go
through `volatile`, so that a test which compares notebooks can leave them out. The root is closed to MathJax; only
spans that `mathematics` has checked open it again.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files

from qwenkit.display.text import clean, reveal

Bundle = dict[str, str]

# An output is saved in the notebook; nothing one value shows may make the file heavy. Pictures, sounds and films inside
# a card have bounds of their own.
MAX_HTML = 180_000
_CARRIED = re.compile(r' (?:src|poster|href)="data:[^"]*"')

# The sandbox takes any free port, another one each time.
_PORT = re.compile(r"((?:127\.0\.0\.1|localhost|\[::1\])):(\d{2,5})")


def escape(text: object) -> str:
    """Any text as inert HTML."""
    return html.escape(clean(str(text)))


def escape_raw(text: str) -> str:
    """As `escape`, for text that `clean` has seen already but that may have been decoded since."""
    return html.escape(reveal(text))


def volatile(text: str) -> str:
    """A figure that differs from run to run: shown, and marked so that comparisons skip it."""
    return f'<span class="qk-volatile">{escape(text)}</span>'


def address(text: str) -> str:
    """Text that may name a server, as HTML: the port of a server on this machine is volatile."""
    return _PORT.sub(r'\1<span class="qk-volatile">:\2</span>', escape(text))


def portless(text: str) -> str:
    """The same for `text/plain`, which holds nothing that varies."""
    return _PORT.sub(r"\1", clean(text))


def page(kind: str, *parts: str) -> str:
    """A whole card: style, root element, parts in order (empty ones left out)."""
    body = "\n".join(part for part in parts if part)
    if len(body) > MAX_HTML and len(_CARRIED.sub("", body)) > MAX_HTML:
        body = note("Too much to show here. The value holds all of it; print() shows its text.")
    card = f'<div class="qk qk-{kind} mathjax_ignore tex2jax_ignore">\n{body}\n</div>'
    return f"<style>{style(card)}</style>\n{card}"


def style(markup: str) -> str:
    """The part of the style sheet that this markup needs."""
    return "".join(rules for needle, rules in _sections() if needle in markup)


@cache
def _sections() -> list[tuple[str, str]]:
    css = files("qwenkit.display").joinpath("page.css").read_text("utf-8")
    pieces = re.split(r"/\* when (\S+) \*/", css)
    return [(needle, _squeeze(rules)) for needle, rules in zip(["", *pieces[1::2]], pieces[::2], strict=True)]


def _squeeze(css: str) -> str:
    css = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", css, flags=re.S))
    return re.sub(r" ?([{};,>]) ?", r"\1", css).replace(": ", ":").replace(";}", "}").strip()


def head(title: str, *facts: str) -> str:
    """The first line of a card: its title in bold, facts (HTML) after it."""
    more = "".join(f" <span>{fact}</span>" for fact in facts)
    return f'<p class="qk-head"><strong>{escape(title)}</strong>{more}</p>'


def foot(facts: Iterable[str]) -> str:
    """The last line of a card: small facts (HTML) with dots between them."""
    line = " · ".join(fact for fact in facts if fact)
    return f'<p class="qk-foot"><small>{line}</small></p>' if line else ""


def note(text: str, kind: str = "") -> str:
    """A remark on its own line; `kind` may be warn or bad. Takes text, not HTML."""
    classes = f"qk-note qk-{kind}" if kind else "qk-note"
    return f'<p class="{classes}">{escape(text)}</p>' if text else ""


def fold(summary: str, body: str, *, open: bool = False, kind: str = "") -> str:
    """Something to open on demand. `summary` and `body` are HTML."""
    classes = f"qk-fold qk-{kind}" if kind else "qk-fold"
    return f'<details class="{classes}"{" open" if open else ""}><summary>{summary}</summary>\n{body}</details>'


def source(text: str, language: str = "") -> str:
    """A block of code or data, as it is."""
    kind = f' class="language-{language}"' if language else ""
    return f'<pre class="qk-code"><code{kind}>{escape(text)}</code></pre>'


# Said in place as well: hosts that strip the style sheet set tables flush right or centre them.
_LEFT = ' style="text-align:left"'
_RIGHT = ' class="qk-right" style="text-align:right"'


def facts(rows: Mapping[str, str]) -> str:
    """Names and values as a two-column table; values are HTML, empty ones are left out."""
    line = f'<tr><th scope="row"{_LEFT}>%s</th><td{_LEFT}>%s</td></tr>'
    lines = "".join(line % (escape(name), text) for name, text in rows.items() if text)
    return f'<table class="qk-facts"><tbody>{lines}</tbody></table>' if lines else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """A table with a head; cells are HTML, the columns in `right` hold figures."""
    sides = [_RIGHT if place in right else _LEFT for place in range(len(heads))]
    top = "".join(f'<th scope="col"{side}>{escape(name)}</th>' for side, name in zip(sides, heads, strict=True))
    lines = (zip(sides, row, strict=True) for row in rows)
    body = "".join("<tr>" + "".join(f"<td{side}>{cell}</td>" for side, cell in row) + "</tr>" for row in lines)
    return f'<div class="qk-scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def bar(part: float, whole: float, *, warn: float = 0.8) -> str:
    """A thin level, as a native meter: it shows without any style sheet."""
    level = min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0
    kind = "bad" if level >= 1 else "warn" if level >= warn else "good"
    return f'<meter class="qk-bar qk-{kind}" min="0" max="1" high="{warn:g}" value="{level:.4g}"></meter>'


def price(cost: object | None, sandbox: bool) -> str:
    """An estimated cost, which in the sandbox nobody pays."""
    if cost is None:
        return ""
    return f"free (live ≈ {cost})" if sandbox else f"≈ {cost}"


def seconds(value: float | None) -> str:
    """A duration a person can read: 0.42 s, 12.3 s."""
    if value is None:
        return ""
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
