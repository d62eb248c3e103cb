"""Speech through the client, both flavours, against the sandbox: takes, streams, long texts, voices of one's own."""

from __future__ import annotations

import base64
import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from flavours import done, opened, pieces

import qwenkit as qk
from qwenkit import catalogue
from qwenkit.api import speech
from qwenkit.api.voices import _check
from qwenkit.display import live
from qwenkit.protocol import speech as protocol
from qwenkit.protocol.sentences import Part, characters, split
from qwenkit.protocol.speech_stream import Sound, SpeechFold, faded
from qwenkit.protocol.voices import CLONE, COSY
from qwenkit.types.reply import Reply

FERRY = "The ferry leaves at nine."
HELLO = "你好，今天天气怎么样。"
LONG = "Welcome aboard. The ferry leaves at nine from the north pier, and the next one leaves at noon."
MODEL = "qwen3-tts-flash"
COSY_WRONG = {"model": "cosyvoice-v2", "voice": "Cherry_3"}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)


async def test_a_take_is_fetched_at_once_kept_and_billed(qwen, box, client, tmp_path):
    take = await done(qwen.speech(FERRY, voice="Ethan", language="en"))
    assert isinstance(take, qk.Audio)
    assert 1 < take.duration < 4
    assert (take.rate_hz, take.channels, take.text, take.voice, take.model) == (24000, 1, FERRY, "Ethan", MODEL)
    assert take.usage.characters == 25
    assert take.cost.amount == pytest.approx(25 * 0.8 / 10_000)
    assert take.raw["output"]["audio"]["url"] == take.url
    assert take.request_id == take.raw["request_id"]
    kept = tmp_path / take.path
    assert kept.read_bytes() == take.bytes
    assert json.loads(kept.with_suffix(".json").read_text("utf-8"))["voice"] == "Ethan"
    asked, fetched = box.requests[-2:]
    assert asked.json["input"] == {"text": FERRY, "voice": "Ethan", "language_type": "English"}
    assert fetched.path.startswith("/results/")
    assert "authorization" not in fetched.headers  # no key to the storage
    assert client.usage.cost["CNY"] == pytest.approx(take.cost.amount)


def test_nothing_is_kept_if_not_wanted(client, tmp_path):
    take = client.speech(HELLO, model="qwen-tts", save=False)
    assert take.path is None
    assert not list(tmp_path.iterdir())
    assert take.usage.audio_out == take.usage.completion == max(round(50 * take.duration), 50)


@pytest.mark.parametrize("drive", [None, PermissionError(1, "it knows no links")])
def test_the_folder_is_the_users_choice_on_any_drive(client, monkeypatch, drive):
    if drive is not None:
        monkeypatch.setattr("os.link", Mock(side_effect=drive))
    kept = [client.speech(FERRY, folder="a/b"), client.speech.stream(FERRY, folder="a/b").finish()]
    assert kept[0].path == kept[1].path == Path("a/b/the-ferry-leaves-at-nine.wav")  # the same sound, written once
    assert kept[0].path.read_bytes() == kept[0].bytes
    other = client.speech(FERRY, voice="Ethan", folder="a/b")
    assert sorted(each.name for each in Path("a/b").iterdir()) == [
        *("the-ferry-leaves-at-nine-2.json", other.path.name),
        *("the-ferry-leaves-at-nine.json", kept[0].path.name),
    ]


async def test_a_stream_grows_and_is_the_same_sound(qwen):
    whole = await done(qwen.speech(HELLO + FERRY))
    heard, grown, texts = b"", [], []
    async with opened(qwen.speech.stream(HELLO + FERRY)) as stream:
        async for piece in pieces(stream):
            heard += piece.audio
            grown.append(stream.reply.duration)
            texts.append(piece.text)
    assert heard == whole.pcm16 == stream.reply.pcm16
    assert grown == sorted(grown)
    assert grown[0] < 1 < grown[-1]
    assert texts == [HELLO + FERRY, *[""] * (len(texts) - 1)]
    reply = stream.reply
    assert reply.path.read_bytes() == reply.bytes
    assert reply.receipt.first_token is not None
    assert reply.usage == whole.usage
    assert reply.raw[-1]["output"]["finish_reason"] == "stop"


