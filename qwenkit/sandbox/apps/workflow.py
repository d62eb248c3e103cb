"""A workflow at work: its nodes one after another, each with what it says, and how that is told to who is watching.

A node leaves its result under its name, for the texts of later nodes. Models and plug-ins tell snapshots of a result in
JSON, outputs and the end tell pieces of text; a batch goes over the lines of its text with the nodes that stand in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from starlette.requests import Request

from qwenkit.catalogue import tokens
from qwenkit.sandbox.apps import agent, tools
from qwenkit.sandbox.apps.apps import Node, filled, told
from qwenkit.sandbox.apps.asked import Asked
from qwenkit.sandbox.apps.frames import Bill, Outcome, Piece
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.service import Service

Json = dict[str, Any]
MOST_LINES = 20  # of a batch
_TOLD = ("Output", "End")  # what tells its text to the caller, piece by piece
_STRINGS = "/app2"  # the client that wants its booleans as texts


@dataclass
class Step:
    """One node that has run."""

    node: Node
    asked: str
    result: str
    index: int  # which line of a batch
    seconds: float = 0.0
    thought: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # the pieces in which the result came
    model: str = ""
    read: int = 0  # tokens
    refusal: Refusal | None = None

    def shown(self) -> str:
        """The node's result in one object."""
        node, failed = self.node, self.refusal
        shown: Json = {"nodeId": node.id, "nodeName": node.name, "nodeType": node.type}
        shown |= {"nodeStatus": "fail" if failed else "success", "input": {"query": self.asked}}
        shown |= {"output": {"result": self.result}, "nodeExecTime": f"{round(self.seconds * 1000)}ms"}
        shown |= {"parentNodeId": node.parent, "index": self.index} if node.parent else {}
        return told({**shown, **({"errorCode": failed.code, "errorInfo": str(failed)} if failed else {})})


async def respond(service: Service, asked: Asked, request: Request) -> Outcome:
    """All nodes, and how the call wants to be told of them."""
    steps = [step async for step in _run(service, asked, request)]
    end, formats = steps[-1], asked.mode.startswith("message_format")
    strings = request.headers.get("x-dashscope-sdk-client", "").endswith(_STRINGS)
    message = _message(end, 1, end.result, True) if formats else None
    pieces, left = _pieces(asked, steps)
    for each in [message, *(piece.node for piece in pieces)]:
        if each and strings:
            each["node_is_completed"] = str(each["node_is_completed"]).lower()
    return Outcome(end.result, pieces, message=message, refusal=end.refusal, bill=left)


async def _run(service: Service, asked: Asked, request: Request) -> AsyncIterator[Step]:
    variables = {name: asked.biz[name] for name in asked.app.variables if name in asked.biz}
    scope: Json = {"sys.query": asked.question, **variables}
    for node in (each for each in asked.app.nodes if not each.parent):
        step = await _step(service, asked, request, node, scope)
        if node.type == "Start":
            scope |= {f"{node.id}.{name}": value for name, value in variables.items()}
        if inner := [each for each in asked.app.nodes if each.parent == node.id]:
            lines, results = [line.strip() for line in step.result.splitlines() if line.strip()], []
            for index, line in enumerate(lines[:MOST_LINES]):
                scope |= {f"{node.id}.item": line, f"{node.id}.index": index}
                for each in inner:
                    within = await _step(service, asked, request, each, scope, index)
                    yield within
                    if within.refusal:
                        return
                results.append(within.result)
            step.result = scope[f"{node.id}.result"] = "\n".join(results)
        yield step
        if step.refusal:
            return


async def _step(service: Service, asked: Asked, request: Request, node: Node, scope: Json, index: int = 0) -> Step:
    began, text = service.clock(), asked.question if node.type == "Start" else filled(node.text, scope)
    step = Step(node, text, text, index)
    try:
        if node.type == "LLM":
            await _think(service, asked, request, step, filled(node.instructions, scope).strip())
        elif node.type == "Plugin":
            _plug(service, asked, step)
    except Refusal as refusal:
        step.refusal = refusal
    scope[f"{node.id}.result"] = step.result
    step.said = tokens.split(step.result) if node.stream or node.type == "LLM" else [step.result]
    step.seconds = service.clock() - began
    return step


