"""The web as far as the sandbox can see it: a bundled set of short pages of our own writing, under `.example` names.

Web search, the extractor and the search plugins all read here. It is labelled: whoever shows a result says `LABEL`, so
that nobody takes it for the web. Ranking is BM25 over title and text; when nothing matches, nothing is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import urlsplit

from qwenkit.sandbox.retrieval import Ranking

_HAN = re.compile("[\u3400-\u9fff]")
_WORTH = (0.9, 0.45)  # how well a page must fit; in Chinese less, where pairs of characters are noisy
LABEL = "the sandbox's bundled page set, not the web"


class Page(NamedTuple):
    """One page: where it is, what it is called, whose it is (the host), and what it says."""

    url: str
    title: str
    site: str
    text: str


def search(query: str, most: int = 5, sites: Iterable[str] = (), *, loosely: bool = False) -> list[Page]:
    """The pages that are about what the query asks, best first; with `sites`, only those of these hosts.

    A page must hold a fair share of the query's terms, because one that shares a common word is no answer; `loosely`,
    any will do.
    """
    ranking, wanted = _ranking(), frozenset(sites)
    ceiling = ranking.ceiling(query) or 1.0
    fits = {each.place: each.score / ceiling + ranking.covered(query, each.place) for each in ranking.best(query)}
    least = 0.0 if loosely else max(_WORTH[bool(_HAN.search(query))], max(fits.values(), default=0.0) / 2)
    found = (_pages()[place] for place, fit in fits.items() if fit >= least)
    return [page for page in found if not wanted or page.site in wanted][:most]


def page(url: str) -> Page | None:
    """The page at an address, with or without `https://`, a slash at the end or a fragment."""
    asked = urlsplit(url.strip() if "//" in url else f"//{url.strip()}")
    path = f"{asked.netloc.lower().removeprefix('www.')}{asked.path}".rstrip("/")
    return next((page for page in _pages() if page.url.removeprefix("https://") == path), None)


@cache
def _pages() -> tuple[Page, ...]:
    return tuple(_read(files("qwenkit.sandbox").joinpath("data/pages.md").read_text("utf-8")))


def _read(text: str) -> Iterator[Page]:
    for block in text.removeprefix("# ").split("\n\n# "):
        title, url, words = block.split("\n", 2)
        yield Page(url, title, urlsplit(url).netloc, words.strip())


@cache
def _ranking() -> Ranking:
    return Ranking(f"{page.title} {page.title}\n{page.text}" for page in _pages())