@pytest.fixture
def short(monkeypatch: Any) -> None:
    """A limit of 60 characters, so that tests need not listen for a minute."""
    monkeypatch.setitem(catalogue.model(MODEL).limits, "characters", 60)


async def test_a_long_text_is_spoken_in_parts(qwen, box, client, short):
    text = f"{FERRY} {FERRY} {FERRY}"
    take = await done(qwen.speech(text, save=False, concurrency=2))
    asked = [each.json["input"]["text"] for each in box.requests if each.method == "POST"]
    assert sorted(map(len, asked)) == [25, 51]
    assert " ".join(sorted(asked, key=len, reverse=True)) == take.text == text
    assert take.usage.characters == 76
    assert take.cost.amount == pytest.approx(76 * 0.8 / 10_000)
    assert len(take.raw) == len(client.usage) == 2
    stream = qwen.speech.stream(text, save=False)
    reply = await done(stream.finish())
    assert reply.duration == pytest.approx(take.duration, abs=0.01)
    assert (reply.text, reply.usage, reply.cost) == (take.text, take.usage, take.cost)
    steps = abs(reply.array[1:] - reply.array[:-1])
    alone = (await done(qwen.speech(FERRY, save=False))).array
    assert steps.max() < 1.2 * abs(alone[1:] - alone[:-1]).max()  # no click where parts meet


def test_a_part_that_fails_leaves_those_before_it(client, box, short):
    text = f"{FERRY} " * 5
    box.fault("400", times=1)
    with pytest.raises(qk.InvalidRequest) as caught:
        client.speech(text, save=False, concurrency=1)
    assert "part 1 of 3 failed" in caught.value.hint
    assert len([each for each in box.requests if each.method == "POST"]) == 1  # and no further one was begun
    take, lost = client.speech(FERRY, save=False), qk.InvalidRequest("no")
    with pytest.raises(qk.InvalidRequest, match=r"part 2 of 3 failed, error\.reply has those before it"):
        speech._joined(protocol.order(text), [take, lost, None])
    assert lost.reply.text == FERRY
    assert lost.reply.duration == pytest.approx(take.duration, abs=0.01)
    stream = client.speech.stream(text, save=False)
    next(iter(stream))
    box.fault("400", times=1)
    with pytest.raises(qk.InvalidRequest) as caught:
        list(stream)
    assert caught.value.reply.text == f"{FERRY} {FERRY}"
    assert caught.value.reply.duration > 2


