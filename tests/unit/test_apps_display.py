"""How an application's answer is shown: words with sources, what was done, nodes, and a text that tells it all."""

from __future__ import annotations

import json
import re

from inert import read

from qwenkit.display import bundle
from qwenkit.display.app import MAX_STEPS, MAX_THOUGHTS, card
from qwenkit.display.citations import MAX_SNIPPET, MAX_SOURCES
from qwenkit.types.app import AppReply, Reference, Step, Thought
from qwenkit.types.usage import Usage

FOUND = [{"dataName": "library", "title": "Loans", "content": "Films: one week.", "score": 0.256}, {"content": "Dogs."}]
LOOKED = Thought(
    "rag", "Knowledge retrieval", "agentRag", "", {"query": "films?", "pipeline_ids": ["kb"]}, json.dumps(FOUND)
)
SOURCES = [
    Reference(1, "Loans", "f1", "library", "# Loans\n\nFilms: one week.", score=0.256, pages=[2, 3]),
    Reference(2, "Dogs", "f2", "rules", "Dogs on a lead."),
]


def reply(**told: object) -> AppReply:
    return AppReply(**{"text": "Two weeks.", "finish_reason": "stop", **told})


def html(value: AppReply) -> str:
    found = bundle(value)["text/html"]
    read(found)
    return found


def words(value: AppReply) -> str:
    return " ".join(" ".join(read(html(value)).text).split())


def test_marks_become_numbers_and_point_to_their_sources():
    value = reply(text="Films: one week. <ref>[1]</ref><ref>[7]</ref> See [1] of `<ref>[2]</ref>`.", references=SOURCES)
    found = html(value)
    assert re.findall(r'<sup class="qk-cite" title="([^"]*)">(\d)', found) == [("Loans", "1"), ("", "7")]
    told = words(value)
    assert "See [1] of <ref>[2]</ref> ." in told
    assert "2 sources 1 library · Loans score 0.26 · p. 2, 3 Films: one week. 2 rules · Dogs Dogs on a lead." in told
    assert bundle(value)["text/plain"].endswith("\n\n[1] library · Loans\n[2] rules · Dogs")


def test_the_sources_that_are_cited_come_first():
    told = words(reply(text="Dogs: on a lead. <ref>[2]</ref>", references=SOURCES))
    assert told.index("rules · Dogs") < told.index("library · Loans")


def test_what_was_done_is_a_line_each_with_what_came_of_it():
    told = words(reply(thoughts=[LOOKED, Thought("calculator", "calculator", "api", "", {"query": "6*7"}, "42")]))
    assert "Knowledge retrieval “films?” → 2 chunks" in told
    assert '"pipeline_ids": ["kb"]' in told
    assert "1 library · Loans score 0.26 Films: one week." in told
    assert "calculator “6*7” → 42" in told


def test_reasoning_stands_before_the_answer_and_not_in_the_trace():
    value = reply(thoughts=[Thought("reasoning", text="Let me see.")])
    assert html(value).count("Let me see.") == 1
    assert "qk-ran" not in html(value).partition("</style>")[2]


def test_nodes_are_a_strip_in_their_order():
    steps = [
        Step("s", "Start", "Start", "success", value={"query": "rain"}),
        Step("l", "Answer", "LLM", "success", "It falls.", seconds=0.12),
        Step("i", "Inner", "LLM", "executing", parent="l"),
        Step("p", "Plug", "Plugin", "fail", error="no such tool"),
    ]
    value = reply(steps=steps, models={"qwen-plus": Usage(prompt_tokens=3, completion_tokens=4)})
    told = words(value)
    assert re.findall("[✓✗…]", told.partition("Two weeks.")[0]) == ["✓", "✓", "…", "✗"]
    assert "✓ Start {" in told
    assert "✓ Answer LLM" in told
    assert "no such tool" in told
    assert "qwen-plus · 3 + 4 tokens" in told
    assert html(value).count("qk-inner>") == 1


def test_many_of_everything_are_capped_and_counted():
    many = reply(
        text="".join(f"a <ref>[{n}]</ref> " for n in range(1, 100)),
        references=[Reference(n, f"T{n}", text="x" * 5_000) for n in range(1, 100)],
        thoughts=[LOOKED] * 60,
        steps=[Step(f"n{n}", f"N{n}", "LLM", "success", "x" * 9_000) for n in range(90)],
    )
    told = words(many)
    assert f"… {99 - MAX_SOURCES} more" in told
    assert f"… {60 - MAX_THOUGHTS} more in reply.thoughts" in told
    assert f"… {90 - MAX_STEPS} more nodes in reply.steps" in told
    assert f"… {5_000 - MAX_SNIPPET:,} more characters" in told
    assert len(html(many)) < 220_000


def test_how_it_ended_is_told():
    assert "The answer is empty." in words(reply(text=""))
    assert "The service stopped before the end" in words(reply(finish_reason=None))
    assert "broken off" in card(reply(finish_reason=None), remark="broken off")
    assert "stopped before" not in card(reply(finish_reason=None), remark="broken off")
    running = card(reply(text="Half", references=SOURCES), running=True, words=lambda choice: f"<p>{choice.text}</p>")
    assert "qk-running" in running
    assert "library" not in running
    read(running)


def test_observations_that_are_no_chunks_are_text():
    for told in ("{", "[1, 2]", '"a"', "null", "\ud83d", "[" * 9_000, ""):
        thought = Thought("api", "tool", observation=told)
        assert thought.found == []
        html(reply(thoughts=[thought]))
