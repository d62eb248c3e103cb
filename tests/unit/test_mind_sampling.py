"""The sampler draws what it reports, and obeys temperature, top_p, top_k, penalties and seed."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter

import pytest

from qwenkit.sandbox.mind import Prompt, Sampling, Token, answer
from qwenkit.sandbox.mind.sampler import GUARD, Sampler
from qwenkit.sandbox.mind.weave import END, Chain, Pick, Several, Weave, speak

ENGLISH = "Write a three-sentence story about a cat and a sunbeam."
CHINESE = "写一个三句话的短故事,主角是一只猫和一束阳光。"
COLOUR = "Pick a colour. One word."
PLAIN = Sampling(temperature=1, top_p=1, top_k=None)
LOGITS = [("a", math.log(0.5)), ("b", math.log(0.3)), ("c", math.log(0.15)), ("d", math.log(0.05))]


def said(text: str, **sampling: float | None) -> str:
    return answer(Prompt([{"role": "user", "content": text}], sampling=Sampling(**sampling))).text  # type: ignore[arg-type]


def drawn(times: int = 2000, **sampling: float | None) -> Counter[str]:
    settings = {"temperature": 1.0, "top_p": 1.0, "top_k": None, **sampling}
    return Counter(Sampler(Sampling(**{**settings, "seed": seed})).choose(LOGITS).text for seed in range(times))  # type: ignore[arg-type]


def chi_square(counts: Counter[str], expected: dict[str, float]) -> float:
    total = sum(counts.values())
    return sum((counts[text] - total * p) ** 2 / (total * p) for text, p in expected.items())


def test_frequencies_at_temperature_one_match_the_logits() -> None:
    assert (
        chi_square(drawn(), {text: math.exp(logit) for text, logit in LOGITS}) < 16.3
    )  # 3 degrees of freedom, p = 0.001


@pytest.mark.parametrize("temperature", [0.5, 0.9, 1.5])
def test_temperature_raises_probabilities_to_its_inverse(temperature: float) -> None:
    bent = {text: math.exp(logit / temperature) for text, logit in LOGITS}
    expected = {text: weight / sum(bent.values()) for text, weight in bent.items()}
    assert chi_square(drawn(temperature=temperature), expected) < 16.3


def test_temperature_zero_takes_the_best_and_a_tiny_one_too() -> None:
    assert set(drawn(50, temperature=0)) == {"a"}
    assert set(drawn(50, temperature=1e-9)) == {"a"}


def test_top_k_and_top_p_cut_the_tail() -> None:
    assert set(drawn(top_k=2)) == {"a", "b"}
    assert set(drawn(top_k=1)) == {"a"}
    assert set(drawn(top_k=0)) == set(drawn(top_k=101)) == set("abcd")
    assert set(drawn(top_p=0.6)) == {"a", "b"}
    assert set(drawn(top_p=0.5)) == {"a"}
    assert set(drawn(top_p=0.0001)) == {"a"}


def test_logprobs_are_those_of_the_model_before_any_setting() -> None:
    for settings in ({"temperature": 0.1}, {"top_k": 2}, {"presence_penalty": 2.0}, {"temperature": 1.9, "top_p": 0.3}):
        token = Sampler(Sampling(**settings)).choose(LOGITS)
        assert token.top == [(text, pytest.approx(logit)) for text, logit in LOGITS]
        assert token.logprob == pytest.approx(dict(LOGITS)[token.text])


def test_what_is_too_unlikely_is_listed_and_never_drawn() -> None:
    logits = [("391", 0.0), ("392", math.log(GUARD / 2))]
    tokens = [Sampler(Sampling(temperature=1.99, top_p=1, top_k=None, seed=seed)).choose(logits) for seed in range(500)]
    assert {token.text for token in tokens} == {"391"}
    assert tokens[0].top[1][0] == "392"


@pytest.mark.parametrize("settings", [{"presence_penalty": 2.0}, {"repetition_penalty": 3.0}])
def test_penalties_make_what_was_said_less_likely(settings: dict[str, float]) -> None:
    def repeats(**given: float) -> int:
        count = 0
        for seed in range(300):
            sampler = Sampler(Sampling(temperature=1, top_p=1, top_k=None, seed=seed, **given))  # type: ignore[arg-type]
            count += sampler.choose(LOGITS[:2]).text == sampler.choose(LOGITS[:2]).text
        return count

    assert repeats(**settings) < 0.7 * repeats()


def test_a_choice_of_phrases_becomes_exact_probabilities_of_tokens() -> None:
    weave = Weave((Pick(((3, ("the cat",)), (1, ("the dog",)), (4, ("a cat",)))),))
    first = {text: math.exp(logit) for text, logit in weave.candidates()}
    assert first == {"the": pytest.approx(0.5), "a": pytest.approx(0.5)}
    weave.take("the")
    assert {text: math.exp(logit) for text, logit in weave.candidates()} == {
        " cat": pytest.approx(0.75),
        " dog": pytest.approx(0.25),
    }


def test_the_end_of_an_answer_is_a_token_among_others() -> None:
    weave = Weave((Pick(((1, ("yes",)), (1, ("yes indeed",)))),))
    weave.candidates()
    weave.take("yes")
    assert dict(weave.candidates())[END] == pytest.approx(math.log(0.5))


def test_several_draws_without_repeating() -> None:
    options = tuple((1.0, (word,)) for word in ("red", "blue", "green"))
    for seed in range(20):
        tokens = speak(Weave((Several(options, 3, lambda at: ", " if at else ""),)), Sampler(Sampling(seed=seed)), 50)
        assert sorted("".join(token.text for token in tokens).split(", ")) == ["blue", "green", "red"]


def test_a_chain_goes_on_as_the_corpus_would() -> None:
    text = "".join(token.text for token in speak(Weave((Chain("en", "The cat sat on the"),)), Sampler(PLAIN), 60))
    assert text.startswith(" ")
    assert text.endswith((".", "!", "?"))


def tokens_of(text: str, **sampling: float | None) -> list[Token]:
    return answer(Prompt([{"role": "user", "content": text}], sampling=Sampling(**sampling))).tokens  # type: ignore[arg-type]


@pytest.mark.parametrize("question", [ENGLISH, CHINESE, COLOUR, "What is 17 * 23?", "你是谁?", "Why is the sky blue?"])
def test_every_token_reports_a_distribution(question: str) -> None:
    for token in tokens_of(question):
        logprobs = [logprob for _, logprob in token.top]
        assert 1 <= len(token.top) <= 5
        assert logprobs == sorted(logprobs, reverse=True)
        assert sum(map(math.exp, logprobs)) <= 1 + 1e-9
        assert token.logprob <= 0
        if len(token.top) < 5:
            assert sum(map(math.exp, logprobs)) == pytest.approx(1)
        assert dict(token.top).get(token.text, token.logprob) == token.logprob


def test_the_colours_a_learner_counts_match_the_reported_probabilities() -> None:
    counts = Counter(said(COLOUR, temperature=1, top_p=1, top_k=None, seed=seed) for seed in range(1500))
    expected = {text: math.exp(logprob) for text, logprob in tokens_of(COLOUR, temperature=1)[0].top}
    for text, p in expected.items():
        assert abs(counts[text] - 1500 * p) < 4 * math.sqrt(1500 * p * (1 - p))


@pytest.mark.parametrize("question", [ENGLISH, CHINESE])
def test_the_founding_story_changes_with_temperature(question: str) -> None:
    cold = Counter(said(question, temperature=0.1, top_p=0.95, seed=seed) for seed in range(20))
    warm = Counter(said(question, temperature=0.9, top_p=0.95, seed=seed) for seed in range(20))
    assert cold.most_common(1)[0][1] >= 18
    assert len(warm) >= 19
    for story in {*cold, *warm}:
        assert sum(story.count(mark) for mark in ".。") == 3
    assert said(question, temperature=0.9, seed=7) == said(question, temperature=0.9, seed=7)


def test_top_p_narrows_the_stories() -> None:
    assert len({said(ENGLISH, temperature=0.9, top_p=0.05, seed=seed) for seed in range(10)}) == 1
    assert len({said(ENGLISH, temperature=0.9, top_k=1, seed=seed) for seed in range(10)}) == 1


@pytest.mark.parametrize("question", ["What is 17 * 23?", "9.11和9.9哪个大？", "What is the capital of France?"])
def test_facts_stay_facts_at_high_temperature(question: str) -> None:
    right = {"What is 17 * 23?": "391", "9.11和9.9哪个大？": "9.9", "What is the capital of France?": "Paris"}[question]
    answers = {said(question, temperature=1.99, top_p=1, top_k=None, seed=seed) for seed in range(40)}
    assert len(answers) > 1  # the wording varies
    assert all(right in text for text in answers)


def test_choices_of_one_request_differ_and_are_repeatable() -> None:
    prompt = Prompt([{"role": "user", "content": ENGLISH}], sampling=Sampling(temperature=0.9))
    texts = [answer(prompt, index).text for index in range(4)]
    assert len(set(texts)) == 4
    assert texts == [answer(prompt, index).text for index in range(4)]


def test_the_same_seed_gives_the_same_text_in_every_process() -> None:
    program = (
        "from qwenkit.sandbox.mind import Prompt, Sampling, answer\n"
        f"a = answer(Prompt([dict(role='user', content={CHINESE!r})], sampling=Sampling(temperature=0.9, seed=5)))\n"
        "print(ascii([(t.text, t.logprob, t.top) for t in a.tokens]))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout
    here = tokens_of(CHINESE, temperature=0.9, seed=5)
    assert runs[0].stdout.decode().strip() == ascii([(token.text, token.logprob, token.top) for token in here])


def test_penalties_reach_the_answers() -> None:
    def faces(**given: float) -> float:
        rolls = [
            said("Roll a die 6 times", temperature=1, top_p=1, top_k=None, seed=seed, **given) for seed in range(40)
        ]
        return sum(len(set(roll.split(", "))) for roll in rolls) / len(rolls)

    assert faces() < 4.7  # 6 independent rolls show 3.99 different faces on average
    assert faces(presence_penalty=2.0) > 4.7
    assert faces(repetition_penalty=2.0) > 4.7
    assert faces(presence_penalty=-2.0) < 3
