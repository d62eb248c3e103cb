"""Pictures, films and sounds in a request, without I/O: the options that bring them, and what a model takes.

Before anything is sent `check` holds what is known of the media against what is known of the model, and says the rule.
Which shape each API wants is told in `protocol.parts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import PurePath
from typing import Any

from qwenkit import catalogue
from qwenkit.catalogue.media import MEGABYTE, MediaFacts, image_tokens
from qwenkit.catalogue.media import media as media_facts
from qwenkit.errors import ConfigError
from qwenkit.protocol.parts import ADDRESS, Part, is_media, kind_of, read, ready, several, spell, spelled

__all__ = ["ADDRESS", "OPTIONS", "Part", "asked", "attached", "check", "check_one", "fit", "is_media", "parts"]
__all__ += ["kept", "prompt_tokens", "seeing", "spelled", "switches"]

OPTIONS = ("images", "video", "audio", "fps", "min_pixels", "max_pixels", "high_resolution")
_LETTERS = {"image": "I", "video": "V", "frames": "V", "audio": "A"}
_NOUNS = {"image": "picture", "video": "film", "frames": "list of frames", "audio": "sound"}
_SENSES = {"I": "sees no pictures", "V": "sees no films", "A": "hears nothing"}
_FORMATS = {"3gpp": "3gp", "x-m4a": "m4a", "mpo": "jpeg"}
_MOST_PIXELS = 16_777_216
_PIXELS = (1, _MOST_PIXELS, f"it is a whole number of pixels, 1 to {_MOST_PIXELS:,}")
_RANGES = {"fps": (0.1, 10, "it is a number of frames a second, 0.1 to 10")}
_RANGES |= {"min_pixels": _PIXELS, "max_pixels": _PIXELS}
_UNREAD = "heic"  # which models read and Pillow does not
_UNMEASURED = 1280  # tokens of what only the service can measure


def asked(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts that `images`, `video` and `audio` ask for, in the chat spelling, before the words as in the pages."""
    _check_numbers(options)
    sizes = {name: options[name] for name in ("min_pixels", "max_pixels") if options.get(name) is not None}
    pace = {"fps": options["fps"]} if options.get("fps") is not None else {}
    found = [Part("image", each, sizes) for each in several(options.get("images"))]
    film, sound = options.get("video"), options.get("audio")
    if film is not None:
        films = isinstance(film, list | tuple) and film and all(map(_is_film, film))
        kind = "frames" if isinstance(film, list | tuple) and not films else "video"
        found += [Part(kind, each, {**pace, **sizes}) for each in (film if films else [film])]
    if not isinstance(sound, Mapping):  # that would be the wire's own option
        found += [Part("audio", each, {}) for each in several(sound)]
    return [spell(ready(part), "chat") for part in found]


def _check_numbers(options: Mapping[str, Any]) -> None:
    """The options that are numbers: in their range, and with something to see."""
    given = {name: options[name] for name in ("fps", "min_pixels", "max_pixels") if options.get(name) is not None}
    shown = [name for name in ("images", "video") if options.get(name) is not None]
    for name, number in given.items():
        fine = isinstance(number, int if name != "fps" else int | float) and not isinstance(number, bool)
        least, most, rule = _RANGES[name]
        if not fine or not least <= number <= most:
            raise ConfigError(f"{name} cannot be {number!r:.60}; nothing was sent", hint=rule)
        if not shown or (name == "fps" and "video" not in shown):
            goes = "video=…" if name == "fps" else "images=… or video=…"
            raise ConfigError(f"{name} goes with {goes}, and there is none", hint="leave it out, or show something")
    least, most = given.get("min_pixels", 0), given.get("max_pixels", _MOST_PIXELS)
    if least > most:
        raise ConfigError(f"min_pixels={least:,} is more than max_pixels={most:,}", hint="make it smaller")


def _is_film(each: Any) -> bool:
    """Whether one of a list is a film of its own and no frame: by its kind, its ending, or its first bytes."""
    if isinstance(each, str):
        told = each.partition("?")[0]
        return told.startswith("data:video/") if told.startswith("data:") else kind_of(PurePath(told)) == "video"
    if isinstance(each, bytes):
        from qwenkit.types.media import sniff

        return sniff(each[:4096]).startswith("video/")
    return kind_of(each) == "video"


