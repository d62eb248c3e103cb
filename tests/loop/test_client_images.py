"""Pictures through the client, both flavours: drawn at once or as a task, fetched, checked, kept, booked."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from flavours import done
from PIL import Image as Pillow
from PIL import ImageDraw

import qwenkit as qk
from qwenkit.api import outputs
from qwenkit.display import bundle
from qwenkit.types.image import Image
from qwenkit.types.image_grid import Failed, ImageGrid

QUICK = {"model": "qwen-image-2.0", "size": "512x512"}
TASK = {"model": "wan2.2-t2i-flash", "size": (512, 512), "progress": False}
blocking = pytest.mark.parametrize("flavour", ["sync"], indirect=True)  # the call itself is written once for both
awaited = pytest.mark.parametrize("flavour", ["async"], indirect=True)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Results lie in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_a_grid_of_pictures_each_kept_with_what_made_it(qwen, box, here):
    grid = await done(qwen.images("three red circles", n=2, seed=5, negative="text", **QUICK))
    assert isinstance(grid, ImageGrid)
    assert [image.size for image in grid] == [(512, 512)] * 2
    assert [image.path.as_posix() for image in grid] == [
        "outputs/three-red-circles-5.png",
        "outputs/three-red-circles-6.png",
    ]
    told = json.loads(Path("outputs/three-red-circles-6.json").read_text())
    assert (told["prompt"], told["seed"], told["model"]) == ("three red circles", 6, QUICK["model"])
    with Pillow.open(grid[1].path) as kept:
        kept.load()
        assert (kept.text["prompt"], kept.text["seed"]) == ("three red circles", "6")
        assert kept.convert("RGB").tobytes() == grid[1].pil.convert("RGB").tobytes()
    sent = next(each for each in box.requests if each.method == "POST").json
    assert sent["parameters"] == {"n": 2, "seed": 5, "size": "512*512", "negative_prompt": "text"}
    fetched = [each for each in box.requests if each.path.startswith("/results/")]
    assert len(fetched) == 2
    assert not any("authorization" in each.headers for each in fetched)


@awaited
async def test_what_it_cost_is_booked_by_the_picture(qwen):
    grid = await done(qwen.images("a kite", n=3, save=False, **QUICK))
    (entry,) = qwen.usage
    assert (entry.family, entry.model, entry.ok) == ("images", QUICK["model"], True)
    assert (grid.cost, grid.model, grid.prompt) == (grid.receipt.cost, QUICK["model"], "a kite")
    assert (grid.usage.images, round(grid.receipt.cost.amount, 6)) == (3, 0.6)
    assert not Path("outputs").exists()
    assert grid[0].path is None


@blocking
async def test_the_same_content_is_kept_once_and_other_content_beside_it(qwen):
    for _ in range(2):
        await done(qwen.images("a kite", seed=1, **QUICK))
    await done(qwen.images("a kite", seed=1, negative="red", model="z-image-turbo", size="512*512"))
    assert sorted(each.name for each in Path("outputs").glob("*.png")) == ["a-kite-1-2.png", "a-kite-1.png"]


async def test_an_older_model_is_waited_for(qwen, box):
    grid = await done(qwen.images("a fox in snow", n=2, seed=11, **TASK))
    assert grid.task.status == "SUCCEEDED"
    assert [each.method for each in box.requests].count("GET") >= 3
    assert box.requests[0].headers["x-dashscope-async"] == "enable"
    assert grid[0].meta["revised_prompt"].startswith("a fox in snow, ")
    assert round(grid.receipt.cost.amount, 6) == 0.28
    assert [entry.family for entry in qwen.usage] == ["images"]


@awaited
async def test_a_failure_stands_in_its_place(qwen):
    grid = await done(qwen.images("a fox [fail 2:InternalError.Timeout]", n=3, **TASK))
    assert [isinstance(each, Failed) for each in grid] == [False, True, False]
    assert (grid[1].code, len(grid.images), grid.usage.images) == ("InternalError.Timeout", 2, 2)
    assert "[1] failed · InternalError.Timeout" in bundle(grid)["text/plain"]
    at_once = await done(qwen.images("a fox [fail 1]", n=2, **QUICK))
    assert (len(at_once.images), len(at_once.failures)) == (1, 1)


@blocking
async def test_all_failed_says_why(qwen):
    with pytest.raises(qk.TaskFailed, match="DataInspectionFailed") as caught:
        await done(qwen.images("a fox [fail]", n=2, **TASK))
    assert caught.value.hint
    with pytest.raises(qk.ContentRejected):
        await done(qwen.images("a fox [fail]", **QUICK))
    assert [entry.ok for entry in qwen.usage] == [False, False]
    assert not Path("outputs").exists()


@awaited
async def test_a_task_is_resumed_by_its_id_from_another_session(qwen, box):
    options = {name: TASK[name] for name in ("model", "size")}
    task = await done(qwen.images.submit("a fox", seed=3, **options))
    assert (task.status, await done(qwen.images.get(task))) != ("", None)
    with qk.Client(api_key=box.key, base_url=box.url) as other:
        grid = other.images.wait(task.id, progress=False)
        assert grid[0].meta["prompt"] == "a fox"  # as the answer tells it
    again = await done(qwen.images.get(task))
    assert (again[0].bytes, again[0].meta["seed"]) == (grid[0].bytes, 3)
    with pytest.raises(qk.TaskFailed, match="no such task"):
        await done(qwen.images.get("nope"))
    with pytest.raises(qk.ConfigError, match="no tasks"):
        await done(qwen.images.submit("a fox", model="qwen-image-max"))


@blocking
async def test_a_task_is_cancelled_while_it_waits(qwen):
    task = await done(qwen.images.submit("a fox", size="16:9"))
    assert (await done(qwen.images.cancel(task))).status == "CANCELED"
    with pytest.raises(qk.TaskFailed, match="cancelled"):
        await done(qwen.images.wait(task, progress=False))
    assert (await done(qwen.images.get(task))).status == "CANCELED"


@awaited
async def test_waiting_has_an_end_and_bears_a_throttled_look(qwen, box):
    options = {name: TASK[name] for name in ("model", "size")}
    task = await done(qwen.images.submit("a fox [slow 3]", **options))
    with pytest.raises(qk.TransportError, match="still RUNNING") as caught:
        await done(qwen.images.wait(task, timeout=0.001, progress=False))
    assert "qwen.images.wait(error.reply)" in caught.value.hint
    assert "waited" in bundle(caught.value.reply)["text/html"]
    box.fault("429:Throttling.RateQuota", times=4, path="/tasks/")  # more than one look is tried again
    assert len(await done(qwen.images.wait(task, progress=False))) == 1


@blocking
async def test_a_picture_is_changed_and_an_upload_can_be_read(qwen, box, here):
    Pillow.new("RGB", (600, 400), "blue").save("blue.png")
    edited = await done(qwen.images("make it red", images="blue.png", model="qwen-image-edit-plus"))
    width, height = edited[0].size
    assert abs(width / height - 1.5) < 0.02
    mask = Pillow.new("L", (600, 400))
    mask.paste(255, (300, 0, 600, 400))  # white is what may change
    asked = {"model": "wanx2.1-imageedit", "function": "description_edit_with_mask", "mask_image_url": mask}
    discs = Pillow.new("RGB", (600, 400), "white")
    for left in (50, 350):
        ImageDraw.Draw(discs).ellipse((left, 100, left + 200, 300), "blue")
    masked = (await done(qwen.images("make the circles red", images=discs, progress=False, **asked)))[0]
    (_, _, blue), (red, _, _) = (masked.array[masked.height // 2, masked.width * part // 4] for part in (1, 3))
    assert min(blue, red) > 180
    both = [Image.of(edited[0].pil), here / "blue.png"]
    older = await done(qwen.images("as one", images=both, model="wan2.5-i2i-preview", size="1:1", progress=False))
    posted = next(each for each in reversed(box.requests) if each.method == "POST").json
    assert [url[:22] for url in posted["input"]["images"]] == ["data:image/png;base64,"] * 2
    assert older[0].size == (1024, 1024)
    with pytest.raises(qk.ConfigError, match="240"):
        await done(qwen.images("x", images=Pillow.new("RGB", (100, 100)), model="wan2.6-image"))


@awaited
async def test_texts_and_pictures_by_turns_come_whole(qwen):
    grid = await done(
        qwen.images("a day at sea", model="wan2.6-image", enable_interleave=True, max_images=2, size="768*768")
    )
    assert [image.meta["text"] for image in grid] == ["Picture 1 of 2: a day at sea.", "Picture 2 of 2: a day at sea."]


async def test_a_damaged_picture_is_fetched_again_and_an_expired_one_named(qwen, box):
    box.fault("garbage", times=1, path="/results/")
    grid = await done(qwen.images("a kite", **QUICK))
    assert grid[0].size == (512, 512)
    box.fault("403", times=1, path="/results/")
    grid = await done(qwen.images("a kite", n=2, **QUICK))
    assert len(grid.failures) == 1
    assert "expired" in grid.failures[0].message


ODD = [
    {"size": "nowhere"}, {"size": (1, 2, 3)}, {"n": 0}, {"seed": -1}, {"negative": 7}, {"model": 7}, {"images": 7},
    {"negative_prompt": "x"}, {"sizes": "1:1"}, {"model": "qwen-plus"}, {"extra": 7}, {"folder": "/dev/null/x"},
    {"folder": None}, {"timeout": "soon"}, {"timeout": -1, "model": "wan2.2-t2i-flash"}, {"n": True},
    {"max_images": 6, "model": "wan2.6-image", "enable_interleave": True, "size": "1:1"}, {"save": "x.png"},
    {"seed": 2**31 - 1, "n": 2}, {"size": "200:1"}, {"style": "<anime>"}, {"enable_interleave": True}, {"steps": 4},
]  # fmt: skip


@blocking
async def test_odd_options_are_named_before_anything_is_sent(qwen, box):
    for odd in ODD:
        with pytest.raises(qk.ConfigError):
            await done(qwen.images("a kite", **{**QUICK, **odd}))
    for odd, cure in (
        ({"save": "x.png"}, "folder="),
        ({"style": "<anime>"}, "wanx-v1"),
        ({"steps": 4}, "leave it out"),
    ):
        with pytest.raises(qk.ConfigError) as caught:
            await done(qwen.images("a kite", **{**QUICK, **odd}))
        assert cure in caught.value.hint
    assert not box.requests


@blocking
async def test_numbers_of_numpy_are_numbers(qwen, box):
    size = (np.int64(512), np.int64(512))
    await done(qwen.images("a kite", model=QUICK["model"], n=np.int64(1), seed=np.int64(3), size=size, save=False))
    assert box.requests[0].json["parameters"] == {"n": 1, "seed": 3, "size": "512*512"}


@awaited
async def test_a_seed_is_chosen_and_kept_where_none_is_named(qwen, box):
    first, second = [(await done(qwen.images("a kite", n=2, **QUICK))) for _ in range(2)]
    seed = first[0].meta["seed"]
    assert [image.meta["seed"] for image in first] == [seed, seed + 1]
    assert second[0].meta["seed"] not in (seed, seed + 1)
    assert box.requests[0].json["parameters"]["seed"] == seed
    again = await done(qwen.images("a kite", seed=seed, **QUICK))
    assert again[0].path == first[0].path
    with qk.Client(api_key=box.key, base_url=box.url) as other:
        assert other.images("a kite", **QUICK)[0].meta["seed"] == seed


@blocking
async def test_a_cut_prompt_warns_at_the_line_that_asked(qwen):
    with pytest.warns(UserWarning, match="cut off") as caught:
        await done(qwen.images("x " * 3000, model="qwen-image-plus", save=False))
    assert caught[0].filename == __file__


def test_a_budget_refuses_before_drawing(box):
    with qk.Client(api_key=box.key, base_url=box.url, budget=0.5) as qwen, warnings.catch_warnings():
        warnings.simplefilter("ignore", qk.BudgetWarning)
        with pytest.raises(qk.BudgetExceeded):
            qwen.images("a kite", n=4, **QUICK)


def test_names_never_leave_the_folder_and_never_overwrite(here):
    class Held:
        format = "png"

        def __init__(self, content: bytes) -> None:
            self.bytes = content

    def keep(content: bytes, prompt: str) -> str:
        return outputs.keep(Held(content), prompt=prompt, seed=None, model="m").as_posix()

    assert keep(b"1", "../../etc/passwd") == "outputs/etc-passwd.png"
    assert keep(b"1", "../../etc/passwd") == "outputs/etc-passwd.png"
    assert keep(b"2", "etc passwd!") == "outputs/etc-passwd-2.png"
    assert keep(b"3", "🙂") == "outputs/untitled.png"
    assert keep(b"4", "一只可爱的猫咪") == "outputs/一只可爱的猫咪.png"
    Held.format = "wav"
    assert keep(b"1", "etc passwd") == "outputs/etc-passwd.wav"
    assert Path("outputs/etc-passwd.wav.json").is_file()
