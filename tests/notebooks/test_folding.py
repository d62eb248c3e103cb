"""What stays on screen, worked out from messages as kernels send them."""

from __future__ import annotations

from typing import Any

import pytest

from qwenkit.notebook.folding import Screen, without_volatile


def show(text: str, display_id: str = "", kind: str = "display_data") -> dict[str, Any]:
    content = {
        "data": {"text/plain": text},
        "metadata": {},
        "transient": {"display_id": display_id} if display_id else {},
    }
    return {"msg_type": kind, "content": content}


def update(text: str, display_id: str) -> dict[str, Any]:
    return show(text, display_id, "update_display_data")


def stream(text: str) -> dict[str, Any]:
    return {"msg_type": "stream", "content": {"name": "stdout", "text": text}}


def clear(wait: bool = False) -> dict[str, Any]:
    return {"msg_type": "clear_output", "content": {"wait": wait}}


def capture(comm: str, msg_id: str) -> dict[str, Any]:
    return {
        "msg_type": "comm_msg",
        "content": {"comm_id": comm, "data": {"method": "update", "state": {"msg_id": msg_id}}},
    }


def left_on_screen(*messages: dict[str, Any]) -> list[str]:
    screen = Screen()
    for message in messages:
        screen.feed(message)
    return [shown["content"].get("text") or shown["content"]["data"]["text/plain"] for shown in screen.shown]


def test_the_last_update_is_what_remains_in_the_place_of_the_first_display():
    assert left_on_screen(show("0", "a"), stream("between"), update("1", "a"), update("2", "a")) == ["2", "between"]


def test_an_update_redraws_every_output_that_shares_its_display_id():
    assert left_on_screen(show("x", "a"), show("x", "a"), show("y", "b"), update("z", "a")) == ["z", "z", "y"]


def test_an_update_of_an_earlier_cells_output_leaves_this_cell_alone():
    assert left_on_screen(show("0"), update("1", "elsewhere")) == ["0"]


def test_an_execute_result_with_a_display_id_is_updated_too():
    assert left_on_screen(show("0", "a", "execute_result"), update("1", "a")) == ["1"]


def test_clear_output_empties_the_area_at_once():
    assert left_on_screen(stream("a"), show("b"), clear(), stream("c")) == ["c"]
    assert left_on_screen(stream("a"), clear()) == []


def test_a_waiting_clear_happens_only_when_something_follows():
    assert left_on_screen(stream("a"), clear(wait=True)) == ["a"]
    assert left_on_screen(stream("a"), clear(wait=True), stream("b"), stream("c")) == ["b", "c"]


def test_an_update_is_no_new_output_for_a_waiting_clear():
    assert left_on_screen(show("0", "a"), clear(wait=True), update("1", "a")) == ["1"]


def test_cleared_outputs_cannot_be_updated_back():
    assert left_on_screen(show("0", "a"), clear(), update("1", "a")) == []


def test_what_an_output_widget_captures_is_not_the_cells():
    inside = [capture("w", "m1"), stream("captured"), clear(), show("captured"), capture("w", "")]
    assert left_on_screen(stream("before"), *inside, stream("after")) == ["before", "after"]


def test_nested_output_widgets_capture_until_the_outermost_ends():
    messages = [capture("w", "m"), capture("v", "m"), capture("v", ""), stream("captured"), capture("w", "")]
    assert left_on_screen(*messages, stream("after")) == ["after"]


def test_messages_that_are_not_output_are_left_to_the_caller():
    screen = Screen()
    status = {"msg_type": "status", "content": {"execution_state": "idle"}}
    assert not screen.feed(status)
    assert not screen.feed(capture("w", "m"))
    assert not screen.feed({"msg_type": "comm_open", "content": {"comm_id": "w", "data": {}}})


def test_feeding_does_not_change_the_messages_given():
    first = show("0", "a")
    left_on_screen(first, update("1", "a"))
    assert first["content"]["data"] == {"text/plain": "0"}


@pytest.mark.parametrize(
    ("markup", "steady"),
    [
        ("plain <b>text</b>", "plain <b>text</b>"),
        ('a <span class="qk-volatile">0.31 s</span> b', "a [volatile] b"),
        ("a <span class='foot qk-volatile x'>0.31 s</span> b", "a [volatile] b"),
        ('<span class="qk-volatile">1 <span>2</span> 3</span>!', "[volatile]!"),
        ('<span class="qk-volatile">1<br>2<span/>3</span>!', "[volatile]!"),
        ('<svg><rect class="qk-volatile" width="31"/><text>t</text></svg>', "<svg>[volatile]<text>t</text></svg>"),
        ('<img class="qk-volatile" src="x">!', "[volatile]!"),
        ('<span title="a > b" class="qk-volatile">1</span>!', "[volatile]!"),
        ('<span class="qk-volatile">1</span><span class="qk-volatile">2</span>', "[volatile][volatile]"),
        ('<span class="qk-volatile">never closed', "[volatile]"),
        ('<span class="not-qk-volatile">1</span>', '<span class="not-qk-volatile">1</span>'),
        ('<span class="qk-volatile-ish">1</span>', '<span class="qk-volatile-ish">1</span>'),
        ("the text class=qk-volatile alone", "the text class=qk-volatile alone"),
    ],
)
def test_elements_marked_volatile_leave_only_a_mark(markup: str, steady: str):
    assert without_volatile(markup) == steady
