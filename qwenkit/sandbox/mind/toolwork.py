"""Using tools: which of them the prompt calls for, with which arguments, and a sentence from what they brought back.

A tool is chosen by the meanings its name, description and parameters share with the prompt; its arguments are the
prompt's evidence for its parameters. Calls already made since the question are not made again, so a loop of rounds
always ends.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .check import tidy, types
from .evidence import Evidence
from .library import lexicon
from .meaning import meanings, split_name
from .prompt import Call
from .results import made, report
from .scene import Draft, Scene
from .schema import Filler

_ENOUGH = 1.0  # one shared word of a name or description
_CLOSE = 0.5  # in parallel, a second tool must match at least half as well as the best
_MOST_CALLS = 8
_LONGEST = 4000
_EACH = ("place", "location", "city", "town", "symbol", "ticker")  # a prompt may name several of these
_NO_CALL = object()


def tools(scene: Scene) -> Draft | None:
    choice = scene.prompt.tool_choice
    wanted = [] if choice == "none" else _wanted(scene, choice)
    done = list(made(scene).values())
    left = [call for call in wanted if call not in done]
    if left and not (done and isinstance(choice, dict)):
        for call in left:
            scene.note("think.call", name=call.name, arguments=call.arguments)
        return Draft(calls=left if scene.prompt.parallel_tool_calls else left[:1])
    return report(scene) or _missing(scene)


def _functions(scene: Scene) -> list[dict[str, Any]]:
    given = [tool.get("function", tool) for tool in scene.prompt.tools if isinstance(tool, dict)]
    return [each for each in given if isinstance(each, dict) and isinstance(each.get("name"), str)]


def _parameters(function: dict[str, Any]) -> dict[str, Any]:
    schema = tidy(function.get("parameters"))
    return schema if isinstance(schema, dict) else {}


def _wanted(scene: Scene, choice: str | dict[str, Any]) -> list[Call]:
    functions = _functions(scene)
    if isinstance(choice, dict):
        name = (choice.get("function") or choice).get("name")
        forced = [each for each in functions if each["name"] == name]
        return _calls(scene, forced[0], forced=True)[:1] if forced else []
    ranked = _ranked(scene, functions)
    if choice == "required" and functions:
        best = ranked[0][1] if ranked else functions[0]
        return _calls(scene, best, forced=True)
    chosen = [function for score, function in ranked if score >= ranked[0][0] * _CLOSE]
    calls = [call for function in chosen for call in _calls(scene, function, forced=False)]
    return calls[:_MOST_CALLS]


def _ranked(scene: Scene, functions: list[dict[str, Any]]) -> list[tuple[float, dict[str, Any]]]:
    """Tools that share enough with the prompt, best first, each for words no better tool has explained."""
    said = _said(scene)
    scored = sorted(
        ((_score(each, said), -at, each) for at, each in enumerate(functions)), key=lambda row: row[:2], reverse=True
    )
    ranked: list[tuple[float, dict[str, Any]]] = []
    explained: set[str] = set()
    for score, _, function in scored:
        own = _core(function) & said - explained
        if score >= _ENOUGH and (own or not ranked):
            ranked.append((score, function))
            explained |= _core(function)
    return ranked


def _said(scene: Scene) -> set[str]:
    asked = _asked(scene)[:_LONGEST]
    said = meanings(asked) - set(lexicon()["tool_words"])
    if Evidence(asked, scene.prompt.today).expressions():
        said.add("#calculate")
    return said


def _core(function: dict[str, Any]) -> set[str]:
    about = meanings(f"{function['name']} {function.get('description') or ''}")
    return about - set(lexicon()["tool_words"]) - _details(function)


def _details(function: dict[str, Any]) -> set[str]:
    return meanings(json.dumps(_parameters(function).get("properties", {}), ensure_ascii=False, default=str))


def _score(function: dict[str, Any], said: set[str]) -> float:
    """Words of the name count twice: `get_weather` is about weather, whatever its description goes on about."""
    named = meanings(function["name"]) - set(lexicon()["tool_words"])
    return 1.0 * len(named & said) + 1.0 * len(_core(function) & said) + 0.4 * len(_details(function) & said)


def _calls(scene: Scene, function: dict[str, Any], forced: bool) -> list[Call]:
    schema = _parameters(function)
    evidence = Evidence(_asked(scene), scene.prompt.today)
    arguments = _arguments(schema, evidence, forced)
    if arguments is None:
        return []
    each = [key for key in arguments if any(word in split_name(key).lower() for word in _EACH)]
    if len(each) != 1:
        return [_call(function["name"], arguments)]
    finder = evidence.tickers if re.search("symbol|ticker", each[0]) else evidence.places
    values = finder(each[0]) if isinstance(arguments[each[0]], str) else []
    several = values if arguments[each[0]] in values else [arguments[each[0]]]
    return [_call(function["name"], {**arguments, each[0]: value}) for value in several]


def _asked(scene: Scene) -> str:
    """The question; if an earlier answer was a question back, what came before it too."""
    users = [turn.text for turn in scene.earlier if turn.role == "user"]
    answered = (
        scene.earlier and scene.earlier[-1].role == "assistant" and re.search(r"[?？]\s*$", scene.earlier[-1].text)
    )
    return f"{scene.question}\n{users[-1]}" if answered and users else scene.question


def _call(name: str, arguments: dict[str, Any]) -> Call:
    return Call(name, json.dumps(arguments, ensure_ascii=False))


def _arguments(schema: dict[str, Any], evidence: Evidence, forced: bool) -> dict[str, Any] | None:
    """What the prompt says about each parameter. None if a required one is missing and nobody insists."""
    required = schema.get("required", ())
    filled: dict[str, Any] = {}
    for key, rule in schema.get("properties", {}).items():
        value = _argument(key, rule if isinstance(rule, dict) else {}, evidence, key in required, forced)
        if value is _NO_CALL:
            return None
        if value is not None:
            filled[key] = value
    return filled


def _argument(key: str, rule: dict[str, Any], evidence: Evidence, required: bool, forced: bool) -> Any:
    kinds = set(types(rule)) or {"string"}
    if kinds & {"array", "object"} or "$ref" in rule or "anyOf" in rule:
        value = Filler({"type": "object", "properties": {key: rule}, "required": [key]}, evidence).fill().get(key)
        return value if required or value not in ([], {}, None) else None
    value = evidence.find(key, rule, kinds, eager=required)
    if value is None and required:
        value = rule.get("default", rule.get("const"))
        if value is None and not forced:
            return _NO_CALL if "enum" not in rule else rule["enum"][0]
        if value is None:
            value = Filler({"type": "object", "properties": {key: rule}}, evidence).fill().get(key)
    return value


def _missing(scene: Scene) -> Draft | None:
    """A tool fits but the prompt lacks what it needs: ask for it."""
    if scene.prompt.tool_choice == "none":
        return None
    for _, function in _ranked(scene, _functions(scene))[:1]:
        schema = _parameters(function)
        evidence = Evidence(_asked(scene), scene.prompt.today)
        for key in schema.get("required", ()):
            rule = schema.get("properties", {}).get(key)
            if isinstance(rule, dict) and _argument(key, rule, evidence, True, False) is _NO_CALL:
                scene.note("think.missing", name=function["name"], key=str(key))
                return scene.say("tool.ask", name=function["name"], key=split_name(str(key)).lower())
    return None
