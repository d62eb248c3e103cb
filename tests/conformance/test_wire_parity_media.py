"""Wire parity of media: for the same question the official SDKs and qwenkit send the same request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from parity import sent
from shapes import png, shown, uri

import qwenkit as qk
from qwenkit.api import sending
from qwenkit.sandbox import Sandbox

WEB = "https://pics.example/dog.png"
OSS = "oss://dashscope-instant/dog.png"
WORDS = {"type": "text", "text": "What is it?"}


RED = png()
URI = uri(RED)


def heard(data: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data}}


# what the SDK is given as parts, and what qwenkit is given as options
CHAT: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "an address": ([shown(WEB)], {"images": [WEB]}),
    "data": ([shown(URI)], {"images": [RED]}),
    "several": ([shown(WEB), shown(URI)], {"images": [WEB, RED]}),
    "pixels": (
        [{**shown(WEB), "min_pixels": 4096, "max_pixels": 9999}],
        {"images": WEB, "min_pixels": 4096, "max_pixels": 9999},
    ),
    "a film": ([{"type": "video_url", "video_url": {"url": WEB}, "fps": 1}], {"video": WEB, "fps": 1}),
    "frames": ([{"type": "video", "video": [URI] * 4, "fps": 2}], {"video": [RED] * 4, "fps": 2}),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", CHAT)
def test_chat(name: str, streamed: bool, recorder: Sandbox, official: Any, qwen: qk.Client):
    parts, options = CHAT[name]
    stream = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    asked = {"model": "qwen3-vl-plus", "messages": [{"role": "user", "content": [*parts, WORDS]}], **stream}
    ours = sent(recorder, qwen.chat.stream if streamed else qwen.chat, "What is it?", **options)
    assert ours == sent(recorder, official.chat.completions.create, **asked)


def test_a_sound_and_a_switch(recorder: Sandbox, official: Any, qwen: qk.Client):
    stream = {"stream": True, "stream_options": {"include_usage": True}}
    asked = {"model": "qwen3-omni-flash", "messages": [{"role": "user", "content": [heard(WEB), WORDS]}], **stream}
    ours = sent(recorder, qwen.chat, "What is it?", audio=[WEB])
    assert ours == sent(recorder, official.chat.completions.create, **asked)
    asked = {"model": "qwen3-vl-plus", "messages": [{"role": "user", "content": [shown(WEB), WORDS]}]}
    ours = sent(recorder, qwen.chat, "What is it?", images=[WEB], high_resolution=True)
    extra = {"vl_high_resolution_images": True}
    assert ours == sent(recorder, official.chat.completions.create, **asked, extra_body=extra)


def test_responses(recorder: Sandbox, official: Any, qwen: qk.Client):
    content = [{"type": "input_image", "image_url": URI}, {"type": "input_text", "text": "What is it?"}]
    ours = sent(recorder, qwen.responses, "What is it?", images=[RED])
    asked = {"model": "qwen3.5-plus", "input": [{"role": "user", "content": content}]}
    assert ours == sent(recorder, official.responses.create, **asked)


NATIVE: dict[str, tuple[list[dict[str, Any]], Any]] = {
    "an upload": ([{"image": OSS}, {"text": "?"}], [{"image": OSS}, "?"]),
    "data": ([{"image": URI}, {"text": "?"}], [RED, "?"]),
    "frames": ([{"video": [URI] * 4, "fps": 2}, {"text": "?"}], [{"video": [RED] * 4, "fps": 2}, "?"]),
    "a film": ([{"video": WEB}, {"image": WEB}, {"text": "?"}], [{"video": WEB}, {"image": WEB}, "?"]),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", NATIVE)
def test_native(name: str, streamed: bool, recorder: Sandbox, native: Any, qwen: qk.Client):
    items, ours = NATIVE[name]
    given = [qk.Image.of(each) if isinstance(each, bytes) else each for each in ours]
    stream = {"stream": True, "incremental_output": True} if streamed else {}
    asked = {"model": "qwen3-vl-plus", "messages": [{"role": "user", "content": items}], **stream}
    call = qwen.native.multimodal.stream if streamed else qwen.native.multimodal
    assert sent(recorder, call, given) == sent(recorder, native.MultiModalConversation.call, **asked)


def test_an_upload(recorder: Sandbox, native: Any, qwen: qk.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Both ask for a policy, post a form of the same fields, and point to what they have uploaded."""
    monkeypatch.setattr(sending, "SMALL", 0)
    path = tmp_path / "red.png"
    path.write_bytes(RED)
    told = []
    items = [{"image": f"file://{path}"}, {"text": "?"}]
    for call in (
        lambda: qwen.native.multimodal([{"image": str(path)}, "?"]),
        lambda: native.MultiModalConversation.call("qwen3-vl-plus", [{"role": "user", "content": items}]),
    ):
        recorder.clear_requests()
        call()
        policy, form, asked = recorder.requests
        names = [line for line in form.body.split(b"\r\n") if line.startswith(b"Content-Disposition")]
        fields = [line.split(b'"')[1] for line in names]
        image = asked.json["input"]["messages"][0]["content"][0]["image"]
        key = form.body.split(b'"key"\r\n\r\n')[1].split(b"\r\n")[0].decode()
        told.append((policy.path, policy.query, policy.auth, form.path, form.auth, fields, image == f"oss://{key}"))
        assert (image[:24], asked.headers["x-dashscope-ossresourceresolve"]) == ("oss://dashscope-instant/", "enable")
    assert told[0] == told[1]
    assert told[0][5][-1] == b"file"
    assert told[0][6]
