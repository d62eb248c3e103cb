"""A command that cannot be carried out: what the `error` event says of it."""

from __future__ import annotations

from typing import Any


class Wrong(Exception):
    """The message, the parameter and the code of an error that keeps the session open."""

    def __init__(self, message: str, param: str = "", code: str = "invalid_value") -> None:
        super().__init__(message)
        self.message, self.param, self.code = message, param, code


def missing(name: str, param: str = "") -> Wrong:
    return Wrong(f"Missing required parameter: '{name}'.", param or name, "missing_required_parameter")


def unlike(value: Any, expected: str, param: str) -> Wrong:
    return Wrong(f"Invalid value: {value!r:.80}. Expected {expected}.", param)
