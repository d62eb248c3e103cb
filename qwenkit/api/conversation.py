"""A conversation: chat that remembers, and runs tools.

`talk = qwen.conversation(system="You are a tutor.")`, then `talk("…")` or `talk.stream("…")`. The history is plain
messages; a turn is added only when its answer is complete, so a failed call loses nothing and can simply be repeated.

With `tools=[weather, …]`, Python functions, a turn may take several rounds: the functions the model asks for are called
and their results sent back until it answers in words, at most `max_rounds` times. `run_tools=False` leaves the calls in
`reply.tool_calls`; `talk.tool_result(call, value)` answers them, and `talk()` goes on. See `qwenkit.api.rounds`.

The model reads the whole history each time, and its window is finite. Before a turn is sent its tokens are counted
(the service's own count of the last turn, plus an estimate of what is new). When it would not fit, the policy decides:
`when_full="trim"` forgets the oldest turns and keeps the system message, `"refuse"` raises and sends nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, Unpack, cast

from qwenkit import catalogue
from qwenkit.api import saved
from qwenkit.api.chat import Chat
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.rounds import GO_ON, Turn, in_order, open_calls
from qwenkit.api.talking import AsyncTalkStream, TalkStream
from qwenkit.errors import ConfigError
from qwenkit.protocol import chat as protocol
from qwenkit.protocol import results
from qwenkit.protocol.flow import Flow
from qwenkit.protocol.toolbox import Toolbox
from qwenkit.types._shown import Shown
from qwenkit.types.message import Message
from qwenkit.types.options import ChatOptions
from qwenkit.types.reply import Reply, ToolCall

C = TypeVar("C", bound="ConversationCalls")

_POLICIES = ("trim", "refuse")
_ROUNDS = 8


class ConversationCalls(Shown):
    """History, window and files: what both flavours share."""

    def __init__(
        self,
        core: Core,
        *,
        system: str = "",
        model: str = "",
        when_full: str = "trim",
        context_limit: int | None = None,
        max_rounds: int = _ROUNDS,
        run_tools: bool = True,
        **options: Unpack[ChatOptions],
    ) -> None:
        _check_policy(when_full)
        _check_rounds(max_rounds)
        protocol.refuse_unknown(options)
        Toolbox(options.get("tools"))  # a function that cannot be a tool is refused now, not in the first turn
        self._core = core
        self.model = model or core.model
        self.options = options
        self.policy = when_full
        self.max_rounds = max_rounds
        self.run_tools = run_tools
        self.messages: list[Message] = [Message.system(system)] if system else []
        self.forgotten = 0
        self._limit = context_limit
        self._counted = (0, 0)  # how many messages the service has counted, and their tokens

    @property
    def context_limit(self) -> int | None:
        """Tokens the model can read; None when the catalogue does not know the model."""
        if self._limit is not None:
            return self._limit
        facts = catalogue.model(self.model)
        return (facts.max_input or facts.context) if facts else None

    @property
    def context_used(self) -> int:
        """Tokens the history takes: the service's count where there is one, an estimate for the rest."""
        return self._tokens(self._history())

    def _history(self) -> list[Message]:
        """The messages, each as a `Message`: the list is the user's to edit, also with dicts and replies."""
        self.messages[:] = [_as_message(turn) for turn in self.messages]
        return self.messages

    @call
    def __call__(
        self, prompt: str | Message = GO_ON, *, run_tools: bool | None = None, **options: Unpack[ChatOptions]
    ) -> Flow[Reply]:
        """Say something, get the answer; both become part of the history, with the tools run between them.

        Without a prompt it goes on from the history as it is, running first the tools that the model waits for.
        """
        turn = Turn(self, prompt, options, run_tools)
        while True:
            if turn.calls:
                yield from turn.work()
            reply = yield from Chat.__call__.flow(Chat(self._core), turn.messages(), **turn.options)
            turn.said(reply)
            if turn.over:
                return reply

    def tool_result(self, call: ToolCall | str, value: Any) -> None:
        """Answer a call of the last reply by hand; `call` is the call or its id. `talk()` then goes on."""
        waiting = open_calls(self._history())
        id = call if isinstance(call, str) else call.id or f"call_{call.index}"
        if id not in [each.id for each in waiting]:
            names = ", ".join(each.name for each in waiting)
            hint = f"open are: {names}" if names else "ask with run_tools=False and look at reply.tool_calls"
            raise ConfigError("no call of the last answer waits for this result", hint=hint)
        self.messages.append(Message.tool(results.text_of(value), id))
        in_order(self.messages)

    def fork(self: C) -> C:
        """A copy that goes its own way from here."""
        twin = type(self)(
            self._core,
            model=self.model,
            when_full=self.policy,
            context_limit=self._limit,
            max_rounds=self.max_rounds,
            run_tools=self.run_tools,
            **self.options,
        )
        twin.messages = list(self._history())
        twin.forgotten = self.forgotten
        twin._counted = self._counted
        return twin

    def undo(self) -> None:
        """Take back the last turn: your words and all that followed them."""
        self._history()
        while self.messages and self.messages[-1].role != "system":
            if self.messages.pop().role == "user":
                break
        self._counted = (0, 0)

    def save(self, path: str | Path) -> Path:
        """Write the conversation as JSON. Keys are never part of it, and functions only by name."""
        functions = list(Toolbox(self.options.get("tools")).functions)
        facts = {
            "qwenkit": "conversation/1",
            "model": self.model,
            "when_full": self.policy,
            "options": saved.plain(self.options),
            "messages": [message.to_wire() for message in self._history()],
            "context_limit": self._limit,
            "forgotten": self.forgotten,
        }
        return saved.write({**facts, "functions": functions} if functions else facts, path)

    def restore(self: C, path: str | Path) -> C:
        """Take over model, options and history from a saved file. Its functions must be among this one's tools."""
        facts, messages, options = saved.read(path)
        protocol.refuse_unknown(options)
        policy = facts.get("when_full", self.policy)
        _check_policy(policy)
        named = facts.get("functions") or []
        options = saved.with_functions(options, named, self.options.get("tools"), Path(path).name)
        self.model, self.policy, self.options = facts.get("model", self.model), policy, cast(Any, options)
        self._limit, self.forgotten = facts.get("context_limit"), facts.get("forgotten", 0)
        self.messages = messages
        self._counted = (0, 0)
        return self

    def _asked(self, prompt: Any) -> Message:
        return _as_message(prompt)

    def _merged(self, options: ChatOptions) -> Any:
        """This turn's options over the conversation's. A turn may name its model, but no system message."""
        if "system" in options:
            raise ConfigError("a turn has no system message of its own", hint="put it first: talk.messages[0]")
        return {"model": self.model, **self.options, **options}

    def _fitting(self, fresh: list[Message], options: ChatOptions) -> tuple[list[Message], int]:
        """The history with the new messages, and how many of the oldest stay behind so that they fit.

        Nothing is forgotten here: that waits for the answer, so that a call that fails loses nothing.
        """
        limit, room = self.context_limit, self._room(options)
        kept = list(self._history())
        while limit is not None and (needed := self._tokens([*kept, *fresh]) + room) > limit:
            shorter = _without_oldest_turn(kept, fresh) if self.policy == "trim" else None
            if shorter is None:
                raise self._too_long(needed, limit)
            kept = shorter
        return [*kept, *fresh], len(self.messages) - len(kept)

    def _too_long(self, needed: int, limit: int) -> ConfigError:
        bound = f"{self.model} reads" if self._limit is None else "this conversation is limited to"
        other = "use when_full='trim'" if self.policy == "refuse" else "lower max_tokens"
        return ConfigError(
            f"this turn needs {needed:,} tokens and {bound} {limit:,}; nothing was sent",
            hint=f"shorten it, start a new conversation, or {other}",
        )

    def _room(self, options: ChatOptions) -> int:
        """Tokens to keep free for the answer. A model's input limit leaves them already; one set by hand does not."""
        if self._limit is None:
            return 0
        return options.get("max_tokens") or self.options.get("max_tokens") or 0

    def _tokens(self, messages: list[Message]) -> int:
        """The service's count holds for the whole history only; what is new or shortened is estimated."""
        known, tokens = self._counted
        if messages[:known] != self.messages[:known]:
            known, tokens = 0, 0
        fresh = [message.to_wire() for message in messages[known:]]
        return tokens + (catalogue.tokens.count_messages(fresh) if fresh else 0)

    def _remember(self, fresh: list[Message], reply: Reply, left: int) -> None:
        """The turn is complete: it joins the history, and what did not fit is forgotten."""
        start = _first_turn(self.messages)
        del self.messages[start : start + left]
        self.forgotten += left
        self.messages += fresh
        if reply.usage and reply.usage.total:
            self._counted = (len(self.messages), reply.usage.total - reply.usage.reasoning)

    def __len__(self) -> int:
        return len(self.messages)

    def __repr__(self) -> str:
        return f"Conversation({len(self.messages)} messages, model={self.model!r}, about {self.context_used} tokens)"


