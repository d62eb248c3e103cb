"""Uploaded files: the shelf they stand on, and `…/files` to upload, list, look at, delete and download them.

A document (purpose `file-extract`) is parsed when it comes: a short one at once, a long one in a thread of the loop's
executor while its status says `processing`. What cannot be read is kept all the same; chat says why when asked.
Only results of batches can be downloaded, as on the service.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qwenkit.catalogue import tokens
from qwenkit.reading import PICTURES, Unreadable, text_of
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.routing import Verb
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.store import Store

PATH = "/compatible-mode/v1/files"
PREFIXES = {
    "file-extract": "file-fe-",
    "batch": "file-batch-",
    "fine-tune": "file-ft-",
    "batch_output": "file-batch_output-",
}
UPLOADED = ("file-extract", "batch", "fine-tune")
LARGEST = 150_000_000  # of any file; the service takes batch files of 500 MB
LARGEST_PICTURE = 20_000_000
SHORT = 256 * 1024  # bytes of a document that is parsed while the upload waits
_TIME = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[ T]?(\d\d):?(\d\d):?(\d\d))?")
_HERE = timezone(timedelta(hours=8))  # the filters behave like Beijing time

Json = dict[str, Any]


@dataclass(frozen=True)
class StoredFile:
    """One file. `text` is what a document says; `problem` why it says nothing; `tokens` how long it is."""

    id: str
    filename: str
    purpose: str
    bytes: int
    created_at: int
    status: str
    text: str
    problem: str
    tokens: int

    @property
    def wire(self) -> Json:
        shown = ("id", "bytes", "filename", "purpose", "status", "created_at")
        return {"object": "file", **{name: getattr(self, name) for name in shown}}


class Files:
    """The shelf: bytes and parsed texts, in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reading: dict[str, asyncio.Task[None]] = {}
        store.run(
            "CREATE TABLE IF NOT EXISTS files (id TEXT PRIMARY KEY, filename TEXT, purpose TEXT, bytes INTEGER, "
            "created_at INTEGER, status TEXT, text TEXT, problem TEXT, tokens INTEGER, data BLOB)"
        )

    def add(self, filename: str, data: bytes, purpose: str, seed: str, now: float) -> StoredFile:
        """Keep a file; its id follows from `seed`. A long document is left to be read beside the loop."""
        name = PREFIXES[purpose] + digest(f"{seed}/file")[:24]
        unread = purpose == "file-extract"
        self._store.run(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, '', '', 0, ?)",
            *(name, filename, purpose, len(data), int(now), "processing" if unread else "processed", data),
        )
        if unread and len(data) > SHORT:
            self._reading[name] = task = asyncio.create_task(asyncio.to_thread(self._read, name))
            task.add_done_callback(lambda done: self._reading.pop(name, None))
        elif unread:
            self._read(name)
        return self._rows("WHERE id = ?", name)[0]

    def _read(self, name: str) -> None:
        """Parse a document, and remember what it says or why it says nothing."""
        for filename, data in self._store.run("SELECT filename, data FROM files WHERE id = ?", name):
            text = problem = ""
            try:
                text = text_of(filename, data).encode("utf-8", "replace").decode()
            except Unreadable as unreadable:
                problem = str(unreadable)
            told = (text, problem, tokens.count(text), name)
            self._store.run("UPDATE files SET status='processed', text=?, problem=?, tokens=? WHERE id = ?", *told)

    def get(self, name: str) -> StoredFile | None:
        """The file of that id. One that an earlier sandbox stopped over is read now."""
        found = self._rows("WHERE id = ?", name)
        if found and found[0].status == "processing" and name not in self._reading:
            self._read(name)
            found = self._rows("WHERE id = ?", name)
        return found[0] if found else None

    def data(self, name: str) -> bytes:
        rows = self._store.run("SELECT data FROM files WHERE id = ?", name)
        return bytes(rows[0][0]) if rows else b""

    def delete(self, name: str) -> None:
        self._store.run("DELETE FROM files WHERE id = ?", name)

    def newest(self, purpose: str | None, since: float, until: float) -> list[StoredFile]:
        """All of them, the latest first."""
        fitting = "WHERE (? IS NULL OR purpose = ?) AND created_at BETWEEN ? AND ? ORDER BY rowid DESC"
        return self._rows(fitting, purpose, purpose, since, until)

    def _rows(self, where: str, *values: Any) -> list[StoredFile]:
        names = ", ".join(each.name for each in fields(StoredFile))
        return [StoredFile(*row) for row in self._store.run(f"SELECT {names} FROM files {where}", *values)]


