"""Batches without I/O: prompts in, the lines of an input file out; the lines of the result files in, outcomes out.

A line is joined to its prompt by `custom_id` alone: the service promises no order. A line that comes twice counts once,
an answer before an error. Every line is a chat body as `qwen.chat` would send it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError, QwenError, TaskFailed
from qwenkit.protocol import chat, embeddings, failures, media, structured
from qwenkit.protocol import options as checked
from qwenkit.protocol.lenient import Lenient
from qwenkit.protocol.parts import inlined
from qwenkit.types.batch import Batch
from qwenkit.types.embeddings import Embeddings
from qwenkit.types.reply import Receipt, Reply
from qwenkit.types.usage import Usage

CHAT, EMBEDDINGS, TEST = "/v1/chat/completions", "/v1/embeddings", "/v1/chat/ds-test"
MOST_LINES, LONGEST_LINE, LARGEST_FILE = 50_000, 6_000_000, 500_000_000
MOST_TEST_LINES = 100
_ENDPOINTS = {"embeddings": EMBEDDINGS, "batch": TEST}
_PREFIX = "row-"
MadeReceipt = Callable[[str, Usage | None, str], Receipt]


class _Response(msgspec.Struct):
    status_code: int = 200
    request_id: str = ""
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Line(msgspec.Struct):
    custom_id: str = ""
    response: _Response | None = None
    error: Any = None


_LINE = Lenient.of(_Line)


def endpoint_for(model: str) -> str:
    """Where a model's lines go."""
    facts = catalogue.model(checked.model(model))
    return _ENDPOINTS.get(facts.endpoint if facts else "", CHAT)


def seeing(prompts: Any, named: str, usual: str, options: Mapping[str, Any]) -> str:
    """The model of all lines: the one that is named, else the usual one, else one that can take what they show."""
    if named:
        return named
    turns = [turn for turn in prompts if not isinstance(turn, str | Iterator)] if isinstance(prompts, list) else []
    messages = [message for turn in turns for message in chat.messages(turn)]
    return media.fit("", usual, list(media.parts([{"content": media.asked(options)}, *messages])))


def lines(
    prompts: Iterable[Any], *, model: str, system: str = "", endpoint: str = CHAT, options: Mapping[str, Any]
) -> list[bytes]:
    """One line for each prompt, named `row-0`, `row-1`, …; what the service would refuse is refused here."""
    if isinstance(prompts, str | bytes | Mapping) or not isinstance(prompts, Iterable):
        hint = f'pass a list: qwen.batches(["…", "…"], model="{model}")'
        raise ConfigError("a batch is a list of prompts", hint=hint)
    if options.get("timeout") is not None:
        hint = "it limits a wait: qwen.batches.wait(job, timeout=…); the service's own limit is window="
        raise ConfigError("the lines of a batch take no timeout", hint=hint)
    idle = [name for name in options if name not in ("extra", "timeout")] if endpoint == EMBEDDINGS else []
    if idle:
        hint = 'what the API takes goes in extra={"dimensions": 256}'
        raise ConfigError(f"texts to embed take no {idle[0]}", hint=hint)
    made = []
    for place, prompt in enumerate(prompts):
        body = _body(prompt, model, system, endpoint, options)
        line = {"custom_id": f"{_PREFIX}{place}", "method": "POST", "url": endpoint, "body": body}
        made.append(msgspec.json.encode(line))
        if len(made[-1]) > LONGEST_LINE:
            hint = "a line may have 6 MB: shorten it, or give media as a URL"
            raise ConfigError(f"prompt {place} makes a line of {len(made[-1]) / 1e6:.1f} MB", hint=hint)
    _check(made, endpoint)
    return made