class Conversation(ConversationCalls, SyncNoun):
    """A conversation whose turns run at once. Functions run in the calling thread, async ones together beside it."""

    def stream(
        self, prompt: str | Message = GO_ON, *, run_tools: bool | None = None, **options: Unpack[ChatOptions]
    ) -> TalkStream:
        """Say something and iterate the answer; the turn is remembered when the stream has ended."""
        return TalkStream(self._core, Turn(self, prompt, options, run_tools))


class AsyncConversation(ConversationCalls, AsyncNoun):
    """A conversation whose turns are awaited. Its functions run at once, those that are not async in threads."""

    def stream(
        self, prompt: str | Message = GO_ON, *, run_tools: bool | None = None, **options: Unpack[ChatOptions]
    ) -> AsyncTalkStream:
        """Say something and iterate the answer; the turn is remembered when the stream has ended."""
        return AsyncTalkStream(self._core, Turn(self, prompt, options, run_tools))


def _check_policy(when_full: Any) -> None:
    if when_full not in _POLICIES:
        raise ConfigError(f"when_full cannot be {when_full!r}", hint="use 'trim' or 'refuse'")


def _check_rounds(most: Any) -> None:
    if not isinstance(most, int) or most < 1:
        raise ConfigError(f"max_rounds cannot be {most!r}", hint="use a number from 1, or run_tools=False")


def _as_message(turn: Any) -> Message:
    """A message from whatever stands in the list."""
    if isinstance(turn, Message):
        return turn
    return Message.of(protocol.messages([turn])[0])


def _first_turn(messages: list[Message]) -> int:
    """Where the first turn begins, behind the system messages."""
    return next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))


def _without_oldest_turn(messages: list[Message], fresh: list[Message]) -> list[Message] | None:
    """The messages less the oldest turn; None when there is none to spare.

    A turn is a user message and all up to the next one. The turn that the new messages go on with must stay.
    """
    start = _first_turn(messages)
    end = next((at for at in range(start + 1, len(messages)) if messages[at].role == "user"), len(messages))
    goes_on = not fresh or fresh[0].role == "tool"
    if start == len(messages) or (goes_on and end == len(messages)):
        return None
    return messages[:start] + messages[end:]
