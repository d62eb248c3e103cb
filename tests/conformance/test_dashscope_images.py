"""Pictures and clips, as the official `dashscope` SDK orders, fetches, awaits, cancels and lists them."""

from __future__ import annotations

import base64
import io
import time
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from dashscope.aigc.image_generation import AioImageGeneration, ImageGeneration
from dashscope.aigc.image_synthesis import AioImageSynthesis
from PIL import Image

from qwenkit.sandbox.painter import paint

OLDER, MESSAGES, QUICK = "wan2.2-t2i-flash", "wan2.6-t2i", "qwen-image-2.0"


@pytest.fixture(autouse=True)
def unhurried(dash, monkeypatch):
    """The SDK's pauses between two looks, without the wait."""
    from dashscope.client import base_api

    monkeypatch.setattr(base_api, "time", SimpleNamespace(sleep=lambda seconds: None, time=time.time))


def said(text, *images):
    return [{"role": "user", "content": [*({"image": url} for url in images), {"text": text}]}]


def opened(url):
    """The picture at a signed address."""
    answer = httpx.get(url)
    assert answer.headers["content-type"] == "image/png"
    assert int(answer.headers["content-length"]) == len(answer.content)
    picture = Image.open(io.BytesIO(answer.content))
    picture.load()
    return picture


def drawn(response) -> list[str]:
    """The addresses in the choices of an answer."""
    return [item["image"] for choice in response.output.choices for item in choice.message.content if "image" in item]


@pytest.fixture(scope="module")
def given() -> str:
    """A picture to change: a blue disc."""
    held = io.BytesIO()
    paint("one blue circle", (480, 384), 3).save(held, "PNG")
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode()


def test_the_older_call_submits_and_waits(dash):
    response = dash.ImageSynthesis.call(OLDER, "a fox in snow", negative_prompt="people", n=2, size="512*512", seed=11)
    assert (response.status_code, response.output.task_status) == (200, "SUCCEEDED")
    first, second = response.output.results
    assert opened(first.url).size == (512, 512)
    assert opened(first.url).tobytes() != opened(second.url).tobytes()
    assert (first["orig_prompt"], first["actual_prompt"][:13]) == ("a fox in snow", "a fox in snow")
    assert response.output.task_metrics == {"TOTAL": 2, "SUCCEEDED": 2, "FAILED": 0}
    assert response.usage.image_count == 2


def test_a_task_of_the_older_style_is_submitted_fetched_and_awaited(dash):
    task = dash.ImageSynthesis.async_call(OLDER, "a fox", n=1, size="512*512", prompt_extend=False)
    assert (task.status_code, task.output.task_status) == (200, "PENDING")
    running = dash.ImageSynthesis.fetch(task)
    assert (running.output.task_status, running.output.task_metrics["TOTAL"]) == ("RUNNING", 1)
    done = dash.ImageSynthesis.wait(task)
    assert done.output.task_status == "SUCCEEDED"
    assert "actual_prompt" not in done.output.results[0]
    assert dash.ImageSynthesis.fetch(task.output.task_id).output.results[0].url == done.output.results[0].url


def test_some_pictures_fail_and_the_task_succeeds(dash):
    response = dash.ImageSynthesis.call(OLDER, "a fox [fail 2:InternalError.Timeout]", n=2, size="512*512")
    good, bad = response.output.results
    assert response.output.task_status == "SUCCEEDED"
    assert (bool(good.url), bad.url, bad["code"]) == (True, "", "InternalError.Timeout")
    assert (response.output.task_metrics["FAILED"], response.usage.image_count) == (1, 1)


@pytest.mark.parametrize("code", ["DataInspectionFailed", "IPInfringementSuspect"])
def test_all_fail_and_so_does_the_task(dash, code):
    response = dash.ImageSynthesis.call(OLDER, f"a fox [fail:{code}]", n=2, size="512*512")
    assert (response.status_code, response.output.task_status, response.output["code"]) == (200, "FAILED", code)
    assert response.output["message"].startswith("Input data")
    assert response.output["task_metrics"] == {"TOTAL": 2, "SUCCEEDED": 0, "FAILED": 2}