def test_an_expired_address_says_so(client, box):
    box.fault("403", times=1, path="results")
    with pytest.raises(qk.NotFound, match="24 hours"):
        client.speech(FERRY)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (" ", {}, "nothing to say"),
        (None, {}, "nothing to say"),
        (5, {}, "only a text can be said, not 5 (int) → pass str(…) of it"),
        ([FERRY], {}, "(list) → speak each of them"),
        (Reply(), {}, "nothing to say"),
        (FERRY, {"voice": "harbour"}, "by its id, which qwen.voices.list() tells"),
        (FERRY, {"instructions": "Softly.", "model": MODEL}, "or use model='qwen3-tts-instruct-flash'"),
        (FERRY, {"language": "Cantonese"}, "comes with its voice: voice='Rocky'"),
        (FERRY, {"language": "yue"}, "comes with its voice: voice='Rocky'"),
        (FERRY, {"voice": "Cherry", "model": "cosyvoice-v2"}, "-flash; the catalogue lists no voices of"),
        (FERRY, {"voice": "Elias", "model": "cosyvoice-v2"}, "speaks with qwen3-tts-flash"),
        (FERRY, {"voice": "Chery"}, "did you mean 'Cherry'?"),
        (FERRY, {"voice": "cherry"}, "did you mean 'Cherry'?"),
        (FERRY, {"voice": "Jennifer", "model": "qwen-tts"}, "it speaks with qwen3-tts-flash"),
        (FERRY, {"voice": "Nobody"}, "lists them"),
        (FERRY, {"language": "Englisch"}, "did you mean 'English'?"),
        (FERRY, {"language": "Korean", "model": "qwen-tts"}, "it speaks Chinese, English"),
        (FERRY, {"format": "mp3"}, "has no option 'format'"),
        (FERRY, {"speed": 2}, "calls it rate"),
        (FERRY, {"vioce": "Cherry"}, "did you mean 'voice'?"),
        (FERRY, {"model": "qwen3-tts-flash-realtime"}, "use model='qwen3-tts-flash'"),
        (FERRY, {"model": "qwen-plus"}, "does not read texts aloud"),
        (FERRY, {"model": "qwen3-tts-vc-2026-01-22"}, "needs a voice"),
        (FERRY, {"model": "cosyvoice-v2", "voice": "x_v2", "sample_rate": "24k"}, "samples a second"),
        (FERRY, {"model": "cosyvoice-v2", "voice": "x_v2", "optimize_instructions": True}, "leave it out"),
        (FERRY, {"concurrency": 0}, "how many calls"),
        (FERRY, {"folder": "/dev/null"}, "save=False"),
    ],
)
def test_what_is_wrong_costs_no_call(client, box, text, options, words):
    with pytest.raises(qk.ConfigError) as caught:
        client.speech(text, **options)
    assert words in str(caught.value)
    assert not box.requests


def test_the_service_is_asked_all_the_same_and_explained(client):
    with pytest.raises(qk.InvalidRequest, match="Chelsie") as caught:
        client.speech(FERRY, extra={"voice": "Nobody"})
    assert "qwen.voices(model='qwen3-tts-flash')" in caught.value.hint
    with pytest.raises(qk.InvalidRequest, match="418") as caught, client.speech.stream(FERRY, **COSY_WRONG) as stream:
        list(stream)
    assert "take a name from the service's list, or clone one" in caught.value.hint
    with pytest.raises(qk.NotFound, match=r"is called with qwen\.speech"):
        client.chat(FERRY, model=MODEL)
    with pytest.raises(qk.InvalidRequest, match="url error"):
        client.tasks.submit("/services/audio/tts/synthesis", model="qwen-tts", input={"text": FERRY})


def test_a_plain_call_tells_words_and_a_joined_one_keeps_its_format(client, box, monkeypatch):
    told = {"model": "cosyvoice-v3-flash", "voice": "longanyang", "save": False, "word_timestamp_enabled": True}
    take = client.speech(FERRY, **told)
    assert (take.format, take.text, take.usage.characters) == ("mp3", FERRY, 25)
    assert [word["text"] for word in take.words] == FERRY.split()
    assert take.raw[-1]["output"]["finish_reason"] == "stop"
    monkeypatch.setitem(catalogue.model("cosyvoice-v3-flash").limits, "characters", 30)
    twice = client.speech(f"{FERRY} {FERRY}", **told)
    assert (twice.format, twice.usage.characters) == ("mp3", 50)
    assert twice.duration == pytest.approx(2 * take.duration + 0.25, abs=0.2)
    times = [word["begin_time"] for word in twice.words]
    assert len(times) == 10
    assert times[5] - times[0] == pytest.approx(1000 * (take.duration + 0.25), abs=2)
    box.fault("400", times=1)
    with pytest.raises(qk.InvalidRequest):
        client.speech(FERRY, **told)


def test_instructions_and_answers_find_their_way(client):
    assert client.speech(FERRY, instructions="Softly.", save=False).model == "qwen3-tts-instruct-flash"
    assert client.speech(FERRY, language="en-GB", save=False).meta["language"] == "English"
    reply = client.chat("Say hello.")
    assert client.speech(reply, save=False).text == reply.text.strip()


