"""Conversation objects: histories the service keeps under an id, which any number of turns may add to.

talk = qwen.responses.conversations.create(metadata={"topic": "ferries"})
qwen.responses("When does the ferry leave?", conversation=talk)
qwen.responses.conversations.items(talk).list()
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.kept import fetch, forget, pages, place
from qwenkit.protocol import responses as protocol
from qwenkit.protocol.flow import Flow
from qwenkit.types.response import ConversationObject, Item, Items

_PATH = "/conversations"
C = TypeVar("C", bound="ItemCalls")


class ConversationObjectCalls:
    """The calls on conversation objects, written once for both flavours."""

    _core: Core

    @call
    def create(self, items: Any = None, *, metadata: Mapping[str, str] | None = None) -> Flow[ConversationObject]:
        """Begin a conversation, with up to 20 items and 16 pairs of metadata."""
        body: dict[str, Any] = {} if items is None else {"items": _several(items)}
        if metadata is not None:
            body["metadata"] = dict(metadata)
        return protocol.conversation((yield from fetch(self._core, "POST", _PATH, "a conversation", body)))

    @call
    def get(self, conversation: ConversationObject | str) -> Flow[ConversationObject]:
        """A conversation by its id."""
        wire = yield from fetch(self._core, "GET", place(_PATH, conversation, ConversationObject), "a conversation")
        return protocol.conversation(wire)

    @call
    def update(
        self, conversation: ConversationObject | str, *, metadata: Mapping[str, str]
    ) -> Flow[ConversationObject]:
        """Give it other metadata: all pairs are replaced."""
        path, body = place(_PATH, conversation, ConversationObject), {"metadata": dict(metadata)}
        return protocol.conversation((yield from fetch(self._core, "POST", path, "a conversation", body)))

    @call
    def delete(self, conversation: ConversationObject | str) -> Flow[bool]:
        """Forget a conversation; the service keeps its items."""
        return (yield from forget(self._core, place(_PATH, conversation, ConversationObject)))


class ItemCalls:
    """The items of one conversation."""

    _core: Core
    _path: str

    def of(self: C, conversation: Any) -> C:
        """These calls, for this conversation."""
        self._path = place(_PATH, conversation, ConversationObject) + "/items"
        return self

    @call
    def list(self, *, limit: int | None = None, order: str = "asc") -> Flow[Items]:
        """The items, oldest first: all of them, or the first `limit`."""
        return (yield from pages(self._core, self._path, limit, order))

    @call
    def add(self, items: Any) -> Flow[Items]:
        """Add up to 20 items: texts, messages, dicts as on the wire, replies."""
        wire = yield from fetch(self._core, "POST", self._path, "a list", {"items": _several(items)})
        return Items(protocol.listed(wire)[0])

    @call
    def get(self, item: Item | str) -> Flow[Item]:
        """One item by its id."""
        return Item((yield from fetch(self._core, "GET", place(self._path, item, Item), "an item")))

    @call
    def delete(self, item: Item | str) -> Flow[bool]:
        """Take one item out."""
        return (yield from forget(self._core, place(self._path, item, Item)))


def _several(items: Any) -> Any:
    """Items as on the wire; a bare text is one of them."""
    return protocol.given([items] if isinstance(items, str) else items)


class ConversationItems(ItemCalls, SyncNoun):
    """`qwen.responses.conversations.items(conversation)`"""


class AsyncConversationItems(ItemCalls, AsyncNoun):
    """`aqwen.responses.conversations.items(conversation)`"""


class Conversations(ConversationObjectCalls, SyncNoun):
    """`qwen.responses.conversations`"""

    def items(self, conversation: ConversationObject | str) -> ConversationItems:
        """The items of a conversation: `.list()`, `.add(…)`, `.get(id)`, `.delete(id)`."""
        return ConversationItems(self._core).of(conversation)


class AsyncConversations(ConversationObjectCalls, AsyncNoun):
    """`aqwen.responses.conversations`"""

    def items(self, conversation: ConversationObject | str) -> AsyncConversationItems:
        """The items of a conversation: `.list()`, `.add(…)`, `.get(id)`, `.delete(id)`, all awaited."""
        return AsyncConversationItems(self._core).of(conversation)
