"""Sessions against the sandbox: what is said in every way there is, tools, limits, threads. One sandbox for all."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import pydoc
import re
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import realtime_faults as faults
from flavours import FLAVOURS, done
from realtime_faults import Scripted, served

import qwenkit as qk
from qwenkit.api.realtime import intake
from qwenkit.catalogue.realtime import realtime
from qwenkit.errors import BudgetExceeded, ConfigError, InvalidRequest, QwenError, SessionClosed

OMNI = "qwen3.5-omni-plus-realtime"
FERRY = "The ferry leaves at nine."
DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def qwen() -> Iterator[Any]:
    with qk.sandbox() as client:
        yield client


@pytest.fixture(scope="module")
def ferry(qwen: Any) -> qk.Audio:
    """Half of what is said here is this."""
    found: qk.Audio = qk.Audio.of(qwen.speech(FERRY, voice="Cherry"))
    return found


async def connected(qwen: Any, flavour: str, *args: Any, **options: Any) -> Any:
    session = (qwen.aio if flavour == "async" else qwen).realtime.connect(*args, **options)
    return await session if flavour == "async" else session


async def listed(items: Any) -> list[Any]:
    return [item async for item in items] if hasattr(items, "__aiter__") else list(items)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_words_sound_and_pictures_are_said_in_one_call(qwen: Any, ferry: qk.Audio, flavour: str) -> None:
    red = np.full((900, 1600, 3), (220, 0, 0), np.uint8)

    async def main() -> None:
        session = await connected(qwen, flavour, OMNI)
        session.engine.image_seconds = 0.1
        typed = await done(session.say("What is the capital of France?"))
        assert "Paris" in typed.text
        assert typed.audio.duration > 0.5
        assert not typed.spoken
        assert typed.usage.total > 0
        assert typed.receipt.model == OMNI
        assert typed.moments.to_text > 0
        spoken = await done(session.say(ferry))
        assert (spoken.user, spoken.spoken, spoken.ended) == (FERRY, True, "completed")
        assert abs(spoken.sound.duration - ferry.duration) < 0.05
        seen = await done(session.say("What do you see?", images=[red]))
        assert "red" in seen.text.lower()
        assert len(seen.images) == 1
        assert not seen.spoken
        both = await done(session.say(ferry, images=red))
        assert both.user == FERRY
        assert len(both.images) == 1
        assert repr(session) == f"Session({OMNI}, 4 turns, open)"
        assert [turn.number for turn in session.turns] == [1, 2, 3, 4]
        await done(session.close())
        await done(session.close())
        assert session.closed
        assert repr(session).endswith("closed)")
        with pytest.raises(SessionClosed):
            await done(session.say("More?"))

    asyncio.run(main())
    assert no_thread()


@pytest.mark.parametrize(("flavour", "detection"), [("sync", "server_vad"), ("async", "semantic_vad")])
def test_the_service_hears_where_speech_ends(qwen: Any, ferry: qk.Audio, flavour: str, detection: str) -> None:
    async def main() -> None:
        session = await connected(qwen, flavour, OMNI, turn_detection=detection, timeout=1.0)
        turn = await done(session.say(ferry))
        assert (turn.user, turn.ended) == (FERRY, "completed")
        assert turn.moments.speech_stopped is not None
        assert "capital" in (await done(session.say("What is the capital of France?"))).text
        red = np.full((64, 64, 3), (220, 0, 0), np.uint8)
        assert "red" in (await done(session.say("What do you see?", images=red))).text.lower()
        assert session.config["turn_detection"]["type"] == detection
        if detection == "server_vad":
            with pytest.raises(InvalidRequest, match="silent"):
                await done(session.say(bytes(3200)))
            with pytest.raises(InvalidRequest, match="no speech in it for 1 s"):
                await done(session.say(qk.Audio(np.random.default_rng(0).normal(0, 0.005, 3200).astype("f4"), 16_000)))
            with pytest.raises(ConfigError, match="without instructions"):
                await done(session.say(ferry, instructions="Be brief."))
        await done(session.close())

    asyncio.run(main())


@pytest.mark.parametrize("detection", ["server_vad", "semantic_vad"])
def test_what_is_said_goes_on_with_what_was_appended_before(qwen: Any, ferry: qk.Audio, detection: str) -> None:
    with qwen.realtime.connect(OMNI, turn_detection=detection) as session:

        def begin() -> None:
            count = session.call.counts["input_audio_buffer.speech_started"]
            session.append(ferry)
            while session.call.counts["input_audio_buffer.speech_started"] == count:
                time.sleep(0.002)

        begin()
        whole = session.say(ferry)
        assert (whole.user, whole.ended, whole.number) == (f"{FERRY} {FERRY}", "completed", 1)
        begin()
        typed = session.say("What is 4 + 4?")  # is answered, while the speech goes on
        assert (typed.user, typed.spoken, "8" in typed.text, typed.number) == ("What is 4 + 4?", False, True, 3)
        goes_on = session.say(ferry)
        assert (goes_on.user, goes_on.spoken, goes_on.number) == (f"{FERRY} {FERRY}", True, 2)
        session.append(ferry)
        session.append(bytes(2 * 16_000 * 2))  # this one has an end of its own
        assert session.say(ferry).user == FERRY
        assert session.engine.fold.current is None


@pytest.mark.parametrize("detection", [None, "server_vad"])
def test_a_picture_that_was_looked_at_is_seen_with_what_is_typed_next(
    qwen: Any, ferry: qk.Audio, detection: Any
) -> None:
    with qwen.realtime.connect(OMNI, turn_detection=detection) as session:
        for wrong in (3, "none.png"):
            with pytest.raises(ConfigError):
                session.look(wrong)
        assert session.look(np.full((64, 64, 3), (220, 0, 0), np.uint8))  # what was refused was not shown
        seen = session.say("What do you see?")
        assert ("red" in seen.text.lower(), seen.spoken, len(seen.images)) == (True, False, 1)
        spoken = session.say(ferry)
        assert ("red" in spoken.text.lower(), spoken.user, spoken.images) == (False, FERRY, [])


def test_what_came_to_nothing_leaves_no_gap_in_the_numbers(qwen: Any, ferry: qk.Audio) -> None:
    with qwen.realtime.connect(OMNI) as session:
        session.append(ferry)
        session.clear()
        assert session.say("Hello").number == 1


def test_a_slow_tool_is_not_a_silent_service(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_lamp(on: bool) -> str:
        """Switch the lamp."""
        clock = time.perf_counter

        async def tick() -> None:
            session.engine._ticker.cancel()
            session.engine._tick()

        with monkeypatch.context() as later:
            later.setattr(time, "perf_counter", lambda: clock() + 1000)
            session._portal.call(tick())
        return "on"

    with served(Scripted(tool=True)) as qwen, qwen.realtime.connect(tools=[set_lamp], timeout=1.0) as session:
        assert session.say("Lamp!").text == "The lamp is on."


def test_the_call_of_a_script_shows_what_its_figures_say(qwen: Any, ferry: qk.Audio) -> None:
    with qwen.realtime.connect(OMNI, turn_detection="server_vad") as session:
        turns = [session.say(each) for each in (ferry, ferry, "What is the capital of France?")]
    call, (first, second, typed) = session.call, turns
    lanes = call.timeline().lanes
    you, model = ([(bar.begin, bar.end) for bar in lanes[name]] for name in ("you", "model"))
    assert [end - begin for begin, end in you] == pytest.approx([ferry.duration] * 2, abs=0.01)
    pauses = [call.place(turn.moments.first_audio) - end for turn, (_, end) in zip(turns, you, strict=False)]
    assert pauses == pytest.approx([first.moments.to_audio / 1000, second.moments.to_audio / 1000], abs=0.05)
    assert model[0][0] == pytest.approx(you[0][1] + pauses[0], abs=0.05)
    assert you[1][0] >= model[0][1] - 0.001
    assert model[1][0] == pytest.approx(you[1][1] + pauses[1], abs=0.05)
    assert call.place(typed.moments.began) == pytest.approx(model[1][0] + second.audio.duration, abs=0.05)
    said = 2 * ferry.duration + sum(turn.audio.duration for turn in turns) + typed.moments.to_audio / 1000
    between = you[1][0] - model[0][1] + call.place(typed.moments.began) - (model[1][0] + second.audio.duration)
    assert call.stereo().duration == pytest.approx(said + sum(pauses) + between, abs=0.1)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_step_by_step_with_the_events_of_the_turn(qwen: Any, ferry: qk.Audio, flavour: str) -> None:
    async def main() -> None:
        session = await connected(qwen, flavour)
        seen: list[str] = []
        off = session.on(lambda event: seen.append(event.type))
        await done(session.append(ferry))
        await done(session.commit())
        turn = await done(session.respond())
        assert turn.number == 1
        events = await listed(session.turn())
        assert events[-1].type == "local.turn"
        assert turn.ended == "completed"
        assert "".join(e.delta for e in events if e.family == "text") == turn.text
        assert b"".join(e.pcm for e in events if e.family == "audio") == bytes(turn.pcm)
        off()
        count = len(seen)
        with pytest.raises(InvalidRequest):
            await done(session.commit())
        await done(session.append(ferry))
        await done(session.clear())
        again = await done(session.say("Hello", wait=False))
        assert [e.type for e in await listed(session.turn())][-1] == "local.turn"
        assert again.ended == "completed"
        assert len(seen) == count
        assert len(session.events) > count
        finished = session.turns()
        last = await anext(finished) if flavour == "async" else next(finished)
        assert last is session.turns[-1]
        await done(session.close())

    asyncio.run(main())


def test_iterating_a_session_gives_what_nobody_read_yet(qwen: Any) -> None:
    with qwen.realtime.connect() as session:
        session.send("conversation.item.create", item={"type": "message", "role": "user", "content": []})
        session.respond()
        types = []
        for event in session:
            types.append(event.type)
            if event.type == "response.done":
                break
    assert types[:2] == ["session.created", "session.updated"]
    assert "response.created" in types


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_tools_run_and_the_answer_goes_on(flavour: str) -> None:
    ran: list[str] = []

    def set_lamp(on: bool) -> str:
        """Switch the lamp."""
        ran.append(threading.current_thread().name)
        return f"on={on}"

    async def main(qwen: Any) -> None:
        session = await connected(qwen, flavour, tools=[set_lamp])
        turn = await done(session.say("Lamp!"))
        assert (turn.text, turn.ended) == ("The lamp is on.", "completed")
        assert [(run.name, run.result) for run in turn.runs] == [("set_lamp", "on=True")]
        assert len(turn.receipts) == 2
        assert turn.usage.total == 30
        assert len(session.turns) == 1
        assert len(qwen.usage.entries) == 2
        await done(session.close())

    scripted = Scripted(tool=True)
    with served(scripted) as qwen:
        asyncio.run(main(qwen))
    sent = [frame["type"] for frame in scripted.frames]
    assert sent[-2:] == ["conversation.item.create", "response.create"]
    assert sent.count("response.create") == 2
    assert len(ran) == 1
    assert ran[0] != "MainThread"


def test_a_tool_that_would_wait_for_itself_or_end_the_program_is_told_so() -> None:
    def asks(on: bool) -> str:
        return str(session.say("And you?").text)

    def leaves(on: bool) -> str:
        raise SystemExit(3)

    for tool, told in ((asks, "a tool cannot speak in the session that called it"), (leaves, "SystemExit: 3")):
        tool.__name__ = "set_lamp"
        with served(Scripted(tool=True)) as qwen, qwen.realtime.connect(tools=[tool]) as session:
            turn = session.say("Lamp!")
            assert told in turn.runs[0].error
            assert turn.text == "The lamp is on."
    assert no_thread()


def test_a_session_that_is_not_open_says_so_and_opens_once(qwen: Any) -> None:
    async def main() -> None:
        session = qwen.aio.realtime.connect()
        for call in (session.say("Hello"), session.append(bytes(640)), session.commit()):
            with pytest.raises(ConfigError, match="not open yet"):
                await call
        async with await session as same:
            assert same is session
            assert sum(event.type == "session.created" for event in session.events) == 1
        unopened = qwen.aio.realtime.connect()
        await unopened.close()
        with pytest.raises(SessionClosed):
            await unopened.say("Hello")

    asyncio.run(main())


def test_speech_may_interrupt_from_another_task(qwen: Any, ferry: qk.Audio) -> None:
    async def main() -> None:
        async with qwen.aio.realtime.connect(OMNI, turn_detection="server_vad") as session:
            first, second = await asyncio.wait_for(asyncio.gather(session.say(ferry), session.say(ferry)), 20)
            assert {first.ended, second.ended} <= {"completed", "interrupted"}

    asyncio.run(main())


def test_threads_take_turns() -> None:
    with served(Scripted()) as qwen, qwen.realtime.connect() as session:
        threads = [threading.Thread(target=session.say, args=(f"Lamp {number}!",)) for number in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(20)
        assert sorted(turn.user for turn in session.turns) == [f"Lamp {number}!" for number in range(4)]
        assert {(turn.text, turn.ended) for turn in session.turns} == {("The lamp is on.", "completed")}


def test_what_is_refused_is_not_held_against_what_comes_next(qwen: Any) -> None:
    with qwen.realtime.connect(OMNI) as session:
        session.send("nope")
        assert "8" in session.say("What is 4 + 4?").text
        assert "error" in [event.type for event in session.events[-99:]]
        with pytest.raises(InvalidRequest, match="voice"):
            session.update(voice="Serena")
        assert session.update(temperature=0.1)["temperature"] == 0.1
        for wrong in (lambda: session.send({"nope": 1}), lambda: session.on(3), lambda: session.turn()):
            with pytest.raises(ConfigError):
                wrong()
        waits: list[Any] = []
        session.on(lambda event: waits.append(event) or next(session.turns()))
        assert session.say("Hello").ended == "completed"  # a callback that waits for its own session is refused


MISTAKES: list[tuple[Any, str]] = [
    (lambda s: s.say("Hello", wiat=True), "did you mean 'wait'"),
    (lambda s: s.say(), "session.say(what, images=…"),
    (lambda s: s.say(bytes(6400), pace="fast"), "None at once"),
    (lambda s: s.say("Hello", voice="Cherry"), "session.update(voice=…) sets it"),
    (lambda s: s.say("Hello", instuctions="Be brief."), "did you mean 'instructions'"),
    (lambda s: s.say("Hello", instructions=3), 'system="Be brief."'),
    (lambda s: s.respond(modalities="sound"), '["text"] to read only'),
    (lambda s: s.say("https://example.com/a.wav"), "qwen.fetch(qk.Audio.of(url))"),
    (lambda s: s.say("https://example.com/a.wav?key=1"), "qwen.fetch(qk.Audio.of(url))"),
    (lambda s: s.say(str(DATA / "chart.png")), "WAV, MP3"),
    (lambda s: next(s.turns()), "wait=False"),
    (lambda s: next(s.turn()), "wait=False"),
    (lambda s: s.append(), "session.append(sound)"),
    (lambda s: s.save(pth="call.wav"), "did you mean 'path'"),
    (lambda s: s.send({"nope": 1}), 'send("response.create"'),
    (lambda s: s.on(3), "session.on(lambda"),
    (lambda s: s.on("response.done", 3), "session.on(lambda"),
    (lambda s: s.on("respons.done", print), "did you mean 'response.done'"),
    (lambda s: s.on("done", print), 'such as "response.done"'),
    (lambda s: s.add(3), "a dict as on the wire"),
    (lambda s: s.approve(3), "or its id"),
    (lambda s: s.commit(), "append() or write() first"),
    (lambda s: (s.update(turn_detection="server_vad"), s.commit()), "leave commit() out"),
]


def test_every_mistake_has_a_cure_and_a_session_its_help(qwen: Any) -> None:
    with qwen.realtime.connect() as session:
        for wrong, cure in MISTAKES:
            with pytest.raises((ConfigError, InvalidRequest)) as told:
                wrong(session)
            assert cure in told.value.hint, str(told.value)
        for noun, name, option in ((session, "say", "images"), (qwen.aio.images, "submit", "prompt")):
            assert option in pydoc.plain(pydoc.render_doc(getattr(noun, name)))
        assert not [
            name for each in (qwen, qwen.chat, qwen.transcribe, session) for name in dir(each) if name.isupper()
        ]


async def test_the_wrong_kind_of_with_is_told_which_is_right(qwen: Any) -> None:
    for open in (lambda client: client.realtime.connect(), lambda client: client.speech.live()):
        with pytest.raises(ConfigError, match="use async with"), open(qwen.aio):
            raise AssertionError
        with pytest.raises(ConfigError, match="use with"):
            async with open(qwen):
                raise AssertionError


def test_events_of_one_type_are_called_for_and_a_dict_is_sent(
    qwen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with qwen.realtime.connect() as session:
        types: list[str] = []
        session.on("response.done", lambda event: types.append(event.type))
        session.send({"type": "response.create", "response": {"instructions": "Be brief."}})
        for _ in session.turn():
            pass
        assert types == ["response.done"]
        assert session.save().name == session.save(tmp_path).name == "call.wav"
        assert (tmp_path / "call.wav").stat().st_size > 1000
    assert "qwen3-omni-flash-realtime: no list price known" in repr(qwen.usage) or "models: no list" in repr(qwen.usage)


def test_bytes_that_are_appended_are_samples_whatever_they_look_like() -> None:
    begins = [b"\xff\xfb\x90\x00", b"ID3\x03", b"RIFF", b"OggS"]
    scripted = Scripted()
    with served(scripted) as qwen, qwen.realtime.connect() as session:
        for each in begins:
            session.append(each + bytes(636))
        turn = session.say(bytes(6400))
        assert [bytes(turn.said)[at : at + 4] for at in range(0, 2560, 640)] == begins
        assert session.call.timeline().counts["client"]["input_audio_buffer.append"] == 6


def test_calls_can_be_answered_by_hand() -> None:
    def set_lamp(on: bool) -> str:
        """Switch the lamp."""
        raise AssertionError("nobody asked for this")

    with served(Scripted(tool=True)) as qwen, qwen.realtime.connect(tools=[set_lamp], run_tools=False) as session:
        turn = session.say("Lamp!")
        assert [call.parsed for call in turn.calls] == [{"on": True}]
        assert turn.text == ""
        assert not turn.runs
        with pytest.raises(ConfigError, match="no call"):
            session.tool_result("call_9", 1)
        session.tool_result(turn.calls[0], {"on": True})
        assert turn.runs[0].result == '{"on":true}' or turn.runs[0].result
        assert session.respond(wait=True).text == "The lamp is on."


class Noted(Scripted):
    """The first answer is a call that the service carries out itself."""

    async def _call(self, line: Any, id: str) -> None:
        self.tool = False
        call = {"id": "item_m", "type": "mcp_call", "name": "find", "arguments": "{}", "output": "Pier two."}
        await faults.say(line, "response.output_item.done", response_id=id, item=call)
        await faults.say(line, "response.done", response={"id": id, "status": "completed", "output": [call]})


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_answer_follows_what_the_service_did_itself(flavour: str) -> None:
    async def main(qwen: Any, run_tools: bool) -> Any:
        session = await connected(qwen, flavour, run_tools=run_tools)
        turn = await done(session.say("Where does it leave?"))
        await done(session.close())
        return turn

    for goes_on, text in ((True, "The lamp is on."), (False, "")):
        with served(Noted(tool=True)) as qwen:
            turn = asyncio.run(main(qwen, goes_on))
            assert (turn.text, turn.ended, [run.result for run in turn.runs]) == (text, "completed", ["Pier two."])
            assert len(turn.response_ids) == 1 + goes_on


def test_what_is_no_sound_is_refused_by_its_name(qwen: Any) -> None:
    picture = qk.Image.of(np.zeros((8, 8, 3), np.uint8))
    refused = {picture.bytes: "PNG", intake.jpeg(picture, None): "JPEG", b"abc": "3 bytes are no 16-bit samples"}
    with qwen.realtime.connect() as session, qwen.transcribe.live() as ears:
        for given, told in refused.items():
            for each in (session, ears):
                with pytest.raises(ConfigError, match=told):
                    each.append(given)
        ears.append(bytes(320))


def test_an_idle_end_promises_no_option_that_there_is_not() -> None:
    idle = faults.closes(1007, "Your session was closed because no response was generated for 180 seconds.")
    for opens, promised in (
        (lambda qwen: qwen.realtime.connect(), True),
        (lambda qwen: qwen.speech.live().open(), False),
    ):
        with served(Scripted("before updated", idle, times=99)) as qwen:
            with pytest.raises(SessionClosed, match="it was idle") as ended:
                opens(qwen)
            assert ("reconnect" in str(ended.value)) is promised


def test_rounds_of_tools_are_counted() -> None:
    scripted = Scripted(tool=True)
    scripted.forgets = True

    def set_lamp(on: bool) -> str:
        """Switch the lamp."""
        return "on"

    with served(scripted) as qwen, qwen.realtime.connect(tools=[set_lamp], max_rounds=2) as session:
        with pytest.warns(qk.errors.RoundsWarning, match="set_lamp after 2 rounds"):
            turn = session.say("Lamp!")
        assert len(turn.runs) == 2
        assert len(turn.calls) >= 1
        assert turn.ended == "completed"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_cancel_keeps_what_had_come_and_the_session_goes_on(flavour: str) -> None:
    async def main(qwen: Any) -> None:
        session = await connected(qwen, flavour)
        await done(session.cancel())  # nothing to stop
        turn = await done(session.say("Hello", wait=False))
        for _ in range(1000):
            if turn.text:
                break
            await asyncio.sleep(0.005)
        await done(session.cancel())
        for _ in range(1000):
            if turn.ended:
                break
            await asyncio.sleep(0.005)
        assert (turn.ended, turn.text) == ("cancelled", "The lamp ")
        assert (await done(session.say("Again"))).text == "The lamp is on."
        await done(session.close())

    with served(Scripted("mid text", faults.until_cancelled)) as qwen:
        asyncio.run(main(qwen))


def test_an_interrupted_cell_cancels_and_leaves_the_session_usable() -> None:
    with served(Scripted("mid text", faults.until_cancelled)) as qwen, qwen.realtime.connect() as session:
        timer = threading.Timer(0.25, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            session.say("Hello")
        assert session.say("Again").text == "The lamp is on."
        assert [turn.ended for turn in session.turns] == ["cancelled", "completed"]


def test_settings_change_in_the_open_session(qwen: Any) -> None:
    with qwen.realtime.connect(OMNI, system="Be brief.") as session:
        assert session.config["turn_detection"] is None
        assert session.id
        config = session.update(turn_detection="server_vad", silence_ms=400)
        assert config["turn_detection"]["silence_duration_ms"] == 400
        assert config["instructions"] == "Be brief."
        assert not session.manual
        with pytest.raises(ConfigError, match="tempo"):
            session.update(tempo=3)
        silent = session.update(speak=False, turn_detection=None)
        assert silent["modalities"] == ["text"]
        assert session.say("What is the capital of France?").audio is None


@pytest.mark.parametrize(
    "options",
    [
        {"voice": "Nobody"},
        {"temperature": 9},
        {"turn_detection": "psychic"},
        {"timeout": 0},
        {"max_rounds": 0},
        {"run_tools": "no"},
        {"reconnect": 1},
        {"speak": "no"},
        {"tempo": 1},
    ],
)
def test_wrong_options_are_refused_before_anything_is_dialled(options: dict[str, Any]) -> None:
    with served(Scripted()) as qwen:
        with pytest.raises(ConfigError) as told:
            qwen.realtime.connect(**options)
        assert told.value.hint
        with pytest.raises(ConfigError):
            qwen.realtime.connect(model=3)
    assert no_thread()


@pytest.mark.parametrize("given", ["", "  ", None, 3, b""])
def test_what_cannot_be_said_is_refused(qwen: Any, given: Any) -> None:
    with qwen.realtime.connect() as session:
        with pytest.raises(ConfigError):
            session.say(given)
        with pytest.raises(ConfigError, match="image"):
            session.say("Hello", image=given)
        assert session.turns == []


def test_a_picture_is_made_small_enough_and_a_camera_slow_enough(qwen: Any) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1500, 2600, 3), dtype=np.uint8)
    facts = realtime(OMNI)
    assert facts is not None
    with qwen.realtime.connect(OMNI) as session, qk.trace(qwen) as wire:
        assert session.look(noise) is True
        assert session.look(noise) is False
        frames = [event for event in wire[0].events if event.sent]
        assert [faults.kind(event.data) for event in frames] == [
            "input_audio_buffer.append",
            "input_image_buffer.append",
        ]
        small = intake.jpeg(noise, facts)
        assert len(small) * 4 / 3 <= facts.image_kilobytes * 1024
        assert max(qk.Image.of(small).size) <= 1280
        assert intake.jpeg(small, facts) == small
        session.engine.image_seconds = 0.15
        assert len(session.say("What do you see?", images=[small, small]).images) == 3
        shown = [
            each.at for each in wire[0].events if each.sent and faults.kind(each.data) == "input_image_buffer.append"
        ]
        assert min(later - earlier for earlier, later in pairwise(shown)) > 0.14


def test_a_trace_shows_the_frames_both_ways_with_sound_cut_short(qwen: Any, ferry: qk.Audio) -> None:
    with qk.trace(qwen) as wire, qwen.realtime.connect() as session:
        session.say(ferry)
    (exchange,) = wire
    assert exchange.status == 101
    assert exchange.finished_after is not None
    sent = [faults.kind(event.data) for event in exchange.events if event.sent]
    assert sent[0] == "session.update"
    assert sent[-2:] == ["input_audio_buffer.commit", "response.create"]
    assert max(len(event.data) for event in exchange.events) < 4000
    assert any("more" in event.data for event in exchange.events if "response.audio.delta" in event.data)
    assert "Bearer sk-…" in exchange.request_headers["Authorization"]
    assert "frames sent" in str(wire)
    assert re.search(r"→ input_audio_buffer.append × \d+\n", str(wire))
    assert re.search(r"← <strong>response.audio.delta</strong> × \d+ <code>", wire._repr_mimebundle_()["text/html"])


def test_a_trace_may_begin_while_the_session_is_open(qwen: Any) -> None:
    with qwen.realtime.connect() as session:
        with qk.trace(qwen) as wire:
            session.say("Hello")
        count = len(wire[0].events)
        session.say("Hello again")
        assert count > 5
        assert len(wire[0].events) == count


def test_every_answer_is_in_the_ledger_and_held_against_the_budget() -> None:
    with served(Scripted()) as qwen, qwen.realtime.connect() as session:
        session.say("Hello")
        session.say(bytes(6400))
        assert [(each.family, each.ok, each.prompt) for each in qwen.usage.entries] == [("realtime", True, 12)] * 2

        def spent(*args: Any) -> Any:
            raise BudgetExceeded("the call would pass the budget", hint="raise it")

        qwen._core.accounts.open = spent
        with pytest.raises(BudgetExceeded):
            session.say("More")
        asyncio.run_coroutine_threadsafe(_answer_by_itself(session.engine), session._portal._loop).result(5)
        assert any(event.type == "local.budget" for event in session.events)


async def _answer_by_itself(engine: Any) -> None:
    engine._received(b'{"type":"response.created","response":{"id":"resp_x"}}')


def test_limits_are_told_before_they_are_hit() -> None:
    with served(Scripted()) as qwen, qwen.realtime.connect() as session:
        engine = session.engine
        engine._began -= 119 * 60
        until = time.monotonic() + 10
        while time.monotonic() < until and not any(event.type == "local.limit" for event in session.events):
            time.sleep(0.02)
        limits = {event.detail["limit"] for event in session.events if event.type == "local.limit"}
        assert limits == {"session", "idle"}


def test_a_callback_may_call_the_session(qwen: Any) -> None:
    with qwen.realtime.connect() as session:
        answers: list[Any] = []

        def on(event: Any) -> None:
            if event.type == "response.created":
                answers.append(session.cancel())

        session.on(on)
        turn = session.say("Tell me about the sea.")
        assert answers == [None]
        assert turn.ended in ("cancelled", "completed")


def test_a_forgotten_session_lets_go(qwen: Any) -> None:
    session = qwen.realtime.connect()
    session.say("Hello")
    del session
    gc.collect()
    assert no_thread()


def test_a_forked_child_is_told_so(qwen: Any) -> None:
    with qwen.realtime.connect() as session:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context = multiprocessing.get_context("fork")
            told, here = context.Pipe()
            child = context.Process(target=_in_child, args=(session, here))
            child.start()
        assert told.poll(20)
        assert told.recv() == "this session belongs to another process"
        child.join(10)
        assert session.say("Hello").ended == "completed"


def _in_child(session: Any, here: Any) -> None:
    try:
        session.close()
        session.say("Hello")
    except QwenError as error:
        here.send(error.message)
    finally:
        here.close()
        os._exit(0)


def test_a_session_lives_inside_a_running_loop(qwen: Any) -> None:
    async def cell() -> str:
        with qwen.realtime.connect() as session:  # blocking, as in a notebook's cell
            return session.say("What is the capital of France?").text

    assert "Paris" in asyncio.run(cell())


def test_sound_is_paced_like_speech_when_asked() -> None:
    scripted = Scripted()
    with served(scripted) as qwen, qwen.realtime.connect() as session:
        turn = session.say(bytes(6400), pace=2.0)
        assert turn.moments.committed - turn.moments.began >= 0.09


def test_twelve_sessions_at_once() -> None:
    async def one(qwen: Any) -> Any:
        async with qwen.aio.realtime.connect() as session:
            return await session.say(bytes(6400))

    async def main(qwen: Any) -> list[Any]:
        return await asyncio.gather(*(one(qwen) for _ in range(12)))

    with served(Scripted()) as qwen:
        turns = asyncio.run(main(qwen))
        assert [turn.text for turn in turns] == ["The lamp is on."] * 12
        sessions = [qwen.realtime.connect() for _ in range(12)]
        assert len({thread for thread in threading.enumerate() if thread.name == "qwenkit-session"}) == 12
        for session in sessions:
            session.close()
    assert no_thread()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_model_nobody_knows_is_told_with_those_that_are_close(qwen: Any, flavour: str) -> None:
    with pytest.raises(SessionClosed, match="qwen3-omni-flash-realtime"):
        asyncio.run(connected(qwen, flavour, "qwen3-omni-flash-realtimes"))
    with pytest.raises(ConfigError, match="qwen-plus"):
        asyncio.run(connected(qwen, flavour, "qwen-plus"))


@pytest.mark.parametrize("after", [3, 9, 15])
@pytest.mark.parametrize("fault", ["ws-reset", "ws-close:1011", "ws-garbage", "ws-binary", "ws-big"])
def test_the_sandbox_stumbles_and_the_session_goes_on(qwen: Any, fault: str, after: int) -> None:
    qwen._core.patience = msgspec.structs.replace(qwen._core.patience, first_pause=0.005)
    qwen.box.fault(f"{fault}:{after}")
    with qwen.realtime.connect(speak=False) as session:
        turn = session.say("What is the capital of France?")
        broken = fault in ("ws-reset", "ws-close:1011")
        assert turn.ended == ("lost" if broken else "completed")
        assert session.reconnects == broken
        assert "Paris" in session.say("What is the capital of France?").text
    qwen.box.clear_faults()


@pytest.mark.parametrize("status", ["401", "403", "503"])
def test_the_door_of_the_sandbox_refuses_with_a_type(qwen: Any, status: str) -> None:
    qwen.box.fault(status, times=5, path="realtime")
    try:
        with pytest.raises(qk.errors.APIError) as told:
            qwen.realtime.connect()
        assert told.value.status == int(status)
    finally:
        qwen.box.clear_faults()


def no_thread() -> bool:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if not [each for each in threading.enumerate() if each.name.startswith("qwenkit-session")]:
            return True
        time.sleep(0.01)
    return False
