"""Long-term memory with an API key, below `/api/v2/apps/memory`: what users told of themselves, found again later.

There is no model here that distils: a memory is what a user stated, sentence by sentence, without questions and
greetings, and a statement much like an older one takes its place. A profile is filled from statements of the form "my
hobby is sailing" that are added for its schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.knowledge.operations import Ask, Cards, Json, Run, operations, ran
from qwenkit.sandbox.knowledge.operations_notes import MEMORY, NODE
from qwenkit.sandbox.knowledge.values import Wrong
from qwenkit.sandbox.retrieval import Ranking, terms
from qwenkit.sandbox.routing import Endpoint, Verb, json_body
from qwenkit.sandbox.service import Service

_BASE = "/api/v2/apps/memory"
_ALIKE = 0.5  # the share of terms in common from which a statement is a new version of another
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
_IDLE = re.compile(r"(?:hi|hello|hey|thanks?|thank you|ok(?:ay)?|yes|no|你好|您好|谢谢|好的?|是的)?\W*", re.IGNORECASE)
_IS = r"\s*(?:\bis\b|\bare\b|[:：是为叫])\s*([^.。!！;；]+)"


class Memories(Cards):
    """Memories of the older kind, as applications read them."""

    def nodes(self, memory_id: str) -> list[str] | None:
        """What is in a memory, oldest first; None when there is no such memory."""
        if self.get(MEMORY.name, memory_id) is None:
            return None
        return [node["content"] for _, node in self.all(NODE.name, memory_id)]


def _owner(ask: Ask) -> str:
    ask.need(["user_id"])
    return f"{ask.text('memory_library_id', most=32)}/{ask.text('user_id', most=64)}"


def _add(ask: Ask) -> Json:
    owner, found = _owner(ask), list[Json]()
    for place, content in enumerate(_stated(ask)):
        found += _kept(ask, owner, ask.id("memory", place), content)
        _profiled(ask, owner, content)
    return {"memory_nodes": found}


def _stated(ask: Ask) -> list[str]:
    own, messages = ask.text("custom_content", most=512), ask.several("messages", dict)
    if not own and not 1 <= len(messages) <= 50:
        raise ask.wrong("messages")
    parts = [part.strip()[:512] for text in _said(ask) for part in _SENTENCE.split(text)]
    return [own] if own else [part for part in parts if part[-1:] not in ("?", "？") and not _IDLE.fullmatch(part)]


def _said(ask: Ask) -> list[str]:
    """The texts of the user's messages."""
    contents = (each.get("content") for each in ask.several("messages", dict) if each.get("role") == "user")
    listed = (content if isinstance(content, list) else [{"text": content}] for content in contents)
    return ["".join(str(part.get("text") or "") for part in parts if isinstance(part, dict)) for parts in listed]


def _kept(ask: Ask, owner: str, id: str, content: str) -> Iterator[Json]:
    """What became of a statement: it is new, or takes the place of another, or was known."""
    new, event = set(terms(content)), {"event": "ADD"}
    node = {"created_at": int(ask.now), "memory_type": "observation", "status": "valid", "meta_data": {}}
    for other, before in ask.cards.all("memory", owner):
        old = set(terms(before["content"]))
        if before["content"] == content:
            return
        if event["event"] == "ADD" and new and len(new & old) / len(new | old) >= _ALIKE:
            id, node, event = other, before, {"event": "UPDATE", "old_content": before["content"]}
    node |= {"content": content, "project_id": ask.text("project_id"), "meta_data": ask.json("meta_data")}
    ask.cards.put("memory", id, {**node, "updated_at": int(ask.now), "timestamp": int(ask.now)}, owner)
    yield {"memory_node_id": id, "content": content, **event}


def _search(ask: Ask) -> Json:
    rows, query = ask.cards.all("memory", _owner(ask)), "".join(_said(ask)[-1:])
    top, least = ask.whole("top_k", 10, 1, 100), ask.number("min_score", 0.3)
    ranking, projects = Ranking(body["content"] for _, body in rows), ask.several("project_ids")
    scored = [(round(ranking.covered(query, place), 3), *row) for place, row in enumerate(rows)]
    fit = [each for each in scored if each[0] >= least and (not projects or each[2]["project_id"] in projects)]
    best = sorted(fit, key=lambda each: -each[0])[:top]
    return {"memory_nodes": [{"memory_node_id": id, **body, "score": score} for score, id, body in best]}


def _nodes(ask: Ask) -> Json:
    rows = ask.cards.all("memory", _owner(ask))[::-1]
    return ask.page(rows, lambda row: {"memory_node_id": row[0], **row[1]}, "memory_nodes page_num page_size total")


def _found(ask: Ask, kind: str, owner: str | None = None) -> Json:
    found = ask.cards.get(kind, ask.text("id"), owner)
    if found is None:
        raise Wrong("NotFound", f"There is no {kind} {ask.text('id')[:64]}.", 404)
    return found


