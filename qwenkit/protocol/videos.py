"""Orders for clips without I/O. All are tasks; what differs is where a model wants its pictures and sound.

text to video        the prompt alone, a sound if there is one
image to video       `img_url`, or a list of `media` by what each is for
key frames to video  a first and a last frame, on a path of their own
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.errors import ConfigError
from qwenkit.protocol import images, media, sizes
from qwenkit.protocol import options as checked
from qwenkit.protocol.images import Order
from qwenkit.protocol.parts import Part, value

PATH = "/services/aigc/video-generation/video-synthesis"
KEY_FRAMES = "/services/aigc/image2video/video-synthesis"
_SETS = ({"first_frame"}, {"first_frame", "last_frame"}, {"first_clip"}, {"first_clip", "last_frame"})
_KINDS = {"first_frame": "image", "last_frame": "image", "first_clip": "video", "driving_audio": "audio"}
_OLDER = {"driving_audio": "audio_url", "last_frame": "last_frame_url"}


class VideoOptions(TypedDict, total=False):
    """Options of `qwen.videos(...)`: what to film from and how, then as on the wire what some models know."""

    image: Any
    last: Any
    clip: Any
    audio: Any
    seconds: int
    size: Any
    resolution: str
    ratio: str
    seed: int | None
    negative: str
    model: str
    extra: Mapping[str, Any] | None
    prompt_extend: bool
    watermark: bool
    shot_type: str
    template: str


_KNOWN = frozenset(VideoOptions.__annotations__)
_WIRE = ("prompt_extend", "watermark", "shot_type")
_FRAMES = {"image": "first_frame", "last": "last_frame", "clip": "first_clip", "audio": "driving_audio"}
_ELSEWHERE = {"duration": "it is called seconds here", "img_url": "the picture to begin with is image=…"}


def order(prompt: str, options: Mapping[str, Any]) -> Order:
    """The order for these words and pictures, checked."""
    checked.refuse_unknown(options, _KNOWN, "videos", _ELSEWHERE)
    given = {wire: options[name] for name, wire in _FRAMES.items() if options.get(name) is not None}
    parts = {name: value(each, _KINDS[name]) for name, each in given.items()}
    frames = set(parts) - {"driving_audio"}
    model = checked.model(options.get("model") or _usual(frames))
    facts = catalogue.model(model)
    if facts is not None and facts.family != "video":
        raise ConfigError(f"{model} films nothing", hint=f"use a model that does, such as model={_usual(frames)!r}")
    _check_parts(parts, frames, facts, model)
    words = images.said(prompt, facts, model) if prompt or not frames else ""
    seed, negative = images.seeded(options.get("seed")), images.unwanted(options.get("negative"), facts)
    asked: dict[str, Any] = {"duration": _seconds(options.get("seconds"), facts), "seed": seed}
    asked |= _sized(options.get("size"), options.get("resolution"), options.get("ratio"), facts)
    asked |= {name: options.get(name) for name in _WIRE}
    wire = {"prompt": words, "negative_prompt": negative, **_placed(parts, model), "template": options.get("template")}
    parameters = {**images.filled(asked), **checked.extra(options.get("extra"))}
    body = {"model": model, "input": images.filled(wire), "parameters": parameters}
    line = facts.line if facts else model
    return Order(KEY_FRAMES if "kf2v" in model else PATH, body, model, words, 1, seed, negative, line=line, later=True)


def _usual(frames: set[str]) -> str:
    """The model when none is named: the default, from pictures the first of the catalogue that takes them."""
    if not frames:
        return catalogue.DEFAULTS["video"]
    fit = (each for each in catalogue.models() if each.family == "video" and "I" in each.inputs)
    return next(fit).name


def _check_parts(parts: Mapping[str, Any], frames: set[str], facts: Model | None, model: str) -> None:
    if facts is None:
        return
    if "I" not in facts.inputs and frames:
        raise ConfigError(f"{model} films from words alone", hint=f"with pictures use model={_usual(frames)!r}")
    key_frames = "kf2v" in facts.line
    sets = _SETS[1:2] if key_frames else _SETS if facts.line.startswith("wan2.7") else _SETS[:1]
    if "I" in facts.inputs and frames not in sets:
        names = {"first_frame": "image", "last_frame": "last", "first_clip": "clip"}
        able = ", or ".join(" and ".join(sorted(f"{names[name]}=" for name in each)) for each in sets)
        other = "" if _usual(frames) == model else f", or use model={_usual(frames)!r}"
        raise ConfigError(f"{model} films from {able}", hint=f"give it that{other}")
    if "driving_audio" in parts and "first_clip" in parts:
        raise ConfigError("a clip that goes on has its own sound", hint="leave audio out, or begin with image=…")
    if "driving_audio" in parts and "A" not in facts.inputs:
        raise ConfigError(f"{model} takes no sound", hint="leave audio out")
    media.check([Part("image", parts[name], {}) for name in ("first_frame", "last_frame") if name in parts], model)


def _placed(parts: dict[str, Any], model: str) -> dict[str, Any]:
    """Pictures and sound where this model wants them."""
    if "wan2.7" in model and "i2v" in model:
        return {"media": [{"type": name, "url": value} for name, value in parts.items()]}
    first = "first_frame_url" if "kf2v" in model else "img_url"
    return {_OLDER.get(name, first): value for name, value in parts.items()}


def _seconds(seconds: Any, facts: Model | None) -> int | None:
    limits: Mapping[str, Any] = facts.limits if facts else {}
    listed = [int(each) for each in str(limits.get("seconds", "")).split()]
    least, most = int(limits.get("seconds_min", 1)), int(limits.get("seconds_max", 3600))
    if seconds is None:
        return None
    if not sizes.whole(seconds) or (seconds not in listed if listed else not least <= seconds <= most):
        told = " or ".join(map(str, listed)) or f"a whole number from {least} to {most}"
        raise ConfigError(f"seconds cannot be {seconds!r:.60}", hint=f"it is {told}")
    return int(seconds)


def _sized(size: Any, resolution: Any, ratio: Any, facts: Model | None) -> dict[str, str]:
    """Either a size, or a resolution and, from words, a ratio: what this model goes by."""
    limits: Mapping[str, Any] = facts.limits if facts else {}
    resolution, ratio = str(resolution or "").upper(), str(ratio or "")
    for name, given, listed in (("resolution", resolution, "resolutions"), ("ratio", ratio, "ratios")):
        known = str(limits.get(listed, "")).split()
        if given and facts is not None and given not in known:
            hint = f"it is one of {', '.join(known)}" if known else "this model goes by " + _goes_by(limits)
            raise ConfigError(f"{name} cannot be {given!r:.60}", hint=hint)
    if size and facts is not None and "sizes" not in limits:
        raise ConfigError(f"size cannot be {size!r:.60}", hint=f"{facts.name} goes by {_goes_by(limits)}")
    return {"size": sizes.sized(size, facts, [], {}), "resolution": resolution, "ratio": ratio}


def _goes_by(limits: Mapping[str, Any]) -> str:
    names = {"sizes": "size=", "resolutions": "resolution=", "ratios": "ratio="}
    return " and ".join(told for name, told in names.items() if name in limits)
