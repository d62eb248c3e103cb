"""A turn in rounds: the model asks for tools, they run, it reads what they brought, until it answers in words.

`Turn` holds everything a turn has said so far. Nothing of it is in the history before its end, so a turn that fails, or
is left halfway, leaves the history as it was. Two drive it: the call of `qwenkit.api.conversation` takes whole rounds,
the streams of `qwenkit.api.talking` take them piece by piece.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import structs

from qwenkit.api.accounts import _users_line
from qwenkit.errors import ConfigError, RoundsWarning
from qwenkit.protocol import arguments
from qwenkit.protocol.flow import Flow, Run
from qwenkit.protocol.toolbox import Toolbox
from qwenkit.types.message import Message
from qwenkit.types.reply import Reply, ToolCall
from qwenkit.types.tools import Round, ToolRun

if TYPE_CHECKING:
    from qwenkit.api.conversation import ConversationCalls

GO_ON: Any = ...  # in place of a prompt: nothing new to say, go on from the history as it is
_FREE = (None, "auto", "none")


class Turn:
    """One turn in the making. `calls` are those to answer before the model is asked again."""

    def __init__(self, talk: ConversationCalls, prompt: Any, options: Any, run_tools: bool | None) -> None:
        self._talk = talk
        self._runs = talk.run_tools if run_tools is None else run_tools
        self._given = options
        self._options = talk._merged(options)
        self._box = Toolbox(self._options.get("tools"))
        if self._box.tools:
            self._options["tools"] = self._box.wire
        history = talk._history()
        self.fresh: list[Message] = [] if prompt is GO_ON else [talk._asked(prompt)]
        self.rounds: list[Round] = []
        answers = self.fresh[:1] if self.fresh and self.fresh[0].role == "tool" else []
        self.calls = open_calls([*history, *answers])
        self.over = False
        self._left = 0
        self._check(history)
        self._round = Round(text=history[-1].text if history else "")

    def _check(self, history: Sequence[Message]) -> None:
        names = [call.name for call in self.calls]
        if names and (self.fresh or not self._may_run(names)):
            hint = "talk.tool_result(call, value) answers one, talk.undo() takes the turn back"
            hint = f"talk() runs them, {hint}" if self._may_run(names) else hint
            raise ConfigError(f"the model waits for the results of {', '.join(names)}; nothing was sent", hint=hint)
        if not self.fresh and (not history or history[-1].role not in ("user", "tool", "assistant")):
            raise ConfigError("there is nothing to go on from", hint='say something: talk("…")')
        if not self.fresh and not names and history[-1].role == "assistant":
            raise ConfigError("the model has answered already", hint='say something: talk("…")')

    def _may_run(self, names: Sequence[str]) -> bool:
        return self._runs and self._box.runs(names)

    @property
    def options(self) -> Any:
        """The options of the next request. A call that was forced is made once, or the turn would never end."""
        if self.rounds and self._options.get("tool_choice") not in _FREE:
            return {**self._options, "tool_choice": "auto"}
        return self._options

    def messages(self) -> list[Message]:
        """What the next request says: as much of the history as fits, and the turn so far."""
        messages, self._left = self._talk._fitting(self.fresh, self._given)
        return messages

    def said(self, reply: Reply) -> None:
        """The model has spoken; unless it asks for tools that can run here, the turn is over."""
        message = _remembered(reply, keep_thinking=bool(self._options.get("preserve_thinking")))
        self.fresh.append(message)
        ids = [wire["id"] for wire in message.tool_calls or []]
        self.calls = [structs.replace(call, id=id) for call, id in zip(reply.tool_calls, ids, strict=True)]
        names = [call.name for call in self.calls]
        self.over = not names or not self._may_run(names)
        if not self.over and len(self.rounds) >= self._talk.max_rounds:
            self.over = True
            _warn(names, self._talk.max_rounds)
        self._round = Round(text=reply.text, thinking=reply.thinking)
        if self.over:
            reply.rounds = self.rounds
            self._talk._remember(self.fresh, reply, self._left)

    def work(self) -> Flow[list[ToolRun]]:
        """Carry out the calls. The driver decides what runs at once; results stand in the order of the calls."""
        runs: list[ToolRun] = yield Run([self._box.job(call.name, call.arguments, call.id) for call in self.calls])
        self.fresh += [Message.tool(run.result, run.id) for run in runs]
        self._round.runs = runs
        self.rounds.append(self._round)
        self.calls = []
        return runs


def open_calls(messages: Sequence[Message]) -> list[ToolCall]:
    """The calls at the end of the messages that have no result yet."""
    answered = set()
    for message in reversed(messages):
        if message.role != "tool":
            return [call for call in _calls(message) if call.id not in answered]
        answered.add(message.tool_call_id)
    return []


def in_order(messages: list[Message]) -> None:
    """Put the results at the end of the messages into the order of their calls."""
    start = next((at for at in range(len(messages), 0, -1) if messages[at - 1].role != "tool"), 0)
    order = [call.id for call in _calls(messages[start - 1])] if start else []
    place = {id: at for at, id in enumerate(order)}
    messages[start:] = sorted(messages[start:], key=lambda each: place.get(each.tool_call_id or "", len(place)))


def _calls(message: Message) -> list[ToolCall]:
    wire = [(each, each.get("function") or {}) for each in message.tool_calls or [] if message.role == "assistant"]
    return [
        ToolCall(
            id=str(each.get("id") or ""), name=str(one.get("name") or ""), arguments=str(one.get("arguments") or "")
        )
        for each, one in wire
    ]


def _remembered(reply: Reply, *, keep_thinking: bool) -> Message:
    """The reply as the history has it: arguments that are no JSON would be refused when they are sent back."""
    message = reply.message
    for call in message.tool_calls or []:
        call["function"]["arguments"] = arguments.strict(call["function"]["arguments"])
    if reply.thinking and keep_thinking:
        message.reasoning_content = reply.thinking
    return message


def _warn(names: Sequence[str], most: int) -> None:
    wanted = ", ".join(dict.fromkeys(names))
    rounds = f"{most} rounds" if most > 1 else "1 round"
    cure = "talk() goes on from here, max_rounds=… allows more"
    warnings.warn(
        f"the model still asks for {wanted} after {rounds} of tools; stopped → {cure}", RoundsWarning, _users_line()
    )
