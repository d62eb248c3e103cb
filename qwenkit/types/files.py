"""Files the service keeps for an account: what an upload gives back, and the list of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.message import Message

T = TypeVar("T")
SCHEME = "fileid://"


class StoredFile(Shown, msgspec.Struct, frozen=True):
    """One file at the service. `status` is `processed` once a document has been read."""

    id: str = ""
    filename: str = ""
    purpose: str = ""
    bytes: int = 0
    status: str = ""
    created_at: int = 0
    status_details: str | None = None
    object: str = "file"

    @property
    def processed(self) -> bool:
        return self.status == "processed"

    @property
    def message(self) -> Message:
        """The system message that puts this document before `qwen-long`: `qwen.chat([file.message, "…"], …)`."""
        return documents(self.id)

    def __repr__(self) -> str:
        return f"StoredFile({self.filename!r}, {self.bytes:,} bytes, {self.purpose}, {self.status})"


def documents(*ids: str) -> Message:
    """One system message that points to several documents."""
    return Message.system(",".join(SCHEME + each for each in ids))


class Rows(Shown, Generic[T]):
    """A list from the service, newest first as it came; every page of it."""

    kinds = ("row", "rows")

    def __init__(self, rows: list[T]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[T]:
        return iter(self.rows)

    def __getitem__(self, place: Any) -> Any:
        return self.rows[place]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} {self.kinds[len(self) != 1]})"


class FileList(Rows[StoredFile]):
    """What `qwen.files.list()` gives."""

    kinds = ("file", "files")

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self)
