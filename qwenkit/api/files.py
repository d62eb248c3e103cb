"""Files: `qwen.files.upload("handbook.pdf")`, then ask about it.

    file = qwen.files.upload("handbook.pdf")
    qwen.files.ask("What does a dog's ticket cost?", file)        a Reply of qwen-long
    qwen.chat([file.message, "…"], model="qwen-long")             the same, by hand

Nothing here is billed: files are free, and what a question costs is the chat call's.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, Unpack
from urllib.parse import quote, urlencode

import msgspec

from qwenkit import catalogue
from qwenkit.api.chat import Chat
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.errors import ConfigError, ServerError, TaskFailed
from qwenkit.protocol import chat as chat_protocol
from qwenkit.protocol.flow import Answer, Flow, Pause
from qwenkit.protocol.lenient import Lenient
from qwenkit.protocol.upload import Opener, Upload
from qwenkit.types.files import FileList, StoredFile, documents
from qwenkit.types.message import Messages
from qwenkit.types.options import ChatOptions
from qwenkit.types.reply import Reply

PATH = "/files"
LARGE = 2_000_000  # bytes of an upload from which on its progress is worth showing
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between two looks at a document that is being read; the last repeats
_ROLE = "You are a helpful assistant."

Source: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO"
Asked: TypeAlias = "StoredFile | Source | Iterable[StoredFile | Source]"


class _Page(msgspec.Struct):
    data: list[StoredFile] | None = None
    has_more: bool = False


_FILE = Lenient.of(StoredFile)
_PAGE = Lenient.of(_Page)


class FileCalls:
    """The calls of the files noun, written once for both flavours."""

    _core: Core

    @call
    def upload(
        self, source: Source, *, purpose: str = "file-extract", name: str = "", progress: bool = True
    ) -> Flow[StoredFile]:
        """Upload a path, bytes or an open binary file. `name` is what the service calls it; its ending is its format.

        `purpose` is `file-extract` for documents to ask about, `batch` for the input of a batch. A large upload shows
        its progress. After a broken connection the file is sent again from its beginning.
        """
        name, size, opener = _opened(source, name)
        with _watched(name, size, progress) as seen:
            form = Upload({"purpose": purpose}, name, size, opener, seen)
            request = self._core.request("POST", "compatible", PATH, b"", headers=form.headers)
            answer: Answer = yield from self._core.send(msgspec.structs.replace(request, body=form))
        return _file(answer)

    @call
    def list(
        self, *, purpose: str = "", create_after: str = "", create_before: str = "", limit: int = 2000
    ) -> Flow[FileList]:
        """All files of this account, or those of one purpose; pages of `limit` are fetched until there are no more.

        Times are written like `2026-05-01` or `2026-05-01 10:00:00`, in Beijing time.
        """
        told = {"purpose": purpose, "create_after": create_after, "create_before": create_before}
        query = {"limit": limit, **{key: value for key, value in told.items() if value}}
        rows: Any = yield from paged(self._core, PATH, query, _PAGE)
        return FileList(rows)

    @call
    def get(self, file: StoredFile | str) -> Flow[StoredFile]:
        """What the service says about a file now."""
        answer: Answer = yield from self._core.send(self._core.request("GET", "compatible", _path(file)))
        return _file(answer)

    @call
    def wait(self, file: StoredFile | str, *, timeout: float = 600) -> Flow[StoredFile]:
        """Wait until a document has been read; `timeout` is in seconds."""
        waited, looks = 0.0, 0
        while True:
            found: StoredFile = yield from FileCalls.get.flow(self, file)
            if found.processed:
                return found
            if found.status in ("error", "deleted") or waited >= timeout:
                said = f"{found.filename} is {found.status} after {waited:.0f} s of waiting"
                raise TaskFailed(said, hint="upload it again, or wait longer: timeout=…")
            pause = PAUSES[min(looks, len(PAUSES) - 1)]
            yield Pause(pause)
            waited, looks = waited + pause, looks + 1

    @call
    def content(self, file: StoredFile | str) -> Flow[bytes]:
        """The bytes of a batch's result; the service lets no other file be downloaded."""
        answer: Answer = yield from self._core.send(self._core.request("GET", "compatible", f"{_path(file)}/content"))
        return answer.body

    @call
    def save(self, file: StoredFile | str, path: str | os.PathLike[str]) -> Flow[Path]:
        """Download a batch's result to a path."""
        data: bytes = yield from FileCalls.content.flow(self, file)
        Path(path).write_bytes(data)
        return Path(path)

    @call
    def delete(self, file: StoredFile | str) -> Flow[None]:
        """Delete a file; its id is worth nothing afterwards."""
        yield from self._core.send(self._core.request("DELETE", "compatible", _path(file)))

    @call
    def ask(
        self, prompt: Messages, files: Asked, *, system: str = "", model: str = "", **options: Unpack[ChatOptions]
    ) -> Flow[Reply]:
        """Ask about documents: stored files, ids like `file-fe-…`, or paths, which are uploaded first.

        The answer comes from `qwen-long` unless `model` names another that takes files. To ask again, keep the file
        that `upload` gave: a path is uploaded anew every time. Options are those of `qwen.chat`.
        """
        ids = []
        for file in _several(files):
            stored = file if _is_stored(file) else (yield from FileCalls.upload.flow(self, file))
            if not (isinstance(stored, StoredFile) and not stored.processed):
                ids.append(_id(stored))
            else:
                ids.append((yield from FileCalls.wait.flow(self, stored)).id)
        asked: Messages = [documents(*ids), *chat_protocol.messages(prompt)]
        chat = Chat(self._core)
        system, model = system or _ROLE, model or catalogue.DEFAULTS["long"]  # the first system message is the role
        return (yield from Chat.__call__.flow(chat, asked, system=system, model=model, **options))


