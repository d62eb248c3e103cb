"""Typed decoding that drops the one value that does not fit, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwenkit.protocol.chat import WireCompletion
from qwenkit.protocol.chat_stream import WireChunk
from qwenkit.protocol.lenient import Lenient


class Part(msgspec.Struct):
    name: str = ""
    sizes: list[int] = []


class Whole(msgspec.Struct):
    count: int = 0
    parts: list[Part] = []
    labels: dict[str, int] = {}
    first: Part | None = None


WHOLE = Lenient.of(Whole)


def read(value: Any) -> Whole:
    return WHOLE.decode(json.dumps(value).encode())


def test_what_fits_is_read():
    assert read({"count": 2, "parts": [{"name": "a"}], "unknown": 1}) == Whole(count=2, parts=[Part("a")])


def test_a_misfit_falls_back_to_its_default_and_the_rest_stays():
    assert read({"count": None, "parts": [{"name": "a"}]}) == Whole(parts=[Part("a")])
    assert read({"count": 2, "parts": "none"}) == Whole(count=2)


def test_a_misfit_inside_a_list_takes_only_itself_away():
    assert read({"parts": [{"name": "a"}, 7, {"name": ["b"]}, {"name": "c", "sizes": [1, "x", 3]}]}).parts == [
        Part("a"),
        Part(),
        Part("c", [1, 3]),
    ]


def test_numbers_in_quotes_are_read_as_numbers():
    assert read({"count": "12"}).count == 12


def test_a_misfit_among_mapping_values_does_not_spoil_the_rest():
    assert read({"count": 1, "labels": {"a": 1, "b": []}}).count == 1


@pytest.mark.parametrize("body", [b"", b"{", b"nope", b"[1, 2]", b"7", b'"text"', b"null", b"\xff\xfe"])
def test_what_is_not_this_kind_of_thing_is_a_decode_error(body: bytes):
    with pytest.raises(msgspec.DecodeError):
        WHOLE.decode(body)


def test_more_misfits_than_patience_is_a_decode_error_not_a_loop():
    with pytest.raises(msgspec.DecodeError):
        read({"parts": [{"sizes": ["x"] * 100}]})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "message", "content", "index", "usage", "tool_calls", "function", "id"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_read_or_refused_and_nothing_else(value: Any):
    body = json.dumps(value).encode()
    for kind in (WireCompletion, WireChunk, Whole):
        try:
            read = Lenient.of(kind).decode(body)
        except msgspec.DecodeError:
            assert not isinstance(value, dict)
        else:
            assert isinstance(read, kind)
