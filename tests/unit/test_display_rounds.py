"""Tools at work, drawn: calls with results, bounded together, inert whatever a tool brings, growing round by round."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hostile import BOMBS, HOSTILE
from inert import read
from test_display_cards import Talk, said, text_of
from test_display_live import Clock, Paper

from qwenkit.display import bundle, rounds
from qwenkit.display.live import show
from qwenkit.display.page import MAX_HTML
from qwenkit.notebook.folding import without_volatile
from qwenkit.types.message import Message
from qwenkit.types.reply import Choice, Piece, Reply, ToolCall
from qwenkit.types.tools import Round, ToolRun

OSLO = ToolRun("call_1", "weather", '{"city": "Oslo"}', '{"degrees":12}', {"degrees": 12}, seconds=0.414)
LIMA = ToolRun("call_2", "weather", '{"city": "Lima"}', "LookupError: <b>closed</b>", error="LookupError: closed")
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def a_reply(*given: Round, text: str = "It is cold.", **choice: Any) -> Reply:
    return Reply(choices=[Choice(text=text, finish_reason="stop", **choice)], model="qwen-plus", rounds=list(given))


def test_a_call_is_a_line_with_its_result_and_all_of_it_behind() -> None:
    card = bundle(a_reply(Round(runs=[OSLO, LIMA])))["text/html"]
    assert 'weather {"city": "Oslo"} → {"degrees":12} 0.41 s' in text_of(card)
    assert '<span class="qk-volatile">0.41 s</span>' in card
    assert "0.41" not in without_volatile(card)
    assert 'class="qk-fold qk-ran qk-bad"' in card
    assert "LookupError: <b>closed</b>" in text_of(card)
    assert "after 1 round of tools" in text_of(card)
    assert card.index("weather") < card.index("It is cold.")


def test_the_plain_text_tells_the_calls_and_print_only_the_answer() -> None:
    reply = a_reply(Round(runs=[OSLO, LIMA]))
    assert bundle(reply)["text/plain"].splitlines() == [
        'weather({"city": "Oslo"}) → {"degrees":12}',
        'weather({"city": "Lima"}) → LookupError: <b>closed</b>',
        "It is cold.",
    ]
    assert str(reply) == "It is cold."


def test_what_was_said_and_thought_beside_the_calls_is_shown() -> None:
    card = said(a_reply(Round(text="Let me *look*.", thinking="Oslo, then.", runs=[OSLO])))
    assert (
        card.index("Oslo, then.") < card.index("Let me look.") < card.index('{"degrees":12}') < card.index("It is cold")
    )


def test_a_reply_that_was_stopped_says_so() -> None:
    stopped = a_reply(Round(runs=[OSLO]), text="", tool_calls=[ToolCall("call_2", "weather", "{}")])
    assert "Stopped here: these calls were not carried out. talk() goes on." in said(stopped)
    assert "Stopped here" not in said(a_reply(text="", tool_calls=[ToolCall("call_2", "weather", "{}")]))


def test_many_calls_and_long_results_are_bounded_together() -> None:
    many = [ToolRun(str(at), f"tool_{at}", "{}", "<&>" * 40_000) for at in range(100)]
    given = [Round(runs=many[:50]), Round(text="in between", runs=many[50:])]
    shown = bundle(a_reply(*given))
    card = text_of(shown["text/html"])
    assert f"… {100 - rounds.MAX_RUNS} earlier calls" in card
    assert "tool_99" in card
    assert "tool_75" not in card
    assert "It is cold." in card
    assert len(shown["text/html"]) < MAX_HTML
    assert len(shown["text/plain"]) < 12_000


def test_a_long_list_is_cut_by_lines() -> None:
    card = said(a_reply(Round(runs=[ToolRun(name="t", result=str(list(range(200))))])))
    assert "… " in card
    assert " 199" not in card


@pytest.mark.parametrize("text", [text for _, text in HOSTILE], ids=[name for name, _ in HOSTILE])
def test_whatever_a_tool_brings_the_card_is_inert_and_bounded(text: str) -> None:
    hostile = ToolRun(text[:50], text, text, text, value=text, error=text, seconds=0.1)
    wire = {"id": "call_1", "function": {"name": text[:200], "arguments": text}}
    talk = Talk([Message("assistant", text, tool_calls=[wire]), Message.tool(text, "call_1")])
    for value in (a_reply(Round(text, text, [hostile] * 3), Round(runs=[hostile])), talk):
        shown = bundle(value)
        assert "text/html" in shown
        read(shown["text/html"])
        for form in shown.values():
            assert not _UNSEEN.search(form.replace("\n", ""))
            assert len(form) < MAX_HTML + 20_000
        if text not in [bomb for _, bomb in BOMBS]:
            assert bundle(value) == shown


def test_in_a_conversation_a_result_stands_beside_its_call() -> None:
    calls = [
        {"id": "call_1", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
        {"id": "call_2", "function": {"name": "clock", "arguments": "{}"}},
    ]
    talk = Talk([Message("assistant", "", tool_calls=calls), Message.tool("12 degrees", "call_1")])
    card = said(talk)
    assert 'weather {"city": "Oslo"} → 12 degrees' in card
    assert "calls clock" in card
    assert "tool 12 degrees" not in card
    stray = Talk([Message.tool("12 degrees", "call_9")])
    assert "tool 12 degrees" in said(stray)


class Rounds:
    """A stream of two rounds, on a clock of ours."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.reply = Reply(choices=[Choice()])

    def __iter__(self) -> Iterator[Piece]:
        choice = self.reply.choices[0]
        for word in ("Let me look.\n\n", "Now."):
            choice.text += word
            yield self._now(Piece(text=word))
        choice.tool_calls = [ToolCall("call_1", "weather", OSLO.arguments)]
        yield self._now(Piece(finish_reason="tool_calls"))
        self.reply = Reply(choices=[Choice()], rounds=[Round("Let me look.\n\nNow.", runs=[OSLO])])
        yield self._now(Piece(ran=OSLO), 0.0)
        for word in ("It is ", "cold."):
            self.reply.choices[0].text += word
            yield self._now(Piece(text=word))

    def _now(self, piece: Piece, later: float = 1.0) -> Piece:
        self.clock.now += later
        return piece


def test_rounds_grow_in_one_card_and_a_result_is_drawn_at_once() -> None:
    paper, clock = Paper(), Clock()
    show(Rounds(clock), publish=paper, clock=clock)
    seen = [text_of(sheet["text/html"]) for sheet, _ in paper.sheets]
    assert [update for _, update in paper.sheets] == [False] + [True] * (len(seen) - 1)
    assert any("→" in words and "It is" not in words for words in seen)
    assert all(words.count("Let me look.") == 1 for words in seen)
    assert seen[-1].index("Let me look.") < seen[-1].index("→") < seen[-1].index("It is cold.")
    for sheet, _ in paper.sheets:
        read(sheet["text/html"])


def test_a_terminal_prints_each_call_with_its_result(capsys: pytest.CaptureFixture[str]) -> None:
    show(Rounds(Clock()))
    assert capsys.readouterr().out.splitlines()[:5] == [
        "Let me look.",
        "",
        "Now.",
        'weather({"city": "Oslo"}) → {"degrees":12}',
        "It is cold.",
    ]
