"""A Responses stream is a fold: recorded streams against what they must become, then oddities, pieces and failures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwenkit import errors
from qwenkit.display import bundle
from qwenkit.protocol.response_stream import CARRIERS, ResponseFold
from qwenkit.protocol.sse import EventDecoder
from qwenkit.types.response import Item, ResponseEvent

RECORDED = Path(__file__).parents[1] / "recorded" / "responses"
STREAMS = sorted(str(path.relative_to(RECORDED).with_suffix("")) for path in RECORDED.rglob("*.sse"))
WHOLE = [name for name in STREAMS if name != "failed"]


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.sse").read_bytes()


def fold(*chunks: bytes) -> tuple[ResponseFold, list[ResponseEvent]]:
    """The fold and its events, after all chunks of a stream's bytes."""
    decoder, folded = EventDecoder(), ResponseFold(request="POST /responses")
    pieces: list[ResponseEvent] = []
    for chunk in chunks:
        for event in decoder.feed(chunk):
            pieces += folded.add(event.data)
    for event in decoder.close():
        pieces += folded.add(event.data)
    return folded, pieces


def told(kind: str, **facts: Any) -> bytes:
    return json.dumps({"type": kind, **facts}).encode()


def folded(*events: bytes) -> tuple[ResponseFold, list[ResponseEvent]]:
    one = ResponseFold()
    return one, [piece for event in events for piece in one.add(event)]


# -- recorded streams, and what each must become ------------------------------------------------------------------

