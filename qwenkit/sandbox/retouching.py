"""Changes to a finished picture: styles, words in a corner, and edits of a reference, done to its real pixels.

An instruction is read for what it wants done and to what: shapes are found by the eyes, things by their colour. What an
instruction does not say in words known here is left as it was; where that is everything, the picture says so itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from qwenkit.sandbox import hues, painter, shapes, wishes
from qwenkit.sandbox.figures import PLAIN, figures
from qwenkit.sandbox.scenery import scenery

_UNCHANGED = "sandbox: not understood, unchanged"
SIDE = 480  # pixels of the longer side while parts are looked for
Mask = NDArray[np.float32]
_GROUND = re.compile(
    r"\bbackground\b.*?\b(?:to|into|with|of|as)\b(.*)|背景(?:换成|改成|变成|改为|换为|设为)?(.*)",
    re.IGNORECASE | re.DOTALL,
)
_REMOVE = re.compile(
    r"\b(?:remove|delete|erase|take away|without|get rid of)\b(.*)|(?:去掉|删除|移除|去除|擦掉)(.*)",
    re.IGNORECASE | re.DOTALL,
)
_ADD = re.compile(
    r"\b(?:add|draw|insert|place|put)\b(.*)|(?:添加|加上|加一|画上|放上|增加|加)(.*)", re.IGNORECASE | re.DOTALL
)
_RECOLOUR = re.compile(
    r"\b(?:make|turn|change|paint|recolou?r|colou?r|dye)\b|变成|改成|换成|改为|涂成|染成|变为", re.IGNORECASE
)
_WHOLE = re.compile(
    r"\b(?:make|turn|change|paint|recolou?r|colou?r|dye) (?:it|this|everything|(?:all of )?(?:the|this) (?:whole )?"
    r"(?:picture|image|photo))\b|(?:它|整张图|图片)(?:变|改|换|染|涂)",
    re.IGNORECASE,
)
_ROTATE = r"^(?!.*180){}(?=.*(?:\brotat|旋转))"
_COMBINE = re.compile(
    r"\b(?:image|picture|photo)s? ?(?:2|two|3|three)\b|\b(?:second|combine|both|together|merge)"
    r"|图 ?[二2三3]|第二|合成|合并|结合",
    re.IGNORECASE,
)
_PLAIN: tuple[tuple[str, Callable[[Image.Image], Image.Image]], ...] = (
    (r"\bbright|\blighter\b|变亮|调亮|提亮|更亮", lambda image: ImageEnhance.Brightness(image).enhance(1.3)),
    (r"\bdarke|变暗|调暗|更暗", lambda image: ImageEnhance.Brightness(image).enhance(0.65)),
    (r"\bcontrast\b|对比", lambda image: ImageEnhance.Contrast(image).enhance(1.4)),
    (r"\bblur|模糊", lambda image: image.filter(ImageFilter.GaussianBlur(max(image.size) / 160))),
    (r"\bsharp|清晰|锐化", lambda image: ImageEnhance.Sharpness(image).enhance(2.2)),
    (r"\binvert|negative\b|反色", ImageOps.invert),
    (r"upside|\bflip\w* vertical|vertical\w* flip|上下翻转|倒过来", ImageOps.flip),
    (r"\b(?:flip|mirror)(?!\w* vertical)|左右翻转|镜像|水平翻转", ImageOps.mirror),
    (r"^(?=.*180)(?=.*(?:\brotat|\bturn\b|旋转))", lambda image: image.rotate(180)),
    (_ROTATE.format("(?=.*(?:left|counter|anti|逆))"), lambda image: _turned(image, 90)),
    (_ROTATE.format("(?!.*(?:left|counter|anti|逆))"), lambda image: _turned(image, -90)),
    (r"\bzoom in\b|\bcrop|closer|裁剪|放大|拉近", lambda image: _zoomed(image, 0.6)),
)


def styled(image: Image.Image, name: str) -> Image.Image:
    """A picture in a style the painter knows; another name changes nothing."""
    return _STYLES[name](image) if name in _STYLES else image


def _sketched(image: Image.Image) -> Image.Image:
    """Dark only where it is darker than what is around."""
    gray = ImageOps.grayscale(image)
    soft = ImageOps.invert(gray).filter(ImageFilter.GaussianBlur(max(image.size) / 140))
    a, b = np.asarray(gray, np.float32), np.asarray(soft, np.float32)
    return Image.fromarray(np.clip(a * 255 / np.maximum(256 - b, 1), 0, 255).astype(np.uint8)).convert("RGB")


def _watered(image: Image.Image) -> Image.Image:
    """Pale and soft, on rough paper."""
    soft = image.filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.GaussianBlur(max(image.size) / 700))
    paper = np.random.default_rng(1).normal(0, 5, (image.height // 2 + 1, image.width // 2 + 1)).astype(np.float32)
    rough = np.asarray(Image.fromarray(paper).resize(image.size, Image.Resampling.BICUBIC))[..., None]
    return Image.fromarray(np.clip(np.asarray(soft, np.float32) * 0.8 + 50 + rough, 0, 255).astype(np.uint8))


_STYLES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "grayscale": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "sepia": lambda image: ImageOps.colorize(ImageOps.grayscale(image), "#2b1d10", "#fbf0d9", mid="#a98258"),
    "sketch": _sketched,
    "watercolor": _watered,
    "oil": lambda image: ImageEnhance.Color(image.filter(ImageFilter.ModeFilter(7))).enhance(1.2),
    "pixel": lambda image: image.reduce(max(max(image.size) // 96, 1)).resize(image.size, Image.Resampling.NEAREST),
    "vivid": lambda image: ImageEnhance.Color(image).enhance(1.5),
}


def marked(image: Image.Image, text: str) -> Image.Image:
    """Words in the lower right corner."""
    size = max(image.height // 32, 10)
    place = (image.width - size * 0.7, image.height - size * 0.6)
    pen = ImageDraw.Draw(image)
    pen.text(place, text, font=painter.font(text, size), anchor="rd", fill="white", stroke_width=1, stroke_fill="#555")
    return image


def edit(
    references: Sequence[Image.Image], instruction: str, size: tuple[int, int], seed: int, watermark: str = ""
) -> Image.Image:
    """The first reference as the instruction wants it, at the size that is asked."""
    instruction = re.sub(r"\bblack[ -]and[ -]white\b", "grayscale", instruction, flags=re.IGNORECASE)
    image = ImageOps.fit(references[0].convert("RGB"), size, Image.Resampling.LANCZOS)
    told, before = wishes.read(instruction), image.tobytes()
    if len(references) > 1 and _COMBINE.search(instruction):
        for other in references[1:]:
            image = _beside(
                image, other.convert("RGB"), next((each.side for each in told.things if each.side), "right")
            )
    else:
        image = _changed(image, instruction, seed)
    for pattern, change in _PLAIN:
        image = change(image) if re.search(pattern, instruction, re.IGNORECASE) else image
    for name in told.styles:
        image = styled(image, name)
    image = painter.lettered(image, told.texts)
    corner = " · ".join(filter(None, (_UNCHANGED if image.tobytes() == before else "", watermark)))
    return marked(image, corner) if corner else image


def _changed(image: Image.Image, instruction: str, seed: int) -> Image.Image:
    """The one change an instruction asks for: of the background, or of a part, removed, added or recoloured."""
    if found := _GROUND.search(instruction):
        return _before(image, next(filter(None, found.groups()), ""), seed)
    if found := _REMOVE.search(instruction):
        return _removed(image, _part(image, next(filter(None, found.groups()), ""), ""))
    colours = wishes.colours_in(instruction)
    if _RECOLOUR.search(instruction) and colours:
        tint = hues.colours()[colours[-1]].tints[0]
        if len(colours) == 1 and _WHOLE.search(instruction) and not wishes.read(instruction).things:
            return _tinted(image, tint)
        mask = _part(image, instruction, colours[0] if len(colours) > 1 else "")
        return _recoloured(image, mask, tint)
    if found := _ADD.search(instruction):
        told = wishes.read(next(filter(None, found.groups()), ""))
        rng = np.random.default_rng(seed)
        for each in painter.placed(told.things, image.size, 1.0, 1.0, rng, _taken(image)):
            painter.put(image, each)
    return image


def _taken(image: Image.Image) -> list[painter.Placed]:
    """Where shapes are already."""
    pixels, labels = _looked(image)
    scale = image.width / pixels.shape[1]
    return [
        painter.Placed(kind, colour, round(x0 * scale), round(y0 * scale), round(max(x1 - x0, y1 - y0) * scale), "any")
        for kind, colour, (x0, y0, x1, y1), *_ in shapes.found(pixels, labels)
    ]


def _looked(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    small = image.copy()
    small.thumbnail((SIDE, SIDE))
    pixels = np.asarray(small)
    return pixels, shapes.regions(hues.oklab(pixels))


def _background(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The regions that fill the border of a picture."""
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    numbers, many = np.unique(border, return_counts=True)
    return np.isin(labels, numbers[many > 0.04 * len(border)])


