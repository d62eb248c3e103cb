"""The usage chart: each call a bar of tokens stacked by kind, the estimated cost so far as a line.

Made with matplotlib's objects, never with pyplot: no window, no global state, nothing left open. The ground is
transparent and the ink mid-grey, so the picture reads on a light page and on a dark one.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator

from qwenkit.types.ledger import Entry
from qwenkit.types.usage import Cost

# More bars than this cannot be told apart; the latest are drawn.
MAX_CALLS = 120
# Fewer bars leave room on the right instead of growing fat.
FEW = 6

INK = "#808790"
COST = "#d9822b"
# From quiet (read again from a cache) to strong (written by the model).
KINDS = {
    "cached": "#a9bcd0",
    "prompt": "#6f9fd8",
    "image": "#5fb3a1",
    "audio": "#b48ad8",
    "reasoning": "#8f7fd1",
    "completion": "#2f6fc4",
}
_FONTS = ("Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei")


class Chart(Figure):
    """A figure that shows itself: IPython draws plain figures only after pyplot has set it up."""

    alt = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        picture = io.BytesIO()
        self.savefig(picture, format="png", transparent=True, metadata={"Software": None})
        return {"text/plain": self.alt, "image/png": base64.b64encode(picture.getvalue()).decode("ascii")}


def draw(entries: Sequence[Entry]) -> Chart:
    """The chart of these calls."""
    shown = entries[-MAX_CALLS:]
    figure = Chart(figsize=(7.2, 2.9), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _bars(axes, shown)
    total = _line(axes.twinx(), entries)
    _dress(axes, "tokens")
    axes.set_xlabel("call", color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if shown:
        last = shown[-1].number
        axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:.0f}" if number <= last else ""))
        axes.set_xlim(shown[0].number - 0.7, max(shown[-1].number, shown[0].number + FEW - 1) + 0.7)
    tokens = sum(entry.total for entry in shown)
    figure.alt = f"Chart: {len(shown):,} calls, {tokens:,} tokens" + (f", ≈ {total}" if total else "")
    if shown:
        figure.legend(loc="outside upper center", ncols=7, frameon=False, labelcolor=INK, fontsize=9, handlelength=1.1)
    for text in figure.findobj(Text):
        text.set_fontfamily(_family())
    return figure


def _bars(axes: Any, entries: Sequence[Entry]) -> None:
    numbers = [entry.number for entry in entries]
    stacks = [_split(entry) for entry in entries]
    base = [0] * len(entries)
    for kind, colour in KINDS.items():
        heights = [stack[kind] for stack in stacks]
        if any(heights):
            axes.bar(numbers, heights, bottom=base, color=colour, width=0.72, label=kind)
            base = [low + high for low, high in zip(base, heights, strict=True)]


def _split(entry: Entry) -> dict[str, int]:
    """A call's tokens by kind, each counted once; the kinds add up to the total."""
    given = max(entry.prompt - entry.cached - entry.image - (entry.audio - entry.audio_out), 0)
    written = max(entry.completion - entry.reasoning - entry.audio_out, 0)
    named = {"cached": entry.cached, "image": entry.image, "audio": entry.audio, "reasoning": entry.reasoning}
    return {**named, "prompt": given, "completion": written}


def _line(axes: Any, entries: Sequence[Entry]) -> Cost | None:
    """The cost so far, in the currency most calls were billed in; returns its end."""
    costs = [entry.cost or Cost(0.0, "") for entry in entries]
    billed = [cost.currency for cost in costs if cost.currency]
    if not billed:
        axes.set_axis_off()
        return None
    currency = max(sorted(set(billed)), key=billed.count)
    totals = list(accumulate(cost.amount if cost.currency == currency else 0.0 for cost in costs))[-MAX_CALLS:]
    axes.plot(
        [entry.number for entry in entries[-MAX_CALLS:]],
        totals,
        color=COST,
        lw=1.6,
        marker="o",
        ms=3,
        label="≈ cost so far",
    )
    axes.set_ylim(0, max(totals[-1] * 1.12, 1e-9))
    _dress(axes, "")
    end = Cost(totals[-1], currency)
    sign, digits = str(end).rstrip("0123456789."), len(str(end).partition(".")[2])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda amount, _: f"{sign}{amount:.{digits}f}"))
    return end


def _dress(axes: Any, label: str) -> None:
    axes.set_facecolor("none")
    axes.set_ylabel(label, color=INK)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(INK)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_axisbelow(True)
    if label:
        axes.grid(axis="y", color=INK, alpha=0.22, lw=0.7)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))


@cache
def _family() -> list[str]:
    """DejaVu and, where the machine has one, a Chinese font behind it. Asking for a missing one would log a warning."""
    from matplotlib.font_manager import get_font_names

    return ["DejaVu Sans", *(name for name in _FONTS if name in get_font_names())]
