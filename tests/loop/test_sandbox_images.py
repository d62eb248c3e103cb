"""Orders for pictures and clips at their bounds, from both sides: what the client refuses the service refuses too."""

from __future__ import annotations

import base64
import io
from typing import Any

import httpx
import pytest
from PIL import Image as Pillow

import qwenkit as qk
from qwenkit.protocol import images as client_images
from qwenkit.protocol import videos as client_videos
from qwenkit.sandbox import Sandbox, filming, image_orders
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.image_orders import ROOT

WAN6, EDIT6, WAN7, PRO7 = "wan2.6-t2i", "wan2.6-image", "wan2.7-image", "wan2.7-image-pro"
OLD, OLDEST, I2I, QWEN, EDITS = (
    "wan2.2-t2i-flash",
    "wanx-v1",
    "wan2.5-i2i-preview",
    "qwen-image-plus",
    "qwen-image-edit",
)
URL = "https://example.com/a.png"


def row(model: str, name: str, inside: list[Any], outside: list[Any], **more: Any) -> Any:
    return pytest.param(model, name, inside, outside, more, id=f"{model}-{name}-{len(more)}")


BOUNDS = [
    row(WAN6, "n", [1, 4], [0, 5, True, "2", 1.5]),
    row(QWEN, "n", [1], [0, 2]),
    row("qwen-image-2.0", "n", [1, 6], [0, 7]),
    row("z-image-turbo", "n", [1], [2]),
    row(EDIT6, "n", [1, 4], [5], images=[URL]),
    row(EDIT6, "n", [1], [2], enable_interleave=True),
    row(WAN7, "n", [1, 4], [5]),
    row(WAN7, "n", [1, 12], [0, 13], enable_sequential=True),
    row(WAN6, "seed", [0, 2**31 - 1], [-1, 2**31, "7", True]),
    row(
        WAN6, "size", ["768*768", "1440*1440", "512*2048", "1696*960"], ["767*768", "1441*1440", "400*1604", "2K", "x"]
    ),
    row(OLD, "size", ["512*512", "1440*1440", "512*1440"], ["511*512", "1441*1440"]),
    row(OLDEST, "size", ["1024*1024", "720*1280", "768*1152", "1280*720"], ["1024*768"]),
    row(QWEN, "size", ["1664*928", "1328*1328", "928*1664"], ["1024*1024"]),
    row("qwen-image-3.0", "size", ["512*512", "2048*2048", "256*2048"], ["511*512", "2049*2048", "250*2040"]),
    row("z-image-turbo", "size", ["512*512", "2048*2048"], ["511*512", "2048*2049"]),
    row("qwen-image-edit-plus", "size", ["512*2048"], ["511*1024", "1024*2049"], images=[URL]),
    row(EDITS, "size", [], ["1024*1024"], images=[URL]),
    row(EDIT6, "size", ["768*768", "2048*2048", "1K", "2K"], ["767*768", "2048*2049", "4K"], images=[URL]),
    row(EDIT6, "size", ["768*768", "1280*1280"], ["1281*1280"], enable_interleave=True),
    row(WAN7, "size", ["768*768", "2048*2048", "1K", "2K", "512*4096"], ["2048*2049", "4K", "500*4016"]),
    row(PRO7, "size", ["4096*4096", "4K"], ["4096*4097"]),
    row(PRO7, "size", ["2048*2048", "2K"], ["4096*4096", "4K"], images=[URL]),
    row(I2I, "size", ["768*768", "1280*1280"], ["767*768", "1281*1280"], images=[URL]),
]


def order(model: str, more: dict[str, Any], **options: Any) -> Any:
    return client_images.order("a kite", {"model": model, **more, **options})


def read(made: Any, **changed: Any) -> Any:
    """What the sandbox makes of an order, with parameters changed behind the client's back."""
    body = {**made.body, "parameters": {**made.body["parameters"], **changed}}
    path = made.path.removeprefix("/services/aigc/").partition("/")[0]
    return image_orders.read(body, "" if path == "multimodal-generation" else path)


@pytest.mark.parametrize(("model", "name", "inside", "outside", "more"), BOUNDS)
def test_both_sides_of_a_bound(model: str, name: str, inside: list[Any], outside: list[Any], more: dict[str, Any]):
    for value in inside:
        made = order(model, more, **{name: value})
        got = getattr(read(made), name)
        assert got == (tuple(map(int, value.split("*"))) if name == "size" and "*" in value else value)
    for value in outside:
        with pytest.raises(qk.ConfigError):
            order(model, more, **{name: value})
        with pytest.raises(Refusal) as caught:
            read(order(model, more), **{name: value})
        assert caught.value.code == "InvalidParameter"


