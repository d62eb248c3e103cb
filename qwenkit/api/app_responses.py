"""An application over the Responses protocol: `app.responses("…")`, and in the background.

    job = app.responses("Summarise all reports.", background=True)      queued; job.id names it
    answer = app.responses.wait(job)                                    looks until it is done

The service keeps no history here: what was said before goes into the input again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from qwenkit import catalogue
from qwenkit.api.accounts import OpenCall
from qwenkit.api.billed import billed
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call, stream
from qwenkit.api.stream import Plan
from qwenkit.errors import ConfigError, TaskFailed
from qwenkit.protocol import options as checked
from qwenkit.protocol import responses as protocol
from qwenkit.protocol.flow import Answer, Flow, Pause
from qwenkit.protocol.response_stream import ResponseFold
from qwenkit.types.response import Response, ResponseEvent

PAUSES = (0.5, 1.0, 2.0, 5.0)  # seconds between two looks, the last one for ever
_RUNNING = ("queued", "running", "in_progress")


class AppResponseCalls:
    """The calls, written once for both flavours."""

    _core: Core
    id: str

    @call
    def __call__(
        self,
        prompt: Any,
        *,
        biz_params: Mapping[str, Any] | None = None,
        background: bool = False,
        extra: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Flow[Response]:
        """Ask once. `prompt` is a string, or items with what was said before. `background=True` only queues it."""
        body = _body(prompt, biz_params, extra, {"background": True} if background else {})
        request = self._core.request("POST", "apps", self._path(), body, timeout=timeout)
        return (yield from billed(self._core, request, self._open(body), protocol.read))

    @stream
    def stream(
        self,
        prompt: Any,
        *,
        biz_params: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Plan[ResponseEvent, Response]:
        """Ask, and iterate the events."""
        body = _body(prompt, biz_params, extra, {"stream": True})
        request = self._core.request("POST", "apps", self._path(), body, stream=True, timeout=timeout)
        fold = ResponseFold(request=request.name)
        return Plan.of(request, fold, partial(self._open, body), protocol.words(body["input"]))

    @call
    def get(self, response: Response | str) -> Flow[Response]:
        """A response by its id, as far as it is."""
        return (yield from self._look("GET", response))

    @call
    def cancel(self, response: Response | str) -> Flow[Response]:
        """Stop one that is queued or running."""
        return (yield from self._look("POST", response, "/cancel"))

    @call
    def delete(self, response: Response | str) -> Flow[bool]:
        """Forget one that is over."""
        request = self._core.request("DELETE", "apps", self._path(response))
        yield from self._core.send(request)
        return True

    @call
    def wait(self, response: Response | str, *, timeout: float = 300.0) -> Flow[Response]:
        """Look until it is done, for at most `timeout` seconds; `TaskFailed` when it failed or was cancelled."""
        waited, looks = 0.0, 0
        while True:
            found: Response = yield from self._look("GET", response)
            if found.status not in _RUNNING:
                break
            pause = PAUSES[min(looks, len(PAUSES) - 1)]
            if waited + pause > timeout:
                raise ConfigError(f"it is not done after {waited:g} s", hint="wait again: app.responses.wait(job)")
            yield Pause(pause)
            waited, looks = waited + pause, looks + 1
        if found.status != "completed":
            raise TaskFailed(f"the application's answer is {found.status}", hint="ask again", request_id=found.id)
        return found

    def _look(self, method: str, response: Response | str, more: str = "") -> Flow[Response]:
        request = self._core.request(method, "apps", self._path(response) + more)
        answer: Answer = yield from self._core.send(request)
        told = answer.headers.get("x-request-id", "")
        return protocol.read(answer.body, request=request.name, request_id=told)

    def _path(self, response: Any = None) -> str:
        path = f"/agent/{self.id}/compatible-mode/v1/responses"
        named = protocol.identity(response, Response, "this") if response is not None else ""
        return f"{path}/{quote(named, safe='')}" if named else path

    def _open(self, body: dict[str, Any]) -> OpenCall:
        words = protocol.words(body["input"])
        return self._core.accounts.open("apps", "application", catalogue.tokens.count_messages(words))


def _body(prompt: Any, biz_params: Any, extra: Any, more: dict[str, Any]) -> dict[str, Any]:
    if not prompt:
        raise ConfigError(f"the prompt cannot be {prompt!r}", hint='ask in words: app.responses("…")')
    if not isinstance(biz_params, Mapping | None):
        raise ConfigError(f"biz_params cannot be {biz_params!r:.60}", hint='it is a dict: {"city": "…"}')
    said = prompt if isinstance(prompt, str) else protocol.items(prompt)
    return {"input": said, **({"biz_params": dict(biz_params)} if biz_params else {}), **more, **checked.extra(extra)}


class AppResponses(AppResponseCalls, SyncNoun):
    """`app.responses("…")`, `.stream`, `.get`, `.wait`, `.cancel`, `.delete`."""

    def __init__(self, core: Core, app_id: str) -> None:
        super().__init__(core)
        self.id = app_id


class AsyncAppResponses(AppResponseCalls, AsyncNoun):
    """`await app.responses("…")`, and the same verbs."""

    def __init__(self, core: Core, app_id: str) -> None:
        super().__init__(core)
        self.id = app_id
