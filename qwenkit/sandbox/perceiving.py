"""Between an order and the mind: pictures, films and sounds are fetched, perceived, and counted as tokens.

What was perceived takes the place of each part, so that the mind reads `Sight`, `Clip` and `Heard` where an address
stood. Looking happens in threads, and the same content is looked at once.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from starlette.requests import Request

from qwenkit.catalogue.media import MediaFacts, media
from qwenkit.sandbox.errors import invalid
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.store import Store

MOST_KEPT = 256  # percepts
LEAST_PIXELS = 16
USUAL_FPS = 2.0
_KINDS = ("image_url", "video_url", "video", "input_audio", "audio_url")
_FILES = {"image": "image", "video": "video", "frames": "video", "audio": "audio"}
_UNREADABLE = "Failed to decode the image during the data inspection."
_WRONG = "The value of {name} should be {rule}."
_USUAL = MediaFacts("", [], pixels_min=65536, pixels_max=2621440, pixels_most=16777216, audio_tokens=25)


class Percepts:
    """What was seen and heard before, by its content; oldest forgotten first."""

    def __init__(self, store: Store) -> None:
        self._known: OrderedDict[str, Any] = OrderedDict()

    async def of(self, name: str, make: Callable[[], Awaitable[Any]]) -> Any:
        if name not in self._known:
            self._known[name] = await make()
        self._known.move_to_end(name)
        while len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)
        return self._known[name]


@dataclass(frozen=True)
class Perception:
    """An order as the mind gets it, and the tokens of what in it is not text."""

    order: Order
    image: int = 0
    video: int = 0
    audio: int = 0

    @property
    def tokens(self) -> int:
        return self.image + self.video + self.audio

    def details(self, text: int) -> dict[str, int]:
        """By modality, as the bill of a multimodal prompt has it; nothing for words alone."""
        several = {"image_tokens": self.image, "video_tokens": self.video, "audio_tokens": self.audio}
        return {"text_tokens": text, **{name: count for name, count in several.items() if count}} if self.tokens else {}


async def perceived(service: Service, order: Order, request: Request | None = None) -> Perception:
    """Look at everything an order holds, or refuse what cannot be looked at."""
    from qwenkit.sandbox.media import gathered

    facts = media(order.model) or _USUAL
    parts = [part for part in _parts(order.messages) if part.get("type") in _KINDS]
    if not parts:
        return Perception(order)
    for part in parts:
        _check(part, facts)
    found = await gathered(service, order, request or _request())
    shelf, seen = service.shelf(Percepts), list[dict[str, Any]]()
    count = {"image": 0, "video": 0, "audio": 0}
    for each in found:
        options = {name: value for name, value in each.options.items() if value is not None}
        name = digest(f"{each.part}{options.get('fps')}\0".encode() + b"\0".join(file.content for file in each.files))
        make = partial(_perceive, service, each, options)
        percept = await (make() if each.part == "audio" else shelf.of(name, make))  # ears learn what was just said
        seen.append({"digest": name, "perceived": percept})
        count[_FILES[each.part]] += _tokens(percept, options, facts, bool(order.body.get("vl_high_resolution_images")))
    messages = _swapped(order.messages, iter(seen))
    return Perception(replace(order, body={**order.body, "messages": messages}), **count)


def _request() -> Request:
    """Batches have lines and no requests."""
    return Request(
        {"type": "http", "method": "POST", "path": "/compatible-mode/v1/", "query_string": b"", "headers": []}
    )


def _parts(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    contents = [message["content"] for message in messages if isinstance(message.get("content"), list)]
    return [part for content in contents for part in content if isinstance(part, dict)]


def _swapped(messages: list[dict[str, Any]], seen: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with what was perceived in the place of addresses; marks of the cache stay."""
    swapped, kept = [], ("type", "cache_control")
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            held = [
                {**{name: part[name] for name in kept if name in part}, **next(seen)}
                if isinstance(part, dict) and part.get("type") in _KINDS
                else part
                for part in content
            ]
            message = {**message, "content": held}
        swapped.append(message)
    return swapped