@pytest.mark.parametrize(
    ("model", "fits", "not_"),
    [(WAN6, [0], [1]), (EDIT6, [1, 4], [0, 5]), (WAN7, [0, 9], [10]), (I2I, [1, 3], [0, 4]), (OLDEST, [0, 1], [2]),
     ("qwen-image-3.0", [0, 3], [4]), ("qwen-image-max", [0], [1]), ("qwen-image-edit-max", [1, 3], [0, 4])],
)  # fmt: skip
def test_how_many_pictures_go_in(model: str, fits: list[int], not_: list[int]):
    for count in fits:
        assert len(read(order(model, {}, images=[URL] * count)).references) == count
    for count in not_:
        with pytest.raises(qk.ConfigError, match="picture"):
            order(model, {}, images=[URL] * count)
        made = order(model, {}, images=[URL] * fits[0])
        given = made.body["input"]
        if "messages" in given:
            given["messages"][0]["content"] = [*({"image": URL} for _ in range(count)), {"text": "a kite"}]
        elif model == I2I:
            given["images"] = [URL] * count
        else:
            continue
        with pytest.raises(Refusal):
            read(made)


@pytest.mark.parametrize(("model", "most"), [(WAN6, 2100), (OLD, 500), ("wanx2.0-t2i-turbo", 800), (WAN7, 5000)])
def test_a_long_prompt_is_cut_and_said_to_be(model: str, most: int):
    assert read(client_images.order("a" * most, {"model": model})).prompt == "a" * most
    with pytest.warns(UserWarning, match="cut off"):
        made = client_images.order("a" * most + "b", {"model": model})
    assert read(made).prompt == "a" * most
    assert order(model, {}, negative="b" * 500)
    with pytest.raises(qk.ConfigError, match="501"):
        order(model, {}, negative="b" * 501)


FILMS = [
    ("wan2.6-t2v", "seconds", [2, 15], [1, 16, 5.5]),
    ("wan2.5-t2v-preview", "seconds", [5, 10], [4, 6]),
    ("wan2.6-t2v", "size", ["1280*720", "1920*1080"], ["832*480", "100*100"]),
    ("wan2.5-t2v-preview", "size", ["832*480", "624*624"], ["640*480"]),
    ("wan2.7-t2v", "resolution", ["720P", "1080P"], ["480P"]),
    ("wan2.7-t2v", "ratio", ["16:9", "3:4"], ["2:1"]),
    ("wan2.2-i2v-plus", "seconds", [5], [4, 6]),
    ("wanx2.1-i2v-turbo", "seconds", [3, 5], [2, 6]),
    ("wan2.2-i2v-flash", "resolution", ["480P", "1080P"], ["360P"]),
]


@pytest.mark.parametrize(("model", "name", "inside", "outside"), FILMS)
def test_both_sides_of_a_clips_bound(model: str, name: str, inside: list[Any], outside: list[Any]):
    path = f"{ROOT}{filming.PATHS[0]}"
    given = {"model": model, **({"image": URL} if "i2v" in model else {})}
    for value in inside:
        filming._model(client_videos.order("waves", {**given, name: value}).body, path)
    for value in outside:
        with pytest.raises(qk.ConfigError):
            client_videos.order("waves", {**given, name: value})
        body = client_videos.order("waves", given).body
        body["parameters"]["duration" if name == "seconds" else name] = value
        with pytest.raises(Refusal):
            filming._model(body, path)


# -- over the wire -----------------------------------------------------------------------------------------------------


