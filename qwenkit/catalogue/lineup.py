"""The line-up: which models there are, what each takes, gives and allows, and what it lists for.

Facts come from dated pages and are data, never constants in code. A name is looked up as asked (`qwen-plus`), as a
snapshot (`qwen-plus-2025-12-01`), then with its date, `-latest` or `-us` taken off; the answer keeps the asked name
and says in `line` which entry it stands for. Guessing stops there: an unknown name is None, and `suggest` offers close
ones. Where the pages are silent about a feature the tolerant reading stands, and `notes` says so.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module

import msgspec

from qwenkit.catalogue._shelf import read

# What may follow a line's name: -2025-12-01, -20251201, -0902, -latest, -us; several may follow each other.
_TAIL = r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|latest|us)$"


class Tier(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One step of a price, per million tokens, for calls of up to `upto` input tokens (None: no limit).

    The pages write 32k, 128k, 256k: taken as 1,024 each, or the longest prompts would belong to no tier.
    """

    input: float
    output: float
    upto: int | None = None
    output_thinking: float | None = None
    cache_hit: float | None = None  # implicit cache
    cache_hit_explicit: float | None = None
    cache_create: float | None = None
    input_image: float | None = None
    input_audio: float | None = None
    output_mixed: float | None = None  # text written about anything but text
    output_audio: float | None = None


class PriceTable(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one region lists: token tiers, or a flat price per `unit` (second, image, 10k characters, ...)."""

    region: str
    currency: str
    dated: str
    tiers: list[Tier] = []
    unit: str = "1M tokens"
    per_unit: float | None = None
    per_unit_1080: float | None = None  # of a clip with 1080 lines
    source: str = "official list price"


class Model(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One model. Modalities are letters of TIVA (text, image, video, audio); E is an embedding, S a score.

    `endpoint` is where it is called first: chat, native, speech, recognition, transcription, image, image-task,
    video-task, embeddings, embedding-task, multimodal-embedding, rerank, rerank-native, realtime, inference (the older
    socket), customization, batch or knowledge. `native` names the native path, text or multimodal.
    """

    name: str
    line: str = ""  # filled by the lookup: the entry that a dated or suffixed name stands for
    family: str = "chat"
    title: str = ""
    inputs: str = "T"
    outputs: str = "T"
    context: int | None = None
    max_input: int | None = None
    max_input_thinking: int | None = None
    max_output: int | None = None
    max_thinking: int | None = None
    thinking: str = "no"  # no | off (may be switched on) | on (may be switched off) | always
    thinking_needs_stream: bool = False
    stream_only: bool = False
    preserves_thinking: bool = False  # reads its earlier thoughts again unless told otherwise
    cumulative_stream: bool = False  # every chunk of a stream repeats the text so far
    json_object: bool = True
    json_schema: bool = False
    tools: bool = True
    partial: bool = False
    logprobs: bool = False
    many: bool = False  # n > 1
    endpoint: str = "chat"
    native: str = "text"
    temperature: float | None = None  # sampling defaults, of thinking too where a model always thinks
    top_p: float | None = None
    top_k: int | None = None
    thinking_temperature: float | None = None
    thinking_top_p: float | None = None
    snapshots: list[str] = []
    open: bool = False
    dims: list[int] = []  # embedding sizes, the default first
    default_voice: str = ""
    rate_hz: int | None = None
    limits: dict[str, int | float | str] = {}
    prices: list[PriceTable] = []
    founding: bool = False
    notes: str = ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        bundle: dict[str, str] = import_module("qwenkit.display").bundle(self)
        return bundle

    def sampling(self, thinking: bool = False) -> tuple[float | None, float | None, int | None]:
        """Default temperature, top_p and top_k, which are others while a hybrid thinks."""
        if thinking and self.thinking_temperature is not None:
            return self.thinking_temperature, self.thinking_top_p, self.top_k
        return self.temperature, self.top_p, self.top_k


def models() -> list[Model]:
    """Every line, in the order of the data file."""
    return list(_by_name().values())


def model(name: str) -> Model | None:
    """The facts about a model under the name asked for, or None when the catalogue does not know it."""
    found = _find(name)
    return msgspec.structs.replace(found, name=name, line=found.name) if found else None


def known(name: str) -> bool:
    """Whether the catalogue has this name, as a line, a snapshot or a dated form of one."""
    return _find(name) is not None


def suggest(name: str, limit: int = 3) -> list[str]:
    """Names close to a misspelt one, best first."""
    from difflib import get_close_matches

    spelled = {known_as: known_as for known_as in _by_snapshot()} | {key: each.name for key, each in _by_name().items()}
    return [spelled[close] for close in get_close_matches(_plain(name), list(spelled), n=limit, cutoff=0.6)]


def search(text: str) -> list[Model]:
    """Lines whose name, family, title or notes hold every word of `text`."""
    words = text.lower().split()
    return [each for each in models() if all(word in _searchable(each) for word in words)]


def _searchable(each: Model) -> str:
    return " ".join((each.name, each.family, each.title, each.notes, *each.snapshots)).lower()


def _plain(name: str) -> str:
    """Lower case, without a supplier in front (`kimi/kimi-k2.5`, `Qwen/Qwen3-8B`)."""
    return name.strip().rpartition("/")[2].lower()


def _find(name: str) -> Model | None:
    lines, snapshots = _by_name(), _by_snapshot()
    asked, longer = _plain(name), ""
    while asked != longer:
        found = lines.get(asked) or snapshots.get(asked)
        if found:
            return found
        asked, longer = re.sub(_TAIL, "", asked), asked
    return None


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Model]:
    return {each.name.lower(): each for each in read("models.json", list[Model])}


@lru_cache(maxsize=1)
def _by_snapshot() -> dict[str, Model]:
    return {snapshot.lower(): each for each in _by_name().values() for snapshot in each.snapshots}
