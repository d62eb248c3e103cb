"""Shares as bars: how often each answer came, one panel per setting, so that settings can be compared at a glance.

The numbers come with the picture: `text/plain` is the same as a table, for readers without pictures and for tests that
compare notebooks. Names are drawn as they are; like every chart of this room it uses no pyplot and leaves nothing open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from qwenkit.display.chart import INK, KINDS, Chart, _family
from qwenkit.display.text import columns, line

MAX_PANELS = 6
# More rows than this are summed up in a last one.
MAX_NAMES = 10
MAX_NAME = 24
REST = "…"

Panels = Mapping[str, Mapping[str, float]]


def bars(panels: Panels) -> Chart:
    """A chart of counts or probabilities, `{"setting": {"name": count}}`, each panel in shares of its own total."""
    shares = {line(str(title), MAX_NAME): _shares(counts) for title, counts in list(panels.items())[:MAX_PANELS]}
    names = _names(shares)
    rows = {title: [_share(found, name, names) for name in names] for title, found in shares.items()}
    labels = [line(name, MAX_NAME) or "(empty)" for name in names]
    figure = Chart(figsize=(7.6, 0.75 + 0.24 * max(len(labels), 3)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.alt = _table(labels, rows)
    grid = figure.subplots(1, max(len(rows), 1), sharey=True, sharex=True, squeeze=False)
    for axes, (title, values) in zip(grid[0], rows.items(), strict=False):
        _panel(axes, title, labels, values)
    for text in figure.findobj(Text):
        text.set_fontfamily(_family())
    return figure


def _shares(counts: Mapping[str, float]) -> dict[str, float]:
    total = sum(counts.values())
    return {str(name): count / total for name, count in counts.items() if count} if total else {}


def _names(shares: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Every name, the most frequent overall first; the rare ones become one."""
    sums: dict[str, float] = {}
    for found in shares.values():
        for name, share in found.items():
            sums[name] = sums.get(name, 0.0) + share
    names = sorted(sums, key=lambda name: (-sums[name], name))
    return names if len(names) <= MAX_NAMES else [*names[: MAX_NAMES - 1], REST]


def _share(found: Mapping[str, float], name: str, names: list[str]) -> float:
    if name == REST and len(names) == MAX_NAMES:
        return sum(share for other, share in found.items() if other not in names)
    return found.get(name, 0.0)


def _table(labels: list[str], rows: Mapping[str, list[float]]) -> str:
    heads = ["", *rows]
    body = [[label, *(_percent(values[at]) for values in rows.values())] for at, label in enumerate(labels)]
    return columns([heads, *body], frozenset(range(1, len(heads))))


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "<1%" if share else "·"


def _panel(axes: Any, title: str, labels: list[str], values: list[float]) -> None:
    places = range(len(labels))
    axes.barh(places, values, color=KINDS["completion"], height=0.7)
    axes.set_yticks(places, labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)  # the first name on top
    axes.set_xlim(0, 1.22)  # room for the figures beside full bars
    axes.set_title(title, color=INK, fontsize=10)
    axes.set_facecolor("none")
    axes.set_xticks([])
    axes.tick_params(colors=INK, labelsize=9, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "left")
        spine.set_color(INK)
    for place, value in zip(places, values, strict=True):
        if value:
            axes.text(value + 0.03, place, _percent(value), va="center", color=INK, fontsize=8)