async def upload(service: Service, request: Request) -> Response:
    """Keep the `file` of a form under its `purpose`."""
    name, data, purpose = await _form(request)
    if not name:
        raise Refusal("InvalidParameter", "Required parameter(file) missing or invalid.")
    if purpose not in UPLOADED:
        raise Refusal("InvalidParameter", f"'purpose' should be one of {list(UPLOADED)}.")
    picture = name.rpartition(".")[2].lower() in PICTURES
    most, what = (LARGEST_PICTURE, "A picture") if picture else (LARGEST, "A file")
    if len(data) > most:
        raise Refusal("BadRequest.TooLarge", f"{what} may have {most // 1_000_000} MB in the sandbox.")
    if not data:
        raise Refusal("InvalidParameter", "The file is empty.")
    stored = service.shelf(Files).add(name, data, purpose, request.state.request_id, service.clock())
    return JSONResponse(stored.wire)


async def _form(request: Request) -> tuple[str, bytes, str]:
    """What a form says: the name of its file, the file, and its purpose. All of it stays in memory."""

    async def whole() -> AsyncGenerator[bytes, None]:
        yield request.state.body

    try:
        parser = MultiPartParser(request.headers, whole())
        parser.spool_max_size = len(request.state.body) + 1
        form = await parser.parse()
    except (KeyError, ValueError, MultiPartException):
        raise Refusal("InvalidParameter", "The request must be multipart/form-data with file and purpose.") from None
    file = form.get("file")
    name, data = (file.filename or "", await file.read()) if isinstance(file, UploadFile) else ("", b"")
    await form.close()
    return name, data, str(form.get("purpose", ""))


async def listed(service: Service, request: Request) -> Response:
    """A page of files: `after`, `limit`, and filters by purpose and time."""
    query = request.query_params
    since, until = moment(query.get("create_after"), 0), moment(query.get("create_before"), 2**53)
    found = [file.wire for file in service.shelf(Files).newest(query.get("purpose"), since, until)]
    data, more = page(found, query, 2000, 2000)
    return JSONResponse({"object": "list", "data": data, "has_more": more})


def page(found: list[Json], query: Mapping[str, str], usual: int, most: int) -> tuple[list[Json], bool]:
    """The part of a list that a query's `after` and `limit` ask for, and whether more follows it."""
    after, asked = query.get("after"), query.get("limit") or str(usual)
    if not (asked.isascii() and asked.isdigit() and 1 <= int(asked[:6]) <= most):
        raise Refusal("InvalidParameter", f"Range of limit should be [1, {most}]")
    ids = [each["id"] for each in found]
    if after and after not in ids:
        raise Refusal("InvalidParameter", f"'after' names nothing in this list: {after[:80]}")
    rest = found[ids.index(after) + 1 :] if after else found
    return rest[: int(asked)], len(rest) > int(asked)


def moment(text: str | None, usual: float) -> float:
    """A time filter, in any of the documented ways to write one."""
    if not text:
        return usual
    found = _TIME.fullmatch(text)
    try:
        return datetime(*(int(part or 0) for part in found.groups()), tzinfo=_HERE).timestamp()  # type: ignore[union-attr, arg-type, misc]
    except (AttributeError, ValueError, OverflowError):
        raise Refusal("InvalidParameter", f"'{text[:40]}' is not a time like 20250306123000.") from None


async def retrieve(service: Service, request: Request) -> Response:
    return JSONResponse(_asked(service, request).wire)


async def delete(service: Service, request: Request) -> Response:
    file = _asked(service, request)
    service.shelf(Files).delete(file.id)
    return JSONResponse({"id": file.id, "object": "file", "deleted": True})


async def content(service: Service, request: Request) -> Response:
    """The bytes of a batch's result, without a content type as recorded."""
    file = _asked(service, request)
    if file.purpose != "batch_output":
        raise Refusal("InvalidParameter", f"Files with purpose '{file.purpose}' cannot be downloaded.")
    return Response(service.shelf(Files).data(file.id))


def _asked(service: Service, request: Request) -> StoredFile:
    name = request.path_params["id"]
    file = service.shelf(Files).get(name)
    if file is None:
        raise Refusal("NotFound", f"No such File object: {name[:80]}")
    return file


ROUTES: list[Verb] = [
    ("POST", PATH, upload),
    ("GET", PATH, listed),
    ("GET", PATH + "/{id}", retrieve),
    ("DELETE", PATH + "/{id}", delete),
    ("GET", PATH + "/{id}/content", content),
]
