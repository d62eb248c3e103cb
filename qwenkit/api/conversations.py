"""Conversation objects: histories the service keeps under an id, which any number of turns may add to.

talk = qwen.responses.conversations.create(metadata={"topic": "ferries"})
qwen.responses("When does the ferry leave?", conversation=talk)
qwen.responses.conversations.items(talk).list()
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.kept import fetch, forget, pages, place
from qwenkit.protocol import responses as protocol
from qwenkit.protocol.flow import Flow
from qwenkit.types.response import ConversationObject, Item, Items

_PATH = "/conversations"


class ConversationObjectCalls:
    """The calls on conversation objects, written once for both flavours."""

    _core: Core

    @call
    def create(self, items: Any = None, *, metadata: Mapping[str, str] | None = None) -> Flow[ConversationObject]:
        """Begin a conversation, with up to 20 items and 16 pairs of metadata."""
        body = {} if items is None else _several(items)
        if metadata is not None:
            body |= protocol.metadata(metadata)
        return protocol.conversation((yield from fetch(self._core, "POST", _PATH, "a conversation", body)))

    @call
    def get(self, conversation: ConversationObject | str) -> Flow[ConversationObject]:
        """A conversation by its id."""
        return protocol.conversation((yield from fetch(self._core, "GET", _place(conversation), "a conversation")))

    @call
    def update(
        self, conversation: ConversationObject | str, *, metadata: Mapping[str, str]
    ) -> Flow[ConversationObject]:
        """Give it other metadata: all pairs are replaced."""
        path, body = _place(conversation), protocol.metadata(metadata)
        return protocol.conversation((yield from fetch(self._core, "POST", path, "a conversation", body)))

    @call
    def delete(self, conversation: ConversationObject | str) -> Flow[bool]:
        """Forget a conversation; the service keeps its items."""
        return (yield from forget(self._core, _place(conversation)))


class ItemCalls:
    """The items of one conversation."""

    def __init__(self, core: Core, conversation: ConversationObject | str) -> None:
        self._core = core
        self._path = _place(conversation) + "/items"

    @call
    def list(self, *, limit: int | None = None, order: str = "asc") -> Flow[Items]:
        """The items, oldest first: all of them, or the first `limit`."""
        return (yield from pages(self._core, self._path, limit, order))

    @call
    def add(self, items: Any) -> Flow[Items]:
        """Add up to 20 items: texts, messages, dicts as on the wire, replies."""
        return Items(protocol.listed((yield from fetch(self._core, "POST", self._path, "a list", _several(items))))[0])

    @call
    def get(self, item: Item | str) -> Flow[Item]:
        """One item by its id."""
        return Item((yield from fetch(self._core, "GET", place(self._path, item, Item), "an item")))

    @call
    def delete(self, item: Item | str) -> Flow[bool]:
        """Take one item out."""
        return (yield from forget(self._core, place(self._path, item, Item)))


def _place(conversation: ConversationObject | str) -> str:
    return place(_PATH, conversation, ConversationObject)


def _several(items: Any) -> dict[str, Any]:
    return {"items": protocol.items(items)}


class ConversationItems(ItemCalls, SyncNoun):
    """`qwen.responses.conversations.items(conversation)`"""


class AsyncConversationItems(ItemCalls, AsyncNoun):
    """`aqwen.responses.conversations.items(conversation)`"""


class Conversations(ConversationObjectCalls, SyncNoun):
    """`qwen.responses.conversations`"""

    def items(self, conversation: ConversationObject | str) -> ConversationItems:
        """The items of a conversation: `.list()`, `.add(…)`, `.get(id)`, `.delete(id)`."""
        return ConversationItems(self._core, conversation)


class AsyncConversations(ConversationObjectCalls, AsyncNoun):
    """`aqwen.responses.conversations`"""

    def items(self, conversation: ConversationObject | str) -> AsyncConversationItems:
        """The items of a conversation: `.list()`, `.add(…)`, `.get(id)`, `.delete(id)`, all awaited."""
        return AsyncConversationItems(self._core, conversation)
