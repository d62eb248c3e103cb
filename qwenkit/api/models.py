"""Models: what the catalogue knows, and what the service lists for this key.

`qwen.models` in a cell is a table; `qwen.models.search("vl")` narrows it, `qwen.models["qwen-plus"]` gives the facts of
one, `qwen.models.live()` asks the service.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.errors import NotFound, ServerError
from qwenkit.protocol.flow import Answer, Flow
from qwenkit.protocol.lenient import Lenient
from qwenkit.types.models import ModelTable


class _Listed(msgspec.Struct):
    id: str = ""


class _Listing(msgspec.Struct):
    data: list[_Listed] = []


_LISTING = Lenient.of(_Listing)


class ModelCalls(ModelTable):
    """The catalogue's table with the calls that go beyond it."""

    _core: Core

    @property
    def rows(self) -> list[Any]:  # type: ignore[override]
        return catalogue.models()

    def __getitem__(self, name: str) -> Any:
        facts = catalogue.model(name)
        if facts is None:
            near = ", ".join(catalogue.suggest(name))
            hint = f"did you mean {near}?" if near else "qwen.models lists what the catalogue knows"
            raise NotFound(f"the catalogue has no model {name!r}", hint=hint)
        return facts

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and catalogue.known(name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def search(self, words: str) -> ModelTable:
        """The models whose name, family or description holds all these words."""
        return ModelTable(catalogue.search(words))

    @call
    def live(self) -> Flow[ModelTable]:
        """Ask the service which models this key may use. One cheap call."""
        request = self._core.request("GET", "compatible", "/models")
        answer: Answer = yield from self._core.send(request)
        try:
            listing: _Listing = _LISTING.decode(answer.body)
        except msgspec.DecodeError as broken:
            raise ServerError("the model list is not readable", status=200, request=request.name) from broken
        names = [listed.id for listed in listing.data if listed.id]
        found = [facts for name in names if (facts := catalogue.model(name)) is not None]
        return ModelTable(found, [name for name in names if catalogue.model(name) is None])


class Models(ModelCalls, SyncNoun):
    """`qwen.models`"""

    def __init__(self, core: Core) -> None:
        SyncNoun.__init__(self, core)
        self.unlisted: list[str] = []


class AsyncModels(ModelCalls, AsyncNoun):
    """`aqwen.models`"""

    def __init__(self, core: Core) -> None:
        AsyncNoun.__init__(self, core)
        self.unlisted: list[str] = []