def _part(image: Image.Image, words: str, colour: str) -> Mask:
    """Where the thing is that words name: shapes by their kind and colour, anything else by its colour."""
    pixels, labels = _looked(image)
    things = wishes.read(words).things
    seen = shapes.found(pixels, labels)
    wanted = [(each.kind, colour or (each.colour if not _RECOLOUR.search(words) else "")) for each in things]
    chosen = [each.region for each in seen for kind, tone in wanted if kind == each.kind and tone in ("", each.colour)]
    mask = np.isin(labels, chosen)
    tone = colour or next((tone for _, tone in wanted if tone), "") or next(iter(wishes.colours_in(words)), "")
    if not chosen and things and all(each.kind not in PLAIN for each in things):
        usual = figures()[things[0].kind].colour  # when nobody says one
        tone = tone or (usual if usual in hues.colours() else "")
    if not chosen and tone:
        mask = (hues.places(pixels) == list(hues.colours()).index(tone)) & ~_background(labels)
    return _enlarged(mask, image.size, 5)


def _enlarged(mask: NDArray[np.bool_], size: tuple[int, int], grow: int) -> Mask:
    """A mask in full size, wider by its smooth edge."""
    small = Image.fromarray(mask.astype(np.uint8) * 255)
    wide = small.filter(ImageFilter.MaxFilter(grow)) if grow > 1 else small
    return np.asarray(wide.resize(size, Image.Resampling.BILINEAR), np.float32) / np.float32(255)