def test_a_waiting_task_is_cancelled_and_listed(dash):
    task = dash.ImageSynthesis.async_call(OLDER, "a fox")
    assert dash.ImageSynthesis.cancel(task).status_code == 200
    assert dash.ImageSynthesis.fetch(task).output.task_status == "CANCELED"
    rows = dash.ImageSynthesis.list(status="CANCELED", model_name=OLDER).output["data"]
    assert task.output.task_id in [row["task_id"] for row in rows]


def test_messages_are_answered_at_once(dash):
    response = ImageGeneration.call(MESSAGES, messages=said("a paper lantern"), n=2, size="768*768", seed=7)
    assert (response.status_code, len(response.output.choices)) == (200, 2)
    assert response.output["finished"] is True
    assert response.output.choices[0].message.content[0]["type"] == "image"
    assert [opened(url).size for url in drawn(response)] == [(768, 768)] * 2
    assert (response.usage["image_count"], response.usage["size"]) == (2, "768*768")


def test_messages_as_a_task(dash):
    task = ImageGeneration.async_call(MESSAGES, messages=said("a paper lantern"), n=1, size="768*768", seed=7)
    assert task.output.task_status == "PENDING"
    assert ImageGeneration.fetch(task).output.task_status == "RUNNING"
    done = ImageGeneration.wait(task)
    assert (done.output.task_status, done.output["finished"]) == ("SUCCEEDED", True)
    again = ImageGeneration.call(MESSAGES, messages=said("a paper lantern"), n=1, size="768*768", seed=7)
    assert opened(drawn(done)[0]).tobytes() == opened(drawn(again)[0]).tobytes()
    cancelled = ImageGeneration.cancel(task)
    assert (cancelled.status_code, cancelled.code) == (400, "UnsupportedOperation")
    listed = ImageGeneration.list(model_name=MESSAGES).output["data"]
    assert task.output.task_id in [row["task_id"] for row in listed]


def test_texts_and_pictures_by_turns(dash):
    asked = {"enable_interleave": True, "max_images": 2, "size": "768*768", "n": 1, "stream": True}
    frames = list(ImageGeneration.call("wan2.6-image", messages=said("a day at sea"), **asked))
    kinds = [frame.output.choices[0].message.content[0]["type"] for frame in frames]
    assert kinds == ["text", "image", "text", "image"]
    assert [frame.output.choices[0].finish_reason for frame in frames] == ["null", "null", "null", "stop"]
    del asked["stream"]
    refused = ImageGeneration.call("wan2.6-image", messages=said("a day at sea"), **asked)
    assert (refused.status_code, refused.code) == (400, "InvalidParameter")
    task = ImageGeneration.async_call("wan2.6-image", messages=said("a day at sea"), **asked)
    (choice,) = ImageGeneration.wait(task).output.choices
    assert [item["type"] for item in choice.message.content] == kinds


@pytest.mark.parametrize(
    ("model", "side"), [("wan2.6-image", 1024), ("qwen-image-edit", 1024), ("qwen-image-edit-plus", 1024)]
)
def test_a_picture_is_changed_in_its_own_proportions(dash, given, model, side):
    response = dash.MultiModalConversation.call(model=model, messages=said("make it red", given), n=1)
    assert response.status_code == 200, response.message
    width, height = opened(response.output.choices[0].message.content[0]["image"]).size
    assert abs(width / height - 1.25) < 0.02
    assert abs((width * height) ** 0.5 - side) < 20


def test_the_older_ways_to_change_a_picture(dash, given):
    edited = dash.ImageSynthesis.call("wan2.5-i2i-preview", "make it red", images=[given], n=1, size="768*768")
    assert opened(edited.output.results[0].url).size == (768, 768)
    function = {"function": "stylization_all", "base_image_url": given}
    stylised = dash.ImageSynthesis.call("wanx2.1-imageedit", "make it red", n=1, **function)
    assert stylised.output.task_status == "SUCCEEDED"
    guided = dash.ImageSynthesis.call("wanx-v1", "a red disc", ref_img=given, n=1, size="720*1280", style="<sketch>")
    assert opened(guided.output.results[0].url).size == (720, 1280)


