"""A chat stream is a fold: recorded streams against what they must become, then any pieces and any bytes."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwenkit import errors
from qwenkit.protocol.chat_stream import ChatFold
from qwenkit.protocol.sse import EventDecoder
from qwenkit.types.reply import Choice, Piece, Reply, TokenLogprob, ToolCall, ToolFragment, TopLogprob
from qwenkit.types.usage import CompletionDetails, PromptDetails, Usage

RECORDED = Path(__file__).parents[1] / "recorded" / "chat"
STREAMS = sorted(path.stem for path in RECORDED.glob("*.sse"))
BROKEN = {"error_first", "error_after_text", "native_error_after_text"}


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.sse").read_bytes()


def fold(*chunks: bytes, cumulative: bool = False) -> tuple[ChatFold, list[Piece]]:
    """The fold and its pieces, after all chunks of a stream's bytes."""
    decoder, folded = EventDecoder(), ChatFold(cumulative=cumulative, request="POST /chat/completions")
    pieces: list[Piece] = []
    for chunk in chunks:
        for event in decoder.feed(chunk):
            pieces += folded.add(event.data)
    for event in decoder.close():
        pieces += folded.add(event.data)
    return folded, pieces


def reply_of(name: str) -> Reply:
    return fold(recorded(name), cumulative=name == "cumulative")[0].reply()


# -- recorded streams, and what each must become ------------------------------------------------------------------

NO_CACHE = PromptDetails(cached_tokens=0)
THOUGHT = CompletionDetails(reasoning_tokens=4)
FERRY = "The ferry leaves at nine."

