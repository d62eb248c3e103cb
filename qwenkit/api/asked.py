"""What is asked of every prompt of a run, and the prompt on its way: small things that both kinds of run share."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import msgspec

from qwenkit.api.accounts import OpenCall
from qwenkit.api.chat import Chat
from qwenkit.api.core import Core
from qwenkit.catalogue import tokens
from qwenkit.errors import AuthError, NotFound, PermissionDenied, QuotaExceeded
from qwenkit.protocol import chat as protocol
from qwenkit.protocol import checkpoint
from qwenkit.protocol.flow import Flow
from qwenkit.types.reply import Reply

FATAL = (AuthError, PermissionDenied, NotFound, QuotaExceeded)  # ten thousand of them would help nobody


class Asked(msgspec.Struct, frozen=True):
    """What is asked of every prompt."""

    model: str
    system: str
    options: Mapping[str, Any]

    def flow(self, core: Any, prompt: Any) -> Flow[Reply]:
        return Chat.__call__.flow(Chat(core), prompt, model=self.model, system=self.system, **self.options)

    def digest(self, core: Core, prompt: Any) -> str:
        """The digest of the exact body that a call would send: its first step is taken, and nothing is sent."""
        blank = copy.copy(core)
        blank.uploads = None
        blank.accounts = Books(None)  # type: ignore[assignment]
        flow = self.flow(blank, prompt)
        try:
            first: Any = next(flow)
            return checkpoint.digest(first.body)
        finally:
            flow.close()

    def dressed(self, reply: Reply) -> Reply:
        """A stored reply with what was asked of it, so that `reply.value` is found again."""
        reply.schema, reply.prefix = self.options.get("schema"), self.options.get("prefix") or ""
        return reply

    def tokens(self, prompt: Any) -> int:
        """How many tokens the prompt is taken to be; 0 for nonsense, which the service refuses in words of its own."""
        try:
            return tokens.count_messages(protocol.messages(prompt, self.system))
        except (TypeError, AttributeError):
            return 0


def longest(options: Mapping[str, Any]) -> int | None:
    """The longest answer the options allow, for the budget; None when they do not say."""
    return options.get("max_tokens") or options.get("max_completion_tokens")


class Item:
    """One prompt on its way. Its call stays open over all its tries, so the ledger has it once."""

    __slots__ = ("breaks", "digest", "opened", "position", "prompt", "refusals", "tokens")

    def __init__(self, position: int, prompt: Any) -> None:
        self.position, self.prompt = position, prompt
        self.breaks = self.refusals = self.tokens = 0
        self.digest = ""
        self.opened: OpenCall | None = None

    @property
    def tries(self) -> int:
        return 1 + self.breaks + self.refusals


class Books:
    """A worker's view of the accounts: the call of its item is opened once, and closed when the item is."""

    def __init__(self, accounts: Any) -> None:
        self.accounts = accounts
        self.item: Item | None = None

    def open(self, *facts: Any) -> Books:
        if self.item is not None and self.item.opened is None:
            self.item.opened = self.accounts.open(*facts)
        return self

    def finished(self, *facts: Any, **more: Any) -> Any:
        assert self.item is not None
        assert self.item.opened is not None
        return self.item.opened.finished(*facts, **{**more, "tries": self.item.tries})

    def failed(self, *facts: Any) -> None:
        """Not before the crew has given the item up."""
