"""What the OpenAPI keeps for its users: memories of the older kind, the nodes in them, and prompt templates.

All three are the same five operations on notes of some kind. Answers lie in no envelope and are in lower camel case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from qwenkit.sandbox.knowledge.operations import Ask, Json, Operation
from qwenkit.sandbox.knowledge.values import Wrong

CODES = {"memories": "Memory.{}Invalid", "promptTemplates": "PromptTemplate.{}Invalid"}
_VARIABLE = re.compile(r"\$\{([^{}$]+)\}")


class Kind(NamedTuple):
    """Notes of one kind: what they are called, where they are, their texts and how long these may be."""

    name: str
    id: str
    several: str
    path: str
    fields: dict[str, int]
    lost: str
    change: str = "PUT"


MEMORY = Kind("Memory", "memoryId", "memories", "memories", {"description": 50}, "Memory.MemoryIdNotFound")
_IN = "memories/{memoryId}/memoryNodes"
NODE = Kind("MemoryNode", "memoryNodeId", "memoryNodes", _IN, {"content": 200}, "Memory.MemoryNodeNotFound")
_LOST, _FIELDS = "PromptTemplate.TemplateNotFound", {"name": 50, "content": 20_000}
_ALL = "promptTemplates"
TEMPLATE = Kind("PromptTemplate", "promptTemplateId", _ALL, _ALL, _FIELDS, _LOST, "PATCH")


def _found(kind: Kind, ask: Ask) -> Json:
    found = ask.cards.get(kind.name, ask.text(kind.id), _owner(kind, ask))
    if found is None:
        raise Wrong(kind.lost, f"There is no {kind.id} {ask.text(kind.id)[:64]}.", 404)
    return found


def _owner(kind: Kind, ask: Ask) -> str:
    return str(_found(MEMORY, ask) and ask.text("memoryId")) if kind is NODE else ""


def _put(kind: Kind, ask: Ask, id: str, before: Json) -> Json:
    """Keep a note with what the call says; what it does not say stays."""
    try:
        note = {name: ask.text(name, before.get(name, ""), most) for name, most in kind.fields.items()}
        ask.inner(note).need(kind.fields)
    except Wrong as wrong:
        raise Wrong(wrong.code.replace(".Con", ".MemoryNodeCon" if kind is NODE else ".Con"), wrong.message) from None
    ask.cards.put(kind.name, id, note, _owner(kind, ask))
    return {}


def _create(kind: Kind, ask: Ask) -> Json:
    return {**_put(kind, ask, ask.id(kind.name), {}), kind.id: ask.id(kind.name)}


def _get(kind: Kind, ask: Ask) -> Json:
    return {**_told(kind, ask, ask.text(kind.id), _found(kind, ask)), "workspaceId": ask.text("ws")}


def _told(kind: Kind, ask: Ask, id: str, note: Json) -> Json:
    more: Json = {"memoryId": ask.text("memoryId")} if kind is NODE else {}
    if kind is TEMPLATE:  # there are none of the system's own here
        more = {"type": "Custom", "variables": list(dict.fromkeys(_VARIABLE.findall(note["content"])))}
    return {**more, kind.id: id, **note}


def _update(kind: Kind, ask: Ask) -> Json:
    return _put(kind, ask, ask.text(kind.id), _found(kind, ask))


def _delete(kind: Kind, ask: Ask) -> Json:
    _found(kind, ask)
    ask.cards.drop(kind.name, ask.text(kind.id))
    return {}


def _list(kind: Kind, ask: Ask) -> Json:
    rows = [_told(kind, ask, *row) for row in ask.cards.all(kind.name, _owner(kind, ask))]
    if kind is TEMPLATE:
        rows = [row for row in rows if ask.text("name") in row["name"] and ask.text("type", "Custom") == row["type"]]
    shown, size, token = ask.part(rows, 10, 50)
    page = {kind.several: shown, "totalCount": len(rows), "maxResults": size, "workspaceId": ask.text("ws")}
    return page | ({"nextToken": token} if token else {})


def _operations() -> Iterator[Operation]:
    verbs: dict[str, Callable[[Kind, Ask], Json]] = {"Create": _create, "List": _list}
    verbs |= {"Get": _get, "Update": _update, "Delete": _delete}
    for kind in (MEMORY, NODE, TEMPLATE):
        methods = {"Create": "POST", "Update": kind.change, "Delete": "DELETE"}
        for verb, run in verbs.items():
            name = kind.several[0].upper() + kind.several[1:] if verb == "List" else kind.name
            path = kind.path if verb in ("Create", "List") else f"{kind.path}/{{{kind.id}}}"
            yield Operation(verb + name, methods.get(verb, "GET"), path, [], partial(run, kind))


OPERATIONS = tuple(_operations())
