"""The painter draws what it says it knows, the eyes see it again, and both repeat themselves exactly."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from qwenkit.sandbox import clips
from qwenkit.sandbox.eyes import look
from qwenkit.sandbox.painter import film, paint, understood
from qwenkit.sandbox.sights import Sight

SIZE = (384, 384)


def seen(image: Image.Image, form: str = "PNG", **options: int) -> Sight:
    held = io.BytesIO()
    image.save(held, form, **options)
    return look(held.getvalue())


def counts(sight: Sight) -> Counter[tuple[str, str]]:
    return Counter((each.kind, each.colour) for each in sight.shapes)


@pytest.mark.parametrize(
    ("prompt", "drawn"),
    [
        ("three red circles", {("circle", "red"): 3}),
        ("a blue square and two green triangles", {("square", "blue"): 1, ("triangle", "green"): 2}),
        ("one yellow star beside four purple diamonds", {("star", "yellow"): 1, ("diamond", "purple"): 4}),
        ("two orange ellipses, a pink heart", {("ellipse", "orange"): 2, ("heart", "pink"): 1}),
        ("3 red crosses and a cyan ring", {("cross", "red"): 3, ("ring", "cyan"): 1}),
        ("a black line and a purple ellipse", {("line", "black"): 1, ("ellipse", "purple"): 1}),
        ("six pink rectangles", {("rectangle", "pink"): 6}),
        ("two yellow triangles over mountains by day", {("triangle", "yellow"): 2}),
        ("four red circles over a lake at dusk", {("circle", "red"): 4}),
        ("two white stars on a blue background", {("star", "white"): 2}),
        ("五个蓝色的圆和两个黄色三角形", {("circle", "blue"): 5, ("triangle", "yellow"): 2}),
        ("左边一个红色正方形，右边三个绿色星形", {("square", "red"): 1, ("star", "green"): 3}),
        ("seven purple circles and nine yellow squares", {("circle", "purple"): 7, ("square", "yellow"): 9}),
    ],
)
def test_the_eyes_see_what_was_painted(prompt: str, drawn: dict[tuple[str, str], int]):
    assert counts(seen(paint(prompt, SIZE, 42))) == drawn


def test_the_same_prompt_seed_and_size_give_the_same_picture():
    one, same, other = (paint("a red kite over a lake at dusk", (320, 200), seed) for seed in (7, 7, 8))
    assert one.size == (320, 200)
    assert one.tobytes() == same.tobytes() != other.tobytes()


@pytest.mark.parametrize(
    ("prompt", "left", "right"),
    [
        ("a red circle left of a blue square", "circle", "square"),
        ("a red circle on the right and a blue square on the left", "square", "circle"),
        ("右边一个红色的圆，左边一个蓝色正方形", "square", "circle"),
    ],
)
def test_sides_are_kept(prompt: str, left: str, right: str):
    sight = seen(paint(prompt, SIZE, 3))
    places = {each.kind: each.box[0] for each in sight.shapes}
    assert places[left] < places[right]


def test_boxes_are_where_the_shape_is():
    image = Image.new("RGB", (1000, 500), "white")
    image.paste((220, 40, 40), (300, 100, 500, 300))
    (shape,) = seen(image).shapes
    assert shape.kind == "square"
    assert np.allclose(shape.box, (300, 100, 500, 300), atol=7)


def test_it_tells_what_it_cannot_draw():
    wishes = understood("a red kite over a lake at dusk, holding quantum entanglement", negative="kite")
    assert wishes.unknown == ["holding", "quantum", "entanglement"]
    assert {"red", "kite", "lake", "dusk"} <= set(wishes.known)
    assert not wishes.things
    assert understood("湖面上的红色风筝和量子").unknown == ["量子"]


@pytest.mark.parametrize(
    ("prompt", "colour"),
    [("night sky", "blue"), ("a forest", "green"), ("desert by day", "beige"), ("a plain on pink background", "pink")],
)
def test_scenery_has_its_colours(prompt: str, colour: str):
    names = [name for name, _ in seen(paint(prompt, (256, 256), 1)).colours[:3]]
    assert colour in names or (colour == "blue" and "black" in names)


def test_time_of_day_changes_the_light():
    day, dusk, night = (seen(paint(f"a lake, {time}", (256, 256), 1)).brightness for time in ("day", "dusk", "night"))
    assert day > dusk > night


@pytest.mark.parametrize(
    ("instruction", "after"),
    [
        ("Make the circle green", {("circle", "green"): 1, ("square", "blue"): 1}),
        ("把圆变成黄色", {("circle", "yellow"): 1, ("square", "blue"): 1}),
        ("remove the blue square", {("circle", "red"): 1}),
        ("add a yellow star at the bottom", {("circle", "red"): 1, ("square", "blue"): 1, ("star", "yellow"): 1}),
        ("change the background to pink", {("circle", "red"): 1, ("square", "blue"): 1}),
        ("turn it upside down", {("circle", "red"): 1, ("square", "blue"): 1}),
    ],
)
def test_edits_change_the_reference_itself(instruction: str, after: dict[tuple[str, str], int]):
    before = paint("a red circle on the left and a blue square on the right", SIZE, 1)
    assert counts(seen(paint(instruction, SIZE, 1, references=[before]))) == after


def test_an_edit_it_does_not_understand_says_so_in_the_corner():
    before = paint("three red circles", (400, 300), 1)
    after = paint("give it more soul", (400, 300), 1, references=[before])
    changed = np.argwhere((np.asarray(after) != np.asarray(before)).any(axis=2))
    assert len(changed) > 50
    assert changed[:, 0].min() > 270  # the rest is as it was


def test_edits_of_everything():
    image = paint("a red circle on the left on white background", (300, 200), 1)

    def edited(words: str) -> Image.Image:
        return paint(words, (300, 200), 1, references=[image])

    gray = np.asarray(edited("make it black and white"))
    assert (gray[..., 0] == gray[..., 2]).all()
    assert seen(edited("darker please")).brightness < seen(image).brightness
    assert edited("mirror it").tobytes() == image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).tobytes()
    assert seen(edited("background to night")).brightness < 120
    blue = np.asarray(edited("make it blue"), float).mean(axis=(0, 1))
    assert blue[2] >= blue[0]
    assert edited("make it blue").tobytes() != image.tobytes()
    assert edited("rotate it by 180 degrees").tobytes() == image.rotate(180).tobytes()
    left, right = (seen(edited(f"rotate it to the {side}")).shapes[0].box for side in ("left", "right"))
    assert left[1] > right[1]  # the left side goes down, or up
    other = paint("a blue star on white background", (300, 300), 1)
    joined = paint("put the star of image 2 on the right", (300, 200), 1, references=[image, other])
    assert counts(seen(joined)) == {("circle", "red"): 1, ("star", "blue"): 1}


@pytest.mark.parametrize("style", ["watercolor", "sketch", "pixel", "vivid", "sepia", "黑白"])
def test_styles_and_marks_change_the_picture(style: str):
    plain = paint("a house", (160, 160), 1)
    drawn = paint("a house", (160, 160), 1, style=style, watermark="AI生成")
    assert drawn.size == plain.size
    assert drawn.tobytes() != plain.tobytes()


def test_films_move_what_they_draw_and_repeat():
    pytest.importorskip("av")
    content = film("a red circle on white background", (320, 240), 2, 8, 1)
    assert content == film("a red circle on white background", (320, 240), 2, 8, 1)
    clip = clips.of_file(content, 2)
    assert (clip.width, clip.height, clip.count, round(clip.seconds, 1)) == (320, 240, 4, 2.0)
    assert [(each.kind, each.colour) for each in clip.moved] == [("circle", "red")]
    first, last = (paint(f"a {colour} square on white background", (320, 240), 1) for colour in ("blue", "green"))
    held = clips.of_file(film("anything", (320, 240), 2, 8, 1, first, last), 4)
    assert [held.frames_seen[at].shapes[0].colour for at in (0, -1)] == ["blue", "green"]
