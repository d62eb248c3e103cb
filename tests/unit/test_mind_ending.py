"""Where answers end and begin: max_tokens, stop, thinking and its budget, prefixes; and inputs nobody expects."""

from __future__ import annotations

import ast
import datetime
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwenkit.sandbox.mind import Answer, Prompt, Sampling, answer
from qwenkit.sandbox.mind.cues import cue, table
from qwenkit.sandbox.mind.library import read
from qwenkit.sandbox.mind.wording import book

ENGLISH = "Write a three-sentence story about a cat and a sunbeam."
CHINESE = "写一个三句话的短故事,主角是一只猫和一束阳光。"


def ask(question: str, **options: Any) -> Answer:
    options = {"sampling": Sampling(temperature=0), "today": datetime.date(2026, 11, 21), **options}
    return answer(Prompt([{"role": "user", "content": question}], **options))


@pytest.mark.parametrize("limit", [0, 1, 7, 30])
def test_max_tokens_cuts_and_says_so(limit: int) -> None:
    whole, cut = ask("Why is the sky blue?"), ask("Why is the sky blue?", max_tokens=limit)
    assert len(cut.tokens) == limit
    assert cut.finish_reason == "length"
    assert whole.finish_reason == "stop"
    assert whole.text.startswith(cut.text)


def test_max_tokens_that_suffice_change_nothing() -> None:
    whole = ask("Say ok")
    assert ask("Say ok", max_tokens=len(whole.tokens)) == whole
    assert ask("count from 1 to 2000").finish_reason in ("stop", "length")


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (["7"], "1, 2, 3, 4, 5, 6, "),
        ([", 3"], "1, 2"),
        (["nowhere"], "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"),
        (["9", "4, 5"], "1, 2, 3, "),
        (["1"], ""),
        ([""], "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"),
    ],
)
def test_stop_texts_are_left_out(stop: list[str], expected: str) -> None:
    reply = ask("count from 1 to 10", stop=stop)
    assert reply.text == expected
    assert reply.finish_reason == "stop"


def test_a_stop_text_may_cut_a_token() -> None:
    reply = ask("Why is the sky blue?", stop=["catt"])
    assert reply.text == "The air s"
    assert reply.tokens[-1].text == " s"


def test_thinking_tells_the_steps_it_took() -> None:
    thought = "".join(ask("What is (12+8)*3-5?", thinking=True).thinking)
    assert "12 + 8 = 20" in thought
    assert "20 × 3 = 60" in thought
    assert "60 - 5 = 55" in thought
    assert "步骤：5 + 3 = 8" in "".join(ask("小明有5个苹果，又买了3个，还剩几个？", thinking=True).thinking)
    assert "sandbox" in "".join(ask("Who are you?", thinking=True).thinking)
    assert ask("Who are you?").thinking == []


@pytest.mark.parametrize("budget", [1, 10, 25])
def test_a_thinking_budget_counts_tokens(budget: int) -> None:
    whole = ask("What is (12+8)*3-5?", thinking=True)
    cut = ask("What is (12+8)*3-5?", thinking=True, thinking_budget=budget)
    assert cut.thinking == whole.thinking[:budget]
    assert cut.text == whole.text


def test_thinking_changes_no_answer() -> None:
    sampling = Sampling(temperature=0.9)
    assert ask(ENGLISH, sampling=sampling).text == ask(ENGLISH, sampling=sampling, thinking=True).text


@pytest.mark.parametrize(
    ("question", "prefix", "expected"),
    [
        ("What is the capital of France?", "The capital of France is", " Paris."),
        ("What is 17*23?", "The answer is ", "391."),
        ("What is 17*23?", "Sure, the answer is", " 391."),
        ("What is 17*23?", "Sure! ", "17 × 23 = 391"),
        ("Explain VAD", "VAD means voice activity", " detection: deciding"),
        (
            "Complete the fibonacci function",
            "def calculate_fibonacci(n):\n    if n <= 1:\n        return n\n    else:\n",
            "        return calculate_fibonacci(n - 1)",
        ),
        ("Ada is 36. Give name and age as JSON.", '{"name": "', 'Ada", "age": 36}'),
        ("Ada is 36. Give name and age as JSON.", "{", '"name": "Ada", "age": 36}'),
        ("Ada is 36. Give name and age as JSON.", '{\n  "name":', ' "Ada", "age": 36}'),
        ("Ada is 36. Give name and age as JSON.", '```json\n{"name": "Ada", ', '"age": 36}'),
        ("Ada is 36. Give name and age as JSON.", '{"na', 'me": "Ada", "age": 36}'),
        ("Who is Ada? She is 36.", '{"age": ', "36}"),
        (
            "Explain quantum entanglement",
            "Quantum entanglement is",
            " something the qwenkit sandbox knows nothing about.",
        ),
        (ENGLISH, "One quiet afternoon, an old cat", " found a warm sunbeam"),
        ("Hello", "", "Hello!"),
    ],
)
def test_a_prefix_is_continued_and_not_repeated(question: str, prefix: str, expected: str) -> None:
    assert ask(question, partial=prefix).text.startswith(expected)