@pytest.fixture
def post(box: Sandbox) -> Any:
    def send(path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        known = {"Authorization": f"Bearer {box.key}"}
        return httpx.post(f"{box.url}{ROOT}{path}", json=body, headers={**known, **headers}, timeout=30)

    return send


def messages(*content: dict[str, Any], model: str = "qwen-image-2.0", **parameters: Any) -> dict[str, Any]:
    asked = {"size": "512*512", **parameters}
    return {"model": model, "input": {"messages": [{"role": "user", "content": list(content)}]}, "parameters": asked}


MULTI = "multimodal-generation/generation"
TEXT = {"text": "a kite"}
ASYNC = {"X-DashScope-Async": "enable"}
REFUSED: list[tuple[str, dict[str, Any], dict[str, str], int, str, str]] = [
    (MULTI, messages(model=QWEN), {}, 400, "InvalidParameter", "lack of image or text"),
    (MULTI, messages(TEXT, TEXT), {}, 400, "InvalidParameter", "content length only support"),
    (MULTI, {"model": QWEN, "input": {}}, {}, 400, "InvalidParameter", "No messages found in input"),
    (MULTI, {"model": QWEN, "input": {"messages": [{}, {}]}}, {}, 400, "InvalidParameter", "messages length only"),
    (MULTI, messages(TEXT, watermark="yes"), {}, 400, "InvalidParameter", "'watermark' must be Boolean"),
    (MULTI, messages(TEXT), ASYNC, 403, "AccessDenied", "does not support asynchronous calls"),
    (MULTI, messages(TEXT, model=OLD), {}, 400, "InvalidParameter", "url error, please check url！"),
    (MULTI, messages({"image": "nowhere"}, TEXT), {}, 400, "InvalidParameter", "does not appear to be valid"),
    (MULTI, messages({"image": URL}, TEXT), {}, 400, "InvalidURL.ConnectionRefused", "send the file"),
    (MULTI, messages({"image": "data:image/png;base64,aGVsbG8="}, TEXT), {}, 400, "InvalidParameter", "decode"),
    (MULTI, messages({"text": "a kite [fail]"}), {}, 400, "DataInspectionFailed", "inappropriate content"),
    ("text2image/image-synthesis", {"model": OLD, "input": {"prompt": "x"}}, {}, 403, "AccessDenied", "synchronous"),
    ("text2image/image-synthesis", messages(TEXT, model=WAN6), ASYNC, 400, "InvalidParameter", "url error"),
    ("image2image/image-synthesis", {"model": OLD, "input": {"prompt": "x"}}, ASYNC, 400, "InvalidParameter", "url"),
    ("text2image/image-synthesis", {"model": OLD, "input": {}}, ASYNC, 400, "InvalidParameter", '"prompt" missing'),
    ("text2image/image-synthesis", {"model": "x"}, ASYNC, 400, "InvalidParameter", "Model not exist."),
    (filming.PATHS[1], {"model": "wan2.6-t2v", "input": {"prompt": "x"}}, ASYNC, 400, "InvalidParameter", "url error"),
]


def test_what_is_wrong_is_told_in_the_services_words(post: Any):
    for path, body, headers, status, code, words in REFUSED:
        answer = post(path, body, **headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert words in answer.json()["message"], answer.text


def test_a_picture_is_what_was_asked_for_and_repeats(post: Any):
    def drawn(**asked: Any) -> Pillow.Image:
        output = post(MULTI, messages({"text": "three red circles"}, **asked)).json()["output"]
        content = httpx.get(output["choices"][-1]["message"]["content"][0]["image"]).content
        return Pillow.open(io.BytesIO(content)).convert("RGB")

    one, other = drawn(seed=5), drawn(seed=6)
    assert (one.size, one.tobytes()) == ((512, 512), drawn(seed=5).tobytes())
    assert one.tobytes() != other.tobytes()
    assert drawn(seed=5, n=2).tobytes() == other.tobytes()  # picture k has seed + k
    marked = drawn(seed=5, watermark=True)
    assert marked.crop((0, 0, 200, 200)).tobytes() == one.crop((0, 0, 200, 200)).tobytes()
    assert marked.tobytes() != one.tobytes()


def test_a_result_is_signed_and_lives_for_a_day():
    now = [1_800_000_000.0]
    with Sandbox(key="sk-x", clock=lambda: now[0]) as box:
        known = {"Authorization": f"Bearer {box.key}"}
        body = {
            "model": OLD,
            "input": {"prompt": "a kite [slow 1] [takes 40]"},
            "parameters": {"size": "512*512", "n": 1},
        }
        path = f"{box.url}{ROOT}text2image/image-synthesis"
        task = httpx.post(path, json=body, headers={**known, **ASYNC}).json()["output"]["task_id"]

        def look() -> dict[str, Any]:
            output: dict[str, Any] = httpx.get(f"{box.url}/api/v1/tasks/{task}", headers=known).json()["output"]
            return output

        assert [look()["task_status"] for _ in range(4)] == ["RUNNING"] * 4  # one more look, and 40 seconds to go
        now[0] += 41
        url = look()["results"][0]["url"]
        assert httpx.get(url).status_code == 200
        assert httpx.get(url[:-2]).status_code == 403
        now[0] += 24 * 3600 + 1
        gone = httpx.get(url)
        assert (gone.status_code, "expired" in gone.text) == (403, True)
        assert look() == {"task_id": task, "task_status": "UNKNOWN"}


def test_junk_is_refused_and_never_breaks_it(post: Any):
    tiny = io.BytesIO()
    Pillow.new("RGB", (20, 20)).save(tiny, "PNG")
    data = "data:image/png;base64," + base64.b64encode(tiny.getvalue()).decode()
    for junk in (None, True, 0, -1, 1e308, "", "x", [], [[]], {}, {"a": []}):
        for name in ("n", "size", "seed", "style", "negative_prompt", "watermark", "max_images", "prompt_extend_mode"):
            body = messages({"image": data}, TEXT, model=EDIT6, **{name: junk})
            assert isinstance(_outcome(body), image_orders.ImageOrder | Refusal)
        for given in ({"messages": junk}, {"messages": [junk]}, {"messages": [{"role": "user", "content": junk}]}):
            assert isinstance(_outcome({"model": EDIT6, "input": given}), Refusal)
    for junk in (None, "x", [[]], {"a": []}):
        for name in ("size", "resolution", "duration", "seed", "ratio"):
            film = {"model": "wan2.7-t2v", "input": {"prompt": "x"}, "parameters": {name: junk}}
            assert post(filming.PATHS[0], film, **ASYNC).status_code in (200, 400)
        assert post(MULTI, {"model": WAN6, "input": junk}).status_code == 400


def _outcome(body: dict[str, Any]) -> Any:
    try:
        return image_orders.read(body)
    except Refusal as refusal:
        return refusal
