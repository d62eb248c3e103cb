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
_MOST_FACTS = 24


def made(scene: Scene) -> dict[str, Call]:
    """The calls made since the question, by id, with their arguments written the way the mind writes them."""
    raw = [call for each in scene.recent for call in _dicts(each.get("tool_calls"))]
    return {str(call.get("id")): _read(call.get("function")) for call in raw}


def _dicts(given: Any) -> list[dict[str, Any]]:
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []


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
    calls = made(scene)
    gap = "\n" if len(results) > 2 else " "
    lines = [_line(scene, calls.get(str(each.get("tool_call_id"))), content(each)) for each in results]
    scene.note("think.results", n=len(results))
    bare = content(results[0])[:_LONGEST] if len(results) == 1 else ""
    return Draft(tuple(part for line in lines for part in (gap, line))[1:], bare)


def _line(scene: Scene, call: Call | None, text: str) -> Part:
    name = (call.name if call else "") or scene.book.first("tool.some")
    value = _value(text)
    error = _error(value)
    if error:
        return scene.book("tool.failed", name=name, value=error)
    facts = flattened(value, scene.language)[:_LONGEST]
    if not facts:
        return scene.book("tool.nothing", name=name)
    if isinstance(value, str) and (len(value.split()) > 3 or re.search("[。！？]", value)):
        return scene.book("tool.said", name=name, value=facts.rstrip(".。"))
    if not isinstance(value, dict | list):
        return scene.book("tool.value", name=name, value=facts)
    subject = _subject(call, value)
    whether = _whether(scene, value)
    told = scene.book("tool.report.about" if subject else "tool.report", name=name, subject=subject, facts=facts)
    return scene.book(whether, told=told) if whether else told


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


def _subject(call: Call | None, value: Any) -> str:
    """What the call was about: its first words, unless the result says them itself."""
    arguments = _value(call.arguments) if call else None
    texts = [each for each in arguments.values() if isinstance(each, str)] if isinstance(arguments, dict) else []
    return texts[0] if texts and texts[0] not in str(value) else ""


def _whether(scene: Scene, value: Any) -> str:
    """A yes-or-no question and one truth value in the result make a yes or a no."""
    truths = [each for each in value.values() if isinstance(each, bool)] if isinstance(value, dict) else []
    asked = scene.asks("tool.whether")
    return ("tool.yes" if truths[0] else "tool.no") if asked and len(truths) == 1 else ""