def _body(prompt: Any, model: str, system: str, endpoint: str, options: Mapping[str, Any]) -> dict[str, Any]:
    if endpoint == EMBEDDINGS:
        if not isinstance(prompt, str) or not prompt:
            raise ConfigError("only texts can be embedded", hint="pass a list of texts that are not empty")
        return {"model": model, "input": prompt, "encoding_format": "float", **(options.get("extra") or {})}
    body = chat.body(prompt, options, model=model, system=system, stream=True)  # a model that must stream may come too
    return {name: inlined(value) for name, value in body.items() if name not in ("stream", "stream_options")}


def _check(made: list[bytes], endpoint: str) -> None:
    most = MOST_TEST_LINES if endpoint == TEST else MOST_LINES
    if not made:
        raise ConfigError("there is nothing to send", hint='pass a list of prompts: qwen.batches(["…", "…"])')
    if len(made) > most:
        hint = "make several batches: qwen.batches.submit(prompts[:50_000]), then the rest"
        raise ConfigError(f"{len(made):,} prompts are more than the {most:,} of one batch", hint=hint)
    if sum(map(len, made)) > LARGEST_FILE:
        raise ConfigError("the input file would pass 500 MB", hint="make several batches of fewer prompts")


def refused(batch: Batch) -> TaskFailed:
    """Why a job that failed did not even begin."""
    told = [f"line {each.line}: {each.message}" if each.line else each.message for each in batch.problems]
    more = f" (and {len(told) - 1:,} more)" if len(told) > 1 else ""
    return TaskFailed(
        f"the input file was refused: {told[0] if told else 'no reason given'}{more}",
        hint="nothing was run or billed; correct the lines and submit them again (error.task.problems has them all)",
        task=batch,
    )


class Reader:
    """Reads result files into outcomes. `receipt` prices a usage at the batch price."""

    def __init__(self, endpoint: str, receipt: MadeReceipt, schema: Any = None, prefix: str = "") -> None:
        self._read = self._embedded if endpoint == EMBEDDINGS else self._reply
        self._receipt, self._schema, self._prefix = receipt, schema, prefix
        self.outcomes: dict[str, Any] = {}

    def feed(self, data: bytes) -> None:
        for row in filter(bytes.strip, data.splitlines()):
            try:
                line: _Line = _LINE.decode(row)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                continue  # what cannot be read is missed when the lines are counted
            if not isinstance(self.outcomes.get(line.custom_id), Reply | Embeddings):
                self.outcomes[line.custom_id] = self._outcome(line)

    def _outcome(self, line: _Line) -> Any:
        response = line.response or _Response(status_code=0)
        body = bytes(response.body)
        facts: dict[str, Any] = {"request": f"line {line.custom_id}", "request_id": response.request_id}
        if line.error or not 200 <= response.status_code < 300:
            told = body if body != b"null" else msgspec.json.encode({"error": line.error})
            return failures.build(response.status_code or None, {}, told, **facts)
        try:
            return self._read(body, facts)
        except QwenError as unfit:
            return unfit

    def _reply(self, body: bytes, facts: dict[str, Any]) -> Reply:
        reply = chat.read(body, **facts)
        reply.receipt = self._receipt(reply.model, reply.usage, facts["request_id"])
        reply.schema, reply.prefix = self._schema, self._prefix
        if self._schema is not None and not reply.tool_calls:
            structured.of(reply)
        return reply

    def _embedded(self, body: bytes, facts: dict[str, Any]) -> Embeddings:
        found = embeddings.read(body, texts=[""], request=facts["request"], request_id=facts["request_id"])
        found.receipt = self._receipt(found.model, found.usage, facts["request_id"])
        return found

    def ordered(self, total: int) -> dict[str, Any]:
        """The outcomes in the order of the prompts; a line that never came back is a failure like any other."""
        names = sorted(self.outcomes)  # somebody else's names
        if all(name.startswith(_PREFIX) and name[len(_PREFIX) :].isdecimal() for name in names):
            names = [f"{_PREFIX}{place}" for place in range(max(total, len(names)))]
        return {name: self.outcomes.get(name) or _missing(name) for name in names}


def _missing(name: str) -> TaskFailed:
    return TaskFailed(f"no result came back for {name}", hint="submit this prompt again")
