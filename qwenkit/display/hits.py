"""What retrieval found: the chunks with their matched words marked, and the scores that put them in this order.

The score table says for each chunk where vectors and words had it, so that one sees which of the two found it; the
chunks stand below, folded, with the words of the question marked.
"""

from __future__ import annotations

from collections.abc import Sequence

from qwenkit.display.citations import sources
from qwenkit.display.knowledge import marked, terms
from qwenkit.display.page import Bundle, bar, escape, foot, head, note, page, price, table
from qwenkit.display.text import columns, line
from qwenkit.types.retrieval import Added, Hit, Hits

MAX_ROWS = 50
MAX_QUERY = 160
MAX_NAME = 60
MAX_PREVIEW = 90
_BY = ("vectors", "words", "rerank")


def hits(value: Hits) -> Bundle:
    rows = value.rows[:MAX_ROWS]
    title = f"{len(value):,} of {value.of:,} chunks"
    asked = f"“{line(value.query, MAX_QUERY)}”"
    html = page(
        "hits",
        head(title, escape(asked)),
        scores(rows) if rows else note("Nothing was found."),
        chunks(rows, value.query),
        note(f"… {len(value) - MAX_ROWS:,} more in .rows" if len(value) > MAX_ROWS else ""),
        foot(
            [
                escape(line(value.how, MAX_NAME)),
                escape(line(f"reranked by {value.reranked}", MAX_NAME)) if value.reranked else "",
            ]
        ),
    )
    lines = [(str(each.rank), f"{each.score:.3f}", where(each), line(each.text, MAX_PREVIEW)) for each in rows]
    grid = columns([("", "score", "chunk", "text"), *lines], frozenset({0, 1})) if lines else "Nothing was found."
    return {"text/plain": f"{title} {asked}\n{grid}", "text/html": html}


def scores(rows: Sequence[Hit]) -> str:
    """One row for each hit: its score as a bar, and where each way of searching had it."""
    known = [name for name in _BY if any(name in each.by for each in rows)]
    most = max((each.score for each in rows), default=0.0)
    heads = ("", "score", *known, "chunk")
    cells = [
        (
            str(each.rank),
            f"{bar(each.score, most, warn=1.1)} {each.score:.3f}",
            *(_place(each, name) for name in known),
            f'<span dir="auto">{escape(where(each))}</span>',
        )
        for each in rows
    ]
    return table(heads, cells, right=frozenset(range(2 + len(known))))


def _place(each: Hit, name: str) -> str:
    """A rank with the figure behind it, or a dash where that way did not find it."""
    if name not in each.by:
        return '<span class="qk-soft">–</span>'
    if name == "rerank":
        return f"{each.by[name]:.3f}"
    figure = f" <small>{each.scores[name]:.2f}</small>" if name in each.scores else ""
    return f"#{each.by[name]:.0f}{figure}"


def chunks(rows: Sequence[Hit], query: str) -> str:
    """The chunks to open, the words of the question marked."""
    words = terms(query)
    listed = [(each.rank, where(each), "", each.text) for each in rows]
    return sources(listed, len(listed), lambda text: marked(text, words))


def where(each: Hit) -> str:
    told = dict.fromkeys(line(part, MAX_NAME) for part in (short(each.chunk.document), each.chunk.title) if part)
    return " · ".join(told) or "a text"


def short(name: str) -> str:
    """A file by its name and its folder: town/library.md."""
    return "/".join(name.split("/")[-2:]) if name.count("/") > 1 and "://" not in name else name


def added(value: Added) -> Bundle:
    """What became of documents, also while they are being added."""
    facts = {"documents": value.documents, "chunks": value.chunks, "tokens": value.tokens}
    more = {"unchanged": value.unchanged, "chunks resumed": value.resumed, "skipped": len(value.skipped)}
    told = ", ".join(f"{count:,} {name}" for name, count in {**facts, **more}.items() if count or name in facts)
    running = value.done < value.total
    level = f"<p>{bar(value.done, value.total, warn=1.1)} {value.done:,} of {value.total:,}</p>" if running else ""
    rows = [(escape(line(each.name, MAX_NAME)), escape(line(each.reason, MAX_QUERY))) for each in value.skipped]
    wrong = table(("skipped", "why"), rows[:MAX_ROWS]) if rows else ""
    rest = note(f"… {len(rows) - MAX_ROWS:,} more in .skipped" if len(rows) > MAX_ROWS else "")
    cost = escape(price(value.cost, False)) if value.cost else ""
    html = page("added", head("Adding" if running else "Added", escape(told)), level, wrong, rest, foot([cost]))
    lines = [(line(each.name, MAX_NAME), line(each.reason, MAX_QUERY)) for each in value.skipped[:MAX_ROWS]]
    plain = [f"{'Adding' if running else 'Added'}: {told}", *([columns(lines)] if lines else [])]
    return {"text/plain": "\n".join(plain), "text/html": html}
