"""What the routes of one running sandbox share: its key, its seed, its clock and what it remembers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from qwenkit.sandbox.caching import PromptCache
from qwenkit.sandbox.faults import Faults
from qwenkit.sandbox.identity import RequestIds
from qwenkit.sandbox.journal import Journal
from qwenkit.sandbox.realtime.limits import Switches
from qwenkit.sandbox.store import Starts, Store

Shelf = TypeVar("Shelf")


@dataclass
class Service:
    """One sandbox at work. `pace` is tokens per second of a stream, `speech_pace` seconds of speech per second in a
    realtime session; None as fast as it goes. The access key and the workspace are those of the knowledge OpenAPI."""

    key: str = field(repr=False)
    access_key_id: str = "sandbox"
    access_key_secret: str = field(default="", repr=False)
    workspace: str = "llm-sandbox"
    check_signatures: bool = True
    seed: int = 0
    pace: float | None = None
    speech_pace: float | None = None
    realtime: Switches = field(default_factory=Switches)
    region: str = "beijing"
    workspaces: Sequence[str] | None = None
    header_faults: bool = True
    clock: Callable[[], float] = time.time
    faults: Faults = field(default_factory=Faults)
    journal: Journal = field(default_factory=Journal)
    store: Store = field(default_factory=Store)
    cache: PromptCache = field(default_factory=PromptCache)
    ids: RequestIds = field(init=False)
    _shelves: dict[type, Any] = field(default_factory=dict, repr=False)
    _shelving: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.ids = RequestIds(self.seed, self.shelf(Starts).begun())

    def shelf(self, kind: Callable[[Store], Shelf]) -> Shelf:
        """The one shelf of its kind: `service.shelf(Tokens)`. Made, with its table, when first asked for."""
        with self._shelving:
            shelf = self._shelves.get(cast(type, kind))
            if shelf is None:
                shelf = self._shelves[cast(type, kind)] = kind(self.store)
        return cast(Shelf, shelf)
