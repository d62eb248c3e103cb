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

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, Unpack, cast

from qwenkit import catalogue
from qwenkit.api import saved
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call, stream
from qwenkit.api.rounds import GO_ON, Turn, as_message, in_order, open_calls
from qwenkit.api.stream import Plan
from qwenkit.errors import ConfigError
from qwenkit.protocol import chat as protocol
from qwenkit.protocol import media, omni, results
from qwenkit.protocol.flow import Flow
from qwenkit.protocol.options import refuse_unknown
from qwenkit.protocol.toolbox import Toolbox
from qwenkit.types._shown import Shown
from qwenkit.types.message import Message
from qwenkit.types.options import ChatOptions, ConversationOptions
from qwenkit.types.reply import Piece, Reply, ToolCall

C = TypeVar("C", bound="ConversationCalls")


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
        max_rounds: int = 8,
        run_tools: bool = True,
        **options: Unpack[ChatOptions],
    ) -> None:
        _check(when_full, context_limit)
        if not isinstance(max_rounds, int) or max_rounds < 1:
            raise ConfigError(f"max_rounds cannot be {max_rounds!r}", hint="use a number from 1, or run_tools=False")
        refuse_unknown(options, ConversationOptions.__annotations__, "conversation", {})
        Toolbox(options.get("tools"))  # a function that cannot be a tool is refused now, not in the first turn
        for name in ("images", "video"):
            if options.get(name) is not None:
                raise ConfigError(f"{name} go with a turn, not with a conversation", hint=f'talk("…", {name}=…)')
        self._core = core
        self._named = bool(model)
        self.model = model or core.model
        self.options = options
        self.policy = when_full
        self.max_rounds = max_rounds
        self.run_tools = run_tools
        self.messages: list[Message] = [Message.system(system)] if system else []
        self.forgotten = 0
        self._limit = context_limit
        self._counted: tuple[list[Any], int] = ([], 0)  # the messages the service has counted, and their tokens
        self._answered = ""

    @property
    def answering(self) -> str:
        """The model that answered last; before an answer, the one that is going to.

        It is not `model` when nobody named one and the history has pictures or is to be spoken.
        """
        return self._answered or self._sensing(self.model, self._history(), self.options.get("speak"))

    @property
    def context_limit(self) -> int | None:
        """Tokens the model that answers can read; None when the catalogue does not know it."""
        return self._window(self.answering)

    def _window(self, model: str) -> int | None:
        facts = catalogue.model(model) if self._limit is None else None
        return (facts.max_input or facts.context) if facts else self._limit

    @property
    def context_used(self) -> int:
        """Tokens the history takes: the service's count where there is one, an estimate for the rest."""
        return self._tokens(self._history())

    def _history(self) -> list[Message]:
        """The messages, each as a `Message`: the list is the user's to edit, also with dicts and replies."""
        self.messages[:] = [as_message(turn) for turn in self.messages]
        return self.messages

    @call
    def __call__(
        self, prompt: str | Message = GO_ON, *, run_tools: bool | None = None, **options: Unpack[ChatOptions]
    ) -> Flow[Reply]:
        """Say something, get the answer; both become part of the history, with the tools run between them.

        Without a prompt it goes on from the history as it is, running first the tools that the model waits for.
        `images`, `video` and `audio` go with the words and stay in the history.
        """
        return (yield from Turn(self, prompt, options, run_tools).answer())

    @stream
    def stream(
        self, prompt: str | Message = GO_ON, *, run_tools: bool | None = None, **options: Unpack[ChatOptions]
    ) -> Plan[Piece, Reply]:
        """Say something and iterate the answer; the turn is remembered when the stream has ended."""
        return Turn(self, prompt, options, run_tools).plan()

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
        twin = copy.copy(self)
        twin.messages, twin.options = list(self._history()), cast(ChatOptions, dict(self.options))
        return twin

    def undo(self) -> None:
        """Take back the last turn: your words and all that followed them."""
        self._history()
        while self.messages and self.messages[-1].role != "system":
            if self.messages.pop().role == "user":
                break
        self._answered = ""

    def save(self, path: str | Path) -> Path:
        """Write the conversation as JSON. Keys are never part of it, and functions only by name."""
        options, functions = saved.plain(self.options)
        facts = {
            "qwenkit": "conversation/1",
            "model": self.model,
            "when_full": self.policy,
            "options": options,
            "messages": saved.messages(self._history()),
            "context_limit": self._limit,
            "forgotten": self.forgotten,
            "counted": self._counted_here(),
        }
        return saved.write({**facts, "functions": functions} if functions else facts, path)

    def restore(self: C, path: str | Path) -> C:
        """Take over model, options and history from a saved file. Its functions must be among this one's tools."""
        facts, messages, options = saved.read(path, self.options.get("tools"))
        protocol.refuse_unknown(options)
        policy, limit = facts.get("when_full", self.policy), facts.get("context_limit")
        _check(policy, limit)
        self.model, self.policy, self.options = facts.get("model", self.model), policy, cast(ChatOptions, options)
        self._limit, self.forgotten, self.messages = limit, facts.get("forgotten", 0), messages
        number, tokens = saved.counted(facts, len(messages))
        self._counted, self._answered = ([message.to_wire() for message in messages[:number]], tokens), ""
        return self

    def _counted_here(self) -> list[int]:
        """How many of the messages the service has counted, and their tokens; none when they were changed since."""
        known, tokens = self._counted
        same = [message.to_wire() for message in self._history()[: len(known)]] == known
        return [len(known), tokens] if same else [0, 0]

    def _merged(self, options: ChatOptions) -> Any:
        """This turn's options over the conversation's. A turn may name its model, but no system message."""
        if "system" in options:
            raise ConfigError("a turn has no system message of its own", hint="put it first: talk.messages[0]")
        return {"model": self.model, **self.options, **options}

    def _unchosen(self, model: str) -> bool:
        """Whether a turn's model is the client's usual one, which nobody named here."""
        return not self._named and model == self._core.model

    def _sensing(self, model: str, messages: list[Message], speak: Any) -> str:
        """The model of a turn; one that nobody chose gives way to one with the senses that the history asks for."""
        named = "" if self._unchosen(model) else model
        return omni.fit(named, media.fit(named, model, list(media.parts(messages))), speak)

    def _fitting(self, fresh: list[Message], options: Mapping[str, Any]) -> tuple[list[Message], int]:
        """The history with the new messages, and how many of the oldest stay behind so that they fit.

        Nothing is forgotten here: that waits for the answer, so that a call that fails loses nothing.
        """
        model, room = options["model"], 0
        if (
            self._limit is not None
        ):  # a model's input limit leaves room for the answer already, one set by hand does not
            most = options.get("max_tokens") or options.get("max_completion_tokens")
            room = most if isinstance(most, int) else 0  # nonsense goes to the service, which says why
        kept, limit = list(self._history()), self._window(model)
        while limit is not None and (needed := self._tokens([*kept, *fresh], model) + room) > limit:
            shorter = _without_oldest_turn(kept, fresh) if self.policy == "trim" else None
            if shorter is None:
                bound = f"{model} reads" if self._limit is None else "this conversation is limited to"
                other = "use when_full='trim'" if self.policy == "refuse" else "lower max_tokens"
                raise ConfigError(
                    f"this turn needs {needed:,} tokens and {bound} {limit:,}; nothing was sent",
                    hint=f"shorten it, start a new conversation, or {other}",
                )
            kept = shorter
        return [*kept, *fresh], len(self.messages) - len(kept)

    def _tokens(self, messages: list[Message], model: str = "") -> int:
        """The service's count holds for what it has counted, unchanged; what is new or shortened is estimated."""
        wire = [message.to_wire() for message in messages]
        known, tokens = self._counted
        if wire[: len(known)] != known:
            known, tokens = [], 0
        fresh = wire[len(known) :]
        return tokens + (media.prompt_tokens(fresh, model or self.answering) if fresh else 0)

    def _remember(self, fresh: list[Message], reply: Reply, left: int) -> None:
        """The turn is complete: it joins the history, and what did not fit is forgotten."""
        start = _first_turn(self.messages)
        del self.messages[start : start + left]
        self.forgotten += left
        self.messages += fresh
        self.messages[-1].spoken = reply.audio
        self._answered = reply.model if catalogue.model(reply.model) else ""
        if reply.usage and reply.usage.total:
            counted = [message.to_wire() for message in self.messages]
            kept = any(message.reasoning_content for message in fresh)  # thoughts that are sent again are read again
            self._counted = (counted, reply.usage.total - (0 if kept else reply.usage.reasoning))

    def __len__(self) -> int:
        return len(self.messages)

    def __repr__(self) -> str:
        return (
            f"Conversation({len(self.messages)} messages, model={self.answering!r}, about {self.context_used} tokens)"
        )


class Conversation(ConversationCalls, SyncNoun):
    """A conversation whose turns run at once. Functions run in the calling thread, async ones together beside it."""


class AsyncConversation(ConversationCalls, AsyncNoun):
    """A conversation whose turns are awaited. Its functions run at once, those that are not async in threads."""


def _check(when_full: Any, context_limit: Any) -> None:
    if when_full not in ("trim", "refuse"):
        raise ConfigError(f"when_full cannot be {when_full!r}", hint="use 'trim' or 'refuse'")
    if context_limit is not None and (not isinstance(context_limit, int) or context_limit < 1):
        raise ConfigError(f"context_limit cannot be {context_limit!r}", hint="use a number of tokens, or leave it out")


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