def _recoloured(image: Image.Image, mask: Mask, colour: hues.Rgb) -> Image.Image:
    """What is under a mask in another colour: every pixel is moved as far as it is the thing and not what is around."""
    pixels = np.asarray(image, np.float32)
    core = mask > 0.99
    if not core.any():
        return image
    own = np.median(pixels[core], axis=0)
    ring = _enlarged(mask > 0.5, image.size, 9) - (mask > 0.01)
    around = np.median(pixels[ring > 0.5], axis=0) if (ring > 0.5).any() else 255 - own
    axis = own - around
    share = np.clip(((pixels - around) @ axis) / max(float(axis @ axis), 1.0), 0, 1) * (mask > 0.01)
    moved = pixels + share[..., None] * (np.array(colour, np.float32) - own)
    return Image.fromarray(np.clip(moved, 0, 255).astype(np.uint8))


def _removed(image: Image.Image, mask: Mask) -> Image.Image:
    """What is around grows over the mask: averages of what is known, from coarse to fine."""
    if not mask.any():
        return image
    pixels, known = np.asarray(image, np.float32), (1 - (mask > 0.02))[..., None].astype(np.float32)
    ys, xs = np.nonzero(mask > 0.02)
    room = max(image.size) // 12
    near = np.s_[max(ys.min() - room, 0) : ys.max() + room, max(xs.min() - room, 0) : xs.max() + room]
    filled = pixels.copy()
    filled[near] = _pulled(pixels[near] * known[near], known[near])
    soft = np.asarray(
        Image.fromarray((mask > 0.02).astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(2)), np.float32
    )
    soft = np.maximum(soft / 255, mask > 0.02)[..., None]
    return Image.fromarray(np.clip(pixels * (1 - soft) + filled * soft, 0, 255).astype(np.uint8))


def _pulled(colour: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = weight.shape[:2]
    if min(height, width) <= 2 or weight.min() > 0.99:
        whole = colour.sum((0, 1)) / max(float(weight.sum()), 1e-6)
        return np.where(weight > 0.01, colour / np.maximum(weight, 1e-6), whole).astype(np.float32)
    size = (width + 1) // 2, (height + 1) // 2
    coarse = _pulled(_resized(colour, size), _resized(weight, size))
    return (colour + _resized(coarse, (width, height)) * (1 - weight)).astype(np.float32)


def _resized(planes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    layers = [Image.fromarray(np.ascontiguousarray(planes[..., at])) for at in range(planes.shape[-1])]
    return np.stack([np.asarray(each.resize(size, Image.Resampling.BILINEAR)) for each in layers], -1)


def _before(image: Image.Image, words: str, seed: int) -> Image.Image:
    """What stands in front stays; what is behind becomes what the words say."""
    _, labels = _looked(image)
    told, colours = wishes.read(words), wishes.colours_in(words)
    told.ground = colours[-1] if colours and not told.places and not told.times else ""
    behind = scenery(told, image.size, np.random.default_rng(seed)).canvas
    kept = 1 - _enlarged(_background(labels), image.size, 5)[..., None]
    mixed = np.asarray(image, np.float32) * kept + behind * (1 - kept)
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))


def _beside(image: Image.Image, other: Image.Image, side: str) -> Image.Image:
    """Another picture set into the first, on the side that was asked."""
    small = ImageOps.contain(other, (image.width * 9 // 20, image.height * 9 // 20))
    room = image.width - small.width, image.height - small.height
    across, down = {"left": (0, 1), "right": (2, 1), "top": (1, 0), "bottom": (1, 2)}.get(side, (1, 1))
    image.paste(small, (room[0] * across // 2, room[1] * down // 2))
    return image


def _turned(image: Image.Image, degrees: int) -> Image.Image:
    """A quarter turn, fitted into the same size."""
    return ImageOps.pad(image.rotate(degrees, expand=True), image.size, Image.Resampling.LANCZOS, "white")


def _tinted(image: Image.Image, colour: hues.Rgb) -> Image.Image:
    """All of it in tones of one colour."""
    whole = ImageOps.colorize(ImageOps.grayscale(image), "black", "white", mid=colour)
    return Image.blend(image, whole, 0.85)


def _zoomed(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    edge = (1 - share) / 2
    box = width * edge, height * edge, width * (1 - edge), height * (1 - edge)
    return image.resize(image.size, Image.Resampling.LANCZOS, box)
