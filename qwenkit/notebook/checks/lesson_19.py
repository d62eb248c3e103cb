"""Lesson 19: the titles an answer cites, a stream folded in both dialects, an agent that computes and cites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qwenkit.types.app import AppReply, Reference

Json = dict[str, Any]


def exercise_1(sources: Callable[[AppReply], Any]) -> str | None:
    """Write sources(reply), which gives the titles that an answer points to."""
    for reply, titles, hint in _replies():
        made = sources(reply)
        if made is None:
            return "sources returns nothing yet: give back a list of titles."
        if isinstance(made, str):
            return "That is one text: give back a list of titles."
        if list(made) != titles:
            return f"For {reply.words!r} it gives {list(made)!r:.80} in place of {titles!r}. {hint}"
    return None


def _replies() -> list[tuple[AppReply, list[str], str]]:
    known = [Reference(number=at, title=title) for at, title in enumerate(("Rooms", "Loans", "Fines", "Loans"), 1)]
    told: tuple[tuple[str, list[str], str], ...] = (
        ("Four weeks.<ref>[2]</ref>", ["Loans"], "Only what has a mark in the text is cited."),
        ("Four weeks.<ref>[2]</ref> At ten.<ref>[1]</ref>", ["Loans", "Rooms"], "The order is that of the marks."),
        ("Twice.<ref>[4]</ref> Four weeks.<ref>[2]</ref> Ten.<ref>[3]</ref>", ["Loans", "Fines"], "Each only once."),
        ("Ten cents.<ref>[3]</ref> Free.<ref>[9]</ref>", ["Fines"], "A mark may point to nothing."),
        ("I do not know.", [], "An answer need not have sources."),
    )
    return [(AppReply(text=text, references=known), titles, hint) for text, titles, hint in told]


def exercise_2(folded: Callable[[list[Json], bool], Any]) -> str | None:
    """Write folded(frames, incremental), which gives the text of a streamed answer."""
    for frames, incremental, text, hint in _streams():
        made = folded(frames, incremental)
        if made is None:
            return "folded returns nothing yet: give back the text."
        if made != text:
            return f"It gives {made!r:.60} in place of {text!r}. {hint}"
    return None


def _streams() -> list[tuple[list[Json], bool, str, str]]:
    def frames(*texts: str) -> list[Json]:
        reasons = ["null"] * (len(texts) - 1) + ["stop"]
        return [{"output": {"text": text, "finish_reason": why}} for text, why in zip(texts, reasons, strict=True)]

    news = [{"output": {"workflow_message": {"node_id": name}, "finish_reason": "null"}} for name in ("LLM_1", "End_1")]
    return [
        (frames("The ", "猫", " sleeps.", ""), True, "The 猫 sleeps.", "Each frame brings what is new."),
        (frames("The ", "The 猫", "The 猫 sleeps.", "The 猫 sleeps."), False, "The 猫 sleeps.", "Frames repeat all."),
        (frames("ha", "ha", "ha", ""), True, "hahaha", "An increment may look like the one before it."),
        ([*news, *frames("The 猫 sleeps.")], True, "The 猫 sleeps.", "News of a node has no text."),
        (frames("", ""), False, "", "An answer can be empty."),
    ]


def exercise_3(session: Any) -> str | None:
    """Hold a session with an agent that computes one answer and cites a source in another."""
    if hasattr(session, "words"):
        return "That is a reply: answer with the session, talk = app.session()."
    if not hasattr(session, "replies"):
        return "Answer with the session, talk = app.session()."
    used = [each for reply in session.replies for each in reply.thoughts if each.kind == "api"]
    if not used:
        return "No answer shows a tool at work: give the agent one, and ask with thoughts=True."
    if all(each.observation.startswith('{"error"') for each in used):
        return "The tool only reported an error: read its observation."
    if not any(reply.cited for reply in session.replies):
        return "No answer cites a source: give the agent documents, and ask something they say."
    return None
