"""An agent at work: it remembers, looks things up, uses its plug-ins, and lets the mind answer from what was found."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

from starlette.requests import Request

from qwenkit.catalogue import tokens
from qwenkit.sandbox import rules
from qwenkit.sandbox.apps import finding, tools
from qwenkit.sandbox.apps.apps import filled, told
from qwenkit.sandbox.apps.asked import KNOBS, Asked
from qwenkit.sandbox.apps.finding import Passage
from qwenkit.sandbox.apps.frames import Outcome, Piece, thought
from qwenkit.sandbox.chat import answered
from qwenkit.sandbox.mind.reading import language
from qwenkit.sandbox.order import asked_model
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.web import Page

Json = dict[str, Any]
NO_CLOCK = {"en": "I was told no time: enable_system_time is off.", "zh": "不知道时间：enable_system_time 已关闭。"}
_HIDDEN = ("document", "search")  # roles that only the service writes


class Made(NamedTuple):
    """What a model made of some messages."""

    model: str
    thought: list[str]
    text: str
    read: int  # tokens
    pages: list[Page]


async def ask(
    service: Service, asked: Asked, request: Request, messages: list[Json], model: str, thinks: bool, web: bool = False
) -> Made:
    """One call of a model. Messages of roles that only the service writes pass the rules unseen."""
    body: Json = {name: asked.parameters[name] for name in KNOBS if name in asked.parameters}
    body |= {"model": model, "stream": True, **({"enable_search": True} if web else {})}
    body |= {"enable_thinking": thinks} if asked_model(model).thinking != "always" else {}
    order = rules.check({**body, "messages": [each for each in messages if each["role"] not in _HIDDEN]})
    done = await answered(service, replace(order, body={**order.body, "messages": messages}), request)
    (answer,) = done.answers
    return Made(order.model.name, answer.thinking, answer.text, done.tokens, done.pages)


async def respond(service: Service, asked: Asked, request: Request) -> Outcome:
    """The answer of an agent, and the steps that led to it."""
    app, wish, today = asked.app, asked.parameters.get, date.fromtimestamp(service.clock())
    remembered = finding.memories(service, asked.input.get("memory_id", ""))
    bases = await asyncio.to_thread(finding.grounded, service, asked)
    passages = await finding.found(service, asked, request, bases)
    tried = (tools.use(each, asked.question, *asked.passed(each), today) for each in app.tools)
    used = [each for each in tried if each]
    system = filled(app.instructions, asked.biz.get("user_prompt_params", {})).strip()
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in asked.input.get("image_list", [])]
    messages = [
        *([{"role": "system", "content": system}] if system else []),
        *({"role": "document", "content": each.told} for each in passages),
        *({"role": "user", "content": each} for each in remembered),
        *asked.before,
        {"role": "user", "content": [*pictures, {"type": "text", "text": asked.question}]},
        *_called(used),
    ]
    model, thinking = wish("model_id", app.model), wish("enable_thinking", app.thinking)
    made = await ask(service, asked, request, messages, model, thinking, wish("enable_web_search", app.web_search))
    text, cited = made.text, list[Passage]()
    if wish("enable_system_time") is False and tools.timed(asked.question, today):
        text = NO_CLOCK[language(asked.question)]
    elif not used:
        text, cited = finding.composed(asked, text, passages, bool(bases), today)
    steps = [
        *([thought("agentRag", "memory", "Memory retrieval", {}, told(remembered))] if remembered else []),
        *finding.thoughts(asked, bases, passages, made.pages),
        *(thought("api", each.name, each.name.replace("_", " "), each.arguments, each.observation) for each in used),
    ]
    return _outcome(asked, made, text, [each.reference for each in cited] if app.references else [], steps)


def _called(used: list[tools.Used]) -> list[Json]:
    """The calls of tools and what they brought, as chat has them; what they brought says what it is about."""
    named = [(f"call_{at}", each) for at, each in enumerate(used)]
    calls = [{"id": id, "type": "function", "function": {"name": each.name, "arguments": "{}"}} for id, each in named]
    brought = [{"role": "tool", "tool_call_id": id, "content": each.observation} for id, each in named]
    return [{"role": "assistant", "content": "", "tool_calls": calls}, *brought] if calls else []


def _outcome(asked: Asked, made: Made, text: str, references: list[Json], steps: list[Json]) -> Outcome:
    """The pieces of the answer: steps and reasoning are shown to those who asked for thoughts."""
    bill = ((made.model, 0, 1),)
    pieces = [Piece(thought=step) for step in steps if asked.thoughts]
    pieces += [Piece(reasoning=bit, bill=bill) for bit in made.thought if asked.thoughts]
    pieces += [Piece(bit, bill=bill) for bit in tokens.split(text)]
    first, *rest = pieces or [Piece()]
    hidden = 0 if asked.thoughts else len(made.thought)
    return Outcome(text, [first._replace(bill=((made.model, made.read, hidden), *first.bill)), *rest], references)