def test_a_prefix_may_come_as_the_last_message_too() -> None:
    messages = [
        {"role": "user", "content": "What is the capital of France?"},
        {"role": "assistant", "content": "The capital of France is", "partial": True},
    ]
    assert answer(Prompt(messages, partial="The capital of France is")).text == " Paris."


@pytest.mark.parametrize("seed", range(10))
def test_continued_texts_are_whole(seed: int) -> None:
    sampling = Sampling(temperature=1.2, seed=seed)
    prefix = "def prime(k):\n    "
    ast.parse(prefix + ask("Is k prime? Write the function", partial=prefix, sampling=sampling).text)
    assert json.loads(
        '{"kind": "cat", ' + ask("describe a cat in JSON", partial='{"kind": "cat", ', sampling=sampling).text
    )
    assert ask(CHINESE, partial="从前有一只", sampling=sampling).text.endswith("。")
    assert ask(ENGLISH, partial="Once upon a time there was", sampling=sampling).text.startswith(" ")
    assert ask(ENGLISH, partial="Zzyx", sampling=sampling).text.endswith(".")


def test_every_rule_of_both_books_can_be_said() -> None:
    given = "value sum topic other it It that That role model question n step equation root first second list today"
    given += (
        " days kind key score kept word letter places phrase classes temperature name arguments keys amount other large"
    )
    given += " small factors date year lines text sentence country spelled facts subject told tongue"
    for language in ("en", "zh"):
        rules = book(language)
        for name in rules.rules:
            slots = {slot for _, pieces in rules.options(name) for slot in pieces[1::2]}
            assert slots <= set(given.split()) | set(rules.rules), name
    missing = set(book("en").rules) ^ set(book("zh").rules)
    assert not {
        name for name in missing if not name.startswith(("cat.", "name.", "haiku.", "story.", "poem.", "slogan."))
    }


def test_every_cue_compiles() -> None:
    names = [line[:-1] for line in read("cues.txt").splitlines() if re.fullmatch(r"[a-z_.]+:", line)]
    assert len(names) == len(set(names))
    for name in names:
        assert table(name) if " => " in read("cues.txt").partition(f"\n{name}:\n")[2].partition("\n")[0] else cue(name)


scalar = st.none() | st.booleans() | st.integers() | st.text(alphabet=st.characters(), max_size=40)
part = st.fixed_dictionaries(
    {}, optional={"type": scalar, "text": scalar, "image_url": scalar, "audio": scalar, "video": scalar}
)
message = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["system", "user", "assistant", "tool"]) | scalar,
        "content": scalar | st.lists(part | scalar, max_size=3),
        "tool_calls": scalar
        | st.lists(
            st.dictionaries(
                st.sampled_from(["id", "function"]),
                scalar | st.dictionaries(st.sampled_from(["name", "arguments"]), scalar),
            ),
            max_size=2,
        ),
        "tool_call_id": scalar,
        "partial": scalar,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    messages=st.lists(message, max_size=5),
    partial=st.none() | st.text(max_size=30),
    thinking=st.booleans(),
    kind=st.sampled_from([None, "json_object", "odd"]),
)
def test_any_messages_get_an_answer(messages: list[Any], partial: str | None, thinking: bool, kind: str | None) -> None:
    tools = [{"type": "function", "function": {"name": "get_weather", "description": None, "parameters": {}}}, {}]
    reply = answer(
        Prompt(
            messages, tools=tools, partial=partial, thinking=thinking, response_format={"type": kind} if kind else None
        )
    )
    (reply.text + "".join(reply.thinking)).encode()


WORDS = ["how", "what", "is", "the", "12", "3", "+", "*", "/", "(", ")", "=", "x", "%", "of", "my", "name", "prime"]
WORDS += ["sum", "json", "keys", "{", "}", "[", "]", '"', "'", ":", ",", ".", "?", "多少", "是", "天气", "什么"]
WORDS += ["今天", "20", "-", "story", "about", "cat", "roll", "km", "in", "2026-02-30", "\ud800", "\U0001f600"]


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=25), glue=st.sampled_from(["", " "]))
def test_any_question_gets_an_answer(pieces: list[str], glue: str) -> None:
    question = glue.join(pieces)
    assert ask(question).text.encode()
    ask(question, partial=question, thinking=True)
    assert ask(question, response_format={"type": "json_object"}).text


@pytest.mark.parametrize(
    "unit", ["a", "a ", "猫", "The cat sat. ", "1+", "(", "{", "a@", "my name is ", '"', "a, ", "9", "a-", "\n"]
)
def test_a_megabyte_is_read_to_its_end(unit: str) -> None:
    question = unit * (1_000_000 // len(unit))
    assert ask(question).text.encode()
    assert answer(
        Prompt([{"role": "system", "content": question}, {"role": "user", "content": "What is the answer?"}])
    ).text
