"""Failing and dawdling on demand: brackets in a prompt, which are read and never painted.

[fail]  [fail:IPInfringementSuspect]       the whole order fails
[fail 2:InternalError.Timeout]             its second picture does
[slow 3]                                   a task runs for three more looks
[takes 40]                                 a task runs for forty seconds of the sandbox's clock
"""

from __future__ import annotations

import re
from typing import NamedTuple

from qwenkit.sandbox.errors import TABLE, Refusal
from qwenkit.sandbox.tasks import Demand

_MARK = re.compile(r"\s*\[(fail|slow|takes)(?: (\d{1,6}(?:\.\d{1,3})?))?(?::([A-Za-z][\w.]*))?\]")
_FAILURES = {
    "DataInspectionFailed": (400, "Input data may contain inappropriate content."),
    "IPInfringementSuspect": (400, "Input data is suspected of being involved in IP infringement."),
    "InternalError.Timeout": (500, "An internal timeout error has occured during execution, please try again later."),
}


class Marks(NamedTuple):
    """What brackets in a prompt ask for, and the prompt without them."""

    prompt: str = ""
    whole: str = ""
    parts: dict[int, str] = {}
    looks: int = 0
    seconds: float = 0.0

    def demand(self, parts: int = 1) -> Demand:
        return Demand(parts, self.looks, self.seconds)


def marks(prompt: str) -> Marks:
    """Read the brackets of a prompt."""
    found = Marks(_MARK.sub("", prompt).strip(), parts={})
    for word, number, code in _MARK.findall(prompt):
        if word == "fail" and number:
            found.parts[int(float(number))] = code or "InternalError.Timeout"
        elif word == "fail":
            found = found._replace(whole=code or "DataInspectionFailed")
        elif word == "slow":
            found = found._replace(looks=int(float(number or 1)))
        else:
            found = found._replace(seconds=float(number or 1))
    return found


def failure(code: str) -> Refusal:
    """The refusal a bracket asks for."""
    row = TABLE.get(code)
    status, text = _FAILURES.get(code, (row.status, row.text) if row else (500, "The sandbox was asked to fail."))
    return Refusal(code, text, status=status)
