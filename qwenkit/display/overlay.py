"""Boxes and points on a picture: as SVG over its thumbnail in a cell, with Pillow's pen in a file."""

from __future__ import annotations

from functools import cache
from typing import Any

from qwenkit.display.page import Bundle, escape, fold, foot, note, page, table
from qwenkit.display.pictures import rest, thumbnail
from qwenkit.display.text import columns, line, width
from qwenkit.types.overlay import Mark, Overlay

SIDE = 560  # CSS pixels of the longer side
MAX_BYTES = 90_000
MAX_MARKS = 100
MAX_LABEL = 40
COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")
LETTER = 13  # CSS pixels


def overlay(value: Overlay) -> Bundle:
    shown = value.marks[:MAX_MARKS]
    more = rest(len(shown), len(value), "marks")
    rows = [(str(number), line(mark.label, MAX_LABEL), _place(mark)) for number, mark in enumerate(shown)]
    title = f"{len(value)} mark{'s' * (len(value) != 1)} on {value.image.width}×{value.image.height} pixels"
    read = f"read as {value.read_as}"
    cells = [[escape(cell) for cell in row] for row in rows]
    listed = fold(escape(title), table(("", "label", "pixels"), cells)) if rows else ""
    html = page("overlay", _drawn(value, shown), listed, note(more), foot([escape(read)]))
    plain = columns(rows) if rows else ""
    return {"text/plain": "\n".join(part for part in (f"{title}, {read}", plain, more) if part), "text/html": html}


def _place(mark: Mark) -> str:
    if mark.box:
        left, top, right, bottom = mark.box
        return f"x {left}–{right}, y {top}–{bottom}"
    return "x {}, y {}".format(*mark.point or ("?", "?"))


def _colours(marks: list[Mark]) -> dict[str, str]:
    """One colour for each label, in order of appearance."""
    labels = dict.fromkeys(mark.label for mark in marks)
    return {label: COLOURS[place % len(COLOURS)] for place, label in enumerate(labels)}


def _drawn(value: Overlay, marks: list[Mark]) -> str:
    thumb = thumbnail(value.image, SIDE, MAX_BYTES)
    wide, high = value.image.size
    unit = wide / thumb.width  # pixels of the picture in one CSS pixel
    colours = _colours(marks)
    shapes = "".join(_shape(mark, colours[mark.label], unit, wide) for mark in marks)
    return (
        f'<svg class="qk-picture" role="img" viewBox="0 0 {wide} {high}" width="{thumb.width}" height="{thumb.height}" '
        f'font-family="sans-serif" font-size="{LETTER * unit:.1f}"><image href="{thumb.url}" width="{wide}" '
        f'height="{high}"/>{shapes}</svg>'
    )


def _shape(mark: Mark, colour: str, unit: float, wide: int) -> str:
    label = escape(line(mark.label, MAX_LABEL))
    stroke = f'stroke="{colour}" stroke-width="{2 * unit:.1f}"'
    if mark.point:
        (x, y), radius = mark.point, 5 * unit
        drawn = f'<circle cx="{x}" cy="{y}" r="{radius:.1f}" fill="{colour}" stroke="#fff" stroke-width="{unit:.1f}"/>'
        x, y = x + round(radius * 1.5), y + round(LETTER * unit / 3)
    elif mark.box:
        left, top, right, bottom = mark.box
        drawn = f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" fill="none" {stroke}/>'
        x, y = left, top - round(5 * unit)
        y = y if y > LETTER * unit else top + round((LETTER + 2) * unit)
    words = width(line(mark.label, MAX_LABEL)) * LETTER * unit * 0.6
    x = max(0, min(x, round(wide - words)))
    halo = f'stroke="#fff" stroke-width="{3.5 * unit:.1f}" paint-order="stroke" stroke-linejoin="round"'
    return f'{drawn}<text x="{x}" y="{y}" fill="{colour}" font-weight="bold" {halo}>{label}</text>' if label else drawn


def burned(value: Overlay) -> Any:
    """The marks in the pixels of the picture itself, in full size, for a file."""
    from PIL import ImageDraw

    picture = value.image.pil.convert("RGB")
    pen, unit = ImageDraw.Draw(picture), max(1.0, max(picture.size) / SIDE)
    colours = _colours(value.marks)
    for number, mark in enumerate(value.marks):
        colour, thick = colours[mark.label], max(2, round(2 * unit))
        if mark.box:
            pen.rectangle(mark.box, outline=colour, width=thick)
        spot = mark.box[:2] if mark.box else mark.point or (0, 0)
        if mark.point:
            pen.circle(mark.point, 2.5 * thick, fill=colour, outline="white")
        text = line(mark.label, MAX_LABEL)
        letters = _font(text, max(12, round(LETTER * unit)))
        text = text if letters else str(number)  # no letters for it here: its number in the list of marks
        place = (spot[0] + 2 * thick, spot[1] + thick)
        pen.text(place, text, fill=colour, font=letters or _font("0", 14), stroke_width=thick, stroke_fill="white")
    return picture


def _font(text: str, size: int) -> Any:
    """A font of this machine that has every character of the text; None when there is none."""
    from PIL import ImageFont

    needed = {ord(char) for char in text if not char.isspace()}
    for path in _fonts():
        if needed <= _characters(path):
            return ImageFont.truetype(path, size)
    return None


@cache
def _fonts() -> list[str]:
    """Candidates: matplotlib's own font, which is always there, then those of this machine known for CJK."""
    from matplotlib import font_manager

    known = ("dejavusans.ttf", "sanscjk-regular", "sourcehansans", "wqy", "msyh", "pingfang", "simhei", "arialunicode")
    names = sorted({entry.fname for entry in font_manager.fontManager.ttflist})
    return [name for part in known for name in names if part in name.lower()]


@cache
def _characters(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(path).get_charmap())
