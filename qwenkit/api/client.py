"""The client: one object, a handful of nouns.

    qwen = qk.Client()                 key from DASHSCOPE_API_KEY, region Beijing
    qwen.chat("…")                     ask
    qwen.conversation(system="…")      ask, and remember
    qwen.models                        what there is
    qwen.usage                         what it took
    qwen.aio                           the same client, awaited

Nothing is opened before the first call. `close()` (or a `with` block) lets connections go; a forgotten client lets go
of them when it is collected.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Unpack

import msgspec

from qwenkit.api.batches import AsyncBatches, Batches
from qwenkit.api.chat import AsyncChat, Chat
from qwenkit.api.completions import AsyncCompletions, Completions
from qwenkit.api.conversation import AsyncConversation, Conversation
from qwenkit.api.core import Core
from qwenkit.api.embeddings import AsyncEmbeddings, Embeddings
from qwenkit.api.files import AsyncFiles, Files
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.many import AsyncMap, Map
from qwenkit.api.models import AsyncModels, Models
from qwenkit.api.native import AsyncNative, Native
from qwenkit.api.rerank import AsyncRerank, Rerank
from qwenkit.api.responses import AsyncResponses, Responses
from qwenkit.api.tasks import AsyncTasks, Tasks
from qwenkit.api.translate import AsyncTranslate, Translate
from qwenkit.config import Config
from qwenkit.errors import InvalidRequest, ServerError
from qwenkit.protocol.flow import Answer, Flow
from qwenkit.protocol.lenient import Lenient
from qwenkit.secret import Secret
from qwenkit.types._shown import Shown
from qwenkit.types.connection import Connection
from qwenkit.types.keys import TemporaryKey
from qwenkit.types.ledger import Ledger
from qwenkit.types.options import ChatOptions

_TOKEN = Lenient.of(TemporaryKey)


class ClientCalls(Shown):
    """What both flavours share: the card, the ledger, and the calls that belong to no noun."""

    _core: Core

    @property
    def box(self) -> Any:
        """The embedded sandbox itself, None for a live client: `qwen.box.fault("429")` makes it misbehave."""
        return self._core.box

    @property
    def usage(self) -> Ledger:
        """Every call of this session, with tokens, time and estimated cost."""
        return self._core.accounts.ledger

    @property
    def config(self) -> Config:
        return self._core.config

    @property
    def model(self) -> str:
        """The model used when a call names none."""
        return self._core.model

    @call
    def temporary_key(self, *, seconds: int = 60) -> Flow[TemporaryKey]:
        """A key that works for `seconds` (1 to 1800) and then no more; hand it to code you do not trust."""
        if not 1 <= seconds <= 1800:
            raise InvalidRequest(f"seconds cannot be {seconds}", hint="a temporary key lives 1 to 1800 seconds")
        request = self._core.request("POST", "native", f"/tokens?expire_in_seconds={seconds}")
        answer: Answer = yield from self._core.send(request)
        try:
            key: TemporaryKey = _TOKEN.decode(answer.body)
        except msgspec.DecodeError as broken:
            raise ServerError("the service gave no readable token", status=200, request=request.name) from broken
        return key

    @property
    def connection(self) -> Connection:
        """Where this client calls, and with which (masked) key."""
        config = self._core.config
        budget = self._core.accounts.ledger.budget
        return Connection(
            region=config.region,
            workspace=config.workspace,
            masked_key=config.key.masked,
            key_from=config.key_from,
            model=self._core.model,
            urls={name: url for name, url in config.urls.items() if name != "root"},
            sandbox=self._core.sandbox,
            budget=str(budget) if budget else "",
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.connection._repr_mimebundle_(include, exclude)

    def __repr__(self) -> str:
        core = getattr(self, "_core", None)
        if core is None:  # a debugger looks at a client whose settings were refused
            return f"{type(self).__name__}(not connected)"
        where = "sandbox" if core.sandbox else core.config.region or core.config.root
        return f"{type(self).__name__}({where!r}, model={core.model!r})"


class Client(ClientCalls, SyncNoun):
    """The Qwen models, in a notebook or a script. Arguments win over the environment; see `qwenkit.config`."""

    def __init__(
        self,
        *,
        api_key: str | Secret | None = None,
        region: str | None = None,
        workspace: str | None = None,
        base_url: str | None = None,
        ws_url: str | None = None,
        host: str | None = None,
        model: str = "",
        budget: Any = None,
        timeout: float | None = None,
        max_retries: int | None = None,
    ) -> None:
        api_key = Secret.of(api_key)
        config = Config.resolve(
            api_key=api_key,
            region=region,
            workspace=workspace,
            base_url=base_url,
            ws_url=ws_url,
            host=host,
            timeout=timeout,
            max_retries=max_retries,
        )
        SyncNoun.__init__(self, Core(config, model=model, budget=budget))

    @classmethod
    def of(cls, core: Core) -> Client:
        """A client around an existing core; how `connect` and `sandbox` make theirs."""
        client = cls.__new__(cls)
        SyncNoun.__init__(client, core)
        return client

    @cached_property
    def chat(self) -> Chat:
        return Chat(self._core)

    @cached_property
    def models(self) -> Models:
        return Models(self._core)

    @cached_property
    def responses(self) -> Responses:
        return Responses(self._core)

    @cached_property
    def native(self) -> Native:
        return Native(self._core)

    @cached_property
    def tasks(self) -> Tasks:
        return Tasks(self._core)

    @cached_property
    def translate(self) -> Translate:
        return Translate(self._core)

    @cached_property
    def completions(self) -> Completions:
        return Completions(self._core)

    @cached_property
    def embeddings(self) -> Embeddings:
        return Embeddings(self._core)

    @cached_property
    def rerank(self) -> Rerank:
        return Rerank(self._core)

    @cached_property
    def files(self) -> Files:
        return Files(self._core)

    @cached_property
    def batches(self) -> Batches:
        return Batches(self._core)

    @cached_property
    def map(self) -> Map:
        return Map(self._core)

    @cached_property
    def aio(self) -> AsyncClient:
        """The same client, awaited: same names, same results, same ledger."""
        return AsyncClient(self._core)

    def conversation(
        self,
        *,
        system: str = "",
        model: str = "",
        when_full: str = "trim",
        context_limit: int | None = None,
        **options: Unpack[ChatOptions],
    ) -> Conversation:
        """Chat that remembers. `options` hold for every turn; see `qwenkit.api.conversation`."""
        return Conversation(
            self._core, system=system, model=model, when_full=when_full, context_limit=context_limit, **options
        )

    def close(self) -> None:
        self._core.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class AsyncClient(ClientCalls, AsyncNoun):
    """The awaited side of a client, reached as `qwen.aio`."""

    @cached_property
    def chat(self) -> AsyncChat:
        return AsyncChat(self._core)

    @cached_property
    def models(self) -> AsyncModels:
        return AsyncModels(self._core)

    @cached_property
    def responses(self) -> AsyncResponses:
        return AsyncResponses(self._core)

    @cached_property
    def native(self) -> AsyncNative:
        return AsyncNative(self._core)

    @cached_property
    def tasks(self) -> AsyncTasks:
        return AsyncTasks(self._core)

    @cached_property
    def translate(self) -> AsyncTranslate:
        return AsyncTranslate(self._core)

    @cached_property
    def completions(self) -> AsyncCompletions:
        return AsyncCompletions(self._core)

    @cached_property
    def embeddings(self) -> AsyncEmbeddings:
        return AsyncEmbeddings(self._core)

    @cached_property
    def rerank(self) -> AsyncRerank:
        return AsyncRerank(self._core)

    @cached_property
    def files(self) -> AsyncFiles:
        return AsyncFiles(self._core)

    @cached_property
    def batches(self) -> AsyncBatches:
        return AsyncBatches(self._core)

    @cached_property
    def map(self) -> AsyncMap:
        return AsyncMap(self._core)

    def conversation(
        self,
        *,
        system: str = "",
        model: str = "",
        when_full: str = "trim",
        context_limit: int | None = None,
        **options: Unpack[ChatOptions],
    ) -> AsyncConversation:
        """Chat that remembers; its turns are awaited."""
        return AsyncConversation(
            self._core, system=system, model=model, when_full=when_full, context_limit=context_limit, **options
        )

    async def close(self) -> None:
        await self._core.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()
