"""How an answer is written natively: as text, as a message, or as a message of content items; whole or in frames.

A frame is complete: its id, its event, the status it would have had in a comment, and one JSON object in which `usage`
counts everything so far. Cumulative frames repeat all that was said; incremental ones bring what is new. While the
answer grows its finish_reason is the text "null". No I/O here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from qwenkit.catalogue import tokens
from qwenkit.sandbox.answers import weighed
from qwenkit.sandbox.identity import tool_call_id

if TYPE_CHECKING:
    from qwenkit.sandbox.mind import Answer, Token
    from qwenkit.sandbox.native_orders import NativeOrder

Json = dict[str, Any]
_MODALITIES = ("text_tokens", "image_tokens", "video_tokens", "audio_tokens")  # in the details of a prompt


def frame(number: int, event: str, status: int, data: Json, extra: str = "") -> bytes:
    """One frame, byte for byte: no blanks after colons."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id:{number}\nevent:{event}\n:HTTP_STATUS/{status}\n{extra}data:{text}\n\n".encode("utf-8", "replace")


class Bit(NamedTuple):
    """The least that is said at once: a token of a thought or of the text, or a part of a tool call."""

    thought: str = ""
    token: Token | None = None
    call: int = -1
    name: str = ""  # of the tool, in the first part of its call
    arguments: str = ""


@dataclass
class Spent:
    """The tokens of an answer so far."""

    reasoning: int = 0
    written: int = 0

    def add(self, bits: list[Bit]) -> None:
        for bit in bits:
            self.reasoning += bool(bit.thought)
            self.written += bool(bit.token) + tokens.count(bit.name) + tokens.count(bit.arguments)


@dataclass(frozen=True)
class NativeLetterhead:
    """What all frames of one answer share: their order, what its prompt cost, and what else the output shows."""

    request_id: str
    native: NativeOrder
    prompt: int
    details: Json
    plugins: Json
    extras: Json  # search_info and tool_info
    spent: Spent = field(default_factory=Spent)

    def whole(self, answers: list[Answer]) -> Json:
        """The whole answer as one object."""
        choices = []
        for index, answer in enumerate(answers):
            bits = self._bits(answer)
            self.spent.add(bits)
            choices.append(self._choice(bits, answer.finish_reason, index, len(answers)))
        return self._answer(choices)

    def frames(self, answers: list[Answer]) -> Iterator[bytes]:
        """The stream, frame by frame; several choices take turns, one in each frame."""
        said = [self._bits(answer) for answer in answers]
        turns = range(max(map(len, said)) + 1)
        due = [(at, index) for at in turns for index, bits in enumerate(said) if at <= len(bits)]
        for number, (at, index) in enumerate(due, 1):
            bits, news = said[index], said[index][at : at + 1]
            self.spent.add(news)
            shown = news if self.native.incremental else bits[: at + 1]
            reason = answers[index].finish_reason if at == len(bits) else "null"
            choice = self._choice(shown, reason, index, len(answers))
            yield frame(number, "result", 200, self._answer([choice]))

    def _bits(self, answer: Answer) -> list[Bit]:
        bits = [Bit(thought=thought) for thought in answer.thinking] + [Bit(token=token) for token in answer.tokens]
        for at, call in enumerate(answer.calls):
            first, *rest = self._pieces(call.arguments)
            bits += [Bit(call=at, name=call.name, arguments=first), *(Bit(call=at, arguments=piece) for piece in rest)]
        return bits

    def _pieces(self, arguments: str) -> list[str]:
        """In bits, unless a value is a list or an object: those come in one piece if `tool_stream` is off."""
        try:
            nested = any(isinstance(value, list | dict) for value in json.loads(arguments).values())
        except (ValueError, AttributeError):
            nested = False
        whole = nested and not self.native.order.body.get("tool_stream")
        return [arguments] if whole else tokens.split(arguments) or [""]

    def _answer(self, choices: list[Json]) -> Json:
        output: Json = {"choices": choices}
        if not self.native.message:
            output = {"finish_reason": choices[0]["finish_reason"], "text": choices[0]["message"]["content"]}
        return {"output": {**output, **self.extras}, "usage": self._usage(), "request_id": self.request_id}

    def _usage(self) -> Json:
        said = self.spent.reasoning + self.spent.written
        bill: Json = {"total_tokens": self.prompt + said, "input_tokens": self.prompt, "output_tokens": said}
        if self.native.multimodal:
            parts = {name: count for name, count in self.details.items() if name.endswith(_MODALITIES)}
            bill["input_tokens_details"] = parts or {"text_tokens": self.prompt}
            bill |= {name: count for name, count in parts.items() if name != "text_tokens"}
            bill["output_tokens_details"] = {"text_tokens": self.spent.written}
        if self.native.order.thinking:
            bill.setdefault("output_tokens_details", {})["reasoning_tokens"] = self.spent.reasoning
        if self.native.multimodal or any(self.details.values()):
            bill["prompt_tokens_details"] = {
                name: count for name, count in self.details.items() if not name.endswith(_MODALITIES)
            }
        return {**bill, "plugins": self.plugins} if self.plugins else bill

    def _choice(self, bits: list[Bit], finish_reason: str, index: int, of: int) -> Json:
        said = [bit.token for bit in bits if bit.token]
        text = "".join(token.text for token in said)
        message: Json = {"content": ([{"text": text}] if text else []) if self.native.multimodal else text}
        if self.native.order.thinking:
            message["reasoning_content"] = "".join(bit.thought for bit in bits)
        message["role"] = "assistant"
        if any(bit.call >= 0 for bit in bits):
            message["tool_calls"] = self._calls(bits, index)
        choice: Json = {"message": message, "finish_reason": finish_reason}
        if of > 1:
            choice["index"] = index
        if self.native.order.logprobs is not None:
            choice["logprobs"] = {"content": [weighed(token, self.native.order.logprobs) for token in said]}
        return choice

    def _calls(self, bits: list[Bit], choice: int) -> list[Json]:
        """Tool calls or parts of them; what goes on with a call has neither its name nor its id."""
        calls: dict[int, Json] = {}
        for bit in (bit for bit in bits if bit.call >= 0):
            name = {"name": bit.name} if bit.name else {}
            id = tool_call_id(self.request_id, choice, bit.call) if bit.name else ""
            started = {"index": bit.call, "id": id, "type": "function", "function": {**name, "arguments": ""}}
            calls.setdefault(bit.call, started)["function"]["arguments"] += bit.arguments
        return list(calls.values())