SNAPSHOTS: dict[str, tuple[str, str, list[str], str]] = {
    "plain": ("The tide turns at nine.", "", ["message"], "completed"),
    "thinking": ("3", "Count the r's: s-t-r-a-w-b-e-r-r-y.", ["reasoning", "message"], "completed"),
    "web_search": (
        "The ferry leaves at nine.",
        "I look it up.\n\nIt says nine.",
        ["reasoning", "web_search_call", "reasoning", "message"],
        "completed",
    ),
    "function": ("", "", ["function_call"], "completed"),
    "incomplete": ("One, two, three, four, five,", "", ["message"], "incomplete"),
    "client/oddities": ("High at nine.", "Tide, then.", ["reasoning", "message"], "completed"),
    "every_tool": (
        "Nine.",
        "Use all of them.",
        [
            "reasoning",
            "web_extractor_call",
            "code_interpreter_call",
            "file_search_call",
            "mcp_call",
            "web_search_image_call",
            "image_search_call",
            "message",
        ],
        "completed",
    ),
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_a_recorded_stream_becomes_its_response(name: str):
    reply = fold(recorded(name))[0].reply()
    assert (reply.text, reply.thinking, [item.type for item in reply.output], reply.status) == SNAPSHOTS[name]


@pytest.mark.parametrize("name", WHOLE)
def test_the_words_of_the_events_are_the_words_of_the_response(name: str):
    done, pieces = fold(recorded(name))
    assert "".join(piece.text for piece in pieces) == done.reply().text
    assert "".join(piece.thinking for piece in pieces) == done.reply().thinking.replace("\n\n", "")
    assert done.ended


@pytest.mark.parametrize("name", WHOLE)
def test_every_event_comes_out_whole(name: str):
    done, pieces = fold(recorded(name))
    assert [piece.raw for piece in pieces] == done.reply().raw
    assert [piece.type for piece in pieces] == [event["type"] for event in done.reply().raw]


@given(cuts=st.lists(st.integers(1, 4000), max_size=12), name=st.sampled_from(WHOLE))
def test_how_the_bytes_are_split_never_matters(cuts: list[int], name: str):
    data, places = recorded(name), sorted({0, *cuts})
    chunks = [data[start:end] for start, end in zip(places, [*places[1:], None], strict=True)]
    assert fold(*chunks)[0].reply().output == fold(data)[0].reply().output


@pytest.mark.parametrize("name", WHOLE)
def test_the_response_so_far_is_there_after_every_event(name: str):
    one, text = ResponseFold(), ""
    for event in EventDecoder().feed(recorded(name)):
        for piece in one.add(event.data):
            text += piece.text
            assert one.reply().text == text


def test_a_stream_says_what_the_whole_answer_would():
    reply = fold(recorded("thinking"))[0].reply()
    last = reply.raw[-1]["response"]
    assert [item.raw for item in reply.output] == last["output"]
    assert (reply.id, reply.model, reply.created) == (last["id"], last["model"], last["created_at"])
    assert (reply.usage.prompt, reply.usage.completion, reply.usage.reasoning) == (19, 16, 15)


# -- what each tool brings ----------------------------------------------------------------------------------------


def tool(kind: str) -> Item:
    reply = fold(recorded("every_tool"))[0].reply()
    return next(item for item in reply.output if item.type == kind)


def test_the_items_of_built_in_tools_are_read_by_name():
    assert (tool("web_extractor_call").goal, tool("web_extractor_call").urls) == (
        "ferry times",
        ["https://ferry.example/"],
    )
    assert tool("web_extractor_call").output == "Departures at nine and at noon."
    assert (tool("code_interpreter_call").code, tool("code_interpreter_call").logs) == ("print(17*23)", "391")
    assert tool("file_search_call").queries == ["ferry"]
    found = tool("file_search_call").sources[0]
    assert (found.title, found.text, found.score) == ("ferry.txt", "The ferry leaves at nine.", 0.83)
    assert (tool("mcp_call").name, tool("mcp_call").server, tool("mcp_call").arguments) == (
        "tide",
        "tides",
        '{"port": "Brest"}',
    )
    assert tool("web_search_image_call").queries == ["ferry"]
    assert [source.title for source in tool("web_search_image_call").sources] == ["A ferry"]
    assert tool("image_search_call").sources == []


def test_a_search_tells_its_queries_and_sources():
    reply = fold(recorded("web_search"))[0].reply()
    search = reply.output[1]
    assert search.queries == ["ferry times"]
    assert [source.url for source in search.sources] == ["https://ferry.example/"]
    assert reply.usage.tools == {"web_search": 1}
    assert reply.usage.parts[0]["x_billing_type"] == "response_api"


def test_both_spellings_of_a_query_are_read():
    assert Item({"type": "web_search_call", "action": {"query": "a", "queries": []}}).queries == ["a"]
    assert Item({"type": "web_search_call", "action": {"queries": ["a", "b", 3]}}).queries == ["a", "b"]


def test_a_function_call_comes_in_fragments():
    done, pieces = fold(recorded("function"))
    fragments = [piece.tool for piece in pieces if piece.tool]
    assert [fragment.arguments for fragment in fragments] == ["", '{"port": ', '"Brest"}']
    assert {(fragment.id, fragment.name) for fragment in fragments} == {("call_77", "tide")}
    call = done.reply().tool_calls[0]
    assert (call.id, call.name, call.arguments) == ("call_77", "tide", '{"port": "Brest"}')


def test_a_function_call_without_deltas_comes_in_one_piece():
    item = {"type": "function_call", "id": "a", "call_id": "c", "name": "tide", "arguments": '{"port": "Brest"}'}
    done, pieces = folded(
        told("response.output_item.done", output_index=0, item=item), told("response.completed", response={})
    )
    assert [piece.tool.arguments for piece in pieces if piece.tool] == ['{"port": "Brest"}']
    assert done.reply().tool_calls[0].arguments == '{"port": "Brest"}'


def test_what_only_the_end_of_an_item_says_is_told_then():
    call = {"type": "function_call", "id": "a", "call_id": "c", "name": "tide", "arguments": ""}
    said = {"type": "message", "id": "m", "content": []}
    words = [{"type": "output_text", "text": "All of it."}]
    _, pieces = folded(
        told("response.output_item.added", output_index=0, item=call),
        told("response.output_item.done", output_index=0, item={**call, "arguments": "{}"}),
        told("response.output_item.added", output_index=1, item=said),
        told("response.output_text.delta", output_index=1, item_id="m", delta="All "),
        told("response.output_item.done", output_index=1, item={**said, "content": words}),
        told("response.completed", response={}),
    )
    assert [piece.tool.arguments for piece in pieces if piece.tool] == ["", "{}"]
    assert [piece.text for piece in pieces if piece.text] == ["All ", "of it."]


@pytest.mark.parametrize("name", CARRIERS)
def test_every_carrier_of_words_writes_to_its_kind_of_item(name: str):
    kind = CARRIERS[name].item
    one, pieces = folded(
        told(name + ".delta", item_id="x", output_index=0, delta="a"),
        told(name + ".delta", item_id="x", output_index=0, delta="b"),
        told(name + ".done", item_id="x", output_index=0, **{CARRIERS[name].field: "abc"}),
    )
    item = one.reply().output[0]
    assert item.type == kind
    assert "abc" in (item.text, item.thinking, item.arguments, item.code)
    added = [piece.text or piece.thinking or (piece.tool.arguments if piece.tool else "") for piece in pieces]
    assert added == ["a", "b", "c"]


@pytest.mark.parametrize("spelling", ["reasoning_text", "reasoning_summary_text"])
def test_both_spellings_of_thinking_are_read(spelling: str):
    one, pieces = folded(told(f"response.{spelling}.delta", item_id="x", output_index=0, delta="Hm."))
    assert (pieces[0].thinking, one.reply().thinking) == ("Hm.", "Hm.")


# -- oddities -----------------------------------------------------------------------------------------------------


def test_words_that_only_the_last_event_says_are_not_lost():
    output = [{"type": "message", "id": "m", "content": [{"type": "output_text", "text": "All at once."}]}]
    done, pieces = folded(told("response.completed", response={"output": output}))
    assert done.reply().text == "All at once."
    assert pieces[-1].text == "All at once."


def test_the_last_event_may_name_the_same_message_otherwise():
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    for other in ({"id": "other"}, {}, {"id": "m"}):
        done, pieces = folded(
            told("response.output_item.added", output_index=1, item={"type": "message", "id": "m", "content": []}),
            told("response.output_text.delta", item_id="m", output_index=1, delta="Hi"),
            told("response.output_item.done", output_index=1, item={**message, "id": "m"}),
            told("response.completed", response={"output": [{**message, **other}]}),
        )
        assert done.reply().text == "Hi"
        assert "".join(piece.text for piece in pieces) == "Hi"


def test_several_messages_and_parts_keep_their_places():
    def add(place: int) -> bytes:
        item = {"type": "message", "id": f"m{place}", "content": []}
        return told("response.output_item.added", output_index=place, item=item)

    def delta(place: int, part: int, text: str) -> bytes:
        return told(
            "response.output_text.delta", item_id=f"m{place}", output_index=place, content_index=part, delta=text
        )

    one, _ = folded(add(1), add(0), delta(1, 1, "d"), delta(0, 0, "a"), delta(1, 0, "c"), delta(0, 1, "b"))
    assert one.reply().text == "abcd"


def test_events_nobody_knows_are_kept():
    done, pieces = folded(
        told("response.shiny", shine=[1]),
        told("response.output_item.added", output_index=0, item={"type": "shiny_call", "id": "s", "gleam": 3}),
        told("response.output_item.done", output_index=0, item={"type": "shiny_call", "id": "s", "gleam": 4}),
    )
    assert pieces[0].raw["shine"] == [1]
    assert done.reply().output == [Item({"type": "shiny_call", "id": "s", "gleam": 4})]


@pytest.mark.parametrize(
    "event",
    [
        told("response.output_text.delta", delta=None, output_index="one"),
        told("response.output_text.delta", delta={"a": 1}),
        told("response.output_item.done", item=[1]),
        told("response.completed", response=[1]),
        told("response.completed", response={"output": {"a": 1}, "usage": [], "id": 7, "model": 3, "status": 4}),
        told("response.completed", response={"output": [1, None, {"type": 9}]}),
        told("response.output_item.added", item={"type": "reasoning", "summary": "text"}),
        b"[1, 2]",
        b'{"no": "type"}',
        b"",
        b"[DONE]",
    ],
)
def test_wrong_types_of_fields_are_survived(event: bytes):
    one, _ = folded(event)
    reply = one.reply()
    assert (reply.text, reply.thinking, reply.tool_calls) == ("", "", [])
    assert repr(reply)


NAMES = st.sampled_from([*CARRIERS, "response.output_item", "response", "error", "response.shiny"])
STEPS = st.sampled_from(["delta", "done", "added", "created", "completed", "incomplete"])
FIELDS = ("delta", "text", "arguments", "item", "item_id", "output_index", "content_index", "response", "code", "error")
KEYS = st.sampled_from(
    ["id", "type", "summary", "content", "output", "usage", "status", "action", "queries", "sources"]
)
KINDS = st.sampled_from(["message", "reasoning", "function_call", "web_search_call", "mcp_call"])
PLAIN = st.none() | st.booleans() | st.integers(-1, 2) | st.text(max_size=3) | KINDS
JSON = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=6
)
EVENTS = st.builds(
    lambda name, step, facts: told(f"{name}.{step}", **facts),
    NAMES,
    STEPS,
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5),
)


