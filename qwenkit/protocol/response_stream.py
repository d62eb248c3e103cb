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
from qwenkit.types.response import Item, Response, ResponseEvent


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


class _Growing:
    """One item as it grows: what the service said of it, and the texts written since, one for each of its parts."""

    __slots__ = ("field", "finished", "index", "parts", "raw")

    def __init__(self, raw: dict[str, Any], index: int) -> None:
        self.raw = raw
        self.index = index
        self.finished = False
        self.field = "text"
        self.parts: dict[int, Text] = {}

    @property
    def kind(self) -> str:
        return Item(self.raw).type

    def write(self, part: int, piece: str) -> None:
        self.parts.setdefault(part, Text()).write(piece)

    def settle(self, part: int, whole: str) -> str:
        """The part is `whole`; returns what of it had not come yet."""
        written = self.parts[part].getvalue() if part in self.parts else ""
        if not whole or whole == written:
            return ""
        rest = whole.removeprefix(written) if whole.startswith(written) else ""
        self.parts[part] = Text()
        self.parts[part].write(whole)
        return rest

    def item(self) -> Item:
        """The item so far: the service's own account once it ended, unless that leaves out the words."""
        told = Item(self.raw)
        written = [text.getvalue() for _, text in sorted(self.parts.items())]
        if not any(written) or (self.finished and _words(told)):
            return told
        if self.kind == "reasoning":
            return Item({**self.raw, "summary": [{"type": "summary_text", "text": text} for text in written]})
        if self.kind == "message":
            said = [{"type": "output_text", "text": text, "annotations": []} for text in written]
            return Item({**self.raw, "content": said})
        return Item({**self.raw, self.field: "".join(written)})


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
        kind = event.get("type") if isinstance(event.get("type"), str) else ""
        if kind == "error" or (not kind and (event.get("error") or event.get("code"))):
            self.refuse(data)
        self.keep(data)
        piece = ResponseEvent(type=kind or "", raw=event)
        self._fold(piece, event)
        if kind == "response.failed":
            raise self.carry(protocol.failure(self._wire, data, request=self.request, request_id=self.request_id))
        return [piece]

    def _fold(self, piece: ResponseEvent, event: dict[str, Any]) -> None:
        name, _, step = piece.type.rpartition(".")
        if name in CARRIERS and step in ("delta", "done"):
            self._write(piece, event, CARRIERS[name], step)
        elif isinstance(event.get("response"), dict):
            self._tell(piece, event["response"])
        elif piece.type in ENDS:
            self._tell(piece, {})
        elif isinstance(event.get("item"), dict):
            growing = self._place(event["item"], _whole(event.get("output_index")), step == "done")
            piece.item = growing.item()
            self._call(piece, growing)

    def _write(self, piece: ResponseEvent, event: dict[str, Any], carrier: Carrier, step: str) -> None:
        """A bit of text, or all of it."""
        told = event.get("delta" if step == "delta" else carrier.field)
        growing = self._find(carrier.item, event.get("item_id"), _whole(event.get("output_index")))
        if growing is None:
            raw = {"type": carrier.item, "id": event.get("item_id")}
            growing = self._begin(raw, _whole(event.get("output_index")))
        part = _whole(event.get("content_index")) or _whole(event.get("summary_index")) or 0
        growing.field = carrier.field
        fresh = told if isinstance(told, str) else ""
        if step == "delta":
            growing.write(part, fresh)
        else:
            fresh = growing.settle(part, fresh)
        if carrier.item == "message":
            piece.text = fresh
        elif carrier.item == "reasoning":
            piece.thinking = fresh
        elif fresh:
            piece.tool = self._fragment(growing, fresh)

    def _call(self, piece: ResponseEvent, growing: _Growing) -> None:
        """What an item's event says that no delta has said: the name of a function, or words that came all at once."""
        item = growing.item()
        if piece.type == "response.output_item.added" and item.type == "function_call":
            piece.tool = self._fragment(growing, item.arguments)
            growing.field = "arguments"
            growing.write(0, item.arguments)
        elif growing.finished and not growing.parts and _words(item):
            growing.write(0, _words(item))
            piece.text, piece.thinking = item.text, item.thinking
            piece.tool = self._fragment(growing, item.arguments) if item.type == "function_call" else None

    def _fragment(self, growing: _Growing, arguments: str) -> ToolFragment:
        item = Item(growing.raw)
        return ToolFragment(self._items.index(growing), item.call_id or item.id, item.name, arguments)

    def _tell(self, piece: ResponseEvent, told: dict[str, Any]) -> None:
        """What the service says of the whole response. The last word counts, but silence takes nothing back."""
        self._wire.update((name, value) for name, value in told.items() if value not in (None, "", []))
        self.usage = protocol.usage(told.get("usage")) or self.usage
        if piece.type not in ENDS:
            return
        self.done = piece.type != "response.failed"
        self._wire["status"] = told.get("status") or piece.type.removeprefix("response.")
        before, untold = self.reply().text, list(self._items)
        output = told.get("output")
        for index, raw in enumerate(output if isinstance(output, list) else []):
            if isinstance(raw, dict):
                growing = self._place(raw, index, True, untold)
                untold = [each for each in untold if each is not growing]
        whole = self.reply().text
        piece.text = whole.removeprefix(before) if whole.startswith(before) else ""

    def _place(
        self, raw: dict[str, Any], index: int | None, finished: bool, untold: list[_Growing] | None = None
    ) -> _Growing:
        """An item the service tells about: a known one with more to it, or a new one."""
        growing = self._find(Item(raw).type, raw.get("id"), index, untold) or self._begin(raw, index)
        growing.raw = {**growing.raw, **raw}
        growing.finished = growing.finished or finished
        return growing

    def _find(self, kind: str, name: Any, index: int | None, untold: list[_Growing] | None = None) -> _Growing | None:
        """By id, else by place, else the latest of its kind that is still open.

        The last event lists all items once more, with other ids and places perhaps: `untold` are those not named yet.
        """
        for each in self._items:
            if name and each.kind == kind and each.raw.get("id") == name:
                return each
        still = [each for each in self._items if not each.finished] if untold is None else untold
        alike = [each for each in still if each.kind == kind]
        here = [each for each in alike if index is not None and each.index == index]
        if not here and untold is None and index is not None and name:
            return None
        return next(iter(here or (alike[-1:] if untold is None else alike)), None)

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
