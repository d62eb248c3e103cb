"""What the eyes found in one picture, and how that is said in English and Chinese."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwenkit.sandbox.hues import named

if TYPE_CHECKING:
    from qwenkit.sandbox.shapes import Shape

MOST_TOLD = 8  # kinds of shapes, and colours
KINDS = {  # kind -> plural, Chinese
    "circle": ("circles", "圆形"),
    "ellipse": ("ellipses", "椭圆"),
    "square": ("squares", "正方形"),
    "rectangle": ("rectangles", "矩形"),
    "triangle": ("triangles", "三角形"),
    "diamond": ("diamonds", "菱形"),
    "star": ("stars", "星形"),
    "cross": ("crosses", "十字"),
    "heart": ("hearts", "心形"),
    "ring": ("rings", "圆环"),
    "crescent": ("crescents", "月牙形"),
    "line": ("lines", "线条"),
}
_NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_BRIGHT = (
    (50, "very dark", "很暗"),
    (100, "dark", "偏暗"),
    (160, "of medium brightness", "亮度适中"),
    (215, "bright", "明亮"),
    (256, "very bright", "非常明亮"),
)
_SAYS = {
    "en": {
        "known": "It is {}. ",
        "all": "The picture is {} pixels and {}. Its colours are {}; the background is {}. ",
        "shapes": "I can make out {}.",
        "none": "There are no simple shapes that I can make out.",
        "text": ' It says: "{}".',
        "frames": " It is animated ({} frames); this is its first frame.",
    },
    "zh": {
        "known": "这是{}。",
        "all": "图片为 {} 像素，{}。颜色有{}，背景是{}。",
        "shapes": "可以辨认出 {}。",
        "none": "没有可以辨认的简单图形。",
        "text": "上面写着：“{}”。",
        "frames": "这是动图（{} 帧），看的是第一帧。",
    },
}


@dataclass(frozen=True)
class Sight:
    """One picture, measured. Boxes of shapes are in pixels of the picture as it was sent."""

    width: int
    height: int
    format: str
    brightness: float  # mean luma, 0-255
    contrast: float  # standard deviation of the luma
    colours: tuple[tuple[str, float], ...]  # names and shares, largest first
    shapes: tuple[Shape, ...]
    background: str
    text: str = ""  # only of pictures the sandbox knows
    title: str = ""
    title_zh: str = ""
    frames: int = 1

    def count(self, kind: str = "", colour: str = "") -> int:
        return len(self.these(kind, colour))

    def these(self, kind: str = "", colour: str = "") -> list[Shape]:
        return [each for each in self.shapes if kind in ("", each.kind) and colour in ("", each.colour)]

    def told(self, language: str = "en") -> str:
        """The picture in a few measured sentences."""
        says, seen = _SAYS[language], inventory(self, language)
        title = self.title_zh if language == "zh" else self.title
        size, told = f"{self.width} × {self.height}", light(self, language)
        return "".join(
            (
                says["known"].format(title) if title else "",
                says["all"].format(size, told, shares(self, language), named(self.background, language)),
                says["shapes"].format(seen) if seen else says["none"],
                says["text"].format(" / ".join(self.text.splitlines())) if self.text else "",
                says["frames"].format(self.frames) if self.frames > 1 else "",
            )
        )


def counted(count: int, kind: str, colour: str, language: str) -> str:
    """ "three red circles", "三个红色圆形"."""
    plural, chinese = KINDS.get(kind, ("shapes", "图形"))
    if language == "zh":
        return f"{count} 个{named(colour, 'zh') if colour else ''}{chinese}"
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    word = (kind or "shape") if count == 1 else plural
    return " ".join(filter(None, (number, colour, word)))


def listed(parts: list[str], language: str) -> str:
    if language == "zh":
        return "、".join(parts)
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""


def inventory(sight: Sight, language: str, kind: str = "", colour: str = "") -> str:
    """The shapes by kind and colour, with how many there are."""
    groups = Counter((each.kind, each.colour) for each in sight.these(kind, colour))
    return listed([counted(many, *which, language) for which, many in groups.most_common(MOST_TOLD)], language)


def light(sight: Sight, language: str) -> str:
    return next((zh if language == "zh" else en) for limit, en, zh in _BRIGHT if sight.brightness < limit)


def shares(sight: Sight, language: str) -> str:
    told = [f"{named(name, language)} {round(100 * share)} %" for name, share in sight.colours[:4]]
    return listed([each.replace(" %", "%") for each in told] if language == "zh" else told, language)
