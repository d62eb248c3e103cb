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
from importlib import import_module
from typing import TYPE_CHECKING, Any, Unpack

import msgspec

from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call, spelled
from qwenkit.config import Config
from qwenkit.errors import InvalidRequest, ServerError
from qwenkit.protocol.flow import Answer, Flow
from qwenkit.protocol.lenient import Lenient
from qwenkit.secret import Secret
from qwenkit.types._shown import Shown
from qwenkit.types.connection import Connection
from qwenkit.types.keys import TemporaryKey
from qwenkit.types.ledger import Ledger
from qwenkit.types.options import ConversationOptions

if TYPE_CHECKING:
    from qwenkit.api.apps import Apps, AsyncApps
    from qwenkit.api.batches import AsyncBatches, Batches
    from qwenkit.api.chat import AsyncChat, Chat
    from qwenkit.api.completions import AsyncCompletions, Completions
    from qwenkit.api.conversation import AsyncConversation, Conversation
    from qwenkit.api.embeddings import AsyncEmbeddings, Embeddings
    from qwenkit.api.files import AsyncFiles, Files
    from qwenkit.api.images import AsyncImages, Images
    from qwenkit.api.knowledge import AsyncKnowledge, Knowledge
    from qwenkit.api.many import AsyncMap, Map
    from qwenkit.api.models import AsyncModels, Models
    from qwenkit.api.native import AsyncNative, Native
    from qwenkit.api.realtime import AsyncRealtime, Realtime
    from qwenkit.api.rerank import AsyncRerank, Rerank
    from qwenkit.api.responses import AsyncResponses, Responses
    from qwenkit.api.speech import AsyncSpeech, Speech
    from qwenkit.api.tasks import AsyncTasks, Tasks
    from qwenkit.api.transcribe import AsyncTranscribe, Transcribe
    from qwenkit.api.translate import AsyncTranslate, Translate
    from qwenkit.api.videos import AsyncVideos, Videos
    from qwenkit.api.voices import AsyncVoices, Voices

_TOKEN = Lenient.of(TemporaryKey)


def _noun(place: str) -> Any:
    """A resource of a client: loaded, and made, when it is first asked for."""
    module, _, name = place.partition(".")
    return cached_property(lambda client: getattr(import_module(f"qwenkit.api.{module}"), name)(client._core))


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

    @call
    def fetch(self, source: Any) -> Flow[Any]:
        """Download an address: bytes of a URL; a picture, film or sound that is only an address gets its content.

        No key is sent along. Results of the service are kept for 24 hours; an address that has expired says so.
        """
        from qwenkit.api.sending import fetched

        return (yield from fetched(self._core, source))

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
        access_key_id: str | None = None,
        access_key_secret: str | Secret | None = None,
    ) -> None:
        api_key, access_key_secret = Secret.of(api_key), Secret.of(access_key_secret)
        config = Config.resolve(
            api_key=api_key,
            region=region,
            workspace=workspace,
            base_url=base_url,
            ws_url=ws_url,
            host=host,
            timeout=timeout,
            max_retries=max_retries,
            access_key_id=access_key_id,
            access_key_secret=access_key_secret,
        )
        SyncNoun.__init__(self, Core(config, model=model, budget=budget))

    @classmethod
    def of(cls, core: Core) -> Client:
        """A client around an existing core; how `connect` and `sandbox` make theirs."""
        client = cls.__new__(cls)
        SyncNoun.__init__(client, core)
        return client

    chat: cached_property[Chat] = _noun("chat.Chat")
    models: cached_property[Models] = _noun("models.Models")
    responses: cached_property[Responses] = _noun("responses.Responses")
    native: cached_property[Native] = _noun("native.Native")
    tasks: cached_property[Tasks] = _noun("tasks.Tasks")
    translate: cached_property[Translate] = _noun("translate.Translate")
    completions: cached_property[Completions] = _noun("completions.Completions")
    embeddings: cached_property[Embeddings] = _noun("embeddings.Embeddings")
    rerank: cached_property[Rerank] = _noun("rerank.Rerank")
    files: cached_property[Files] = _noun("files.Files")
    batches: cached_property[Batches] = _noun("batches.Batches")
    map: cached_property[Map] = _noun("many.Map")
    images: cached_property[Images] = _noun("images.Images")
    videos: cached_property[Videos] = _noun("videos.Videos")
    speech: cached_property[Speech] = _noun("speech.Speech")
    voices: cached_property[Voices] = _noun("voices.Voices")
    transcribe: cached_property[Transcribe] = _noun("transcribe.Transcribe")
    realtime: cached_property[Realtime] = _noun("realtime.Realtime")
    apps: cached_property[Apps] = _noun("apps.Apps")
    knowledge: cached_property[Knowledge] = _noun("knowledge.Knowledge")

    @cached_property
    def aio(self) -> AsyncClient:
        """The same client, awaited: same names, same results, same ledger."""
        return AsyncClient(self._core)

    @spelled
    def conversation(self, **options: Unpack[ConversationOptions]) -> Conversation:
        """Chat that remembers, and runs the tools it is given.

        `when_full` is "trim" or "refuse"; `max_rounds` limits how often tools may be asked for in one turn, and with
        `run_tools=False` their calls are left to you. All other options hold for every turn.
        """
        from qwenkit.api.conversation import Conversation

        return Conversation(self._core, **options)

    def close(self) -> None:
        self._core.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class AsyncClient(ClientCalls, AsyncNoun):
    """The awaited side of a client, reached as `qwen.aio`."""

    chat: cached_property[AsyncChat] = _noun("chat.AsyncChat")
    models: cached_property[AsyncModels] = _noun("models.AsyncModels")
    responses: cached_property[AsyncResponses] = _noun("responses.AsyncResponses")
    native: cached_property[AsyncNative] = _noun("native.AsyncNative")
    tasks: cached_property[AsyncTasks] = _noun("tasks.AsyncTasks")
    translate: cached_property[AsyncTranslate] = _noun("translate.AsyncTranslate")
    completions: cached_property[AsyncCompletions] = _noun("completions.AsyncCompletions")
    embeddings: cached_property[AsyncEmbeddings] = _noun("embeddings.AsyncEmbeddings")
    rerank: cached_property[AsyncRerank] = _noun("rerank.AsyncRerank")
    files: cached_property[AsyncFiles] = _noun("files.AsyncFiles")
    batches: cached_property[AsyncBatches] = _noun("batches.AsyncBatches")
    map: cached_property[AsyncMap] = _noun("many.AsyncMap")
    images: cached_property[AsyncImages] = _noun("images.AsyncImages")
    videos: cached_property[AsyncVideos] = _noun("videos.AsyncVideos")
    speech: cached_property[AsyncSpeech] = _noun("speech.AsyncSpeech")
    voices: cached_property[AsyncVoices] = _noun("voices.AsyncVoices")
    transcribe: cached_property[AsyncTranscribe] = _noun("transcribe.AsyncTranscribe")
    realtime: cached_property[AsyncRealtime] = _noun("realtime.AsyncRealtime")
    apps: cached_property[AsyncApps] = _noun("apps.AsyncApps")
    knowledge: cached_property[AsyncKnowledge] = _noun("knowledge.AsyncKnowledge")

    @spelled
    def conversation(self, **options: Unpack[ConversationOptions]) -> AsyncConversation:
        """Chat that remembers; its turns are awaited."""
        from qwenkit.api.conversation import AsyncConversation

        return AsyncConversation(self._core, **options)

    async def close(self) -> None:
        await self._core.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()