def _change(ask: Ask) -> Json:
    owner = _owner(ask)
    node = _found(ask, "memory", owner)
    ask.need(["custom_content"])
    node |= {"content": ask.text("custom_content", most=512), "updated_at": int(ask.now)}
    node |= {"timestamp": ask.whole("timestamp", int(ask.now)), "meta_data": node["meta_data"] | ask.json("meta_data")}
    ask.cards.put("memory", ask.text("id"), node, owner)
    return {}


def _drop(kind: str, ask: Ask) -> Json:
    _found(ask, kind)
    ask.cards.drop(kind, ask.text("id"))
    return {}


def _named(ask: Ask, schema: Json) -> Json:
    lengths = {"name": 32, "description": 128}
    return {**schema, **{name: ask.text(name, schema.get(name, ""), most) for name, most in lengths.items()}}


def _create(ask: Ask) -> Json:
    ask.need(["name", "attributes"])
    added = [{"op": "add", **each} for each in ask.several("attributes", dict)]
    ask.cards.put("schema", ask.id("schema"), _operated(ask, _named(ask, {"attributes": []}), added))
    return {"profile_schema_id": ask.id("schema")}


def _operated(ask: Ask, schema: Json, changes: list[Json]) -> Json:
    """The schema with its attributes added to, changed or fewer."""
    held = {each["attribute_id"]: each for each in schema["attributes"]}
    for place, change in enumerate(changes):
        op, id = change.get("op"), str(change.get("attribute_id"))
        id = ask.id("attribute", place) if op == "add" else id
        if not (change.get("name") if op == "add" else op in ("update", "delete") and id in held):
            raise ask.wrong("attributes")
        held[id] = {**held.get(id, {}), **change, "attribute_id": id}
        if held[id].pop("op") == "delete":
            del held[id]
    return {**schema, "attributes": [*held.values()]}


def _schemas(ask: Ask) -> Json:
    rows = [{**body, "profile_schema_id": id} for id, body in ask.cards.all("schema")]
    told = ("profile_schema_id", "name", "description")
    return ask.page(rows, lambda row: {name: row[name] for name in told}, "profile_schemas page_num page_size total")


def _change_schema(ask: Ask) -> Json:
    schema = _named(ask, _found(ask, "schema"))
    ask.cards.put("schema", ask.text("id"), _operated(ask, schema, ask.several("attributes_operations", dict)))
    return {}


def _profiled(ask: Ask, owner: str, content: str) -> None:
    """Fill those attributes of the call's schema that a statement names."""
    if "profile_schema" not in ask:
        return
    id = ask.text("profile_schema")
    values = ask.cards.get("profile", f"{id}/{owner}") or {}
    for each in _found(ask.inner({"id": id}), "schema")["attributes"]:
        said = re.search(re.escape(each["name"]) + _IS, content, re.IGNORECASE)
        values |= {each["attribute_id"]: said[1].strip()} if said else {}
    ask.cards.put("profile", f"{id}/{owner}", values, id)


def _profile(ask: Ask) -> Json:
    owner, schema = _owner(ask), _found(ask, "schema")
    values = ask.cards.get("profile", f"{ask.text('id')}/{owner}")
    if values is None and not ask.cards.all("memory", owner):
        raise Wrong("UserNotFound", "The user has no memories yet.", 404)
    rows = []
    for each in schema["attributes"]:
        value = (values or {}).get(each["attribute_id"]) or each.get("default_value")
        rows.append({"id": each["attribute_id"], "name": each["name"], **({"value": value} if value else {})})
    return {"profile": {"schema_name": schema["name"], "schema_description": schema["description"], "attributes": rows}}


def _endpoint(run: Run) -> Endpoint:
    async def answer(service: Service, request: Request) -> Response:
        try:
            told = ran(run, Ask.of(service, request, json_body(request) if request.state.body else {}))
        except Wrong as wrong:
            raise Refusal(wrong.code, wrong.message, status=wrong.status) from None
        return JSONResponse({**told, "request_id": request.state.request_id})

    return answer


_VERBS: dict[str, Run] = {
    "- POST add": _add,
    "- POST memory_nodes/search": _search,
    "- GET memory_nodes": _nodes,
    "- PATCH memory_nodes/{id}": _change,
    "- DELETE memory_nodes/{id}": partial(_drop, "memory"),
    "- POST profile_schemas": _create,
    "- GET profile_schemas": _schemas,
    "- GET profile_schemas/{id}": lambda ask: _found(ask, "schema"),
    "- PATCH profile_schemas/{id}": _change_schema,
    "- DELETE profile_schemas/{id}": partial(_drop, "schema"),
    "- GET profile_schemas/{id}/user_profile": _profile,
    "- GET profile_schemas/{id}/profiles": _profile,
}
ROUTES: list[Verb] = [(each.method, each.path, _endpoint(each.run)) for each in operations(f"{_BASE}/", _VERBS)]
