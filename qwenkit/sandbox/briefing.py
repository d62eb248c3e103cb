"""Putting what the built-in tools found before the model.

It goes in front of the question, as part of the instructions or, where the answer must come from it, as a document. A
mind that still has no answer, or that would answer one question of several, is handed the sentences that fit best.
"""

from __future__ import annotations

from datetime import date

from qwenkit.sandbox.builtin import ADDRESS, Step
from qwenkit.sandbox.messages import last_words
from qwenkit.sandbox.response_items import Json
from qwenkit.sandbox.retrieval import Ranking, terms

MOST_QUOTED = 2  # sentences


def briefed(messages: list[Json], done: list[Step], today: date) -> list[Json]:
    """The messages of a request whose tools have done their work."""
    finds = list({step.found: step for step in done if step.found}.values())  # a page found and read is shown once
    at = max(place for place, message in enumerate(messages) if message["role"] == "user")
    told = [{"role": "document" if step.binding else "system", "content": step.found} for step in finds]
    asking = _without_address(messages[at]) if any(step.binding for step in finds) else messages[at]
    shown = [*messages[:at], *told, asking, *messages[at + 1 :]]
    several = [step for step in finds if step.query]
    if len(several) > 1:
        return [*shown, *_result("web_search", [_fitting(step.query, step.found, 1) for step in several])]
    name, every = (finds or done)[0].item["type"].removesuffix("_call"), "\n".join(step.found for step in finds)
    if not every or (_knows(shown, today) and not _silent(told, asking, every)):
        return shown
    return [*shown, *_result(name, [_fitting(last_words(messages), every, MOST_QUOTED)])]


def _knows(messages: list[Json], today: date) -> bool:
    from qwenkit.sandbox.mind import Prompt
    from qwenkit.sandbox.mind.faculties import KNOWING, first
    from qwenkit.sandbox.mind.scene import read

    return first(read(Prompt(messages, today=today)), KNOWING) is not None


def _silent(told: list[Json], asking: Json, found: str) -> bool:
    """Whether a document was asked for without a word about what is in it."""
    from qwenkit.sandbox.mind.cues import cue

    asked = last_words([asking])
    bound = any(message["role"] == "document" for message in told)
    return bound and not cue("extract.summary").search(asked) and not set(terms(asked)) & set(terms(found))


def _without_address(message: Json) -> Json:
    """A question about a page that has been read; its address would only be taken for words."""
    content = message["content"]
    if isinstance(content, str):
        return {**message, "content": ADDRESS.sub("", content)}
    parts = [{**part, "text": ADDRESS.sub("", part["text"])} if "text" in part else part for part in content]
    return {**message, "content": parts}


def _fitting(question: str, text: str, most: int) -> str:
    from qwenkit.sandbox.mind.reading import sentences

    said = sentences(text)
    places = sorted(found.place for found in Ranking(said).best(question, most))
    return " ".join(said[place] for place in places or [0])


def _result(name: str, quotes: list[str]) -> list[Json]:
    """A tool's result as chat has it."""
    call = {"id": "found", "type": "function", "function": {"name": name, "arguments": "{}"}}
    return [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "found", "content": " ".join(quotes)},
    ]
