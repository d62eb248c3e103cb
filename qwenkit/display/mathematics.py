r"""LaTeX inside markdown: found before markdown can chew on it, checked, and handed to the page's MathJax as written.

Four delimiters open mathematics: `$..$`, `$$..$$`, `\(..\)`, `\[..\]`. A card is closed to MathJax as a whole, so "$5
and $6" stays money; a formula sits in a span that opens it again. TeX is a programming language with links, styles and
definitions that outlive the formula: a formula that uses any of those is shown as source instead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qwenkit.display.page import escape_raw

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

# Longer ones are shown as source: MathJax takes its time over them, and no formula anybody reads is that long.
MAX_FORMULA = 4_000

_OPENS = 'class="qk-math mathjax_process tex2jax_process"'

# Macros that link, load, style, name elements, run things, change later formulas, or reach outside their own box.
_REFUSED = re.compile(
    r"\\(?:href|url|class|cssId|style|data|html\w*|require|includegraphics|unicode|mmlToken|bbox|texttip|mathtip|toggle"
    r"|[gex]?def|let|futurelet|csname|catcode|input|include|write|special|loop|(?:re|provide)?newcommand|renewcommand"
    r"|(?:re)?newenvironment|(?:re)?newtagform|usetagform|Newextarrow|mathtoolsset|definecolor|Declare\w*"
    r"|rule|Rule|Space|raise|lower|moveleft|moveright|(?:math)?(?:llap|rlap|clap)|smash)(?![A-Za-z])"
    r"|\\(?:m?kern|[hmv]skip|[hmv]space\*?)\s*\{?\s*-|\\\\\s*\*?\s*\[\s*-"  # lengths that lead backwards
)
_LABEL = re.compile(r"\\label\s*\{[^{}]*\}")
_WORD = re.compile("[A-Za-z0-9]")  # not Chinese, which puts no space around a formula
_TEX_SIGN = re.compile(r"[\\^_=+<>{}|*/]")


def formula(source: str, *, display: bool) -> str:
    """One formula, delimiters included, as HTML: open to MathJax if it is harmless, else as source."""
    tag = "div" if display else "span"
    if len(source) > MAX_FORMULA or _REFUSED.search(source):
        return f'<code class="qk-refused">{escape_raw(source)}</code>'
    # A label may be set once per page, and a live card is drawn many times.
    return f"<{tag} {_OPENS}>{escape_raw(_LABEL.sub('', source))}</{tag}>"


def plugin(md: MarkdownIt) -> None:
    """Teach a markdown-it parser the four delimiters."""
    md.inline.ruler.before("escape", "formula", _inline)
    md.block.ruler.before("fence", "formula_block", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    md.add_render_rule("formula", lambda _, tokens, at, *rest: formula(tokens[at].content, display=False))
    md.add_render_rule("formula_block", lambda _, tokens, at, *rest: formula(tokens[at].content, display=True) + "\n")


def _inline(state: StateInline, silent: bool) -> bool:
    r"""`$..$`, `$$..$$`, `\(..\)` or `\[..\]` within a paragraph."""
    end = _end(state.src, state.pos, state.posMax)
    if end is None:
        return False
    if not silent:
        token = state.push("formula", "", 0)
        token.content = state.src[state.pos : end]
    state.pos = end
    return True


def _end(src: str, at: int, limit: int) -> int | None:
    two = src[at : at + 2]
    close = {"$$": "$$", r"\(": r"\)", r"\[": r"\]"}.get(two)
    if close:
        found = src.find(close, at + 2, min(limit, at + MAX_FORMULA))
        return found + 2 if found > at + 2 and src[at + 2 : found].strip() else None
    return _dollar_end(src, at, limit) if src[at] == "$" else None


def _dollar_end(src: str, at: int, limit: int) -> int | None:
    """The end of `$..$` after pandoc's rule, and one more: an amount followed by words is money."""
    if src[at + 1 : at + 2].isspace() or _WORD.match(src[at - 1 : at]):
        return None
    close = at
    while (close := src.find("$", close + 1, min(limit, at + MAX_FORMULA))) >= 0:
        if src[close - 1] != "\\":
            break
    inner = src[at + 1 : close] if close > at + 1 else ""
    if not inner or inner[-1].isspace() or _WORD.match(src[close + 1 : close + 2]) or "\n\n" in inner:
        return None
    money = inner[0].isdigit() and " " in inner and not _TEX_SIGN.search(inner)
    return None if money else close + 1


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    r"""`$$` or `\[` at the start of a line, up to the line that ends in its partner."""
    if state.is_code_block(start):
        return False
    first = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]].rstrip()
    close = {"$$": "$$", r"\[": r"\]"}.get(first[:2])
    if not close:
        return False
    last = start if close in first[2:] else _closing_line(state, start, end, close)
    if last is None:
        return False
    content = state.getLines(start, last + 1, state.blkIndent, False).strip()
    if not content[2:-2].strip() or content.find(close, 2) != len(content) - 2:
        return False
    if not silent:
        state.line = last + 1
        token = state.push("formula_block", "", 0)
        token.content = content
        token.map = [start, state.line]
    return True


def _closing_line(state: StateBlock, start: int, end: int, close: str) -> int | None:
    size = 0
    for row in range(start + 1, end):
        content = state.src[state.bMarks[row] + state.tShift[row] : state.eMarks[row]]
        size += len(content)
        if close in content:
            return row
        if size > MAX_FORMULA or (content.strip() and state.sCount[row] < state.blkIndent):
            return None
    return None
