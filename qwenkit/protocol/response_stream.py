"""A Responses stream is a fold: some fifty kinds of events into one growing list of items.

One table says which events carry text, and into which kind of item it goes; both spellings of reasoning are rows of it.
Everything else that matters is an item beginning or ending, and the response itself. Events nobody knows pass through
with all they said. The service's own samples disagree about indexes and ids, so an item is found by its id, else by its
place, else as the latest of its kind; and an end that repeats no words does not erase those that came.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from qwenkit.errors import StreamBroken
from qwenkit.protocol import responses as protocol
from qwenkit.protocol.chat_stream import Text
from qwenkit.protocol.folding import Fold
from qwenkit.types.reply import ToolFragment
from qwenkit.types.response import Item, Response, ResponseEvent, dicts


class Carrier(NamedTuple):
    """What kind of item an event writes to, and the field of the item, which `.done` events use too."""

    item: str
    field: str


# The beginning of an event's name, before `.delta` or `.done`.
CARRIERS = {
    "response.output_text": Carrier("message", "text"),
    "response.refusal": Carrier("message", "refusal"),
    "response.reasoning_text": Carrier("reasoning", "text"),
    "response.reasoning_summary_text": Carrier("reasoning", "text"),
    "response.function_call_arguments": Carrier("function_call", "arguments"),
    "response.mcp_call_arguments": Carrier("mcp_call", "arguments"),
    "response.custom_tool_call_input": Carrier("custom_tool_call", "input"),
    "response.code_interpreter_call_code": Carrier("code_interpreter_call", "code"),
}
ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


# Where these kinds keep their words; the others keep them in the field of their carrier, or have none to stream.
_PARTS = {"message": ("content", "output_text"), "reasoning": ("summary", "summary_text")}
_FIELDS = {carrier.item: carrier.field for carrier in CARRIERS.values() if carrier.field != "refusal"}


class _Growing:
    """One item as it grows: what the service said of it, and the texts written since, one for each of its parts."""

    __slots__ = ("finished", "index", "kind", "parts", "raw")

    def __init__(self, raw: dict[str, Any], index: int) -> None:
        self.raw = raw
        self.kind = Item(raw).type
        self.index = index
        self.finished = False
        self.parts: dict[int, Text] = {}

    def write(self, part: int, piece: str) -> str:
        self.parts.setdefault(part, Text()).write(piece)
        return piece

    def settle(self, part: int, whole: str) -> str:
        """The part is `whole`; returns what of it had not come yet."""
        written = self.parts[part].getvalue() if part in self.parts else ""
        if whole.startswith(written):
            return self.write(part, whole.removeprefix(written))
        if whole:
            self.parts[part] = Text()
            self.write(part, whole)
        return ""

    def tell(self, raw: dict[str, Any], finished: bool) -> str:
        """The service's own account of the item; returns what of its words had not come yet."""
        self.raw = {**self.raw, **raw}
        self.finished = self.finished or finished
        words, written = _words(Item(self.raw)), "".join(self.written())
        fresh = words.removeprefix(written) if words.startswith(written) and self.kind in _FIELDS else ""
        return self.write(max(self.parts, default=0), fresh) if fresh else ""

    def written(self) -> list[str]:
        return [text.getvalue() for _, text in sorted(self.parts.items())]

    def item(self) -> Item:
        """The item so far: the service's own account once it ended, unless that leaves out the words."""
        told, written = Item(self.raw), self.written()
        if not any(written) or (self.finished and _words(told)):
            return told
        if self.kind in _PARTS:
            place, kind = _PARTS[self.kind]
            return Item({**self.raw, place: [{"type": kind, "text": text} for text in written]})
        return Item({**self.raw, _FIELDS[self.kind]: "".join(written)})


