"""The parts of a message that are no text: which shape each API wants, whatever shape they come in.

Content may hold values (`qk.Image`, `qk.Video`, `qk.Audio`), paths and any API's parts next to texts; `spelled` makes
parts of one API of them. A value that has no address yet stays in its part as it is, until `api.sending` places it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from qwenkit.errors import ConfigError

if TYPE_CHECKING:
    from qwenkit.types.media import Media

ADDRESS = ("http://", "https://", "data:", "oss://")
# A part's type and where its value is, API by API; the native API has no types, its keys are the kinds.
_CHAT = {"image_url": ("image", "url"), "video_url": ("video", "url"), "input_audio": ("audio", "data")}
_CHAT |= {"audio_url": ("audio", "url"), "video": ("frames", "")}
_RESPONSES = {"input_image": ("image", "image_url"), "input_video": ("video", "video_url")}
_RESPONSES |= {"input_audio": ("audio", "audio_url")}
_TEXTS = ("text", "input_text", "output_text")


class Part(NamedTuple):
    """One part of a message: `kind` is text, image, video, frames or audio; `more` is what else it says."""

    kind: str
    value: Any
    more: dict[str, Any]


def value(given: Any, kind: str) -> Any:
    """An address as it is; anything else as the value of its kind."""
    if isinstance(given, str) and given.startswith(ADDRESS):
        return given
    try:
        return _class(kind).of(given)
    except ConfigError as unfit:
        raise ConfigError(f"{kind} cannot be sent: {unfit.message}", hint=unfit.hint) from None


def _class(kind: str) -> type[Media]:
    if kind == "image":
        from qwenkit.types.image import Image as Kind
    elif kind == "audio":
        from qwenkit.types.audio import Audio as Kind  # type: ignore[assignment]
    else:
        from qwenkit.types.video import Video as Kind  # type: ignore[assignment]
    return Kind


def kind_of(given: Any) -> str:
    """What a value or a path in the place of a part is; "" for anything else."""
    if isinstance(given, os.PathLike):
        import mimetypes

        guessed = (mimetypes.guess_type(os.fspath(given))[0] or "").partition("/")[0]
        return guessed if guessed in ("image", "video", "audio") else ""
    return str(getattr(given, "family", "")) if is_media(given) else ""


def is_media(given: Any) -> bool:
    return hasattr(given, "data_url") and hasattr(given, "media_type")


def several(given: Any) -> list[Any]:
    """One picture or a list of them; an array is one."""
    if given is None:
        return []
    one = isinstance(given, str | bytes | bytearray | os.PathLike | Mapping) or hasattr(given, "__array__")
    one = one or is_media(given) or hasattr(given, "read") or not isinstance(given, Iterable)
    return [given] if one else list(given)


def spelled(content: Any, to: str, role: str = "user") -> Any:
    """Content in the parts of one API: `to` is chat, native or responses. A text stays a text."""
    if is_media(content) or isinstance(content, os.PathLike):
        content = [content]
    return [_spelled(part, to, role) for part in content] if isinstance(content, list | tuple) else content


def _spelled(part: Any, to: str, role: str) -> Any:
    found = read(part)
    if found is None:
        return {name: part[name] for name in part if name != "type"} if to == "native" and _typed(part) else part
    if found.kind == "text":
        return part if isinstance(part, Mapping) and to == "chat" and _typed(part) else spell(found, to, role)
    made = ready(found)
    return part if made.value is found.value and isinstance(part, Mapping) and _is_of(part, to) else spell(made, to)


def _typed(part: Any) -> bool:
    return isinstance(part, Mapping) and "type" in part


def _is_of(part: Mapping[str, Any], to: str) -> bool:
    kind = part.get("type")
    if kind is None or to == "native":
        return kind is None and to == "native"
    return to == "chat" if kind in _CHAT and kind in part else to == "responses"


def read(part: Any) -> Part | None:
    """A part in whatever spelling; None for what is none of them, which is the service's to judge."""
    if isinstance(part, str):
        return Part("text", part, {})
    if not isinstance(part, Mapping):
        kind = kind_of(part)
        return Part(kind, part, {}) if kind else None
    told: Any = part.get("type")
    if told is None:
        named = [name for name in ("image", "video", "audio", "text") if part.get(name) is not None]
        return _found(named[0], part[named[0]], part, named[0]) if len(named) == 1 else None
    if not isinstance(told, str):
        return None
    if told in _TEXTS:
        return _found("text", part.get("text"), part, "text")
    kind, place = _CHAT.get(told, ("", ""))
    inner = part.get(told)
    if kind and inner is not None:
        return _found(kind, inner.get(place) if isinstance(inner, Mapping) else inner, part, told)
    kind, place = _RESPONSES.get(told, ("", ""))
    return _found(kind, part.get(place) or part.get("data"), part, place, "data") if kind else None


def _found(kind: str, value: Any, part: Mapping[str, Any], *places: str) -> Part | None:
    if value is None:
        return None
    kind = "frames" if kind == "video" and isinstance(value, list | tuple) else kind
    return Part(kind, value, {name: part[name] for name in part if name not in ("type", *places)})


def ready(part: Part) -> Part:
    """The part with addresses and values in it; a film of frames is its frames."""
    if part.kind == "frames":
        return part._replace(value=_same(part.value, [value(each, "image") for each in part.value]))
    made = value(part.value, part.kind)
    frames = getattr(made, "stills", None) if part.kind == "video" else None
    if frames:
        return Part("frames", list(frames), {"fps": made.fps, **part.more})
    return part._replace(value=made)


def _same(before: Any, after: list[Any]) -> Any:
    return before if all(one is other for one, other in zip(before, after, strict=True)) else after


def spell(part: Part, to: str, role: str = "user") -> dict[str, Any]:
    kind, value, more = part
    if kind == "text":
        if to == "native":
            return {"text": value, **more}
        responses = "output_text" if role == "assistant" else "input_text"
        return {"type": responses if to == "responses" else "text", "text": value, **more}
    if to == "native":
        return {"video" if kind == "frames" else kind: value, **{name: more[name] for name in more if name != "format"}}
    if to == "responses":
        if kind == "frames":
            raise ConfigError("the Responses API takes no lists of frames", hint="send the film, or use qwen.chat")
        place = _RESPONSES[f"input_{kind}"][1]
        return {"type": f"input_{kind}", **_format(kind, value), place: value, **more}
    if kind == "frames":
        return {"type": "video", "video": value, **more}
    if kind == "audio":
        return {"type": "input_audio", "input_audio": {"data": value, **_format(kind, value)}, **more}
    return {"type": f"{kind}_url", f"{kind}_url": {"url": value}, **more}


def _format(kind: str, value: Any) -> dict[str, str]:
    """A sound says what it is, where that is known."""
    return {"format": value.format} if kind == "audio" and is_media(value) and value.format else {}


def inlined(thing: Any) -> Any:
    """Any structure with values written out: as the address they have, else as data: URIs."""
    if isinstance(thing, dict):
        return {name: inlined(each) for name, each in thing.items()}
    if isinstance(thing, list):
        return [inlined(each) for each in thing]
    if isinstance(thing, str) or not is_media(thing):
        return thing
    return thing.data_url() if thing.loaded else thing.url
