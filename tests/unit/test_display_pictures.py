"""The cards of pictures, grids, overlays and films: small, sharp, the same every time, and inert whatever they hold."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hostile import HOSTILE
from inert import TAGS
from PIL import Image as Pillow

from qwenkit import display
from qwenkit.display.pictures import thumbnail
from qwenkit.types.image import Image
from qwenkit.types.image_grid import Failed, ImageGrid
from qwenkit.types.reply import Receipt
from qwenkit.types.usage import Cost
from qwenkit.types.video import Video, film

MORE = {"img", "figure", "figcaption", "svg", "image", "rect", "circle", "text", "video"}


class Inert(HTMLParser):
    """Known elements only, nothing that acts, and no address but what the card carries itself."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS | MORE | {"style"}, tag
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name in ("src", "href", "poster"):
                assert (value or "").startswith(("data:image/", "data:video/mp4;")), value


def photo(side: int = 1024, seed: int = 0) -> Any:
    """Clouds with a little grain."""
    random = np.random.default_rng(seed)
    soft = Pillow.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8)).resize((side, side))
    return np.clip(np.asarray(soft) + random.normal(0, 8, (side, side, 1)), 0, 255).astype(np.uint8)


def embedded(html: str) -> list[Pillow.Image]:
    found = re.findall(r"data:image/(?:jpeg|webp);base64,([A-Za-z0-9+/=]+)", html)
    return [Pillow.open(io.BytesIO(base64.b64decode(each))) for each in found]


def cards() -> dict[str, Any]:
    picture = Image.of(photo(300), prompt="clouds", seed=7)
    return {
        "image": picture,
        "grid": ImageGrid([picture, Failed("InternalError", "later")], prompt="clouds"),
        "overlay": picture.boxes([{"bbox_2d": [1, 2, 500, 600], "label": "云"}]),
        "film": Video.of(film((Pillow.fromarray(photo(64, seed)) for seed in range(6)), 3)),
        "frames": Video.of([photo(64, seed) for seed in range(3)]),
    }


@pytest.mark.parametrize("kind", ["image", "grid", "overlay", "film", "frames"])
def test_cards_are_the_same_every_time_and_inert(kind: str):
    first, second = display.bundle(cards()[kind]), display.bundle(cards()[kind])
    assert first == second
    Inert().feed(first["text/html"])
    assert str(cards()[kind]) == first["text/plain"]


@pytest.mark.parametrize(
    ("picture", "side", "shown", "held", "format"),
    [
        (Pillow.fromarray(photo()), 240, (240, 240), 512, "JPEG"),
        (Pillow.fromarray(photo()).resize((3000, 1500)), 240, (240, 120), 500, "JPEG"),
        (Pillow.fromarray(photo(300)), 240, (240, 240), 300, "JPEG"),
        (Pillow.fromarray(photo(100)), 240, (100, 100), 100, "JPEG"),
        (Pillow.new("RGB", (900, 300), "teal"), 240, (240, 80), 480, "WEBP"),
        (Pillow.fromarray(np.dstack([photo(), np.full((1024, 1024), 99, np.uint8)])), 240, (240, 240), 512, "WEBP"),
        (Pillow.new("RGB", (5000, 1)), 240, (240, 1), 500, "WEBP"),
    ],
)
def test_thumbnails_hold_twice_the_pixels_they_show(
    picture: Any, side: int, shown: tuple[int, int], held: int, format: str
):
    thumb = thumbnail(Image.of(picture), side, 60_000)
    (kept,) = embedded(thumb.url)
    assert (thumb.width, thumb.height) == shown
    assert (max(kept.size), kept.format) == (held, format)
    assert ("A" in kept.getbands()) == (picture.mode == "RGBA")


def test_a_large_jpeg_is_decoded_small_but_not_too_small():
    made = io.BytesIO()
    Pillow.fromarray(photo()).resize((1900, 1000)).save(made, "jpeg")
    image = Image.of(made.getvalue())
    assert image.decoded(480).size == (950, 500)
    assert max(embedded(thumbnail(image, 240, 60_000).url)[0].size) == 480


def test_thumbnails_keep_within_their_bytes_even_for_noise():
    noise = np.random.default_rng(1).integers(0, 256, (900, 900, 3), np.uint8)
    for most in (50_000, 8_000, 900):
        assert len(base64.b64decode(thumbnail(Image.of(noise), 300, most).url.partition(",")[2])) <= most


