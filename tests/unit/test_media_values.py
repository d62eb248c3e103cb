"""Pictures and films as values: what they take, what they say they are, how they come out."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from qwenkit.api import outputs
from qwenkit.errors import ConfigError
from qwenkit.types.image import Image
from qwenkit.types.image_grid import Failed, ImageGrid
from qwenkit.types.media import Media, sniff
from qwenkit.types.overlay import Mark
from qwenkit.types.reply import Choice, Reply
from qwenkit.types.video import Video, film

RED = Pillow.new("RGB", (60, 40), (200, 30, 40))


def encoded(picture: Pillow.Image, format: str = "png", **options: Any) -> bytes:
    made = io.BytesIO()
    picture.save(made, format, **options)
    return made.getvalue()


PNG = encoded(RED)
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "red.png").write_bytes(PNG)
    return tmp_path


@pytest.mark.parametrize(
    "source",
    ["red.png", Path("red.png"), PNG, bytearray(PNG), io.BytesIO(PNG), DATA_URL, RED, np.array(RED)],
    ids=lambda source: type(source).__name__ + str(source)[:8] * isinstance(source, str),
)
def test_a_picture_is_made_of_whatever_you_have(here: Path, source: Any):
    image = Image.of(source, prompt="a red field")
    assert image.loaded
    assert image.size == (image.width, image.height) == (60, 40)
    assert (image.format, image.media_type) == ("png", "image/png")
    assert image.array.shape == (40, 60, 3)
    assert tuple(image.array[20, 30]) == (200, 30, 40)
    assert Image.of(image.data_url()).pil.tobytes() == RED.tobytes()
    assert image.byte_size == len(image.bytes)
    assert image.meta == {"prompt": "a red field"}
    assert Image.of(image, seed=7) is image
    assert image.meta["seed"] == 7


def test_an_address_stays_one_until_it_is_filled():
    image = Image.of("https://example.com/a/kite.png?Expires=1&Signature=x")
    assert (image.loaded, image.name, image.media_type, image.byte_size) == (False, "kite.png", "image/png", 0)
    with pytest.raises(ConfigError, match=r"only an address → qwen.fetch\(it\)"):
        image.size  # noqa: B018
    assert "Signature" not in repr(image)
    assert image.fill(PNG).size == (60, 40)
    assert image.url.startswith("https://")
    assert Image.of("https://[no/host.png?x=1").name == "host.png"


def test_a_file_is_read_when_it_is_needed_and_the_name_is_not_believed(here: Path):
    (here / "red sky.png").write_bytes(PNG)
    assert Image.open(f"file://{here}/red%20sky.png").size == (60, 40)
    image = Image.open(here / "red.png")
    (here / "red.png").write_bytes(encoded(RED, "jpeg"))
    assert (image.format, image.place, image.name) == ("jpeg", "red.png", "red.png")
    assert repr(image) == f"Image('red.png', {image.byte_size} bytes)"
    assert image.byte_size == (here / "red.png").stat().st_size


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("none.png", "the picture 'none.png' does not exist"),
        (".", "is a folder"),
        ("x" * 9000, "…' does not exist"),
        ("a\0b", "does not exist"),
        ("data:image/png;base64,###", "data URL of the picture is damaged"),
        ("data:image/png", "data URL of the picture is damaged"),
        (None, "a NoneType is no picture"),
        ({"a": 1}, "a dict is no picture"),
        (np.zeros((3, 40, 60)), "shape (3, 40, 60) is no picture"),
        (np.zeros((0, 4, 3)), "shape (0, 4, 3) is no picture"),
        (np.full((4, 6, 3), [0.0, np.nan, 1.0]), "NaN or infinity, which is no colour → numpy.nan_to_num"),
        (np.full((50, 50, 3), 2000), "from 2000 to 2000 is no picture"),
        (np.full((4, 6), 1.5), "from 1.5 to 1.5 is no picture: what is white in it cannot be told → 0 to 1"),
        (np.full((4, 6), -0.5), "from -0.5 to -0.5 is no picture"),
        ("", "the path of the picture is empty"),
        ("ftp://a.example/b.png", "ftp://… is no path of a picture"),
        (Media(b"x"), "a file is no picture"),
        (np.broadcast_to(np.uint8(0), (10_000, 10_000)), "more than 89,478,485 pixels"),
    ],
    ids=lambda case: str(case)[:12],
)
def test_what_is_no_picture_is_refused_in_one_line(here: Path, source: Any, words: str):
    with pytest.raises(ConfigError) as caught:
        Image.of(source)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("pixels", "middle"),
    [
        (np.full((4, 6), 100, np.uint8), (100, 100, 100)),
        (np.full((4, 6, 1), 100, np.uint8), (100, 100, 100)),
        (np.full((4, 6), True), (255, 255, 255)),
        (np.full((4, 6, 3), 0.5), (128, 128, 128)),
        (np.full((4, 6, 3), [-1e-9, 0.0, 1.0000001]), (0, 0, 255)),
        (np.full((4, 6, 3), [0.0, 2.0, 255.0]), (0, 2, 255)),
        (np.full((4, 6), 65535, np.uint16), (255, 255, 255)),
        (np.full((4, 6, 4), [1, 2, 3, 4], np.uint8), (1, 2, 3, 4)),
        (np.full((4, 6, 3), [0, 300, 65535], np.uint16), (0, 1, 255)),
    ],
)
def test_arrays_of_any_kind_become_bytes(pixels: Any, middle: tuple[int, ...]):
    image = Image.of(pixels)
    assert tuple(image.array[2, 3]) == middle
    assert np.array_equal(np.asarray(image), image.array)
    assert np.asarray(image, float).dtype == float


def test_the_value_does_not_change_with_the_array():
    pixels = np.zeros((4, 6, 3), np.uint8)
    image = Image.of(pixels)
    pixels[:] = 255
    image.pil.paste((9, 9, 9), (0, 0, 6, 4))
    image.array[:] = 7
    assert image.array.max() == 0


def test_saving_converts_by_the_name(here: Path):
    image = Image.of(encoded(RED.convert("RGBA"), "png"))
    assert image.save("out/red.png").read_bytes() == image.bytes
    assert image.place == "out/red.png"
    for name, kind in {"red.jpg": "jpeg", "red.webp": "webp", "red.TIF": "tiff", "red.bmp": "bmp"}.items():
        assert sniff(image.save(Path("out") / name).read_bytes()) == f"image/{kind}"
    assert image.save("out") == Path("out/red.png")
    assert Image.of(RED).save("new/") == Path("new/picture.png")
    with pytest.raises(ConfigError, match="cannot be saved as 'docx'"):
        image.save("red.docx")


def test_parts_and_sizes():
    image = Image.of(RED, seed=3)
    assert image.crop(50, 30, 90, 90).size == (10, 10)
    assert image.resized(image.width / 2).size == (30, 20)
    assert image.resized(30, 30).meta == {"seed": 3}
    assert image.crop((0, 0, 9, 9)).size == image.crop(0, 0, np.int64(9), 9.2).size == (9, 9)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda image: image.crop(60, 0, 70, 10), "nothing of a 60x40 picture"),
        (lambda image: image.crop((0, 0, 9)), r"no part of a picture → image.crop\(left"),
        (lambda image: image.crop(0, 0, "9", 9), "no part of a picture"),
        (lambda image: image.resized(0), "cannot be made"),
        (lambda image: image.resized("100"), r"'100' is no size in pixels → image.resized\(320"),
        (lambda image: image.save(None), "path of the picture cannot be None"),
        (lambda image: image.save(""), "path of the picture is empty"),
        (lambda image: Image.open(None), "path of the picture cannot be None"),
        (lambda image: Image("red.png"), r"made of its bytes here, not of a str → qk.Image.open\(path\)"),
        (lambda image: Video(Path("a.mp4")), r"made of its bytes here.*qk.Video.open\(path\)"),
        (lambda image: ImageGrid([image]).save(None), "save the pictures cannot be None"),
    ],
)
def test_what_cannot_be_done_with_a_picture_is_said_with_its_cure(make: Any, words: str):
    with pytest.raises(ConfigError, match=words):
        make(Image.of(RED))


def test_an_opened_file_tells_what_made_it(here: Path, monkeypatch: pytest.MonkeyPatch):
    facts = {"prompt": "a red field 红", "seed": 7, "model": "qwen-image"}
    path = outputs.kept(Image.of(RED, **facts), "made")
    assert Image.open(path).meta == facts
    assert Image.open(path, seed=9).meta == {**facts, "seed": 9}
    copy = Image.of(RED, **facts).save("copy.png")  # no .json here: its own text tells
    assert Image.open(copy).meta == Image.open(Image.open(copy).save("again.png")).meta == facts
    assert Pillow.open(copy).text == {**facts, "seed": "7"}
    film = outputs.kept(Video(b"\0\0\0\x20ftypisom", prompt="dawn"), "made")
    assert Video.open(film).meta == {"prompt": "dawn"}
    for wrong in ("[" * 100_000, "[1]", '{"file": "other.png", "prompt": "x"}', "\udcff"):
        (here / "red.json").write_text(wrong, "utf-8", "surrogateescape")
        assert Image.open("red.png").meta == {}
    (here / "cut.png").write_bytes(copy.read_bytes()[:60])
    assert Image.open("cut.png").meta == {}
    monkeypatch.setenv("HOME", str(here))
    assert Image.open("~/copy.png").meta == facts
    with pytest.raises(ConfigError, match="'~' is a folder"):
        Image.open("~")


def test_sniffing_knows_the_kinds_by_their_first_bytes():
    heads = {
        b"RIFF\0\0\0\0WAVEfmt ": "audio/wav",
        b"ID3\x04": "audio/mpeg",
        b"\xff\xfb\x90": "audio/mpeg",
        b"\xff\xf1\x50": "audio/aac",
        b"OggS\0": "audio/ogg",
        b"fLaC": "audio/flac",
        b"#!AMR\n": "audio/amr",
        b"\0\0\0\x20ftypM4A ": "audio/mp4",
        b"\0\0\0\x20ftypisom": "video/mp4",
        b"\0\0\0\x14ftypqt  ": "video/quicktime",
        b"\0\0\0\x18ftypheic": "image/heic",
        b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01webm": "video/webm",
        b"<?xml version='1.0'?>\n<svg>": "image/svg+xml",
        b"<!DOCTYPE html>": "text/html",
        b"%PDF-1.7": "application/pdf",
        b"": "",
        b"hello": "",
    }
    assert {head: sniff(head) for head in heads} == heads
    assert Media.of(b"hello").media_type == "application/octet-stream"


FOUND = '[{"bbox_2d": [100, 200, 500, 600], "label": "cup"}, {"point_2d": [999, 0], "label": "tip"}]'


@pytest.mark.parametrize(
    "found",
    [
        FOUND,
        f"Two of them:\n```json\n{FOUND}\n```\nThat is all.",
        f"Here [1]: {FOUND} and no more [really].",
        Reply(choices=[Choice(text=FOUND)]),
        {
            "objects": [
                {"box": {"bbox": ["100", 200, 500.0, 600]}, "name": "cup"},
                {"point": {"x": 999, "y": 0}, "name": "tip"},
            ]
        },
        [{"box": [(500, 600), [100, 200]], "label": "cup"}, {"label": "tip", "point": [999, 0]}, {"label": "no place"}],
    ],
    ids=["json", "fenced", "in prose", "reply", "wrapped", "corners"],
)
def test_finds_are_read_however_a_model_writes_them(found: Any):
    overlay = Image.of(np.zeros((500, 2000, 3), np.uint8)).boxes(found)
    assert list(overlay) == [Mark("cup", box=(200, 100, 1000, 300)), Mark("tip", point=(1998, 0))]
    assert overlay.relative
    assert overlay.crops()[0].size == (800, 200)


@pytest.mark.parametrize(
    ("box", "relative", "read", "pixels"),
    [
        ([0, 0, 1000, 1000], None, True, (0, 0, 2000, 500)),
        ([0, 0, 1001, 400], None, False, (0, 0, 1001, 400)),
        ([10, 10, 20, 20], False, False, (10, 10, 20, 20)),
        ([10, 10, 9999, 9999], False, False, (10, 10, 2000, 500)),
        ([-5, 10, 2000, 20], True, True, (0, 5, 2000, 10)),
    ],
)
def test_the_scale_is_read_from_the_numbers_unless_it_is_said(
    box: list[int], relative: bool | None, read: bool, pixels: tuple[int, ...]
):
    overlay = Image.of(np.zeros((500, 2000, 3), np.uint8)).boxes([box], relative=relative)
    assert (overlay.relative, overlay[0].box) == (read, pixels)


@pytest.mark.parametrize("found", ["I see nothing.", "[1, 2", "", "[" * 100_000], ids=lambda text: text[:8])
def test_an_answer_without_boxes_says_what_they_look_like(found: str):
    with pytest.raises(ConfigError, match=r"no boxes in .* → they look like"):
        Image.of(RED).boxes(found)


@pytest.mark.parametrize(
    "found", [[], {}, [{"bbox_2d": [1, 2, 3], "label": 5}], [{"bbox": [1, 2, float("nan"), "x"]}], 7]
)
def test_finds_that_are_none_are_left_out(found: Any):
    assert len(Image.of(RED).boxes(found)) == 0


def test_boxes_are_burned_into_the_saved_picture(here: Path):
    overlay = Image.of(np.full((400, 600, 3), 255, np.uint8)).boxes(
        [{"bbox_2d": [100, 200, 500, 600], "label": "杯子"}, {"point_2d": [800, 500], "label": "\U000f1234"}]
    )
    drawn = Image.open(overlay.save("found.png")).array
    assert tuple(drawn[80, 200]) == (0xE6, 0x19, 0x4B)  # the upper edge of the box
    assert tuple(drawn[200, 480]) == (0x3C, 0xB4, 0x4B)  # the point
    assert (drawn != 255).any(axis=2).sum() > 2 * (240 + 160) + 100


def test_a_grid_keeps_the_order_and_the_failures(here: Path):
    bad = Failed("DataInspectionFailed", "no")
    grid = ImageGrid([PNG, bad, Image.of(RED, seed=2)], prompt="x")
    assert (len(grid), len(grid.images), grid.failures, grid[1], grid[2].meta) == (3, 2, [bad], bad, {"seed": 2})
    assert [path.as_posix() for path in grid.save("all")] == ["all/01.png", "all/03.png"]
    assert [path.as_posix() for path in grid.save("kite.jpg")] == ["kite-1.jpg", "kite-3.jpg"]
    assert [path.as_posix() for path in grid[:1].save("kite.png")] == ["kite.png"]
    assert (here / "kite.png").is_file()
    assert grid[1:].meta == {"prompt": "x"}
    assert [repr(grid), repr(grid[:1])] == ["ImageGrid(2 pictures, 1 failed)", "ImageGrid(1 picture)"]


def reel(count: int = 40, size: tuple[int, int] = (64, 48)) -> list[Pillow.Image]:
    """Frames that grow brighter: the time of each can be read from it."""
    return [Pillow.new("RGB", size, (5 * number + 20,) * 3) for number in range(count)]


@pytest.fixture(scope="module")
def mp4() -> bytes:
    return film(reel(), 10)


def test_a_film_knows_its_facts_and_finds_frames_by_time(mp4: bytes, tmp_path: Path):
    path = tmp_path / "grey.mp4"
    path.write_bytes(mp4)
    for video in (Video.of(mp4), Video.open(path)):
        assert (video.duration, video.fps, video.size) == (4.0, 10.0, (64, 48))
        levels = [int(frame.array.mean()) for frame in video.frames(4)]
        assert levels == pytest.approx([45, 95, 145, 195], abs=2)  # the frames at 0.5, 1.5, 2.5 and 3.5 s
        jumped = [int(np.mean(picture)) for picture in video.pictures([0.0, 3.95, 99.0])]
        assert jumped == pytest.approx([20, 215, 215], abs=2)
        assert video.poster.array.mean() == pytest.approx(20, abs=4)
    assert film(reel(), 10) == mp4


def test_frames_make_a_film_too():
    video = Video.of(reel(8), fps=4, prompt="dawn")
    assert (video.duration, video.fps, video.size, video.loaded, len(video.stills)) == (2.0, 4.0, (64, 48), True, 8)
    assert [int(frame.array.mean()) for frame in video.frames(2)] == [30, 50]
    assert len(video.frames()) == 8
    assert video.meta == {"prompt": "dawn"}
    assert (repr(video), video.byte_size) == ("Video(8 frames, 2 s)", len(video.bytes))
    assert Video.of(video.bytes).duration == pytest.approx(2.0)
    assert Video.of(np.zeros((3, 20, 30, 3), np.uint8)).duration == 1.5
    assert Video.of([np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 99, np.uint8)]).poster.array.max() == 99


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Video.of([]), "at least one frame"),
        (lambda: Video.of([PNG], fps=0), "fps=0 is no number"),
        (lambda: Video.of([PNG]).frames(0), "ask for 1 to 8,000"),
        (lambda: Video.of("https://x.example/a.mp4").duration, "is only an address"),
        (lambda: Video.of(PNG).duration, "is no film but image/png"),
        (lambda: Video.of(b"#EXTM3U\nhttp://x/").size, "is no film"),
        (lambda: Video.of(7), "a int is no film"),
    ],
)
def test_what_is_no_film_is_refused_in_one_line(make: Any, words: str):
    with pytest.raises(ConfigError, match=words):
        make()


def test_without_pyav_a_film_says_how_to_get_it(mp4: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(ConfigError, match=r"needs PyAV → pip install 'qwenkit\[lab\]'"):
        Video.of(mp4).frames(2)
    plain = str(Video.of(mp4))
    assert plain.startswith(f"Video film · mp4 · {len(mp4):,} bytes")
    assert "qwenkit[lab]" in plain
