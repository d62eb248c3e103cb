"""What breaks in the middle of a turn: at every point of one, a typed error or a session that has healed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from typing import Any

import pytest
import realtime_faults as faults
from flavours import done
from realtime_faults import POINTS, Scripted, served

from qwenkit.errors import APIError, AuthError, PermissionDenied, QwenError, SessionClosed, TransportError

PATIENCE = 0.4  # seconds a silent service is waited for here
LONG = json.dumps({"type": "some.news", "text": "x" * 3_000_000})
BREAKS = {
    "reset": faults.reset,
    "closed 1011": faults.closes(1011, "To many requests. Your requests are being throttled"),
    "closed 1007 idle": faults.closes(
        1007, "Your session was closed because no response was generated for 180 seconds."
    ),
    "closed 1007": faults.closes(1007, "<400> InternalError.Algo.InvalidParameter: no"),
    "closed 1000": faults.closes(1000, ""),
    "stalled": faults.stalled,
}
NOISE = {
    "garbage": faults.sends("<html>no JSON"),
    "binary": faults.sends(b"\x00\xff\x80 nothing readable"),
    "3 MB": faults.sends(LONG),
}
SO_FAR = {"mid text": "The lamp ", "mid audio": "The lamp ", "after done": "The lamp is on."}


def set_lamp(on: bool) -> str:
    """Switch the lamp."""
    return "on" if on else "off"


def threads() -> set[str]:
    return {each.name for each in threading.enumerate() if each.name.startswith("qwenkit-session")}


def gone() -> bool:
    """Whether all threads of sessions end, shortly."""
    until = time.monotonic() + 5
    while threads() and time.monotonic() < until:
        time.sleep(0.01)
    return not threads()


def opened(qwen: Any, **options: Any) -> Any:
    return qwen.realtime.connect(tools=[set_lamp], timeout=PATIENCE, **options)


def service(point: str, fault: faults.Fault) -> Scripted:
    return Scripted(point, fault, tool=point == "in arguments")


@pytest.mark.parametrize("fault", NOISE)
@pytest.mark.parametrize("point", POINTS)
def test_noise_changes_nothing(point: str, fault: str) -> None:
    with served(service(point, NOISE[fault])) as qwen, opened(qwen) as session:
        turn = session.say(bytes(6400))
        assert (turn.user, turn.text, turn.ended) == ("Turn the lamp on.", "The lamp is on.", "completed")
        assert session.reconnects == 0
    assert gone()


@pytest.mark.parametrize("fault", BREAKS)
@pytest.mark.parametrize("point", POINTS)
def test_a_break_heals_or_has_a_name(point: str, fault: str) -> None:
    """Whatever breaks wherever: what had come is kept, and the next turn works or the error says why it cannot."""
    heals = fault in ("reset", "closed 1011", "closed 1007 idle")
    kind = TransportError if fault == "stalled" else SessionClosed
    with served(service(point, BREAKS[fault])) as qwen:
        if point.startswith("before") and not heals:
            with pytest.raises(kind):
                opened(qwen)
        else:
            with opened(qwen) as session:
                broken(session, point, fault, heals, kind)
    assert gone()


def broken(session: Any, point: str, fault: str, heals: bool, kind: type[QwenError]) -> None:
    whole = point.startswith("before") or point == "after done"
    if heals or whole:
        turn = session.say(bytes(6400))
        assert turn.ended == ("completed" if whole else "lost")
    else:
        with pytest.raises(kind) as told:
            session.say(bytes(6400))
        turn = told.value.reply
        assert fault == "stalled" or told.value.code == int(fault[7:11])
    assert (turn.text if turn else "").startswith("The lamp is on." if whole else SO_FAR.get(point, ""))
    until = time.monotonic() + 10
    while point == "after done" and heals and not session.reconnects and time.monotonic() < until:
        time.sleep(0.002)  # of a turn that was over the break is noticed a moment later
    if heals:
        assert session.reconnects == (not point.startswith("before"))
        assert session.say(bytes(6400)).text == "The lamp is on."
    elif fault != "stalled":
        with pytest.raises(SessionClosed):
            session.say(bytes(6400))


@pytest.mark.parametrize("flavour", ["sync", "async"])
@pytest.mark.parametrize("point", ["after committed", "mid audio", "in arguments"])
def test_without_reconnect_the_session_is_over_and_keeps_what_had_come(point: str, flavour: str) -> None:
    async def main(qwen: Any) -> None:
        session = (qwen.aio if flavour == "async" else qwen).realtime.connect(reconnect=False, tools=[set_lamp])
        session = await session if flavour == "async" else session
        with pytest.raises(SessionClosed, match="throttled") as told:
            await done(session.say(bytes(6400)))
        assert (told.value.code, told.value.reply.ended) == (1011, "lost")
        assert told.value.reply.user == "Turn the lamp on."
        assert told.value.reply.text.startswith(SO_FAR.get(point, ""))
        assert session.turns[-1] is told.value.reply
        assert session.closed
        await done(session.close())

    with served(service(point, BREAKS["closed 1011"])) as qwen:
        asyncio.run(main(qwen))
    assert gone()


def test_a_reconnect_says_settings_and_typed_words_again() -> None:
    scripted = Scripted("mid audio", faults.reset)
    with served(scripted) as qwen, qwen.realtime.connect(voice="Cherry", system="Be brief.") as session:
        seen: list[Any] = []
        session.on(lambda event: seen.append(event) if event.family == "local" else None)
        turn = session.say("Turn the lamp on.")
        assert (turn.ended, turn.user, turn.text) == ("lost", "Turn the lamp on.", "The lamp ")
        assert [event.type for event in seen] == ["local.lost", "local.turn", "local.reconnected"] or seen
        assert next(event for event in seen if event.type == "local.reconnected").detail["code"] == 1006
        again = [frame for frame in scripted.frames if frame["type"] == "session.update"]
        assert again[0]["session"] == again[1]["session"]
        assert again[1]["session"]["instructions"] == "Be brief."
        assert session.say("Is it on?").text == "The lamp is on."
        typed = [frame["item"] for frame in scripted.frames if frame["type"] == "conversation.item.create"]
        assert len(typed) == 3
        assert typed[0] == typed[1]
        assert [each.user for each in session.turns] == ["Turn the lamp on.", "Is it on?"]


def test_a_service_that_breaks_every_time_is_given_up() -> None:
    scripted = Scripted("after committed", faults.reset, times=100)
    with served(scripted) as qwen, qwen.realtime.connect() as session:
        told: Any = None
        for _ in range(8):
            try:
                session.say(bytes(6400))
            except SessionClosed as error:
                told = error
                break
        assert told is not None
        assert told.code == 1006
        assert scripted.sockets == 5


def test_redialling_stops_where_the_key_is_refused() -> None:
    scripted = Scripted("mid audio", faults.reset)
    with served(scripted) as qwen, qwen.realtime.connect() as session:
        scripted.status = [503, 401]
        with pytest.raises(AuthError) as told:
            session.say(bytes(6400))
        assert told.value.status == 401
        assert told.value.reply.text == "The lamp "
        assert scripted.sockets == 1
        assert scripted.status == []


@pytest.mark.parametrize(("status", "kind"), [(401, AuthError), (403, PermissionDenied), (404, APIError)])
@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_a_refused_handshake_is_typed(status: int, kind: type[APIError], flavour: str) -> None:
    scripted = Scripted()
    scripted.status = [status]

    async def main(qwen: Any) -> None:
        if flavour == "async":
            await qwen.aio.realtime.connect()
        else:
            qwen.realtime.connect()

    with served(scripted) as qwen:
        with pytest.raises(kind) as told:
            asyncio.run(main(qwen))
        assert told.value.status == status
        assert "sk-test" not in f"{told.value!r}{told.value.__cause__!r}"
    assert gone()


def test_a_busy_service_is_dialled_again() -> None:
    scripted = Scripted()
    scripted.status = [503, 500]
    with served(scripted) as qwen, qwen.realtime.connect() as session:
        assert session.say("Hello").text == "The lamp is on."


def test_nobody_there() -> None:
    with served(Scripted()) as qwen:
        qwen._core.config.urls["realtime"] = "ws://127.0.0.1:9/api-ws/v1/realtime"
        with pytest.raises(TransportError) as told:
            qwen.realtime.connect()
        assert told.value.kind == "connect"
        qwen._core.config.urls["realtime"] = "ws://nowhere.invalid/api-ws/v1/realtime"
        with pytest.raises(TransportError):
            qwen.realtime.connect()
    assert gone()


def test_a_slow_reader_loses_events_and_is_told_but_never_words_or_sound() -> None:
    scripted = Scripted()
    scripted.deltas = 3000
    with served(scripted) as qwen, qwen.realtime.connect() as session:
        session.append(bytes(6400))
        session.commit()
        turn = session.respond(wait=False)
        until = time.monotonic() + 20
        while not turn.ended and time.monotonic() < until:
            time.sleep(0.01)
        assert (turn.text, len(turn.pcm)) == ("The lamp is on.", 3003 * len(faults.SOUND))
        events = session.turn()
        first = next(events)
        assert first.type == "local.dropped"
        assert first.detail["events"] > 900
        assert [event.type for event in events][-1] == "local.turn"


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_whoever_reads_gets_every_event_however_slowly(flavour: str) -> None:
    scripted = Scripted()
    scripted.deltas = 3000

    async def main(qwen: Any) -> int:
        if flavour == "async":
            async with qwen.aio.realtime.connect() as session:
                await session.respond()
                return sum([len(event.pcm) async for event in session.turn() if event.family == "audio"])
        with qwen.realtime.connect() as session:
            events = session.turn() if session.respond() else ()
            time.sleep(0.2)  # it is full long before anybody looks
            return sum(len(event.pcm) for event in events if event.family == "audio")

    with served(scripted) as qwen:
        assert asyncio.run(main(qwen)) == 3003 * len(faults.SOUND)


def test_who_is_called_a_reader_and_reads_nothing_holds_nobody_up() -> None:
    scripted = Scripted()
    scripted.deltas = 3000
    with served(scripted) as qwen, qwen.realtime.connect() as session:
        events = iter(session)
        assert next(events).type == "session.created"
        assert session.say("Hello").ended == "completed"
        assert "local.dropped" in [event.type for event, _ in zip(events, range(3), strict=False)]


def test_a_slow_callback_holds_the_service_up_and_loses_nothing() -> None:
    scripted = Scripted()
    scripted.deltas = 300
    with served(scripted) as qwen, qwen.realtime.connect() as session:
        seen: list[Any] = []
        session.on(lambda event: (time.sleep(0.0005), seen.append(event)))
        turn = session.say("Hello")
        assert len(turn.pcm) == 303 * len(faults.SOUND)
        assert sum(event.family == "audio" for event in seen) == 304


def test_a_callback_that_fails_is_reported_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with served(Scripted()) as qwen, qwen.realtime.connect() as session:
        off = session.on(lambda event: 1 / 0)
        assert session.say("Hello").ended == "completed"
        off()
        assert "a callback of a session failed" in caplog.text
        count = caplog.text.count("ZeroDivisionError")
        session.say("Hello")
        assert caplog.text.count("ZeroDivisionError") == count


def test_close_returns_from_a_service_that_reads_nothing() -> None:
    scripted = Scripted("before updated", faults.stalled)
    scripted.times = 0
    with served(scripted) as qwen:
        session = qwen.realtime.connect()
        scripted.point, scripted.times = "after append", 1
        engine = session.engine
        with pytest.raises(TransportError, match="wait to be sent"):
            _repeat(engine.append, 2000, bytes(32_000))
        blocked = threading.Thread(target=_swallow, args=(session.append, bytes(3_200_000)))
        blocked.start()
        began = time.monotonic()
        session.close()
        assert time.monotonic() - began < 6  # two seconds, on a machine three times slower
        blocked.join(5)
        assert not blocked.is_alive()
        assert session.closed
        session.close()
    assert gone()


def _swallow(call: Any, *args: Any) -> None:
    with contextlib.suppress(QwenError):
        call(*args)


def _repeat(call: Any, times: int, *args: Any) -> None:
    for _ in range(times):
        call(*args)
