"""The measurements and their goals, as data; and the rounds that carry them out.

A `Measure` names its contestants, its floor and its goals. A round runs each contestant once; a goal is a figure of one
round, and its verdict hangs on the median over all rounds.
"""

from __future__ import annotations

import importlib.util
import json
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.bench.calls import calls
from tests.bench.drawing import drawing
from tests.bench.pictures import pictures
from tests.bench.players import players
from tests.bench.processes import Failed, fresh
from tests.bench.retrieving import retriever
from tests.bench.starts import first_answer, importing
from tests.bench.voices import voices
from tests.bench.works import Figures

Round = dict[str, Figures]
Run = Callable[[str, str, int], Figures]
AGAIN = " again"  # marks the second run of the floor, the A/A control


@dataclass(frozen=True)
class Goal:
    """What a contestant must reach: a figure of a round, at most (or at least) so much."""

    contestant: str
    text: str
    figure: Callable[[Round], float]
    limit: float
    at_least: bool = False

    def met(self, median: float) -> bool:
        return median >= self.limit if self.at_least else median <= self.limit


@dataclass(frozen=True)
class Measure:
    """`over` names a contestant whose times are subtracted from the others', round by round."""

    name: str
    title: str
    unit: str
    run: Run
    contestants: tuple[str, ...]
    floor: str | None
    goals: tuple[Goal, ...]
    size: int = 1
    quick: int = 1
    over: str | None = None


class Result:
    """All rounds of a measure, and what went wrong with whom."""

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self.rounds: list[Round] = []
        self.failures: dict[str, str] = {}

    def each(self, figure: Callable[[Round], float]) -> list[float]:
        """The figure of every round; empty when a contestant it needs did not run."""
        try:
            return [figure(each) for each in self.rounds]
        except KeyError:
            return []

    def missed(self) -> bool:
        judged = [(goal, self.each(goal.figure)) for goal in self.measure.goals]
        return bool(self.failures) or any(values and not goal.met(statistics.median(values)) for goal, values in judged)


def carry_out(measure: Measure, url: str, rounds: int, size: int, only: list[str]) -> Result:
    """Every contestant once per round, in an order of the round's own; a discarded round first fills the caches."""
    result = Result(measure)
    for number in range(-1 if size == 1 else 0, rounds):
        order = [each for each in measure.contestants if _takes_part(each, only) and each not in result.failures]
        random.Random(number).shuffle(order)
        figures: Round = {}
        for contestant in order:
            try:
                figures[contestant] = measure.run(contestant.removesuffix(AGAIN), url, size)
            except Failed as failure:
                result.failures[contestant] = str(failure)
        if number >= 0:
            result.rounds.append(_beyond(figures, measure.over))
    return result


def _takes_part(contestant: str, only: list[str]) -> bool:
    """Peers are optional: one that is not installed, or not asked for, sits out."""
    peer = contestant.removesuffix(AGAIN).removesuffix("-async").removesuffix("-map").split(".")[0]
    here = peer in {"python", "loop", "print", "show"} or importlib.util.find_spec(peer) is not None
    return here and (not only or peer in only)


def _beyond(figures: Round, over: str | None) -> Round:
    if over not in figures:
        return figures
    times = {key: value for key, value in figures[over].items() if key in ("cpu", "wall")}
    rest = {name: each for name, each in figures.items() if name != over}
    return {name: {**each, **{key: each[key] - time for key, time in times.items()}} for name, each in rest.items()}


def _work(name: str, contestant: str, url: str, size: int) -> Figures:
    figures: Figures = json.loads(fresh("-m", "tests.bench.works", name, contestant, url, str(size))[0])
    return figures


def _times(contestant: str, peer: str, limit: float) -> Goal:
    return Goal(contestant, f"≤ {limit:g}x {peer}", lambda each: each[contestant]["cpu"] / each[peer]["cpu"], limit)


def _ahead(contestant: str, peer: str, limit: float) -> Goal:
    text = f"{limit:g}x less than {peer}"
    return Goal(contestant, text, lambda each: each[peer]["cpu"] / each[contestant]["cpu"], limit, at_least=True)


def _at_most(contestant: str, key: str, limit: float, text: str) -> Goal:
    return Goal(contestant, text, lambda each: each[contestant][key], limit)


