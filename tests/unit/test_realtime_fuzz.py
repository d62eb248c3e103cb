"""Whatever a server says, in whatever order, whatever the client does meanwhile: nothing raises, nothing hangs."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_session import OMNI, Played

from qwenkit.protocol.realtime.commands import COMMANDS
from qwenkit.protocol.realtime.events import SPEC, read
from qwenkit.types.realtime import Event

MANY = settings().max_examples  # as the profile in conftest says
IDS = st.sampled_from(["", "a", "b", "c"])
SCALARS = st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
# Fields of the wire, each with what it may hold and what it may not.
SHAPES: dict[str, Any] = {
    "event_id": IDS, "item_id": IDS, "response_id": IDS, "call_id": IDS, "delta": st.sampled_from(["AAAA", "x", ""]),
    "text": st.text(max_size=5), "stash": st.text(max_size=5), "transcript": st.text(max_size=5),
    "arguments": st.sampled_from(["{}", " {", ""]), "name": st.sampled_from(["f", ""]),
    "audio_start_ms": st.integers(-9, 10**12), "audio_end_ms": st.floats(-1e9, 1e12), "output_index": st.integers(0, 2),
    "reason": st.sampled_from(["turn_invalid", ""]),
    "response": st.fixed_dictionaries({"id": IDS}, optional={
        "status": st.sampled_from(["completed", "cancelled", "failed", "in_progress", "odd"]), "usage": JSON,
        "status_details": JSON, "output": JSON | st.just([{"type": "function_call", "call_id": "c", "name": "f"}])}),
    "item": st.fixed_dictionaries({"id": IDS}, optional={
        "type": st.sampled_from(["message", "function_call", "mcp_call"]), "role": st.sampled_from(["user", "x"]),
        "content": JSON | st.just([{"type": "input_audio"}, {"text": "Hi"}]), "call_id": IDS, "name": st.just("f")}),
    "session": st.fixed_dictionaries({}, optional={
        "turn_detection": st.sampled_from([None, {"type": "server_vad"}, {"interrupt_response": False}]) | JSON,
        "audio": JSON, "sample_rate": JSON, "input_audio_format": JSON}),
    "error": st.fixed_dictionaries({}, optional={
        "type": st.sampled_from(["invalid_request_error", "server_error", ""]), "message": st.text(max_size=9),
        "event_id": st.sampled_from(["event_1", "event_2", "zz"])}) | JSON,
    "part": JSON, "choices": JSON,
}  # fmt: skip
FIELDS = st.fixed_dictionaries({}, optional={name: shape | JSON for name, shape in SHAPES.items()})
LIKELY = [name for name in SPEC if not name.startswith(("mcp", "input_text", "conversation.item.ambient"))]
NAMES = st.sampled_from(LIKELY) | st.sampled_from([*SPEC, "odd.event"])
FRAMES = st.builds(lambda name, fields: json.dumps({**fields, "type": name}), NAMES, FIELDS)
PLAIN = st.fixed_dictionaries({}, optional={**SHAPES})
SENSIBLE = st.builds(lambda name, fields: json.dumps({**fields, "type": name}), st.sampled_from(LIKELY), PLAIN)
COMMAND = st.sampled_from(sorted(COMMANDS))
CLIENT: dict[str, Any] = {
    "audio": b"\0\0" * 40,
    "image": b"\xff\xd8",
    "text": "Hi",
    "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
    "session": {"voice": "Tina", "turn_detection": {"type": "server_vad"}},
}
LOCAL = st.sampled_from(["playing", "played", "cancelled", "lost", "ran", "odd"])
STEPS = st.lists(
    SENSIBLE.map(lambda frame: ("server", frame))
    | FRAMES.map(lambda frame: ("server", frame))
    | COMMAND.map(lambda name: ("client", name))
    | st.tuples(LOCAL, IDS).map(lambda told: ("local", told)),
    max_size=40,
)


def look_at(event: Event) -> None:
    """Everything that can be asked of an event."""
    told = [getattr(event, name) for name in dir(event) if name[0] != "_"]
    assert told
    assert isinstance(event.type, str)
    assert len(repr(event)) < 3000


@given(st.binary(max_size=80) | st.text(max_size=80) | JSON.map(json.dumps) | FRAMES)
def test_any_frame_can_be_read_and_looked_at(frame: str | bytes):
    events = read(frame, 1.0)
    assert events
    for event in events:
        look_at(event)


@given(FRAMES, st.integers(0, 400), st.integers(0, 400))
def test_a_frame_that_is_cut_or_damaged_can_be_read(frame: str, at: int, length: int):
    data = frame.encode()
    for event in [*read(data[:at]), *read(data[:at] + b"\xff" + data[at + length % 7 :])]:
        look_at(event)


def run(steps: list[tuple[str, Any]]) -> Played:
    session = Played(OMNI)
    for number, (who, what) in enumerate(steps):
        at = number * 0.3
        if who == "server":
            session.take(session.machine.receive(what, at))
        elif who == "client":
            session.client(what, at=at, **{name: CLIENT.get(name, 0) for name in COMMANDS[what]})
        else:
            kind, response_id = what
            told = session.fold.local(kind, at, response_id=response_id, played_ms=5, status="odd", run=None)
            session.finished += [told] if told else []
        session.take(session.machine.expire(at)).take(session.machine.due(at))
    return session


@settings(max_examples=2 * MANY)
@given(STEPS)
def test_no_order_of_events_and_commands_raises_or_hangs(steps: list[tuple[str, Any]]):
    session = run(steps)
    at = len(steps) * 0.3
    session.client("response.cancel", at=at)
    session.take(session.machine.expire(at + 60))
    assert not session.machine.busy
    assert not [work for work in session.fold._open if work.active is not None or work.asked]
    assert all(turn.ended for turn in session.fold.turns)
    assert [turn.number for turn in session.fold.turns] == list(dict.fromkeys(t.number for t in session.fold.turns))
    session.fold.local("lost", at + 61)
    assert not [work for work in session.fold._open if work.has_begun]
    for turn in session.fold.turns:
        assert isinstance(repr(turn), str)
        assert turn.moments.to_text is None or isinstance(turn.moments.to_text, float)


@settings(max_examples=MANY // 3)
@given(STEPS)
def test_the_same_events_make_the_same_turns(steps: list[tuple[str, Any]]):
    one, other = run(steps), run(steps)
    assert [repr(turn) for turn in one.fold.turns] == [repr(turn) for turn in other.fold.turns]
    assert one.frames == other.frames
    assert one.machine.replay() == other.machine.replay()
