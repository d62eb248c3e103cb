"""The list of what may be in a card, and a reader that holds markup against it."""

from __future__ import annotations

import re
from collections.abc import Set
from html.parser import HTMLParser

from qwenkit.display.page import style

_VOID = {"br", "hr", "meter"}
_TEXT = {"div", "p", "span", "strong", "em", "s", "a", "code", "pre", "small", "hr", "br", "blockquote"}
MAP = {"svg", "circle", "path", "title"}
TAGS = _TEXT | {
    "sup",
    "mark",
    "ul",
    "ol",
    "li",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "meter",
}
_CLASS = re.compile(r"(qk|qk-[\w-]+|language-[A-Za-z0-9_+#.-]+|(mathjax|tex2jax)_(process|ignore))")
_VALUES = {
    "class": re.compile(rf"{_CLASS.pattern}( {_CLASS.pattern})*"),
    "dir": re.compile("auto"),
    "style": re.compile("text-align:(left|center|right)"),
    "scope": re.compile("col|row"),
    "open": re.compile(""),
}
_OF_TAG = {
    "a": {
        "href": re.compile(r"(https?://[^/\s]|mailto:)[^\s]*", re.IGNORECASE),
        "rel": re.compile("noopener noreferrer nofollow"),
        "target": re.compile("_blank"),
        "title": re.compile(r"[^\x00-\x08]*"),
    },
    "ol": {"start": re.compile(r"\d+")},
    "sup": {"title": re.compile(r"[^\x00-\x08]*")},
    "span": {"style": re.compile(r"color:#[0-9a-f]{6}|white-space:nowrap")},
    "svg": {
        "viewbox": re.compile(r"0 0 \d+ \d+"),
        "width": re.compile(r"\d+"),
        "role": re.compile("img"),
        "aria-label": re.compile(r"map of \d+ chunks"),
        "style": re.compile("max-width:100%;height:auto"),
    },
    "circle": {
        **dict.fromkeys(("cx", "cy", "r", "stroke-width"), re.compile(r"[\d.]+")),
        **dict.fromkeys(("fill", "stroke"), re.compile("none|currentColor|#[0-9a-f]{6}")),
    },
    "path": {
        "d": re.compile(r"[MHV\d. -]+"),
        "stroke": re.compile("currentColor"),
        "stroke-width": re.compile(r"[\d.]+"),
    },
    "meter": dict.fromkeys(("min", "max", "high", "value"), re.compile(r"[\d.e-]+")),
}


class _Reader(HTMLParser):
    def __init__(self, more: Set[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.more = more
        self.open: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS or tag in self.more, f"<{tag}> is not on the list"
        for name, value in attrs:
            rule = _OF_TAG.get(tag, {}).get(name) or _VALUES.get(name)
            assert rule is not None, f"<{tag} {name}> is not on the list"
            assert rule.fullmatch(value or ""), f'<{tag} {name}="{value}"> is not on the list'
        if tag == "a":
            found = dict(attrs)
            assert found.get("rel"), f"a link without rel: {found}"
            self.links.append(str(found.get("href")))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes the wrong element"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:60]!r}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def read(html: str, more: Set[str] = frozenset()) -> _Reader:
    """The markup of a card (or a part of one), checked tag by tag, attribute by attribute; with a map also `MAP`."""
    sheet, _, markup = html.rpartition("</style>\n") if html.startswith("<style>") else ("", "", html)
    if sheet:
        assert sheet == f"<style>{style(markup)}", "the style sheet is ours and nothing but ours"
    reader = _Reader(more)
    reader.feed(markup)
    reader.close()
    assert not reader.open, f"left open: {reader.open}"
    return reader
