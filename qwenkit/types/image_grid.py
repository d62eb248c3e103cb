"""The pictures of one call, in order; where one failed, why stands in its place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.image import WRITTEN, Image
from qwenkit.types.media import ending, problem
from qwenkit.types.reply import Paid, Receipt
from qwenkit.types.task import Task
from qwenkit.types.usage import Usage


class Failed(msgspec.Struct, frozen=True):
    """A picture that did not come, with the code and the words of the service."""

    code: str = ""
    message: str = ""


class ImageGrid(Paid, Shown):
    """Pictures and failures by position: `grid[0]`, `len(grid)`, `for picture in grid`.

    `meta` holds what all of them share (prompt, model); what is a picture's own (seed, revised prompt) is in its own.
    """

    def __init__(self, places: Iterable[Any] = (), **facts: Any) -> None:
        self.places: list[Image | Failed] = [each if isinstance(each, Failed) else Image.of(each) for each in places]
        self.meta: dict[str, Any] = facts
        self.receipt = Receipt()
        self.task: Task | None = None
        self.usage: Usage | None = None
        self.raw: Any = None

    @property
    def prompt(self) -> str:
        return str(self.meta.get("prompt") or "")

    @property
    def model(self) -> str:
        return str(self.meta.get("model") or self.receipt.model)

    @property
    def images(self) -> list[Image]:
        """The pictures that came."""
        return [each for each in self.places if isinstance(each, Image)]

    @property
    def failures(self) -> list[Failed]:
        return [each for each in self.places if isinstance(each, Failed)]

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Image | Failed]:
        return iter(self.places)

    def __getitem__(self, place: Any) -> Any:
        """The picture at a position, or why it is not there; a slice gives a smaller grid."""
        if isinstance(place, slice):
            part = ImageGrid(self.places[place], **self.meta)
            part.receipt, part.task, part.usage, part.raw = self.receipt, self.task, self.usage, self.raw
            return part
        return self.places[place]

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Every picture into a folder, numbered by position; `kite.png` gives kite-1.png, kite-2.png."""
        if not isinstance(folder, str | os.PathLike) or not os.fspath(folder):
            raise problem(f"where to save the pictures cannot be {folder!r:.60}", 'grid.save("album")')
        into = Path(folder).expanduser()
        if ending(into.name) in WRITTEN and not into.is_dir() and not os.fspath(folder).endswith("/"):
            one = len(self.places) == 1
            names = [into if one else into.with_stem(f"{into.stem}-{place}") for place in range(1, len(self) + 1)]
            return [each.save(name) for name, each in zip(names, self.places, strict=True) if isinstance(each, Image)]
        into.mkdir(parents=True, exist_ok=True)
        numbered = [(number, each) for number, each in enumerate(self.places, 1) if isinstance(each, Image)]
        return [each.save(into / f"{number:02}.{each.format}") for number, each in numbered]

    def __repr__(self) -> str:
        bad = f", {len(self.failures)} failed" if self.failures else ""
        return f"ImageGrid({len(self.images)} picture{'s' * (len(self.images) != 1)}{bad})"