@given(events=st.lists(EVENTS, max_size=6))
def test_no_event_breaks_the_fold(events: list[bytes]):
    one = ResponseFold()
    try:
        for event in events:
            one.add(event)
    except errors.QwenError:
        pass
    reply = one.reply()
    assert isinstance(reply.text + reply.thinking + one.words() + repr(reply), str)
    for item in reply.output:
        assert isinstance(item.sources + item.queries + item.urls, list)
        assert isinstance(item.output + item.logs + item.code + repr(item), str)
    assert "text/html" in bundle(reply)


def test_nothing_after_the_end_is_read():
    one, pieces = folded(
        told("response.completed", response={}), told("response.output_text.delta", delta="more"), b"not json"
    )
    assert one.reply().text == ""
    assert len(pieces) == 1


# -- ends that are no answer --------------------------------------------------------------------------------------


def test_a_cut_answer_ends_and_says_why():
    reply = fold(recorded("incomplete"))[0].reply()
    assert (reply.status, reply.incomplete) == ("incomplete", "max_output_tokens")


def test_a_stream_without_an_end_has_not_ended():
    data = recorded("plain")
    one, _ = fold(data[: data.index(b"response.completed")])
    assert not one.ended
    assert one.reply().status == "in_progress"


def test_a_failed_response_raises_its_error_and_carries_what_had_arrived():
    one, _ = folded(told("response.output_text.delta", output_index=0, delta="So far"))
    with pytest.raises(errors.ContentRejected, match="inappropriate") as raised:
        one.add(
            told(
                "response.failed",
                response={
                    "status": "failed",
                    "error": {"code": "DataInspectionFailed", "message": "Output may be inappropriate"},
                },
            )
        )
    assert raised.value.reply.text == "So far"
    assert raised.value.reply.error.code == "DataInspectionFailed"
    assert not one.ended
    assert "response.failed" in raised.value.raw


def test_an_invalid_request_fails_in_the_stream():
    with pytest.raises(errors.NotFound, match="Unsupported model"):
        fold(recorded("failed"))


@pytest.mark.parametrize(
    "event",
    [
        b'{"type": "error", "code": "InternalError", "message": "broken"}',
        b'{"error": {"code": "internal_error", "message": "broken"}}',
        b'{"code": "InternalError", "message": "broken", "request_id": "r"}',
    ],
)
def test_errors_of_every_shape_are_raised(event: bytes):
    with pytest.raises(errors.ServerError, match="broken"):
        folded(event)


def test_what_is_no_json_breaks_the_stream():
    one, _ = folded(told("response.output_text.delta", output_index=0, delta="So far"))
    with pytest.raises(errors.StreamBroken, match="not JSON") as raised:
        one.add(b"<html>")
    assert raised.value.reply.text == "So far"