def _check(part: dict[str, Any], facts: MediaFacts) -> None:
    """The knobs of a part: numbers within what the model takes."""
    fps = part.get("fps")
    if fps is not None and not (_number(fps) and 0.1 <= fps <= 10):
        raise invalid(_WRONG.format(name="fps", rule="in [0.1, 10]"))
    video = part["type"].startswith("video")
    most = max(2_048_000, facts.video_pixels) if video else facts.pixels_most or facts.pixels_max or 16777216
    for name, top in (("min_pixels", most), ("max_pixels", most), ("total_pixels", 2**31)):
        value = part.get(name)
        if value is not None and not (isinstance(value, int) and not isinstance(value, bool) and 0 < value <= top):
            raise invalid(_WRONG.format(name=name, rule=f"in (0, {top}]"))
    if (part.get("min_pixels") or 0) > (part.get("max_pixels") or most):
        raise invalid(_WRONG.format(name="min_pixels", rule="not greater than max_pixels"))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


async def _perceive(service: Service, found: Any, options: dict[str, Any]) -> Any:
    from qwenkit.sandbox import clips
    from qwenkit.sandbox.eyes import Unseen, look

    contents = [file.content for file in found.files]
    fps = float(options.get("fps") or USUAL_FPS)
    try:
        if found.part == "image":
            return await asyncio.to_thread(look, contents[0])
        if found.part == "frames":
            return await asyncio.to_thread(clips.of_frames, contents, fps)
        if found.part == "video":
            return await asyncio.to_thread(clips.of_file, contents[0], fps)
    except Unseen:
        raise invalid(_UNREADABLE) from None
    from qwenkit.sandbox.ears import Undecodable, hear

    try:
        return await hear(service, contents[0])
    except Undecodable:
        raise invalid("The audio format is illegal and cannot be opened.") from None


def fitted(width: int, height: int, patch: int, least: int, most: int) -> tuple[int, int]:
    """A size in whole patches, between the least and the most pixels, its proportions kept as well as that goes."""
    across, down = max(round(width / patch), 1) * patch, max(round(height / patch), 1) * patch
    if across * down > most:
        shrink = math.sqrt(width * height / most)
        return tuple(max(int(side / shrink // patch), 1) * patch for side in (width, height))  # type: ignore[return-value]
    if across * down < least:
        grow = math.sqrt(least / (width * height))
        return tuple(math.ceil(side * grow / patch) * patch for side in (width, height))  # type: ignore[return-value]
    return across, down


def _tokens(percept: Any, options: dict[str, Any], facts: MediaFacts, sharp: bool) -> int:
    if hasattr(percept, "frames_seen"):
        return _film_tokens(percept, options, facts)
    if hasattr(percept, "rate_hz"):
        return math.ceil(math.ceil(float(percept.seconds)) * (facts.audio_tokens or 25))
    ceiling = facts.pixels_most or facts.pixels_max or 16777216
    most = ceiling if sharp else min(options.get("max_pixels") or facts.pixels_max or 2621440, ceiling)
    least = min(options.get("min_pixels") or facts.pixels_min or 3136, most)
    width, height = fitted(percept.width, percept.height, facts.patch, least, most)
    return int(width * height // facts.patch**2) + 2


def _film_tokens(clip: Any, options: dict[str, Any], facts: MediaFacts) -> int:
    """Two frames share their tokens; all of them together stay within `total_pixels`."""
    total = options.get("total_pixels") or facts.total_pixels
    most = min(options.get("max_pixels") or facts.video_pixels, max(total // max(clip.count, 1), facts.patch**2))
    least = min(options.get("min_pixels") or 4096, most)
    width, height = fitted(clip.width, clip.height, facts.patch, least, most)
    return int(math.ceil(clip.count / 2) * (width * height // facts.patch**2)) + 2