def paged(core: Core, path: str, query: dict[str, Any], shape: Lenient) -> Flow[list[Any]]:
    """The rows of every page of a list."""
    rows: list[Any] = []
    while True:
        request = core.request("GET", "compatible", f"{path}?{urlencode(query)}")
        answer: Answer = yield from core.send(request)
        try:
            page = shape.decode(answer.body)
        except msgspec.DecodeError as broken:
            raise ServerError("the list is not readable", status=200, request=request.name) from broken
        rows += page.data or []  # null when there is none
        if not page.has_more or not page.data or page.data[-1].id == query.get("after"):
            return rows
        query = {**query, "after": page.data[-1].id}


def _opened(source: Source, name: str) -> tuple[str, int, Opener]:
    """A file's name, its size, and how to read it from its beginning."""
    if isinstance(source, bytes | bytearray):
        if not name:
            raise ConfigError("bytes have no name", hint='pass name="notes.md": its ending tells the format')
        data = bytes(source)
        return name, len(data), lambda: io.BytesIO(data)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        try:
            with path.open("rb") as file:
                size = file.seek(0, io.SEEK_END)
        except (OSError, ValueError) as unread:
            said = f"{path.name!r} cannot be read ({getattr(unread, 'strerror', None) or unread})"
            raise ConfigError(said, hint="check the path and the working folder") from None
        return name or path.name, size, lambda: path.open("rb")
    if hasattr(source, "read") and hasattr(source, "seek"):
        start = source.tell()
        return name or _named(source), source.seek(0, io.SEEK_END) - start, _again(source, start)
    raise ConfigError(
        f"a {type(source).__name__} cannot be uploaded", hint="pass a path, bytes, or an open binary file"
    )


def _again(source: BinaryIO, start: int) -> Callable[[], AbstractContextManager[BinaryIO]]:
    @contextmanager
    def opened() -> Any:
        source.seek(start)
        yield source  # whoever opened it closes it

    return opened


def _named(source: Any) -> str:
    name = Path(str(getattr(source, "name", ""))).name
    if not name:
        raise ConfigError("this open file has no name", hint='pass name="notes.md": its ending tells the format')
    return name


@contextmanager
def _watched(name: str, size: int, progress: bool) -> Any:
    """Called with the bytes sent so far; draws them when there are many."""
    watch = import_module("qwenkit.display.files").watch(name, size) if progress and size >= LARGE else None
    yield watch.sent if watch else None
    if watch:
        watch.end()


def _several(files: Asked) -> list[Any]:
    one = isinstance(files, StoredFile | str | bytes | os.PathLike) or hasattr(files, "read")
    found: list[Any] = [files] if one else list(files)  # type: ignore[arg-type]
    if not found:
        raise ConfigError("there is no file to ask about", hint='qwen.files.ask("…", file)')
    return found


def _is_stored(file: Any) -> bool:
    return isinstance(file, StoredFile) or (isinstance(file, str) and file.startswith("file-"))


def _id(file: StoredFile | str) -> str:
    name = file.id if isinstance(file, StoredFile) else file
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{file!r} names no file", hint="pass what upload gave, or an id such as file-fe-…")
    return name


def _path(file: StoredFile | str) -> str:
    return f"{PATH}/{quote(_id(file), safe='')}"


def _file(answer: Answer) -> StoredFile:
    try:
        stored: StoredFile = _FILE.decode(answer.body)
    except msgspec.DecodeError as broken:
        raise ServerError("the answer tells of no file", status=200) from broken
    return stored


class Files(FileCalls, SyncNoun):
    """`qwen.files`"""


class AsyncFiles(FileCalls, AsyncNoun):
    """`aqwen.files`"""
