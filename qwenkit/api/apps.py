"""Applications: agents and workflows that were configured in the console, called by their id.

    tutor = qwen.apps("APP_ID")
    reply = tutor("How do refunds work?")          reply.words, .references, .thoughts, .cost
    tutor("And for students?", session=reply)      the service remembers for an hour
    talk = tutor.session()                         or let an object remember: talk("…"), talk("…")
    qk.show(tutor.stream("…"))                     piece by piece, with its thoughts and nodes
    tutor.responses("…")                           the same application over the Responses protocol

Wiring only: bodies are made in `protocol.apps`, frames are read in `protocol.apps_stream`.
"""

from __future__ import annotations

from functools import cached_property, partial
from time import perf_counter
from typing import Any, Unpack

from qwenkit import catalogue
from qwenkit.api.accounts import OpenCall
from qwenkit.api.app_responses import AppResponses, AsyncAppResponses
from qwenkit.api.billed import billed
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call, stream
from qwenkit.api.sending import placed
from qwenkit.api.stream import Plan
from qwenkit.config import environment
from qwenkit.errors import ConfigError
from qwenkit.protocol import apps as protocol
from qwenkit.protocol.apps_stream import AppFold, read
from qwenkit.protocol.flow import Flow, Request
from qwenkit.types.app import AppOptions, AppPiece, AppReply

_SSE = {"X-DashScope-SSE": "enable"}


class AppCalls:
    """The calls of one application, written once for both flavours."""

    _core: Core
    id: str

    @call
    def __call__(self, prompt: str = "", **options: Unpack[AppOptions]) -> Flow[AppReply]:
        """Ask once and get the whole answer.

        `session` is the reply to go on from, or its `session_id`; the service remembers for an hour and 50 rounds.
        `messages` brings a history of your own instead. `images` are pictures as in `qwen.chat`, `files` addresses or
        paths of documents to talk about. `knowledge` names knowledge bases to look into, `rag_options` says where in
        them (`file_ids`, `tags`, `metadata_filter`, `structured_filter`). `thoughts=True` tells what was done,
        `thinking=True` lets the model reason. `biz_params` are a workflow's variables, or parameters of prompts and
        plug-ins. `extra` adds wire fields to the parameters, `timeout` is in seconds.
        """
        body = protocol.body(prompt, options)
        return (yield from billed(self._core, self._request(body, options), self._open(body), read))

    @stream
    def stream(self, prompt: str = "", **options: Unpack[AppOptions]) -> Plan[AppPiece, AppReply]:
        """Ask, and iterate the answer: pieces bring text, reasoning, a thought, or a node of a workflow.

        Of a workflow `flow_stream_mode="message_format"` tells the nodes that answer, "message_format_plus" all.
        """
        body = protocol.body(prompt, options, stream=True)
        name, incremental = (
            self._core.request("POST", "native", protocol.path(self.id)).name,
            protocol.incremental(body),
        )
        fold = AppFold(request=name, incremental=incremental, clock=perf_counter)
        request, said = self._request(body, options, stream=True), _said(body)
        return Plan.of(request, fold, partial(self._open, body), said)

    def _open(self, body: dict[str, Any]) -> OpenCall:
        return self._core.accounts.open("apps", "application", _said(body))

    def _request(self, body: dict[str, Any], options: AppOptions, *, stream: bool = False) -> Flow[Request]:
        core, model = self._core, options.get("model_id") or catalogue.DEFAULTS["vision"]
        body, headers = yield from placed(core, body, model)
        if options.get("files") is not None:
            from qwenkit.api.knowledge.session_files import attach

            yield from attach(core, body, options["files"])
        headers |= _SSE if stream else {}
        to, timeout = protocol.path(self.id), options.get("timeout")
        return core.request("POST", "native", to, body, stream=stream, timeout=timeout, headers=headers)


def _said(body: dict[str, Any]) -> list[dict[str, Any]]:
    return body["input"].get("messages") or [{"role": "user", "content": body["input"].get("prompt", "")}]


