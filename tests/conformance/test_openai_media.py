"""Seeing and hearing over chat completions, as the official `openai` SDK asks: data, addresses, frames, sounds."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from shapes import png, shown, uri, wav

from qwenkit.sandbox.results import Results

VISION = "qwen3-vl-plus"
pytestmark = pytest.mark.parametrize("sdk", ["sync"], indirect=True)  # nothing here differs by flavour


def asking(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [*parts, {"type": "text", "text": "What is this?"}]}]


RED, BLUE = uri(png()), uri(png(colour="blue"))


async def test_a_picture_as_data(sdk):
    answer = await sdk.create(asking(shown(RED)), model=VISION)
    assert answer.choices[0].message.content
    assert answer.usage.prompt_tokens_details.image_tokens > 0
    assert answer.model == VISION


async def test_a_detail_is_no_hindrance(sdk):
    assert (await sdk.create(asking(shown(RED, detail="high")), model=VISION)).choices[0].message.content


async def test_a_picture_by_its_address(sdk, box):
    service = box._service
    path = service.shelf(Results).keep("openai", "red.png", png(), "image/png", service.clock())
    answer = await sdk.create(asking(shown(box.url + path)), model=VISION)
    assert answer.choices[0].message.content


async def test_several_pictures_and_pixels(sdk):
    large = uri(png(1200, 1200))
    one = await sdk.create(asking(shown(large)), model=VISION)
    two = await sdk.create(asking(shown(large), shown(large)), model=VISION)
    small = await sdk.create(asking({**shown(large), "max_pixels": 100_000}), model=VISION)
    tokens = [answer.usage.prompt_tokens_details.image_tokens for answer in (small, one, two)]
    assert tokens[0] < tokens[1] < tokens[2]
    assert (await sdk.create(asking(shown(large)), model=VISION, extra_body={"vl_high_resolution_images": True})).usage


async def test_frames_of_a_film(sdk):
    answer = await sdk.create(asking({"type": "video", "video": [RED, BLUE] * 2, "fps": 2}), model=VISION)
    assert answer.choices[0].message.content
    assert answer.usage.prompt_tokens_details.video_tokens > 0


async def test_a_sound_in_both_spellings(sdk):
    for data in (uri(wav(), "audio/wav"), uri(wav(), "")):
        part = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
        options = {"stream_options": {"include_usage": True}}
        chunks = await sdk.stream(asking(part), model="qwen3-omni-flash", **options)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert chunks[-1].usage.prompt_tokens_details.audio_tokens > 0


async def test_a_picture_in_the_stream(sdk):
    chunks = await sdk.stream(asking(shown(RED)), model=VISION)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


async def test_responses_see_too(sdk):
    content = [{"type": "input_image", "image_url": RED}, {"type": "input_text", "text": "What is this?"}]
    create = sdk.client.responses.create
    answer = await sdk.result(create, model="qwen3.5-plus", input=[{"role": "user", "content": content}])
    assert answer.output_text
    content[0]["image_url"] = uri(png(9, 100))
    with pytest.raises(openai.BadRequestError, match="length and width"):
        await sdk.result(create, model="qwen3.5-plus", input=[{"role": "user", "content": content}])


ENGINE = "<400> InternalError.Algo.InvalidParameter: "
WRONG = {
    "small": (shown(uri(png(9, 100))), f"{ENGINE}The image length and width do not meet the model restrictions."),
    "no picture": (shown("data:image/png;base64,AAAA"), f"{ENGINE}Failed to decode the image"),
    "a path": (shown("red.png"), f"{ENGINE}The provided URL does not appear to be valid."),
    "the web": (shown("https://pics.example/a.png"), "the sandbox opens no address outside this machine"),
    "an upload without its header": (shown("oss://a/b.png"), f"{ENGINE}The provided URL does not appear to be valid."),
    "few frames": ({"type": "video", "video": [RED]}, "the range of sequence images shoule be (4, 2000)."),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_refused(sdk, name):
    part, words = WRONG[name]
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.create(asking(part), model=VISION)
    assert words in refused.value.message
    assert refused.value.code in ("invalid_parameter_error", "InvalidURL.ConnectionRefused")


async def test_a_model_without_eyes(sdk):
    with pytest.raises(openai.BadRequestError, match="Unexpected item type in content"):
        await sdk.create(asking(shown(RED)), model="qwen-plus")
