"""The lines of a checkpoint file: how an outcome is written down, and how it becomes a value again.

One line of JSON per finished item, found again by its position and the digest of the exact request body, so a changed
prompt or model is simply another item. Answers keep everything but their wire bytes. The same lines bring outcomes home
from workers on other machines. No key is ever in them: a digest is all that is known of the request.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from qwenkit import errors
from qwenkit.errors import APIError, QwenError, TransportError
from qwenkit.types.many import StoredReceipt
from qwenkit.types.reply import Choice, Receipt, Reply
from qwenkit.types.usage import Usage

HEADER = b'{"qwenkit":"map/1"}\n'


class Answered(msgspec.Struct, omit_defaults=True):
    """A reply without its wire bytes."""

    choices: list[Choice] = []
    usage: Usage | None = None
    id: str = ""
    model: str = ""
    created: int = 0
    receipt: Receipt = msgspec.field(default_factory=Receipt)


class Refused(msgspec.Struct, omit_defaults=True):
    """An error: its class by name, and what it said."""

    kind: str = "QwenError"
    message: str = ""
    hint: str = ""
    request: str = ""
    request_id: str = ""
    tries: int = 1
    status: int | None = None
    code: str = ""
    cause: str = ""  # a TransportError's kind


class Line(msgspec.Struct, omit_defaults=True):
    """One finished item."""

    position: int
    digest: str = ""
    answer: Answered | None = None
    error: Refused | None = None
    batch: str = ""  # instead of an item: the batch job that was submitted for the items of this digest


def digest(body: bytes | None) -> str:
    """What stands for a request body: the same bytes, the same 32 hex digits."""
    from hashlib import blake2b  # takes longer to load than the rest of this module, and most sessions never map

    return blake2b(body or b"", digest_size=16).hexdigest()


def pack(position: int, name: str, outcome: Reply | Exception) -> bytes:
    """The line of an outcome, its end included."""
    if isinstance(outcome, Reply):
        facts = {field: getattr(outcome, field) for field in Answered.__struct_fields__}
        line = Line(position, name, answer=Answered(**facts))
    else:
        line = Line(position, name, error=_refused(outcome))
    return msgspec.json.encode(line) + b"\n"


def pack_job(name: str, batch: str) -> bytes:
    """The line of a batch job."""
    return msgspec.json.encode(Line(-1, name, batch=batch)) + b"\n"


def _refused(error: Exception) -> Refused:
    named = error if isinstance(error, QwenError) else QwenError(str(error))
    facts = {field: getattr(named, field) for field in ("message", "hint", "request", "request_id", "tries")}
    if isinstance(named, APIError):
        facts.update(status=named.status, code=named.code)
    return Refused(kind=type(named).__name__, cause=getattr(named, "kind", ""), **facts)


def read(line: bytes) -> Line:
    return _DECODER.decode(line)


def outcome(line: Line) -> Reply | QwenError:
    """The value that a line stands for."""
    if line.answer is not None:
        return Reply(**{field: getattr(line.answer, field) for field in Answered.__struct_fields__})
    told = line.error or Refused()
    kind = getattr(errors, told.kind, QwenError)
    facts = {field: getattr(told, field) for field in ("hint", "request", "request_id", "tries")}
    if issubclass(kind, APIError):
        facts.update(status=told.status, code=told.code)
    if issubclass(kind, TransportError):
        facts.update(kind=told.cause)
    error: QwenError = kind(told.message, **facts)
    return error


class Stored:
    """The answers of an earlier run, each given out once. Lines that cannot be read count as never written."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._kept: dict[str, dict[int, bytes]] = {}
        self.jobs: dict[str, str] = {}  # batch jobs by the digest of all their items
        for line in lines:
            try:
                told = read(line)
            except (msgspec.DecodeError, UnicodeDecodeError):  # torn when the last run was killed
                continue
            if told.answer is not None:
                self._kept.setdefault(told.digest, {})[told.position] = line
            elif told.batch:
                self.jobs[told.digest] = told.batch

    def __len__(self) -> int:
        return sum(len(lines) for lines in self._kept.values())

    def take(self, position: int, name: str) -> Reply | None:
        """The answer to this very request: the one at its position, else one that has lost its place in the list."""
        lines = self._kept.get(name)
        if not lines:
            return None
        line = read(lines.pop(position if position in lines else next(iter(lines))))
        reply = outcome(line)
        assert isinstance(reply, Reply)
        reply.receipt = StoredReceipt(**msgspec.structs.asdict(reply.receipt))
        return reply


_DECODER = msgspec.json.Decoder(Line)
