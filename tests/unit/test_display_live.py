"""Live drawing with a clock and a publisher of our own: how often, what at the end, what when it ends badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from typing import Any

import pytest
from inert import read

from qwenkit.display import bundle, live
from qwenkit.display.growing import Growing, finished
from qwenkit.display.live import REPAINTS_PER_SECOND, show
from qwenkit.display.markdown import MAX_CHARS, markdown
from qwenkit.errors import StreamBroken
from qwenkit.types.reply import Choice, Piece, Reply, ToolCall, ToolFragment

TEXT = (
    "## Blue\n\nAir scatters $\\lambda^{-4}$, so:\n\n- one\n- two\n\n"
    "```py\nx = 1\n\ny = 2\n```\n\n| a | b |\n|---|---|\n| 天 | 空 |\n\nEnd."
)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Paper:
    """Keeps what was published: (bundle, was it an update)."""

    def __init__(self) -> None:
        self.sheets: list[tuple[dict[str, str], bool]] = []

    def __call__(self, bundle: dict[str, str], update: bool) -> None:
        self.sheets.append((bundle, update))

    @property
    def last(self) -> str:
        return self.sheets[-1][0]["text/html"]


class Stream:
    """Words at a steady pace on a clock of ours; `error` ends it early."""

    def __init__(
        self, text: str, clock: Clock, *, pace: float = 0.01, thinking: str = "", error: BaseException | None = None
    ):
        self.parts = [("thinking", part) for part in _parts(thinking)] + [("text", part) for part in _parts(text)]
        self.clock, self.pace, self.error = clock, pace, error
        self.read = {"text": StringIO(), "thinking": StringIO()}
        self.left = False

    @property
    def reply(self) -> Reply:
        choice = Choice(
            text=self.read["text"].getvalue(), thinking=self.read["thinking"].getvalue(), finish_reason="stop"
        )
        return Reply(choices=[choice], model="qwen-plus")

    def __iter__(self) -> Iterator[Piece]:
        for kind, part in self.parts:
            self.clock.now += self.pace
            self.read[kind].write(part)
            yield Piece(**{kind: part})
        if self.error:
            raise self.error

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *raised: object) -> None:
        self.left = True


class AsyncStream(Stream):
    __iter__ = None  # type: ignore[assignment]

    async def __aiter__(self) -> AsyncIterator[Piece]:
        for piece in Stream.__iter__(self):
            await asyncio.sleep(0)
            yield piece


def _parts(text: str) -> list[str]:
    return [text[at : at + 4] for at in range(0, len(text), 4)]


def draw(text: str = TEXT, **how: Any) -> tuple[Paper, Stream, Reply]:
    paper, clock = Paper(), Clock()
    stream = Stream(text, clock, **how)
    return paper, stream, show(stream, publish=paper, clock=clock)


def test_the_last_drawing_is_the_card_of_the_reply() -> None:
    paper, stream, reply = draw()
    assert paper.sheets[-1][0] == bundle(reply) == bundle(stream.reply)


def test_the_first_drawing_is_new_and_the_others_update_it() -> None:
    paper, _, _ = draw()
    assert [update for _, update in paper.sheets] == [False] + [True] * (len(paper.sheets) - 1)
    assert len(paper.sheets) > 2


@pytest.mark.parametrize("pace", [0.0001, 0.01, 0.3])
def test_repaints_stay_within_their_rate(pace: float) -> None:
    paper, stream, _ = draw("word " * 400, pace=pace)
    lasted = pace * len(stream.parts)
    assert len(paper.sheets) <= lasted * REPAINTS_PER_SECOND + 2
    assert len(paper.sheets) <= len(stream.parts) + 1


def test_a_slow_front_end_is_drawn_less_often() -> None:
    clock, slow = Clock(), Paper()

    def publish(shown: dict[str, str], update: bool) -> None:
        clock.now += 0.05
        slow(shown, update)

    stream = Stream("word " * 2000, clock)
    show(stream, publish=publish, clock=clock)
    spent = 0.05 * len(slow.sheets)
    assert spent / (len(stream.parts) * 0.01) < 2 * live.SHARE + 0.01


def test_every_drawing_on_the_way_is_inert() -> None:
    paper, _, _ = draw(pace=0.2, thinking="Let me *think* <b>")
    for shown, _ in paper.sheets:
        read(shown["text/html"])


def test_thinking_stands_open_until_the_answer_begins() -> None:
    paper, _, _ = draw("Answer.", pace=0.2, thinking="Hmm, let me see.")
    first, last = paper.sheets[0][0]["text/html"], paper.last
    assert '<details class="qk-fold qk-thinking" open>' in first
    assert '<details class="qk-fold qk-thinking">' in last
    assert "qk-running" in first
    assert "qk-running" not in last


def test_an_interrupt_leaves_what_had_arrived_and_goes_on() -> None:
    paper, clock = Paper(), Clock()
    stream = Stream("Half of it", clock, error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        show(stream, publish=paper, clock=clock)
    assert "Half of it" in paper.last
    assert live.INTERRUPTED in paper.last
    assert "qk-running" not in paper.last
    assert stream.left


def test_a_broken_stream_shows_its_part_and_raises() -> None:
    paper, clock = Paper(), Clock()
    with pytest.raises(StreamBroken):
        show(Stream("Half of it", clock, error=StreamBroken("cut")), publish=paper, clock=clock)
    assert "Half of it" in paper.last
    assert live.BROKEN in paper.last


def test_an_error_before_the_first_word_draws_nothing() -> None:
    paper, clock = Paper(), Clock()
    with pytest.raises(StreamBroken):
        show(Stream("", clock, error=StreamBroken("cut")), publish=paper, clock=clock)
    assert paper.sheets == []


def test_an_empty_answer_still_shows_its_card() -> None:
    paper, _, reply = draw("")
    assert paper.sheets == [(bundle(reply), False)]


async def test_an_async_stream_draws_the_same() -> None:
    paper, clock = Paper(), Clock()
    stream = AsyncStream(TEXT, clock)
    reply = await show(stream, publish=paper, clock=clock)
    assert reply.text == TEXT
    assert paper.sheets[-1][0] == bundle(reply)
    assert [shown for shown, _ in paper.sheets] == [shown for shown, _ in draw()[0].sheets]


async def test_a_cancelled_task_leaves_what_had_arrived() -> None:
    paper, clock = Paper(), Clock()
    with pytest.raises(asyncio.CancelledError):
        await show(AsyncStream("Half", clock, error=asyncio.CancelledError()), publish=paper, clock=clock)
    assert live.INTERRUPTED in paper.last


def test_several_answers_grow_side_by_side() -> None:
    class Two:
        reply = Reply(choices=[Choice(index=0, text=""), Choice(index=1, text="")])

        def __iter__(self) -> Iterator[Piece]:
            for index, text in ((0, "left"), (1, "right"), (0, " hand"), (1, " hand")):
                self.reply.choices[index].text += text
                clock.now += 1
                yield Piece(text=text, index=index)

    paper, clock = Paper(), Clock()
    show(Two(), publish=paper, clock=clock)
    assert "left hand" in paper.last
    assert "right hand" in paper.last


def test_a_tool_call_is_drawn_as_its_arguments_arrive() -> None:
    class Call:
        reply = Reply(choices=[Choice(tool_calls=[ToolCall(name="get_weather")])])

        def __iter__(self) -> Iterator[Piece]:
            for part in ('{"city": ', '"杭州"}'):
                self.reply.choices[0].tool_calls[0].arguments += part
                clock.now += 1
                yield Piece(tool=ToolFragment(arguments=part))

    paper, clock = Paper(), Clock()
    show(Call(), publish=paper, clock=clock)
    assert len(paper.sheets) == 3
    assert "{&quot;city&quot;: &quot;杭州&quot;}" in paper.last


def test_a_terminal_prints_the_words_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    stream = Stream("It is \x1b[31mblue\x1b[0m.", Clock(), thinking="Hmm.")
    assert show(stream) is not None
    assert capsys.readouterr().out.startswith("Hmm.\n\nIt is ")


def test_a_terminal_says_how_a_stream_ended(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        show(Stream("Half", Clock(), error=KeyboardInterrupt()))
    assert capsys.readouterr().out == f"Half\n{live.INTERRUPTED}\n"


def test_the_cell_that_drew_a_reply_does_not_show_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shell:
        execution_count = 7
        kernel = None

    shell = Shell()
    monkeypatch.setattr(live, "_shell", lambda: shell)
    _, _, reply = draw("Hello.")
    assert type(reply) is Reply
    assert reply._ipython_display_() is None
    shell.execution_count = 8
    assert not hasattr(reply, "_ipython_display_")
    assert not hasattr(Reply(), "_ipython_display_")


def test_a_kernel_gets_one_output_and_updates_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, bool]] = []

    class Shell:
        execution_count = 1
        kernel = object()

        class display_pub:  # noqa: N801
            @staticmethod
            def publish(data: Any, *, transient: dict[str, str], update: bool) -> None:
                sent.append((transient["display_id"], update))
                assert transient["display_id"] not in str(data)

    monkeypatch.setattr(live, "_shell", Shell)
    show(Stream("word " * 100, Clock()), clock=Clock())
    assert len({display_id for display_id, _ in sent}) == 1
    assert [update for _, update in sent] == [False, True]


def test_growing_text_ends_where_the_whole_text_ends() -> None:
    for step in (1, 3, 50):
        growing = Growing()
        for end in range(0, len(TEXT), step):
            growing.html(TEXT[:end])
        assert growing.html(TEXT) == markdown(TEXT)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("one\n\ntwo", 5),
        ("one\n\n", 0),
        ("- one\n\n- two", 0),
        ("- one\n\n  more\n\nend", 15),
        ("```\na\n\nb", 0),
        ("```\na\n\nb\n```\n\nend", 14),
        ("$$\na\n\nb", 0),
        ("> a\n\nb", 5),
        ("1. a\n\n2. b", 0),
        ("a\n\n**b", 3),
    ],
)
def test_what_is_finished(text: str, cut: int) -> None:
    assert finished(text) == cut


def test_a_running_card_stays_bounded() -> None:
    growing = Growing()
    text = ""
    for _ in range(30):
        text += "word " * 1000 + "\n\n"
        html = growing.html(text + "x")
    assert len(html) < MAX_CHARS * 1.2
    assert "more characters" in html
