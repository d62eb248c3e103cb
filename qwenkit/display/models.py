"""The model table: what each takes and gives, how much it reads and writes, whether it thinks, and what it lists for.

A saved table cannot search, so the searching is done in Python: `qwen.models.search("vl")` shows the lines that match.
"""

from __future__ import annotations

from typing import Any

from qwenkit.display.page import Bundle, escape, facts, head, note, page, table
from qwenkit.display.text import columns, line
from qwenkit.types.models import ModelTable

MAX_ROWS = 80
MAX_UNLISTED = 40
MAX_NAME = 60

_HEADS = ("model", "in → out", "reads", "writes", "thinks", "price in / out")
_MEDIA = {"T": "text", "I": "image", "V": "video", "A": "audio", "E": "vector", "S": "score"}
_THINKS = {"off": "on request", "on": "yes", "always": "always"}
_SIGNS = {"CNY": "¥", "USD": "$"}


def models(value: ModelTable) -> Bundle:
    rows = list(value.rows)
    shown = [_row(each) for each in rows[:MAX_ROWS]]
    more = _more(len(rows), list(value.unlisted))
    title = "1 model" if len(rows) == 1 else f"{len(rows):,} models"
    cells = [_cells(row) for row in shown]
    grid = table(_HEADS, cells, right=frozenset({2, 3})) if cells else ""
    narrow = escape('narrow it: qwen.models.search("vl")') if len(rows) > MAX_ROWS else ""
    html = page("models", head(title, narrow), grid, *map(note, more), note(_dated(rows)))
    plain = columns([_HEADS, *shown], frozenset({2, 3})) if shown else ""
    return {"text/plain": "\n".join(part for part in (title, plain, *more) if part), "text/html": html}


def model(value: Any) -> Bundle:
    """The facts about one model, as a card."""
    rows = {name: text for name, text in _facts(value).items() if text}
    grid = facts({name: escape(text) for name, text in rows.items()})
    html = page("model", head(value.name, escape(value.title)), grid)
    return {"text/plain": f"{value.name}\n{columns(list(rows.items()))}", "text/html": html}


def _facts(value: Any) -> dict[str, str]:
    able = ("tools", "json_object", "json_schema", "partial", "logprobs")
    return {
        "in → out": f"{_media(value.inputs)} → {_media(value.outputs)}",
        "reads": _tokens(value.max_input or value.context),
        "writes": _tokens(value.max_output),
        "thinks": _THINKS.get(value.thinking, "no"),
        "knows": ", ".join(name for name in able if getattr(value, name)),
        "price": "; ".join(_listed(prices) for prices in value.prices[:4]),
        "note": value.notes,
    }


def _tokens(count: int | None) -> str:
    return f"{count:,} tokens" if count else ""


def _listed(prices: Any) -> str:
    """What one region lists, with the day it was read."""
    sign = _SIGNS.get(prices.currency, prices.currency + " ")
    if prices.tiers:
        steps = [f"{sign}{tier.input:g} / {tier.output:g}{_upto(tier.upto)}" for tier in prices.tiers]
        told = ", ".join(steps) + " per million"
    else:
        told = f"{sign}{prices.per_unit:g} / {prices.unit}" if prices.per_unit is not None else ""
    return f"{prices.region} {told} ({prices.dated})"


def _upto(tokens: int | None) -> str:
    return f" up to {_size(tokens)}" if tokens else ""


def _cells(row: list[str]) -> list[str]:
    name, *rest = (escape(cell) for cell in row)
    return [f'<strong class="qk-short">{name}</strong>', *(f'<span class="qk-short">{cell}</span>' for cell in rest)]


def _dated(rows: list[Any]) -> str:
    dates = sorted({price.dated for model in rows for price in model.prices[:1]})
    if not dates:
        return ""
    read = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"Reads and writes in tokens; list prices per million tokens unless a unit is named, as of {read}."


def _more(count: int, unlisted: list[str]) -> list[str]:
    said = [f"… {count - MAX_ROWS:,} more models"] if count > MAX_ROWS else []
    if unlisted:
        names = ", ".join(line(name, MAX_NAME) for name in unlisted[:MAX_UNLISTED])
        rest = f" and {len(unlisted) - MAX_UNLISTED:,} more" if len(unlisted) > MAX_UNLISTED else ""
        said.append(f"Listed by the service, not in the catalogue: {names}{rest}")
    return said


def _row(model: Any) -> list[str]:
    return [
        line(model.name, MAX_NAME),
        f"{_media(model.inputs)} → {_media(model.outputs)}",
        _size(model.context or model.max_input),
        _size(model.max_output),
        _THINKS.get(model.thinking, ""),
        _price(model),
    ]


def _media(letters: str) -> str:
    return " ".join(_MEDIA.get(letter, letter) for letter in letters)


def _size(tokens: int | None) -> str:
    """1,000,000 as 1M, 131,072 as 131k."""
    if not tokens:
        return ""
    return f"{tokens / 1e6:.3g}M" if tokens >= 1e6 else f"{tokens / 1e3:.3g}k"


def _price(model: Any) -> str:
    """What the first region lists."""
    if not model.prices:
        return ""
    listed = model.prices[0]
    sign = _SIGNS.get(listed.currency, listed.currency + " ")
    if listed.tiers:
        sides = [[getattr(tier, side) for tier in listed.tiers] for side in ("input", "output")]
        return " / ".join(sign + _span(amounts) for amounts in sides if any(amounts))
    return f"{sign}{listed.per_unit:g} / {listed.unit}" if listed.per_unit is not None else ""


def _span(amounts: list[float]) -> str:
    low, high = min(amounts), max(amounts)
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"
