"""Markdown that a model wrote, as HTML that is safe to put in a page.

Raw HTML stays text. Links go to http, https or mailto addresses and nowhere else; nothing is fetched by looking: an
image becomes a link that names its host. Headings become bold lines, so that an answer does not climb into the
notebook's table of contents. The same text gives the same bytes, and no text takes long: both ends are capped.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qwenkit.display import mathematics
from qwenkit.display.page import MAX_HTML, escape, escape_raw, note, source
from qwenkit.display.text import clean, clip, reveal

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

# About 15,000 tokens of English; `print(reply)` has no limit.
MAX_CHARS = 60_000
MAX_LINES = 1_500
# Deeper lists and quotes are cut off: nobody reads them and the parser recurses.
MAX_NESTING = 24

_SAFE_LINK = re.compile(r"(?:https?://[^/\s]|mailto:[^\s])", re.IGNORECASE)
_LINK_ATTRIBUTES = {"rel": "noopener noreferrer nofollow", "target": "_blank"}
_LINK = " ".join(f'{name}="{value}"' for name, value in _LINK_ATTRIBUTES.items())
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,24}")


def markdown(text: str, *, chars: int = MAX_CHARS, lines: int = MAX_LINES) -> str:
    """The text as safe HTML, with a note when it was too long to show whole."""
    shown, rest = clip(clean(text[: chars + 1]) if len(text) > chars else clean(text), chars, lines)
    if len(text) > chars:
        rest = f"… {len(text) - len(shown):,} more characters"
    body = reveal(_parser().render(shown))
    if len(body) > MAX_HTML // 2:  # markup far heavier than its text: a table of empty cells, say
        body = source(shown[: MAX_HTML // 16])
    return body + note(rest)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    options = {"html": False, "linkify": False, "breaks": True, "xhtmlOut": False, "maxNesting": MAX_NESTING}
    md = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    md.validateLink = lambda url: bool(_SAFE_LINK.match(url.strip()))  # type: ignore[method-assign]
    md.use(mathematics.plugin)
    md.core.ruler.push("tame", _tame)
    for kind, rule in _RULES.items():
        md.add_render_rule(kind, rule)
    return md


def _tame(state: StateCore) -> None:
    """One walk over the tokens: headings to bold lines, links marked, images to links."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.meta = {"level": token.tag[1:]}
        for child in _tamed(token.children or []):
            if child.type == "link_open":
                child.attrs.update(_LINK_ATTRIBUTES)


def _tamed(children: list[Token]) -> list[Token]:
    depth = 0
    for child in children:
        depth += {"link_open": 1, "link_close": -1}.get(child.type, 0)
        if child.type == "image":
            child.meta = {"linked": depth > 0}
    return children


def _image(_: Any, tokens: list[Token], at: int, *rest: Any) -> str:
    """An image is named, not loaded: looking at an answer sends no request."""
    url = str(tokens[at].attrs.get("src", ""))
    name = f"image: {tokens[at].content or 'no description'} ({_host(url)})"
    if tokens[at].meta["linked"]:
        return f'<span class="qk-image">{escape_raw(name)}</span>'
    return f'<a class="qk-image" href="{escape(url)}" {_LINK}>{escape_raw(name)}</a>'


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or url[:40]
    except ValueError:
        return url[:40]


def _fence(_: Any, tokens: list[Token], at: int, *rest: Any) -> str:
    language = _LANGUAGE.match(tokens[at].info.strip())
    return source(tokens[at].content.removesuffix("\n"), language[0] if language else "") + "\n"


def _heading_open(_: Any, tokens: list[Token], at: int, *rest: Any) -> str:
    return f'<p class="qk-h qk-h{tokens[at].meta["level"]}"><strong>'


_RULES: dict[str, Any] = {
    "image": _image,
    "fence": _fence,
    "code_block": _fence,
    "heading_open": _heading_open,
    "heading_close": lambda *_: "</strong></p>\n",
    "table_open": lambda *_: '<div class="qk-scroll"><table>',
    "table_close": lambda *_: "</table></div>\n",
}