SNAPSHOTS: dict[str, tuple[list[Choice], Usage | None]] = {
    "plain": (
        [Choice(text="The tide turns at nine.", finish_reason="stop")],
        Usage(14, 6, 20, NO_CACHE),
    ),
    "plain_without_usage": ([Choice(text="你好，世界 🌊", finish_reason="stop")], None),
    "empty_last_delta": ([Choice(text="Hi", finish_reason="stop")], Usage(9, 1, 10, NO_CACHE)),
    "no_done": ([Choice(text="Hi", finish_reason="stop")], None),
    "cut": ([Choice(text="The tide turns")], None),
    "thinking": (
        [Choice(text="Thirteen.", thinking="Nine plus four.", finish_reason="stop")],
        Usage(18, 6, 24, NO_CACHE, THOUGHT),
    ),
    "thinking_at_once": (
        [Choice(text="Thirteen.", thinking="Nine plus four.", finish_reason="stop")],
        Usage(18, 6, 24, None, THOUGHT),
    ),
    "tools": (
        [Choice(finish_reason="tool_calls", tool_calls=[ToolCall("call_9c44d1", "rain_now", '{"town": "Oslo"}')])],
        Usage(160, 19, 179, NO_CACHE),
    ),
    "two_tools": (
        [
            Choice(
                finish_reason="tool_calls",
                tool_calls=[
                    ToolCall("call_01", "rain_now", '{"town": "Oslo"}', 0),
                    ToolCall("call_02", "rain_now", '{"town": "Bergen"}', 1),
                ],
            )
        ],
        None,
    ),
    "cumulative": ([Choice(text=FERRY, finish_reason="stop")], Usage(30, 6, 36)),
    "unknown_fields": (
        [Choice(text="Hi", finish_reason="stop")],
        Usage(9, 1, 10, PromptDetails(cached_tokens=2, cache_type="implicit")),
    ),
    "two_choices": (
        [Choice(0, text="Red", finish_reason="stop"), Choice(1, text="Blueish", finish_reason="length")],
        Usage(20, 5, 25, NO_CACHE),
    ),
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_recorded_streams_become_their_replies(name: str):
    reply = reply_of(name)
    choices, usage = SNAPSHOTS[name]
    assert reply.choices == choices
    assert reply.usage == usage


def test_the_head_of_a_stream_names_the_reply():
    reply = reply_of("plain")
    assert reply.id == "chatcmpl-aa100001-77c3-9b06-8e55-0c2f6a1b9d10"
    assert (reply.model, reply.created) == ("qwen-plus", 1790001301)


def test_every_recorded_stream_is_in_a_test():
    assert {*SNAPSHOTS, *BROKEN, "wrong_types", "logprobs"} == set(STREAMS)


def test_wrong_types_lose_only_themselves():
    reply = reply_of("wrong_types")
    assert reply.text == "Hi there"
    assert reply.finish_reason == "stop"
    assert [call.index for call in reply.tool_calls] == [0]
    assert reply.usage is not None
    assert (reply.usage.prompt, reply.usage.completion, reply.usage.total) == (9, 0, 10)


def test_logprobs_gather_token_by_token():
    def weighed(token: str, logprob: float) -> TokenLogprob:
        own = TopLogprob(token, logprob, list(token.encode()))
        return TokenLogprob(token, logprob, list(token.encode()), [own, TopLogprob("No", -2.5, [78, 111])])

    folded, pieces = fold(recorded("logprobs"))
    assert folded.reply().logprobs == [weighed("Yes", -0.09), weighed(".", -0.01)]
    assert [piece.logprobs for piece in pieces if piece.text] == [[weighed("Yes", -0.09)], [weighed(".", -0.01)]]


# -- pieces: what each event brings -------------------------------------------------------------------------------


def test_the_role_chunk_brings_no_piece_and_the_usage_comes_last():
    _, pieces = fold(recorded("plain"))
    assert pieces == [
        Piece(text="The tide"),
        Piece(text=" turns at"),
        Piece(text=" nine."),
        Piece(finish_reason="stop"),
        Piece(usage=Usage(14, 6, 20, NO_CACHE)),
    ]


def test_thinking_pieces_come_before_answer_pieces():
    for name in ("thinking", "thinking_at_once"):
        _, pieces = fold(recorded(name))
        said = [(piece.thinking, piece.text) for piece in pieces if piece.thinking or piece.text]
        assert said == [("Nine plus", ""), (" four.", ""), ("", "Thirteen"), ("", ".")]


def test_tool_fragments_know_the_id_and_name_that_later_events_leave_empty():
    _, pieces = fold(recorded("tools"))
    assert [piece.tool for piece in pieces if piece.tool] == [
        ToolFragment(0, "call_9c44d1", "rain_now", ""),
        ToolFragment(0, "call_9c44d1", "rain_now", '{"town": "Os'),
        ToolFragment(0, "call_9c44d1", "rain_now", 'lo"}'),
    ]


def test_two_fragments_in_one_event_are_two_pieces():
    calls = [{"index": at, "id": f"call_{at}", "function": {"name": "now", "arguments": "{}"}} for at in (0, 1)]
    event = {"choices": [{"index": 0, "delta": {"content": "So", "tool_calls": calls}, "finish_reason": None}]}
    pieces = ChatFold().add(json.dumps(event).encode())
    assert [piece.tool and piece.tool.id for piece in pieces] == ["call_0", "call_1"]
    assert [piece.text for piece in pieces] == ["So", ""]


def test_cumulative_pieces_bring_only_what_is_new():
    _, pieces = fold(recorded("cumulative"), cumulative=True)
    assert [piece.text for piece in pieces if piece.text] == ["The ferry", " leaves", " at nine."]


def test_a_cumulative_reader_still_reads_incremental_events():
    folded, _ = fold(recorded("plain"), cumulative=True)
    assert folded.reply().text == "The tide turns at nine."


def test_choices_are_told_apart_by_index():
    _, pieces = fold(recorded("two_choices"))
    assert [(piece.index, piece.text) for piece in pieces if piece.text] == [(0, "Red"), (1, "Blue"), (1, "ish")]


# -- ends, breaks and errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "ended"), [("plain", True), ("no_done", True), ("cut", False), ("thinking", True)])
def test_an_answer_has_ended_when_it_says_so(name: str, ended: bool):
    assert fold(recorded(name))[0].ended is ended


def test_one_finished_choice_of_two_is_not_the_end():
    events = recorded("two_choices").split(b"\n\n")[:5]
    assert fold(*(event + b"\n\n" for event in events))[0].ended is False


def test_a_done_marker_alone_ends_an_empty_stream():
    folded, pieces = fold(b"data: [DONE]\n\n")
    assert (folded.ended, pieces, folded.reply().text) == (True, [], "")


def test_what_follows_the_done_marker_is_not_read():
    folded, _ = fold(recorded("plain") + b"data: not json\n\n")
    assert folded.reply().text == "The tide turns at nine."


def test_keep_alive_comments_are_no_events_of_the_answer():
    stream = recorded("plain").replace(b"\n\n", b"\n\n: keep-alive\n\n")
    folded, pieces = fold(stream)
    assert folded.reply().text == "The tide turns at nine."
    assert pieces == fold(recorded("plain"))[1]


def test_an_error_before_any_text_is_typed_and_its_reply_is_empty():
    with pytest.raises(errors.ContentRejected) as raised:
        fold(recorded("error_first"))
    error = raised.value
    assert (error.code, error.request_id) == ("data_inspection_failed", "5e5e5e5e-0011-4b4b-9c9c-0a0a0b0b0c0c")
    assert error.reply.text == ""


def test_an_error_after_text_carries_what_had_arrived():
    with pytest.raises(errors.ContentRejected) as raised:
        fold(recorded("error_after_text"))
    assert raised.value.reply.text == "Once upon a time"


def test_a_native_error_frame_inside_a_compatible_stream_is_read():
    with pytest.raises(errors.RateLimited) as raised:
        fold(recorded("native_error_after_text"))
    assert raised.value.code == "Throttling.RateQuota"
    assert raised.value.reply.text == "Once"


@pytest.mark.parametrize(
    "event", [b"{", b"so far so go", b'{"choices":[{"delta":', b"\xff\xff", b"[1]", b"7", b"[" * 5000]
)
def test_what_is_not_json_breaks_the_stream_with_what_had_arrived(event: bytes):
    folded, _ = fold(recorded("cut"))
    with pytest.raises(errors.StreamBroken) as raised:
        folded.add(event)
    assert raised.value.reply.text == "The tide turns"
    assert raised.value.request == "POST /chat/completions"
    assert raised.value.hint


def test_a_null_or_false_error_field_is_no_error():
    event = b'{"error": null, "code": null, "choices": [{"index": 0, "delta": {"content": "fine"}}]}'
    assert [piece.text for piece in ChatFold().add(event)] == ["fine"]


# -- raw, memory, growth ------------------------------------------------------------------------------------------


def test_raw_keeps_unknown_fields_reachable():
    raw = reply_of("unknown_fields").raw
    assert raw[0]["service_tier"] == "gold"
    assert raw[0]["choices"][0]["delta"]["mood"] == {"calm": 1}
    assert raw[-1]["usage"]["carbon"] == {"grams": 0.1}


def test_raw_survives_bytes_that_are_no_text_in_a_field_nobody_reads():
    folded = ChatFold()
    folded.add(b'{"choices": [], "note": "\xff"}')
    assert folded.reply().raw == [{"choices": [], "note": "\ufffd"}]


def test_the_reply_so_far_can_be_taken_at_any_moment_and_stays_as_it_was():
    folded = ChatFold()
    taken = []
    for block in recorded("tools").split(b"\n\n")[:3]:
        folded.add(block.removeprefix(b"data: "))
        taken.append(folded.reply())
    assert [reply.tool_calls[0].arguments for reply in taken] == ["", '{"town": "Os', '{"town": "Oslo"}']


def test_events_kept_for_raw_are_bounded_while_the_text_is_whole():
    folded = ChatFold()
    event = b'{"choices":[{"index":0,"delta":{"content":"la "}}]}'
    for _ in range(10_000):
        folded.add(event)
    reply = folded.reply()
    assert len(reply.text) == 30_000
    assert len(reply.events) < 10_000


# -- any pieces, any bytes ----------------------------------------------------------------------------------------


def outcome(name: str, chunks: list[bytes]) -> Any:
    """Everything a fold gives, errors included, in comparable form."""
    try:
        folded, pieces = fold(*chunks, cumulative=name == "cumulative")
    except errors.QwenError as error:
        return type(error), str(error), error.reply.choices
    reply = folded.reply()
    return pieces, reply.choices, reply.usage, reply.raw, folded.ended


@pytest.mark.parametrize("name", STREAMS)
@given(draw=st.data())
def test_folding_is_the_same_whatever_the_chunking(name: str, draw: st.DataObject):
    stream = recorded(name)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[a:b] for a, b in itertools.pairwise([0, *cuts, len(stream)])]
    assert outcome(name, chunks) == outcome(name, [stream])


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
_FIELDS = """choices delta content reasoning_content index usage tool_calls function arguments name id finish_reason
logprobs error code message prompt_tokens token request_id created"""
_KEYS = st.sampled_from(_FIELDS.split())
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5), max_leaves=20
)


