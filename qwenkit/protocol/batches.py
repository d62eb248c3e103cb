"""Batches without I/O: prompts in, the lines of an input file out; the lines of the result files in, outcomes out.

A line is joined to its prompt by `custom_id` alone: the service promises no order. A line that comes twice counts once,
an answer before an error. Every line is a chat body as `qwen.chat` would send it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError, QwenError, ServerError, TaskFailed
from qwenkit.protocol import chat, embeddings, failures, structured
from qwenkit.protocol.lenient import Lenient
from qwenkit.types.batch import Batch
from qwenkit.types.embeddings import Embeddings
from qwenkit.types.reply import Receipt, Reply
from qwenkit.types.usage import Cost, Usage

CHAT, EMBEDDINGS, TEST = "/v1/chat/completions", "/v1/embeddings", "/v1/chat/ds-test"
MOST_LINES, LONGEST_LINE, LARGEST_FILE = 50_000, 6_000_000, 500_000_000
MOST_TEST_LINES = 100
_ENDPOINTS = {"embeddings": EMBEDDINGS, "batch": TEST}
_PREFIX = "row-"


class _Response(msgspec.Struct):
    status_code: int = 200
    request_id: str = ""
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Line(msgspec.Struct):
    custom_id: str = ""
    response: _Response | None = None
    error: Any = None


_LINE = Lenient.of(_Line)
_BATCH = Lenient.of(Batch)


def endpoint_for(model: str) -> str:
    """Where a model's lines go."""
    facts = catalogue.model(model)
    return _ENDPOINTS.get(facts.endpoint if facts else "", CHAT)


def lines(
    prompts: Iterable[Any], *, model: str, system: str = "", endpoint: str = CHAT, options: Mapping[str, Any]
) -> list[bytes]:
    """One line for each prompt, named `row-0`, `row-1`, …; what the service would refuse is refused here."""
    if isinstance(prompts, str | bytes | Mapping):
        raise ConfigError(
            "a batch is a list of prompts", hint=f'pass a list: qwen.batches(["…", "…"], model="{model}")'
        )
    idle = [name for name in options if name not in ("extra", "timeout")] if endpoint == EMBEDDINGS else []
    if idle:
        raise ConfigError(
            f"texts to embed take no {idle[0]}", hint='what the API takes goes in extra={"dimensions": 256}'
        )
    made = []
    for place, prompt in enumerate(prompts):
        body = _body(prompt, model, system, endpoint, options)
        made.append(
            msgspec.json.encode({"custom_id": f"{_PREFIX}{place}", "method": "POST", "url": endpoint, "body": body})
        )
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
    return {name: value for name, value in body.items() if name not in ("stream", "stream_options")}


def _check(made: list[bytes], endpoint: str) -> None:
    most = MOST_TEST_LINES if endpoint == TEST else MOST_LINES
    if not made:
        raise ConfigError("there is nothing to send", hint='pass a list of prompts: qwen.batches(["…", "…"])')
    if len(made) > most:
        hint = "make several batches: qwen.batches.submit(prompts[:50_000]), then the rest"
        raise ConfigError(f"{len(made):,} prompts are more than the {most:,} of one batch", hint=hint)
    if sum(map(len, made)) > LARGEST_FILE:
        raise ConfigError("the input file would pass 500 MB", hint="make several batches of fewer prompts")


def read(data: bytes, request: str = "") -> Batch:
    """The job in an answer."""
    try:
        batch: Batch = _BATCH.decode(data)
    except msgspec.DecodeError as broken:
        raise ServerError("the answer tells of no batch", status=200, request=request) from broken
    return batch


def refused(batch: Batch) -> TaskFailed:
    """Why a job that failed did not even begin."""
    told = [f"line {each.line}: {each.message}" if each.line else each.message for each in batch.problems]
    more = f" (and {len(told) - 1:,} more)" if len(told) > 1 else ""
    return TaskFailed(
        f"the input file was refused: {told[0] if told else 'no reason given'}{more}",
        hint="nothing was run or billed; correct the lines and submit them again (batch.problems has them all)",
    )


class Reader:
    """Reads result files into outcomes. `cost` prices a usage at the batch price."""

    def __init__(self, endpoint: str, cost: Any, *, sandbox: bool, schema: Any = None, prefix: str = "") -> None:
        self._embeds = endpoint == EMBEDDINGS
        self._cost = cost
        self._sandbox = sandbox
        self._schema, self._prefix = schema, prefix
        self.outcomes: dict[str, Any] = {}

    def feed(self, data: bytes) -> None:
        for row in data.splitlines():
            if row.strip():
                self._note(row)

    def _note(self, row: bytes) -> None:
        try:
            line: _Line = _LINE.decode(row)
        except msgspec.DecodeError:
            return  # what cannot be read is missed when the lines are counted
        known = self.outcomes.get(line.custom_id)
        if known is None or isinstance(known, Exception):
            self.outcomes[line.custom_id] = self._outcome(line)

    def _outcome(self, line: _Line) -> Any:
        response = line.response or _Response(status_code=0)
        name, request_id = f"line {line.custom_id}", response.request_id
        body = bytes(response.body)
        if line.error or not 200 <= response.status_code < 300:
            told = body if body != b"null" else msgspec.json.encode({"error": line.error})
            return failures.build(response.status_code or None, {}, told, request=name, request_id=request_id)
        try:
            return self._embedded(body, name, request_id) if self._embeds else self._reply(body, name, request_id)
        except QwenError as unfit:
            return unfit

    def _reply(self, body: bytes, name: str, request_id: str) -> Reply:
        reply = chat.read(body, request=name, request_id=request_id)
        reply.receipt = self._receipt(reply.model, reply.usage, request_id)
        reply.schema, reply.prefix = self._schema, self._prefix
        if self._schema is not None and not reply.tool_calls:
            structured.of(reply)
        return reply

    def _embedded(self, body: bytes, name: str, request_id: str) -> Embeddings:
        part = embeddings.read(body, expected=1, request=name, request_id=request_id)
        receipt = self._receipt(part.model, part.usage, request_id)
        return Embeddings(
            [""], part.floats, part.size, usage=part.usage, model=part.model, receipts=[receipt], bodies=[body]
        )

    def _receipt(self, model: str, usage: Usage | None, request_id: str) -> Receipt:
        cost: Cost | None = self._cost(model, usage) if usage else None
        return Receipt(model=model, request_id=request_id, cost=cost, sandbox=self._sandbox)

    def ordered(self, total: int) -> dict[str, Any]:
        """The outcomes in the order of the prompts; a line that never came back is a failure like any other."""
        if all(_place(name) is not None for name in self.outcomes):
            names = [f"{_PREFIX}{place}" for place in range(max(total, len(self.outcomes)))]
        else:  # somebody else's names
            names = sorted(self.outcomes)
        return {name: self.outcomes[name] if name in self.outcomes else _missing(name) for name in names}


def _place(name: str) -> int | None:
    digits = name.removeprefix(_PREFIX)
    return int(digits) if name.startswith(_PREFIX) and digits.isdecimal() else None


def _missing(name: str) -> TaskFailed:
    return TaskFailed(f"no result came back for {name}", hint="submit this prompt again")
