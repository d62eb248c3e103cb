"""The ledger's view: what this session has used, by model and call by call, and how near the budget is.

Costs are estimates from list prices and say so. Times vary from run to run and are marked; `text/plain` has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from qwenkit.display.page import Bundle, bar, escape, fold, head, note, page, seconds, table, volatile
from qwenkit.display.text import columns, line
from qwenkit.types.ledger import Entry, Ledger
from qwenkit.types.usage import Cost

MAX_ROWS = 40
MAX_MODELS = 20
MAX_NAME = 60
MAX_TITLE = 120  # of what the sum leaves out
MAX_TOOLS = 8

# What is counted where tokens are not, and what one and several are called.
_UNITS = {"characters": ("character", "characters"), "images": ("picture", "pictures"), "seconds": ("s", "s")}
# Columns that appear only when some call has them.
_KINDS = ("cached", "reasoning", "audio", "audio_out", "image")
_TIMES: dict[str, Callable[[Entry], float | None]] = {
    "time": lambda entry: entry.latency,
    "first": lambda entry: entry.first_token,
}


def ledger(value: Ledger) -> Bundle:
    entries = list(value)
    if not entries:
        empty = "No calls yet."
        return {"text/plain": empty, "text/html": page("ledger", note(empty))}
    return {"text/plain": _plain(value, entries), "text/html": _card(value, entries)}


def chart(value: Ledger) -> Any:
    """A matplotlib figure: tokens stacked by kind per call, the cumulative cost as a line."""
    from qwenkit.display.chart import draw

    return draw(list(value))


def money(spent: dict[str, float]) -> str:
    return " + ".join(str(Cost(amount, currency)) for currency, amount in sorted(spent.items())) or "nothing"


def _card(value: Ledger, entries: list[Entry]) -> str:
    heads, rows = _by_model(value)
    models = table(heads, [[escape(cell) for cell in row] for row in rows], right=frozenset(range(1, len(heads))))
    shown = entries[-MAX_ROWS:]
    used = note(_tools_text(value.tools))
    hidden = note(f"… {len(entries) - len(shown):,} earlier calls") if len(entries) > len(shown) else ""
    calls = fold("Call by call", hidden + _calls(shown))
    return page("ledger", head(_title(value, entries)), _budget(value), models, used, calls)


def _title(value: Ledger, entries: list[Entry]) -> str:
    count = "1 call" if len(entries) == 1 else f"{len(entries):,} calls"
    return f"{count}, {value.tokens:,} tokens, ≈ {money(value.cost)} at list prices{line(value.without, MAX_TITLE)}"


def _budget(value: Ledger) -> str:
    if value.budget is None:
        return ""
    spent = value.cost.get(value.budget.currency, 0.0)
    return f'<p class="qk-level">{bar(spent, value.budget.amount)} {escape(_budget_text(value))}</p>'


def _budget_text(value: Ledger) -> str:
    assert value.budget is not None
    spent = Cost(value.cost.get(value.budget.currency, 0.0), value.budget.currency)
    share = spent.amount / value.budget.amount if value.budget.amount else 1.0
    return f"≈ {spent} of {value.budget} budget ({share:.0%})"


def _by_model(value: Ledger) -> tuple[list[str], list[list[str]]]:
    groups = value.by_model()
    rows = [[line(name, MAX_NAME), *_totals(group)] for name, group in list(groups.items())[:MAX_MODELS]]
    rest = [entry for group in list(groups.values())[MAX_MODELS:] for entry in group]
    if rest:
        rows.append([f"… {len(groups) - MAX_MODELS} more models", *_totals(rest)])
    heads = ["model", "calls", "prompt", "completion", "counted", "≈ cost"]
    if any(row[4] for row in rows):
        return heads, rows
    return [*heads[:4], heads[5]], [[*row[:4], row[5]] for row in rows]


def _totals(group: list[Entry]) -> list[str]:
    spent: dict[str, float] = {}
    for entry in group:
        if entry.cost:
            spent[entry.cost.currency] = spent.get(entry.cost.currency, 0.0) + entry.cost.amount
    prompt, completion = sum(entry.prompt for entry in group), sum(entry.completion for entry in group)
    told = counted(group)
    tokens = ["–", "–"] if told and not prompt and not completion else [f"{prompt:,}", f"{completion:,}"]
    return [f"{len(group):,}", *tokens, told, money(spent) if spent else "–"]


def counted(group: Iterable[Entry]) -> str:
    """What calls were counted in beside tokens: `63 characters`, `1 picture`, `2.5 s`."""
    group = list(group)
    sums = {unit: sum(getattr(entry, unit) for entry in group) for unit in _UNITS}
    return ", ".join(f"{_number(much)} {_UNITS[unit][much != 1]}" for unit, much in sums.items() if much)


def _number(much: float) -> str:
    return f"{much:,.1f}".removesuffix(".0")


def _calls(entries: list[Entry]) -> str:
    kinds = [kind for kind in _KINDS if any(getattr(entry, kind) for entry in entries)]
    times = [name for name, read in _TIMES.items() if any(read(entry) is not None for entry in entries)]
    tools = ["tools"] if any(entry.tools for entry in entries) else []
    told = ["counted"] if counted(entries) else []
    heads = [
        "#",
        "model",
        "prompt",
        "completion",
        *(kind.replace("_", " ") for kind in kinds),
        *tools,
        *told,
        "≈ cost",
        *times,
    ]
    rows = [_call(entry, [*kinds, *tools], times, bool(told)) for entry in entries]
    return table(heads, rows, right=frozenset({0, *range(2, len(heads))}))


def _call(entry: Entry, kinds: list[str], times: list[str], told: bool) -> list[str]:
    failed = "" if entry.ok else ' <span class="qk-bad">failed</span>'
    name = f'<span class="qk-short">{escape(line(entry.model, MAX_NAME))}{failed}</span>'
    other = counted([entry])
    counts = ["–", "–"] if other and not entry.total else [f"{entry.prompt:,}", f"{entry.completion:,}"]
    counts += [_count(getattr(entry, kind)) for kind in kinds]
    counts += [escape(other)] * told
    cost = escape(entry.cost) if entry.cost else "–"
    return [str(entry.number), name, *counts, cost, *(volatile(seconds(_TIMES[each](entry))) for each in times)]


def _count(told: int | dict[str, int]) -> str:
    """A number of tokens, or how often tools were used."""
    return escape(tools(told)) if isinstance(told, dict) else f"{told:,}" if told else ""


def tools(used: Mapping[str, int]) -> str:
    """Built-in tools and how often each was used: `2 × web_search`."""
    shown = [f"{count:,} × {line(name, MAX_NAME)}" for name, count in list(used.items())[:MAX_TOOLS]]
    return ", ".join([*shown, "…"] if len(used) > MAX_TOOLS else shown)


def _tools_text(used: Mapping[str, int]) -> str:
    return f"Built-in tools: {tools(used)}" if used else ""


def _plain(value: Ledger, entries: list[Entry]) -> str:
    heads, rows = _by_model(value)
    parts = [_title(value, entries), columns([heads, *rows], frozenset(range(1, len(heads))))]
    parts += [_tools_text(value.tools)] if value.tools else []
    if value.budget is not None:
        parts.append(_budget_text(value))
    return "\n".join(parts)
