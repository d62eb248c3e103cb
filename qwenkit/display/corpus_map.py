"""A corpus as a map: a dot for every chunk, a colour for every document, rings around what a question found."""

from __future__ import annotations

from qwenkit.display.hits import short
from qwenkit.display.page import Bundle, escape, foot, head, note, page
from qwenkit.display.text import line
from qwenkit.types.grounded import CorpusMap

WIDTH, HEIGHT, EDGE = 640, 380, 14
MAX_DOCUMENTS = 10
MAX_NAME = 32
MAX_QUERY = 120
# Hues that are told apart on light and on dark pages.
COLOURS = ("#4f8edc", "#d9733a", "#3f9a55", "#b565c9", "#c9a227", "#3aa7a3", "#d4577f", "#7d8f2f", "#8a6fd1", "#9b7653")
_REST = "#8a8f98"


def corpus_map(value: CorpusMap) -> Bundle:
    names = list(dict.fromkeys(value.documents))
    hues = {name: COLOURS[place] for place, name in enumerate(names[:MAX_DOCUMENTS])}
    title = f"{len(value.points):,} chunks of {len(names)} document{'s' * (len(names) != 1)}"
    asked = f"“{line(value.query, MAX_QUERY)}”" if value.query else ""
    legend = "".join(_entry(name, hues[name]) for name in names[:MAX_DOCUMENTS])
    more = f"… {len(names) - MAX_DOCUMENTS} more documents in grey" if len(names) > MAX_DOCUMENTS else ""
    signs = ["○ found", *(["+ the question"] if value.at else [])] if value.query else []
    hidden = f"{value.hidden:,} more chunks are not drawn" if value.hidden else ""
    kept = f"two directions show {value.kept:.0%} of how the chunks differ"
    html = page(
        "map",
        head(title, escape(asked)),
        _drawing(value, hues),
        f"<p><small>{legend}</small></p>",
        note(more),
        note(hidden),
        foot([*signs, kept]),
    )
    lines = [f"{title} {asked}".strip(), kept, *_told(value)]
    return {"text/plain": "\n".join(lines), "text/html": html}


def _told(value: CorpusMap) -> list[str]:
    return [f"found: {_place(value, at)}" for at in value.hits]


def _place(value: CorpusMap, at: int) -> str:
    return line(f"{short(value.documents[at])} · {value.titles[at]}".strip(" ·"), MAX_QUERY)


def _entry(name: str, hue: str) -> str:
    dot = f'<span style="color:{hue}">●</span>'
    return f'<span style="white-space:nowrap">{dot} {escape(line(short(name), MAX_NAME))}</span>&ensp;'


def _drawing(value: CorpusMap, hues: dict[str, str]) -> str:
    every = [*value.points, *([value.at] if value.at else [])]
    across, up = [point[0] for point in every], [point[1] for point in every]

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x = EDGE + (WIDTH - 2 * EDGE) * (point[0] - min(across)) / ((max(across) - min(across)) or 1.0)
        y = HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (point[1] - min(up)) / ((max(up) - min(up)) or 1.0)
        return round(x, 1), round(y, 1)

    dots = []
    for at, point in enumerate(value.points):
        x, y = place(point)
        hue = hues.get(value.documents[at], _REST)
        told = escape(_place(value, at))
        ring = f'<circle cx="{x}" cy="{y}" r="8" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        dots.append(
            (ring if at in value.hits else "")
            + f'<circle cx="{x}" cy="{y}" r="4" fill="{hue}"><title>{told}</title></circle>'
        )
    if value.at:
        x, y = place(value.at)
        cross = f"M{x - 7} {y}H{x + 7}M{x} {y - 7}V{y + 7}"
        dots.append(f'<path d="{cross}" stroke="currentColor" stroke-width="2.5"><title>the question</title></path>')
    frame = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" style="max-width:100%;height:auto"'
    label = escape(f"map of {len(value.points)} chunks")
    return f'<svg class="qk-plot" role="img" aria-label="{label}" {frame}>{"".join(dots)}</svg>'
