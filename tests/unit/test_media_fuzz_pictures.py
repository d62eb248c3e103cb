"""Pictures and films that are broken, hostile or strange: a right result or one clear line, and never much memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from qwenkit import display
from qwenkit.errors import ConfigError
from qwenkit.types.image import MAX_PIXELS, Image
from qwenkit.types.video import Video, film


def file(picture: Pillow.Image, format: str, **options: Any) -> bytes:
    made = io.BytesIO()
    picture.save(made, format, **options)
    return made.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (48, 32)) -> Pillow.Image:
    channels = len(Pillow.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(7).integers(0, 256, (size[1], size[0], channels), np.uint8)
    return (
        Pillow.fromarray(pixels.squeeze(), mode)
        if channels < 2
        else Pillow.merge(mode, [Pillow.fromarray(part) for part in np.moveaxis(pixels, 2, 0)])
    )


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, rows: bytes = b"", depth: int = 8, colour: int = 2, *more: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = (chunk(b"IHDR", head), *more, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def turned(orientation: int) -> bytes:
    exif = Pillow.Exif()
    exif[274] = orientation
    picture = Pillow.new("RGB", (40, 20), "white")
    picture.paste((200, 0, 0), (0, 0, 20, 10))  # the upper left quarter
    return file(picture, "jpeg", exif=exif, quality=95)


GREY, RED = (128, 128, 128), (255, 0, 0)
STRANGE: dict[str, tuple[bytes, tuple[int, int], tuple[int, ...]]] = {
    "1 bit": (file(Pillow.new("1", (9, 7), 1), "png"), (9, 7), (255, 255, 255)),
    "grey": (file(Pillow.new("L", (9, 7), 128), "png"), (9, 7), GREY),
    "grey with alpha": (file(Pillow.new("LA", (9, 7), (128, 9)), "png"), (9, 7), (*GREY, 9)),
    "palette": (file(Pillow.new("RGB", (9, 7), RED).convert("P"), "png"), (9, 7), RED),
    "palette with a clear colour": (file(Pillow.new("P", (9, 7)), "png", transparency=0), (9, 7), (0, 0, 0, 0)),
    "16-bit grey": (file(Pillow.fromarray(np.full((7, 9), 32896, np.uint16)), "png"), (9, 7), GREY),
    "16-bit grey TIFF": (file(Pillow.fromarray(np.full((7, 9), 32896, np.uint16)), "tiff"), (9, 7), GREY),
    "16-bit colour": (png(1, 1, b"\0\x80\x80\x80\x80\x80\x80", 16), (1, 1), GREY),
    "32-bit floats": (file(Pillow.fromarray(np.full((7, 9), 0.5, np.float32)), "tiff"), (9, 7), GREY),
    "CMYK": (file(Pillow.new("CMYK", (9, 7), (0, 255, 255, 0)), "tiff"), (9, 7), RED),
    "moving GIF": (
        file(Pillow.new("RGB", (9, 7), RED), "gif", save_all=True, append_images=[Pillow.new("RGB", (9, 7))]),
        (9, 7),
        RED,
    ),
    "moving WebP": (
        file(
            Pillow.new("RGB", (9, 7), RED),
            "webp",
            save_all=True,
            lossless=True,
            append_images=[Pillow.new("RGB", (9, 7))],
        ),
        (9, 7),
        RED,
    ),
    "several pages": (
        file(Pillow.new("RGB", (9, 7), RED), "tiff", save_all=True, append_images=[Pillow.new("L", (3, 3))]),
        (9, 7),
        RED,
    ),
    "icon": (file(Pillow.new("RGBA", (16, 16), (*RED, 255)), "ico"), (16, 16), (*RED, 255)),
    "one pixel": (file(Pillow.new("RGB", (1, 1), RED), "bmp"), (1, 1), RED),
    "a thread": (file(Pillow.new("RGB", (3000, 1), RED), "png"), (3000, 1), RED),
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_pictures_come_out_right_and_have_a_card(name: str):
    content, size, colour = STRANGE[name]
    image = Image.of(content)
    assert image.size == size
    assert (image.array.shape[1::-1], image.array.dtype) == (size, np.uint8)
    assert tuple(int(part) for part in image.array[0, 0]) == pytest.approx(colour, abs=2)
    assert "<img" in display.bundle(image)["text/html"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_as_the_camera_was_held(orientation: int):
    image = Image.of(turned(orientation))
    assert image.size == ((40, 20) if orientation < 5 else (20, 40))
    assert image.pil.size == image.size
    red = [
        image.array[y, x, 1] < 100 for y in (2, -3) for x in (2, -3)
    ]  # upper left, upper right, lower left, lower right
    assert red.index(True) == [0, 1, 3, 2, 0, 1, 3, 2][orientation - 1]
    assert sum(red) == 1


BROKEN = {
    "nothing": (b"", "is empty"),
    "a byte": (b"\x89", "in no picture format"),
    "text": (b"not a picture at all", "in no picture format"),
    "HTML, as from an expired address": (b"<!DOCTYPE html><p>403", "no picture but text/html"),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", r"no picture but image/svg\+xml"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "in no picture format"),
    "a sound": (b"RIFF\x24\0\0\0WAVEfmt ", "no picture but audio/wav"),
    "a bare head": (b"\x89PNG\r\n\x1a\n", "is damaged"),
    "no size": (png(0, 0), "is damaged"),
    "half of it": (file(noise(), "png")[:900], "is damaged"),
    "half a JPEG": (file(noise(size=(300, 300)), "jpeg")[:9000], "is damaged"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 20, "is HEIC, which Pillow does not decode"),
    "a giant": (png(60_000, 60_000), "60000x60000 pixels, more than|more than 89,478,485 pixels"),
    "a giant GIF": (b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02L\x01\0;", "more than 89,478,485"),
    "a bomb in a text": (
        png(4, 4, b"\0" * 99, 8, 2, chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 90_000_000))),
        "is damaged",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_pictures_say_so_in_one_line_and_their_card_too(name: str):
    content, words = BROKEN[name]
    image = Image.of(content)
    tracemalloc.start()
    with pytest.raises(ConfigError, match=words) as caught:
        image.pil  # noqa: B018
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert len(str(caught.value)) < 250
    found = display.bundle(image)
    assert str(caught.value) in found["text/plain"]
    assert "<img" not in found["text/html"]
    assert len(found["text/html"]) < 6000


def test_the_bound_on_pixels_is_exact_and_our_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", None)
    wide = 30_000
    assert Image.of(png(wide, MAX_PIXELS // wide)).height == MAX_PIXELS // wide
    with pytest.raises(ConfigError, match="more than"):
        Image.of(png(wide, MAX_PIXELS // wide + 1)).size  # noqa: B018


def test_the_size_of_a_heic_is_read_without_a_decoder():
    box = b"ispe\0\0\0\0" + struct.pack(">II", 4032, 3024)
    image = Image.of(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"ispe\0\0\0\0" + struct.pack(">II", 320, 240) + box)
    assert (image.size, image.media_type) == ((4032, 3024), "image/heic")


SOUND = {
    format: file(noise("RGBA" if format in ("png", "webp") else "RGB"), format)
    for format in ("png", "jpeg", "gif", "bmp", "tiff", "webp")
}


@pytest.mark.parametrize("format", SOUND)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks about metadata it leaves out
def test_no_damage_crashes(format: str):
    """A hundred truncations and bit flips of each format: pixels, or a ConfigError; and a card in any case."""
    whole, random = SOUND[format], np.random.default_rng(11)
    for case in range(100):
        content = bytearray(whole[: random.integers(1, len(whole))] if case % 2 else whole)
        for place in random.integers(0, min(len(content), 400 if case % 3 else len(content)), 1 + case % 5):
            content[place] ^= 1 << int(random.integers(8))
        image = Image.of(bytes(content))
        with suppress(ConfigError):
            assert image.array.ndim == 3
        if case % 10 == 0:
            assert display.bundle(image)["text/plain"].startswith("Image picture")


@pytest.fixture(scope="module")
def mp4() -> bytes:
    return film([noise(size=(32, 32)).rotate(9 * turn) for turn in range(12)], 6)


def test_no_damage_to_a_film_crashes(mp4: bytes):
    random = np.random.default_rng(5)
    for case in range(60):
        content = bytearray(mp4[: random.integers(1, len(mp4))] if case % 2 else mp4)
        for place in random.integers(0, len(content), 1 + 3 * (case % 4)):
            content[place] ^= 1 << int(random.integers(8))
        video = Video.of(bytes(content))
        with suppress(ConfigError):
            assert len(video.frames(2)) == 2


def test_a_film_without_pictures_and_a_broken_one_have_cards(mp4: bytes):
    assert "is damaged" in str(Video.of(mp4[:60]))
    assert "in no" not in str(Video.of(b"RIFF\x24\0\0\0WAVEfmt "))
    assert "is no film but audio/wav" in str(Video.of(b"RIFF\x24\0\0\0WAVEfmt "))
