"""Files to talk about with an application: addresses travel as they are, files of this machine are uploaded first.

A file of one session takes the way of knowledge-base files up to the end, where the service makes it ready to be asked
about. It is gone when the session is, after seven days at the latest.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from qwenkit.api.core import Core
from qwenkit.api.knowledge.building import PAUSES, content_of, put
from qwenkit.api.knowledge.ways import way
from qwenkit.api.waiting import until
from qwenkit.errors import ConfigError, TaskFailed
from qwenkit.protocol.flow import Flow
from qwenkit.types.knowledge import READY, KnowledgeFile

MOST = 10
_KIND = "SESSION_FILE"


def attach(core: Core, body: dict[str, Any], files: Any) -> Flow[None]:
    """Put the files where the application looks for them."""
    given = list(files) if isinstance(files, list | tuple) else [files]
    if len(given) > MOST:
        raise ConfigError(f"{len(given)} files are too many", hint=f"at most {MOST} in one call")
    remote = [each for each in given if isinstance(each, str) and each.startswith(("http://", "https://"))]
    local = [each for each in given if each not in remote]
    if remote:
        body["input"]["file_list"] = remote
    if local:
        ids = []
        for each in local:
            ids.append(each.id if isinstance(each, KnowledgeFile) else (yield from _sent(core, each)))
        rag = body["parameters"].setdefault("rag_options", {})
        rag["session_file_ids"] = [*rag.get("session_file_ids", []), *ids]


def _sent(core: Core, source: Any) -> Flow[str]:
    if isinstance(source, str) and source.startswith("file_session_"):
        return source
    if not isinstance(source, str | os.PathLike) or not os.path.isfile(source):
        raise ConfigError(
            f"there is no file {str(source)!r:.80}", hint="pass a path, an address, or a file_session_… id"
        )
    road, path = way(core), Path(source)
    if not path.stat().st_size:
        raise ConfigError(f"{path.name} is empty", hint="there is nothing in it to talk about")
    id = yield from put(core, road, path.name, content_of(path), kind=_KIND)
    found = yield from until(core, lambda: road.file(id), _over, PAUSES, timeout=core.config.timeout)
    if found.status != READY:
        raise TaskFailed(f"{path.name} is {found.status}: {found.error or 'it cannot be asked about'}", task=found)
    return id


def _over(file: KnowledgeFile) -> bool:
    return file.status == READY or file.failed
