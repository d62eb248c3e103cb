"""Agents of the RAG API: a draft says what is searched and how; published, it finds, or answers in a stream.

Answers are written by the applications' own agent, from what the search has found and from nothing else.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from qwenkit import catalogue
from qwenkit.catalogue import tokens
from qwenkit.sandbox.chat import EVENT_STREAM, paced
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.identity import tool_call_id
from qwenkit.sandbox.knowledge.operations import Ask, Json, Run
from qwenkit.sandbox.knowledge.operations_indexes import wish
from qwenkit.sandbox.knowledge.values import Node, Wrong
from qwenkit.sandbox.native_answers import frame
from qwenkit.sandbox.routing import json_body
from qwenkit.sandbox.service import Service

_KIND, _BETA, _MODEL = "agent", "beta", "qwen-plus"
_LARGEST, _MOST = 80_000, 20  # bytes of filters, chunks found
_HEAD = ("agent_id", "agent_name", "agent_version", "agent_status", "agent_scene", "create_time", "modify_time")
_DEAD: Json = {"agent_details": [], "agent_status": "deleted"}
_LIVING = {"": ("draft", "deployed", "edited"), "deployed": ("deployed", "edited")}


def _agent(ask: Ask, gone: bool = False) -> Json:
    agent = ask.cards.get(_KIND, ask.text("agent_id"))
    if agent is None or not (agent["agent_details"] or gone):
        raise ask.wrong("agent_id")
    return agent


def _time(ask: Ask) -> str:
    return datetime.fromtimestamp(ask.now, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _put(ask: Ask, agent: Json, *shown: str) -> Json:
    ask.cards.put(_KIND, agent["agent_id"], {**agent, "modify_time": _time(ask)})
    return {name: agent[name] for name in ("agent_id", *shown)}


def _config(ask: Ask) -> Json:
    """The configuration of a call; what is known of its knowledge bases is filled in."""
    config = ask.json("agent_config")
    rows = [{"credibility_level": "medium", **row} for row in ask.inner(config).several("kb_search_configs", dict)]
    for row in rows:
        base = ask.library.index(str(row.get("id") or ""))
        row |= {"name": base.name, "desc": base.settings.description}
    return {**config, "kb_search_configs": rows}


def _create(ask: Ask, config: Json | None = None) -> Json:
    name, scene = ask.text("agent_name", most=200), ask.text("agent_scene")
    taken = [(each["agent_name"], each["agent_scene"]) for _, each in ask.cards.all(_KIND)]
    if scene not in ("chat", "search") or (name, scene) in taken:
        raise ask.wrong("agent_name" if (name, scene) in taken else "agent_scene")
    draft = {"agent_version": _BETA, "agent_version_desc": "", "publish_time": None}
    details = [{**draft, "agent_config": config or _config(ask)}]
    agent = {"agent_id": f"aid-{ask.id(_KIND)[:16]}", "agent_name": name, "agent_scene": scene}
    agent |= {"agent_desc": ask.text("agent_desc", most=1000), "agent_version": _BETA, "agent_status": "draft"}
    return _put(ask, {**agent, "create_time": _time(ask), "agent_details": details}, *_HEAD[1:4])


def _copy(ask: Ask) -> Json:
    agent = _agent(ask)
    new = {**agent, "agent_name": f"copy_{agent['agent_name']}"}
    return _create(ask.inner(new), agent["agent_details"][0]["agent_config"])


def _versions(ask: Ask, agent: Json, usual: str = "") -> list[Json]:
    """One version of an agent, or all of them."""
    version = ask.text("agent_version", usual)
    found = [each for each in agent["agent_details"] if version in ("", each["agent_version"])]
    if not found:
        raise ask.wrong("agent_version")
    return found


def _update(ask: Ask) -> Json:
    agent = _agent(ask)
    row = _versions(ask, agent, _BETA)[0]
    agent |= ask.chosen(ask.text, agent_name="agent_name", agent_desc="agent_desc")
    row |= ask.chosen(ask.text, agent_version_desc="agent_version_desc")
    if "agent_config" in ask:
        if row["agent_version"] != _BETA:
            raise ask.wrong("agent_config")
        row["agent_config"] = _config(ask)
        agent["agent_status"] = agent["agent_status"].replace("deployed", "edited")
    return _put(ask, agent)


def _deploy(ask: Ask) -> Json:
    agent = _agent(ask)
    number = str(len(agent["agent_details"]))
    told = {"agent_version": number, "agent_version_desc": ask.text("agent_version_desc"), "publish_time": _time(ask)}
    agent["agent_details"].append({**agent["agent_details"][0], **told})
    return _put(ask, {**agent, "agent_version": number, "agent_status": "deployed"}, "agent_version", "agent_status")


def _list(ask: Ask) -> Json:
    status, base = ask.text("agent_status"), ask.text("pipeline_id")
    found = []
    for id, each in ask.cards.all(_KIND):
        rows = each["agent_details"][-1]["agent_config"]["kb_search_configs"] if each["agent_details"] else []
        bases = [{"pipeline_id": row["id"], "pipeline_name": row["name"]} for row in rows]
        fine = ask.text("agent_scene") == each["agent_scene"] and each["agent_status"] in _LIVING.get(status, (status,))
        fine = fine and ask.text("agent_name") in each["agent_name"] and ask.text("agent_id", id) == id
        if fine and base in ("", *(row["id"] for row in rows)):
            found.append({**{name: each[name] for name in _HEAD}, "pipeline_list": bases})
    return ask.page(found, dict, "rows page_number page_size total_count")


MANAGING: dict[str, Run] = {
    "create POST app/create agent_name agent_scene": _create,
    "update POST app/update agent_id": _update,
    "deploy POST app/deploy agent_id": _deploy,
    "delete POST app/delete agent_id": lambda ask: _put(ask, {**_agent(ask, True), **_DEAD}, "agent_status"),
    "list POST app/list agent_scene": _list,
    "get POST app/get agent_id": lambda ask: {**_agent(ask), "agent_details": _versions(ask, _agent(ask))},
    "copy POST app/copy agent_id": _copy,
}


def _published(ask: Ask) -> Json:
    """The configuration that an agent was published with, in the version asked for or in the latest."""
    details = (ask.cards.get(_KIND, ask.text("agent_id")) or _DEAD)["agent_details"][1:]
    version = ask.text("agent_version", str(len(details)))
    found = [each["agent_config"] for each in details if each["agent_version"] == version]
    if not found:
        raise Wrong("AgentApp.NotFound", f"There is no published agent {ask.text('agent_id')[:40]}.", 404)
    return dict(found[0])


def search(ask: Ask) -> Json:
    """The chunks of all knowledge bases of an agent, best first."""
    for name in ("agent_id", *([] if ask.several("images") else ["query"])):
        if name not in ask:
            raise Wrong("InvalidParameter", f"{name} is required")
    config = _published(ask)
    found = _found(ask, config, _filters(ask, config), ask.text("query"))
    rows = [{"score": each.score, "text": each.text, "metadata": each.metadata} for each in found]
    return {"total": len(rows), "nodes": rows, "cost_time": int((ask.service.clock() - ask.now) * 1000)}


def _filters(ask: Ask, config: Json) -> dict[str, list[Json]]:
    """The filters of a call, by knowledge base; they narrow those of the agent."""
    bound, found = {row["id"] for row in config["kb_search_configs"]}, dict[str, list[Json]]()
    for place, row in enumerate(ask.several("kb_search_configs", dict)):
        id = str(row.get("id") or "")
        problem = "" if id in bound else f"kb not bound to agent: {id}"
        problem = f"duplicate kb id in kb_search_configs: {id}" if id in found else problem
        if problem:
            raise Wrong("InvalidParameter", problem if id else f"kb_search_configs[{place}].id is required")
        found[id] = ask.inner(row).several("search_filters", dict)
    if len(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")) > _LARGEST:
        raise Wrong("InvalidParameter", f"search_filters total bytes must less than {_LARGEST}")
    return found


def _found(ask: Ask, config: Json, filters: dict[str, list[Json]], query: str) -> list[Node]:
    found = []
    for each in config["kb_search_configs"]:
        least = each.get("rerank_min_score") or 0.01
        row = ask.inner({**each, "rerank": [each.get("rerank") or {}], "rerank_min_score": least})
        asked, weight = wish(row), row.number("weight", 1.0, most=100.0)
        asked = replace(asked, filters=[*asked.filters, *filters.get(each["id"], [])])
        for node in ask.library.search([each["id"]], query, asked):
            told = {"_score_with_weight": round(node.score * weight, 6), "_rank_weight": weight}
            found.append(replace(node, metadata={**node.metadata, **told}))
    found.sort(key=lambda node: -node.metadata["_score_with_weight"])
    return found[: ask.inner(config).whole("rerank_top_n", _MOST, 1, _MOST)]


async def chat(service: Service, request: Request) -> Response:
    """A stream: the plan, the search, what it has brought, the answer. What is wrong with the agent is a frame too."""
    body = json_body(request)
    if body.get("stream") is not True:
        raise Refusal("InvalidParameter", "The request parameter stream must be true.")
    ask = Ask.of(service, request, body)
    try:
        frames = [each async for each in _answer(ask, request)]
    except Wrong as wrong:
        told = {"code": wrong.code, "message": wrong.message, "request_id": ask.request_id}
        frames = [frame(1, "error", 500, told)]
    return StreamingResponse(paced(iter(frames), service.pace), headers=EVENT_STREAM)


async def _answer(ask: Ask, request: Request) -> AsyncIterator[bytes]:
    from qwenkit.sandbox.apps.agent import respond
    from qwenkit.sandbox.apps.apps import App
    from qwenkit.sandbox.apps.asked import read

    options = ask.inner(ask.inner(ask.json("parameters")).json("agent_options"))
    config, files = _published(options), options.several("session_files", most=10)
    model, citing = str(config.get("agent_model")), str(config.get("enable_citation", True)).lower() == "true"
    told: Json = {"instructions": str(config.get("user_system_prompt") or ""), "references": citing}
    app = App.of(options.text("agent_id"), model=model if catalogue.known(model) else _MODEL, **told)
    asked = read(app, {"input": ask.json("input")})
    nodes = await asyncio.to_thread(_found, ask, config, {}, asked.question)
    bases = [row["id"] for row in config["kb_search_configs"]]
    among = list(dict.fromkeys(node.metadata["doc_id"] for node in nodes))[:5] or ["none"]
    rag = {"session_file_ids": files, **({"pipeline_ids": bases, "file_ids": among} if bases else {})}
    made = await respond(ask.service, replace(asked, rag=rag), request)
    if made.refusal:
        raise Wrong(made.refusal.code, str(made.refusal))
    docs = [{"text": node.text, "score": node.score, **node.metadata} for node in nodes]
    spent = sum(given for piece in made.pieces for _, given, _ in piece.bill)
    for number, body in enumerate(_steps(ask, asked.question, bases, docs, tokens.split(made.text), spent), 1):
        yield frame(number, "result", 200, body)


def _steps(ask: Ask, question: str, bases: list[str], docs: list[Json], words: list[str], read: int) -> Iterator[Json]:
    """The bodies of the frames, from the plan to the bill."""
    arguments = json.dumps({"query": question, "target_ids": bases}, ensure_ascii=False)
    call = {"index": 0, "id": tool_call_id(ask.request_id, 0, 0), "type": "function"}
    call["function"] = {"name": "semantic_search", "arguments": arguments}
    back = {"role": "tool", "type": "tool", "tool_call_id": call["id"]}
    back["additional_kwargs"] = {"extra_json": {"docs": docs}}
    steps: tuple[tuple[str, str, str, Json], ...] = (
        ("planning", "plan_start", "", {}),
        ("planning", "", f"Search the knowledge bases for: {question}", {}),
        ("planning", "plan_end", "", {}),
        ("tool_calling", "tool_calling", "", {"tool_calls": [call]}),
        ("tool_calling", "tool_return", f"{len(docs)} passages found.", back),
        ("generating", "generation_start", "", {}),
        *(("generating", "", word, {}) for word in words),
        ("generating", "generation_end", "", {}),
    )
    usual: Json = {
        "role": "assistant",
        "type": "ai",
        "tool_calls": [],
        "additional_kwargs": {},
        "response_metadata": {},
    }
    bills = {"tool_calling": tokens.count(arguments), "generation_end": len(words)}
    for step, change, content, more in steps:
        extra = {"group": step.replace("tool_calling", "planning"), "step": step, "step_change": change}
        message = {**usual, "id": f"run--{ask.id('run')}", "content": content, "extra": extra, **more}
        output: Json = {
            "choices": [{"message": message, "finish_reason": "stop" if change == "generation_end" else ""}]
        }
        output["request_id"] = ask.inner(ask.json("input")).text("request_id")  # the caller's own
        told: Json = {"output": output, "code": "200", "message": "Success", "request_id": ask.request_id}
        if out := bills.get(change):
            told["usage"] = {"input_tokens": read, "output_tokens": out, "total_tokens": read + out, "cached_tokens": 0}
        yield told