def refused(attempt: Callable[[], object]) -> errors.QwenError | None:
    """Our own error, if it is one; any other comes through and fails the test."""
    try:
        attempt()
    except errors.QwenError as error:
        return error
    return None


@given(st.lists(st.dictionaries(_KEYS, _JSON, max_size=4) | _JSON, max_size=4))
def test_any_json_is_folded_or_refused_with_our_own_error(events: list[Any]):
    folded = ChatFold()
    for event in events:
        error = refused(functools.partial(folded.add, json.dumps(event).encode()))
        assert error is None or (isinstance(error.reply, Reply) and str(error))
    assert isinstance(folded.reply().text, str)


@given(st.lists(st.binary(max_size=50), max_size=4))
def test_any_bytes_are_folded_or_refused_with_our_own_error(chunks: list[bytes]):
    error = refused(lambda: fold(*chunks))
    assert error is None or isinstance(error.reply, Reply)


@given(st.sampled_from(STREAMS), st.data())
def test_one_spoiled_byte_never_becomes_an_untyped_error(name: str, draw: st.DataObject):
    stream = bytearray(recorded(name))
    stream[draw.draw(st.integers(0, len(stream) - 1))] = draw.draw(st.integers(0, 255))
    error = refused(lambda: fold(bytes(stream)))
    assert error is None or isinstance(error.reply, Reply)
