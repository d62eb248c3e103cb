"""Every limit of the sheets from both sides, one inside and one outside: the client's check and the sandbox's refusal.

The table is the catalogue's own `media.json`: each limit of each group of models is tried at its bound, with a picture,
sound or film made to stand exactly there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from shapes_of_media import image, mp4, png, uri, wav
from wayward import Line, Wayward, head

import qwenkit as qk
from qwenkit import catalogue
from qwenkit.api import sending
from qwenkit.catalogue._shelf import read
from qwenkit.catalogue.media import MEGABYTE, MediaFacts, image_tokens
from qwenkit.errors import ConfigError
from qwenkit.protocol import media
from qwenkit.protocol.media import Part
from qwenkit.sandbox import Sandbox
from qwenkit.sandbox import media as service_side
from qwenkit.sandbox.errors import Refusal
from qwenkit.types.audio import Audio
from qwenkit.types.image import Image
from qwenkit.types.video import Video

GROUPS = read("media.json", list[MediaFacts])
VALUES: dict[str, Any] = {"image": Image, "video": Video, "audio": Audio}
SIDES = "length and width do not meet the model restrictions"
LOW = 1000  # samples a second: an hour of it is small


def limits(*names: str) -> list[Any]:
    """Each group's limits of these names."""
    return [
        pytest.param(facts, name, id=f"{facts.group}-{name}")
        for facts in GROUPS
        for name in names
        if getattr(facts, name) not in (None, [])
    ]


