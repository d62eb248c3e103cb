"""A sentence from what tools brought back: JSON flattened into words, errors reported as errors."""

from __future__ import annotations

import json
import re
from typing import Any

from .cues import cue
from .meaning import split_name
from .prompt import Call
from .reading import content
from .scene import Draft, Scene
from .weave import Part

_LONGEST = 1200
_SUBJECT = 60
_MOST_FACTS = 24


def made(scene: Scene) -> dict[str, Call]:
    """The calls made since the question, by id, with their arguments written the way the mind writes them."""
    rows = [row for each in scene.recent if isinstance(row := each.get("tool_calls"), list)]
    raw = [call for row in rows for call in row if isinstance(call, dict)]
    return {str(call.get("id")): _read(call.get("function")) for call in raw}


def _read(function: Any) -> Call:
    given = function if isinstance(function, dict) else {}
    arguments = _value(str(given.get("arguments") or "{}"))
    return Call(str(given.get("name") or ""), json.dumps(arguments, ensure_ascii=False))


def brought(scene: Scene) -> dict[str, Any]:
    """What the results since the question say, field by field."""
    values = [_value(content(each)) for each in scene.recent if each.get("role") == "tool"]
    return {key: value for one in values if isinstance(one, dict) for key, value in one.items()}


def report(scene: Scene) -> Draft | None:
    results = [each for each in scene.recent if each.get("role") == "tool"]
    if not results:
        return None
    calls, alone = made(scene), len(results) == 1
    gap = "\n" if len(results) > 2 else " " if scene.language == "en" else ""
    answered = [(calls.get(str(each.get("tool_call_id"))), content(each)) for each in results]
    lines = [_line(scene, call, _subject(call, calls, alone), text, alone) for call, text in answered]
    scene.note("think.results", n=len(results))
    bare = content(results[0])[:_LONGEST] if alone else ""
    return Draft(tuple(part for line in lines for part in (gap, line))[1:], bare)


def _line(scene: Scene, call: Call | None, subject: str, text: str, alone: bool) -> Part:
    name = (call.name if call else "") or scene.book.first("tool.some")
    value = _value(text)
    error = _error(value)
    if error:
        return scene.book("tool.failed", name=name, value=error)
    facts = flattened(value, scene.language)[:_LONGEST]
    if not facts:
        return scene.book("tool.nothing", name=name)
    subject = "" if subject in str(value) else subject
    whether = _whether(scene, value, facts) if alone else ""
    if isinstance(value, dict | list):
        told = scene.book("tool.report.about" if subject else "tool.report", name=name, subject=subject, facts=facts)
        return scene.book(whether, told=told) if whether else told
    sentence = isinstance(value, str) and (len(value.split()) > 3 or re.search("[。！？]", value))
    about = subject and not (alone and re.search(r"[.。！？!?]\s*$", text))
    rule = f"{whether}.value" if whether else "tool.about" if about else "tool.said" if sentence else "tool.value"
    return scene.book(rule, name=name, subject=subject, value=facts.rstrip(".。"))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()


def _error(value: Any) -> str:
    if isinstance(value, dict):
        error = value.get("error") or (value.get("status") == "error" and value.get("message"))
        error = error.get("message", error) if isinstance(error, dict) else error
        return flattened(error, "en") if error else ""
    return value[:_LONGEST] if isinstance(value, str) and cue("tool.error").search(value) else ""


def flattened(value: Any, language: str, depth: int = 0) -> str:
    """{"temp_c": 18, "wind": {"kmh": 7}} -> temp c 18, wind (kmh 7)"""
    comma = "，" if language == "zh" else ", "
    if depth > 6:
        return "…"
    if isinstance(value, dict):
        pairs = list(value.items())[:_MOST_FACTS]
        return comma.join(f"{split_name(str(key))}: {_inner(each, language, depth)}" for key, each in pairs)
    if isinstance(value, list):
        return ("；" if language == "zh" else "; ").join(_inner(each, language, depth) for each in value[:_MOST_FACTS])
    words = {"en": {True: "yes", False: "no", None: "nothing"}, "zh": {True: "是", False: "否", None: "无"}}[language]
    return words[value] if value is None or isinstance(value, bool) else str(value)


def _inner(value: Any, language: str, depth: int) -> str:
    text = flattened(value, language, depth + 1)
    return f"({text})" if isinstance(value, dict) else text


def _subject(call: Call | None, calls: dict[str, Call], alone: bool) -> str:
    """What a call was about: the argument in which calls of one tool differ, else its first words, else the tool."""
    others = [_given(other) for other in calls.values() if call and other.name == call.name]
    given = _given(call) if call else {}
    apart = next((key for key in given if any(other.get(key) != given[key] for other in others)), "")
    if apart:
        return given[apart] if isinstance(given[apart], str) else f"{split_name(apart)} {flattened(given[apart], 'en')}"
    words = [each for each in given.values() if isinstance(each, str)]
    spoken = split_name(call.name).removeprefix("get ") if call else ""
    subject = next(iter(words), spoken[:1].upper() + spoken[1:])[:_SUBJECT]
    return "" if alone and (not words or re.search(r"\d\s*[-+*/^%]", subject)) else subject


def _given(call: Call) -> dict[str, Any]:
    arguments = _value(call.arguments)
    return arguments if isinstance(arguments, dict) else {}


def _whether(scene: Scene, value: Any, facts: str) -> str:
    """A yes-or-no question and one truth value in the result make a yes or a no; so do rain and what is said of it."""
    truths = [each for each in value.values() if isinstance(each, bool)] if isinstance(value, dict) else []
    if not scene.asks("tool.whether"):
        return ""
    if len(truths) == 1:
        return "tool.yes" if truths[0] else "tool.no"
    return ("tool.yes" if cue("tool.wet").search(facts) else "tool.dry") if scene.asks("tool.rain") else ""