def test_a_stopped_stream_says_that_it_is_partial(client):
    stream = client.speech.stream(LONG, save=False)
    next(iter(stream))
    assert stream.reply.text == f"{LONG} (partial)"
    list(stream)
    assert stream.reply.text == LONG


def test_cosyvoice_speaks_with_its_options_and_tells_words(client, box):
    told = {"model": "cosyvoice-v3-flash", "voice": "longanyang", "save": False}
    take = client.speech(FERRY, **told, language="en", instructions="Softly.", seed=7)
    assert take.format == "mp3"
    given = box.requests[-2].json["input"]
    assert given["language_hints"] == ["en"]
    assert (given["instruction"], given["seed"]) == ("Softly.", 7)
    for format in ("pcm", "wav"):
        raw = client.speech(FERRY, **told, format=format, sample_rate=16000)
        assert (raw.rate_hz, round(raw.duration)) == (16000, round(take.duration))
        asked = {**told, "format": format, "sample_rate": 16000, "word_timestamp_enabled": True}
        streamed = client.speech.stream(FERRY, **asked).finish()
        assert streamed.pcm16 == raw.pcm16
        assert [word["text"] for word in streamed.words] == FERRY.split()
        assert streamed.words[-1]["end_time"] <= 1000 * streamed.duration


async def test_a_voice_is_cloned_speaks_and_is_deleted(qwen):
    sample = await done(qwen.speech(LONG, voice="Ethan", save=False))
    mine = await done(qwen.voices.clone(sample, name="pier", text=LONG, language="en"))
    assert (mine.model, mine.usable) == ("qwen3-tts-vc-2026-01-22", True)
    for voice in (mine, mine.id, "pier"):  # its name holds in the session that made it
        assert (await done(qwen.speech(FERRY, voice=voice, save=False))).model == mine.model
    mine_too = (listed := await done(qwen.voices.list()))[0]
    assert (mine_too.id, mine_too.name) == (mine.id, "pier")
    told, saved = str(listed), listed._repr_mimebundle_()
    assert mine.id in told
    assert f"{mine_too.created} (Beijing)" in told
    assert "pier" in saved["text/plain"]
    assert mine.id not in saved["text/plain"]  # which must be the same in each run
    assert f'qk-volatile">{mine.id}</span>' in saved["text/html"]
    assert (await done(qwen.voices.get(mine))).created
    with pytest.raises(qk.InvalidRequest, match="not supported"):
        await done(qwen.speech(FERRY, voice=mine.id, model=MODEL))
    await done(qwen.voices.delete(mine))
    with pytest.raises(qk.ConfigError, match="no voice 'pier'"):
        await done(qwen.speech(FERRY, voice="pier"))
    with pytest.raises(qk.NotFound):
        await done(qwen.voices.get(mine))


def test_a_voice_is_designed_and_brings_its_first_words(client):
    told = {"preview": "Welcome aboard.", "name": "keeper"}
    deep = client.voices.design("A deep, slow voice of an old man", **told)
    assert deep.preview.text == "Welcome aboard."
    assert deep.preview.duration > 1
    assert client.voices.get(deep).prompt == deep.prompt
    assert client.speech(FERRY, voice=deep, save=False).model == "qwen3-tts-vd-2026-01-26"


