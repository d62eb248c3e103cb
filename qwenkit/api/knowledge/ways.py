"""The two ways to the same knowledge bases, behind one set of calls.

`Signed` speaks the OpenAPI with an AccessKey, `Keyed` the RAG API with the key everything else uses. What differs
between the two is told by the table `protocol.knowledge.CALLS`; what is left for the classes is how a request is made.
Every call is a flow. A signature holds for one try: each try is dated and signed anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import count
from secrets import token_hex
from typing import Any, TypeVar

from msgspec.structs import replace

from qwenkit.access import ID_NAME, AccessKey
from qwenkit.api.core import Core
from qwenkit.errors import ConfigError
from qwenkit.protocol import acs3
from qwenkit.protocol import knowledge as protocol
from qwenkit.protocol.flow import Answer, Flow, Request
from qwenkit.protocol.knowledge_calls import CALLS, VERSION, Route, spelled
from qwenkit.types.knowledge import BaseFacts, Job, KnowledgeDocument, KnowledgeFile, Lease, Node

T = TypeVar("T")
_KNOWLEDGE = "UNSTRUCTURED"  # the kind of files that bases are made of
_PAGE, _FILES, _CHUNKS = 50, 100, 100  # the most that is asked for at once


def way(core: Core, given: str = "") -> Way:
    """The way that was asked for, else the one there are keys for: the AccessKey where there is one."""
    if given not in ("", "openapi", "rag"):
        raise ConfigError(f"way cannot be {given!r:.40}", hint="it is 'openapi' (AccessKey) or 'rag' (API key)")
    key = core.config.access_key
    if given == "openapi" and key is None:
        raise ConfigError("the OpenAPI needs an AccessKey, and there is none", hint=f"set {ID_NAME} and …_SECRET")
    return Signed(core, key) if key is not None and given != "rag" else Keyed(core)


class Way(ABC):
    """What can be asked, whichever way it goes."""

    name: str
    _side: int  # of the table
    _core: Core

    @abstractmethod
    def _request(self, route: Route, given: dict[str, Any]) -> Request: ...

    def ask(self, name: str, /, extra: dict[str, Any] | None = None, **given: Any) -> Flow[Any]:
        """One call of the table; what its answer holds under `Data`."""
        call = CALLS[name]
        told = {**call.told(self._side, given), **(extra or {})}
        try:
            request = self._request(call[self._side], told)  # type: ignore[arg-type]
        except (TypeError, UnicodeError) as odd:
            raise ConfigError(f"this cannot be sent: {odd!s:.80}", hint="pass text, numbers, lists and dicts") from None
        answer: Answer = yield from self._core.send(request)
        return protocol.data(answer.body, request=request.name, request_id=answer.headers.get("x-request-id", ""))

    def _all(
        self, read: Callable[[Any], tuple[list[T], int]], call: str, most: int = _PAGE, /, **given: Any
    ) -> Flow[list[T]]:
        """Every page of a list that tells how many there are in all."""
        found: list[T] = []
        for page in count(1):
            part, total = read((yield from self.ask(call, page=page, most=most, **given)))
            found += part
            if not part or len(found) >= total:
                break
        return found

    def lease(self, name: str, digest: str, size: int, kind: str = _KNOWLEDGE) -> Flow[Lease]:
        return protocol.lease((yield from self.ask("lease", name=name, digest=digest, size=str(size), kind=kind)))

    def add_file(self, lease: str, kind: str = _KNOWLEDGE, tags: list[str] | None = None) -> Flow[str]:
        return protocol.file((yield from self.ask("add_file", lease=lease, kind=kind, tags=tags or None))).id

    def file(self, id: str) -> Flow[KnowledgeFile]:
        return protocol.file((yield from self.ask("file", file=id)))

    def files(self, name: str = "") -> Flow[list[KnowledgeFile]]:
        found: list[KnowledgeFile] = []
        token: str | None = ""
        while token is not None:
            part, token = protocol.files((yield from self.ask("files", name=name, most=_FILES, token=token)))
            found += part
        return found

    def delete_file(self, id: str) -> Flow[None]:
        yield from self.ask("delete_file", file=id)

    @abstractmethod
    def create(self, name: str, files: list[str], settings: dict[str, Any]) -> Flow[tuple[str, str]]:
        """Begin a base of these files: its id, and that of the job."""

    def add(self, base: str, files: list[str], settings: dict[str, Any]) -> Flow[str]:
        cut = {name: value for name, value in settings.items() if name in CALLS["add"].names}
        return protocol.job((yield from self.ask("add", settings.get("extra"), base=base, files=files, **cut))).id

    def job(self, base: str, id: str) -> Flow[Job]:
        return protocol.job((yield from self.ask("job", base=base, job=id, most=_PAGE)))

    def bases(self, name: str = "") -> Flow[list[BaseFacts]]:
        named = {"name": name} if self._side == 0 else {}
        found = yield from self._all(protocol.bases, "bases", **named)
        return [each for each in found if name in ("", each.name)]

    def documents(self, base: str) -> Flow[list[KnowledgeDocument]]:
        return (yield from self._all(protocol.documents, "documents", base=base))

    def remove(self, base: str, documents: list[str]) -> Flow[None]:
        yield from self.ask("remove", base=base, documents=documents)

    def delete(self, base: str) -> Flow[None]:
        yield from self.ask("delete", base=base)

    def chunks(self, base: str, document: str, most: int) -> Flow[list[Node]]:
        def read(wire: Any) -> tuple[list[Node], int]:
            found, total = protocol.nodes(wire)
            return found, min(total, most)

        return (yield from self._all(read, "chunks", min(most, _CHUNKS), base=base, document=document))[:most]

    def search(self, base: str, query: str, wish: dict[str, Any]) -> Flow[list[Node]]:
        told = {name: value for name, value in wish.items() if name in CALLS["search"].names}
        found, _ = protocol.nodes((yield from self.ask("search", wish.get("extra"), base=base, query=query, **told)))
        return found


def _settings(settings: dict[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in settings.items() if name in CALLS["create"].names}
    if told.get("metadata"):
        told["metadata"] = [
            {name[:1].upper() + name[1:]: value for name, value in each.items()} for each in told["metadata"]
        ]
    return told


class Signed(Way):
    """The OpenAPI of 2023-12-29."""

    name, _side = "openapi", 0

    def __init__(self, core: Core, key: AccessKey) -> None:
        self._core, self._key = core, key
        self._workspace = key.workspace or core.config.workspace
        if not self._workspace:
            hint = "pass workspace='llm-…' (console → workspace settings), or set DASHSCOPE_WORKSPACE"
            raise ConfigError("knowledge bases lie in a workspace, and none is named", hint=hint)

    def _request(self, route: Route, given: dict[str, Any]) -> Request:
        path, body, kind = spelled(route, given, self._workspace)
        url = self._core.config.url("openapi", path)
        headers = {"Accept": "application/json", "User-Agent": "qwenkit", **({"Content-Type": kind} if kind else {})}
        request = Request(route.method, url, headers, body or None, timeout=self._core.config.timeout)
        return replace(request, renew=partial(self._signed, request, route.action))

    def _signed(self, request: Request, action: str) -> Request:
        key, body = self._key, request.body if isinstance(request.body, bytes) else b""
        added = acs3.signed(
            request.method,
            request.url,
            request.headers,
            body,
            key_id=key.id,
            secret=key.secret.reveal(),
            token=key.token.reveal(),
            action=action,
            version=VERSION,
            date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            nonce=token_hex(16),
        )
        return replace(request, headers={**request.headers, **added})

    def create(self, name: str, files: list[str], settings: dict[str, Any]) -> Flow[tuple[str, str]]:
        made = yield from self.ask("create", settings.get("extra"), name=name, files=files, **_settings(settings))
        base = protocol.base(made).id
        return base, protocol.job((yield from self.ask("submit", base=base))).id


class Keyed(Way):
    """The RAG API, with the API key, on the workspace's own host."""

    name, _side = "rag", 1

    def __init__(self, core: Core) -> None:
        self._core = core

    def _request(self, route: Route, given: dict[str, Any]) -> Request:
        path, body, kind = spelled(route, given)
        headers = {"Content-Type": kind} if kind else {}
        return self._core.request(route.method, "rag", path, body or None, headers=headers)

    def create(self, name: str, files: list[str], settings: dict[str, Any]) -> Flow[tuple[str, str]]:
        told = {"description": name, **_settings(settings)}  # which is required here
        made = yield from self.ask("create", settings.get("extra"), name=name, files=files, **told)
        return protocol.base(made).id, protocol.job(made).id
