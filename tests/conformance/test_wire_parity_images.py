"""Wire parity of pictures and clips: the official SDK and qwenkit send the same path, headers and JSON."""

from __future__ import annotations

from typing import Any

import pytest
from dashscope.aigc.image_generation import ImageGeneration
from parity import Said, sent

import qwenkit as qk
from qwenkit.sandbox import Sandbox

WORDS = "一只风筝, a kite over a lake"
URL = "data:image/png;base64,iVBORw0KGgo="


def told(said: Said) -> Said:
    """Without what the SDK leaves in the body by accident, which the service ignores."""
    given = {name: value for name, value in said.json["input"].items() if name not in ("extend_prompt",)}
    stray = given.get("function") == "video-synthesis"
    given = {name: value for name, value in given.items() if not (stray and name == "function")}
    parameters = {name: value for name, value in said.json["parameters"].items() if name != "is_async"}
    return said._replace(json={**said.json, "input": given, "parameters": parameters})


def said(*images: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [*({"image": url} for url in images), {"text": WORDS}]}]


WIRE = {"size": "1024*1024", "seed": 7, "prompt_extend": False, "watermark": True}
TASKS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "older words": ("wan2.2-t2i-flash", {**WIRE, "n": 2, "negative_prompt": "text"}, {**WIRE, "n": 2}),
    "older style": ("wanx-v1", {"n": 1, "style": "<sketch>", "ref_img": URL}, {"style": "<sketch>", "images": URL}),
    "older edits": ("wan2.5-i2i-preview", {"n": 3, "images": [URL, URL]}, {"n": 3, "images": [URL, URL]}),
    "a function": (
        "wanx2.1-imageedit",
        {"n": 1, "function": "stylization_all", "base_image_url": URL, "mask_image_url": URL},
        {"function": "stylization_all", "images": [URL], "mask_image_url": URL},
    ),
}


@pytest.mark.parametrize("name", TASKS)
def test_tasks_of_the_older_style(name: str, recorder: Sandbox, native: Any, qwen: qk.Client):
    model, theirs, ours = TASKS[name]
    ours |= {"negative": "text"} if "negative_prompt" in theirs else {}
    one = sent(recorder, native.ImageSynthesis.async_call, model, WORDS, **{"seed": 1, **theirs})
    assert told(one) == told(sent(recorder, qwen.images.submit, WORDS, model=model, **{"seed": 1, **ours}))


@pytest.mark.parametrize("images", [[], [URL, URL]])
def test_messages_as_a_task(images: list[str], recorder: Sandbox, native: Any, qwen: qk.Client):
    model = "wan2.6-image" if images else "wan2.6-t2i"
    one = sent(recorder, ImageGeneration.async_call, model, messages=said(*images), n=2, negative_prompt="text", seed=1)
    ours = sent(recorder, qwen.images.submit, WORDS, n=2, negative="text", seed=1, images=images, model=model)
    assert told(one) == told(ours)
    assert ours.switches == {"x-dashscope-async": "enable"}


@pytest.mark.parametrize("model", ["qwen-image-edit-plus", "qwen-image-3.0"])
def test_messages_at_once(model: str, recorder: Sandbox, native: Any, qwen: qk.Client):
    options = {"n": 1, "size": "1024*1024", "seed": 3}
    call = native.MultiModalConversation.call
    one = sent(recorder, call, model=model, messages=said(URL), prompt_extend=True, **options)
    assert told(one) == told(
        sent(recorder, qwen.images, WORDS, images=[URL], model=model, prompt_extend=True, **options)
    )


FILMS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "words": ("wan2.6-t2v", {"size": "1280*720", "duration": 5}, {"size": "1280x720", "seconds": 5}),
    "a picture": ("wan2.6-i2v", {"img_url": URL, "resolution": "720P"}, {"image": URL, "resolution": "720P"}),
    "key frames": (
        "wan2.2-kf2v-flash",
        {"first_frame_url": URL, "last_frame_url": URL},
        {"image": URL, "last": URL},
    ),
    "media": (
        "wan2.7-i2v",
        {"media": [{"type": "first_frame", "url": URL}, {"type": "last_frame", "url": URL}], "duration": 2},
        {"image": URL, "last": URL, "seconds": 2},
    ),
}


@pytest.mark.parametrize("name", FILMS)
def test_clips(name: str, recorder: Sandbox, native: Any, qwen: qk.Client):
    model, theirs, ours = FILMS[name]
    one = sent(recorder, native.VideoSynthesis.async_call, model, WORDS, seed=1, watermark=False, **theirs)
    assert told(one) == told(sent(recorder, qwen.videos.submit, WORDS, model=model, seed=1, watermark=False, **ours))