def test_a_picture_tells_its_story_in_text_too(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    image = Image.of(photo(64), prompt="clouds\nat dusk", seed=7, model="wan2.6-t2i", task_id="x", at=1234)
    image.save("outputs/clouds.png")
    told = f"64×64 · png · {image.byte_size:,} bytes · outputs/clouds.png"
    assert str(image) == f"Image clouds.png · {told} · prompt: clouds at dusk · seed: 7 · model: wan2.6-t2i"
    html = display.bundle(image)["text/html"]
    assert f"<small>{told}</small>" in html
    assert 'alt="clouds at dusk"' in html
    assert str(Image.of("https://x.example/a.png?Signature=s")) == (
        "Image a.png\nthe picture 'a.png' is only an address → qwen.fetch(it) brings its bytes"
    )


def test_four_large_pictures_make_a_small_grid():
    grid = ImageGrid([Image.of(photo(seed=seed), seed=seed) for seed in range(4)], prompt="clouds")
    html = display.bundle(grid)["text/html"]
    assert len(html) <= 140_000
    assert [picture.size for picture in embedded(html)] == [(512, 512)] * 4


def test_a_grid_shows_positions_prompts_and_failures_in_place():
    first = Image.of(photo(64), seed=1, revised_prompt="a <b>kite</b>")
    grid = ImageGrid([first, Failed("DataInspectionFailed", "<i>unsafe</i>")], prompt="a kite", model="wan2.6-t2i")
    grid.receipt = Receipt(cost=Cost(0.2, "CNY"), sandbox=True, latency=1.5)
    assert str(grid) == (
        "1 picture, 1 failed · prompt: a kite · model: wan2.6-t2i\n"
        "[0] 64×64 · seed: 1 · revised prompt: a <b>kite</b>\n"
        "[1] failed · DataInspectionFailed: <i>unsafe</i>"
    )
    html = display.bundle(grid)["text/html"]
    assert "a &lt;b&gt;kite&lt;/b&gt;" in html
    assert "&lt;i&gt;unsafe&lt;/i&gt;" in html
    assert html.index("[0]") < html.index("DataInspectionFailed") < html.index("[1]")
    assert '<span class="qk-volatile">1.50 s</span>' in html


def test_a_hundred_pictures_stay_a_page():
    grid = ImageGrid([Image.of(photo(64, seed)) for seed in range(3)] * 33 + [Failed("x" * 5000, "y" * 5000)])
    found = display.bundle(grid)
    assert len(embedded(found["text/html"])) == 12
    assert "… 88 more pictures" in found["text/plain"]
    assert str(ImageGrid()) == "0 pictures"


@pytest.mark.parametrize(("name", "text"), HOSTILE, ids=[name for name, _ in HOSTILE])
def test_hostile_words_stay_words(name: str, text: str):
    image = Image.of(np.zeros((20, 20, 3), np.uint8), prompt=text, **{"x": text})
    marks = image.boxes([{"bbox_2d": [0, 0, 9, 9], "label": text}, {"point_2d": [9, 9], "label": text}])
    for value in (image, ImageGrid([image, Failed(text, text)], prompt=text), marks, Video.of([image], prompt=text)):
        Inert().feed(display.bundle(value)["text/html"])


def test_an_overlay_is_svg_over_the_thumbnail_with_its_pixels_listed():
    overlay = Image.of(photo(800)).boxes(
        '[{"bbox_2d": [100, 0, 500, 500], "label": "云 & sea"}, {"point_2d": [999, 999]}]'
    )
    html = display.bundle(overlay)["text/html"]
    assert '<rect x="80" y="0" width="320" height="400"' in html
    assert re.search(r'<text x="80" y="(\d+)"[^>]*>云 &amp; sea</text>', html)[1] == "21"  # type: ignore[index]  # inside, below the edge
    assert 'viewBox="0 0 800 800" width="560" height="560"' in html
    assert str(overlay) == (
        "2 marks on 800×800 pixels, read as a scale of 1000, as nothing lies beyond 1000\n"
        "0  云 & sea  x 80–400, y 0–400\n"
        "1            x 799, y 799"
    )
    many = Image.of(photo(64)).boxes([[1, 1, 9, 9]] * 500)
    assert display.bundle(many)["text/html"].count("<rect") == 100
    assert "… 400 more marks" in str(many)


def test_a_film_plays_in_place_and_stays_small():
    clouds = photo(120)
    video = Video.of(film((Pillow.fromarray(np.roll(clouds, 9 * shift, 1)) for shift in range(40)), 5))
    html = display.bundle(video)["text/html"]
    assert len(html) <= 150_000
    clip = Video.of(re.search(r'src="(data:video/mp4;base64,[^"]+)"', html)[1])  # type: ignore[index]
    assert (clip.duration, clip.fps, max(clip.size)) == (6.0, 5.0, 120)
    assert "The first 6 s of it, small." in html
    assert len(embedded(html)) == 7  # the poster and six frames
    assert str(video) == f"Video film · 120×120 · 8.0 s · 5 frames/s · mp4 · {video.byte_size:,} bytes"


def test_a_film_too_rich_is_cut_shorter(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("qwenkit.display.video.MAX_CLIP", 2400)
    noise = np.random.default_rng(1).integers(0, 256, (8, 64, 64, 3), np.uint8)
    html = display.bundle(Video.of(film(map(Pillow.fromarray, noise), 4)))["text/html"]
    clip = Video.of(re.search(r'src="(data:video/mp4;base64,[^"]+)"', html)[1])  # type: ignore[index]
    assert clip.byte_size <= 2400
    assert clip.duration < 2
    assert f"The first {clip.duration:g} s of it, small." in html
