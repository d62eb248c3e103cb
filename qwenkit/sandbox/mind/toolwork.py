"""Using tools: which of them the prompt calls for, with which arguments, and a sentence from what they brought back.

A tool is chosen by the meanings its name, description and parameters share with the prompt; its arguments are the
prompt's evidence for its parameters, or what another tool has brought. Calls already made since the question are not
made again, and no tool lives on its own results, so a loop of rounds always ends.
"""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

from .check import types, valid
from .evidence import Evidence
from .meaning import idle, meanings, split_name
from .prompt import Call
from .results import brought, made, report
from .scene import Draft, Scene
from .schema import NONSENSE, Filler

_ENOUGH = 1.0  # one shared word of a name or description
_CLOSE = 0.5  # in parallel, a second tool must match at least half as well as the best
_MOST_CALLS = 8
_LONGEST = 4000
_EACH = ("place", "location", "city", "town", "symbol", "ticker")  # a prompt may name several of these
_ASKED_BACK = re.compile(r"[?？]\s*$")


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
    schema = function.get("parameters")
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
    said = meanings(asked) - idle()
    if Evidence(asked, scene.prompt.today).expressions():
        said.add("#calculate")
    return said


def _core(function: dict[str, Any]) -> set[str]:
    about = meanings(f"{function['name']} {function.get('description') or ''}")
    return about - idle() - _details(function)


def _details(function: dict[str, Any]) -> set[str]:
    return meanings(json.dumps(_parameters(function).get("properties", {}), ensure_ascii=False, default=str))


def _score(function: dict[str, Any], said: set[str]) -> float:
    """Words of the name count twice: `get_weather` is about weather, whatever its description goes on about."""
    named = meanings(function["name"]) - idle()
    return 1.0 * len(named & said) + 1.0 * len(_core(function) & said) + 0.4 * len(_details(function) & said)


def _asked(scene: Scene) -> str:
    """The question; if an earlier answer was a question back, what came before it too."""
    users = [turn.text for turn in scene.earlier if turn.role == "user"]
    answers = scene.earlier and scene.earlier[-1].role == "assistant" and _ASKED_BACK.search(scene.earlier[-1].text)
    return f"{scene.question}\n{users[-1]}" if answers and users else scene.question


def _calls(scene: Scene, function: dict[str, Any], forced: bool) -> list[Call]:
    """One call; one for each place or share, if the prompt names several."""
    evidence = Evidence(_asked(scene), scene.prompt.today)
    used = function["name"] in {call.name for call in made(scene).values()}
    arguments, missing = _arguments(_parameters(function), evidence, forced, {} if used else brought(scene))
    if missing:
        return []
    each = [key for key in arguments if any(word in split_name(key).lower() for word in _EACH)]
    finder = evidence.tickers if each and re.search("symbol|ticker", each[0]) else evidence.places
    values = finder(each[0]) if len(each) == 1 else []
    several = [{**arguments, each[0]: value} for value in values] if values and arguments[each[0]] in values else []
    return [Call(function["name"], json.dumps(one, ensure_ascii=False)) for one in several or [arguments]]


def _arguments(
    schema: dict[str, Any], evidence: Evidence, forced: bool, known: dict[str, Any] | None = None
) -> tuple[dict[str, Any], str]:
    """What the prompt says about each parameter, and the first required one about which it says nothing.

    What it says nothing about may be `known` from the results of other tools, under the same name.
    """
    filled: dict[str, Any] = {}
    required = schema.get("required") or ()
    try:
        for key, rule in schema.get("properties", {}).items():
            value = _argument({**schema, "properties": {key: rule}, "required": [key]}, key, evidence, key in required)
            if value is None and key in required and known and valid(known.get(key), rule, schema):
                value = known.get(key)
            if value is None and key in required:
                value = _invented(schema, key, rule) if forced or "enum" in rule or "default" in rule else None
                if value is None:
                    return filled, key
            if value is not None:
                filled[key] = value
    except NONSENSE:
        return {}, ""
    return filled, ""


def _argument(alone: dict[str, Any], key: str, evidence: Evidence, required: bool) -> Any:
    """Evidence for one parameter; `alone` is the schema of an object that has only this one."""
    rule = alone["properties"][key]
    kinds = set(types(rule)) or {"string"}
    if kinds & {"array", "object"} or "$ref" in rule or "anyOf" in rule:
        value = Filler(alone, evidence).fill().get(key)
        return value if required or value not in ([], {}) else None
    return evidence.find(key, rule, kinds, eager=required)


def _invented(schema: dict[str, Any], key: str, rule: dict[str, Any]) -> Any:
    """A value for a parameter the prompt does not mention: the default, or any that is allowed."""
    alone = {**schema, "properties": {key: rule}, "required": [key]}
    return rule.get("default", Filler(alone, Evidence("", date.min)).fill().get(key))


def _missing(scene: Scene) -> Draft | None:
    """A tool fits but the prompt lacks what it needs: ask for it."""
    ranked = _ranked(scene, _functions(scene)) if scene.prompt.tool_choice != "none" else []
    for _, function in ranked[:1]:
        _, key = _arguments(_parameters(function), Evidence(_asked(scene), scene.prompt.today), forced=False)
        if key:
            scene.note("think.missing", name=function["name"], key=key)
            return scene.say("tool.ask", name=function["name"], key=split_name(key).lower())
    return None
