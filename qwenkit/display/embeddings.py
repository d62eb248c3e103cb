"""Vectors, as what they are good for: which texts are alike, as a heat map, and which come first, as a table of bars.

The map is an ordinary table: every cell holds its cosine, and a tint of the host's colour deepens with it. It reads in
light and dark, in any script the page can show, and without its style sheet too.
"""

from __future__ import annotations

from typing import Any

from qwenkit.display.page import Bundle, escape, foot, head, note, page, price, table, volatile
from qwenkit.display.page import seconds as spelled
from qwenkit.display.text import columns, line
from qwenkit.types.embeddings import Embeddings
from qwenkit.types.ranking import Ranking
from qwenkit.types.usage import Cost

# More rows and columns than this cannot be read.
MAX_SIDE = 24
MAX_LABEL = 32
# A map of more columns than this would run off the page with its numbers.
MAX_FIGURES = 12
# Numbers shown of a single vector.
MAX_NUMBERS = 8
MAX_ROWS = 50
MAX_DOCUMENT = 160
MAX_NAME = 80
_TINTS = 9
_RANKED = {"cosine": "texts"}


def embeddings(value: Embeddings) -> Bundle:
    shown = value[:MAX_SIDE]
    title = f"{len(value):,} embedding{'s' * (len(value) != 1)} of {value.size:,} numbers"
    labels = [line(text, MAX_LABEL) or "·" for text in shown.texts]
    cosines = shown.similarity().tolist() if shown.size and len(shown) > 1 else []
    rest = f"… {len(value) - MAX_SIDE:,} more texts: .similarity() compares them all" if len(value) > MAX_SIDE else ""
    heads = ["", "", *(str(place) for place in range(len(labels)))]
    rows = [
        [str(place), label, *map(_cosine, row)] for place, (label, row) in enumerate(zip(labels, cosines, strict=False))
    ]
    figures = frozenset({0, *range(2, len(heads))})
    alone = [] if cosines or not value.size or not labels else value.array[0].tolist()
    first = f"[{_some([f'{number:.4f}' for number in alone])}]" if alone else ""
    terms = [f"{line(term.token, MAX_LABEL)} {term.value:.2f}" for term in value.sparse[0]] if value.sparse else []
    sparse = f"sparse: {_some(terms)}" if value.sparse else ""
    plain = [title, *([columns([heads, *rows], figures)] if rows else []), first, sparse, rest]
    told = "Cosine of each pair: 1.00 the same direction, 0 nothing shared." if cosines else ""
    html = page(
        "embeddings",
        head(title),
        _heat(heads, labels, cosines) if cosines else "",
        *(f"<p><code>{escape(words)}</code></p>" for words in (first, sparse) if words),
        note(told),
        note(rest),
        foot(_facts(value.model, value.usage, value.cost, value.receipts)),
    )
    return {"text/plain": "\n".join(part for part in plain if part), "text/html": html}


def _heat(heads: list[str], labels: list[str], cosines: list[list[float]]) -> str:
    """The map: tints run from the least alike pair to one."""
    low = max(min(min(row) for row in cosines), 0.0)
    top = "".join(f'<th scope="col">{name}</th>' for name in heads)
    lines = []
    for place, (label, row) in enumerate(zip(labels, cosines, strict=True)):
        told = _cosine if len(row) <= MAX_FIGURES else _unsaid
        cells = "".join(f'<td class="qk-k{_tint(each, low)}">{told(each)}</td>' for each in row)
        names = f'<th scope="row">{place}</th><th scope="row" class="qk-short">{escape(label)}</th>'
        lines.append(f"<tr>{names}{cells}</tr>")
    grid = f"<thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="qk-scroll"><table class="qk-heat">{grid}</table></div>'


def _tint(cosine: float, low: float) -> int:
    return round(_TINTS * max(cosine - low, 0.0) / (1.0 - low)) if low < 0.999 else 0


def _cosine(value: float) -> str:
    """Two digits and no nought before the point, so that a row of them stays narrow."""
    rounded = f"{value:.2f}".replace("-0.00", "0.00")
    return "0" if rounded == "0.00" else rounded.replace("0.", ".") if abs(value) < 0.995 else rounded


def _unsaid(value: float) -> str:
    """A wide map is colours only; each cell names its figure when it is pointed at."""
    return f'<span title="{_cosine(value)}">&nbsp;</span>'


def _some(told: list[str]) -> str:
    more = [f"… {len(told) - MAX_NUMBERS:,} more"] if len(told) > MAX_NUMBERS else []
    return ", ".join([*told[:MAX_NUMBERS], *more])


def ranking(value: Ranking) -> Bundle:
    rows = value.rows[:MAX_ROWS]
    title = f"{len(value):,} of {value.of:,} {_RANKED.get(value.measure, 'documents')}, best first"
    query = line(value.query, MAX_DOCUMENT)
    heads = ("", value.measure, "place", "document")
    texts = [line(row.text, MAX_DOCUMENT) for row in rows]
    figures = [(str(at), f"{row.score:.3f}", str(row.index)) for at, row in enumerate(rows, 1)]
    cells = [
        (at, f"{_bar(row.score)} {score}", place, f'<span dir="auto">{escape(text)}</span>')
        for (at, score, place), row, text in zip(figures, rows, texts, strict=True)
    ]
    rest = f"… {len(value) - MAX_ROWS:,} more in .rows" if len(value) > MAX_ROWS else ""
    right = frozenset({0, 1, 2})
    asked = f"“{query}”" if query else ""
    html = page(
        "ranking",
        head(title, escape(asked)),
        table(heads, cells, right=right) if cells else note("Nothing was ranked."),
        note(rest),
        foot(_facts(value.model, value.usage, value.cost, [value.receipt] if value.usage else [])),
    )
    grid = columns([heads, *((*row, text) for row, text in zip(figures, texts, strict=True))], right) if rows else ""
    return {
        "text/plain": "\n".join(part for part in (f"{title} {asked}".strip(), grid, rest) if part),
        "text/html": html,
    }


def _bar(score: float) -> str:
    return f'<meter class="qk-bar" min="0" max="1" value="{min(max(score, 0.0), 1.0):.4g}"></meter>'


def _facts(model: str, usage: Any, cost: Cost | None, receipts: list[Any]) -> list[str]:
    sandbox = any(receipt.sandbox for receipt in receipts)
    waited = [receipt.latency for receipt in receipts if receipt.latency is not None]
    return [
        escape(line(model, MAX_NAME)),
        "sandbox" if sandbox else "",
        f"{len(receipts)} calls" if len(receipts) > 1 else "",
        f"{usage.total:,} tokens" if usage else "",
        escape(price(cost, sandbox)),
        volatile(spelled(sum(waited))) if len(waited) == 1 else "",
    ]
