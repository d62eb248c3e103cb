"""A turn in rounds: the model asks for tools, they run, it reads what they brought, until it answers in words.

`Turn` holds everything a turn has said so far. Nothing of it is in the history before its end, so a turn that fails, or
is left halfway, leaves the history as it was. `answer` takes whole rounds; `plan` is for a stream, which takes them
piece by piece, and gives each call with its result as a piece of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from msgspec import structs

from qwenkit import catalogue
from qwenkit.api.accounts import _users_line
from qwenkit.api.chat import Chat
from qwenkit.api.stream import Plan
from qwenkit.errors import ConfigError, RoundsWarning
from qwenkit.protocol import arguments, media, omni
from qwenkit.protocol import chat as protocol
from qwenkit.protocol.chat_stream import ChatFold
from qwenkit.protocol.flow import Flow, Run
from qwenkit.protocol.toolbox import Toolbox
from qwenkit.types.message import Message
from qwenkit.types.reply import Piece, Reply, ToolCall
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
        self._options = talk._merged(options)
        shown = media.asked(self._options)
        for name in media.OPTIONS:  # they are in the message now; a mapping is the wire's own option
            if not isinstance(self._options.get(name), Mapping):
                self._options.pop(name, None)
        self._options |= media.switches(talk._merged(options))
        self._box = Toolbox(self._options.get("tools"))
        if self._box.tools:
            self._options["tools"] = self._box.wire
        history = talk._history()
        fresh = [] if prompt is GO_ON else [as_message(prompt).to_wire()]
        self.fresh: list[Message] = [Message.of(wire) for wire in media.attached(fresh, shown)]
        self._options["model"] = self._seeing([*history, *self.fresh])
        self.rounds: list[Round] = []
        answers = self.fresh[:1] if self.fresh and self.fresh[0].role == "tool" else []
        self.calls = open_calls([*history, *answers])
        self.over = False
        self._left = 0
        self._check(history)
        self._round = Round(text=history[-1].text if self.calls and history[-1].role == "assistant" else "")

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

    def _seeing(self, messages: Sequence[Message]) -> str:
        """The model of this turn; one that nobody chose gives way to one with the senses that the history asks for."""
        model = str(self._options["model"])
        named = "" if self._talk._unchosen(model) else model
        return omni.fit(named, media.fit(named, model, list(media.parts(messages))), self._options.get("speak"))

    def _may_run(self, names: Sequence[str]) -> bool:
        return self._runs and self._box.runs(names)

    def _wanted(self) -> Any:
        """The options of the next request. A call that was forced is made once, or the turn would never end."""
        forced = self.rounds and self._options.get("tool_choice") not in _FREE
        return {**self._options, "tool_choice": "auto"} if forced else self._options

    def answer(self) -> Flow[Reply]:
        """Round after round until the model answers in words."""
        while True:
            if self.calls:
                yield from self._work()
            reply = yield from Chat.__call__.flow(Chat(self._talk._core), self._messages(), **self._wanted())
            self._said(reply)
            if self.over:
                return reply

    def plan(self) -> Plan[Piece, Reply]:
        """The next round as a stream, and behind it the rest. What cannot be sent is refused now."""
        if self.calls:
            return Plan(None, ChatFold(), then=self._then)
        made = Chat.stream.flow(Chat(self._talk._core), self._messages(), **self._wanted())
        cast(ChatFold, made.fold).rounds = self.rounds
        made.then = self._then
        return made

    def _then(self, reply: Reply) -> Flow[tuple[list[Piece], Plan[Piece, Reply]]] | None:
        if not self.calls:  # else these came first, and nothing was said yet
            self._said(reply)
        return None if self.over else self._go_on()

    def _go_on(self) -> Flow[tuple[list[Piece], Plan[Piece, Reply]]]:
        runs = yield from self._work()
        return [Piece(ran=run) for run in runs], self.plan()

    def _messages(self) -> list[Message]:
        """What the next request says: as much of the history as fits, and the turn so far."""
        messages, self._left = self._talk._fitting(self.fresh, self._options)
        return messages

    def _keeps_thoughts(self) -> bool:
        """Whether the model is to read its thoughts again: as asked, else as it does by itself."""
        facts = catalogue.model(self._options["model"])
        usual = facts is not None and facts.preserves_thinking
        return bool(self._options.get("preserve_thinking", usual))

    def _said(self, reply: Reply) -> None:
        """The model has spoken; unless it asks for tools that can run here, the turn is over."""
        message = reply.message
        for call in message.tool_calls or []:  # what is no JSON would be refused when it is sent back
            call["function"]["arguments"] = arguments.strict(call["function"]["arguments"])
        if reply.thinking and self._keeps_thoughts():
            message.reasoning_content = reply.thinking
        self.fresh.append(message)
        ids = [wire["id"] for wire in message.tool_calls or []]
        self.calls = [structs.replace(call, id=id) for call, id in zip(reply.tool_calls, ids, strict=True)]
        names = [call.name for call in self.calls]
        self.over = not names or not self._may_run(names)
        if not self.over and len(self.rounds) >= self._talk.max_rounds:
            self.over = True
            self._warn(", ".join(dict.fromkeys(names)))
        self._round = Round(text=reply.text, thinking=reply.thinking)
        if self.over:
            reply.rounds = self.rounds
            self._talk._remember(self.fresh, reply, self._left)

    def _warn(self, wanted: str) -> None:
        most = self._talk.max_rounds
        told = f"the model still asks for {wanted} after {most} round{'s' * (most > 1)} of tools; stopped"
        cure = "talk() goes on from here, max_rounds=… allows more"
        warnings.warn(f"{told} → {cure}", RoundsWarning, _users_line())

    def _work(self) -> Flow[list[ToolRun]]:
        """Carry out the calls. The driver decides what runs at once; results stand in the order of the calls."""
        runs: list[ToolRun] = yield Run([self._box.job(call.name, call.arguments, call.id) for call in self.calls])
        self.fresh += [Message.tool(run.result, run.id) for run in runs]
        self._round.runs = runs
        self.rounds.append(self._round)
        self.calls = []
        return runs


def as_message(turn: Any) -> Message:
    """A message from whatever stands in a history."""
    return turn if isinstance(turn, Message) else Message.of(protocol.messages([turn])[0])


def open_calls(messages: Sequence[Message]) -> list[ToolCall]:
    """The calls at the end of the messages that have no result yet."""
    calls, start = _last_calls(messages)
    answered = {message.tool_call_id for message in messages[start:]}
    return [call for call in calls if call.id not in answered]


def in_order(messages: list[Message]) -> None:
    """Put the results at the end of the messages into the order of their calls."""
    calls, start = _last_calls(messages)
    place: dict[str | None, int] = {call.id: at for at, call in enumerate(calls)}
    messages[start:] = sorted(messages[start:], key=lambda each: place.get(each.tool_call_id, len(place)))


def _last_calls(messages: Sequence[Message]) -> tuple[list[ToolCall], int]:
    """The calls of the last message that is no result, and where the results after it begin."""
    start = len(messages)
    while start and messages[start - 1].role == "tool":
        start -= 1
    last = messages[start - 1] if start else None
    wire = last.tool_calls or [] if last is not None and last.role == "assistant" else []
    named = [(str(each.get("id") or ""), each.get("function") or {}) for each in wire]
    return [ToolCall(id, str(one.get("name") or ""), str(one.get("arguments") or "")) for id, one in named], start
