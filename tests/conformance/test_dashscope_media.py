"""Pictures, films and sounds as the official `dashscope` SDK sends them: as data, by address, as files it uploads."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from dashscope.v2 import errors as newer
from shapes import png, uri, wav

from qwenkit.sandbox.results import Results

RESOLVE = "x-dashscope-ossresourceresolve"


RED, BLUE = uri(png()), uri(png(colour="blue"))


@pytest.fixture
def ask(dash, box):
    """`MultiModalConversation.call` with the items of one message."""
    box.clear_requests()

    def call(*items: Any, model: str = "qwen3-vl-plus", **options: Any):
        messages = [{"role": "user", "content": [*items, {"text": "What is this?"}]}]
        return dash.MultiModalConversation.call(model=model, messages=messages, **options)

    return call


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Local files, which the SDK uploads."""
    kept = {"red.png": png(), "blue.png": png(colour="blue"), "a.wav": wav()}
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in kept}


def said(answer: Any) -> str:
    assert answer.status_code == HTTPStatus.OK, answer
    text: str = answer.output.choices[0].message.content[0]["text"]
    assert text
    return text


def items(box: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = box.requests[-1].json["input"]["messages"][0]["content"]
    return found


def test_a_picture(ask):
    answer = ask({"image": RED})
    assert said(answer)
    assert answer.usage["image_tokens"] > 0
    assert answer.output.choices[0].finish_reason == "stop"


def test_several_pictures_cost_more_than_one(ask):
    one, two = ask({"image": RED}), ask({"image": RED}, {"image": BLUE})
    assert said(two)
    assert two.usage["image_tokens"] == 2 * one.usage["image_tokens"]


def test_a_high_resolution_costs_more(ask):
    large = {"image": uri(png(1700, 1700))}
    usual, high = ask(large), ask(large, vl_high_resolution_images=True)
    assert high.usage["image_tokens"] > usual.usage["image_tokens"]


def test_fewer_pixels_cost_less(ask):
    large = uri(png(1200, 1200))
    usual, small = ask({"image": large}), ask({"image": large, "max_pixels": 100_000})
    assert small.usage["image_tokens"] < usual.usage["image_tokens"]


def test_frames_of_a_film(ask):
    answer = ask({"video": [RED, BLUE] * 2, "fps": 2})
    assert said(answer)
    assert answer.usage["video_tokens"] > 0


def test_a_sound(ask):
    answers = ask({"audio": uri(wav(), "audio/wav")}, model="qwen3-omni-flash", stream=True, incremental_output=True)
    told = list(answers)
    assert all(each.status_code == HTTPStatus.OK for each in told), told[-1]
    assert "".join(item["text"] for each in told for item in each.output.choices[0].message.content)


@pytest.mark.parametrize("incremental", [True, False])
def test_a_stream(ask, incremental):
    told = [
        each.output.choices[0].message.content
        for each in ask({"image": RED}, stream=True, incremental_output=incremental)
    ]
    assert len(told) > 2
    assert told[0][0]["text"]


def test_a_local_file_is_uploaded(ask, box, files):
    assert said(ask({"image": f"file://{files['red.png']}"}))
    policy, form, asked = box.requests
    assert (policy.query, policy.path) == ({"action": "getPolicy", "model": "qwen3-vl-plus"}, "/api/v1/uploads")
    assert (form.method, "authorization" in form.headers) == ("POST", False)
    assert asked.headers[RESOLVE] == "enable"
    assert items(box)[0]["image"].startswith("oss://dashscope-instant/")


def test_a_path_is_uploaded_too_and_the_policy_is_used_again(ask, box, files):
    assert said(ask({"image": str(files["red.png"])}, {"image": str(files["blue.png"])}))
    assert [seen.path for seen in box.requests][:-1] == ["/api/v1/uploads", "/oss-upload", "/oss-upload"]
    first, second = (item["image"] for item in items(box)[:2])
    assert first.rpartition("/")[0] == second.rpartition("/")[0]


def test_local_frames_and_sounds(ask, box, files):
    assert said(ask({"video": [f"file://{files['red.png']}"] + [RED] * 3}))
    assert items(box)[0]["video"][0].startswith("oss://")
    told = list(ask({"audio": f"file://{files['a.wav']}"}, model="qwen3-omni-flash", stream=True))
    assert told[-1].status_code == HTTPStatus.OK


def uploaded(dash: Any, path: Path, model: str = "qwen3-vl-plus") -> str:
    from dashscope.utils.oss_utils import OssUtils

    address, certificate = OssUtils.upload(model=model, file_path=str(path))
    assert certificate["upload_dir"]
    return str(address)


def test_an_upload_is_used_again(ask, dash, box, files):
    address = uploaded(dash, files["red.png"])
    box.clear_requests()
    assert said(ask({"image": address})) == said(ask({"image": address}))
    assert [seen.headers[RESOLVE] for seen in box.requests] == ["enable"] * 2


def test_an_upload_for_another_model_is_refused(ask, dash, files):
    answer = ask({"image": uploaded(dash, files["red.png"], "qwen-vl-max")})
    assert (answer.status_code, answer.code) == (400, "InvalidParameter")
    assert "Failed to download" in answer.message


def test_the_upload_certificate(dash, box):
    from dashscope.utils.oss_utils import OssUtils

    told = OssUtils.get_upload_certificate(model="qwen3-vl-plus")
    assert told.status_code == HTTPStatus.OK
    assert told.output["upload_host"].startswith(box.url)
    assert (told.output["expire_in_seconds"], told.output["max_file_size_mb"]) == (300, 100)
    assert OssUtils.get_upload_certificate(model="nope").status_code == 400


def test_a_storage_that_refuses_raises(dash, files):
    from dashscope.common.error import UploadFileException
    from dashscope.utils.oss_utils import OssUtils

    certificate = OssUtils.get_upload_certificate(model="qwen3-vl-plus").output
    with pytest.raises(UploadFileException, match="SignatureDoesNotMatch"):
        OssUtils.upload(
            model="qwen3-vl-plus", file_path=str(files["red.png"]), upload_certificate={**certificate, "signature": "x"}
        )


def test_a_result_of_the_sandbox_is_an_address(ask, box):
    service = box._service
    path = service.shelf(Results).keep("conformance", "red.png", png(), "image/png", service.clock())
    assert said(ask({"image": box.url + path}))


NO_URL = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
WRONG = {
    "small": ({"image": uri(png(100, 9))}, "The image length and width do not meet the model restrictions."),
    "thin": ({"image": uri(png(2010, 10))}, "The image length and width do not meet the model restrictions."),
    "no picture": ({"image": "data:image/png;base64,AAAA"}, "Failed to decode the image during the data inspection."),
    "no data": ({"image": "data:image/png,AAAA"}, NO_URL),
    "two frames": ({"video": [RED, BLUE]}, "the range of sequence images shoule be (4, 2000)."),
    "a model without ears": ({"audio": uri(wav())}, "Unexpected item type in content."),
    "no such upload": ({"image": "oss://dashscope-instant/gone.png"}, "Failed to download multimodal content."),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(ask, name):
    item, words = WRONG[name]
    answer = ask(item)
    assert (answer.status_code, answer.output) == (400, None)
    assert words in answer.message
    assert answer.code in ("InvalidParameter", "InternalError.Algo.InvalidParameter")


async def test_awaited(dash, box, files):
    from dashscope import AioMultiModalConversation

    box.clear_requests()
    content = [{"image": f"file://{files['red.png']}"}, {"text": "What is this?"}]
    answer = await AioMultiModalConversation.call(
        model="qwen3-vl-plus", messages=[{"role": "user", "content": content}]
    )
    assert said(answer)
    assert items(box)[0]["image"].startswith("oss://")


@pytest.fixture
def newest(dash, box):
    import dashscope

    box.clear_requests()
    with dashscope.Client(base_url=f"{box.url}/api/v1", api_key=box.key, max_retries=0) as client:
        yield client


def test_the_newer_client(newest, box, files):
    content = [{"image": RED}, {"image": f"file://{files['blue.png']}"}, {"text": "Which colours?"}]
    answer = newest.chat.completions.create(model="qwen3-vl-plus", messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content
    assert box.requests[-1].headers[RESOLVE] == "enable"


def test_errors_of_the_newer_client(newest):
    content = [{"image": uri(png(5, 5))}, {"text": "?"}]
    with pytest.raises(newer.BadRequestError, match="length and width"):
        newest.chat.completions.create(model="qwen3-vl-plus", messages=[{"role": "user", "content": content}])


def test_what_the_sdk_sends_is_what_was_read(ask, box):
    """The data URI arrives whole: the count of its tokens is that of the picture."""
    answer = ask({"image": uri(png(1024, 1024))})
    assert answer.usage["image_tokens"] == 1024 * 1024 // 1024 + 2
    assert json.loads(box.requests[-1].body)["input"]["messages"][0]["content"][0]["image"] == uri(png(1024, 1024))
