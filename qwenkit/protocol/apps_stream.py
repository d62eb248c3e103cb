"""An application's answer is a fold over frames; a plain answer is a stream of one.

Text comes whole or piece by piece, as it was asked for. Thoughts and references are repeated by every frame. The nodes
of a workflow send messages of their own: text to append, or JSON that replaces what the node said before. What is final
is the text of the last frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from qwenkit.protocol import billing
from qwenkit.protocol.failures import unreadable
from qwenkit.protocol.folding import Fold
from qwenkit.types.app import AppPiece, AppReply, Reference, Step, Thought
from qwenkit.types.usage import Usage

_ANSWERS = ("Output", "End")  # nodes whose text is what the user reads
_SURE = 24  # characters that no piece repeats by chance

Json = dict[str, Any]


class AppFold(Fold[AppPiece, AppReply]):
    """The fold of one answer. `clock` gives seconds, and only for how long each thought took."""

    def __init__(
        self, *, request: str = "", incremental: bool = True, clock: Callable[[], float] | None = None
    ) -> None:
        super().__init__(request=request)
        self._incremental, self._clock = incremental, clock
        self._last = clock() if clock else 0.0
        self._text = ""
        self._session = ""
        self._finish: str | None = None
        self._references: list[Reference] = []
        self._thoughts: list[Thought] = []
        self._steps: dict[tuple[str, str], Step] = {}
        self._models: dict[str, Usage] = {}
        self._begun = False

    @property
    def begun(self) -> bool:
        return self._begun

    @property
    def ended(self) -> bool:
        """A forced stop ends with no reason given, so a stream that was closed in order has ended, whatever it said."""
        return self._begun

    def words(self) -> str:
        return self._text + "".join(thought.text for thought in self._thoughts)

    def add(self, data: bytes) -> list[AppPiece]:
        if not data or data.startswith(b"[DONE]"):
            return []
        try:
            frame = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as broken:
            raise self.unreadable(data, broken) from broken
        output = frame.get("output") if isinstance(frame, dict) else None
        if not isinstance(output, dict):
            self.refuse(data)
            return []
        self._begun = True
        self.request_id = _text(frame, "request_id") or self.request_id
        self._session = _text(output, "session_id") or self._session
        self.keep(data)
        pieces = [*self._think(output), *self._walk(output), *self._say(output)]
        self._refer(output)
        self._bill(frame.get("usage"))
        if pieces and self.usage:
            pieces[-1].usage = self.usage
        return pieces

    def reply(self) -> AppReply:
        return AppReply(
            text=self._text,
            finish_reason=self._finish,
            session_id=self._session,
            thoughts=list(self._thoughts),
            references=self._scored(),
            steps=list(self._steps.values()),
            models=dict(self._models),
            events=list(self._events),
        )

    def _say(self, output: Json) -> list[AppPiece]:
        """The text that is new. A node's text was a piece already; the last frame's then only says what holds."""
        told, ending = _text(output, "text"), _text(output, "finish_reason")
        self._finish = ending if ending not in ("", "null") else self._finish
        shown = any(step.kind in _ANSWERS and step.text for step in self._steps.values())
        whole = not self._incremental or shown or (len(self._text) >= _SURE and told.startswith(self._text))
        new = "" if not told else told.removeprefix(self._text) if whole else told
        self._text = (told if whole else self._text + told) if told else self._text
        pieces = [AppPiece(text=new)] if new and not shown else []
        return [*pieces, AppPiece(finish_reason=self._finish)] if self._finish else pieces

    def _think(self, output: Json) -> list[AppPiece]:
        pieces = []
        for thought in map(_thought, _dicts(output.get("thoughts"))):
            known = next((each for each in self._thoughts if _same(each, thought)), None)
            if known is None:
                known = msgspec.structs.replace(thought, text="", seconds=0.0 if self._clock else None)
                self._thoughts.append(known)
            elif thought.action != "reasoning":
                known.observation = thought.observation or known.observation
                continue
            new = thought.text.removeprefix(known.text)
            known.text += new
            if known.seconds is not None:
                known.seconds += self._elapsed()
            reasons = thought.action == "reasoning"
            if new or not reasons:
                pieces.append(AppPiece(thinking=new if reasons else "", thought=known))
        return pieces

    def _walk(self, output: Json) -> list[AppPiece]:
        wire = output.get("workflow_message")
        if not isinstance(wire, dict):
            return []
        key = (_text(wire, "parent_node_id"), _text(wire, "node_id"))
        step = self._steps.setdefault(key, Step(id=key[1], parent=key[0]))
        step.name, step.kind = _text(wire, "node_name") or step.name, _text(wire, "node_type") or step.kind
        step.status = _text(wire, "node_status") or step.status
        message = wire.get("message")
        content = _text(message, "content") if isinstance(message, dict) else ""
        told = _object(content)
        if told is None:
            step.text += content
        else:
            step.value, step.text = told, _told(told)
            step.error = _text(told, "errorInfo") or step.error
            step.seconds = _milliseconds(told.get("nodeExecTime")) or step.seconds
        seen = content if told is None and step.kind in _ANSWERS else ""
        return [AppPiece(text=seen, step=step)]

    def _refer(self, output: Json) -> None:
        """Frames tell the references that matter now; none is forgotten."""
        known = {each.number: each for each in self._references}
        for place, wire in enumerate(_dicts(output.get("doc_references")), 1):
            found = _reference(wire, place)
            known[found.number] = found
        self._references = [known[number] for number in sorted(known)]

    def _scored(self) -> list[Reference]:
        """The references with the scores that the look into the documents gave them."""
        chunks = [chunk for thought in self._thoughts for chunk in thought.found]
        for reference in self._references:
            for chunk in chunks:
                same = chunk.get("referenceIndex") in (reference.number, str(reference.number))
                if (same or chunk.get("content") == reference.text) and isinstance(chunk.get("score"), int | float):
                    reference.score = float(chunk["score"])
                    break
        return list(self._references)

    def _bill(self, usage: Any) -> None:
        for wire in _dicts(usage.get("models")) if isinstance(usage, dict) else ():
            found = billing.usage(wire)
            if found is not None:
                self._models[_text(wire, "model_id")] = found
        self.usage = AppReply(models=self._models).usage

    def _elapsed(self) -> float:
        assert self._clock is not None
        before, self._last = self._last, self._clock()
        return self._last - before


def read(data: bytes, *, request: str, request_id: str) -> AppReply:
    """The reply in a 200 body; a body without an output is an error, and says which."""
    fold = AppFold(request=request)
    fold.request_id = request_id
    try:
        fold.add(data)
    except Exception as broken:
        raise unreadable("one of an application", data, request=request, request_id=request_id) from broken
    if not fold.begun:
        raise unreadable("one of an application", data, request=request, request_id=request_id)
    reply = fold.reply()
    reply.events, reply.body = [], data
    return reply


def _thought(wire: Json) -> Thought:
    given = next((wire[name] for name in ("action_input", "arguments", "action_input_stream") if wire.get(name)), None)
    read = _object(given) if isinstance(given, str) else given
    return Thought(
        action=_text(wire, "action"),
        name=_text(wire, "action_name"),
        kind=_text(wire, "action_type"),
        text=_text(wire, "thought") or _text(wire, "response") or _text(wire, "reasoningContent"),
        input=given if read is None else read,
        observation=_text(wire, "observation"),
    )


def _same(one: Thought, other: Thought) -> bool:
    """Whether two are one thought, told twice: reasoning goes on, a call is known by what it was given."""
    if one.action == other.action == "reasoning":
        return True
    return (one.action, one.name, one.kind, one.input) == (other.action, other.name, other.kind, other.input)


def _reference(wire: Json, place: int) -> Reference:
    index = _text(wire, "index_id")
    listed = {name: wire[name] if isinstance(wire.get(name), list) else [] for name in ("page_number", "images")}
    return Reference(
        number=int(index) if index.isdecimal() and len(index) < 10 else place,
        title=_text(wire, "title"),
        doc_id=_text(wire, "doc_id"),
        doc_name=_text(wire, "doc_name"),
        text=_text(wire, "text"),
        url=_text(wire, "doc_url"),
        pages=[each for each in listed["page_number"] if isinstance(each, int)],
        images=[each for each in listed["images"] if isinstance(each, str)],
    )


def _text(wire: Mapping[str, Any], name: str) -> str:
    value = wire.get(name)
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _dicts(value: Any) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _object(text: str) -> Json | None:
    """The JSON object that a text is, if it is one."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    return found if isinstance(found, dict) else None


def _told(value: Json) -> str:
    """What a node that answers in JSON has said."""
    return next((value[name] for name in ("result", "output", "text") if isinstance(value.get(name), str)), "")


def _milliseconds(value: Any) -> float | None:
    """`120ms` as seconds."""
    text = str(value or "").removesuffix("ms").strip()
    return float(text) / 1000 if text.isdecimal() else None