class ResponseFold(Fold[ResponseEvent, Response]):
    """The fold of a Responses stream."""

    def __init__(self, *, request: str = "") -> None:
        super().__init__(request=request)
        self._wire: dict[str, Any] = {}
        self._items: list[_Growing] = []

    @property
    def begun(self) -> bool:
        return bool(self._events)

    @property
    def ended(self) -> bool:
        return self.done

    def add(self, data: bytes) -> list[ResponseEvent]:
        """Fold one event in. A failed response raises its typed error, an unreadable event `StreamBroken`."""
        if self.done or not data or data.startswith(b"[DONE]"):  # the service sends no such marker, others do
            return []
        try:
            event = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as broken:
            raise self.unreadable(data, broken) from broken
        if not isinstance(event, dict):
            return []
        told = event.get("type")
        kind = told if isinstance(told, str) else ""
        if kind == "error" or (not kind and (event.get("error") or event.get("code"))):
            self.refuse(data)
        self.keep(data)
        piece = ResponseEvent(type=kind, raw=event)
        self._fold(piece, event)
        if kind == "response.failed":
            raise self.carry(protocol.failure(self._wire, data, request=self.request, request_id=self.request_id))
        return [piece]

    def _fold(self, piece: ResponseEvent, event: dict[str, Any]) -> None:
        name, _, step = piece.type.rpartition(".")
        if name in CARRIERS and step in ("delta", "done"):
            self._write(piece, event, CARRIERS[name], step)
        elif isinstance(event.get("response"), dict) or piece.type in ENDS:
            told = event.get("response")
            self._tell(piece, told if isinstance(told, dict) else {})
        elif isinstance(event.get("item"), dict):
            piece.item = self._place(piece, event["item"], _whole(event.get("output_index")), step == "done").item()

    def _write(self, piece: ResponseEvent, event: dict[str, Any], carrier: Carrier, step: str) -> None:
        """A bit of text, or all of it."""
        name, index = event.get("item_id"), _whole(event.get("output_index"))
        growing = self._find(carrier.item, name, index) or self._begin({"type": carrier.item, "id": name}, index)
        part = _whole(event.get("content_index")) or _whole(event.get("summary_index")) or 0
        told = event.get("delta" if step == "delta" else carrier.field)
        told = told if isinstance(told, str) else ""
        self._add(piece, growing, growing.write(part, told) if step == "delta" else growing.settle(part, told))

    def _add(self, piece: ResponseEvent, growing: _Growing, fresh: str) -> None:
        """What an event brings, where its reader looks for it."""
        if growing.kind == "message":
            piece.text += fresh
        elif growing.kind == "reasoning":
            piece.thinking += fresh
        elif fresh or (growing.kind == "function_call" and piece.type == "response.output_item.added"):
            item = Item(growing.raw)
            piece.tool = ToolFragment(self._items.index(growing), item.call_id or item.id, item.name, fresh)

    def _tell(self, piece: ResponseEvent, told: dict[str, Any]) -> None:
        """What the service says of the whole response. The last word counts, but silence takes nothing back."""
        self._wire.update((name, value) for name, value in told.items() if value not in (None, "", []))
        self.usage = protocol.usage(told.get("usage")) or self.usage
        if piece.type not in ENDS:
            return
        self.done = piece.type != "response.failed"
        self._wire["status"] = told.get("status") or piece.type.removeprefix("response.")
        untold = list(self._items)
        for index, raw in enumerate(dicts(told.get("output"))):
            growing = self._place(piece, raw, index, True, untold)
            untold = [each for each in untold if each is not growing]

    def _place(
        self,
        piece: ResponseEvent,
        raw: dict[str, Any],
        index: int | None,
        finished: bool,
        untold: list[_Growing] | None = None,
    ) -> _Growing:
        """An item the service tells about: a known one with more to it, or a new one."""
        growing = self._find(Item(raw).type, raw.get("id"), index, untold) or self._begin(raw, index)
        self._add(piece, growing, growing.tell(raw, finished))
        return growing

    def _find(self, kind: str, name: Any, index: int | None, untold: list[_Growing] | None = None) -> _Growing | None:
        """By id, else by place, else the latest of its kind that is still open.

        The last event lists all items once more, with other ids and places perhaps: `untold` are those not named yet.
        """
        alike = [each for each in self._items if each.kind == kind]
        for each in alike:
            if name and each.raw.get("id") == name:
                return each
        if untold is not None:
            return next((each for each in alike if each in untold), None)
        still = [each for each in alike if not each.finished]
        here = [each for each in still if each.index == index]
        return next(iter(here or (still[-1:] if index is None or not name else [])), None)

    def _begin(self, raw: dict[str, Any], index: int | None) -> _Growing:
        growing = _Growing(raw, len(self._items) if index is None else index)
        self._items.append(growing)
        return growing

    def broken(self, why: str) -> StreamBroken:
        error = super().broken(why)
        error.hint = "what had arrived is in error.reply; ask again: there is no stored response to go on from"
        return error

    def reply(self) -> Response:
        items = [growing.item() for growing in sorted(self._items, key=lambda each: each.index)]
        return protocol.response(self._wire, output=items, events=list(self._events))

    def words(self) -> str:
        return "".join(_words(growing.item()) for growing in self._items)


def _words(item: Item) -> str:
    """The words an item is made of, whichever kind it is."""
    return item.text or item.thinking or item.arguments or item.code


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None
