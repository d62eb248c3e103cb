"""What may stand in a multimodal request: texts and pictures, read and measured one by one.

Pictures come as data URIs. The sandbox opens no address outside this machine, so a picture or video behind a URL is
refused in plain words.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, NamedTuple

from qwenkit.catalogue import Model, tokens
from qwenkit.sandbox import vectors
from qwenkit.sandbox.errors import Refusal

KINDS = ("text", "image", "video", "multi_images")
_PATCH = 32  # pixels each way that one image token stands for
_NO_ADDRESS = "Connection to {url} refused: the sandbox opens no address outside this machine; send a data URI."
_NO_VIDEO = "The sandbox measures texts and pictures; it cannot watch a video."


class Element(NamedTuple):
    """One thing to embed or to rank."""

    kind: str
    features: vectors.Features
    text_tokens: int = 0
    image_tokens: int = 0
    images: int = 0

    @property
    def tokens(self) -> int:
        return self.text_tokens + self.image_tokens


def elements(content: Any, model: Model) -> list[Element]:
    """The things in one content object, which may hold several under several keys; a bare string is a text."""
    content = {"text": content} if isinstance(content, str) else content
    given = [kind for kind in KINDS if kind in content] if isinstance(content, dict) else []
    if not given:
        raise algorithm("Value error, each content is a str or a dict with one of text, image, video.: input.contents")
    return [_element(kind, content[kind], model) for kind in given]


def _element(kind: str, value: Any, model: Model) -> Element:
    if kind == "video":
        raise Refusal("InvalidParameter", _NO_VIDEO)
    if kind == "text":
        return _text(value, model)
    several = kind == "multi_images" and isinstance(value, list) and value
    pictures = [_picture(each, model) for each in (value if several else [value])]
    features = vectors.joined([picture.features for picture in pictures])
    cost = sum(2 + -(-picture.width // _PATCH) * -(-picture.height // _PATCH) for picture in pictures)
    return Element(kind, features, image_tokens=cost, images=len(pictures))


def _text(value: Any, model: Model) -> Element:
    if not isinstance(value, str):
        raise algorithm("Value error, text is not str.: input.contents")
    count, most = tokens.count(value), int(model.limits.get("text_tokens") or 32_000)
    if not 1 <= count <= most:
        raise algorithm(f"Range of input length should be [1, {most}]")
    return Element("text", vectors.of_text(value), text_tokens=count)


def _picture(value: Any, model: Model) -> vectors.Picture:
    if not isinstance(value, str) or not value.startswith("data:"):
        raise Refusal("InvalidURL.ConnectionRefused", _NO_ADDRESS.format(url=str(value)[:80]), status=400)
    try:
        data = base64.b64decode(value.partition(",")[2], validate=True)
        most = float(model.limits.get("image_megabytes") or 10)
        if len(data) > most * 2**20:
            raise Refusal("InvalidParameter", "Multimodal file size is too large")
        return vectors.of_picture(data)
    except (binascii.Error, ValueError):
        raise Refusal("InvalidParameter", "The file format is illegal and cannot be opened.") from None


def shares(found: list[Element]) -> Iterator[tuple[str, int]]:
    """A bill's parts: what was spent on pictures and on text."""
    yield "image_tokens", sum(each.image_tokens for each in found)
    yield "text_tokens", sum(each.text_tokens for each in found)


def algorithm(words: str) -> Refusal:
    """A refusal by the model's own checks, which keep their native code and type in compatible mode too."""
    refusal = Refusal("InvalidParameter", f"<400> InternalError.Algo.InvalidParameter: {words}")
    refusal.row = refusal.row._replace(compatible="InvalidParameter", type="InvalidParameter")
    return refusal
