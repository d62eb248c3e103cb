"""How an answer of the mind is written on the wire: as one JSON object, or as a stream of chunks.

Field by field as recorded from the service: the role only in the first chunk, `usage` null in every chunk but the
last, a last delta of "" that carries the finish reason, tool calls whose later fragments have the id "". No I/O here.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwenkit.catalogue import tokens
from qwenkit.sandbox.identity import tool_call_id

if TYPE_CHECKING:
    from qwenkit.sandbox.mind import Answer, Token

Json = dict[str, Any]
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Letterhead:
    """What every chunk of one answer repeats, and which fields it is to have."""

    request_id: str
    model: str
    created: int
    thinking: bool = False
    logprobs: int | None = None  # how many alternatives to show; None: no log-probabilities at all
    cumulative: bool = False  # each chunk of a stream repeats the text so far

    def completion(self, answers: list[Answer], usage: Json) -> Json:
        """The whole answer as one object."""
        return {
            "choices": [self._choice(answer, index) for index, answer in enumerate(answers)],
            "object": "chat.completion",
            "usage": usage,
            "created": self.created,
            "system_fingerprint": None,
            "model": self.model,
            "id": f"chatcmpl-{self.request_id}",
        }

    def _choice(self, answer: Answer, index: int) -> Json:
        message: Json = {"role": "assistant", "content": answer.text}
        if self.thinking:
            message["reasoning_content"] = "".join(answer.thinking)
        if answer.calls:
            message["tool_calls"] = [
                self._call(index, position, call.name, call.arguments) for position, call in enumerate(answer.calls)
            ]
        return {
            "message": message,
            "finish_reason": answer.finish_reason,
            "index": index,
            "logprobs": self._logprobs(answer.tokens),
        }

    def _call(self, choice: int, position: int, name: str, arguments: str) -> Json:
        return {
            "index": position,
            "id": tool_call_id(self.request_id, choice, position),
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }

    def _logprobs(self, written: list[Token]) -> Json | None:
        if self.logprobs is None:
            return None
        return {"content": [weighed(token, self.logprobs) for token in written]}

    def events(self, answers: list[Answer], usage: Json | None) -> Iterator[bytes]:
        """The stream, event by event; several choices take turns. `usage` None leaves the usage chunk out."""
        turns = itertools.zip_longest(*(self.steps(answer, index) for index, answer in enumerate(answers)))
        for step in itertools.chain.from_iterable(turns):
            if step is not None:
                yield self.event([step], None)
        if usage is not None:
            yield self.event([], usage)
        yield DONE

    def event(self, choices: list[Json], usage: Json | None) -> bytes:
        chunk = {
            "choices": choices,
            "object": "chat.completion.chunk",
            "usage": usage,
            "created": self.created,
            "system_fingerprint": None,
            "model": self.model,
            "id": f"chatcmpl-{self.request_id}",
        }
        return f"data: {json.dumps(chunk, ensure_ascii=False, separators=(',', ':'))}\n\n".encode("utf-8", "replace")

    def steps(self, answer: Answer, index: int) -> Iterator[Json]:
        """One choice, delta by delta."""
        opening: Json = {"role": "assistant"}
        if not answer.calls or answer.tokens or self.thinking:
            yield _step(index, self._opening())
            opening = {}
        for thought in answer.thinking:
            yield _step(index, {"content": None, "reasoning_content": thought})
        before = ""
        for token in answer.tokens:
            yield _step(index, self._said(before + token.text), self._logprobs([token]))
            before += token.text if self.cumulative else ""
        for fragment in self._fragments(answer, index):
            yield _step(index, {"content": None, **opening, "tool_calls": [fragment]})
            opening = {}
        yield _step(index, self._said(before), finish_reason=answer.finish_reason)

    def _opening(self) -> Json:
        if self.thinking:
            return {"content": None, "role": "assistant", "reasoning_content": ""}
        return {"content": "", "role": "assistant"}

    def _said(self, text: str) -> Json:
        return {"content": text, "reasoning_content": None} if self.thinking else {"content": text}

    def _fragments(self, answer: Answer, index: int) -> Iterator[Json]:
        """Each tool call: its id and name first, then its arguments bit by bit."""
        for position, call in enumerate(answer.calls):
            yield self._call(index, position, call.name, "")
            for piece in tokens.split(call.arguments):
                yield {"index": position, "id": "", "type": "function", "function": {"arguments": piece}}


def _step(index: int, delta: Json, logprobs: Json | None = None, finish_reason: str | None = None) -> Json:
    return {"delta": delta, "finish_reason": finish_reason, "index": index, "logprobs": logprobs}


def weighed(token: Token, alternatives: int) -> Json:
    """A token with its log-probability, and the best alternatives."""
    best = [_with_bytes(text, logprob) for text, logprob in token.top[:alternatives]]
    return {**_with_bytes(token.text, token.logprob), "top_logprobs": best}


def _with_bytes(text: str, logprob: float) -> Json:
    return {"token": text, "bytes": list(text.encode("utf-8", "replace")), "logprob": logprob}


def usage(answers: Iterable[Answer], prompt_tokens: int, details: Json | None, thinking: bool) -> Json:
    """The bill: reasoning and tool calls count as output."""
    answers = list(answers)
    reasoning = sum(len(answer.thinking) for answer in answers)
    written = sum(
        len(answer.tokens) + sum(_length(call.name, call.arguments) for call in answer.calls) for answer in answers
    )
    completion = reasoning + written
    bill: Json = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": prompt_tokens + completion,
        "prompt_tokens_details": details,
    }
    if thinking:
        bill["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return bill


def _length(*texts: str) -> int:
    return sum(tokens.count(text) for text in texts)
