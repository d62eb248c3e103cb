"""Orders for pictures without I/O: which path, which style of body, and what a model allows.

Two styles are spoken. Newer models take messages, on the path that answers at once or on one of tasks; older ones take
a prompt, as tasks only. Paths and bounds are looked up in the catalogue, so a model is a row there and nothing here.
What breaks a documented bound is refused before it is sent.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, TypedDict

import msgspec

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.errors import ConfigError
from qwenkit.protocol import media, parts
from qwenkit.protocol import options as checked
from qwenkit.protocol.native import MULTIMODAL
from qwenkit.protocol.sizes import sized, whole

PATHS = {
    "image-generation": "/services/aigc/image-generation/generation",
    "text2image": "/services/aigc/text2image/image-synthesis",
    "image2image": "/services/aigc/image2image/image-synthesis",
}
SEEDS = 2**31 - 1
_CHOSEN = 1_000_000  # seeds a person can still read out
FUNCTIONS = "stylization_all, description_edit, colorization, super_resolution, expand, doodle …"
_STREAMED = {"X-DashScope-SSE": "enable"}
_TOGETHER = 5  # pictures between the texts of one answer
_WITHIN = ("function", "mask_image_url")  # these go beside the prompt, not with the parameters


class ImageOptions(TypedDict, total=False):
    """Options of `qwen.images(...)`: what every model knows, then as on the wire what some do."""

    n: int
    size: Any
    seed: int | None
    negative: str
    images: Any
    model: str
    extra: Mapping[str, Any] | None
    prompt_extend: bool
    watermark: bool
    style: str
    ref_strength: float
    ref_mode: str
    function: str
    mask_image_url: Any
    enable_interleave: bool
    max_images: int
    enable_sequential: bool
    bbox_list: list[Any]
    color_palette: list[Mapping[str, Any]]
    thinking_mode: Any
    enable_thinking: bool
    prompt_extend_mode: str


_KNOWN = frozenset(ImageOptions.__annotations__)
_OURS = frozenset({"n", "size", "seed", "negative", "images", "model", "extra"})
_LEFT_OUT = "the models choose that themselves: leave it out"
_ELSEWHERE = {
    **dict.fromkeys(("steps", "num_inference_steps", "guidance", "guidance_scale", "quality"), _LEFT_OUT),
    **dict.fromkeys(("width", "height"), "both sides are size=(1024, 768)"),
    "negative_prompt": 'it is called negative here: negative="text, people"',
    "ref_img": "reference pictures are images=[…]",
    "base_image_url": "the picture to change is images=[…]",
    "stream": "a picture is not streamed; interleaved texts and pictures come whole",
}


class Order(msgspec.Struct):
    """A request for pictures, with its media still in it; what was asked for stays with the answer."""

    path: str
    body: dict[str, Any]
    model: str
    prompt: str
    n: int
    seed: int | None
    negative: str = ""
    headers: dict[str, str] = {}
    line: str = ""  # of the catalogue
    later: bool = False


def order(prompt: Any, options: Mapping[str, Any], *, later: bool = False) -> Order:
    """The order for these words, checked. `later` asks for a task even where pictures could come at once."""
    checked.refuse_unknown(options, _KNOWN, "images", _ELSEWHERE)
    pictures = [parts.value(each, "image") for each in parts.several(options.get("images"))]
    model = checked.model(options.get("model") or _usual(bool(pictures)))
    facts = catalogue.model(model)
    at_once, path = _place(model, facts, later)
    _check_own(options, facts)
    count = _count(options.get("n"), facts, options)
    seed = seeded(options.get("seed"), max(count, _between(options)))
    words, negative = said(prompt, facts, model), unwanted(options.get("negative"), facts)
    asked: dict[str, Any] = {"n": count, "seed": seed, "size": sized(options.get("size"), facts, pictures, options)}
    told = {name: value for name, value in options.items() if name not in _OURS and value is not None}
    asked |= {name: value for name, value in told.items() if name not in _WITHIN}
    messages = at_once or path == PATHS["image-generation"]
    _check_pictures(pictures, facts, model, bool(told.get("enable_interleave")))
    if messages:
        content = [*({"image": each} for each in pictures), {"text": words}]
        given: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
        asked["negative_prompt"] = negative
    else:
        given = {"prompt": words, "negative_prompt": negative} | _older(pictures, facts, told)
    streamed = at_once and bool(told.get("enable_interleave"))
    asked |= {"stream": True} if streamed else {}
    body = {
        "model": model,
        "input": filled(given),
        "parameters": {**filled(asked), **checked.extra(options.get("extra"))},
    }
    headers = _STREAMED if streamed else {}
    line = facts.line if facts else model
    return Order(path, body, model, words, count, seed, negative, headers, line, not at_once)


def filled(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None and value != ""}


def _usual(edits: bool) -> str:
    """The model when none is named: the default, for editing the first that takes pictures at once."""
    if not edits:
        return catalogue.DEFAULTS["image"]
    return next(each.name for each in catalogue.models() if each.endpoint == "image" and "I" in each.inputs)


def _place(model: str, facts: Model | None, later: bool) -> tuple[bool, str]:
    """Whether pictures come at once, and the path."""
    if facts is not None and facts.family != "image":
        hint = f"use a model that does, such as model={catalogue.DEFAULTS['image']!r}"
        raise ConfigError(f"{model} draws no pictures", hint=hint)
    if facts is None:
        return not later, PATHS["image-generation"] if later else MULTIMODAL
    if facts.endpoint == "image" and not later:
        return True, MULTIMODAL
    if "task" not in facts.limits:
        raise ConfigError(f"{model} draws at once and takes no tasks", hint="call qwen.images(…) without .submit")
    return False, PATHS[str(facts.limits["task"])]


def said(prompt: Any, facts: Model | None, model: str) -> str:
    """The words, if there are any; a warning when the service will not read all of them."""
    if not isinstance(prompt, str) or not prompt.strip():
        raise ConfigError(f"prompt cannot be {prompt!r:.60}", hint='say what to make: "a paper kite over a lake"')
    limits = facts.limits if facts else {}
    for name, count in (("prompt_characters", len), ("prompt_tokens", catalogue.tokens.count)):
        most = limits.get(name)
        if isinstance(most, int) and count(prompt) > most:
            unit = name.partition("_")[2]
            told = f"the prompt has {count(prompt):,} {unit} and {model} reads {most:,}: the rest is cut off"
            warnings.warn(told, UserWarning, checked.users_line())
    return prompt


def unwanted(negative: Any, facts: Model | None) -> str:
    """What is not to be seen, as words the service will read."""
    most = int((facts.limits if facts else {}).get("negative_characters", 500))
    negative = "" if negative is None else negative
    if not isinstance(negative, str):
        raise ConfigError(f"negative cannot be {negative!r:.60}", hint='it is words: negative="text, people"')
    if len(negative) > most:
        raise ConfigError(f"negative has {len(negative):,} characters", hint=f"{most} are read: say the most important")
    return negative


def seeded(seed: Any, count: int = 1) -> int | None:
    """A seed that can be asked for again, as can those counted up from it."""
    most = SEEDS - count + 1
    if seed is not None and (not whole(seed) or not 0 <= seed <= most):
        many = f", because {count} pictures count up from it" if count > 1 else ""
        raise ConfigError(f"seed cannot be {seed!r:.60}", hint=f"it is a whole number from 0 to {most}{many}")
    return seed if seed is None else int(seed)


def chosen(prompt: Any, options: Mapping[str, Any], time: int) -> int:
    """A seed for who names none: the same for the same prompt and model asked for the same time."""
    told = f"{prompt}\n{options.get('model')}\n{time}"
    return int.from_bytes(blake2b(told.encode("utf-8", "replace"), digest_size=4).digest()) % _CHOSEN


def _between(options: Mapping[str, Any]) -> int:
    """How many pictures stand between the texts of one answer, at most."""
    return int(options.get("max_images") or _TOGETHER) if options.get("enable_interleave") else 1


def _check_own(options: Mapping[str, Any], facts: Model | None) -> None:
    """Refuse what belongs to other models."""
    for name in options if facts is not None else ():
        able = [each for each in catalogue.models() if name in str(each.limits.get("options", "")).split()]
        if options[name] is not None and able and facts is not None and facts.line not in [each.name for each in able]:
            raise ConfigError(f"{facts.name} knows no {name}", hint=f"it belongs to model={able[0].name!r}")


def _count(n: Any, facts: Model | None, options: Mapping[str, Any]) -> int:
    """How many pictures; always said, because defaults differ and every picture is billed."""
    limits = facts.limits if facts else {}
    most = int(limits.get("n_max", 4 if facts else 100))
    if options.get("enable_sequential"):
        most = int(limits.get("n_sequential", most))
    if options.get("enable_interleave"):
        most = 1
    count = options.get("max_images")
    if count is not None and not (whole(count) and 1 <= count <= _TOGETHER):
        raise ConfigError(f"max_images cannot be {count!r:.60}", hint=f"it is a whole number from 1 to {_TOGETHER}")
    n = 1 if n is None else n
    if not whole(n) or not 1 <= n <= most:
        hint = "it draws one" if most == 1 else f"it is a whole number from 1 to {most}"
        raise ConfigError(f"n cannot be {n!r:.60}", hint=f"{hint}; more come with more calls")
    return int(n)


# -- pictures that go in -----------------------------------------------------------------------------------------------


def _check_pictures(pictures: list[Any], facts: Model | None, model: str, interleave: bool) -> None:
    limits = facts.limits if facts else {}
    least, most = int(limits.get("images_min", 0)), int(limits.get("images_max", 100 if facts is None else 0))
    least, most = (0, 1) if interleave else (least, most)
    if not least <= len(pictures) <= most:
        takes = f"{least} to {most} pictures" if most > 1 else "one picture" if most else "no pictures"
        able = "" if most else f"; one that edits is model={_usual(True)!r}"
        raise ConfigError(f"{model} takes {takes}, and {len(pictures)} came", hint=f"images=[…]{able}")
    media.check([parts.Part("image", each, {}) for each in pictures], model)


def _older(pictures: list[Any], facts: Model | None, told: Mapping[str, Any]) -> dict[str, Any]:
    """Where the older style has its pictures."""
    within: dict[str, Any] = {name: told[name] for name in _WITHIN if name in told}
    if facts is not None and int(facts.limits.get("images_max", 0)) > 1:
        return within | {"images": pictures}
    if facts is not None and facts.limits.get("images_min"):
        if "function" not in told:
            raise ConfigError("this model needs to know what to do", hint=f"function={FUNCTIONS}")
        if "mask_image_url" in within:
            within["mask_image_url"] = parts.value(within["mask_image_url"], "image")
        return within | {"base_image_url": pictures[0]}
    return within | ({"ref_img": pictures[0]} if pictures else {})
