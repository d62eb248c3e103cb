"""Answers that are JSON: by a schema, by the keys the prompt names, or as one object around a plain answer."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import islice
from typing import Any

from .arithmetic import arithmetic
from .creative import creative
from .cues import cue, group
from .dates import dates
from .evidence import Evidence
from .extract import documents, facts
from .faculties import KNOWING, PLAIN
from .fallback import understood
from .forms import Form, tallied
from .knowledge import knowledge
from .library import lexicon
from .meaning import split_name
from .reading import LONG, language, sentences
from .scene import Draft, Scene, first
from .schema import Filler
from .style import Style
from .units import units
from .weave import Parts, plain

_MOST_KEYS = 40
_LONGEST_SCHEMA = 60_000
_MOST_BRACES = 8
_KINDS = ("object", "array", "string", "integer", "number", "boolean")
_SCHEMA_WORDS = {"properties", "$ref", "anyOf", "oneOf", "allOf", "$defs"}
_SOURCES = (dates, arithmetic, units, knowledge, creative)  # not those that only say again what the prompt holds
_NO_LISTS = ("address", "status", "is")  # words that end in s and mean one thing


def structured(scene: Scene) -> Draft | None:
    """What `response_format` asks for."""
    wanted = scene.prompt.response_format or {}
    kind = wanted.get("type")
    if kind == "json_schema":
        holder = wanted.get("json_schema")
        return _by_schema(scene, holder.get("schema", {}) if isinstance(holder, dict) else {})
    spoken, system = _spoken_schema(scene) if kind == "json_object" else (None, "")
    if spoken:
        return _by_schema(replace(scene, system=system, style=Style.of(system[:LONG], scene.brief)), spoken)
    return Draft(_body(scene)) if kind == "json_object" else None


def _by_schema(scene: Scene, schema: Any) -> Draft:
    """The value for a schema, out of the texts a prose answer would be made of."""
    scene.note("think.schema")
    today, inventing = scene.prompt.today, bool(scene.asks("json.example"))
    told = first(_plain(scene), _SOURCES)
    texts = [*_said(scene, scene.question), f"{told.bare}\n{plain(told.parts)}" if told else ""]
    answer = Evidence(_prose(scene), today)
    sources = [Evidence(text, today) for text in texts]
    asked = _asked(scene).partition(" ")[2]  # without its verb: "name" in "name three rivers" is none
    value = Filler(schema, *sources, answer=answer, asked=asked, inventing=inventing).fill()
    return Draft((_written(_shown(scene, value, schema)),))


def _shown(scene: Scene, value: Any, schema: Any) -> Any:
    """A value in which what is written on a picture goes before what was found elsewhere."""
    sights = [each for each in scene.seen if getattr(each, "shapes", None) is not None]
    texts = [each.text for each in sights if each.text]
    if not isinstance(schema, dict) or not sights:
        return value
    return Form(texts[-1]).filled(value, schema) if texts else tallied(sights[-1], value, schema)


def _asked(scene: Scene) -> str:
    """The sentence that asks."""
    said = sentences(scene.question)
    return next((each for each in said if each[-1] in "?？"), said[0] if said else "")


def _prose(scene: Scene) -> str:
    """What the mind would answer without a schema; to a question for yes or no, that word."""
    draft = first(scene, KNOWING)
    felt = Evidence(scene.question, scene.prompt.today).verdict()
    if felt is not None:
        return "yes" if felt else "no"
    if not draft or not cue("tool.whether").search(_asked(scene)):
        return _text(draft) if draft else ""
    whole = plain(draft.parts)
    if cue("evidence.verdict").match(whole) or not draft.bare:
        return whole
    return "yes" if draft.bare.lower() in scene.question.lower() else "no"


def _said(scene: Scene, question: str) -> list[str]:
    """The question, earlier ones, and what the documents and the system message tell.

    Of a question that only asks about a text, no word is data.
    """
    earlier = [turn.text for turn in reversed(scene.earlier) if turn.role == "user"]
    shown = [*documents(scene), *(each for each in facts(scene.system) if not cue("json.wish").search(each))]
    about = shown and cue("json.order").search(question) and not cue("json.own_data").search(question)
    return ["\n".join([*([] if about else [question]), *earlier]), "\n".join(shown)]


def _spoken_schema(scene: Scene) -> tuple[dict[str, Any] | None, str]:
    """A JSON schema written out in the system message, as JSON mode has it where no schema can be sent; and the
    message without it."""
    text = scene.system[-_LONGEST_SCHEMA:]
    for found in islice(re.finditer(r"\{", text), _MOST_BRACES):
        try:
            value, end = json.JSONDecoder().raw_decode(text, found.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and (value.get("type") in _KINDS or value.keys() & _SCHEMA_WORDS):
            around = f"{text[: found.start()]}\n{text[end:]}"
            return value, "\n".join(each for each in around.splitlines() if not cue("json.wish").search(each))
    return None, ""


def wished(scene: Scene) -> Draft | None:
    """JSON asked for in words: in a code block, as a chat model writes it; bare if a prefix has begun it."""
    partial = scene.prompt.partial or ""
    begun = partial.lstrip()[:1] in ("{", "[")
    asked = scene.asks("json.wish") and not scene.asks("json.topic_only") and not scene.asks("code.asked")
    standing = cue("json.wish").search(scene.system[:LONG]) and scene.question
    if not begun and not asked and not standing:
        return None
    body = _body(scene)
    return Draft(body if partial or scene.style.bare else ("```json\n", *body, "\n```"))


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _body(scene: Scene) -> Parts:
    """One object: with the keys that were named, around a plain answer, or a made-up example of a thing."""
    keys = _keys(scene)
    scene.note("think.keys", keys=", ".join(keys) or "answer")
    evidence = _evidence(scene)
    begun = {} if keys else _begun(scene.prompt.partial or "")
    value = {key: _value(scene, key, rule, evidence) for key, rule in (keys or begun).items()}
    value = _shown(scene, value, {"properties": keys or begun})
    if keys or (begun and not scene.asks("json.about")):
        return (_written(value),)
    inner = _plain(scene)
    topic, draft = understood(inner), first(inner, KNOWING)
    scene.notes += inner.notes
    if topic and scene.asks("json.about") and (begun or not draft):
        example = scene.book("json.sample", topic=_written(topic)[1:-1])
        return (_written({**value, **json.loads(plain((example,)))}),) if begun else (example,)
    return (_written({"answer": _text(draft)} if draft else {"topic": topic, "answer": None}),)


def _begun(partial: str) -> dict[str, dict[str, Any]]:
    """The fields that a prefix has already named."""
    return {key: _suggested(key, "") for key in re.findall(r"\"(\w+)\"\s*:", partial[:LONG])}


def _evidence(scene: Scene) -> Evidence:
    """What was said, the question first and without the part that names the keys."""
    return Evidence("\n".join(_said(scene, _without_keys(scene.question))), scene.prompt.today)


def _without_keys(text: str) -> str:
    """The question less the skeleton, the list of keys and the word JSON."""
    head, rest = text[:LONG], text[LONG:]
    for name in ("json.skeleton", "json.keys", "json.as_json"):
        head = cue(name).sub(" ", head)
    return (head + rest).strip(" :：,，.。\n")


def _keys(scene: Scene) -> dict[str, dict[str, Any]]:
    """The fields asked for, each with the schema its name or its sample suggests."""
    for text in (scene.brief, scene.system[:LONG]):
        skeleton = cue("json.skeleton").search(text)
        if skeleton:
            pairs = re.findall(r"[\"']?(\w+)[\"']?\s*:\s*([\[{]?[^,}]*)", skeleton[0])
            return {key: _suggested(key, sample) for key, sample in pairs[:_MOST_KEYS]}
        for found in cue("json.keys").finditer(text):
            row = re.sub(r"和|、|以及", ",", group(found))
            named = [pair for pair in cue("json.key").findall(row) if pair[0].lower() not in lexicon()["not_keys"]]
            if named:
                return {key: _suggested(key, hint) for key, hint in named[:_MOST_KEYS]}
    return {}


def _suggested(key: str, sample: str) -> dict[str, Any]:
    spoken = f"{split_name(key)} {sample}"
    plural = key.endswith("s") and not key.endswith(("ss", *_NO_LISTS))
    if plural or re.search(r"\[|\b(list|array)\b|列表", sample):
        return {"type": "array", "items": {"type": "string"}}
    if cue("json.truth").search(f"{key} {sample}") or re.search("true|false", sample):
        return {"type": "boolean"}
    if cue("json.whole").search(spoken) or re.search(r"\b(int|integer)\b|整数", sample) or sample.strip().isdecimal():
        return {"type": "integer"}
    figure = cue("json.figure").search(spoken) or re.search(r"\b(number|float)\b|数字", sample)
    return {"type": "number" if figure else "string"}


def _value(scene: Scene, key: str, rule: dict[str, Any], evidence: Evidence) -> Any:
    name = split_name(key)
    if cue("json.answer").search(name):
        return _answer(scene)
    if cue("json.sentiment").search(name):
        choices = {"enum": ["positive", "negative"]}
        return Evidence(scene.question, evidence.today).find(key, choices, set()) or "neutral"
    if re.fullmatch(r"language|语言", name, re.IGNORECASE):
        return {"en": "English", "zh": "Chinese"}[language(scene.question)]
    if cue("json.topic").search(name):
        topic = understood(scene)
        return re.split(r"[ 、]", topic) if rule["type"] == "array" else topic
    if rule["type"] == "array" and re.search(rf"\d\s+{re.escape(name)}\b", evidence.text, re.IGNORECASE):
        return evidence.find(key, {}, {"integer"}, eager=False)  # "4 guests" says how many, not who
    if rule["type"] == "array":
        single = evidence.find(key.removesuffix("s"), {}, {"string"})
        return evidence.listed(key, {}) or ([] if single is None else [single])
    return evidence.find(key, rule, {rule["type"]})


def _answer(scene: Scene) -> str:
    """What the mind would have said without the JSON around it."""
    return _text(first(_plain(scene), PLAIN) or Draft())


def _plain(scene: Scene) -> Scene:
    """The scene with the wish for JSON taken out of its question."""
    return scene.again(_without_keys(scene.question))


def _text(draft: Draft) -> str:
    return draft.bare or plain(draft.parts)
