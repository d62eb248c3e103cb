"""Files: `qwen.files.upload("handbook.pdf")`, then ask about it.

    file = qwen.files.upload("handbook.pdf")
    qwen.files.ask("What does a dog's ticket cost?", file)        a Reply of qwen-long
    qwen.chat([file.message, "…"], model="qwen-long")             the same, by hand

Nothing here is billed: files are free, and what a question costs is the chat call's.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeAlias, TypeVar, Unpack
from urllib.parse import quote, urlencode

import msgspec

from qwenkit import catalogue
from qwenkit.api.chat import Chat
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.waiting import until, watch
from qwenkit.errors import ConfigError, TaskFailed
from qwenkit.protocol import chat as chat_protocol
from qwenkit.protocol.flow import Answer, Flow
from qwenkit.protocol.lenient import Lenient
from qwenkit.protocol.upload import Opener, Upload
from qwenkit.types.files import FileList, StoredFile, documents
from qwenkit.types.message import Messages
from qwenkit.types.options import ChatOptions
from qwenkit.types.reply import Reply

T = TypeVar("T")
PATH = "/files"
LARGE = 2_000_000  # bytes of an upload from which on its progress is worth showing
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between two looks at a document that is being read; the last repeats
_ROLE = "You are a helpful assistant."

Source: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO"
Asked: TypeAlias = "StoredFile | Source | Iterable[StoredFile | Source]"


class Page(msgspec.Struct, Generic[T]):
    """A part of a list; `data` is null when there is nothing."""

    data: list[T] | None = None
    has_more: bool = False


_FILE, _PAGE = Lenient.of(StoredFile), Lenient.of(Page[StoredFile])


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
        with watch(progress and size >= LARGE, "files:uploading") as draw:
            form = Upload({"purpose": purpose}, name, size, opener, lambda sent: draw((name, size, sent)))
            request = self._core.request("POST", "compatible", PATH, b"", headers=form.headers)
            answer: Answer = yield from self._core.send(msgspec.structs.replace(request, body=form))
        stored: StoredFile = _FILE.read(answer.body, "a file", request=request.name)
        return stored

    @call
    def list(
        self, *, purpose: str = "", create_after: str = "", create_before: str = "", limit: int = 2000
    ) -> Flow[FileList]:
        """All files of this account, or those of one purpose; pages of `limit` are fetched until there are no more.

        Times are written like `2026-05-01` or `2026-05-01 10:00:00`, in Beijing time.
        """
        told = {"purpose": purpose, "create_after": create_after, "create_before": create_before}
        return FileList((yield from paged(self._core, PATH, _PAGE, limit, told)))

    @call
    def get(self, file: StoredFile | str) -> Flow[StoredFile]:
        """What the service says about a file now."""
        stored: StoredFile = yield from told(self._core, "GET", _path(file), _FILE, "a file")
        return stored

    @call
    def wait(self, file: StoredFile | str, *, timeout: float = 600) -> Flow[StoredFile]:
        """Wait until a document has been read; `timeout` is in seconds."""
        look = partial(FileCalls.get.flow, self, file)
        found: StoredFile = yield from until(self._core, look, _is_over, PAUSES, timeout=timeout)
        if not found.processed:
            said = f"{found.filename} is {found.status}" + (f" after {timeout:g} s" if not _is_over(found) else "")
            raise TaskFailed(said, hint="upload it again, or wait longer: timeout=…", task=found)
        return found

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
            known = isinstance(file, StoredFile) or (isinstance(file, str) and file.startswith("file-"))
            stored = file if known else (yield from FileCalls.upload.flow(self, file))
            if isinstance(stored, StoredFile) and not stored.processed:
                stored = yield from FileCalls.wait.flow(self, stored)
            ids.append(named(stored, "file"))
        asked: Messages = [documents(*ids), *chat_protocol.messages(prompt)]
        chat = Chat(self._core)
        system, model = system or _ROLE, model or catalogue.DEFAULTS["long"]  # the first system message is the role
        return (yield from Chat.__call__.flow(chat, asked, system=system, model=model, **options))


def told(core: Core, method: str, path: str, shape: Lenient, what: str, body: Any = None) -> Flow[Any]:
    """What one call says, read as its shape."""
    request = core.request(method, "compatible", path, body)
    answer: Answer = yield from core.send(request)
    return shape.read(answer.body, what, request=request.name)


def paged(core: Core, path: str, shape: Lenient, limit: int, query: dict[str, Any]) -> Flow[list[Any]]:
    """The rows of every page of a list; what the query leaves empty is not asked for."""
    rows: list[Any] = []
    query = {"limit": limit, **{name: value for name, value in query.items() if value}}
    while True:
        page: Page[Any] = yield from told(core, "GET", f"{path}?{urlencode(query)}", shape, "a list")
        rows += page.data or []
        if not page.has_more or not page.data or page.data[-1].id == query.get("after"):
            return rows
        query["after"] = page.data[-1].id


def named(thing: Any, kind: str) -> str:
    """The id of a file or a batch, given as the value or as the id itself."""
    name = getattr(thing, "id", thing)
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{thing!r} names no {kind}", hint=f"pass the {kind} itself or its id")
    return name


def _path(file: StoredFile | str) -> str:
    return f"{PATH}/{quote(named(file, 'file'), safe='')}"


def _is_over(file: StoredFile) -> bool:
    return file.status in ("processed", "error", "deleted")


def _several(files: Any) -> list[Any]:
    one = isinstance(files, StoredFile | str | bytes | os.PathLike) or hasattr(files, "read")
    found = [files] if one else list(files) if isinstance(files, Iterable) else []
    if not found:
        raise ConfigError("there is no file to ask about", hint='qwen.files.ask("…", file)')
    return found


def _opened(source: Source, name: str) -> tuple[str, int, Opener]:
    """A file's name, its size, and how to read it from its beginning."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        try:
            with path.open("rb") as found:
                size = found.seek(0, io.SEEK_END)
        except (OSError, ValueError) as unread:
            said = f"{path.name!r} cannot be read ({getattr(unread, 'strerror', None) or unread})"
            web = "://" in str(source)
            raise ConfigError(
                said, hint="download it first" if web else "check the path and the working folder"
            ) from None
        return name or path.name, size, lambda: path.open("rb")
    file: Any = io.BytesIO(source) if isinstance(source, bytes | bytearray) else source
    if not (hasattr(file, "read") and hasattr(file, "seek") and isinstance(file.read(0), bytes)):
        said = f"a {type(source).__name__} cannot be uploaded"
        raise ConfigError(said, hint="pass a path, bytes, or an open binary file")
    name = name or Path(str(getattr(file, "name", ""))).name
    if not name:
        raise ConfigError("these bytes have no name", hint='pass name="notes.md": its ending tells the format')
    start = file.tell()
    return name, file.seek(0, io.SEEK_END) - start, partial(_again, file, start)


@contextmanager
def _again(source: BinaryIO, start: int) -> Iterator[BinaryIO]:
    source.seek(start)
    yield source  # whoever opened it closes it


class Files(FileCalls, SyncNoun):
    """`qwen.files`"""


class AsyncFiles(FileCalls, AsyncNoun):
    """`aqwen.files`"""