async def _think(service: Service, asked: Asked, request: Request, step: Step, instructions: str) -> None:
    system = [{"role": "system", "content": instructions}] if instructions else []
    messages = [*system, *asked.before, {"role": "user", "content": step.asked}]
    made = await agent.ask(service, asked, request, messages, step.node.model, step.node.thinking)
    step.result, step.thought, step.model, step.read = made.text, made.thought, made.model, made.read


def _plug(service: Service, asked: Asked, step: Step) -> None:
    name, today = step.node.tool, date.fromtimestamp(service.clock())
    used = tools.use(name, step.asked, *asked.passed(name), today)
    step.result = used.observation if used else ""
    if used is None or used.error:
        problem = used.error if used else f"nothing to do for {step.asked[:80]!r}"
        raise Refusal("InvokePluginFailed", f"{name}: {problem}", status=500)


def _pieces(asked: Asked, steps: list[Step]) -> tuple[list[Piece], Bill]:
    """What is told of the steps, and the bill of what is not. A model of which nothing is told is billed with what
    comes next."""
    every: list[Piece] = []
    due: Bill = ()
    for step in steps:
        pieces = list(_of_step(asked, step))
        written = (len(step.thought) + len(step.said)) - sum(bool(each.bill) for each in pieces)
        due += ((step.model, step.read, written),) if step.model else ()
        if pieces:
            every += [pieces[0]._replace(bill=(*due, *pieces[0].bill)), *pieces[1:]]
            due = ()
    return every, due


def _of_step(asked: Asked, step: Step) -> Iterator[Piece]:
    if asked.mode.startswith("message_format"):
        every = asked.mode.endswith("_plus") or step.node.type in _TOLD
        for message in _messages(step) if every else ():
            grows = step.model and not message["node_is_completed"]
            yield Piece(node=message, bill=((step.model, 0, 1),) if grows else ())
        return
    if asked.mode == "full_thoughts" and asked.thoughts:
        named = {"thought": "", "action_type": "response", "action_name": step.node.name, "action": step.node.id}
        reasoning = {"reasoningContent": "".join(step.thought)} if step.thought else {}
        yield Piece(thought={**named, "response": step.shown(), **reasoning})
    if step.node.type == "End" and step.node.stream:
        yield from (Piece(bit) for bit in step.said)


def _messages(step: Step) -> Iterator[Json]:
    """A node, message by message; the last says how it went."""
    kind = "" if step.refusal or step.node.parent else step.node.type
    growing = step.said if kind in _TOLD else list(_snapshots(step)) if kind == "LLM" else []
    for number, content in enumerate(growing, 1):
        yield _message(step, number, content, False)
    last = "" if kind in _TOLD else growing[-1] if growing else step.shown()
    yield _message(step, len(growing) + 1, last, True)


def _snapshots(step: Step) -> Iterator[str]:
    """What a model has thought and said so far."""
    reasoning = result = ""
    for thought, said in [*((bit, "") for bit in step.thought), *(("", bit) for bit in step.said)]:
        reasoning, result = reasoning + thought, result + said
        yield told({"result": result, **({"reasoningContent": reasoning} if reasoning else {})})


def _message(step: Step, number: int, content: str, completed: bool) -> Json:
    node, status = step.node, "fail" if step.refusal else "success" if completed else "executing"
    named: Json = {"node_id": node.id, "node_name": node.name, "node_type": node.type, "node_status": status}
    named |= {"node_msg_seq_id": number, "node_is_completed": completed}
    named |= {"parent_node_id": node.parent} if node.parent else {}
    return {**named, "message": {"role": "assistant", "content": content}}
