"""The SSE decoder: the standard's own examples one by one, then any bytes in any pieces."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qwenkit.protocol.sse import EventDecoder, ServerEvent

RECORDED = sorted((Path(__file__).parents[1] / "recorded" / "chat").glob("*.sse"))


def decoded(*chunks: bytes) -> list[ServerEvent]:
    decoder = EventDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.close()


def data(*chunks: bytes) -> list[bytes]:
    return [event.data for event in decoded(*chunks)]


# -- the examples of the HTML standard, section "Interpreting an event stream" ------------------------------------


def test_two_data_lines_are_one_event_with_a_line_break():
    stock = b"data: YHOO\ndata: +2\ndata: 10\n\n"
    assert decoded(stock) == [ServerEvent(data=b"YHOO\n+2\n10")]


def test_four_blocks_comment_id_reset_and_leading_space():
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert decoded(stream) == [
        ServerEvent(comment="test stream"),
        ServerEvent(data=b"first event", id="1"),
        ServerEvent(data=b"second event"),
        ServerEvent(data=b" third event"),
    ]


def test_empty_data_fields_fire_empty_and_line_break_events():
    stream = b"data\n\ndata\ndata\n\ndata:"
    assert data(stream) == [b"", b"\n", b""]  # the standard drops the last, unfinished one; here it is handed out


def test_a_space_after_the_colon_does_not_count():
    assert data(b"data:test\n\ndata: test\n\n") == [b"test", b"test"]


def test_named_events_carry_their_name():
    stream = b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n"
    assert [(event.event, event.data) for event in decoded(stream)] == [("add", b"73857293"), ("remove", b"2153")]


# -- line ends, byte order mark, odd fields -----------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["lf", "cr", "crlf"])
def test_every_line_end_ends_a_line(end: bytes):
    assert data(b"data: a" + end + b"data: b" + end + end + b"data: c" + end + end) == [b"a\nb", b"c"]


# a carriage return before a line feed is left out: that is one line end, not two
_MIXES = [pair for pair in itertools.product([b"\n", b"\r", b"\r\n"], repeat=2) if pair != (b"\r", b"\n")]


@pytest.mark.parametrize("ends", _MIXES)
def test_line_ends_may_be_mixed(ends: tuple[bytes, bytes]):
    first, second = ends
    assert data(b"data: a" + first + second + b"data: b" + second + first + b"\n") == [b"a", b"b"]


def test_a_carriage_return_and_its_line_feed_may_arrive_apart():
    assert data(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [b"a\nb"]


def test_a_byte_order_mark_is_dropped_at_the_start_only():
    assert data(b"\xef\xbb\xbfdata: a\n\n") == [b"a"]
    assert data(b"\xef", b"\xbb", b"\xbfdata: a\n\n") == [b"a"]
    assert data(b"data: a\n\n\xef\xbb\xbfdata: b\n\n") == [b"a"]


def test_unknown_fields_and_retry_are_ignored():
    assert decoded(b"retry: 10\nfoo: bar\ndata: a\nbaz\n\n") == [ServerEvent(data=b"a")]


def test_blank_lines_alone_are_no_events():
    assert decoded(b"\n\n\n\r\n\r\n") == []


def test_a_colon_in_the_value_stays():
    assert data(b'data: {"a": "b:c"}\n\n') == [b'{"a": "b:c"}']


# -- what the services do -----------------------------------------------------------------------------------------


def test_the_last_event_may_lack_its_blank_line():
    assert data(b"data: a\n\ndata: b") == [b"a", b"b"]
    assert data(b"data: a\n\ndata: b\n") == [b"a", b"b"]
    assert data(b"data: a\n\ndata: b\r") == [b"a", b"b"]


def test_the_native_comment_carries_a_status():
    event = decoded(b'id:1\nevent:error\n:HTTP_STATUS/429\ndata:{"code":"Throttling"}\n\n')[0]
    assert (event.id, event.event, event.comment, event.data) == (
        "1",
        "error",
        "HTTP_STATUS/429",
        b'{"code":"Throttling"}',
    )


def test_nothing_is_held_back_once_an_event_is_whole():
    decoder = EventDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert [event.data for event in decoder.feed(b"\n")] == [b"a"]


def test_a_chunk_may_hold_many_events_and_an_event_many_chunks():
    assert data(b"data: a\n\ndata: b\n\nda", b"ta", b": ", b"c", b"\n", b"\n") == [b"a", b"b", b"c"]


def test_an_empty_stream_has_no_events():
    assert decoded() == []
    assert decoded(b"", b"") == []


# -- any bytes, any pieces ----------------------------------------------------------------------------------------

_LINES = st.sampled_from(
    [b"data: x", b"data:", b"data", b": note", b"id: 7", b"event: e", b"\xef\xbb\xbf", b"junk", b"data: \xff\xfe", b""]
)
_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b""])
_STREAMS = st.one_of(
    st.binary(max_size=60),
    st.lists(st.tuples(_LINES, _ENDS), max_size=12).map(
        lambda pairs: b"".join(part for pair in pairs for part in pair)
    ),
    st.text(alphabet="data: \r\n\ufeffé", max_size=40).map(str.encode),
)


@given(_STREAMS, st.data())
def test_how_the_bytes_are_split_never_matters(stream: bytes, draw: st.DataObject):
    whole = decoded(stream)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in itertools.pairwise([0, *cuts, len(stream)])]
    assert decoded(*pieces) == whole


@given(_STREAMS)
@example(b"\xef\xbb")
@example(b"data: \xed\xa0\x80\n\n")
def test_byte_by_byte_is_the_same_as_all_at_once(stream: bytes):
    assert decoded(*(stream[at : at + 1] for at in range(len(stream)))) == decoded(stream)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_no_bytes_make_it_raise(chunks: list[bytes]):
    for event in decoded(*chunks):
        assert isinstance(event.data, bytes)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_streams_read_the_same_at_every_split(path: Path):
    stream = path.read_bytes()
    whole = decoded(stream)
    assert whole
    for cut in range(len(stream)):
        assert decoded(stream[:cut], stream[cut:]) == whole
    assert data(stream.replace(b"\n", b"\r\n")) == [event.data for event in whole]
