"""What the eyes measure: any format, known pictures however they were sent, shapes told apart, colours by name."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from qwenkit.sandbox import hues
from qwenkit.sandbox.eyes import Unseen, look
from qwenkit.sandbox.known_pictures import shelf
from qwenkit.sandbox.mind import Prompt, answer
from qwenkit.sandbox.perceiving import fitted

DATA = Path(__file__).parents[2] / "data"
NAMES = [each.name for each in shelf()]


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    held = io.BytesIO()
    image.save(held, form, **options)
    return held.getvalue()


def dotted(mode: str = "RGB", size: tuple[int, int] = (240, 160)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).ellipse((40, 30, 120, 110), fill=(220, 40, 40))
    return image.quantize(16) if mode == "P" else image.convert(mode)


def test_there_are_six_small_pictures():
    assert sorted(NAMES) == ["chart", "plate", "receipt", "shapes", "sign.zh", "street"]
    assert all((DATA / f"{name}.png").stat().st_size <= 60_000 for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_known_pictures_are_known_however_they_come(name: str):
    image = Image.open(DATA / f"{name}.png").convert("RGB")
    title = next(each.title for each in shelf() if each.name == name)
    small = image.resize((image.width * 2 // 3, image.height * 2 // 3))
    sent = [image.resize((image.width * 2, image.height * 2)), ImageEnhance.Brightness(small).enhance(0.85)]
    assert {look(encoded(each, "JPEG", quality=55)).title for each in sent} == {title}
    assert look(encoded(image.transpose(Image.Transpose.ROTATE_180))).title != title or name == "shapes"


def test_other_pictures_are_not_known():
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    for image in (Image.new("RGB", (640, 480), "white"), Image.fromarray(noise), dotted(size=(640, 480))):
        assert (look(encoded(image)).title, look(encoded(image)).text) == ("", "")


@pytest.mark.parametrize(
    ("form", "mode"),
    [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "CMYK"), ("BMP", "RGB"), ("GIF", "P"), ("WEBP", "RGB")],
)
def test_every_format_looks_the_same(form: str, mode: str):
    sight = look(encoded(dotted(mode), form))
    assert (sight.width, sight.height, sight.format) == (240, 160, form.lower())
    assert [(each.kind, each.colour) for each in sight.shapes] == [("circle", "red")]
    assert sight.background == "white"


def test_deep_turned_transparent_and_moving_pictures():
    deep = Image.fromarray(np.full((40, 60), 40_000, np.uint16))
    assert 140 < look(encoded(deep)).brightness < 170
    turned = Image.Exif()
    turned[0x0112] = 6
    assert (look(encoded(dotted(), "JPEG", exif=turned)).width, look(encoded(dotted())).width) == (160, 240)
    assert look(encoded(Image.new("RGBA", (40, 40), (0, 0, 0, 0)))).background == "white"
    moving = encoded(
        dotted("P"), "GIF", save_all=True, append_images=[Image.new("L", (240, 160), gray) for gray in (9, 99)]
    )
    assert (look(moving).frames, look(moving).count("circle", "red")) == (3, 1)
    assert "first frame" in look(moving).told()


def bomb() -> bytes:
    """A header that says a picture is 30,000 pixels each way, and next to nothing behind it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("content", [b"", b"no picture", encoded(dotted())[:200], b"\x89PNG\r\n\x1a\n", bomb()])
def test_what_is_no_picture_is_refused(content: bytes):
    with pytest.raises(Unseen):
        look(content)


@pytest.mark.parametrize("name", list(hues.colours()))
def test_colours_are_named_by_what_people_call_them(name: str):
    for tint in hues.colours()[name].tints:
        assert hues.name_of(tint) == name
    sight = look(encoded(Image.new("RGB", (30, 20), hues.colours()[name].tints[0])))
    assert sight.colours == ((name, 1.0),)
    assert hues.named(name, "zh") in sight.told("zh")


def test_it_tells_in_both_languages():
    sight = look((DATA / "shapes.png").read_bytes())
    assert "three red circles, two blue squares, one yellow star and one green triangle" in sight.told()
    assert "3 个红色圆形、2 个蓝色正方形、1 个黄色星形、1 个绿色三角形" in sight.told("zh")
    assert sight.colours[0] == ("white", pytest.approx(0.8, abs=0.02))


@pytest.mark.parametrize(
    ("size", "patch", "least", "most", "expected"),
    [
        ((640, 480), 32, 65_536, 2_621_440, (640, 480)),
        ((400, 560), 28, 4_096, 1_310_720, (392, 560)),
        ((4000, 3000), 32, 65_536, 2_621_440, (1856, 1376)),
        ((20, 20), 32, 65_536, 2_621_440, (256, 256)),
        ((3000, 15), 32, 65_536, 2_621_440, (3008, 32)),
    ],
)
def test_pictures_are_fitted_in_patches(size, patch, least, most, expected):
    width, height = fitted(*size, patch, least, most)
    assert (width, height) == expected
    assert width % patch == height % patch == 0


def heard(text: str = "", language: str = "", speech_ms: int = 2800) -> SimpleNamespace:
    segments = ((200, 200 + speech_ms),) if speech_ms else ()
    return SimpleNamespace(
        seconds=3.2, level_db=-21.3, pitch_hz=212.0, segments=segments, text=text, language=language, rate_hz=16000
    )


FERRY, SUM = heard("The ferry leaves at nine.", "en"), heard("What is 17 times 23?", "en")


@pytest.mark.parametrize(
    ("question", "sound", "expected"),
    [
        ("What does she say?", FERRY, "The ferry leaves at nine."),
        ("How long is it?", FERRY, "3.2 s long; 2.8 s of it are speech"),
        ("Which language is it?", FERRY, "The language is English."),
        ("How loud is it?", FERRY, "-21 dBFS, at a pitch of about 212 Hz"),
        ("When does the ferry leave?", FERRY, "at nine"),
        ("这段音频说了什么？", heard("轮渡九点出发。", "zh"), "轮渡九点出发。"),
        ("什么语言？", heard("轮渡九点出发。", "zh"), "语言是中文。"),
        ("What does she say?", heard(), "2.8 s of unrecognised speech"),
        ("What is this?", heard(speech_ms=0), "nobody speaks in it"),
        ("", SUM, "391"),
        ("Answer the question in the recording.", SUM, "391"),
        ("", FERRY, "I hear 2.8 s of speech"),
    ],
)
def test_the_mind_tells_what_was_heard(question: str, sound: SimpleNamespace, expected: str):
    parts = [{"type": "input_audio", "perceived": sound}, *([{"type": "text", "text": question}] if question else [])]
    assert expected in answer(Prompt([{"role": "user", "content": parts}])).text


def test_what_eyes_cannot_know_is_told_of_the_picture_though_a_recording_follows():
    parts = [{"type": "seen", "perceived": each} for each in (look(encoded(dotted())), FERRY)]
    told = answer(Prompt([{"role": "user", "content": [*parts, {"type": "text", "text": "Is it a lighthouse?"}]}])).text
    assert "lighthouse" in told
    assert "one red circle" in told
