"""Takes side by side: a column each, as many to a row as fit."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from qwenkit.display.audio import measure, said
from qwenkit.display.markdown import markdown
from qwenkit.display.page import Bundle, escape, foot, head, note, page, price
from qwenkit.display.sound import player, shortened, waveform
from qwenkit.display.text import clip, line
from qwenkit.errors import ConfigError
from qwenkit.types.audio import Audio
from qwenkit.types.image_grid import ImageGrid
from qwenkit.types.takes import Takes
from qwenkit.types.video import Video

MAX_TAKES = 12
MAX_LABEL = 60
MAX_TEXT = 1_500
# Together the players of one card hold no more than one long sound would.
FULL_S = 30.0
MOST_S = 60.0
THUMB = 240  # CSS pixels of the longer side
MAX_THUMB = 20_000
MAX_OF_A_GRID = 4


def takes(value: Takes) -> Bundle:
    return {"text/plain": plain(value), "text/html": card(value)}


def card(value: Takes) -> str:
    shown = list(zip(value.labels, value.values, strict=True))[:MAX_TAKES]
    columns = [f'<div class="qk-take">{head(line(name, MAX_LABEL))}{_take(take, name)}</div>' for name, take in shown]
    rest = len(value) - len(shown)
    more = note(f"… {rest} more takes" if rest else "")
    return page("takes", f'<div class="qk-takes">{"".join(columns)}</div>', more)


def _take(take: Any, label: str) -> str:
    try:
        if isinstance(take, Audio):
            return _sound(take, label)
        if isinstance(take, Video):
            return _film(take, label)
        if isinstance(take, ImageGrid):
            return _pictures(take, label)
        if hasattr(take, "pil") and hasattr(take, "size"):
            return _picture(take, label)
    except ConfigError as wrong:
        return note(str(wrong), "warn")
    return _words(take)


def _sound(take: Audio, label: str) -> str:
    if not take.loaded or not take.duration:
        return note("Nothing to play here yet." if not take.loaded else "Its length is zero.")
    made = player(take, label, full_s=FULL_S, most_s=MOST_S)
    rest = note(shortened(take, FULL_S, MOST_S))
    outline = waveform(take, width=300, height=52)
    return f"{made}{outline}{said(take.text[:MAX_TEXT])}{rest}{foot([escape(measure(take))])}"


def _picture(take: Any, label: str) -> str:
    pictures = import_module("qwenkit.display.pictures")
    shown = pictures.thumbnail(take, THUMB, MAX_THUMB).tag(label)
    return f'<p class="qk-picture">{shown}</p>' + foot(map(escape, pictures.facts(take, take.size)))


def _film(take: Video, label: str) -> str:
    shown = import_module("qwenkit.display.video")
    if not take.loaded:
        return note("Only an address so far: qwen.fetch(it) brings it here.")
    drawn = shown.strip(take, 2) if take.stills else shown.player(take, label, THUMB)
    return str(drawn) + foot(map(escape, shown.told(take)))


def _pictures(take: ImageGrid, label: str) -> str:
    """The first pictures of several, small; how many there are, and how many failed."""
    pictures = import_module("qwenkit.display.pictures")
    few = take.images[:MAX_OF_A_GRID]
    tags = "".join(pictures.thumbnail(each, THUMB // 2, MAX_THUMB // MAX_OF_A_GRID).tag(label) for each in few)
    return f'<p class="qk-strip">{tags}</p>' + foot([escape(_counted(take))])


def _counted(take: ImageGrid) -> str:
    count, bad = len(take.images), len(take.failures)
    sizes = sorted({each.size for each in take.images[:MAX_OF_A_GRID] if each.loaded})
    size = f" · {sizes[0][0]}×{sizes[0][1]}" if len(sizes) == 1 else ""
    return f"{count} picture{'s' * (count != 1)}{size}" + (f" · {bad} failed" if bad else "")


def _words(take: Any) -> str:
    text, rest = clip(str(getattr(take, "text", None) or take), MAX_TEXT)
    receipt, usage = getattr(take, "receipt", None), getattr(take, "usage", None)
    facts = [escape(line(str(getattr(take, "model", "") or ""), MAX_LABEL))]
    if usage is not None:
        facts.append(f"{usage.total:,} tokens")
    if receipt is not None and receipt.cost is not None:
        facts.append(escape(price(receipt.cost, receipt.sandbox)))
    return f'<div class="qk-body">{markdown(text)}</div>{note(rest)}{foot(facts)}'


def plain(value: Takes) -> str:
    """A line for each: its label, and what it is or says."""
    shown = zip(value.labels[:MAX_TAKES], value.values, strict=False)
    told = [f"{line(label, MAX_LABEL)}: {line(_plain(take), MAX_TEXT)}" for label, take in shown]
    rest = len(value) - MAX_TAKES
    return "\n".join([*told, *([f"… {rest} more takes"] if rest > 0 else [])])


def _plain(take: Any) -> str:
    if isinstance(take, ImageGrid | Video):
        return _measured(take)
    is_answer = hasattr(take, "usage") and not isinstance(take, Audio)
    return str(getattr(take, "text", "") or "") if is_answer else repr(take)


def _measured(take: ImageGrid | Video) -> str:
    """What a film or several pictures are, without looking longer than a line allows."""
    try:
        if isinstance(take, ImageGrid):
            return _counted(take)
        if take.loaded:
            return " · ".join(["film", *import_module("qwenkit.display.video").told(take)])
    except ConfigError:
        pass
    return repr(take)