def at_the_bound(facts: MediaFacts, name: str, over: int) -> bytes:
    """Content that stands at a limit, or one beyond it."""
    bound, least = getattr(facts, name), facts.side_min or 1
    makers: dict[str, Callable[[], bytes]] = {
        "side_min": lambda: png(bound - over, bound),
        "side_max": lambda: png(bound + over, max(least, -(-(bound + over) // int(facts.ratio or 200)))),
        "ratio": lambda: png(int(bound) * least + over, least),
        "video_seconds_min": lambda: mp4(int(bound) - over),
        "video_seconds": lambda: mp4(int(bound) + over),
        "audio_seconds_min": lambda: wav(bound - over / 10, LOW),
        "audio_seconds": lambda: wav(bound + over, LOW),
    }
    return makers[name]()


BOUNDS = {
    "side_min": ("must be at least {bound} px", SIDES),
    "side_max": ("may be {bound:,} px at most", SIDES),
    "ratio": ("aspect ratio may be {bound:g}:1", SIDES),
    "video_seconds_min": ("must last {bound:g} s at least", "video file is too short"),
    "video_seconds": ("may last {bound:,g} s", "video file is too long"),
    "audio_seconds_min": ("must last {bound:g} s at least", "Audio length must be between"),
    "audio_seconds": ("may last {bound:,g} s", "Audio length must be between"),
}


OTHERS = {
    "flac": b"fLaC",
    "aiff": b"FORM0000AIFF",
    "m4a": b"0000ftypM4A ",
    "ogg": b"OggS",
}  # formats by their first bytes


def sent(content: Any, kind: str, facts: MediaFacts) -> None:
    """What the client does before it sends this to a model of the group."""
    value = content if hasattr(content, "data_url") else VALUES[kind].of(content)
    media.check([Part(kind, value, {})], facts.models[0])


@pytest.mark.parametrize(("facts", "name"), limits(*BOUNDS))
def test_sides_and_lengths(facts: MediaFacts, name: str):
    words, refusal = BOUNDS[name]
    kind = name.partition("_")[0] if "seconds" in name else "image"
    inside, outside = at_the_bound(facts, name, 0), at_the_bound(facts, name, 1)
    sent(inside, kind, facts)
    service_side.checked(inside, kind, facts)
    if name != "audio_seconds_min":  # which no page tells of these models: the service may judge otherwise
        with pytest.raises(ConfigError, match=words.format(bound=getattr(facts, name))):
            sent(outside, kind, facts)
    with pytest.raises(Refusal, match=refusal):
        service_side.checked(outside, kind, facts)


@pytest.mark.parametrize(("facts", "name"), limits("image_formats", "audio_formats"))
def test_formats(facts: MediaFacts, name: str):
    kind = name.partition("_")[0]
    side = max(facts.side_min or 0, 16)
    if kind == "audio":
        sent(wav(2), kind, facts)
        other = next(head for form, head in OTHERS.items() if form not in facts.audio_formats)
        with pytest.raises(ConfigError, match="is not read"):
            sent(other, kind, facts)
        sent(b"MThd, of which nobody here knows what it is", kind, facts)
        return
    for form in facts.image_formats:
        if form == "heic":  # which Pillow does not read
            sent(b"0000ftypheic", kind, facts)
            continue
        made = image({"jp2": "JPEG2000"}.get(form, form.upper()), side, side)
        service_side.checked(made, kind, facts)
        if form not in ("icns", "jp2", "sgi"):  # which no value of ours knows
            sent(made, kind, facts)
    other = image("ICO" if "gif" in facts.image_formats else "GIF", side, side)
    with pytest.raises(ConfigError, match="is not read"):
        sent(other, kind, facts)
    with pytest.raises(Refusal, match="file format is illegal"):
        service_side.checked(other, kind, facts)


WEIGHTS = ("image_megabytes", "video_megabytes", "audio_megabytes")


@pytest.mark.parametrize(("facts", "name"), limits(*WEIGHTS))
def test_bytes_of_a_file(facts: MediaFacts, name: str, sandbox: Sandbox, tmp_path: Path):
    kind, bound = name.partition("_")[0], int(getattr(facts, name) * MEGABYTE)
    side = max(facts.side_min or 0, 16)
    beginning = {"image": png(side, side), "video": mp4(2), "audio": wav(2)}[kind]
    path = tmp_path / "heavy"
    path.write_bytes(beginning)
    for size in (bound, bound + 1):
        with path.open("r+b") as file:
            file.truncate(size)  # of holes: nothing is written
        value = VALUES[kind].open(path)
        if size == bound:
            sent(value, kind, facts)
        else:
            with pytest.raises(ConfigError, match=rf"has {size:,} bytes and may have {bound:,}"):
                sent(value, kind, facts)
    told = [claimed(sandbox, bound, length) for length in (bound, bound + 1)]
    assert told == ["Failed to download multimodal content.", "Multimodal file size is too large"]


def claimed(sandbox: Sandbox, most: int, length: int) -> str:
    """How the sandbox refuses a file that says it has so many bytes; inside the limit it waits for them in vain."""

    def act(line: Line) -> None:
        line.send(head(200, "image/png", content_length=str(length)) + b"few")
        line.hang_up()

    service: Any = sandbox._service
    with Wayward(act) as server, pytest.raises(Refusal) as refused:
        asyncio.run(service_side.fetch(service, f"{server.url}/a.png", resolve=False, most=most))
    return str(refused.value)


COUNTS = {
    "images": ("image", "image_url", lambda count: [{"type": "image_url", "image_url": {"url": "https://x"}}] * count),
    "videos": ("video", "video_url", lambda count: [{"type": "video_url", "video_url": {"url": "https://x"}}] * count),
    "audios": ("audio", "input_audio", lambda count: [{"type": "input_audio", "input_audio": {"data": "x:"}}] * count),
    "frames": ("frames", "video", lambda count: [{"type": "video", "video": ["https://x"] * count}]),
    "frames_min": ("frames", "video", lambda count: [{"type": "video", "video": ["https://x"] * count}]),
}


@pytest.mark.parametrize(("facts", "name"), limits(*COUNTS))
def test_counts(facts: MediaFacts, name: str):
    bound, (_, _, make) = getattr(facts, name), COUNTS[name]
    outside = make(bound - 1 if name == "frames_min" else bound + 1)
    for content, fits in ((make(bound), True), (outside, False)):
        messages = [{"role": "user", "content": content}]
        if fits:
            media.check(list(media.parts(messages)), facts.models[0])
            service_side._check_counts(list(service_side._parts(messages)), facts)
            continue
        with pytest.raises(ConfigError, match="takes"):
            media.check(list(media.parts(messages)), facts.models[0])
        range_of = rf"range of sequence images shoule be \({facts.frames_min}, {facts.frames}\)"
        with pytest.raises(Refusal, match=range_of if "frames" in name else "Too many"):
            service_side._check_counts(list(service_side._parts(messages)), facts)


# -- over the wire -----------------------------------------------------------------------------------------------------


def ask(box: Sandbox, model: str, content: list[Any], **headers: str) -> tuple[int, str]:
    asked = {"model": model, "messages": [{"role": "user", "content": [*content, {"type": "text", "text": "?"}]}]}
    if catalogue.model(model).stream_only:  # type: ignore[union-attr]
        asked["stream"] = True
    headers = {"Authorization": f"Bearer {box.key}", **headers}
    answer = httpx.post(f"{box.url}/compatible-mode/v1/chat/completions", json=asked, headers=headers, timeout=60)
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]["message"]


def shown(content: bytes | str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": content if isinstance(content, str) else uri(content)}}


def frames(count: int) -> dict[str, Any]:
    return {"type": "video", "video": [uri(png(16, 16))] * count}


ENGINE = "<400> InternalError.Algo.InvalidParameter: "
NO_FRAMES = f"{ENGINE}The video modality input does not meet the requirements because: the range of sequence images"
# model, what is inside, what is outside, the documented words
WIRE: dict[str, tuple[str, Callable[[], list[Any]], Callable[[], list[Any]], str]] = {
    "height": (
        "qwen3-vl-plus",
        lambda: [shown(png(100, 10))],
        lambda: [shown(png(100, 9))],
        f"{ENGINE}The image {SIDES}. [height:9 or width:100 must be larger than 10]",
    ),
    "ratio": ("qwen3-vl-plus", lambda: [shown(png(2000, 10))], lambda: [shown(png(2010, 10))], SIDES),
    "frames": ("qwen3-vl-plus", lambda: [frames(4)], lambda: [frames(3)], f"{NO_FRAMES} shoule be (4, 2000)."),
    "few frames": ("qwen3-omni-flash", lambda: [frames(2)], lambda: [frames(1)], f"{NO_FRAMES} shoule be (2, 128)."),
    "many frames": ("qwen-omni-turbo", lambda: [frames(80)], lambda: [frames(81)], f"{NO_FRAMES} shoule be (4, 80)."),
    "inline 10 MB": (
        "qwen-vl-max",
        lambda: [shown(padded(10 * MEGABYTE))],
        lambda: [shown(padded(10 * MEGABYTE + 4))],
        f"{ENGINE}Exceeded limit on max bytes per data-uri item : 10485760",
    ),
    "inline 20 MB": (
        "qwen3-vl-plus",
        lambda: [shown(padded(20 * MEGABYTE))],
        lambda: [shown(padded(20 * MEGABYTE + 4))],
        f"{ENGINE}Exceeded limit on max bytes per data-uri item : 20971520",
    ),
}


def padded(length: int) -> str:
    """A data: URI of at most so many characters, three fewer at most."""
    head_ = "data:image/png;base64,"
    return head_ + uri(png(weight=(length - len(head_)) // 4 * 3)).removeprefix(head_)


@pytest.mark.parametrize("name", WIRE)
def test_over_the_wire(name: str, box: Sandbox):
    model, inside, outside, words = WIRE[name]
    workspace = {"X-DashScope-WorkSpace": "ws-1"}  # whose host takes longer bodies
    assert ask(box, model, inside(), **workspace) == (200, "")
    status, message = ask(box, model, outside(), **workspace)
    assert (status, message.startswith(words) or (words in message and not words.startswith("<"))) == (400, True)
    box.clear_requests()


def test_a_shared_host_takes_shorter_bodies_than_a_workspace(box: Sandbox):
    assert ask(box, "qwen3-vl-plus", [shown(padded(17 * MEGABYTE))])[1] == "Payload Too Large."
    box.clear_requests()


def test_the_client_uploads_what_may_not_be_inline(client: qk.Client, box: Sandbox):
    client.chat("?", images=[png(16, 16)] * 251)
    urls = [part["image_url"]["url"] for part in box.requests[-1].json["messages"][0]["content"][:-1]]
    assert [url[:5] for url in urls].count("data:") == 250
    assert urls[-1].startswith("oss://")
    assert [seen.path for seen in box.requests][:2] == ["/api/v1/uploads", "/oss-upload"]
    assert "Too many images" in ask(box, "qwen3-vl-plus", [shown(png(16, 16))] * 251)[1]


@pytest.mark.parametrize(("over", "fits"), [(0, True), (1, False)])
def test_without_storage_the_inline_limit_holds(over: int, fits: bool):
    with qk.Client(api_key="sk-x", base_url="http://127.0.0.1:1/v1") as client:
        room = (10 * MEGABYTE - 64) // 4 * 3
        picture = Image.of(png(weight=room + over))
        if fits:
            address = sending._at_once(client._core, picture, "qwen-vl-max", 0)
            assert address is not None
            assert len(address) <= 10 * MEGABYTE
        else:
            with pytest.raises(ConfigError, match="data: URI of 10 MB"):
                sending._at_once(client._core, picture, "qwen-vl-max", 0)


def test_models_nobody_knows_get_everything(box: Sandbox):
    for value, kind in ((png(3, 3), "image"), (wav(1), "audio"), (mp4(1), "video")):
        media.check([Part(kind, VALUES[kind].of(value), {})], "some-model-of-tomorrow")
    media.check([Part("image", Image.of(png(3, 3)), {})], "kimi-k2.6")  # known, but not its limits
    media.check([Part("image", Image.of("https://pics.example/a.png"), {})], "qwen3-vl-plus")  # only an address


def test_the_picture_that_will_not_do_is_named():
    found = [Part("image", Image.of(png(20, 20)), {}), Part("image", Image.of(png(20, 5)), {})]
    with pytest.raises(ConfigError, match=r"picture 2 \(.*\): it is 20x5 px; .*nothing was sent → enlarge it"):
        media.check(found, "qwen3-vl-plus")


def test_every_group_names_models_of_the_catalogue():
    names = [name for facts in GROUPS for name in facts.models]
    assert len(names) == len(set(names))
    assert all(catalogue.model(name).line == name for name in names)  # type: ignore[union-attr]
    seeing = [each.name for each in catalogue.models() if each.endpoint == "chat" and set(each.inputs) & set("IV")]
    assert {name for name in seeing if name.startswith(("qwen", "qvq"))} <= set(names)


@pytest.mark.parametrize(
    ("size", "model", "count"),
    [
        ((1024, 1024), "qwen3-vl-plus", 1026),  # h*w/1024 + 2
        ((100, 100), "qwen3-vl-plus", 66),  # enlarged to min_pixels
        ((8000, 8000), "qwen3-vl-plus", 2562),  # shrunk to max_pixels
        ((560, 560), "qwen-vl-max", 402),  # patches of 28
    ],
)
def test_tokens_of_a_picture(size: tuple[int, int], model: str, count: int):
    from qwenkit.catalogue.media import media as facts_of

    assert image_tokens(*size, facts_of(catalogue.model(model))) == count