_SYNC = ("httpx", "httpx again", "openai", "dashscope", "qwenkit")
_ASYNC = ("httpx-async", "httpx-async again", "openai-async", "qwenkit-async")
_IMPORT_GOALS = (
    _at_most("qwenkit", "cpu", 60, "≤ 60 ms"),
    _ahead("qwenkit", "openai", 8),
    _ahead("qwenkit", "dashscope", 8),
)
_STREAM_GOALS = (
    _times("qwenkit", "httpx", 1.0),
    _ahead("qwenkit", "openai", 6),
    _ahead("qwenkit", "dashscope", 1),
)
_CROWD_GOALS = (
    _at_most("qwenkit-async", "cpu", 700, "≤ 700 µs"),
    Goal("qwenkit-async", "p99 ≤ 3x p50", lambda each: each["qwenkit-async"]["p99"] / each["qwenkit-async"]["p50"], 3),
    _ahead("qwenkit-async", "openai-async", 1.8),
)
_PLAYER_GOALS = (
    Goal("qwenkit", "10x smaller", lambda each: each["IPython"]["notebook"] / each["qwenkit"]["notebook"], 10, True),
    _at_most("qwenkit", "notebook", 60, "≤ 60 kB"),
    _at_most("qwenkit", "cpu", 15, "≤ 15 ms"),
)
_PICTURE_GOALS = (
    _ahead("qwenkit", "IPython", 20),
    Goal("qwenkit", "40x smaller", lambda each: each["IPython"]["notebook"] / each["qwenkit"]["notebook"], 40, True),
    _at_most("qwenkit", "notebook", 150, "≤ 150 kB"),
)
_VOICE_GOALS = (
    _at_most("qwenkit", "error", 5, "≤ 5 % CER/WER"),
    _at_most("qwenkit", "false", 0, "no false accept"),
)
_CALLERS = ("websockets", "websockets again", "openai-async", "openai.beta-async", "dashscope", "dashscope.v2")
_OUR_CALLERS = ("qwenkit.Machine", "qwenkit-async", "qwenkit")
_HEAR_GOALS = (
    *(_times(each, "websockets", 1.1) for each in _OUR_CALLERS),
    _ahead("qwenkit-async", "dashscope", 18),
    _ahead("qwenkit-async", "dashscope.v2", 18),
    _ahead("qwenkit-async", "openai-async", 5),
)
_SPEAKERS = ("websockets", "websockets again", "dashscope", "qwenkit-async", "qwenkit")
_RETRIEVER_GOALS = (
    _at_most("qwenkit", "built", 120, "built in ≤ 120 s"),
    _at_most("qwenkit", "search", 50, "search ≤ 50 ms"),
    Goal("qwenkit", "≥ 98 % of the true ten", lambda each: each["qwenkit"]["exact"], 98, True),
)
MEASURES = (
    Measure("import", "import, beyond a bare interpreter", "ms", importing,
            ("python", *_SYNC, "qwenkit.Client"), "httpx", _IMPORT_GOALS, over="python"),
    Measure("start", "process start to the first answer", "ms", first_answer,
            _SYNC, "httpx", (_times("qwenkit", "httpx", 1.2),)),
    Measure("stream", "a long stream into typed events", "µs/chunk", partial(_work, "stream"),
            _SYNC, "httpx", _STREAM_GOALS, 20_000, 4_000),
    Measure("stream-async", "the same, awaited", "µs/chunk", partial(_work, "stream"),
            _ASYNC, "httpx-async", (_times("qwenkit-async", "httpx-async", 1.0),), 20_000, 4_000),
    Measure("sequence", "short requests, one after another", "µs/call", partial(_work, "sequence"),
            _SYNC, "httpx", (_times("qwenkit", "httpx", 1.15),), 500, 100),
    Measure("sequence-async", "the same, awaited", "µs/call", partial(_work, "sequence"),
            _ASYNC, "httpx-async", (_times("qwenkit-async", "httpx-async", 1.15),), 500, 100),
    Measure("crowd", "calls in parallel, 50 at a time", "µs/call", partial(_work, "crowd"),
            _ASYNC, "httpx-async", _CROWD_GOALS, 500, 200),
    Measure("map", "map against the same calls by hand, 50 at a time", "µs/call", partial(_work, "many"),
            ("qwenkit-async", "qwenkit-async again", "qwenkit-map"), "qwenkit-async",
            (_times("qwenkit-map", "qwenkit-async", 1.15),), 1_000, 300),
    Measure("drawing", "drawing 100 tokens a second in a kernel, beyond the bare loop", "% of a core", drawing,
            ("loop", "loop again", "print", "show"), None, (_at_most("show", "cpu", 3, "≤ 3 %"),),
            300, 100, over="loop"),
    Measure("players", "a sound as a player in the notebook", "ms/s of sound", players,
            ("IPython", "IPython again", "qwenkit"), "IPython", _PLAYER_GOALS, 10, 10),
    Measure("pictures", "four pictures of 1024 px shown and saved in the notebook", "ms", pictures,
            ("IPython", "IPython again", "qwenkit"), "IPython", _PICTURE_GOALS),
    Measure("voice", "the sandbox's voice through its ears, and speech they cannot know", "ms/s of sound", voices,
            ("qwenkit",), None, _VOICE_GOALS, 4, 2),
    Measure("retriever", "100,000 bilingual chunks in one file: built, searched, killed and gone on with", "µs/chunk",
            retriever, ("qwenkit",), None, _RETRIEVER_GOALS, 100_000, 5_000),
    Measure("realtime", "sound and transcript of a session, as PCM and text", "µs/event", partial(calls, "hear"),
            (*_CALLERS, *_OUR_CALLERS), "websockets", _HEAR_GOALS, 3_000, 600),
    Measure("realtime-append", "sound sent, 100 ms at a time", "µs/append", partial(calls, "append"),
            (*_CALLERS, *_OUR_CALLERS), "websockets", tuple(_times(each, "websockets", 1.1) for each in _OUR_CALLERS),
            3_000, 600),
    Measure("realtime-lag", "from being sent to being handled, 100 blocks a second", "µs/block", partial(calls, "lag"),
            (*_CALLERS, *_OUR_CALLERS), "websockets",
            tuple(_at_most(each, "lag", 450, "p50 ≤ 450 µs") for each in _OUR_CALLERS), 300, 100),
    Measure("realtime-speakers", "50 sessions of one process, each paced like speech", "µs/block",
            partial(calls, "speakers"), _SPEAKERS, "websockets",
            tuple(_at_most(each, "late", 0, "no block late") for each in ("qwenkit-async", "qwenkit")), 60, 20),
    Measure("memory", "what a long stream leaves behind", "µs/chunk", partial(_work, "memory"),
            ("httpx", "httpx again", "qwenkit"), "httpx",
            (_at_most("qwenkit", "growth", 1, "≤ 1 MB beyond its text"),), 200_000, 60_000),
)  # fmt: skip
