"""Sessions that speak, write down or translate: their folds against recorded frames, and both flavours end to end."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flavours import done, opened, pieces

import qwenkit as qk
from qwenkit import catalogue
from qwenkit.protocol.realtime.live import SpeakingFold, TranscribingFold, TranslatingFold
from qwenkit.protocol.realtime.live_settings import hearing, speaking, translating
from qwenkit.protocol.realtime.machine import Machine
from qwenkit.sandbox import Sandbox

DATA = Path(__file__).parents[2] / "data"
FERRY, HELLO = DATA / "ferry.wav", DATA / "hello.wav"
WORDS = "The ferry leaves at nine from the north pier."
GENERATIONS = [f"{name}-livetranslate-flash-realtime" for name in ("qwen3", "qwen3.5", "qwen3.8")]
PCM = "AAABAAIAAwA="  # four samples
ITEM = "conversation.item.input_audio_transcription"
Frame = dict[str, Any]


@pytest.fixture
def client(client: qk.Client) -> Iterator[qk.Client]:
    """The workers of a session's loop end a moment after it, and so does a sandbox that was left in the middle of a
    word; then nothing may be left."""
    yield client
    until = time.monotonic() + 10
    while any("-work" in each.name or isinstance(each, threading.Timer) for each in threading.enumerate()):
        assert time.monotonic() < until, threading.enumerate()
        time.sleep(0.005)


def folded(fold: Any, frames: list[Frame | str]) -> Any:
    """The fold after a recorded session."""
    machine = Machine(fold.asked.model, fold.asked.session)
    for frame in frames:
        for event in machine.receive(frame if isinstance(frame, str) else json.dumps(frame)):
            fold.add(event)
    return fold


def response(id: str, *inner: Frame, status: str = "completed", **told: Any) -> list[Frame]:
    """A response as it was measured: created, what is in it, done."""
    return [
        {"type": "response.created", "response": {"id": id, "status": "in_progress", "conversation_id": ""}},
        {"type": "response.output_item.added", "response_id": id, "item": {"id": f"item_{id}"}},
        *({"response_id": id, **each} for each in inner),
        {"type": "response.done", "response": {"id": id, "status": status, **told}},
    ]


CREATED = {"type": "session.created", "session": {"id": "sess_1"}}
UPDATED = {"type": "session.updated", "session": {"id": "sess_1"}}
FINISHED = {"type": "session.finished"}
DELTA = {"type": "response.audio.delta", "delta": PCM}


# -- folds -------------------------------------------------------------------------------------------------------------


def test_several_responses_are_one_speech():
    fold = SpeakingFold(speaking(voice="Cherry", mode="commit"))
    for text in ("One. ", "Two."):
        fold.wrote(text)
    fold.committed()
    fold.wrote("Never.")
    fold.cleared()
    usage: Any = {"usage": {"characters": 5}}
    frames = [CREATED, UPDATED, {"type": "input_text_buffer.committed", "item_id": ""}, *response("a", DELTA, **usage)]
    folded(fold, [*frames, {"type": "input_text_buffer.cleared"}, *response("b", DELTA, DELTA, **usage)])
    assert not fold.finished, "the end of a response is not that of the session"
    folded(fold, ["{broken", '{"type": "later.invented", "x": 1}', FINISHED])
    spoken = fold.reply()
    assert fold.finished
    assert [each.finish_reason for each in fold.pieces if each.finish_reason] == ["completed", "completed"]
    assert b"".join(each.audio for each in fold.pieces) == spoken.pcm16 == bytes([0, 0, 1, 0, 2, 0, 3, 0]) * 3
    assert (spoken.text, spoken.usage.characters, spoken.voice) == ("One. Two.", 10, "Cherry")
    assert spoken.receipt.request_id == "sess_1"


def test_half_a_sample_waits_for_its_other_half():
    fold = SpeakingFold(speaking())
    cut = [{"type": "response.audio.delta", "delta": each} for each in ("AAAB", "AAIAAwA=")]
    assert folded(fold, response("a", *cut)).reply().pcm16 == bytes([0, 0, 1, 0, 2, 0, 3, 0])
    assert all(len(each.audio) % 2 == 0 for each in fold.pieces)
    tongue = folded(TranslatingFold(translating(to="en")), response("a", *cut))
    assert b"".join(each.audio for each in tongue.pieces) == fold.reply().pcm16 == tongue.reply().audio.pcm16
    assert all(len(each.audio) % 2 == 0 for each in tongue.pieces)


def test_sentences_have_the_times_of_their_speech():
    fold = TranscribingFold(hearing())
    heard = [
        {"type": "input_audio_buffer.speech_started", "item_id": "i1", "audio_start_ms": 300},
        {"type": f"{ITEM}.text", "item_id": "i1", "text": "", "stash": "Good", "language": "en", "emotion": "happy"},
        {"type": "input_audio_buffer.speech_stopped", "item_id": "i1", "audio_end_ms": 1500},
        {"type": "input_audio_buffer.committed", "item_id": "i1", "previous_item_id": None},
        {"type": "input_audio_buffer.speech_started", "item_id": "i2", "audio_start_ms": 2600},
        {"type": f"{ITEM}.text", "item_id": "i1", "text": "Good", "stash": " moaning"},
        {"type": f"{ITEM}.completed", "item_id": "i1", "transcript": "Good morning."},
        {"type": f"{ITEM}.failed", "item_id": "i2", "error": {"code": "x", "message": "too noisy"}},
        {"type": f"{ITEM}.completed", "item_id": "i3", "transcript": "早。", "language": "zh"},
    ]
    found = list(folded(fold, heard).pieces)
    assert [(each.text, each.final) for each in found] == [
        ("Good", False), ("Good moaning", False), ("Good morning.", True), ("", True), ("早。", True)
    ]  # fmt: skip
    assert (found[2].begin_ms, found[2].end_ms, found[2].language, found[2].emotion) == (300, 1500, "en", "happy")
    assert found[3].error == "too noisy"
    transcript = fold.reply()
    assert transcript.text == "Good morning.早。"
    assert [(each.begin_ms, each.text) for each in transcript.sentences] == [(300, "Good morning."), (0, "早。")]


SNAPSHOTS = [
    {"type": "response.audio_transcript.text", "text": "", "stash": "Good"},
    {"type": "response.audio_transcript.text", "text": "Good", "stash": " day"},
    {"type": "response.audio_transcript.done", "transcript": "Good morning."},
]
WRITTEN = [
    {"type": "response.text.text", "text": "Good"},
    {"type": "response.text.text", "text": "Good morning."},
    {"type": "response.text.done", "text": "Good morning."},
]
PARTS = [
    {"type": "response.audio_transcript.delta", "delta": "Good "},
    {"type": "response.audio_transcript.delta", "delta": "morning."},
    {"type": "response.audio_transcript.done", "transcript": "Good morning."},
]


@pytest.mark.parametrize("words", [SNAPSHOTS, WRITTEN, PARTS, [*SNAPSHOTS, *WRITTEN]])
def test_all_dialects_of_a_translation_are_the_same_words(words: list[Frame]):
    fold = TranslatingFold(translating(to="English", source="zh"))
    frames: list[Any] = [
        {"type": "input_audio_buffer.speech_started", "audio_start_ms": 100},  # without an item, as it was seen
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900},
        {"type": "input_audio_buffer.committed"},
        {"type": f"{ITEM}.completed", "item_id": "i1", "transcript": "早上好。"},
    ]
    folded(fold, [*frames, *response("a", *words, DELTA), *response("b", DELTA), FINISHED])
    reply = fold.reply()
    assert reply.text == "".join(each.text for each in fold.pieces) == "Good morning."
    assert reply.heard.text == "早上好。"
    assert (reply.heard.sentences[0].begin_ms, reply.heard.sentences[0].end_ms) == (100, 900)
    assert len(reply.audio.pcm16) == 16
    assert repr(reply) == "Translation('Good morning.', to='en', heard='早上好。')"


# -- options -----------------------------------------------------------------------------------------------------------

SPEECH, EARS, TONGUE = "speech", "transcribe", "translate"
CURES: list[tuple[str, dict[str, Any], str]] = [
    (SPEECH, {"mode": "later"}, "server_commit or commit"),
    (SPEECH, {"format": "flac"}, "pcm or wav or mp3 or opus"),
    (SPEECH, {"rate_hz": 11025}, "8000 or 16000"),
    (SPEECH, {"speed": 3}, "from 0.5 to 2"),
    (SPEECH, {"volume": True}, "from 0 to 100"),
    (SPEECH, {"sped": 1}, "did you mean 'speed'"),
    (SPEECH, {"rate": 1}, "speed=1.2"),
    (SPEECH, {"voice": "Chery"}, "did you mean 'Cherry'"),
    (SPEECH, {"language": "Klingon"}, "it speaks Chinese"),
    (SPEECH, {"language": 3}, "a text"),
    (SPEECH, {"model": "qwen-plus"}, "use qwen3-tts-flash-realtime"),
    (SPEECH, {"model": "qwen-tts-realtime", "speed": 1.2}, "use qwen3-tts-flash-realtime"),
    (SPEECH, {"model": "qwen3-tts-flash-realtime", "instructions": "x"}, "qwen3-tts-instruct-flash-realtime"),
    (SPEECH, {"model": "qwen3-tts-vc-realtime"}, "pass voice="),
    (EARS, {"turn_detection": "semantic_vad"}, "commit by hand"),
    (EARS, {"turn_detection": {"type": "server_vad", "silence": 500}}, "did you mean 'silence_ms'"),
    (EARS, {"threshold": 2}, "from -1 to 1"),
    (EARS, {"silence_ms": 5}, "from 200 to 6,000"),
    (EARS, {"turn_detection": None, "silence_ms": 400}, "turn_detection"),
    (EARS, {"rate_hz": 44100}, "8000 or 16000"),
    (EARS, {"language": "Klingon"}, "it knows"),
    (EARS, {"extra": 3}, "dict"),
    (TONGUE, {}, 'to="English"'),
    (TONGUE, {"to": "Klingon"}, "it knows"),
    (TONGUE, {"to": "en", "phrases": ["a"]}, "phrases={"),
    (TONGUE, {"to": "en", "voice": "Nobody"}, "lists them"),
    (TONGUE, {"target": "en"}, 'to="English"'),
    (TONGUE, {"to": "en", "model": "qwen-mt-flash"}, "livetranslate"),
]


def test_wrong_options_are_refused_with_a_cure_and_nothing_is_opened(box: Sandbox, client: qk.Client):
    for noun, options, cure in CURES:
        with pytest.raises(qk.ConfigError) as refused:
            getattr(client, noun).live(**options)
        assert cure in refused.value.hint, (noun, options, str(refused.value))
    with pytest.raises(qk.ConfigError, match="by name"):
        client.translate.live("English")
    client.speech.live(), client.transcribe.live(), client.translate.live(to="en")
    assert not box.requests
    assert "speed" in inspect.signature(client.speech.live).parameters
    assert "server_commit" in client.speech.live.__doc__


# -- both flavours -----------------------------------------------------------------------------------------------------


async def all_of(session: Any) -> list[Any]:
    return [piece async for piece in pieces(session)]


async def listened(session: Any, sound: Any = FERRY, **options: Any) -> Any:
    async with opened(session) as listening:
        return await done(listening.listen(sound, **options))


async def elsewhere(session: Any, read: Callable[[], Any]) -> Any:
    """Runs what reads a session where it is not fed: in another thread, or in another task."""
    if hasattr(session, "__aenter__"):
        return asyncio.create_task(all_of(session))
    return asyncio.get_running_loop().run_in_executor(None, read)


async def test_speech_comes_in_pieces_and_as_a_whole(qwen: Any, client: qk.Client):
    async with opened(qwen.speech.live(voice="Ethan", language="en")) as voice:
        await done(voice.write("The ferry leaves at nine. "))
        await done(voice.write(["It comes ", "back at noon."]))
        heard = await all_of(voice)
        spoken = await done(voice.finish())
        assert await done(voice.finish()) is spoken
    assert b"".join(each.audio for each in heard) == spoken.pcm16
    assert {each.rate_hz for each in heard} == {spoken.rate_hz} == {24000}
    assert spoken.text == "The ferry leaves at nine. It comes back at noon."
    assert (spoken.voice, spoken.meta["language"]) == ("Ethan", "English")
    assert 2 < spoken.duration < 6
    assert spoken.envelope(50).level_db > -40
    row = client.usage[-1]
    assert (row.family, row.model, row.characters, row.ok) == ("speech", spoken.model, spoken.usage.characters, True)
    assert spoken.request_id == voice.engine.machine.id == row.request_id
    assert spoken.raw[-1]["type"] == "session.finished"


async def test_what_is_committed_is_said_and_what_is_cleared_is_not(qwen: Any):
    async with opened(qwen.speech.live(mode="commit")) as voice:
        for text in ("One.", "Two."):
            await done(voice.write(text))
            await done(voice.commit())
        await done(voice.write("A secret."))
        await done(voice.clear())
        spoken = await done(voice.finish())
    assert (spoken.text, spoken.usage.characters) == ("One. Two.", 8)


@pytest.mark.parametrize(
    "options", [{"format": "mp3"}, {"format": "opus"}, {"format": "wav"}, {"rate_hz": 8000}], ids=str
)
async def test_every_format_becomes_a_sound(options: dict[str, Any], qwen: Any):
    async with opened(qwen.speech.live(mode="commit", **options)) as voice:
        for text in ("The ferry leaves at nine.", "It comes back at noon."):
            await done(voice.write(text))
            await done(voice.commit())
        spoken = await done(voice.finish())
    assert 2 < spoken.duration < 6
    assert spoken.envelope(50).level_db > -40
    assert spoken.rate_hz == options.get("rate_hz", 24000)


async def test_an_answer_is_spoken_while_it_is_written(qwen: Any):
    async with opened(qwen.speech.live()) as voice:
        answer = qwen.chat.stream("Count from one to ten.")
        await done(voice.write(answer))
        await all_of(voice)
        spoken = await done(voice.finish())
    assert spoken.text == answer.reply.text.strip()
    assert spoken.duration > 1


async def test_an_answer_that_breaks_is_raised_with_what_was_said(qwen: Any, box: Sandbox):
    box.fault("cut:2", path="chat")
    async with opened(qwen.speech.live()) as voice:
        await done(voice.write("Hear me. "))
        await done(voice.write(qwen.chat.stream("Count from one to ten.")))
        with pytest.raises(qk.StreamBroken):
            await all_of(voice)
        assert [each.finish_reason for each in await all_of(voice)][-1] == "completed", "told once, it goes on"
        assert (await done(voice.finish())).text.startswith("Hear me.")


async def test_another_may_read_while_this_one_writes(qwen: Any):
    async with opened(qwen.speech.live(mode="commit")) as voice:
        reading = await elsewhere(voice, lambda: list(voice))
        await asyncio.sleep(0.02)  # it begins
        for text in ("One.", "Two."):
            await done(voice.write(text))
            await done(voice.commit())
        spoken = await done(voice.finish())
        heard = await asyncio.wait_for(reading, 10)
    assert b"".join(each.audio for each in heard) == spoken.pcm16


async def test_who_has_read_to_the_end_cannot_go_on(qwen: Any):
    async with opened(qwen.speech.live()) as voice:
        await done(voice.write("One."))
        await all_of(voice)
        with pytest.raises(qk.ConfigError, match="nothing more comes"):
            await done(voice.write("Two."))


async def test_what_is_read_to_its_end_is_booked_and_is_the_whole(qwen: Any, client: qk.Client):
    async with opened(qwen.speech.live(voice="Cherry")) as voice:
        await done(voice.write("Hello there."))
        heard = await all_of(voice)
    row = client.usage[-1]
    whole = await done(voice.finish())
    assert (whole is voice.reply, whole.receipt.tries, row.ok, len(heard) > 0) == (True, 1, True, True)
    assert (len(client.usage), row.request_id) == (1, whole.request_id)


@pytest.mark.parametrize("family", ["transcribe", "translate", "speech"])
def test_for_a_model_that_is_none_one_of_its_kind_is_named(family: str, client: qk.Client):
    told = {"to": "English"} if family == "translate" else {}
    with pytest.raises(qk.errors.QwenError) as wrong:
        getattr(client, family).live(model="qwen9", **told).open()
    assert catalogue.DEFAULTS[f"{family}_live"] in wrong.value.hint
    with pytest.raises(qk.errors.QwenError) as wrong:
        client.realtime.connect(model="qwen9")
    assert catalogue.DEFAULTS["realtime"] in wrong.value.hint


def test_the_help_names_what_is_opened(client: qk.Client):
    for noun, kind in ((client.transcribe, "Ears"), (client.aio.speech, "AsyncVoice")):
        assert inspect.signature(noun.live).return_annotation.__name__ == kind


async def test_sentences_are_written_down(qwen: Any, client: qk.Client):
    async with opened(qwen.transcribe.live(language="English", context="pier")) as ears:
        await done(ears.append(FERRY))
        assert ears.reply.text in ("", WORDS), "there is something at any time"
        heard = await all_of(ears)
        transcript = await done(ears.finish())
    assert (heard[-1].text, heard[-1].final, heard[-1].index) == (WORDS, True, 0)
    assert all(not each.final and each.index for each in heard[:-1])
    assert transcript.text == WORDS
    assert (transcript.language, transcript.emotion) == ("en", "neutral")
    assert transcript.audio.duration == pytest.approx(qk.Audio.open(FERRY).duration, abs=0.01)
    only = transcript.sentences[0]
    assert 0 <= only.begin_ms < 600 < 1800 < only.end_ms < 2700
    row = client.usage[-1]
    assert (row.family, row.seconds, row.ok) == ("transcribe", 3, True)
    assert WORDS in transcript.srt().replace("\n", " ")


async def test_by_hand_sentences_end_where_they_are_committed(qwen: Any):
    async with opened(qwen.transcribe.live(turn_detection="manual")) as ears:
        await done(ears.append(HELLO))
        await done(ears.clear())
        await done(ears.commit())
        with pytest.raises(qk.InvalidRequest, match="have no audio"):
            await done(ears.finish())
    async with opened(qwen.transcribe.live(turn_detection="manual")) as ears:
        for clip in (HELLO, qk.Audio.open(FERRY)):
            await done(ears.append(clip))
            await done(ears.commit())
        transcript = await done(ears.finish())
    first, second = transcript.sentences
    assert second.text == WORDS
    assert (first.begin_ms, first.end_ms) == (0, second.begin_ms)
    assert second.end_ms == pytest.approx(transcript.seconds * 1000, abs=2)


async def test_a_recording_is_listened_to_at_once_and_silence_says_nothing(qwen: Any):
    assert (await listened(qwen.transcribe.live(turn_detection=None))).text == WORDS, "committed where nobody did"
    eight = await listened(qwen.transcribe.live(rate_hz=8000))
    assert eight.text == WORDS
    nothing = await listened(qwen.transcribe.live(), bytes(32_000), pace=100)
    assert (nothing.text, nothing.sentences, nothing.seconds) == ("", [], 1.0)


@pytest.mark.parametrize("model", GENERATIONS)
async def test_three_generations_translate(model: str, qwen: Any):
    async with opened(
        qwen.translate.live(to="Chinese", source="en", phrases={"ferry": "渡渡船"}, model=model)
    ) as tongue:
        await done(tongue.append(FERRY))
        await done(tongue.look(qk.Image.open(DATA / "plate.png")))
        heard = await all_of(tongue)
        reply = await done(tongue.finish())
    assert reply.heard.text == WORDS
    assert reply.text.startswith("渡渡船")
    assert "".join(each.text for each in heard) == reply.text
    assert b"".join(each.audio for each in heard) == reply.audio.pcm16
    assert reply.usage.audio_in > 0
    assert (reply.to, reply.audio.meta["language"]) == ("zh", "zh")


async def test_a_translation_may_be_silent(qwen: Any):
    reply = await listened(qwen.translate.live(to="zh", speak=False, turn_detection=None), bytes(6400))
    assert (reply.text, reply.audio) == ("", None)
    reply = await listened(qwen.translate.live(to="zh", speak=False))
    assert reply.text
    assert reply.audio is None


# -- when it goes wrong ------------------------------------------------------------------------------------------------


async def test_a_refused_handshake_is_the_typed_error(qwen: Any, box: Sandbox, client: qk.Client):
    box.fault("401", path="api-ws")
    with pytest.raises(qk.AuthError) as refused:
        await done(qwen.speech.live().open())
    assert refused.value.status == 401
    assert [row.ok for row in client.usage] == [False]


async def test_a_refusal_is_raised_where_it_is_read_and_the_session_goes_on(qwen: Any):
    async with opened(qwen.speech.live(mode="commit")) as voice:
        await done(voice.commit())
        await done(voice.write("Still here."))
        await done(voice.commit())
        with pytest.raises(qk.InvalidRequest, match="buffer is empty") as refused:
            await done(voice.finish())
        assert refused.value.reply is not None
        assert (await done(voice.finish())).text == "Still here."


async def test_a_voice_nobody_has_is_told_at_the_first_reply(qwen: Any):
    async with opened(qwen.speech.live(extra={"voice": "Nobody"})) as voice:
        await done(voice.write("Hello."))
        with pytest.raises(qk.APIError, match="Nobody"):
            await done(voice.finish())


@pytest.mark.parametrize("fault", ["ws-reset:12", "ws-close:1011:12"])
async def test_a_broken_session_keeps_what_was_heard(fault: str, qwen: Any, box: Sandbox, client: qk.Client):
    box.fault(fault)
    async with opened(qwen.speech.live()) as voice:
        await done(voice.write("The ferry leaves at nine. It comes back at noon. And then it rests until the evening."))
        with pytest.raises(qk.SessionClosed) as broken:
            await done(voice.finish())
        assert 0 < broken.value.reply.duration < 6
    assert [row.ok for row in client.usage] == [False]


@pytest.mark.parametrize("fault", ["ws-garbage:6", "ws-binary:6", "ws-big:6"])
async def test_nonsense_between_the_frames_is_passed_over(fault: str, qwen: Any, box: Sandbox):
    box.fault(fault)
    assert (await listened(qwen.transcribe.live())).text == WORDS


async def test_a_service_that_falls_silent_is_not_waited_for(qwen: Any, box: Sandbox):
    box.fault("ws-stall:4")
    async with opened(qwen.transcribe.live(timeout=0.3)) as ears:
        with pytest.raises(qk.TransportError, match="said nothing") as silent:
            await done(ears.listen(FERRY))
        assert silent.value.reply is not None


async def test_who_leaves_without_a_word_has_the_whole(qwen: Any, client: qk.Client):
    async with opened(qwen.speech.live(mode="commit")) as voice:
        await done(voice.write("The ferry leaves at nine."))
    async with opened(qwen.transcribe.live()) as ears:
        await done(ears.append(FERRY))
    assert (voice.reply.text, ears.reply.text) == ("The ferry leaves at nine.", WORDS)
    assert voice.reply.duration > 1
    assert [row.ok for row in client.usage] == [True, True]
    assert repr(ears) == f"{type(ears).__name__}(qwen3-asr-flash-realtime, closed)"


async def test_who_leaves_with_an_error_waits_for_nothing(qwen: Any, client: qk.Client):
    async def failing() -> None:
        async with opened(qwen.speech.live()) as voice:
            await done(voice.write("The ferry leaves at nine."))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    assert [row.ok for row in client.usage] == [False]


async def test_who_leaves_a_session_that_broke_unseen_is_told(qwen: Any, box: Sandbox):
    async def leaving() -> None:
        async with opened(qwen.speech.live(mode="commit")) as voice:
            await done(voice.write("The ferry leaves at nine."))
            await done(voice.commit())
            while not voice.engine.closed:
                await asyncio.sleep(0.005)

    box.fault("ws-close:1011:6")
    with pytest.raises(qk.SessionClosed) as broken:
        await asyncio.wait_for(leaving(), 20)
    assert broken.value.reply.text == "The ferry leaves at nine."


async def test_what_cannot_be_sent_is_refused_with_a_cure(qwen: Any):
    async with opened(qwen.speech.live()) as voice:
        for given in (3, None, b"abc", {"a": 1}):
            with pytest.raises(qk.ConfigError, match="only a text"):
                await done(voice.write(given))
        await done(voice.write(["a", 3]))
        with pytest.raises(qk.ConfigError, match="only a text"):
            await done(voice.finish())
    async with opened(qwen.transcribe.live()) as ears:
        with pytest.raises(qk.ConfigError, match="leave commit"):
            await done(ears.commit())
        with pytest.raises(qk.ConfigError, match=r"nothing was sent .* append\(sound\) first"):
            await all_of(ears)
        await done(ears.send({"type": "input_audio_buffer.append", "audio": bytes(6400)}))
        assert (await done(ears.finish())).text == ""
    with pytest.raises(qk.ConfigError, match="pace"):
        await listened(qwen.transcribe.live(), pace=-1)
    with pytest.raises(qk.ConfigError, match="timeout"):
        qwen.transcribe.live(timeout="soon")


async def test_leaving_early_books_what_came(qwen: Any, client: qk.Client):
    async with opened(qwen.speech.live()) as voice:
        await done(voice.write("The ferry leaves at nine. "))
        async for piece in pieces(voice):
            if piece.finish_reason:
                break
    assert voice.reply.duration > 1
    row = client.usage[-1]
    assert (row.ok, row.characters) == (False, 25)


def test_each_draws_itself_and_its_thread_ends_with_it(client: qk.Client, capsys: pytest.CaptureFixture[str]):
    from qwenkit.display.live import show

    sheets: list[dict[str, str]] = []
    publish = lambda bundle, update: sheets.append(bundle)
    with client.speech.live() as voice:
        voice.write("The ferry leaves at nine.")
        assert show(voice, publish=publish).duration > 1
    assert "<audio" in sheets[-1]["text/html"]
    with client.translate.live(to="Chinese") as tongue:
        tongue.append(FERRY)
        assert show(tongue, publish=publish).heard.text == WORDS
    assert "en → zh" in sheets[-1]["text/html"]
    assert sheets[-1]["text/plain"].startswith(WORDS)
    with client.transcribe.live() as ears:
        ears.append(FERRY)
        show(ears)
    assert capsys.readouterr().out.strip() == WORDS, "in a terminal previews are not printed"
    assert not [each for each in threading.enumerate() if each.name == "qwenkit-live"]