def test_cosyvoice_clones_by_the_same_words(client):
    sample = client.speech(LONG, save=False)
    mine = client.voices.clone(sample, name="pier", model="cosyvoice-v3-flash", language="English")
    assert mine.id.startswith("cosyvoice-v3-flash-pier-")
    assert mine.name == "pier"
    assert client.voices.get(mine.id).status == "OK"
    assert client.speech(FERRY, voice=mine.id, save=False).model == "cosyvoice-v3-flash"
    client.voices.delete(mine.id)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda voices, sound: voices.clone(sound, name="a b"), "cannot be named"),
        (lambda voices, sound: voices.clone(sound, name="Pier", model="cosyvoice-v2"), "cannot be named"),
        (lambda voices, sound: voices.clone(sound, name="pier", model="qwen-tts"), "takes no voices"),
        (lambda voices, sound: voices.clone(sound.resampled(16000), name="pier"), "24,000 Hz"),
        (lambda voices, sound: voices.clone(qk.Audio.pcm(bytes(2 * 24000 * 61), 24000), name="pier"), "may last 60 s"),
        (lambda voices, sound: voices.clone("nothing.wav", name="pier"), "does not exist"),
        (lambda voices, sound: voices.design("", name="pier"), "1 to 2048"),
        (lambda voices, sound: voices.design("deep", preview="a" * 1025), "1 to 1024"),
        (lambda voices, sound: voices.delete(" "), "cannot be ' '"),
        (lambda voices, sound: voices.clone(sound, name="pier", model=5), "model cannot be 5"),
        (lambda voices, sound: voices.design("deep", language=5), "language cannot be 5"),
        (lambda voices, sound: voices(model=5), "model cannot be 5"),
    ],
)
def test_what_no_voice_can_be_made_of_costs_no_call(client, box, call, words):
    sound = qk.Audio.pcm(b"\0\1" * 24000, 24000)
    with pytest.raises(qk.ConfigError) as caught:
        call(client.voices, sound)
    assert words in str(caught.value)
    assert not box.requests


@pytest.mark.parametrize(
    ("maker", "seconds", "rate_hz", "fits"),
    [(CLONE, 60, 24000, True), (CLONE, 60.1, 24000, False), (CLONE, 20, 23999, False), (COSY, 60, 16000, True)],
)
def test_a_sample_is_checked_at_its_limits(maker, seconds, rate_hz, fits):
    sample = qk.Audio.pcm(bytes(2 * round(seconds * rate_hz)), rate_hz)
    with nullcontext() if fits else pytest.raises(qk.ConfigError, match="does not suit"):
        _check(sample, maker)


@pytest.mark.parametrize(
    ("maker", "inside", "outside"), [(CLONE, "a" * 16, "a" * 17), (CLONE, "A_1", "a-1"), (COSY, "a" * 10, "a" * 11)]
)
def test_a_name_is_checked_at_its_limits(maker, inside, outside):
    assert maker.named(inside) == {maker.name: inside}
    with pytest.raises(qk.ConfigError, match="cannot be named"):
        maker.named(outside)


def test_the_cast_of_a_model_is_a_table(client):
    assert client.voices(model="qwen-tts").names == ["Cherry", "Serena", "Ethan", "Chelsie"]
    assert client.voices(language="Sichuan").names == ["Sunny", "Eric"]
    assert client.voices(language="en").names == client.voices(language="english").names == client.voices().names
    assert "None of its voices" in str(client.voices(language="Klingon"))
    assert client.aio.voices().names == [each.name for each in catalogue.voices(MODEL)]
    shown = client.voices()._repr_mimebundle_()
    assert "Radio Gol" in shown["text/html"]
    assert "Chinese, English" in client.voices(model="qwen-tts")._repr_mimebundle_()["text/plain"]
    assert "no voice" in str(client.voices(model="qwen3-tts-vc"))
    assert "a name from the service's list" in str(client.voices(model="cosyvoice-v2"))
    assert client.voices(language="yue").names == client.voices(language="Cantonese").names == ["Rocky", "Kiki"]


