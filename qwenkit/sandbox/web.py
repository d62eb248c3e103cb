"""The web as far as the sandbox can see it: a bundled set of short pages of our own writing, under `.example` names.

Web search, the extractor and the search plugins all read here. It is labelled: whoever shows a result says `LABEL`, so
that nobody takes it for the web. Ranking is BM25 over title and text; when nothing matches, nothing is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import urlsplit

from qwenkit.sandbox.retrieval import Ranking

LABEL = "the sandbox's bundled page set, not the web"


class Page(NamedTuple):
    """One page: where it is, what it is called, whose it is (the host), and what it says."""

    url: str
    title: str
    site: str
    text: str


def search(query: str, most: int = 5, sites: Iterable[str] = (), worth: float = 0.0) -> list[Page]:
    """The pages that share terms with the query, best first; with `sites`, only those of these hosts.

    `worth` is the share of the best possible score that a page must reach.
    """
    pages, wanted, least = _pages(), frozenset(sites), worth * _ranking().ceiling(query)
    found = (pages[found.place] for found in _ranking().best(query) if found.score >= least)
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
