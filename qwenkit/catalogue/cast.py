"""The cast: voices, which models speak with them, in which languages. Names are exact, blanks and accents included."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from qwenkit.catalogue._shelf import read


class Voice(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One voice. `gender` is female, male or "" where the pages do not say; `dialect` replaces Mandarin."""

    name: str
    gender: str = ""
    models: list[str] = []
    languages: list[str] = []
    dialect: str = ""
    notes: str = ""


def voices(model: str = "") -> list[Voice]:
    """Every voice, or those that `model` speaks with; a snapshot without a list of its own has its line's."""
    if not model:
        return list(_cast())
    from qwenkit.catalogue.lineup import model as find_model

    found = find_model(model)
    return _speaking(model) or (_speaking(found.line) if found else [])


def voice(name: str) -> Voice | None:
    """One voice by its exact name."""
    return next((each for each in _cast() if each.name == name), None)


def _speaking(model: str) -> list[Voice]:
    return [each for each in _cast() if model in each.models]


@lru_cache(maxsize=1)
def _cast() -> list[Voice]:
    return read("voices.json", list[Voice])
