"""How an answer is written natively: as text, as a message, or as a message of content items; whole or in frames.

A frame is complete: its id, its event, the status it would have had in a comment, and one JSON object in which `usage`
counts everything so far. Cumulative frames repeat all that was said; incremental ones bring what is new. While the
answer grows its finish_reason is the text "null". No I/O here.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from qwenkit.catalogue import tokens
from qwenkit.sandbox.answers import _weighed as weighed
from qwenkit.sandbox.identity import tool_call_id

if TYPE_CHECKING:
    from qwenkit.sandbox.mind import Answer, Call, Token

Json = dict[str, Any]


def frame(number: int, event: str, status: int, data: Json, extra: str = "") -> bytes:
    """One frame, byte for byte: no blanks after colons."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id:{number}\nevent:{event}\n:HTTP_STATUS/{status}\n{extra}data:{text}\n\n".encode("utf-8", "replace")


@dataclass(frozen=True)
class Bill:
    """What a call costs: the prompt is known from the start, the rest is counted as it is written."""

    prompt: int
    details: Json
    thinking: bool
    multimodal: bool
    plugins: Json

    def at(self, reasoning: int, written: int) -> Json:
        total = self.prompt + reasoning + written
        bill: Json = {"total_tokens": total, "input_tokens": self.prompt, "output_tokens": reasoning + written}
        if self.multimodal:
            bill["input_tokens_details"] = {"text_tokens": self.prompt}
            bill["output_tokens_details"] = {"text_tokens": written}
        if self.thinking:
            bill.setdefault("output_tokens_details", {})["reasoning_tokens"] = reasoning
        if self.multimodal or any(self.details.values()):
            bill["prompt_tokens_details"] = self.details
        return {**bill, "plugins": self.plugins} if self.plugins else bill


@dataclass(frozen=True)
class Step:
    """What one frame adds to one choice, and how many tokens that is."""

    text: str = ""
    thought: str = ""
    calls: list[Json] = field(default_factory=list)
    said: list[Token] = field(default_factory=list)
    reasoning: int = 0
    written: int = 0
    finish_reason: str = "null"

    def after(self, before: Step) -> Step:
        """The same step with all that came before it: what a cumulative frame shows."""
        calls = {call["index"]: call for call in before.calls}
        for fragment in self.calls:
            calls[fragment["index"]] = _joined(calls.get(fragment["index"]), fragment)
        return replace(
            self,
            text=before.text + self.text,
            thought=before.thought + self.thought,
            calls=list(calls.values()),
            said=before.said + self.said,
        )


@dataclass(frozen=True)
class NativeLetterhead:
    """What all frames of one answer share, and the shape they have."""

    request_id: str
    message: bool
    incremental: bool
    multimodal: bool
    thinking: bool
    logprobs: int | None  # how many alternatives to show; None: no log-probabilities at all
    tool_stream: bool
    extras: Json  # search_info and tool_info

    def whole(self, answers: list[Answer], bill: Bill) -> Json:
        """The whole answer as one object."""
        ends = [self._all(answer, index) for index, answer in enumerate(answers)]
        usage = bill.at(sum(end.reasoning for end in ends), sum(end.written for end in ends))
        return {"output": self._output(ends), "usage": usage, "request_id": self.request_id}

    def frames(self, answers: list[Answer], bill: Bill) -> Iterator[bytes]:
        """The stream, frame by frame; several choices take turns, one in each frame."""
        so_far = [Step() for _ in answers]
        number = reasoning = written = 0
        turns = itertools.zip_longest(*(self._steps(answer, index) for index, answer in enumerate(answers)))
        for index, step in (each for turn in turns for each in enumerate(turn) if each[1] is not None):
            number, reasoning, written = number + 1, reasoning + step.reasoning, written + step.written
            shown = step if self.incremental else step.after(so_far[index])
            so_far[index] = shown
            output = self._output([shown], index if len(answers) > 1 else None)
            usage = bill.at(reasoning, written)
            yield frame(number, "result", 200, {"output": output, "usage": usage, "request_id": self.request_id})

    def _all(self, answer: Answer, index: int) -> Step:
        """Every step of an answer in one."""
        ids = [tool_call_id(self.request_id, index, position) for position in range(len(answer.calls))]
        return Step(
            text=answer.text,
            thought="".join(answer.thinking),
            calls=[_fragment(at, call.arguments, ids[at], call.name) for at, call in enumerate(answer.calls)],
            said=answer.tokens,
            reasoning=len(answer.thinking),
            written=len(answer.tokens) + sum(map(tokens.count, itertools.chain(*map(_words, answer.calls)))),
            finish_reason=answer.finish_reason,
        )

    def _steps(self, answer: Answer, index: int) -> Iterator[Step]:
        for thought in answer.thinking:
            yield Step(thought=thought, reasoning=1)
        for token in answer.tokens:
            yield Step(token.text, said=[token], written=1)
        for position, call in enumerate(answer.calls):
            head: Json = {"id": tool_call_id(self.request_id, index, position), "name": call.name}
            for piece in self._arguments(call.arguments):
                written = tokens.count(piece) + tokens.count(head.get("name", ""))
                yield Step(calls=[_fragment(position, piece, **head)], written=written)
                head = {}
        yield Step(finish_reason=answer.finish_reason)

    def _arguments(self, text: str) -> list[str]:
        """In bits, unless a value is a list or an object: those come in one piece if `tool_stream` is off."""
        try:
            nested = any(isinstance(value, list | dict) for value in json.loads(text).values())
        except (ValueError, AttributeError):
            nested = False
        return [text] if nested and not self.tool_stream else tokens.split(text) or [""]

    def _output(self, steps: list[Step], index: int | None = None) -> Json:
        if not self.message:
            return {"finish_reason": steps[0].finish_reason, "text": steps[0].text, **self.extras}
        many = index is not None or len(steps) > 1
        choices = [self._choice(step, (index or place) if many else None) for place, step in enumerate(steps)]
        return {"choices": choices, **self.extras}

    def _choice(self, step: Step, index: int | None) -> Json:
        choice: Json = {"message": self._message(step), "finish_reason": step.finish_reason}
        if index is not None:
            choice["index"] = index
        if self.logprobs is not None:
            choice["logprobs"] = {"content": [weighed(token, self.logprobs) for token in step.said]}
        return choice

    def _message(self, step: Step) -> Json:
        content: Any = step.text
        if self.multimodal:
            content = [{"text": step.text}] if step.text else []
        message: Json = {"content": content}
        if self.thinking:
            message["reasoning_content"] = step.thought
        message["role"] = "assistant"
        return {**message, "tool_calls": step.calls} if step.calls else message


def _words(call: Call) -> tuple[str, str]:
    return call.name, call.arguments


def _fragment(index: int, arguments: str, id: str = "", name: str = "") -> Json:
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    return {"index": index, "id": id, "type": "function", "function": function}


def _joined(known: Json | None, fragment: Json) -> Json:
    if known is None:
        return fragment
    function = {**known["function"], "arguments": known["function"]["arguments"] + fragment["function"]["arguments"]}
    return {**known, "function": function}
