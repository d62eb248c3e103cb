"""The sound of a spoken answer: base64 that is cut anywhere, with and without a header, becomes whole samples."""

from __future__ import annotations

import base64
import io
import json
import wave

import numpy as np
import pytest

from qwenkit.errors import ConfigError
from qwenkit.protocol import chat, native
from qwenkit.protocol.chat_stream import ChatFold
from qwenkit.protocol.omni import Sound

PCM = (np.sin(np.arange(5001) / 9) * 9000).astype("<i2").tobytes()


def header() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 24_000, 0, "NONE", ""))
        writer.writeframes(b"")
    return file.getvalue()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 3, 5, 400, 401, 10**6])
@pytest.mark.parametrize("front", [b"", header()], ids=["bare", "with a header"])
def test_pieces_cut_anywhere_are_joined_before_they_are_decoded(size: int, front: bytes):
    sound = Sound()
    came = [sound.add(piece) for piece in pieces(encoded(front + PCM), size)]
    assert b"".join(came) == PCM
    assert all(len(each) % 2 == 0 for each in came)
    audio = sound.audio(voice="Cherry")
    assert (audio.pcm16, audio.rate_hz, audio.channels) == (PCM, 24_000, 1)


@pytest.mark.parametrize("size", [1000, 1001])  # with padding in the middle
def test_pieces_encoded_on_their_own_are_read_too(size: int):
    sound = Sound()
    for at in range(0, len(PCM), size):
        sound.add(encoded(PCM[at : at + size]))
    assert sound.audio().pcm16 == PCM[: len(PCM) // 2 * 2]


def test_damaged_base64_costs_no_more_than_its_piece():
    sound = Sound()
    for piece in (encoded(PCM[:6000]), "!!!=", "", encoded(PCM[6000:])):
        sound.add(piece)
    assert sound.audio().pcm16[:6000] == PCM[:6000]


def event(delta: object, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish_reason", None)}
    return json.dumps({"id": "c", "model": "qwen3-omni-flash", "choices": [choice], **more}).encode()


def test_a_fold_gives_words_and_sound_as_they_come_and_both_in_the_reply():
    fold, text = ChatFold(voice="Cherry"), encoded(PCM)
    told = [fold.add(event({"role": "assistant", "content": "Four."}))]
    told += [fold.add(event({"audio": {"data": piece, "id": "a", "expires_at": 1}})) for piece in pieces(text, 999)]
    half = fold.reply().audio
    assert half is not None
    assert half.pcm16 == PCM
    told.append(fold.add(event({"content": ""}, finish_reason="stop")))
    flat = [piece for each in told for piece in each]
    assert b"".join(piece.audio for piece in flat) == PCM
    reply = fold.reply()
    assert (reply.text, reply.audio.text, reply.audio.meta["voice"]) == ("Four.", "Four.", "Cherry")
    assert reply.audio.meta["model"] == "qwen3-omni-flash"
    assert fold.ended


def test_a_transcript_is_the_text_where_there_is_no_other():
    for content, expected in (("", "Hello there."), ("Hi.", "Hi.")):
        fold = ChatFold()
        fold.add(event({"content": content}))
        for words in ("Hello ", "there."):
            fold.add(event({"audio": {"transcript": words, "data": None}}))
        assert fold.reply().text == expected


@pytest.mark.parametrize("audio", [None, {"data": 7}, "sound", {"data": "AAAA", "more": [1]}, {}])
def test_odd_sounds_do_not_break_a_stream(audio: object):
    fold = ChatFold()
    fold.add(event({"content": "Hi", "audio": audio}))
    assert fold.reply().text == "Hi"


@pytest.mark.parametrize(
    ("options", "told"),
    [({"speak": "Chery"}, "did you mean 'Cherry'"), ({"speak": 7}, "name a voice"), ({"speak": "Zzz"}, "it has Cherry"),
     ({"speak": True, "thinking": True}, "while it thinks"), ({"speak": True, "thinking": 500}, "while it thinks"),
     ({"speak": "Tina", "model": "qwen3.8-omni-flash"}, "text only.*qwen3-omni-flash"),
     ({"speak": "Cherry", "model": "qwen-plus"}, "text only"),
     ({"speak": "Jada", "model": "qwen3.5-omni-plus"}, "no voice")],
)  # fmt: skip
def test_what_cannot_be_spoken_is_refused_before_it_is_sent(options, told):
    model = options.pop("model", "")
    with pytest.raises(ConfigError, match=told):
        chat.body("Hi", options, model=model, usual="qwen-plus")


def test_what_speak_is_on_the_wire():
    body = chat.body("Hi", {"speak": "Ethan"}, model="", usual="qwen-plus")
    assert (body["model"], body["stream"], body["modalities"]) == ("qwen3-omni-flash", True, ["text", "audio"])
    assert (body["audio"], body["stream_options"]) == ({"voice": "Ethan", "format": "wav"}, {"include_usage": True})
    assert chat.body("Hi", {"speak": True}, model="qwen-omni-turbo")["audio"]["voice"] == "Chelsie"
    assert chat.body("Hi", {"speak": "Tina"}, model="", usual="qwen3.5-omni-flash")["model"] == "qwen3.5-omni-flash"
    assert chat.body("Hi", {"speak": "Mine"}, model="a-model-nobody-lists")["audio"]["voice"] == "Mine"
    assert "modalities" not in chat.body("Hi", {"speak": False}, model="qwen-plus")


def test_the_native_api_says_where_speech_is():
    with pytest.raises(ConfigError, match="does not speak"):
        native.body("Hi", {"speak": "Cherry"}, model="qwen3-omni-flash")


def test_the_chart_counts_what_was_spoken_once():
    from qwenkit.display.chart import _split
    from qwenkit.types.ledger import Entry

    entry = Entry(1, "chat", "qwen3-omni-flash", prompt=100, completion=80, audio=70, audio_out=50, image=10)
    assert _split(entry) == {"cached": 0, "image": 10, "audio": 70, "reasoning": 0, "prompt": 70, "completion": 30}
    assert sum(_split(entry).values()) == entry.total
