"""Pictures, films and sounds on their way: options, parts and paths, inline or uploaded, in every API and flavour."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from flavours import done, hurried
from shapes_of_media import mp4, png, uri, wav
from wayward import Line, Wayward, head

import qwenkit as qk
from qwenkit.api import saved, sending
from qwenkit.sandbox import Sandbox
from qwenkit.sandbox.results import Results
from qwenkit.sandbox.uploads import Uploads
from qwenkit.types.audio import Audio
from qwenkit.types.image import Image
from qwenkit.types.message import Message
from qwenkit.types.video import Video

WEB = "https://pics.example/a.png"
RED, MADE = png(), uri(png())
WORDS = {"type": "text", "text": "What is this?"}
HEAVY = 30_001
ONCE = pytest.mark.parametrize("flavour", ["sync"])  # what is made of the options is the same in both


def shown(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}, **more}


def heard(content: bytes) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": uri(content, "audio/wav"), "format": "wav"}}


def film(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "video_url", "video_url": {"url": url}, **more}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a notebook with a picture, a sound, a film and a picture too heavy to travel in a request."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sending, "SMALL", HEAVY - 1)
    monkeypatch.setattr(sending, "INLINE", 3 * HEAVY)
    for name, content in {"red.png": RED, "a.wav": wav(), "a.mp4": mp4()}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "heavy.png").write_bytes(png(weight=HEAVY))
    return tmp_path


def content(box: Sandbox) -> Any:
    return box.requests[-1].json["messages"][-1]["content"]


GIVEN: dict[str, tuple[dict[str, Any], str, list[dict[str, Any]]]] = {
    "a path": ({"images": ["red.png"]}, "qwen3-vl-plus", [shown(MADE)]),
    "one without a list": ({"images": Path("red.png")}, "qwen3-vl-plus", [shown(MADE)]),
    "bytes": ({"images": [RED]}, "qwen3-vl-plus", [shown(MADE)]),
    "a data URL": ({"images": [MADE]}, "qwen3-vl-plus", [shown(MADE)]),
    "two": ({"images": [Image.of(RED), "red.png"]}, "qwen3-vl-plus", [shown(MADE), shown(MADE)]),
    "pixels": (
        {"images": [RED], "min_pixels": 70_000, "max_pixels": 100_000},
        "qwen3-vl-plus",
        [shown(MADE, min_pixels=70_000, max_pixels=100_000)],
    ),
    "a film": ({"video": "a.mp4", "fps": 1}, "qwen3-vl-plus", [film(uri(mp4(), "video/mp4"), fps=1)]),
    "frames": ({"video": [RED] * 4}, "qwen3-vl-plus", [{"type": "video", "video": [MADE] * 4}]),
    "a film of frames": (
        {"video": Video.of([RED] * 4, fps=4)},
        "qwen3-vl-plus",
        [{"type": "video", "video": [MADE] * 4, "fps": 4.0}],
    ),
    "a sound": ({"audio": ["a.wav"]}, "qwen3-omni-flash", [heard(wav())]),
    "everything": (
        {"images": [RED], "video": "a.mp4", "audio": Audio.of(wav())},
        "qwen3-omni-flash",
        [shown(MADE), film(uri(mp4(), "video/mp4")), heard(wav())],
    ),
    "a model with eyes": ({"images": [RED], "model": "qwen3.5-plus"}, "qwen3.5-plus", [shown(MADE)]),
}


@ONCE
async def test_options_become_parts_before_the_words(qwen: Any, box: Sandbox, here: Path):
    for name, (options, model, parts) in GIVEN.items():
        reply = await done(qwen.chat("What is this?", **options))
        assert content(box) == [*parts, WORDS], name
        assert (reply.model, box.requests[-1].json["model"]) == (model, model)
        assert reply.text
        assert reply.receipt.tries == 1


@ONCE
async def test_pictures_of_other_libraries_are_taken(qwen: Any, box: Sandbox):
    array = np.zeros((48, 64, 3), "uint8")
    await done(qwen.chat("?", images=[array, PIL.Image.fromarray(array)], high_resolution=True))
    assert [Image.of(part["image_url"]["url"]).size for part in content(box)[:2]] == [(64, 48)] * 2
    assert box.requests[-1].json["vl_high_resolution_images"] is True


PARTS: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "values": ([Image.of(RED), "What is this?"], [shown(MADE), WORDS]),
    "paths": ([Path("red.png"), "What is this?"], [shown(MADE), WORDS]),
    "native": ([{"image": "red.png"}, {"text": "What is this?"}], [shown(MADE), WORDS]),
    "a value in a part": ([shown(Image.of(RED)), WORDS], [shown(MADE), WORDS]),  # type: ignore[arg-type]
    "a value alone": (Image.of(RED), [shown(MADE)]),
    "of Responses": ([{"type": "input_image", "image_url": MADE}, WORDS], [shown(MADE), WORDS]),
    "as on the wire": ([shown(MADE, max_pixels=5), WORDS], [shown(MADE, max_pixels=5), WORDS]),
}


def test_messages_hold_values_next_to_texts(client: qk.Client, box: Sandbox, here: Path):
    for name, (given, parts) in PARTS.items():
        for message in ({"role": "user", "content": given}, qk.Message.user(given)):
            client.chat([message])
            assert content(box) == parts, name
    assert box.requests[-1].json["model"] == "qwen3-vl-plus"


@ONCE
async def test_the_native_api_has_items(qwen: Any, box: Sandbox, here: Path):
    items = [{"image": MADE}, {"text": "What?"}]
    for given in ([Image.of(RED), "What?"], [{"image": "red.png"}, {"text": "What?"}], [Path("red.png"), "What?"]):
        reply = await done(qwen.native.multimodal(given))
        assert box.requests[-1].json["input"]["messages"] == [{"role": "user", "content": items}]
        assert reply.model == "qwen3-vl-plus"
    await done(qwen.native.generate("What?", images=[RED], max_pixels=9_000))
    assert box.requests[-1].path.endswith("/multimodal-generation/generation")
    assert box.requests[-1].json["input"]["messages"][0]["content"] == [{"image": MADE, "max_pixels": 9_000}, items[1]]
    reply = await done(qwen.native.multimodal("What?", audio=[wav()]))
    assert (reply.model, bool(reply.text)) == ("qwen3-omni-flash", True)
    assert box.requests[-1].headers["x-dashscope-sse"] == "enable"  # it answers no other way
    await done(qwen.native.multimodal.stream([{"video": [RED] * 4}, "What?"]).finish())
    assert box.requests[-1].json["input"]["messages"][0]["content"][0] == {"video": [MADE] * 4}


@ONCE
async def test_responses_have_parts_of_their_own(qwen: Any, box: Sandbox, here: Path):
    parts = [{"type": "input_image", "image_url": MADE}, {"type": "input_text", "text": "What is this?"}]
    asked = [qk.Message.user([shown(MADE), WORDS]), {"role": "user", "content": [Path("red.png"), "What is this?"]}]
    for prompt, options in (("What is this?", {"images": [RED]}), *((each, {}) for each in asked)):
        await done(qwen.responses(prompt, **options))
        assert box.requests[-1].json["input"] == [{"role": "user", "content": parts}]
    with pytest.raises(qk.APIError):  # it hears in chat only
        await done(qwen.responses("?", audio=[wav()], model="qwen3.8-omni-flash", extra={"temperature": 9}))
    sound = {"type": "input_audio", "format": "wav", "audio_url": uri(wav(), "audio/wav")}
    assert box.requests[-1].json["input"][0]["content"][0] == sound
    with pytest.raises(qk.ConfigError, match="no lists of frames"):
        await done(qwen.responses("?", video=[RED] * 4))
    reply = await done(qwen.responses("What is said?", audio=[wav()]))
    assert reply.model == "qwen3.8-omni-flash"  # the usual one for sound is not answered here
    sent = len(box.requests)
    with pytest.raises(qk.ConfigError, match=r"qwen3-omni-flash does not answer .*qwen3.8-omni-flash.*qwen\.chat"):
        await done(qwen.responses("?", audio=[wav()], model="qwen3-omni-flash"))
    assert len(box.requests) == sent


# -- uploads -----------------------------------------------------------------------------------------------------------

ASKS: dict[str, Callable[[Any], Any]] = {
    "chat": lambda qwen: qwen.chat("?", images=["heavy.png"]),
    "chat.stream": lambda qwen: qwen.chat.stream("?", images=["heavy.png"]).finish(),
    "native": lambda qwen: qwen.native.multimodal([{"image": "heavy.png"}, "?"]),
    "native.stream": lambda qwen: qwen.native.multimodal.stream([Path("heavy.png"), "?"]).finish(),
    "responses": lambda qwen: qwen.responses("?", images=["heavy.png"]),
    "responses.stream": lambda qwen: qwen.responses.stream("?", images=["heavy.png"]).finish(),
    "conversation": lambda qwen: qwen.conversation()("?", images=["heavy.png"]),
}


async def test_what_is_heavy_is_uploaded_once(qwen: Any, box: Sandbox, here: Path):
    models = set()
    for name, ask in ASKS.items():
        box.clear_requests()
        for _ in range(2):
            assert (await done(ask(qwen))).text
        paths = [seen.path for seen in box.requests]
        asked = box.requests[-1]
        fresh = asked.json["model"] not in models  # another call may have uploaded it for this model already
        assert (paths[:-2], paths[-1]) == (["/api/v1/uploads", "/oss-upload"] * fresh, paths[-2]), name
        models.add(asked.json["model"])
        if fresh:
            assert box.requests[0].query == {"action": "getPolicy", "model": asked.json["model"]}
            assert "authorization" not in box.requests[1].headers
        for seen in box.requests[-2:]:
            assert seen.headers["x-dashscope-ossresourceresolve"] == "enable"
            assert '"oss://dashscope-instant/' in seen.body.decode()
    assert models == {"qwen3-vl-plus", "qwen3.5-plus"}


async def test_several_share_a_policy_and_a_request_is_never_too_long(qwen: Any, box: Sandbox, here: Path):
    heavy = [png(colour=colour, weight=HEAVY) for colour in ("red", "green", "blue")]
    await done(qwen.chat("?", images=[*heavy, "red.png"]))
    assert [seen.path for seen in box.requests[:-1]] == ["/api/v1/uploads", *["/oss-upload"] * 3]
    urls = [part["image_url"]["url"] for part in content(box)[:-1]]
    assert [url[:6] for url in urls] == ["oss://"] * 3 + ["data:i"]
    assert len(set(urls)) == 4
    box.clear_requests()
    light = [png(colour=colour, weight=sending.SMALL - 900) for colour in ("red", "green", "blue")]
    await done(qwen.chat("?", images=light))  # each small enough, together too long
    assert [part["image_url"]["url"][:6] for part in content(box)[:-1]] == ["data:i"] * 2 + ["oss://"]


async def test_another_model_needs_an_upload_of_its_own(client: qk.Client, box: Sandbox, here: Path):
    for model in ("qwen3-vl-plus", "qwen3-vl-flash", "qwen3-vl-plus"):
        client.chat("?", images=["heavy.png"], model=model)
    assert [seen.path for seen in box.requests].count("/oss-upload") == 2
    (here / "heavy.png").write_bytes(png(colour="blue", weight=HEAVY))  # another picture under the same name
    client.chat("?", images=["heavy.png"])
    assert [seen.path for seen in box.requests].count("/oss-upload") == 3


async def test_an_upload_is_tried_again_and_its_refusal_is_told(qwen: Any, box: Sandbox, here: Path):
    box.fault("429", path="/uploads")
    box.fault("503", path="/oss-upload")
    assert (await done(qwen.chat("?", images=["heavy.png"]))).text
    box.fault("403", path="/uploads")
    with pytest.raises(qk.PermissionDenied):
        await done(qwen.chat("?", images=["heavy.png"], model="qwen-vl-max"))
    assert [row.ok for row in qwen.usage][-2:] == [True, False]  # both are in the books


@ONCE
async def test_a_lost_answer_of_the_storage_is_no_second_file(qwen: Any, box: Sandbox, here: Path):
    box.fault("cut:0", path="/oss-upload")  # it has stored the file by then
    assert (await done(qwen.chat("?", images=["heavy.png"] * 3))).text


@ONCE
async def test_an_upload_that_the_service_refuses_is_made_again(qwen: Any, box: Sandbox, here: Path):
    await done(qwen.chat("?", images=["heavy.png"]))
    service: Any = box._service
    service.shelf(Uploads)._store.run("DELETE FROM uploads")
    with pytest.raises(qk.InvalidRequest, match="Failed to download"):
        await done(qwen.chat("?", images=["heavy.png"]))
    box.clear_requests()
    assert (await done(qwen.chat("?", images=["heavy.png"]))).text
    assert "/oss-upload" in [seen.path for seen in box.requests]


def test_a_storage_that_refuses_is_understood(box: Sandbox, here: Path):
    said = "<Error><Code>AccessDenied</Code><Message>Invalid according to Policy: Policy expired.</Message></Error>"
    refusal = head(403, **{"Content-Type": "application/xml", "Content-Length": str(len(said))}) + said.encode()
    with Wayward(_policy_for, lambda line: line.send(refusal)) as server:
        client = qk.Client(api_key="sk-x", base_url=server.url, max_retries=0, timeout=5)
        with pytest.raises(qk.PermissionDenied, match="Policy expired"):
            client.chat("?", images=["heavy.png"])
        client.close()
        assert "authorization" in server.lines[0].headers
        assert "authorization" not in server.lines[1].headers


def _policy_for(line: Line) -> None:
    data = {"policy": "cA==", "signature": "c2ln", "upload_dir": "d/e", "oss_access_key_id": "AK"}
    data |= {"upload_host": line.server.url, "expire_in_seconds": "300", "max_file_size_mb": "100"}
    body = json.dumps({"request_id": "r", "data": data}).encode()
    line.send(head(200, **{"Content-Type": "application/json", "Content-Length": str(len(body))}) + body)


@ONCE
async def test_a_trace_shows_the_upload_and_keeps_its_secrets(qwen: Any, box: Sandbox, here: Path):
    with qk.trace(qwen) as wire:
        await done(qwen.chat("?", images=["heavy.png", png(300, 300, "green", 4_000)]))
    policy, form, asked = wire
    signature = json.loads(policy.response_body)["data"]["signature"]
    assert (signature, json.loads(policy.response_body)["data"]["policy"]) == ("…", "…")
    assert "heavy.png" in form.request_body
    assert f"({HEAVY:,} bytes)" in form.request_body
    assert len(form.request_body) < 3_000
    assert 'name="Signature"\r\n\r\n…' in form.request_body
    inline = json.loads(asked.request_body)["messages"][0]["content"][1]["image_url"]["url"]
    assert inline.startswith("data:image/png;base64,iVBOR")
    assert inline.endswith(" more")
    assert len(inline) < 200
    drawn = wire._repr_mimebundle_()["text/html"]
    assert "dashscope-instant" in drawn
    assert box.requests[1].body.split(b'"Signature"')[1].split()[0].decode() not in drawn


def test_another_server_gets_everything_inline(here: Path):
    body = b'{"choices":[{"message":{"role":"assistant","content":"red"}}]}'
    answer = head(200, **{"Content-Type": "application/json", "Content-Length": str(len(body))}) + body
    with Wayward(lambda line: line.send(answer)) as server:
        client = qk.Client(api_key="sk-x", base_url=f"{server.url}/v1", model="llava", timeout=5)
        assert client.chat("?", images=["heavy.png"]).text == "red"
        client.close()
        assert len(server.lines) == 1
        assert len(server.lines[0].body) > HEAVY


# -- conversations -----------------------------------------------------------------------------------------------------


@ONCE
async def test_a_conversation_keeps_what_it_was_shown(qwen: Any, box: Sandbox, here: Path):
    talk = qwen.conversation(system="Be terse.")
    await done(talk("Look.", images=["red.png"], max_pixels=70_000))
    reply = await done(talk("And now?"))
    first = [shown(MADE, max_pixels=70_000), {"type": "text", "text": "Look."}]
    assert [each["content"] for each in box.requests[-1].json["messages"]][1::2] == [first, "And now?"]
    assert reply.model == "qwen3-vl-plus"  # it still has a picture to look at
    assert "max_pixels" not in box.requests[-1].json
    assert "red.png" in repr(talk.messages)
    twin = qwen.conversation().restore(talk.save(here / "talk.json"))
    await done(twin("And then?"))
    assert box.requests[-1].json["messages"][1]["content"] == first
    talk.undo()
    talk.undo()
    assert [message.role for message in talk.messages] == ["system"]


async def test_a_conversation_counts_what_it_was_shown(client: qk.Client, box: Sandbox):
    talk = client.conversation(context_limit=3_000)
    for colour in ("red", "green", "blue"):
        talk("Look.", images=[png(1200, 1200, colour)])
    assert talk.forgotten > 0
    assert len(box.requests[-1].json["messages"]) == 3
    with pytest.raises(qk.ConfigError, match="go with a turn"):
        client.conversation(images=["red.png"])  # type: ignore[call-arg]


@ONCE
async def test_a_restored_conversation_counts_as_before(qwen: Any, here: Path):
    talk = qwen.conversation()
    await done(talk("Look.", images=["red.png"]))
    twin = qwen.conversation().restore(talk.save(here / "talk.json"))
    assert twin.context_used == talk.context_used < 400
    picture = twin.messages[0].content[0]["image_url"]["url"]
    assert (type(picture), picture.bytes) == (Image, RED)
    facts = json.loads((here / "talk.json").read_text("utf-8"))
    for told in (None, [9, 5], [1, "x"], 7, [True, 1], [-1, 1]):  # written by somebody else
        (here / "other.json").write_text(json.dumps({**facts, "counted": told}), "utf-8")
        other = qwen.conversation().restore(here / "other.json")
        assert 0 < other.context_used < 400  # estimated: by its pixels, not by the letters of its data URL
    facts["messages"][0]["content"][0]["image_url"]["url"] = "gone.png"
    (here / "other.json").write_text(json.dumps(facts), "utf-8")
    with pytest.raises(qk.ConfigError, match=r"gone\.png"):
        await done(qwen.conversation().restore(here / "other.json")("And?"))


@ONCE
async def test_a_conversation_shows_what_it_was_shown_and_what_it_said(qwen: Any, here: Path):
    talk = qwen.conversation(speak="Cherry")
    assert talk.answering == "qwen3-omni-flash"
    await done(talk("Look.", images=["red.png"]))
    bundle = talk._repr_mimebundle_()
    assert bundle["text/html"].count('<img src="data:image/') == 1
    assert bundle["text/html"].count("<audio ") == 1
    window = f"{talk.context_used} of 49,152 tokens"
    assert window in bundle["text/html"]
    assert str(talk).splitlines()[:2] == [
        f"qwen3-omni-flash, {window}, when full: trim",
        "user: Look. (image red.png)",
    ]
    assert str(talk).endswith("(spoken)")
    assert "spoken" not in talk.messages[-1].to_wire()
    assert talk.fork()._repr_mimebundle_() == bundle
    plain = qwen.conversation()
    assert (plain.answering, plain.context_limit) == ("qwen-plus", 997_952)
    await done(plain("Look.", images=["red.png"]))
    assert plain.answering == "qwen3-vl-plus"
    plain.undo()
    assert plain.answering == "qwen-plus"


def test_large_files_are_saved_by_their_place(
    client: qk.Client, box: Sandbox, here: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(saved, "SMALL", HEAVY - 1)
    talk = client.conversation()
    talk("Look.", images=["heavy.png", "red.png"])
    assert talk.save("talk.json").stat().st_size < 5_000
    client.conversation().restore("talk.json")("Again?")
    first, second, _ = box.requests[-1].json["messages"][0]["content"]
    assert first["image_url"]["url"].startswith("oss://")
    assert second == shown(MADE)


# -- what is refused, and the books ------------------------------------------------------------------------------------

REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda qwen: qwen.chat("?", images=["red.png"], model="qwen-plus"), "sees no pictures .*qwen3-vl-plus"),
    (lambda qwen: qwen.chat("?", images=[WEB], model="qwen-plus"), "sees no pictures"),
    (lambda qwen: qwen.chat("?", audio=["a.wav"], model="qwen3-vl-plus"), "hears nothing .*qwen3-omni-flash"),
    (lambda qwen: qwen.chat("?", video="a.mp4", model="qwen-vl-ocr"), "sees no films"),
    (lambda qwen: qwen.chat("?", video="red.png"), "it is a picture.*pass it as images="),
    (lambda qwen: qwen.chat("?", video=wav()), "it is a sound.*pass it as audio="),
    (lambda qwen: qwen.chat("?", video=b"# Handbook"), "it is no film"),
    (lambda qwen: qwen.chat("?", video=["gone.mp4"]), "the film 'gone.mp4' does not exist"),
    (lambda qwen: qwen.chat("?", video="a.mp4", fps=0), "fps cannot be 0.*0.1 to 10"),
    (lambda qwen: qwen.chat("?", video="a.mp4", fps="2"), "fps cannot be '2'"),
    (lambda qwen: qwen.chat("?", images="red.png", max_pixels=-1), "max_pixels cannot be -1.*16,777,216"),
    (lambda qwen: qwen.chat("?", images="red.png", min_pixels=9, max_pixels=5), "min_pixels=9 is more than"),
    (lambda qwen: qwen.chat("?", images="red.png", fps=5), "fps goes with video="),
    (lambda qwen: qwen.chat("?", max_pixels=5), "max_pixels goes with images="),
    (lambda qwen: qwen.chat("?", audio=b""), "it is empty"),
    (lambda qwen: qwen.chat("?", images=["gone.png"]), "cannot be sent: .*gone.png"),
    (lambda qwen: qwen.chat("?", images=[7]), "image cannot be sent"),
    (lambda qwen: qwen.chat("?", images=[b"no picture"]), "picture"),
    (lambda qwen: qwen.chat([Image.of(RED), "?"]), "alone is no message .*images="),
    (lambda qwen: qwen.chat([{"role": "assistant", "content": "Hi"}], images=["red.png"]), "what a user says"),
    (lambda qwen: qwen.conversation()(images=["red.png"]), "what a user says"),
    (lambda qwen: qwen.native.multimodal([{"image": "gone.png"}]), "gone.png"),
    (lambda qwen: qwen.native.multimodal(["?"], audio={"voice": "Cherry"}), "no option 'audio'"),
    (lambda qwen: qwen.responses("?", images=["red.png"], model="qwen3-max"), "sees no pictures"),
]


@ONCE
async def test_what_cannot_be_sent_is_refused_with_the_cure(qwen: Any, box: Sandbox, here: Path):
    for ask, words in REFUSED:
        with pytest.raises(qk.ConfigError, match=words):
            await done(ask(qwen))
    assert not box.requests


def test_a_picture_counts_against_the_budget(box: Sandbox):
    price = 1500 / 1e6  # of about so many tokens at a yuan a million, and the answer
    with qk.Client(api_key=box.key, base_url=box.url, budget=0.006) as client:
        assert client.chat("Hi", model="qwen3-vl-plus", max_tokens=10)
        with pytest.raises(qk.BudgetExceeded):
            client.chat("Hi", images=[png(2000, 2000)] * 3, max_tokens=10)
        assert len(box.requests) == 1
        assert client.chat("Hi", images=[png(500, 500)], max_tokens=10).cost.amount < price


def test_map_looks_at_pictures_too(client: qk.Client, box: Sandbox, here: Path):
    (here / "heavier.png").write_bytes(png(colour="blue", weight=HEAVY))
    found = client.map(["What?"] * 4, images=here.glob("heav*.png"), progress=False)  # a generator serves them all
    assert [
        len(asked.json["messages"][0]["content"]) for asked in box.requests if asked.path.endswith("/chat/completions")
    ] == [3] * 4
    assert all(reply.text for reply in found)
    assert [seen.path for seen in box.requests].count("/oss-upload") == 2  # which each waits for
    again = client.map(["What?"], images=["heavy.png"], checkpoint=here / "kept.jsonl", progress=False)
    before = len(box.requests)
    assert client.map(["What?"], images=["heavy.png"], checkpoint=here / "kept.jsonl", progress=False)[0].text
    assert (len(box.requests), bool(again[0].text)) == (before, True)


def test_a_batch_has_its_pictures_inline(client: qk.Client, box: Sandbox):
    job = client.batches.submit(["What?"], images=[RED], model="qwen3-vl-plus")
    assert MADE in next(seen for seen in box.requests if seen.path.endswith("/files")).body.decode()
    assert client.batches.results(client.batches.wait(job, progress=False))[0].text


@pytest.mark.parametrize(
    ("prompts", "options", "model"),
    [
        (["What?"], {}, "qwen-plus"),
        (["What?"], {"images": [RED]}, "qwen3-vl-plus"),
        (iter(["What?"]), {"images": iter([RED])}, "qwen3-vl-plus"),
        (["What?", [Message.user([shown(MADE), WORDS])]], {}, "qwen3-vl-plus"),
        (["What?"], {"audio": [wav()]}, "qwen3-omni-flash"),
    ],
)
def test_a_batch_asks_a_model_with_the_senses_for_it(
    client: qk.Client, box: Sandbox, prompts: Any, options: Any, model: str
):
    client.batches.submit(prompts, progress=False, **options)
    sent = next(seen for seen in box.requests if seen.path.endswith("/files")).body.decode()
    assert sent.count(f'"model":"{model}"') == sent.count('"custom_id"') > 0


# -- fetching ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def result(box: Sandbox) -> str:
    """The address of a picture that a call left behind."""
    service: Any = box._service
    return box.url + service.shelf(Results).keep("a call", "red.png", RED, "image/png", service.clock())


@ONCE
async def test_a_result_is_fetched_without_a_key(qwen: Any, box: Sandbox, result: str):
    assert await done(qwen.fetch(result)) == RED
    picture = Image.of(result)
    assert await done(qwen.fetch(picture)) is picture
    assert (picture.size, picture.bytes, picture.url) == ((64, 48), RED, result)
    assert all("authorization" not in seen.headers for seen in box.requests)
    await done(qwen.fetch(picture))  # it is here already
    assert len(box.requests) == 2


@ONCE
async def test_a_fetched_result_can_be_shown(qwen: Any, box: Sandbox, result: str):
    await done(qwen.chat("?", images=[await done(qwen.fetch(Image.of(result)))]))
    assert content(box)[0] == shown(MADE)  # its content: the address would be gone tomorrow
    await done(qwen.chat("?", images=[result]))
    assert content(box)[0] == shown(result)


async def test_fetching_has_patience_and_limits(qwen: Any, box: Sandbox, result: str, monkeypatch: pytest.MonkeyPatch):
    box.fault("503", path="/results")
    assert await done(qwen.fetch(result)) == RED
    box.fault("cut:1", path="/results")
    assert await done(qwen.fetch(result)) == RED
    with pytest.raises(qk.ServerError, match="no audio at this address but image/png"):
        await done(qwen.fetch(Audio.of(result)))
    with pytest.raises(qk.NotFound, match="24 hours"):
        await done(qwen.fetch(result.replace("Signature=", "Signature=0")))
    for source, words in (("oss://a/b.png", "cannot be fetched"), (7, "int cannot be fetched")):
        with pytest.raises(qk.ConfigError, match=words):
            await done(qwen.fetch(source))
    monkeypatch.setattr(sending, "MOST_FETCHED", 50)
    with pytest.raises(qk.TransportError, match="longer than 50 bytes"):
        await done(qwen.fetch(result))


DAMAGED = [
    ({"Content-Length": "4", "Content-MD5": "AAAA"}, b"abcd", qk.ServerError, "checksum"),
    ({"Content-Length": "20"}, b"<!doctype html><html", qk.ServerError, "text/html"),
    ({"Content-Length": "200"}, b"x" * 80, qk.TransportError, "broke before the answer was whole"),
]


@pytest.mark.parametrize(("headers", "body", "error", "words"), DAMAGED)
async def test_what_is_damaged_is_not_taken(
    headers: dict[str, str], body: bytes, error: type[Exception], words: str, box: Sandbox, flavour: str
):
    def act(line: Line) -> None:
        line.send(head(200, **headers) + body)
        line.hang_up()

    with Wayward(act) as server:
        client = qk.Client(api_key=box.key, base_url=box.url, timeout=5)
        hurried(client._core)
        with pytest.raises(error, match=words):
            await done((client if flavour == "sync" else client.aio).fetch(Image.of(f"{server.url}/a.png")))
        await client.aio.close()
