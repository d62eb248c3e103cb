"""What embedding and rerank requests share: their model, their way to refuse, and the texts and pictures in them.

Pictures come as data URIs. The sandbox opens no address outside this machine, so a picture or video behind a URL is
refused in plain words.
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse

from qwenkit import catalogue
from qwenkit.catalogue import Model, tokens
from qwenkit.sandbox import vectors
from qwenkit.sandbox.errors import Refusal, is_nested
from qwenkit.sandbox.native_orders import WRONG_PATH

Json = dict[str, Any]

_KINDS = ("text", "image", "video", "multi_images")
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


def found(content: Any, model: Model) -> list[Element]:
    """The things in one content object, which may hold several under several keys; a bare string is a text."""
    content = {"text": content} if isinstance(content, str) else content
    given = [kind for kind in _KINDS if kind in content] if isinstance(content, dict) else []
    if not given:
        raise wrong("each content is a str or a dict with one of text, image, video", "input.contents")
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
        raise wrong("text is not str", "input.contents")
    count = tokens.count(value)
    check_length(count, model.limits.get("text_tokens") or 32_000)
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
    except ValueError:
        raise Refusal("InvalidParameter", "The file format is illegal and cannot be opened.") from None


def algorithm(words: str) -> Refusal:
    """A refusal by the model's own checks, which keep their native code and type in compatible mode too."""
    refusal = Refusal("InvalidParameter", f"<400> InternalError.Algo.InvalidParameter: {words}")
    refusal.row = refusal.row._replace(compatible="InvalidParameter", type="InvalidParameter")
    return refusal


def wrong(words: str, place: str) -> Refusal:
    """The refusal of one value, which says where it stands."""
    return algorithm(f"Value error, {words}.: {place}")


def check_number(count: int, most: Any, place: str) -> None:
    if count > int(most):
        raise wrong(f"batch size is invalid, it should not be larger than {most}", place)


def check_length(count: int, most: Any) -> None:
    if not 1 <= count <= int(most):
        raise algorithm(f"Range of input length should be [1, {most}]")


def asked_model(body: Json, path: str, *endpoints: str) -> Model:
    """The model meant, which must be one of this path."""
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise Refusal("invalid_request_error") if is_nested(path) else Refusal("InvalidParameter")
    model = catalogue.model(name)
    if model is None:
        raise Refusal("ModelNotFound", f"The model {name} does not exist or you do not have access to it.")
    if model.endpoint not in endpoints:
        if is_nested(path):
            raise Refusal("model_not_supported", f"Unsupported model {name} for OpenAI compatibility mode.")
        raise Refusal("InvalidParameter", WRONG_PATH)
    return model


def inner(body: Json, name: str) -> Json:
    """An object in the body; an empty one where there is none."""
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise Refusal("InvalidParameter", f"'{name}' must be a dict")
    return value


def native(request: Request, output: Json, usage: Json) -> JSONResponse:
    return JSONResponse({"output": output, "usage": usage, "request_id": request.state.request_id})


def flat(request: Request, model: Model, **told: Any) -> JSONResponse:
    """An answer in the manner of OpenAI; its id has no prefix."""
    return JSONResponse({"object": "list", "model": model.name, "id": request.state.request_id, **told})
