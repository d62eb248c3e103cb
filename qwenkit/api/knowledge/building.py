"""Files on their way into a knowledge base: lease, upload, add, parse, index, each step seen.

What has been uploaded is written down at once, in a record beside the notebook. So a run that was broken goes on where
it was, and the same files given again are not sent again: a file is known by what it holds, and the service is asked
whether it still has it. One file that fails takes no other with it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from qwenkit.api.core import Core
from qwenkit.api.knowledge.ways import Way
from qwenkit.api.waiting import until
from qwenkit.errors import APIError, ConfigError, TaskFailed
from qwenkit.protocol.flow import Flow, Request, Together
from qwenkit.types.knowledge import FINISHED, Building, Job, KnowledgeFile, Stage

PAUSES = (1.0, 2.0, 3.0, 5.0)  # seconds between two looks; jobs may be looked at 20 times a minute
AT_ONCE = 4
_MEGABYTE = 1024 * 1024
_LIMITS = {  # megabytes, by ending
    **dict.fromkeys(("pdf", "docx", "doc", "wps", "pptx", "ppt", "epub", "mobi"), 100),
    **dict.fromkeys(("txt", "md", "html", "xlsx", "xls"), 10),
    **dict.fromkeys(("png", "jpg", "jpeg", "bmp", "gif"), 20),
}

Draw = Callable[[Building], None]


class Record:
    """What was uploaded, a line each: the digest of a file, and the id it has in the cloud."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._path = Path(path) if path else None
        self.known: dict[str, str] = {}
        self._from: dict[str, set[str]] = {}  # the ids that each path was uploaded as
        for line in self._lines():
            try:
                told = json.loads(line)
                self.known[str(told["digest"])] = str(told["id"])
                self._from.setdefault(str(told.get("path")), set()).add(str(told["id"]))
            except (ValueError, KeyError, TypeError):  # torn when the last run was killed
                continue

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text("utf-8", "replace").splitlines() if self._path else []
        except FileNotFoundError:
            return []
        except OSError as unfit:
            raise self._unfit("read", unfit) from unfit

    def _unfit(self, what: str, why: OSError) -> ConfigError:
        hint = "pass record='…' somewhere else, or record=None"
        return ConfigError(f"{self._path} cannot be {what} ({why.strerror})", hint=hint)

    def other(self, stage: Stage, id: str) -> bool:
        """Whether the file that has this id in the cloud said something else when it was sent."""
        sent = [digest for digest, known in self.known.items() if known == id]
        return bool(sent) and _digest(content_of(stage.path)) not in sent

    def was(self, stage: Stage, id: str) -> None:
        """Note that this file has been that one in the cloud."""
        self._from.setdefault(_place(stage), set()).add(id)

    def before(self, stage: Stage) -> set[str]:
        """What this file was in the cloud before it changed."""
        return self._from.get(_place(stage), set()) - {stage.id}

    def add(self, stage: Stage) -> None:
        self.known[stage.digest] = stage.id
        self.was(stage, stage.id)
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                told = {"digest": stage.digest, "id": stage.id, "path": _place(stage)}
                file.write(json.dumps(told) + "\n")
        except OSError as unfit:
            raise self._unfit("written", unfit) from unfit


def _place(stage: Stage) -> str:
    return Path(os.path.relpath(stage.path)).as_posix()


def stages(files: Any) -> list[Stage]:
    """Paths and folders as a list of files, each looked at before anything is sent."""
    given = files if isinstance(files, list | tuple | set) else [files]
    paths = [path for each in given for path in _paths(each)]
    if not paths:
        raise ConfigError("there are no files", hint='pass paths or folders: files=["handbook.pdf", "docs/"]')
    found = {path.resolve(): _stage(path) for path in paths}
    return list(found.values())


def _paths(given: Any) -> Iterable[Path]:
    if not isinstance(given, str | os.PathLike):
        raise ConfigError(f"a file cannot be {given!r:.60}", hint="pass a path, or a folder of files")
    path = Path(given)
    if os.path.isdir(path):
        found = (each for each in path.rglob("*") if each.is_file() and _ending(each) in _LIMITS)
        return sorted(each for each in found if not _hidden(each.relative_to(path)))  # checkpoints, repositories
    if not os.path.isfile(path):  # which knows of no name that is too long
        raise ConfigError(
            f"there is no file {str(given)!r:.80}", hint="check the path; it is taken from the notebook's folder"
        )
    return [path]


def content_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as gone:
        raise TaskFailed(f"{path.name} cannot be read ({gone.strerror})", hint="") from gone


