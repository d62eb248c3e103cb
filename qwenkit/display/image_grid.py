"""The pictures of one call side by side, each with its position and what is its own; a failure stands in its place."""

from __future__ import annotations

from qwenkit.display.page import Bundle, escape, foot, head, note, page, price, seconds, volatile
from qwenkit.display.pictures import facts as caption
from qwenkit.display.pictures import made_of, rest, spoken, thumbnail
from qwenkit.display.text import line
from qwenkit.errors import QwenError
from qwenkit.types.image import Image
from qwenkit.types.image_grid import Failed, ImageGrid

SIDE = 240  # CSS pixels of the longer side
MAX_SHOWN = 12
MAX_BYTES = 100_000  # of all of them together
MAX_EACH = 26_000
MAX_WORDS = 160


def grid(value: ImageGrid) -> Bundle:
    shared = made_of(value.meta)
    shown = value.places[:MAX_SHOWN]
    most = min(MAX_EACH, MAX_BYTES // max(1, len(shown)))
    more = rest(len(shown), len(value), "pictures: grid[12:]")
    cells = "".join(_cell(number, each, shared, most) for number, each in enumerate(shown))
    html = page(
        "grid",
        head(*_title(value)),
        note(shared.get("prompt", "")),
        _tiles(cells, len(shown)),
        note(more),
        foot(_facts(value, shared)),
    )
    return {"text/plain": _plain(value, shared, more), "text/html": html}


def _tiles(cells: str, count: int) -> str:
    """Side by side as the page allows; four stand better as two and two than as three and one."""
    narrow = f' style="max-width:{2 * SIDE + 40}px"' if count == 4 else ""
    return f'<div class="qk-tiles"{narrow}>{cells}</div>' if cells else ""


def _title(value: ImageGrid) -> list[str]:
    count, bad = len(value.images), len(value.failures)
    return [f"{count} picture{'s' * (count != 1)}", *([f"{bad} failed"] if bad else [])]


def _facts(value: ImageGrid, shared: dict[str, str]) -> list[str]:
    others = [f"{name} {text}" if name != "model" else text for name, text in shared.items() if name != "prompt"]
    receipt = value.receipt
    return [
        *map(escape, others),
        "sandbox" if receipt.sandbox else "",
        escape(price(receipt.cost, receipt.sandbox)),
        volatile(seconds(receipt.latency)) if receipt.latency else "",
    ]


def _cell(number: int, each: Image | Failed, shared: dict[str, str], most: int) -> str:
    if isinstance(each, Failed):
        said = f'<p class="qk-note qk-bad">{escape(line(each.code, 60))}<br>{escape(line(each.message, MAX_WORDS))}</p>'
        return _tile(number, said, "", "failed")
    own = _own(each, shared)
    try:
        drawn = thumbnail(each, SIDE, most).tag(own.get("prompt") or shared.get("prompt") or each.name)
        return _tile(number, drawn, spoken(own), " · ".join(caption(each, each.size)))
    except QwenError as error:
        return _tile(number, note(line(str(error), MAX_WORDS), "bad"), spoken(own), "")


def _tile(number: int, body: str, own: str, told: str) -> str:
    words = "".join(f"<br>{escape(text)}" for text in (line(own, MAX_WORDS), told) if text)
    return (
        '<figure class="qk-tile" style="display:inline-block;margin:0 12px 10px 0;vertical-align:top;max-width:240px">'
        f"{body}<figcaption><small>[{number}]{words}</small></figcaption></figure>"
    )


def _own(each: Image, shared: dict[str, str]) -> dict[str, str]:
    """What is not the same for all of them."""
    return {name: text for name, text in made_of(each.meta).items() if shared.get(name) != text}


def _plain(value: ImageGrid, shared: dict[str, str], more: str) -> str:
    lines = [", ".join(_title(value)) + (f" · {spoken(shared)}" if shared else "")]
    for number, each in enumerate(value.places[:MAX_SHOWN]):
        if isinstance(each, Failed):
            lines.append(f"[{number}] failed · {line(each.code, 60)}: {line(each.message, MAX_WORDS)}")
            continue
        try:
            told = caption(each, each.size)
        except QwenError as error:
            told = [line(str(error), MAX_WORDS)]
        own = spoken(_own(each, shared))
        lines.append(f"[{number}] " + " · ".join(part for part in (*told, line(own, MAX_WORDS)) if part))
    return "\n".join([*lines, *([more] if more else [])])