class _App:
    """One application, and what can be done with it."""

    def __init__(self, core: Core, app_id: str) -> None:
        self._core = core
        self.id = protocol.identity(app_id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"


class App(_App, AppCalls, SyncNoun):
    """`app = qwen.apps("APP_ID")`, then `app("…")`, `app.stream("…")`, `app.session()`."""

    def session(self) -> Session:
        """An object that remembers: `talk = app.session()`, then `talk("…")`, `talk("…")`."""
        return Session(self)

    @cached_property
    def responses(self) -> AppResponses:
        """The same application over the Responses protocol, in the background too."""
        return AppResponses(self._core, self.id)


class AsyncApp(_App, AppCalls, AsyncNoun):
    """`app = aqwen.apps("APP_ID")`, then `await app("…")`."""

    def session(self) -> AsyncSession:
        """An object that remembers: `talk = app.session()`, then `await talk("…")`."""
        return AsyncSession(self)

    @cached_property
    def responses(self) -> AsyncAppResponses:
        return AsyncAppResponses(self._core, self.id)


class SessionCalls:
    """A conversation that the service remembers; what it answered is in `replies`."""

    _core: Core
    app: Any
    replies: list[AppReply]

    @call
    def __call__(self, prompt: str, **options: Unpack[AppOptions]) -> Flow[AppReply]:
        """The next question; options are those of a call."""
        reply: AppReply = yield from AppCalls.__call__.flow(self.app, prompt, **self._going_on(options))
        self.replies.append(reply)
        return reply

    @stream
    def stream(self, prompt: str, **options: Unpack[AppOptions]) -> Plan[AppPiece, AppReply]:
        """The next question, answered piece by piece."""
        plan: Plan[AppPiece, AppReply] = AppCalls.stream.flow(self.app, prompt, **self._going_on(options))
        plan.then = self.replies.append
        return plan

    def _going_on(self, options: AppOptions) -> AppOptions:
        if "session" in options or "messages" in options:
            given = "session" if "session" in options else "messages"
            raise ConfigError(f"this session has its own past: {given} cannot be given", hint=f"app(…, {given}=…)")
        return {**options, "session": self.id} if self.id else options

    @property
    def id(self) -> str:
        """The service's name for it; empty before the first answer. It holds for an hour after the last."""
        return self.replies[-1].session_id if self.replies else ""

    def __repr__(self) -> str:
        return f"Session({len(self.replies)} answers)"


class Session(SessionCalls, SyncNoun):
    """`talk = app.session()`, then `talk("…")`."""

    def __init__(self, app: App) -> None:
        super().__init__(app._core)
        self.app, self.replies = app, []


class AsyncSession(SessionCalls, AsyncNoun):
    """`talk = app.session()`, then `await talk("…")`."""

    def __init__(self, app: AsyncApp) -> None:
        super().__init__(app._core)
        self.app, self.replies = app, []


class Apps(SyncNoun):
    """`qwen.apps("APP_ID")` is one application; `qwen.apps.example("tutor")` one to learn with."""

    def __call__(self, app_id: str) -> App:
        """The application with this id; nothing is sent."""
        return App(self._core, app_id)

    def example(self, name: str) -> App:
        """An application of the lessons: the sandbox has them ready, live the environment names yours."""
        return App(self._core, _example(self._core, name))


class AsyncApps(AsyncNoun):
    """`aqwen.apps("APP_ID")` is one application."""

    def __call__(self, app_id: str) -> AsyncApp:
        """The application with this id; nothing is sent."""
        return AsyncApp(self._core, app_id)

    def example(self, name: str) -> AsyncApp:
        """An application of the lessons: the sandbox has them ready, live the environment names yours."""
        return AsyncApp(self._core, _example(self._core, name))


def _example(core: Core, name: str) -> str:
    if not isinstance(name, str):
        raise ConfigError(f"an application cannot be {name!r:.40}", hint='name one: apps.example("tutor")')
    if core.box is not None:
        known: dict[str, str] = core.box.apps
        if name not in known:
            raise ConfigError(f"the sandbox has no application {name!r:.40}", hint=f"it has {', '.join(known)}")
        return known[name]
    variable = f"DASHSCOPE_APP_{name.upper()}"
    found = environment().get(variable, "")
    if not found:
        raise ConfigError(f"no application is named {name!r:.40}", hint=f"make one in the console, then set {variable}")
    return found
