"""The words of a web page: blocks become lines, cells of a row are kept apart, headings keep their level.

Scripts, styles, and whatever is not shown to a reader stay out. The page is cut into tags and text by one expression
that never goes back, so that a page made to be slow is not: `html.parser` takes minutes over some.
"""

from __future__ import annotations

import html
import re

from qwenkit.reading.document import TOO_LARGE, Unreadable

MOST_PAGE = 16 * 1024 * 1024  # characters
_TOKEN = re.compile(
    r"""<!--(?s:.*?)(?:-->|\Z)"""
    r"""|<(?P<end>/?)(?P<tag>[a-zA-Z][^\s/>]*+)(?P<marks>(?:[^>"']++|"[^"]*+"|'[^']*+')*+)>?"""
    r"""|<[!?][^>]*+>?"""
    r"""|(?P<text>[^<]++|(?:<(?![a-zA-Z/!?])[^<]*+)++|<)"""
)
_RAW = {name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in ("script", "style", "title", "textarea", "xmp")}
_BLOCK_TAGS = (
    "p div h1 h2 h3 h4 h5 h6 li tr table ul ol dl dt dd br hr pre section article header footer main nav aside "
    "blockquote figure figcaption caption form fieldset details summary address body"
)
_SILENT_TAGS = "script style head template noscript svg math iframe object embed canvas audio video textarea xmp title"
_VOID_TAGS = "area base br col embed hr img input link meta param source track wbr"
_GROUP_TAGS, _IMPLIED_TAGS = "ul ol dl table select body html", "li dt dd td th tr option"
_BLOCKS, _SILENT, _VOID = (frozenset(tags.split()) for tags in (_BLOCK_TAGS, _SILENT_TAGS, _VOID_TAGS))
_GROUPS, _IMPLIED = frozenset(_GROUP_TAGS.split()), frozenset(_IMPLIED_TAGS.split())  # the next implied one ends one
_HIDDEN = re.compile(
    r"""(?:^|[\s"'/])hidden(?=$|[\s=/])|style\s*=\s*["']?[^"'>]*?(?:display\s*:\s*none|visibility\s*:\s*hidden|"""
    r"""(?:font-size|opacity)\s*:\s*0(?![.\d]*[1-9]))""",
    re.IGNORECASE,
)
_MOST_MARKS = 2_000  # characters of a tag in which a sign of hiding is looked for


def prose(page: str) -> str:
    """What a reader of the page sees, as lines."""
    if len(page) > MOST_PAGE:
        raise Unreadable(TOO_LARGE)
    said: list[str] = []
    place, quiet = 0, _Quiet()
    while found := _TOKEN.match(page, place):
        place = found.end()
        if (text := found["text"]) is not None:
            said += [] if quiet.now else [html.unescape(text).replace("\n", " ")]
        elif found["tag"]:
            tag = found["tag"].lower()
            if not found["end"] and tag in _RAW:  # what stands between is no markup
                close = _RAW[tag].search(page, place)
                place = close.start() if close else len(page)
            quiet.meets(tag, bool(found["end"]), found["marks"])
            if not quiet.now:
                said.append(_break(tag, bool(found["end"])))
    lines = (" ".join(each.split()).strip(" |") for each in "".join(said).split("\n"))
    return "\n".join(line for line in lines if line.strip("# "))


def title(page: str) -> str:
    """What the head calls the page."""
    found = re.search(r"<title[^>]{0,200}>([^<]{1,300})", page[:100_000], re.IGNORECASE)
    return " ".join(html.unescape(found[1]).split()) if found else ""


def _break(tag: str, end: bool) -> str:
    if tag in ("td", "th"):
        return "" if end else " | "
    if not end and tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
        return f"\n{'#' * int(tag[1])} "
    return "\n" if tag in _BLOCKS else ""


class _Quiet:
    """Whether what comes now is shown. One hidden element is followed to its end, with no memory of what is in it."""

    def __init__(self) -> None:
        self.now = ""  # the tag of the element that is not shown
        self._same = self._groups = 0

    def meets(self, tag: str, end: bool, marks: str) -> None:
        if self.now:
            self._within(tag, end, marks)
        if not self.now and not end and tag not in _VOID:
            silent = tag in _SILENT and not marks.endswith("/")
            if silent or (marks and _HIDDEN.search(marks[:_MOST_MARKS])):
                self.now, self._same, self._groups = tag, 1, int(tag in _GROUPS)

    def _within(self, tag: str, end: bool, marks: str) -> None:
        self._groups += (tag in _GROUPS) * (-1 if end else 1)
        inside = self._groups > 0
        over = self._groups < 0 or (not end and self.now == "p" and tag in _BLOCKS and tag != "br")
        over = over or (not end and self.now in _IMPLIED and tag == self.now and not inside)
        over = over or (not end and self.now == "head" and tag == "body")
        if tag == self.now and not marks.endswith("/"):
            self._same += -1 if end else 1
        if over or self._same <= 0:
            self.now = ""