def attached(messages: list[dict[str, Any]], parts: list[dict[str, Any]], text: str = "text") -> list[dict[str, Any]]:
    """The messages with the parts before the words of the last one; `text` is what their API calls these."""
    if not parts:
        return messages
    last = messages[-1] if messages else {}
    if last.get("role") != "user":
        hint = 'say something with them: qwen.chat("What is this?", images=[…])'
        raise ConfigError("pictures, films and sounds go with what a user says", hint=hint)
    content = last.get("content") or []
    words = [{"type": text, "text": content}] if isinstance(content, str) else list(content)
    return [*messages[:-1], {**last, "content": [*parts, *words]}]


def switches(options: Mapping[str, Any]) -> dict[str, Any]:
    """What the friendly options are on the wire beside the parts."""
    high = options.get("high_resolution")
    return {} if high is None else {"vl_high_resolution_images": bool(high)}


def parts(messages: Iterable[Any]) -> Iterator[Part]:
    """The media of messages, or of items of the Responses API."""
    for message in messages:
        content = message.get("content") if isinstance(message, Mapping) else getattr(message, "content", None)
        for part in content if isinstance(content, list) else ():
            found = read(part)
            if found is not None and found.kind != "text":
                yield found


def fit(named: str, usual: str, found: list[Part]) -> str:
    """The model: the one that is named, else the usual one if it has the senses for it, else the default that has."""
    facts, needs = catalogue.model(usual) if not named else None, {_LETTERS[part.kind] for part in found}
    if facts is None or needs <= set(facts.inputs):
        return named or usual
    return catalogue.DEFAULTS["audio" if needs == {"A"} else "omni" if "A" in needs else "vision"]


