"""Clips through the client, both flavours: filmed as a task, fetched, kept, booked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flavours import done
from PIL import Image as Pillow

import qwenkit as qk

blocking = pytest.mark.parametrize("flavour", ["sync"], indirect=True)  # the call itself is written once for both
awaited = pytest.mark.parametrize("flavour", ["async"], indirect=True)
SMALL = {"model": "wan2.5-t2v-preview", "size": "624x624"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@awaited
async def test_a_clip_is_waited_for_and_kept(qwen, box):
    clip = await done(qwen.videos("waves at night", seed=3, seconds=5, progress=False, **SMALL))
    assert (clip.size, round(clip.duration, 1), clip.path.as_posix()) == (
        (624, 624),
        5.0,
        "outputs/waves-at-night-3.mp4",
    )
    assert json.loads(Path("outputs/waves-at-night-3.json").read_text())["model"] == SMALL["model"]
    assert clip.task.ok
    assert (clip.model, clip.prompt, clip.cost) == (SMALL["model"], "waves at night", None)
    assert clip.usage.seconds == 5
    assert clip.poster.size == (624, 624)
    assert box.requests[0].json["parameters"] == {"duration": 5, "seed": 3, "size": "624*624"}
    assert [(entry.family, entry.ok) for entry in qwen.usage] == [("videos", True)]


@blocking
async def test_a_clip_begins_with_a_picture_and_is_resumed_by_its_id(qwen, box):
    first = qk.Image.of(Pillow.new("RGB", (320, 240), "blue"))
    task = await done(qwen.videos.submit("it drifts", image=first, seconds=2, resolution="720P"))
    (given,) = box.requests[-1].json["input"]["media"]
    assert (given["type"], given["url"][:15]) == ("first_frame", "data:image/png;")
    assert (await done(qwen.videos.get(task.id))).status == "RUNNING"
    clip = await done(qwen.videos.wait(task.id, progress=False, save=False))
    assert abs(clip.size[0] / clip.size[1] - 4 / 3) < 0.02
    red, _, blue = clip.poster.pil.convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert blue > red + 60


def test_a_clip_without_a_model_named_has_a_price_and_a_budget_stops_it(box):
    with qk.Client(api_key=box.key, base_url=box.url, budget=5) as qwen:
        clip = qwen.videos("waves", seconds=2, size="1280x720", progress=False)
        assert (round(clip.cost.amount, 6), clip.meta["seed"] is not None) == (1.2, True)
        with pytest.raises(qk.BudgetExceeded, match="¥15"):
            qwen.videos.submit("waves", seconds=15)
        picture = {"image": qk.Image.of(Pillow.new("RGB", (320, 240))), "seconds": 2, "resolution": "720P"}
        with pytest.warns(qk.BudgetWarning, match="no list price"):
            qwen.videos.submit("it drifts", **picture)


@awaited
async def test_a_failed_and_a_cancelled_clip(qwen):
    with pytest.raises(qk.TaskFailed, match="DataInspectionFailed"):
        await done(qwen.videos("waves [fail]", progress=False, **SMALL))
    task = await done(qwen.videos.submit("waves", **SMALL))
    assert (await done(qwen.videos.cancel(task))).status == "CANCELED"


PICTURE = Pillow.new("RGB", (320, 240))
SOUND, FILM = "https://example.com/a.mp3", "https://example.com/a.mp4"
ODD = [
    ({"seconds": 99}, "2 to 15|5 or 10"), ({"size": "1x1"}, "does not draw"), ({"resolution": "720P"}, "resolution"),
    ({"duration": 5}, "seconds"), ({"model": "qwen-plus"}, "films nothing"), ({"last": "a.png"}, "exist"),
    ({"negative": 7}, "words"), ({"folder": 7}, "folder"), ({"timeout": "soon"}, "timeout"),
    ({"model": "wan2.6-t2v", "image": PICTURE}, "films from words"), ({"model": "wan2.6-i2v"}, "films from image="),
    ({"model": "wan2.2-kf2v-flash", "image": PICTURE}, "films from image= and last="),
    ({"model": "wan2.7-i2v", "clip": FILM, "audio": SOUND}, "own sound"),
    ({"model": "wanx2.1-i2v-turbo", "image": PICTURE, "seconds": 2}, "3 or 4 or 5"),
]  # fmt: skip


@blocking
async def test_odd_options_are_named_before_anything_is_sent(qwen, box):
    for odd, words in ODD:
        with pytest.raises(qk.ConfigError, match=words):
            await done(qwen.videos("waves", **{**({} if "model" in odd else SMALL), **odd}))
    assert not box.requests


@blocking
async def test_a_task_of_another_noun_is_told_so(qwen):
    drawn = await done(qwen.images.submit("a kite", model="wan2.2-t2i-flash", size="512x512"))
    with pytest.raises(qk.ConfigError, match="made no clip"):
        await done(qwen.videos.wait(drawn, progress=False))