# -- parts of texts and of streams -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "text", "parts"),
    [
        (600, "One. Two.", ["One. Two."]),
        (10, "One day. Two days.", ["One day.", "Two days."]),
        (12, "Dr. No paid 3.14 dollars.", ["Dr. No paid", "3.14", "dollars."]),
        (31, "He left, e.g. at 9 a.m. sharp. Good.", ["He left, e.g. at 9 a.m. sharp.", "Good."]),
        (40, "See https://a.example/x?y=1.5&z now! Yes.", ["See https://a.example/x?y=1.5&z now!", "Yes."]),
        (16, "今天天气好。明天呢？后天也好！", ["今天天气好。", "明天呢？后天也好！"]),
        (16, "他说：“你好。”然后走了。再见。", ["他说：“你好。”", "然后走了。再见。"]),
        (10, "真的吗?是的。New day", ["真的吗?", "是的。", "New day"]),
        (8, "abcdefghijkl", ["abcdefgh", "ijkl"]),
        (4, "e\u0301" * 3, ["e\u0301" * 2, "e\u0301"]),
        (7, "Good... - ! Day.", ["Good...", "Day."]),  # marks alone say nothing
        (9, "!!!", ["!!!"]),
    ],
)
def test_texts_are_cut_where_a_speaker_breathes(most, text, parts):
    assert [part.text for part in split(text, lambda part: characters(part) <= most)] == parts


@pytest.mark.parametrize(
    ("model", "inside", "outside"),
    [(MODEL, "a" * 600, "a" * 601), (MODEL, "好" * 300, "好" * 301), ("qwen-tts", "one " * 460, "one " * 470)],
)
def test_a_text_is_one_call_up_to_the_limit(model, inside, outside):
    assert len(protocol.order(inside, model=model).parts) == 1
    assert len(protocol.order(outside, model=model).parts) == 2


def frame(pcm: bytes, reason: str = "null") -> bytes:
    audio = {"data": base64.b64encode(pcm).decode(), "url": "http://x.test/a.wav" if reason == "stop" else None}
    return json.dumps({"output": {"finish_reason": reason, "audio": audio}}).encode()


@pytest.mark.parametrize("header", [b"", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + bytes(16) + b"data\0\0\0\0"])
@pytest.mark.parametrize("size", [1, 3, 7, 4096])
def test_chunks_of_any_size_with_or_without_a_header(header, size):
    pcm = bytes(range(256)) * 8
    whole = header + pcm
    fold = SpeechFold(Sound([Part("x")], 24000, lambda text: {"text": text}), 0)
    frames = [frame(whole[at : at + size]) for at in range(0, len(whole), size)]
    heard = [piece.audio for data in [*frames, frame(b"", "stop")] for piece in fold.add(data)]
    assert b"".join(heard) == pcm
    assert all(len(bit) % 2 == 0 for bit in heard)
    assert fold.ended


def test_the_card_grows_while_it_speaks(client):
    shown: list[str] = []
    stream = client.speech.stream(LONG, save=False)
    qk.show(stream, publish=lambda bundle, update: shown.append(bundle["text/html"]))
    assert len(shown) > 1
    assert all("svg" in html and FERRY[:9] in html for html in shown)
    assert ["<audio" in html for html in (shown[0], shown[-1])] == [False, True]


def test_the_player_has_the_rate_of_the_stream(client):
    rates: list[int] = []
    stream = client.speech.stream(FERRY, model="cosyvoice-v3-flash", voice="longanyang", save=False)
    card = live.Card(stream, lambda bundle, update: None, time.monotonic, lambda rate: rates.append(rate) or Silent())
    with stream:
        for piece in stream:
            card.add(piece)
    assert rates == [stream.reply.rate_hz] == [22050]


class Silent:
    card = ""

    def add(self, pcm: bytes) -> None: ...

    def bundle(self) -> dict[str, Any]:
        return {}


def test_edges_fade_and_a_broken_chunk_is_told():
    loud = b"\xff\x7f" * 8
    assert faded(loud, 8, rising=True)[:2] == faded(loud, 8, rising=False)[-2:] == b"\0\0"
    fold = SpeechFold(Sound([Part("x")], 24000, lambda text: {"text": text}), 0)
    with pytest.raises(qk.StreamBroken):
        fold.add(b'{"output": {"audio": {"data": "%%%"}}}')
