"""How the answer of an application is written: as one object, or as frames of the native framing.

A frame repeats all that was said, or brings what is new when the call asks for increments. What is not there is left
out: no member is ever null. Until the end the finish_reason is the text "null".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from qwenkit.sandbox.apps.apps import told
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.native_answers import frame

Json = dict[str, Any]
MARK = "<ref>[{}]</ref>"  # how a text points to a reference
Bill = tuple[tuple[str, int, int], ...]  # models, and the tokens that each has read and written
Usage = dict[str, tuple[int, int]]


class Piece(NamedTuple):
    """What one frame adds: words of the answer or of a thought, a whole thought, or news of a node; and its cost."""

    text: str = ""
    reasoning: str = ""
    thought: Json | None = None
    node: Json | None = None
    bill: Bill = ()


class Outcome(NamedTuple):
    """What came of a call. A refusal ends it after its pieces."""

    text: str
    pieces: list[Piece]
    references: list[Json] = []
    message: Json | None = None  # of the final node, for those who do not stream
    refusal: Refusal | None = None
    bill: Bill = ()  # of what no piece has told


def thought(kind: str, name: str, label: str, arguments: Json, observation: str) -> Json:
    """A step on the way to the answer. `action_input` is an object, which every SDK reads."""
    step = {"thought": "", "action_type": kind, "action_name": label, "action": name, "action_input": arguments}
    return {**step, "action_input_stream": told(arguments), "arguments": told(arguments), "observation": observation}


def _reasoned(text: str) -> list[Json]:
    named = {"action_type": "reasoning", "action_name": "Thinking", "action": "reasoning"}
    return [{"thought": text, **named, "response": text}] if text else []


class Sheet(NamedTuple):
    """What all frames of one answer share."""

    request_id: str
    session: str
    incremental: bool = False

    def whole(self, outcome: Outcome) -> Json:
        (last,) = deque(self._replace(incremental=False)._bodies(outcome), maxlen=1)
        last["output"] |= {"workflow_message": outcome.message} if outcome.message else {}
        return last

    def frames(self, outcome: Outcome) -> Iterator[bytes]:
        number = 0
        for number, body in enumerate(self._bodies(outcome), 1):
            yield frame(number, "result", 200, body)
        if outcome.refusal:
            refusal = outcome.refusal
            yield frame(number + 1, "error", refusal.status, refusal.flat(self.request_id))

    def _bodies(self, outcome: Outcome) -> Iterator[Json]:
        """Body by body; a reference is there from the one on in which its mark is complete."""
        usage: Usage = {}
        said, reasoning, steps = "", "", list[Json]()
        for piece in outcome.pieces:
            _count(usage, piece.bill)
            said, reasoning = said + piece.text, reasoning + piece.reasoning
            new = [piece.thought] if piece.thought else []
            steps += new
            shown = [*new, *_reasoned(piece.reasoning)] if self.incremental else [*steps, *_reasoned(reasoning)]
            text = {"text": piece.text if self.incremental else said}
            cited = [each for each in outcome.references if MARK.format(each["index_id"]) in said]
            yield self._body("null", {"workflow_message": piece.node} if piece.node else text, shown, cited, usage)
        if not outcome.refusal:
            _count(usage, outcome.bill)
            news = self.incremental and not any(piece.node for piece in outcome.pieces)
            shown = [] if self.incremental else [*steps, *_reasoned(reasoning)]
            text = {"text": outcome.text[len(said) :] if news else outcome.text}
            yield self._body("stop", text, shown, outcome.references, usage)

    def _body(self, reason: str, added: Json, steps: list[Json], cited: list[Json], usage: Usage) -> Json:
        output = {"session_id": self.session, "finish_reason": reason, **added}
        output |= {"thoughts": steps} if steps else {}
        output |= {"doc_references": cited} if cited else {}
        rows = [{"model_id": name, "input_tokens": given, "output_tokens": out} for name, (given, out) in usage.items()]
        return {"output": output, "usage": {"models": rows} if rows else {}, "request_id": self.request_id}


def _count(usage: Usage, bill: Bill) -> None:
    for model, given, written in bill:
        spent = usage.get(model, (0, 0))
        usage[model] = spent[0] + given, spent[1] + written
