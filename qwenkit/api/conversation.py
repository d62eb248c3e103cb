"""A conversation: chat that remembers.

`talk = qwen.conversation(system="You are a tutor.")`, then `talk("…")` or `talk.stream("…")`. The history is plain
messages; a turn is added only when its answer is complete, so a failed call loses nothing and can simply be repeated.

The model reads the whole history each time, and its window is finite. Before a turn is sent its tokens are counted
(the service's own count of the last turn, plus an estimate of what is new). When it would not fit, the policy decides:
`when_full="trim"` forgets the oldest turns and keeps the system message, `"refuse"` raises and sends nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeVar, Unpack, cast

from qwenkit import catalogue
from qwenkit.api.chat import AsyncChat, Chat
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.stream import AsyncChatStream, ChatStream
from qwenkit.errors import ConfigError
from qwenkit.protocol import chat as protocol
from qwenkit.protocol.flow import Flow
from qwenkit.types._shown import Shown
from qwenkit.types.message import Message
from qwenkit.types.options import ChatOptions
from qwenkit.types.reply import Reply

C = TypeVar("C", bound="ConversationCalls")

_POLICIES = ("trim", "refuse")


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
        **options: Unpack[ChatOptions],
    ) -> None:
        _check_policy(when_full)
        protocol.refuse_unknown(options)
        self._core = core
        self.model = model or core.model
        self.options = options
        self.policy = when_full
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
    def __call__(self, prompt: str | Message, **options: Unpack[ChatOptions]) -> Flow[Reply]:
        """Say something, get the answer; both become part of the history."""
        asked = self._asked(prompt)
        history, left = self._fitting(asked, options)
        reply = yield from Chat.__call__.flow(Chat(self._core), history, **self._merged(options))
        self._remember(asked, reply, left)
        return reply

    def fork(self: C) -> C:
        """A copy that goes its own way from here."""
        twin = type(self)(
            self._core, model=self.model, when_full=self.policy, context_limit=self._limit, **self.options
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
        """Write the conversation as JSON. Keys are never part of it."""
        facts = {
            "qwenkit": "conversation/1",
            "model": self.model,
            "when_full": self.policy,
            "options": self.options,
            "messages": [message.to_wire() for message in self._history()],
            "context_limit": self._limit,
            "forgotten": self.forgotten,
        }
        try:
            text = json.dumps(facts, ensure_ascii=False, indent=2).encode("utf-8") + b"\n"
        except (TypeError, ValueError) as unfit:
            raise ConfigError(
                f"the conversation cannot be written as JSON ({unfit})", hint="keep to plain data"
            ) from unfit
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new")
        fresh.write_bytes(text)  # whole, before the old file goes
        os.replace(fresh, target)
        return target

    def restore(self: C, path: str | Path) -> C:
        """Take over model, options and history from a saved file."""
        try:
            facts = json.loads(Path(path).read_text(encoding="utf-8"))
            messages = [Message.of(dict(message)) for message in facts["messages"]]
            options = dict(facts.get("options") or {})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as bad:
            raise ConfigError(
                f"{Path(path).name} is not a saved conversation ({bad})", hint="use talk.save(path)"
            ) from bad
        protocol.refuse_unknown(options)
        policy = facts.get("when_full", self.policy)
        _check_policy(policy)
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

    def _fitting(self, asked: Message, options: ChatOptions) -> tuple[list[Message], int]:
        """The history with the new message, and how many of the oldest messages stay behind so that it fits.

        Nothing is forgotten here: that waits for the answer, so that a call that fails loses nothing.
        """
        limit, room = self.context_limit, self._room(options)
        kept = list(self._history())
        while limit is not None and (needed := self._tokens([*kept, asked]) + room) > limit:
            shorter = _without_oldest_turn(kept, asked) if self.policy == "trim" else None
            if shorter is None:
                raise self._too_long(needed, limit)
            kept = shorter
        return [*kept, asked], len(self.messages) - len(kept)

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

    def _remember(self, asked: Message, reply: Reply, left: int) -> None:
        """The turn is complete: it joins the history, and what did not fit is forgotten."""
        start = _first_turn(self.messages)
        del self.messages[start : start + left]
        self.forgotten += left
        answer = reply.message
        if reply.thinking and self.options.get("preserve_thinking"):
            answer.reasoning_content = reply.thinking
        self.messages += [asked, answer]
        if reply.usage and reply.usage.total:
            self._counted = (len(self.messages), reply.usage.total - reply.usage.reasoning)

    def __len__(self) -> int:
        return len(self.messages)

    def __repr__(self) -> str:
        return f"Conversation({len(self.messages)} messages, model={self.model!r}, about {self.context_used} tokens)"


class Conversation(ConversationCalls, SyncNoun):
    """A conversation whose turns run at once."""

    def stream(self, prompt: str | Message, **options: Unpack[ChatOptions]) -> ChatStream:
        """Say something and iterate the answer; the turn is remembered when the stream has ended."""
        asked = self._asked(prompt)
        history, left = self._fitting(asked, options)
        stream = Chat(self._core).stream(history, **self._merged(options))
        stream._reading.on_reply = lambda reply: self._remember(asked, reply, left)
        return stream


class AsyncConversation(ConversationCalls, AsyncNoun):
    """A conversation whose turns are awaited."""

    def stream(self, prompt: str | Message, **options: Unpack[ChatOptions]) -> AsyncChatStream:
        """Say something and iterate the answer; the turn is remembered when the stream has ended."""
        asked = self._asked(prompt)
        history, left = self._fitting(asked, options)
        stream = AsyncChat(self._core).stream(history, **self._merged(options))
        stream._reading.on_reply = lambda reply: self._remember(asked, reply, left)
        return stream


def _check_policy(when_full: Any) -> None:
    if when_full not in _POLICIES:
        raise ConfigError(f"when_full cannot be {when_full!r}", hint="use 'trim' or 'refuse'")


def _as_message(turn: Any) -> Message:
    """A message from whatever stands in the list."""
    if isinstance(turn, Message):
        return turn
    return Message.of(protocol.messages([turn])[0])


def _first_turn(messages: list[Message]) -> int:
    """Where the first turn begins, behind the system messages."""
    return next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))


def _without_oldest_turn(messages: list[Message], asked: Message) -> list[Message] | None:
    """The messages less the oldest turn; None when there is none to spare.

    A turn is a user message and all up to the next one. The turn that a tool's result answers must stay.
    """
    start = _first_turn(messages)
    end = next((at for at in range(start + 1, len(messages)) if messages[at].role == "user"), len(messages))
    if start == len(messages) or (asked.role == "tool" and end == len(messages)):
        return None
    return messages[:start] + messages[end:]