def _digest(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _ending(path: Path) -> str:
    return path.suffix[1:].lower()


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _stage(path: Path) -> Stage:
    size, most = path.stat().st_size, _LIMITS.get(_ending(path))
    stage = Stage(path.name, size, path=path)
    if most is None:
        stage.error = f"files of this kind are not taken; {', '.join(sorted(_LIMITS))} are"
    elif not size:
        stage.error = "the file is empty"
    elif size > most * _MEGABYTE:
        stage.error = f"it has {size / _MEGABYTE:,.1f} MB; at most {most} are taken"
    elif not 4 <= len(path.name) <= 128:
        stage.error = "its name must have 4 to 128 characters"
    return stage


def uploaded(
    core: Core, way: Way, building: Building, record: Record, tags: list[str], draw: Draw, timeout: float | None
) -> Flow[None]:
    """Every file in the cloud and parsed, or with the reason why not; `timeout` is for the parsing of each."""
    waiting = [stage for stage in building.files if not stage.error and not stage.id]
    for at in range(0, len(waiting), AT_ONCE):  # by fours, so that between them one thread draws
        flows = [_guarded(stage, _sent(core, way, stage, record, tags)) for stage in waiting[at : at + AT_ONCE]]
        for outcome in (yield Together(flows, most=AT_ONCE)):
            if isinstance(outcome, BaseException):
                raise outcome
        draw(building)
    for stage in building.files:
        if not stage.error and stage.id and stage.stage != "parsed":
            yield from _guarded(stage, _parsed(core, way, stage, timeout))
            draw(building)


def _guarded(stage: Stage, flow: Flow[None]) -> Flow[None]:
    """A file that the service refuses is told of; what would stop every other too is raised."""
    try:
        yield from flow
    except (APIError, TaskFailed) as refused:
        if isinstance(refused, APIError) and (refused.status in (401, 403) or (refused.status or 500) >= 500):
            raise
        stage.stage, stage.error = "failed", refused.message


def _sent(core: Core, way: Way, stage: Stage, record: Record, tags: list[str]) -> Flow[None]:
    content = content_of(stage.path)
    stage.digest = _digest(content)
    known = yield from _known(way, record.known.get(stage.digest, ""))
    if known is not None and set(tags) <= set(known.tags):
        stage.id, stage.stage = known.id, "parsed" if known.parsed else "uploaded"
        return
    stage.stage = "uploading"
    stage.id = yield from put(core, way, stage.name, content, tags=tags)
    stage.stage = "uploaded"
    record.add(stage)


def _known(way: Way, id: str) -> Flow[KnowledgeFile | None]:
    """The file of this id, if the service still has it in good order. One it could not parse goes, to be sent anew."""
    if not id:
        return None
    try:
        found = yield from way.file(id)
    except APIError as gone:
        if gone.status in (401, 403) or (gone.status or 500) >= 500:
            raise
        return None
    if found.failed:
        yield from way.delete_file(id)
    return None if found.failed or not found.id else found


def put(
    core: Core, way: Way, name: str, content: bytes, *, kind: str = "UNSTRUCTURED", tags: list[str] | None = None
) -> Flow[str]:
    """The bytes of one file into the cloud; its id there."""
    lease = yield from way.lease(name, _digest(content), len(content), kind)
    headers = {"Content-Type": "", **lease.headers}  # exactly what the lease names, and an empty type where it does
    yield from core.send(Request(lease.method, lease.url, headers, content, timeout=core.config.timeout))
    return (yield from way.add_file(lease.id, kind, tags))


def _parsed(core: Core, way: Way, stage: Stage, timeout: float | None) -> Flow[None]:
    def over(file: KnowledgeFile) -> bool:
        return file.parsed or file.failed

    found = yield from until(core, lambda: way.file(stage.id), over, PAUSES, timeout=timeout)
    if not found.parsed:
        said = f"parsing it ended with {found.status}" if found.failed else f"it is {found.status} after {timeout:g} s"
        raise TaskFailed(found.error or said, hint="", task=found)
    stage.stage = "parsed"


def indexed(
    core: Core, way: Way, base: str, job: str, building: Building, draw: Draw, timeout: float | None
) -> Flow[None]:
    """Wait until the base has taken the files in; each tells how it went."""

    def seen(job: Job) -> None:
        states = {each.id: each for each in job.documents}
        for stage in building.files:
            found = states.get(stage.id)
            if found is None or stage.error:
                continue
            if found.failed:
                stage.stage, stage.error = "failed", found.message or found.status
            elif found.status == FINISHED:
                stage.stage = "ready"
            else:
                stage.stage = "indexing"
        draw(building)

    last = yield from until(core, lambda: way.job(base, job), lambda job: job.over, PAUSES, timeout=timeout, draw=seen)
    if not last.over:
        said = f"the base is still being built after {timeout:g} s"
        raise TaskFailed(said, hint="call it again: it goes on where it was", task=building)
    if last.status == "FAILED" and not building.ready:
        raise TaskFailed("the service could not build the base", hint=_why(building), task=building)
    for stage in building.files:  # a finished job need not name every document
        if stage.stage == "indexing" and last.status == "COMPLETED":
            stage.stage = "ready"


def _why(building: Building) -> str:
    first = next(iter(building.failures), None)
    return f"{first.name}: {first.error}" if first else "look at its documents, and try again"


def any_left(building: Building) -> None:
    """Refuse to go on when no file came through."""
    if all(stage.error for stage in building.files):
        raise TaskFailed("no file can be used", hint=_why(building), task=building)
