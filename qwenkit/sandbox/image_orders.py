"""Orders for pictures: what each model takes on which path, read from either style of body.

Newer models take messages and older ones a prompt; which path a model is on, and every bound, is in the catalogue. The
first thing that is wrong is refused in the service's words. A prompt that is too long is cut, as the service does it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.marks import Marks, marks

Json = dict[str, Any]
ROOT = "/api/v1/services/aigc/"
TASK_PATHS = {
    "image-generation": "image-generation/generation",
    "text2image": "text2image/image-synthesis",
    "image2image": "image2image/image-synthesis",
}
WRONG_PATH = "url error, please check url！"
SEED_CEILING = 2**31 - 1
SIDES = {"1K": 1024, "2K": 2048, "4K": 4096}
_STYLES = [
    *("auto", "photography", "portrait", "3d cartoon", "anime", "oil painting", "watercolor", "sketch"),
    *("chinese painting", "flat illustration"),
]
_SHORT = 120  # characters of a prompt: what is longer says enough
_MORE = (", a clear composition seen whole", "，构图清晰完整")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_SIZE = re.compile(r"(\d{1,5})[*xX](\d{1,5})")
_FLAGS = ["prompt_extend", "watermark", "enable_interleave", "enable_sequential", "enable_thinking", "stream"]


@dataclass(frozen=True)
class ImageOrder:
    """What is to be drawn. `size` is a pair, a name such as 2K, or empty for what the model chooses."""

    model: Model
    prompt: str
    negative: str = ""
    n: int = 1
    size: tuple[int, int] | str = ""
    seed: int | None = None
    references: list[str] = field(default_factory=list)
    mask: str = ""
    asked: Json = field(default_factory=dict)
    wanted: Marks = field(default_factory=Marks)

    @property
    def painted(self) -> str:
        """The prompt as it is painted: a short one extended, where that is on."""
        usual = not self.model.line.startswith(("z-image", "wanx-v1", "qwen-image-edit"))
        wordy = len(self.prompt) > _SHORT or not self.on("prompt_extend", usual)
        return self.prompt + ("" if wordy else _MORE[bool(_CHINESE.search(self.prompt))])

    @property
    def interleaved(self) -> bool:
        """Whether texts and pictures come by turns."""
        return self.on("enable_interleave")

    @property
    def parts(self) -> int:
        """How many pictures are made."""
        return min(int(self.asked.get("max_images", 5)), 3) if self.interleaved else self.n

    def on(self, flag: str, usual: bool = False) -> bool:
        value = self.asked.get(flag)
        return usual if value is None else bool(value)


def bound(model: Model, name: str, usual: int = 0) -> int:
    """A limit of a model, as a number."""
    return int(model.limits.get(name, usual))


def placed(body: Json, path: str, family: str = "image") -> Model:
    """The model of a body, if it is served on this path: the name of a task's path, or empty for the one that answers
    at once."""
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise Refusal("InvalidParameter", 'Required parameter "model" missing from request.')
    model = catalogue.model(name)
    if model is None:
        raise Refusal("InvalidParameter", "Model not exist.")
    fits = path in (model.limits.get("task"), model.endpoint) if path else model.endpoint == "image"
    if not fits or model.family != family:
        raise Refusal("InvalidParameter", WRONG_PATH)
    return model


def read(body: Json, path: str = "") -> ImageOrder:
    """The order in a body that was posted to this path."""
    model = placed(body, path)
    given, asked = table(body, "input"), table(body, "parameters")
    for name in _FLAGS:
        if asked.get(name) is not None and not isinstance(asked[name], bool):
            raise invalid(f"'{name}' must be Boolean")
    messages = path in ("", "image-generation")
    prompt, references, mask = _message(given, model, asked) if messages else _prompt(given, model)
    negative = text((asked if messages else given).get("negative_prompt") or "", "negative_prompt")
    if asked.get("prompt_extend_mode") not in (None, "direct") and references:
        raise invalid("prompt_extend_mode agent is only supported without images")
    if str(asked.get("style", "<auto>")).strip("<>") not in _STYLES:
        raise invalid(f"style should be one of {', '.join(f'<{name}>' for name in _STYLES)}")
    wanted = marks(prompt[: bound(model, "prompt_characters", 100_000)])
    return ImageOrder(
        model,
        wanted.prompt or "nothing in particular",
        negative[: bound(model, "negative_characters", 500)],
        _number(asked, model),
        _size(asked, model, bool(references)),
        seed(asked),
        references,
        mask,
        asked,
        wanted,
    )


def _message(given: Json, model: Model, asked: Json) -> tuple[str, list[str], str]:
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("No messages found in input")
    if len(messages) != 1:
        raise invalid("messages length only support 1")
    content = messages[0].get("content") if isinstance(messages[0], dict) else None
    if messages[0].get("role", "user") != "user" if isinstance(messages[0], dict) else True:
        raise invalid("The role of the message should be user")
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise invalid("Input should be a valid list: input.messages.content")
    texts = [item["text"] for item in content if item.get("text") is not None]
    images = [item["image"] for item in content if item.get("image") is not None]
    most = bound(model, "images_max")
    least = bound(model, "images_min")
    if asked.get("enable_interleave"):
        least, most = 0, 1
    if len(texts) > 1 or len(images) > most:
        raise invalid(f"content length only support {1 + most}")
    if not texts or not text(texts[0], "text").strip() or len(images) < least:
        raise invalid("lack of image or text")
    return texts[0], [text(image, "image") for image in images], ""


def _prompt(given: Json, model: Model) -> tuple[str, list[str], str]:
    """The older style, and the three places where it has its pictures."""
    prompt = text(given.get("prompt") or "", "prompt")
    if bound(model, "images_max") > 1:
        images = given.get("images")
    else:
        images = [given[name] for name in ("base_image_url", "ref_img", "ref_image") if given.get(name)][:1]
    if not prompt.strip():
        raise invalid('Required parameter "prompt" missing from input.')
    most = bound(model, "images_max")
    least = bound(model, "images_min")
    if not isinstance(images, list) or len(images) < least:
        raise invalid("lack of image or text")
    if len(images) > most:
        raise invalid(f"Range of the number of images should be [{least}, {most}]")
    if given.get("base_image_url") and not given.get("function"):
        raise invalid('Required parameter "function" missing from input.')
    return prompt, [text(image, "image") for image in images], text(given.get("mask_image_url") or "", "mask_image_url")


def _number(asked: Json, model: Model) -> int:
    most = bound(model, "n_max", 4)
    usual = bound(model, "n_default", 1)
    if asked.get("enable_sequential") and model.limits.get("n_sequential"):
        most = usual = int(model.limits["n_sequential"])
    if asked.get("enable_interleave"):
        most = usual = 1
        if not whole(asked.get("max_images", 5)) or not 1 <= asked.get("max_images", 5) <= 5:
            raise invalid("Range of max_images should be [1, 5]")
    n = asked.get("n")
    n = usual if n is None else n
    if not whole(n) or not 1 <= n <= most:
        raise invalid("num_images_per_prompt must be 1" if most == 1 else f"Range of n should be [1, {most}]")
    return int(n)


def seed(asked: Json) -> int | None:
    value = asked.get("seed")
    if value is not None and (not whole(value) or not 0 <= value <= SEED_CEILING):
        raise invalid(f"Range of seed should be [0, {SEED_CEILING}]")
    return value


def _size(asked: Json, model: Model, edits: bool) -> tuple[int, int] | str:
    given, limits = asked.get("size"), model.limits
    if given is None:
        return ""
    named = str(limits.get("named", "")).split()
    if isinstance(given, str) and given in named and not (given == "4K" and edits):
        return given
    found = _SIZE.fullmatch(given) if isinstance(given, str) else None
    if found is None or named == ["none"]:
        raise invalid(f"The size {str(given)[:40]} is not supported by {model.name}.")
    sides = int(found[1]), int(found[2])
    problem = unfit(sides, limits, edits=edits, interleave=bool(asked.get("enable_interleave")))
    if problem:
        raise invalid(f"The size {given} is not supported by {model.name}: {problem}.")
    return sides


def unfit(sides: tuple[int, int], limits: Any, *, edits: bool = False, interleave: bool = False) -> str:
    """Which bound of the model a size passes; empty when it fits."""
    width, height = sides
    sizes = str(limits.get("sizes", "")).split()
    if sizes and f"{width}*{height}" not in sizes:
        return f"it should be one of {', '.join(sizes)}"
    least, most = limits.get("side_min", 1), limits.get("side_max", 100_000)
    if not (least <= min(sides) and max(sides) <= most):
        return f"each side should be between {least} and {most}"
    area = (
        limits.get("pixels_max", 10**10) if edits else limits.get("pixels_max_text", limits.get("pixels_max", 10**10))
    )
    area = limits.get("interleave_pixels_max", area) if interleave else area
    if not limits.get("pixels_min", 0) <= width * height <= area:
        return f"the total number of pixels should be between {limits.get('pixels_min', 0)} and {area}"
    ratio = limits.get("ratio_max", 10_000)
    if max(sides) > ratio * min(sides):
        return f"the aspect ratio should be between 1:{ratio} and {ratio}:1"
    return ""


def text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"Input should be a valid string: {name}")
    return value


def table(body: Json, name: str) -> Json:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise invalid(f"Input should be a valid dictionary: {name}")
    return value


def whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
