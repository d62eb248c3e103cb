"""Where what was made is kept: the file itself, and beside it what made it.

A result's address is dead after a day, so everything is written under `outputs/` the moment it has arrived. The file's
name comes from its prompt and seed; a `.json` of the same name says which prompt, seed and model, and a PNG says so in
itself too. The same content is written once, and what is there is never overwritten: other content gets a number.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

from qwenkit.errors import ConfigError
from qwenkit.types.made import told

_ELSEWHERE = "pass folder=… somewhere else, or save=False"
LONGEST_NAME = 48  # characters of the prompt
_APART = re.compile(r"[\W_]+")


def ready(folder: Any) -> None:
    """Refuse a folder nothing can be kept in: asked before a call that costs."""
    if not isinstance(folder, str | os.PathLike):
        raise ConfigError(f"folder cannot be {folder!r:.60}", hint='name one: folder="album", or pass save=False')
    place = Path(folder).absolute()
    there = next(each for each in (place, *place.parents) if os.path.lexists(each))
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ConfigError(f"{folder} cannot be written", hint=_ELSEWHERE)


def kept(media: Any, folder: Any) -> Path:
    """Write a value that tells in its `meta` what made it."""
    facts = {"prompt": "", "seed": None, "model": "", **media.meta}
    return keep(media, folder=folder, **facts)


def keep(
    media: Any, *, prompt: str, seed: int | None, model: str, at: str = "", folder: Any = "outputs", **facts: Any
) -> Path:
    """Write a picture, clip or sound and what made it; the path it lies at. `at` is when it was made."""
    at = at or datetime.now().astimezone().isoformat(timespec="seconds")
    made = {"prompt": prompt, "seed": seed, "model": model, **facts}
    content = told(media.bytes, made)
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        path = _written(place, _name(prompt, seed), f".{media.format or 'bin'}", content)
        beside = path.with_suffix(".json")
        if beside.exists() and path.name not in beside.read_text("utf-8"):  # that of a sound of the same words, say
            beside = path.with_name(f"{path.name}.json")
        if not beside.exists():
            facts = {"file": path.name, **made, "made_at": at, "bytes": len(content)}
            beside.write_text(json.dumps(facts, ensure_ascii=False, indent=2, default=str) + "\n", "utf-8")
    except OSError as problem:
        said = f"{place} cannot be written ({problem.strerror or problem})"
        raise ConfigError(said, hint=_ELSEWHERE) from None
    return path


def _written(place: Path, name: str, ending: str, content: bytes) -> Path:
    """The file that holds this content: one that does already, or a new one, which appears whole or not at all."""
    part = place / f".{token_hex(6)}.part"
    try:
        part.write_bytes(content)
        for path in _names(place, name, ending):
            if not path.exists():
                with suppress(FileExistsError):  # somebody was faster: look at what is there
                    _move(part, path)
                    return path
            if path.stat().st_size == len(content) and path.read_bytes() == content:
                return path
    finally:
        part.unlink(missing_ok=True)
    raise AssertionError("names never end")


def _move(part: Path, path: Path) -> None:
    """Give the file its name, unless somebody has it already."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a drive that knows no links, as memory sticks and shared folders
        path.touch(exist_ok=False)
        os.replace(part, path)


def _names(place: Path, name: str, ending: str) -> Iterator[Path]:
    yield place / f"{name}{ending}"
    for number in count(2):
        yield place / f"{name}-{number}{ending}"


def _name(prompt: str, seed: int | None) -> str:
    words = _APART.sub("-", prompt.lower()).strip("-")[:LONGEST_NAME].strip("-")
    return "-".join(part for part in (words or "untitled", "" if seed is None else str(seed)) if part)
