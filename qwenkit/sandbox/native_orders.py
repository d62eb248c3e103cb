"""From a native body to an order: `{model, input, parameters}` becomes the chat request that means the same.

The native API says less in its envelope and more in its parameters. `input` holds messages, or a prompt with an old
`history`; content items have no type, their key is the modality. What the model makes of it is the same for both
protocols, so `rules` checks the translation, and only what native words differently is said here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.rules import SEED_CEILING, check

Json = dict[str, Any]
TEXT = "/api/v1/services/aigc/text-generation/generation"
MULTIMODAL = "/api/v1/services/aigc/multimodal-generation/generation"
WRONG_PATH = "url error, please check url！"
# Not a matter of chat, or said elsewhere: only the header makes a stream.
_NOT_CHAT = ("result_format", "incremental_output", "model", "messages", "stream", "stream_options")
_MODALITIES = ("text", "image", "video", "audio", "input_audio")
_KNOBS = ("cache_control", "fps", "min_pixels", "max_pixels", "total_pixels")  # that an item may have beside them
_MODAL = "The item of content should be a message of a certain modal."
_NO_URL = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
_URL = re.compile(r"https?://|data:|oss://")
_THINKING = 'The {name} parameter must be "{value}" when enable_thinking is true'
# Lines that answer as messages and stream only what is new, if nobody says otherwise; so do all that think unasked.
_NEWER = re.compile(r"qwen3-(max|vl)|qwq|qvq")


@dataclass(frozen=True)
class NativeOrder:
    """An order, and the shape its answer is to have."""

    order: Order
    message: bool
    incremental: bool
    multimodal: bool


def read(body: Json, path: str, stream: bool) -> NativeOrder:
    """The order in a native body, or the refusal of the first thing that is wrong with it."""
    model = _model(body.get("model"), path)
    parameters = _object(body.get("parameters") or {}, "parameters")
    multimodal, newer = path == MULTIMODAL, _is_newer(model)
    usual = "message" if newer or multimodal or model.line == "qwen-long" else "text"
    message = _chosen(parameters, "result_format", usual) == "message"
    incremental = _flag(parameters, "incremental_output", newer) and not model.cumulative_stream
    chat = {name: value for name, value in parameters.items() if name not in _NOT_CHAT}
    order = _checked({**chat, "model": model.name, "messages": _messages(body), "stream": stream})
    several = order.choices > 1 or bool(order.several("tools"))
    if several and parameters.get("result_format") == "text" and not multimodal:
        raise invalid('The result_format parameter must be "message" when n is above 1 or tools are given')
    native = NativeOrder(order, message or several or multimodal, incremental, multimodal)
    if order.thinking and not native.message:
        raise invalid(_THINKING.format(name="result_format", value="message"))
    if order.thinking and stream and not incremental:
        raise invalid(_THINKING.format(name="incremental_output", value="true"))
    return native


def _model(name: Any, path: str) -> Model:
    if not isinstance(name, str) or not name:
        raise Refusal("InvalidParameter", 'Required parameter "model" missing from request.')
    model = catalogue.model(name)
    if model is None:
        raise Refusal("InvalidParameter", "Model not exist.")
    if model.endpoint != "chat" or (model.native == "multimodal") != (path == MULTIMODAL):
        raise Refusal("InvalidParameter", WRONG_PATH)
    return model


def _is_newer(model: Model) -> bool:
    """Whether it answers as messages, and streams only what is new, when the request does not say."""
    named = _NEWER.match(model.line) or (model.open and model.line.startswith("qwen3"))
    return bool(named) or model.thinking in ("on", "always")


def _checked(body: Json) -> Order:
    try:
        return check(body)
    except Refusal as refusal:
        if refusal.code == "invalid_value":
            raise invalid(f"Range of seed should be [0, {SEED_CEILING}]") from None
        raise


def _messages(body: Json) -> list[Any]:
    given = _object(body.get("input") or {}, "input")
    messages, prompt = given.get("messages"), given.get("prompt")
    if messages is None and not prompt:
        raise invalid('Either "prompt" or "messages" must exist and cannot both be none')
    if messages is None:
        return [*_history(given.get("history") or []), {"role": "user", "content": prompt}]
    if not isinstance(messages, list):
        raise invalid("Input should be a valid list: input.messages")
    return [_message(message) for message in messages]


def _history(turns: Any) -> list[Json]:
    """The old way to tell what was said before: pairs of `user` and `bot`."""
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise invalid("Input should be a valid list: input.history")
    roles = {"user": "user", "bot": "assistant"}
    return [{"role": roles[who], "content": turn[who]} for turn in turns for who in roles if turn.get(who) is not None]


def _message(message: Any) -> Any:
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return message
    return {**message, "content": [_part(item) for item in content]}


def _part(item: Any) -> Json:
    """One content item in the chat protocol's spelling."""
    kinds = [kind for kind in _MODALITIES if kind in item] if isinstance(item, dict) else []
    if len(kinds) != 1:
        raise invalid(_MODAL)
    kind, value = kinds[0], item[kinds[0]]
    if kind in ("image", "video", "audio"):
        for url in value if isinstance(value, list) and kind == "video" else [value]:
            if not isinstance(url, str) or not _URL.match(url):
                raise Refusal("InternalError.Algo.InvalidParameter", _NO_URL, status=400)
    part: Json = {"type": kind, kind: value}
    if kind == "image" or (kind == "video" and isinstance(value, str)):
        part = {"type": f"{kind}_url", f"{kind}_url": {"url": value}}
    if kind == "audio":
        part = {"type": "input_audio", "input_audio": {"data": value}}
    return part | {name: item[name] for name in _KNOBS if item.get(name) is not None}


def _object(value: Any, name: str) -> Json:
    if not isinstance(value, dict):
        raise invalid(f"Input should be a valid dictionary: {name}")
    return value


def _chosen(parameters: Json, name: str, usual: str) -> str:
    value = parameters.get(name)
    if value not in (None, "text", "message"):
        raise invalid(f"Unknown {name}: {str(value)[:80]}, it should be text or message")
    return value or usual


def _flag(parameters: Json, name: str, usual: bool) -> bool:
    value = parameters.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"'{name}' must be Boolean")
    return usual if value is None else value
