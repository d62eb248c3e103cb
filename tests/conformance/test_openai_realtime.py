"""Realtime sessions through the official `openai` SDK: it knows few of the service's names, and still holds a session.

Its client reads events leniently, so what it has no type for keeps its fields.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import openai
import pytest
from talking import MODEL, RAIN, base64_of, sound, typed
from websockets.exceptions import InvalidStatus

from qwenkit.sandbox import Sandbox

# The SDK is made for older releases of `websockets`.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
MANUAL: dict[str, Any] = {"modalities": ["text"], "turn_detection": None}


@pytest.fixture(params=["realtime", "beta"])
def wire(request: pytest.FixtureRequest, box: Sandbox) -> Iterator[Any]:
    """A connection of the resource of today, and of the one before it, which has the service's names of events."""
    with ExitStack() as stack:
        options: dict[str, Any] = {"websocket_base_url": f"ws{box.url.removeprefix('http')}/api-ws/v1"}
        client = stack.enter_context(openai.OpenAI(api_key=box.key, **options))
        resource = client.realtime if request.param == "realtime" else client.beta.realtime
        wire = stack.enter_context(resource.connect(model=MODEL))
        patience = threading.Timer(60, wire.close)  # the SDK waits for ever
        stack.callback(patience.cancel)
        patience.start()
        assert wire.recv().type == "session.created"
        yield wire


def until(wire: Any, kind: str) -> list[Any]:
    events = [wire.recv()]
    while events[-1].type != kind:
        assert len(events) < 1000
        events.append(wire.recv())
    return events


def ask(wire: Any, text: str) -> list[Any]:
    wire.conversation.item.create(item=typed(text))
    wire.response.create()
    return until(wire, "response.done")


def joined(events: list[Any], kind: str) -> str:
    return "".join(event.delta for event in events if event.type == kind)


def test_settings_are_told_back(wire):
    wire.session.update(session={**MANUAL, "instructions": "Be terse."})
    session = until(wire, "session.updated")[-1].session
    assert (session.instructions, session.model) == ("Be terse.", MODEL)


def test_a_typed_question_is_answered_in_writing(wire):
    wire.session.update(session=MANUAL)
    events = ask(wire, "What is 17 * 23?")
    assert "391" in joined(events, "response.text.delta")
    assert events[-1].response.status == "completed"
    assert events[-1].response.usage.total_tokens > 0


def test_speech_is_answered_with_speech(wire):
    wire.session.update(session={**MANUAL, "modalities": ["text", "audio"]})
    wire.input_audio_buffer.append(audio=base64_of(sound("ferry.wav")))
    wire.input_audio_buffer.commit()
    until(wire, "input_audio_buffer.committed")
    wire.response.create()
    events = until(wire, "response.done")
    assert joined(events, "response.audio_transcript.delta")
    pcm = b"".join(base64.b64decode(event.delta) for event in events if event.type == "response.audio.delta")
    assert len(pcm) > 9_600


def test_tools_are_called_and_answered(wire):
    wire.session.update(session={**MANUAL, "tools": [RAIN]})
    call = next(event for event in ask(wire, "Is it raining in Oslo?") if event.type.endswith("arguments.done"))
    assert "Oslo" in call.arguments
    output = {"type": "function_call_output", "call_id": call.call_id, "output": '{"millimetres": 12}'}
    wire.conversation.item.create(item=output)
    wire.response.create()
    assert "12" in joined(until(wire, "response.done"), "response.text.delta")


def test_errors_are_events_and_the_session_goes_on(wire):
    wire.response.cancel()
    assert until(wire, "error")[-1].error.message == "Conversation has none active response"
    wire.session.update(session=MANUAL)
    assert joined(ask(wire, "Hello"), "response.text.delta")


async def test_it_can_be_awaited(box):
    client = openai.AsyncOpenAI(api_key=box.key, websocket_base_url=f"ws{box.url.removeprefix('http')}/api-ws/v1")
    async with client, client.realtime.connect(model=MODEL) as wire:
        assert (await wire.recv()).type == "session.created"
        await wire.session.update(session=MANUAL)
        await wire.conversation.item.create(item=typed("What is 17 * 23?"))
        await wire.response.create()
        told = ""
        async for event in wire:
            told += event.delta if event.type == "response.text.delta" else ""
            if event.type == "response.done":
                break
        assert "391" in told


def test_a_wrong_key_is_refused_in_the_handshake(box):
    base_url = f"ws{box.url.removeprefix('http')}/api-ws/v1"
    with openai.OpenAI(api_key="sk-wrong", websocket_base_url=base_url) as client:
        with pytest.raises(InvalidStatus) as caught, client.realtime.connect(model=MODEL):
            pass
        assert caught.value.response.status_code == 401
