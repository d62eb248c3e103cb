"""What is first said into a microphone gets a short natural answer, and what is beyond the mind a short honest one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qwenkit.sandbox.mind import Prompt, Sampling, answer
from qwenkit.sandbox.mind.reading import language

SENTENCES = [
    each["text"] for each in json.loads((Path(__file__).parents[2] / "data/sentences.json").read_text(encoding="utf-8"))
]
HELLO = "Hello, and welcome on board. 你好，欢迎上船。"
LONGEST = {"en": 85, "zh": 32}  # characters that take about six seconds
GREETS, WORKS = "Hello! I am the qwenkit sandbox.", "The sandbox hears you"


def said(text: str, system: str = "", *, aloud: bool = True, heat: float = 0) -> str:
    messages = [{"role": "system", "content": system}] * bool(system) + [{"role": "user", "content": text}]
    return answer(Prompt(messages, aloud=aloud, sampling=Sampling(temperature=heat))).text


@pytest.mark.parametrize("aloud", [True, False])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello.", GREETS),
        (HELLO, GREETS),
        ("Hello, and welcome on board.", GREETS),
        ("Good morning, everyone, let us begin.", GREETS),
        ("Nice to meet you.", GREETS),
        ("Hi. How are you?", "I am as well as my tests"),
        ("Thank you very much for your help.", "You are welcome!"),
        ("Goodbye, and have a safe journey home.", "Goodbye!"),
        ("Good night.", "Goodbye!"),
        ("Can you hear me?", WORKS),
        ("Hello? Is anybody there?", WORKS),
        ("Testing, testing, one two three.", WORKS),
        ("Who are you?", "I am the qwenkit sandbox"),
        ("你好，欢迎上船。", "你好！我是 qwenkit 沙箱"),
        ("谢谢！", "不客气"),
        ("你听得到我吗？", "沙箱收到了"),
        ("喂，听得见吗？", "沙箱收到了"),
        ("再见，祝你一路平安。", "再见"),
        ("我最喜欢的季节是秋天。", "秋天"),
    ],
)
def test_small_talk_is_answered_in_kind(text: str, expected: str, aloud: bool) -> None:
    assert expected in said(text, aloud=aloud)


@pytest.mark.parametrize(
    "text",
    [
        "Hello, please translate this: bread",
        "Thanks, now what is 2 + 2?",
        "Testing is important. What is 2 + 2?",
        "Goodbye was said by whom, and what is 2 + 2?",
        "你好，12加30等于多少？",
    ],
)
def test_a_question_behind_a_greeting_is_no_small_talk(text: str) -> None:
    assert not any(each in said(text) for each in (GREETS, WORKS, "welcome", "Goodbye!", "你好"))


def test_what_is_beyond_it_is_admitted_in_a_breath() -> None:
    told = {text: said(text, heat=1.5) for text in (*SENTENCES, "Why do cats purr?", "猫为什么打呼噜？", "What am I?")}
    assert [text for text in told.values() if len(text) > LONGEST[language(text)]] == []
    assert all(answered.strip() for answered in told.values())
    assert "qwenkit" in told["Why do cats purr?"]
    assert len(said("Why do cats purr?", aloud=False)) > 100


def test_what_was_asked_for_at_length_is_told_at_length() -> None:
    story = "Tell a three-sentence story about a cat and a sunbeam."
    assert said(story) == said(story, aloud=False)
    assert said("Why is the sky blue?") == said("Why is the sky blue?", aloud=False)
    assert "Captain Nemo" in said("Who are you?", "You are Captain Nemo, commander of a submarine.")
