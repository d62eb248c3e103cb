"""Translation: `qwen.translate("Good morning", to="Chinese")` asks a Qwen-MT model and gives its `Reply`.

A translation is a chat call with `translation_options`: one user message, the text, and no instructions. Names of
languages are English words; `terms` fixes single words, `memory` shows how whole sentences were translated before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from qwenkit import catalogue
from qwenkit.api.chat import Chat
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call, stream
from qwenkit.api.realtime.opening import opens
from qwenkit.api.stream import Plan
from qwenkit.errors import ConfigError
from qwenkit.protocol.flow import Flow
from qwenkit.protocol.options import refuse_unknown
from qwenkit.protocol.realtime.live_settings import translating
from qwenkit.types.options import ChatOptions
from qwenkit.types.reply import Piece, Reply

if TYPE_CHECKING:
    from qwenkit.api.realtime.live import AsyncTongue, Tongue

_ELSEWHERE = {
    "system": "Qwen-MT takes no instructions; say in domains=… what kind of text it is",
    "target": 'it is called to here: to="Chinese"',
    "target_lang": 'it is called to here: to="Chinese"',
    "source_lang": 'it is called source here: source="English"',
}
Pairs: TypeAlias = "Mapping[str, str] | Iterable[Any]"
"""Sources and their targets: {"source": "target"}, pairs, or dicts as on the wire."""


class TranslateOptions(ChatOptions, total=False):
    """Options of a translation: its own, then those of `qwen.chat`."""

    terms: Pairs
    memory: Pairs
    domains: str


def _tongues() -> tuple[type[Tongue], type[AsyncTongue]]:
    from qwenkit.api.realtime import live

    return live.Tongue, live.AsyncTongue


class TranslateCalls:
    """The calls of the translation noun, written once for both flavours."""

    _core: Core
    live = opens(translating, _tongues)

    @call
    def __call__(
        self, text: str, *, to: str = "", source: str = "auto", model: str = "", **options: Unpack[TranslateOptions]
    ) -> Flow[Reply]:
        """Translate a text; `reply.text` is the translation.

        `to` and `source` are English names of languages ("Chinese", "English"), `source` may be "auto". `terms` are
        words with a fixed translation, `memory` sentences translated before; both as {"source": "target"}. `domains`
        says in English prose what kind of text it is. Other options are those of `qwen.chat`.
        """
        return (yield from Chat.__call__.flow(Chat(self._core), text, **_asked(text, to, source, model, **options)))

    @stream
    def stream(
        self, text: str, *, to: str = "", source: str = "auto", model: str = "", **options: Unpack[TranslateOptions]
    ) -> Plan[Piece, Reply]:
        """Translate, piece by piece. Options are those of `qwen.translate`."""
        return Chat.stream.flow(Chat(self._core), text, **_asked(text, to, source, model, **options))


class Translate(TranslateCalls, SyncNoun):
    """`qwen.translate(...)` and `qwen.translate.stream(...)`."""


class AsyncTranslate(TranslateCalls, AsyncNoun):
    """`await aqwen.translate(...)` and `async with aqwen.translate.stream(...)`."""


def _asked(text: Any, to: str, source: str, model: str, **options: Any) -> dict[str, Any]:
    """The chat options of a translation."""
    refuse_unknown(options, TranslateOptions.__annotations__, "translate", _ELSEWHERE)
    if not isinstance(text, str):
        raise ConfigError(f"translate takes a text, not a {type(text).__name__}", hint="one call translates one text")
    if not to:
        raise ConfigError("translate into which language?", hint='qwen.translate("…", to="Chinese")')
    model = model or catalogue.DEFAULTS["translate"]
    facts = catalogue.model(model) if isinstance(model, str) else None
    if facts is not None and facts.family != "mt":
        hint = f"use {catalogue.DEFAULTS['translate']}, or ask it in words with qwen.chat"
        raise ConfigError(f"{model} is no translation model", hint=hint)
    terms, memory = (_pairs(options.pop(name, ()), name) for name in ("terms", "memory"))
    wished = {"terms": terms, "tm_list": memory, "domains": options.pop("domains", "")}
    given = {name: value for name, value in wished.items() if value}
    return {
        **options,
        "model": model,
        "translation_options": {"source_lang": source, "target_lang": to, **given},
    }


def _pairs(given: Pairs, name: str) -> list[dict[str, str]]:
    rows: Iterable[Any] = given.items() if isinstance(given, Mapping) else given
    try:
        pairs = [(row["source"], row["target"]) if isinstance(row, Mapping) else tuple(row) for row in rows]
    except (TypeError, KeyError):
        pairs = [()]
    if any(list(map(type, pair)) != [str, str] for pair in pairs):
        raise ConfigError(f"{name} are pairs of texts", hint=f'{name}={{"harbour": "海港"}}')
    return [{"source": source, "target": target} for source, target in pairs]
