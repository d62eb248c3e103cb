"""The mind's data files, read once when they are first needed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_DATA = Path(__file__).with_name("data")


def read(name: str) -> str:
    return (_DATA / name).read_text("utf-8")


@cache
def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(read(f"{name}.json"))
    return loaded


def lexicon() -> dict[str, Any]:
    """Words by kind: places, units, phrases, things of a kind, words that mean the same."""
    return load("lexicon")
