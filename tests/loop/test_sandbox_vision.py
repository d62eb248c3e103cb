"""Pictures and films on every path: answers out of what was measured, and a bill by modality."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageDraw

from qwenkit.sandbox import Sandbox

DATA = Path(__file__).parents[2] / "data"
CHAT, RESPONSES = "/compatible-mode/v1/chat/completions", "/compatible-mode/v1/responses"
NATIVE = "/api/v1/services/aigc/multimodal-generation/generation"
Part = dict[str, Any]


def url(name: str) -> str:
    return "data:image/png;base64," + base64.b64encode((DATA / f"{name}.png").read_bytes()).decode()


def image(name: str, **knobs: Any) -> Part:
    return {"type": "image_url", "image_url": {"url": url(name)}, **knobs}


def frame(x: int) -> str:
    """A red dot somewhere on white."""
    picture, held = Image.new("RGB", (320, 240), "white"), io.BytesIO()
    ImageDraw.Draw(picture).ellipse((x, 90, x + 60, 150), fill=(220, 50, 47))
    picture.save(held, "PNG")
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode()


@pytest.fixture
def ask(box: Sandbox):
    """One question about parts, in chat; what went before it; more options."""

    def send(question: str, *parts: Part, model: str = "qwen3-vl-plus", before=(), **options: Any) -> Any:
        content = [*parts, {"type": "text", "text": question}]
        body = {"model": model, "messages": [*before, {"role": "user", "content": content}], **options}
        answer = httpx.post(box.url + CHAT, json=body, headers={"Authorization": f"Bearer {box.key}"}, timeout=60)
        return answer.json()

    return send


def text(answer: Any) -> str:
    return answer["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("name", "question", "expected"),
    [
        ("shapes", "What is in this picture?", "three red circles, two blue squares"),
        ("shapes", "How many red circles are there?", "I count three red circles."),
        ("shapes", "Which colour dominates?", "The dominant colour is white"),
        ("shapes", "Is there a triangle?", "Yes: one triangle."),
        ("shapes", "Is there a heart?", "No."),
        ("shapes", "What colour is the star?", "The star is yellow."),
        ("shapes", "Where is the star?", "The yellow star is at the bottom right."),
        ("shapes", "How large is it?", "640 × 480"),
        ("shapes", "How many cats are there?", "I cannot recognise a cat"),
        ("shapes", "What does it say?", "Nothing is written on this picture."),
        ("shapes", "Is there a star? Answer yes or no.", "Yes"),
        ("shapes", "Is the star red?", "No. The star is yellow."),
        ("shapes", "五角星是红色的吗？", "否。星形是黄色的。"),
        ("shapes", "Are there more squares than circles?", "No. I count two squares and three circles."),
        ("shapes", "圆形比正方形多吗？", "是。数到 3 个圆形、2 个正方形。"),
        ("shapes", "Is the triangle above the star?", "Yes. The green triangle is at the top right"),
        ("shapes", "What is to the left of the triangle?", "three red circles and two blue squares"),
        ("shapes", "Which is the smallest shape?", "It is the red circle, with 1.6 %"),
        ("shapes", "What colours are the shapes?", "The shapes are red, blue, yellow and green."),
        ("shapes", "List the shapes as JSON.", '{"shape": "star", "colour": "yellow", "count": 1}'),
        ("shapes", "How many shapes are not red?", "I count four shapes."),
        ("shapes", "What is 2+2?", "2 + 2 = 4"),
        ("shapes", "有几个红色的圆？", "数到 3 个红色圆形。"),
        ("shapes", "图里有什么？", "2 个蓝色正方形"),
        ("plate", "How many green circles are on this plate?", "five green circles"),
        ("plate", "How many tomatoes are on this plate?", "I cannot recognise tomatoes"),
        ("receipt", "How was it paid?", "Paid by card"),
        ("receipt", "How many items were bought?", "There are 4: Noodle soup, Green tea, Sesame cake."),
        ("receipt", "Which item is the most expensive?", "2 x Noodle soup"),
        ("receipt", "小票上的日期是什么？", "2026-03-14"),
        ("receipt", "How much was the coffee?", "The picture does not say that."),
        ("receipt", "咖啡多少钱？", "图片上没有写。"),
        ("chart", "What is the sum of all values?", "The sum is 1560"),
        ("chart", "平均每天多少乘客？", "平均值是 222.86"),
        ("chart", "周六有多少乘客？", "Sat: 340"),
        ("chart", "How many more passengers on Saturday than on Monday?", "The difference is 220"),
        ("chart", "Give the values as JSON.", '"Sat": 340'),
        ("sign.zh", "Translate the sign into English.", "no translation"),
        ("receipt", "What is the total?", "Total: 90.00 CNY"),
        ("receipt", "How much did the green tea cost?", "12.00"),
        ("receipt", "Read all the text.", "LAKESIDE CAFE\nReceipt No. 0042"),
        ("chart", "Which day has the most passengers?", "Sat: 340"),
        ("chart", "How many passengers on Wed?", "Wed: 150"),
        ("sign.zh", "末班几点？", "末班 21:00"),
        ("sign.zh", "牌子上写了什么？", "往湖心岛"),
        ("street", "What is written on the sign?", "MARKET STREET"),
    ],
)
def test_it_answers_out_of_what_it_measures(ask, name: str, question: str, expected: str):
    assert expected in text(ask(question, image(name)))


def test_the_system_message_sets_the_style(ask):
    terse = [{"role": "system", "content": "Answer with the number only."}]
    assert text(ask("How many red circles?", image("shapes"), before=terse)) == "3"
    assert "个红色圆形" in text(ask("How many red circles? Answer in Chinese.", image("shapes")))


@pytest.mark.parametrize(
    ("model", "place"), [("qwen3-vl-plus", [70, 104, 242, 333]), ("qwen-vl-max", [45, 50, 155, 160])]
)
def test_boxes_are_relative_or_in_pixels_as_the_model_has_them(ask, model: str, place: list[int]):
    found = json.loads(text(ask("Give the boxes of the red circles as JSON.", image("shapes"), model=model))[7:-3])
    assert [each["label"] for each in found] == ["red circle"] * 3
    assert any(all(abs(a - b) <= 6 for a, b in zip(each["bbox_2d"], place, strict=True)) for each in found)
    (point,) = json.loads(text(ask("Point to the star with point_2d.", image("shapes"), model=model))[7:-3])
    assert len(point["point_2d"]) == 2


def test_a_receipt_becomes_json_by_its_schema(ask):
    row = {"type": "object", "properties": {"name": {"type": "string"}, "price": {"type": "number"}}}
    fields = {"shop": {"type": "string"}, "date": {"type": "string"}, "total": {"type": "number"}}
    schema = {"type": "object", "properties": {**fields, "items": {"type": "array", "items": row}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "receipt", "schema": schema}}
    options = {"model": "qwen3.7-plus", "enable_thinking": False, "response_format": wanted}
    value = json.loads(text(ask("Extract this receipt as JSON.", image("receipt"), **options)))
    assert (value["shop"], value["date"], value["total"]) == ("LAKESIDE CAFE", "2026-03-14", 90)
    assert value["items"][0] == {"name": "Noodle soup", "price": 56}
    assert len(value["items"]) == 3


def test_shapes_fill_a_schema_by_its_names(ask):
    fields = {name: {"type": "integer"} for name in ("circles", "red_circles", "squareCount", "shapes")}
    fields |= {name: {"type": "string"} for name in ("background", "star_colour")}
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "sheet", "schema": {"type": "object", "properties": fields}},
    }
    options = {"model": "qwen3.7-plus", "enable_thinking": False, "response_format": wanted}
    value = json.loads(text(ask("Fill in.", image("shapes"), **options)))
    assert value == {"circles": 3, "red_circles": 3, "squareCount": 2, "shapes": 7, "background": "white"} | {
        "star_colour": "yellow"
    }


def test_follow_ups_see_the_earlier_picture_and_other_questions_do_not(ask):
    first = {"role": "user", "content": [image("shapes"), {"type": "text", "text": "What is this?"}]}
    before = [first, {"role": "assistant", "content": "Shapes."}]
    assert text(ask("And how many blue squares does it have?", before=before)) == "I count two blue squares."
    assert text(ask("And circles?", before=before)) == "I count three circles."
    assert text(ask("What is 17 × 23?", before=before)) == "17 × 23 = 391"
    for other in ("What are the main points of the first chapter?", "What does the last law cost?", "Tell me a joke."):
        said = text(ask(other, before=before))
        assert not any(word in said for word in ("picture", "bbox"))


def test_two_pictures_are_compared(ask):
    said = text(ask("Compare the two pictures.", image("shapes"), image("plate")))
    assert "background: white → brown" in said
    assert text(ask("Which picture has more squares?", image("shapes"), image("plate"))).startswith("Picture 1:")
    assert text(ask("Are they the same?", image("shapes"), image("shapes"))).startswith("In everything I measure")


@pytest.mark.parametrize("question", ["What moves in this video?", "视频里什么在动？"])
def test_frames_tell_what_moves(ask, question: str):
    part = {"type": "video", "video": [frame(x) for x in (10, 80, 150, 220)], "fps": 2}
    answer = ask(question, part)
    assert ("moves right" in text(answer)) or ("向右移动" in text(answer))
    assert answer["usage"]["prompt_tokens_details"]["video_tokens"] == 2 * (10 * 8) + 2  # two frames share theirs


def test_films_are_watched(ask):
    pytest.importorskip("av")
    from qwenkit.sandbox.painter import film

    content = film("a blue square on white background", (320, 240), 2, 8, 1)
    part = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64," + base64.b64encode(content).decode()}}
    assert "the video is 320 × 240 pixels and 2 s long" in text(ask("Describe the video.", part)).lower()


@pytest.mark.parametrize(
    ("model", "knobs", "options", "tokens"),
    [
        ("qwen3-vl-plus", {}, {}, 12 * 18 + 2),  # 400 x 560 in patches of 32
        ("qwen-vl-max", {}, {}, 14 * 20 + 2),  # of 28
        ("qwen3-vl-plus", {"max_pixels": 100_000}, {}, 8 * 11 + 2),
        ("qwen3-vl-plus", {"max_pixels": 100_000}, {"vl_high_resolution_images": True}, 12 * 18 + 2),
        ("qwen3-vl-plus", {"min_pixels": 1_000_000}, {}, 27 * 37 + 2),
    ],
)
def test_pictures_are_billed_by_their_patches(ask, model: str, knobs: Part, options: Part, tokens: int):
    bill = ask("What is the total?", image("receipt", **knobs), model=model, **options)["usage"]
    details = bill["prompt_tokens_details"]
    assert details["image_tokens"] == tokens
    assert bill["prompt_tokens"] == details["image_tokens"] + details["text_tokens"]


@pytest.mark.parametrize(
    "part",
    [
        image("shapes", min_pixels=-1),
        image("shapes", max_pixels="many"),
        image("shapes", max_pixels=20_000_000),
        image("shapes", min_pixels=200_000, max_pixels=100_000),
        {"type": "video", "video": [frame(1)] * 4, "fps": 11},
        {"type": "image_url", "image_url": {"url": url("shapes")[:400]}},
    ],
)
def test_what_is_wrong_is_refused(ask, part: Part):
    assert ask("What is this?", part)["error"]["code"] in ("invalid_parameter_error", "InvalidParameter")


def test_the_native_and_the_responses_paths_see_too(box: Sandbox):
    def send(path: str, body: Part) -> Any:
        return httpx.post(box.url + path, json=body, headers={"Authorization": f"Bearer {box.key}"}, timeout=60).json()

    content = [{"image": url("shapes")}, {"text": "How many blue squares?"}]
    native = send(NATIVE, {"model": "qwen3-vl-plus", "input": {"messages": [{"role": "user", "content": content}]}})
    assert native["output"]["choices"][0]["message"]["content"] == [{"text": "I count two blue squares."}]
    assert native["usage"]["image_tokens"] == native["usage"]["input_tokens_details"]["image_tokens"] == 302
    parts = [{"type": "input_image", "image_url": url("shapes")}, {"type": "input_text", "text": "How many circles?"}]
    first = send(RESPONSES, {"model": "qwen3.7-plus", "input": [{"role": "user", "content": parts}]})
    assert first["output"][-1]["content"][0]["text"] == "I count three circles."
    assert first["usage"]["input_tokens_details"]["image_tokens"] == 302
    again = {"model": "qwen3.7-plus", "previous_response_id": first["id"], "input": "And which colour is the star?"}
    assert send(RESPONSES, again)["output"][-1]["content"][0]["text"] == "The star is yellow."