def kept(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that can be used for many prompts: a generator or an open file would be empty after the first."""
    return {name: _kept(each) if isinstance(each, Iterator) else each for name, each in options.items()}


def _kept(each: Any) -> Any:
    return each.read() if hasattr(each, "read") else list(each)


def seeing(named: str, usual: str, options: Mapping[str, Any]) -> str:
    """The same for what options show, when many prompts are to come."""
    return fit(named, usual, list(parts([{"content": asked(options)}])))


def check(found: list[Part], model: str, own: int = 0) -> None:
    """Raise on the first medium a model cannot take, as far as both are known.

    Addresses in parts written by hand are the service's to judge; `own` is how many parts came from options.
    """
    facts = catalogue.model(model)
    limits = media_facts(facts)
    for part in found:
        letter = _LETTERS[part.kind]
        if facts is not None and letter not in facts.inputs and (own or not isinstance(part.value, str)):
            able = catalogue.DEFAULTS["audio" if letter == "A" else "vision"]
            raise ConfigError(f"{model} {_SENSES[letter]}", hint=f"use a model that does, such as model={able!r}")
    if limits is None:
        return
    _check_counts(found, limits, model)
    for kind in ("image", "video", "audio"):
        values = [each for part in found if (part.kind == "frames" and kind == "image") or part.kind == kind
                  for each in (part.value if part.kind == "frames" else [part.value])]  # fmt: skip
        for number, each in enumerate(values, 1):
            check_one(each, kind, limits, model, f" {number}" if len(values) > 1 else "")


def _check_counts(found: list[Part], limits: MediaFacts, model: str) -> None:
    kinds = [part.kind for part in found]
    counted = {"images": kinds.count("image"), "videos": kinds.count("video") + kinds.count("frames")}
    for name, count in {**counted, "audios": kinds.count("audio")}.items():
        most = getattr(limits, name)
        if most is not None and count > most:
            one = _NOUNS[name[:-1]]
            raise ConfigError(f"{model} takes at most {most:,} {one}s, here are {count:,}", hint="send fewer at once")
    least, most = limits.frames_min, limits.frames
    for part in found:
        if part.kind == "frames" and least and most and not least <= len(part.value) <= most:
            said = f"{model} takes {least} to {most:,} frames, here are {len(part.value):,}"
            raise ConfigError(said, hint="choose others: qk.Video.open(path).frames(n) spreads n over a film")


def check_one(given: Any, kind: str, limits: MediaFacts, model: str, number: str = "") -> None:
    """Raise when one value breaks a limit. An address alone is not judged: only the service sees what is there."""
    if not is_media(given) or not given.loaded:
        return
    for broken, cure in _broken(given, kind, limits):
        raise ConfigError(
            f"{_NOUNS[kind]}{number} ({given.name}): {broken}; nothing was sent", hint=f"{cure} ({model})"
        )


def _broken(given: Any, kind: str, limits: MediaFacts) -> Iterator[tuple[str, str]]:
    if not given.byte_size:
        yield "it is empty", "look at what made it"
    if kind == "video":
        yield from _unfilmed(given)
    most, formats = getattr(limits, f"{kind}_megabytes"), getattr(limits, f"{kind}_formats", [])
    form = _FORMATS.get(given.format, given.format)
    if formats and form and form not in formats:  # what nobody here knows is the service's to judge
        yield f"{form} is not read", f"save it as one of {', '.join(formats)}"
    if most is not None and given.byte_size > most * MEGABYTE:
        yield f"it has {given.byte_size:,} bytes and may have {int(most * MEGABYTE):,}", "make it smaller"
    if kind == "image":
        if form != _UNREAD:
            yield from _sides(given.width, given.height, limits)
        return
    least, longest = limits.video_seconds_min if kind == "video" else None, getattr(limits, f"{kind}_seconds")
    seconds = _seconds(given) if least is not None or longest is not None else None
    if seconds is not None and least is not None and seconds < least:
        yield f"it lasts {seconds:.2f} s and must last {least:g} s at least", "take a longer one"
    if seconds is not None and longest is not None and seconds > longest:
        yield f"it lasts {seconds:,.1f} s and may last {longest:,g} s", "cut it into parts"


def _unfilmed(given: Any) -> Iterator[tuple[str, str]]:
    """What is no film."""
    family = given.media_type.partition("/")[0]
    if family == "image":
        yield "it is a picture", "pass it as images=…, or a list of pictures as video=[…]"
    elif family == "audio":
        yield "it is a sound", "pass it as audio=…"
    elif family == "text" or given.media_type == "application/pdf":
        yield "it is a document", "put its words into the prompt, or see qwen.files"
    elif not given.format and find_spec("av"):
        try:
            _ = given.duration
        except ConfigError as unfit:
            yield "it is no film, or a damaged one", unfit.hint or "pass a path, bytes or an address of a film"


def _sides(width: int, height: int, limits: MediaFacts) -> Iterator[tuple[str, str]]:
    short, long, size = min(width, height), max(width, height), f"it is {width}x{height} px"
    if limits.side_min is not None and short < limits.side_min:
        yield f"{size}; width and height must be at least {limits.side_min} px", "enlarge it"
    if limits.ratio is not None and long > short * limits.ratio:
        yield f"{size}; the aspect ratio may be {limits.ratio:g}:1 at most", "cut it into parts"
    if limits.side_max is not None and long > limits.side_max:
        yield f"{size}; width and height may be {limits.side_max:,} px at most", "make it smaller"


def _seconds(given: Any) -> float | None:
    """How long it is; None when nobody here can tell, which is then left to the service."""
    try:
        return float(given.duration)
    except ConfigError:
        return None


def prompt_tokens(messages: list[Any], model: str, words: bool = True) -> int:
    """About how many tokens the messages are, with what there is to see and hear in them; or only that."""
    limits = media_facts(catalogue.model(model))
    told = catalogue.tokens.count_messages(messages) if words else 0
    return told + sum(_tokens(part, limits) for part in parts(messages))


def _tokens(part: Part, limits: MediaFacts | None) -> int:
    kind, value, more = part
    if kind == "image":
        return _pictured(value, limits, more.get("max_pixels"))
    each = limits.video_pixels if limits else 655360
    if kind == "frames":  # two frames share their tokens
        return sum(_pictured(frame, limits, each) for frame in value) // 2
    seconds = _seconds(value) if is_media(value) and value.loaded else None
    if seconds is None:
        return _UNMEASURED
    if kind == "audio":
        return int((int(seconds) + 1) * ((limits and limits.audio_tokens) or 25))
    patch, total = (limits.patch, limits.total_pixels) if limits else (32, 67_108_864)
    frames = max(seconds * (more.get("fps") or 2), 1)
    return int(frames / 2 * (min(each, max(total / frames, patch**2)) // patch**2)) + 2


def _pictured(picture: Any, limits: MediaFacts | None, most: int | None) -> int:
    if not (is_media(picture) and picture.loaded) or picture.format == _UNREAD:
        return _UNMEASURED
    return image_tokens(picture.width, picture.height, limits, most)
