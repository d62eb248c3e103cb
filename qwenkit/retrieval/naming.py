"""What documents on a shelf are called, and which one is meant by a name, a path or what `documents()` gave."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePath
from typing import Any

from qwenkit.errors import ConfigError
from qwenkit.protocol.flow import Flow
from qwenkit.retrieval.filters import Test
from qwenkit.retrieval.shelves import Store
from qwenkit.types.retrieval import Held

UNSEEN = re.compile("[\0\ud800-\udfff]")  # which no database keeps, and no path has


def path_name(path: PurePath) -> PurePath:
    """A path below the current folder is named from there, however it was given."""
    here, there = Path.cwd(), Path(os.path.abspath(path))
    for folder, each in ((here, there), (here.resolve(), there.resolve() if os.path.exists(there) else there)):
        if each.is_relative_to(folder):
            return each.relative_to(folder)
    return PurePath(os.path.normpath(path))


def known(store: Store, given: Iterable[Any]) -> Flow[list[str]]:
    """The names of documents, of which one at least must be there."""
    names = [_names(each) for each in given]
    states = yield from store.states(list({name: None for each in names for name in each}))
    there = [next((name for name in each if states[name].digest or states[name].draft), "") for each in names]
    if any(there):
        return [name for name in there if name]
    documents = yield from store.documents()
    raise _unknown(names[0][0], [held.name for held in documents])


def known_in(store: Store, tests: list[Test]) -> Flow[list[Test]]:
    """The conditions of a filter with the documents it names, if they are there."""
    for place, test in enumerate(tests):
        if test.field == "document" and test.values:
            values = yield from known(store, test.values)
            tests[place] = test._replace(values=values)
    return tests


def _names(document: Any) -> list[str]:
    """What it may be called: as it is given, or as its path."""
    if isinstance(document, Held):
        return [document.name]
    if not isinstance(document, str | PurePath) or not str(document).strip():
        raise ConfigError(f"a document cannot be {document!r:.60}", hint="pass its name, or one of shelf.documents()")
    name = document if isinstance(document, str) else document.as_posix()
    path = [] if UNSEEN.search(name) else [path_name(PurePath(os.path.expanduser(name))).as_posix()]
    return list(dict.fromkeys([name, *path]))


def _unknown(name: str, names: Sequence[str]) -> ConfigError:
    """That no document has this name, with those that are like it."""
    ends = {each: PurePath(each).name for each in names}
    near = [each for each, end in ends.items() if end == PurePath(name).name] or get_close_matches(name, names)
    near = near or [each for each, end in ends.items() if get_close_matches(PurePath(name).name, [end])]
    some = ", ".join(map(repr, (near or names)[:3]))
    there = f"there {'are' if len(names) > 1 else 'is'} {some}{', …' if len(names) > 3 else ''}"
    hint = f"did you mean {some}?" if near else there if names else "the shelf is empty"
    return ConfigError(f"there is no document {name!r:.80} on the shelf", hint=hint)