def test_qwen_image_answers_in_its_own_shape(dash):
    response = dash.MultiModalConversation.call(model=QUICK, messages=said("a poster"), size="512*512", seed=5)
    assert list(response.output.choices[0].message.content[0]) == ["image"]
    assert (response.usage["width"], response.usage["height"], response.usage["image_count"]) == (512, 512, 1)
    newest = dash.MultiModalConversation.call(model="qwen-image-3.0", messages=said("a poster"), size="512*512")
    assert (newest.usage["output_width"], newest.usage["output_image_type"]) == (512, "qima_output_1k")
    refused = dash.MultiModalConversation.call(model="qwen-image-plus", messages=said("a poster"), n=2)
    assert (refused.status_code, refused.message) == (400, "num_images_per_prompt must be 1")
    said_so = dash.MultiModalConversation.call(model="z-image-turbo", messages=said("a fox"), size="512*512")
    assert said_so.output.choices[0].message.content[1]["text"] == "a fox"


def test_what_is_asked_in_the_wrong_place_is_told_so(dash):
    wrong = dash.ImageSynthesis.async_call(MESSAGES, "a fox")
    assert (wrong.status_code, wrong.message) == (400, "url error, please check url！")
    wrong = ImageGeneration.call(OLDER, messages=said("a fox"))
    assert (wrong.status_code, wrong.message) == (400, "url error, please check url！")
    at_once = dash.ImageSynthesis.sync_call(OLDER, "a fox")
    assert (at_once.status_code, at_once.code) == (403, "AccessDenied")
    unknown = dash.ImageSynthesis.async_call("wan9", "a fox")
    assert unknown.message == "Model not exist."


async def test_awaited(dash):
    task = await AioImageGeneration.async_call(MESSAGES, messages=said("a kite"), n=1, size="768*768")
    assert (await AioImageGeneration.fetch(task)).output.task_status == "RUNNING"
    assert len(drawn(await AioImageGeneration.fetch(task))) == 1
    at_once = await AioImageGeneration.call(MESSAGES, messages=said("a kite"), n=1, size="768*768")
    assert len(drawn(at_once)) == 1
    older = await AioImageSynthesis.async_call(OLDER, "a kite", n=1, size="512*512")
    assert (await AioImageSynthesis.cancel(older)).status_code == 200
    assert (await AioImageSynthesis.fetch(older)).output.task_status == "CANCELED"


def test_the_newer_client(dash, box):
    client = dash.Client(api_key=box.key, base_url=f"{box.url}/api/v1")
    job: Any = client.images.generate(model=OLDER, prompt="a kite", n=1, size="512x512", poll_interval=0.05)
    assert opened(job.output["results"][0]["url"]).size == (512, 512)
    at_once: Any = client.images.generate(model=MESSAGES, prompt="a kite", n=1, size="768x768")
    assert at_once.output["choices"][0]["message"]["content"][0]["image"].startswith(box.url)
    with pytest.raises(Exception, match="inappropriate"):
        client.images.generate(model=OLDER, prompt="a kite [fail]", n=1, size="512x512", poll_interval=0.05)
    client.close()


def test_a_clip_from_words(dash):
    asked = {"size": "624*624", "duration": 5, "seed": 3, "negative_prompt": "people"}
    response = dash.VideoSynthesis.call("wan2.5-t2v-preview", "waves at night", **asked)
    assert (response.status_code, response.output.task_status) == (200, "SUCCEEDED")
    clip = httpx.get(response.output.video_url)
    assert (clip.headers["content-type"], clip.content[4:8]) == ("video/mp4", b"ftyp")
    assert response.usage["video_duration"] == 5
    assert response.output["orig_prompt"] == "waves at night"


def test_a_clip_from_pictures(dash, given):
    media = [{"type": "first_frame", "url": given}]
    task = dash.VideoSynthesis.async_call("wan2.7-i2v", "it drifts", media=media, resolution="720P", duration=2)
    assert dash.VideoSynthesis.fetch(task).output.task_status == "RUNNING"
    done = dash.VideoSynthesis.wait(task)
    assert (done.usage["duration"], done.usage["SR"], done.usage["video_count"]) == (2, 720, 1)
    frames = {"first_frame_url": given, "last_frame_url": given}
    task = dash.VideoSynthesis.async_call("wan2.2-kf2v-flash", "it turns", resolution="480P", **frames)
    assert dash.VideoSynthesis.cancel(task).status_code == 200
    lacking = dash.VideoSynthesis.async_call("wan2.6-i2v", "it drifts")
    assert (lacking.status_code, lacking.code) == (400, "InvalidParameter")
