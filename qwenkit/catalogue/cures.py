"""The cures: what an error code of the service means, whether trying again helps, and what to do instead.

Codes are matched as spelled, then in lower case, then by their first part (`InvalidFile.AspectRatio` by `InvalidFile`).
Some codes say different things in different words (`insufficient_quota` is mostly a token rate, rarely a bill), so
messages are matched by substring on top: the service keeps its wording, with its spelling, but adds prefixes and links.
Statuses are the last resort. Nothing here raises; `kind` is the name of the client's exception class.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from qwenkit.catalogue._shelf import read


class CodeFact(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is known about one error: its class, what it means, what to do, and whether a repeat may help.

    `retry` is "yes" (back off and repeat), "no", or "later" (only after a payment, a new quota, a new upload);
    `tries` caps the repeats where the service's pages do.
    """

    code: str
    kind: str
    hint: str
    cure: str
    retry: str = "no"
    status: int | None = None
    aliases: list[str] = []
    tries: int | None = None

    @property
    def retryable(self) -> bool:
        return self.retry == "yes"


class _Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words in a message that outrank the code. Empty `codes`: under any code."""

    contains: list[str]
    fact: CodeFact
    codes: list[str] = []


class _Casebook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    codes: list[CodeFact]
    messages: list[_Wording]
    statuses: list[CodeFact]


def code_facts(code: str, message: str = "") -> CodeFact | None:
    """What is known about an error by its code and, where the code alone misleads, by its message."""
    fact = _by_code(_inner(code, message)) or _by_code(code)
    spoken = message.lower()
    for wording in _casebook().messages:
        if _concerns(wording, code, fact) and any(words.lower() in spoken for words in wording.contains):
            return msgspec.structs.replace(wording.fact, code=code)
    return fact


def status_facts(status: int) -> CodeFact | None:
    """What an HTTP status alone tells; for answers without a known code."""
    exact = {fact.status: fact for fact in _casebook().statuses}
    return exact.get(status) or exact.get(status // 100 * 100)


def codes() -> list[CodeFact]:
    """Every code, in the order of the data file."""
    return list(_casebook().codes)


def _inner(code: str, message: str) -> str:
    """The true code of `<400> InternalError.Algo.InvalidParameter: …`, a message passed on by the engine."""
    head, colon, _ = message.partition(": ")
    prefixed = bool(colon) and head.startswith("<")
    return head.partition("> ")[2] if prefixed else code


def _concerns(wording: _Wording, code: str, fact: CodeFact | None) -> bool:
    return not wording.codes or code in wording.codes or (fact is not None and fact.code in wording.codes)


def _by_code(code: str) -> CodeFact | None:
    known = _index()
    while code:
        found = known.get(code) or known.get(code.lower())
        if found:
            return found
        code = code.rpartition(".")[0]
    return None


@lru_cache(maxsize=1)
def _casebook() -> _Casebook:
    return read("codes.json", _Casebook)


@lru_cache(maxsize=1)
def _index() -> dict[str, CodeFact]:
    """As spelled; lower-case spellings only where they are not another code's own."""
    spelled = {name: fact for fact in _casebook().codes for name in (fact.code, *fact.aliases)}
    return {name.lower(): fact for name, fact in spelled.items()} | spelled
