"""The lines of a checkpoint file: how an outcome is written down, and how it becomes a value again.

One line of JSON per finished item, found again by its position and the digest of the exact request body, so a changed
prompt or model is simply another item. Answers keep everything but their wire bytes. The same lines bring outcomes home
from workers on other machines. No key is ever in them: a digest is all that is known of the request.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from qwenkit import errors
from qwenkit.errors import QwenError
from qwenkit.types.many import StoredReceipt
from qwenkit.types.reply import Choice, Receipt, Reply
from qwenkit.types.usage import Usage

HEADER = b'{"qwenkit":"map/1"}\n'
_FACTS = ("message", "hint", "request", "request_id", "tries", "status", "code", "kind")


class Answered(msgspec.Struct, omit_defaults=True):
    """A reply without its wire bytes."""

    choices: list[Choice] = []
    usage: Usage | None = None
    id: str = ""
    model: str = ""
    created: int = 0
    receipt: Receipt = msgspec.field(default_factory=Receipt)


class Line(msgspec.Struct, omit_defaults=True):
    """One finished item."""

    position: int
    digest: str = ""
    answer: Answered | None = None
    error: dict[str, Any] = {}  # its class by name, and what it said
    batch: str = ""  # instead of an item: the batch job that was submitted for the items of this digest


def digest(body: bytes | None) -> str:
    """What stands for a request body: the same bytes, the same 32 hex digits."""
    from hashlib import blake2b  # takes longer to load than the rest of this module, and most sessions never map

    return blake2b(body or b"", digest_size=16).hexdigest()


def pack(position: int, name: str, outcome: Reply | Exception) -> bytes:
    """The line of an outcome, its end included."""
    line = Line(position, name)
    if isinstance(outcome, Exception):
        error = outcome if isinstance(outcome, QwenError) else QwenError(str(outcome))
        kind = next(base.__name__ for base in type(error).__mro__ if hasattr(errors, base.__name__))
        line.error = {"class": kind, **{fact: told for fact in _FACTS if (told := getattr(error, fact, None))}}
    reply = getattr(outcome, "reply", None) if isinstance(outcome, Exception) else outcome
    if isinstance(reply, Reply):
        line.answer = Answered(**{field: getattr(reply, field) for field in Answered.__struct_fields__})
    return msgspec.json.encode(line) + b"\n"


def pack_job(name: str, batch: str) -> bytes:
    """The line of a batch job."""
    return msgspec.json.encode(Line(-1, name, batch=batch)) + b"\n"


def read(line: bytes) -> Line:
    return _DECODER.decode(line)


def outcome(line: Line) -> Reply | QwenError:
    """The value that a line stands for. An error brings the answer that did not fit."""
    facts = {field: getattr(line.answer, field) for field in Answered.__struct_fields__} if line.answer else {}
    if not line.error:
        return Reply(**facts)
    kind: type[QwenError] = getattr(errors, line.error["class"])
    error = kind(**{"message": "", **{fact: line.error[fact] for fact in _FACTS if fact in line.error}})
    error.reply = Reply(**facts) if facts else None
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
            if told.answer is not None and not told.error:
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
