"""Plug-ins: small tools that an application may have, and that are truly run.

Each has work to do when the question holds some for it. Over what the question says go the parameters that the caller
passes (`user_defined_params`); the locker asks for the caller's token too (`user_defined_tokens`). What comes back is a
sentence, or `{"error": …}`.
"""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any, NamedTuple

from qwenkit.sandbox.mind import Prompt, expression
from qwenkit.sandbox.mind.arithmetic import arithmetic
from qwenkit.sandbox.mind.dates import dates
from qwenkit.sandbox.mind.scene import read
from qwenkit.sandbox.mind.units import units
from qwenkit.sandbox.mind.weave import plain

Json = dict[str, Any]
_WORK = {"unit_converter": (units,), "calendar": (dates,), "calculator": (units, dates, arithmetic)}  # the last counts
_LOCKER = re.compile(r"\blocker\b|储物柜", re.IGNORECASE)
_HELD = ("nothing", "an umbrella", "a violin", "a pair of football boots", "an atlas", "a jar of marbles", "a raincoat")
_NO_TOKEN, _NO_NUMBER = "user_token is missing: pass user_defined_tokens", "which number? pass user_defined_params"


class Used(NamedTuple):
    """One use of a tool."""

    name: str
    arguments: Json
    observation: str

    @property
    def error(self) -> str:
        return json.loads(self.observation)["error"] if self.observation.startswith('{"error"') else ""


def use(name: str, text: str, params: Json, tokens: Json, today: date) -> Used | None:
    """A tool at work; None when the text has none for it."""
    if name == "locker":
        number = re.search(r"\d{1,6}", text)
        arguments = {**({"number": int(number[0])} if number else {}), **params}
        return Used(name, arguments, _opened(arguments, tokens)) if params or _LOCKER.search(text) else None
    arguments = {"query": " ".join(text.split())[:200], **params}
    worked = _worked(name, str(arguments["query"]), today)
    return Used(name, arguments, worked) if worked else None


def _worked(name: str, text: str, today: date) -> str:
    """What the last of a tool's faculties makes of a text that those before it leave to it."""
    scene = read(Prompt([{"role": "user", "content": text}], today=today))
    *others, own = _WORK[name]
    draft = None if any(other(scene) for other in others) else own(scene)
    return plain(draft.parts) if draft else ""


def _opened(arguments: Json, tokens: Json) -> str:
    number = arguments.get("number")
    if not tokens.get("user_token") or type(number) is not int:
        return json.dumps({"error": _NO_NUMBER if tokens.get("user_token") else _NO_TOKEN})
    return f"Locker {number} of the sandbox's imaginary school holds {_HELD[number % len(_HELD)]}."


def is_sum(text: str) -> bool:
    try:
        return expression.find(text) is not None
    except ArithmeticError:
        return True


def timed(text: str, today: date) -> bool:
    """Whether the answer to a question is another one tomorrow."""
    return _worked("calendar", text, today) != _worked("calendar", text, today + timedelta(days=1))
