"""Using tools: which of them the prompt calls for, with which arguments, and a sentence from what they brought back.

A tool is chosen by the meanings its name, description and parameters share with the prompt; its arguments are the
prompt's evidence for its parameters, or what another tool has brought. Calls already made since the question are not
made again, and no tool lives on its own results, so a loop of rounds always ends.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from typing import Any

from .check import types, valid
from .cues import cue, table
from .evidence import Evidence, hinted
from .meaning import idle, meanings, places, split_name
from .prompt import Call
from .recall import followed
from .results import brought, made, report
from .scene import Draft, Scene
from .schema import NONSENSE, Filler

_ENOUGH = 1.0  # one shared word of a name or description
_CLOSE = 0.5  # in parallel, a second tool must match at least half as well as the best
_MOST_CALLS = 8
_LONGEST = 4000
_EACH = ("place", "location", "city", "town", "symbol", "ticker")  # a prompt may name several of these
_NAMED = ("places", "codes", "tickers", "names")  # what a value of no declared type is looked for as
_ASKED_BACK = re.compile(r"[?？]\s*$|^(?:Please tell me the|请告诉我) ")


def tools(scene: Scene) -> Draft | None:
    choice = scene.prompt.tool_choice
    question = followed(scene) or scene.question
    scene = replace(scene, question=question, brief=question)  # with the same notes
    wanted = [] if choice == "none" else _wanted(scene, choice)
    done = list(made(scene).values())
    left = [call for call in wanted if call not in done]
    if left and not (done and isinstance(choice, dict)):
        for call in left:
            scene.note("think.call", name=call.name, arguments=call.arguments)
        return Draft(calls=left if scene.prompt.parallel_tool_calls else left[:1])
    return report(scene) or _missing(scene)


def _functions(scene: Scene) -> list[dict[str, Any]]:
    return [function for tool in scene.prompt.tools if (function := tool.get("function"))]


def _parameters(function: dict[str, Any]) -> dict[str, Any]:
    schema = function.get("parameters")
    return schema if isinstance(schema, dict) else {}


def _wanted(scene: Scene, choice: str | dict[str, Any]) -> list[Call]:
    functions = _functions(scene)
    if isinstance(choice, dict):
        name = (choice.get("function") or choice).get("name")
        forced = [each for each in functions if each["name"] == name]
        return _calls(scene, forced[0], forced=True)[:1] if forced else []
    ranked = _ranked(scene)
    if choice == "required" and functions:
        best = ranked[0][1] if ranked else functions[0]
        return _calls(scene, best, forced=True)
    chosen = [function for score, function in ranked if score >= ranked[0][0] * _CLOSE]
    calls = [call for function in chosen for call in _calls(scene, function, forced=False)]
    return calls[:_MOST_CALLS]


def _ranked(scene: Scene) -> list[tuple[float, dict[str, Any]]]:
    """Tools that share enough with the prompt, best first, each for words no better tool has explained."""
    said = _said(scene)
    scored = [(_score(each, said), each) for each in _functions(scene)]
    ranked: list[tuple[float, dict[str, Any]]] = []
    explained: set[str] = set()
    for score, function in sorted(scored, key=lambda row: -row[0]):
        own = _core(function) & said - explained
        if score >= _ENOUGH and (own or not ranked):
            ranked.append((score, function))
            explained |= _core(function)
    return ranked


def _said(scene: Scene) -> set[str]:
    asked = _asked(scene)[:_LONGEST]
    said = _topics(asked)
    if Evidence(asked, scene.prompt.today).expressions():
        said.add("#calculate")
    return said


def _topics(text: str) -> set[str]:
    """What a text is about, in the groups of words that mean the same."""
    return {name for name, pattern in table("tool.topics") if pattern.search(text)} | meanings(text) - idle()


def _core(function: dict[str, Any]) -> set[str]:
    return (_named(function) | _topics(str(function.get("description") or ""))) - _details(function) - _unlike(function)


def _named(function: dict[str, Any]) -> set[str]:
    return _topics(split_name(function["name"])) - _unlike(function)


def _unlike(function: dict[str, Any]) -> set[str]:
    """Adding a task is no sum."""
    text = split_name(json.dumps(function, ensure_ascii=False, default=str))
    sums = not re.search(r"\badd\b", text, re.IGNORECASE) or re.search("number|integer|expression|sum", text)
    return set() if sums else {"#calculate"}


def _details(function: dict[str, Any]) -> set[str]:
    """The words of the parameters; but an id is named after what the tool is about."""
    given = _parameters(function).get("properties")
    rows = given.items() if isinstance(given, dict) else ()
    rules = {key: rule for key, rule in rows if not isinstance(rule, dict) or hinted(key, rule) != "codes"}
    return meanings(json.dumps(rules, ensure_ascii=False, default=str))


def _score(function: dict[str, Any], said: set[str]) -> float:
    """Words of the name count twice: `get_weather` is about weather, whatever its description goes on about."""
    return 1.0 * len(_named(function) & said) + 1.0 * len(_core(function) & said) + 0.4 * len(_details(function) & said)


def _asked(scene: Scene) -> str:
    """The question; if it answers a question back, what came before it too, and free words under their name."""
    answer, said, earlier = scene.question, list[str](), scene.earlier
    while len(earlier) > 1 and (key := _asked_for(scene, earlier[-1].text)):
        said.append(f"{key} = {answer}" if _free(key, {}) else answer)
        answer, earlier = earlier[-2].text, earlier[:-2]
    return "\n".join([*said, answer])


def _asked_for(scene: Scene, text: str) -> str:
    """The parameter that a question back asks for."""
    keys = [key for each in _functions(scene) for key in _parameters(each).get("properties") or ()]
    named = [split_name(str(key)).lower() for key in keys] if _ASKED_BACK.search(text) else []
    return next((key for key in named if re.search(rf"(?a:\b){re.escape(key)}(?a:\b)", text)), "")


def _calls(scene: Scene, function: dict[str, Any], forced: bool) -> list[Call]:
    """One call; one for each place or share, if the prompt names several."""
    evidence = Evidence(_asked(scene), scene.prompt.today)
    used = function["name"] in {call.name for call in made(scene).values()}
    arguments, missing = _arguments(_parameters(function), evidence, forced, {} if used else brought(scene))
    if missing:
        return []
    each = [key for key in arguments if any(word in split_name(key).lower() for word in _EACH)]
    kind = "tickers" if each and re.search("symbol|ticker", each[0]) else "places"
    values = evidence.all(kind, each[0]) if len(each) == 1 else []
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
    kinds = set(types(rule))
    if kinds & {"array", "object"} or "$ref" in rule or "anyOf" in rule:
        value = Filler(alone, evidence).fill().get(key)
        return value if required or value not in ([], {}) else None
    if not kinds and "enum" not in rule:
        return _likely(key, rule, evidence) if required else evidence.find(key, rule, {"string"}, eager=False)
    value = evidence.find(key, rule, kinds or {"string"}, eager=required)
    if cue("tool.addressee").search(key) and str(value).lower() not in places():
        value = evidence.find("email", {}, kinds) or value
    if value is None and required and hinted(key, rule) == "places" and not re.search("from|to$|origin|dest", key):
        found = evidence.all("places", "")  # of any kind, but no known town for a country
        value = next((each for each in found if "countr" not in key.lower() or each.lower() not in places()), None)
    return _clause(key, rule, value, evidence, required) if "string" in kinds and "enum" not in rule else value


def _likely(key: str, rule: dict[str, Any], evidence: Evidence) -> Any:
    """A value for a parameter of no declared type: of the kind its name hints at, a number, a name, or some words."""
    words = _clause(key, rule, evidence.find(key, rule, {"string"}), evidence, True)
    number = None if hinted(key, rule) else evidence.find(key, rule, {"number"})
    named = (value for kind in _NAMED for value in evidence.all(kind, key) if not hinted(key, rule))
    return number if number is not None else words or next(named, None)


def _clause(key: str, rule: dict[str, Any], value: Any, evidence: Evidence, required: bool) -> Any:
    """Free text is what was quoted or written for it, or the clause after the command; never all of the prompt."""
    said, spoken = evidence.text.strip(), split_name(key)
    written = value in evidence.quoted() or re.search(rf"\b{re.escape(spoken)}\s*(?:[:=：]|is\b|为|是)", said, re.I)
    if not _free(key, rule) or written or (value and cue("tool.whole").search(spoken)):
        return value
    found = next((found[1].strip() for _, row in table("tool.clause") if (found := row.search(said))), None)
    found = None if found and found.lower() == spoken.lower() else found
    return found if required and found else None if value and said.startswith(value) else value


def _free(key: str, rule: dict[str, Any]) -> bool:
    """Whether a parameter is words with no shape of their own."""
    return hinted(key, rule) in ("titles", "queries") or cue("tool.text").search(split_name(key)) is not None


def _invented(schema: dict[str, Any], key: str, rule: dict[str, Any]) -> Any:
    """A value for a parameter the prompt does not mention: the default, or any that is allowed."""
    alone = {**schema, "properties": {key: rule}, "required": [key]}
    return rule.get("default", Filler(alone, Evidence("", date.min)).fill().get(key))


def _missing(scene: Scene) -> Draft | None:
    """A tool fits but the prompt lacks what it needs: ask for it."""
    ranked = _ranked(scene) if scene.prompt.tool_choice != "none" else []
    for _, function in ranked[:1]:
        _, key = _arguments(_parameters(function), Evidence(_asked(scene), scene.prompt.today), forced=False)
        if key:
            scene.note("think.missing", name=function["name"], key=key)
            rule = _parameters(function)["properties"][key]
            ask = "tool.ask.value" if _free(key, rule) or {"integer", "number"} & set(types(rule)) else "tool.ask"
            return scene.say(ask, name=function["name"], key=split_name(key).lower())
    return None
