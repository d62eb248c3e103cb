"""How the models on the realtime socket differ: what a session of each may ask for, by groups of models.

A group is a row of `data/realtime.json`. Voices, sampling defaults and history caps are facts of the model itself (see
`lineup`). Limits that hold for every group are the constants here.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from qwenkit.catalogue._shelf import read
from qwenkit.catalogue.lineup import Model

SESSION_MINUTES = 120
IDLE_SECONDS = 300  # without a response; also seen as 180
INPUT_HZ, OUTPUT_HZ = 16_000, 24_000
THRESHOLD = (-1.0, 1.0)
SILENCE_MS = (200, 6000)
IDLE_TIMEOUT_MS = (5000, 30_000)
RATES_HZ = (8000, 16_000, 24_000, 48_000)
APPEND_MEGABYTES = 15


class RealtimeFacts(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one group of models does over the socket. `nested`: formats live in an `audio` object, and are obeyed."""

    group: str
    models: list[str]
    detections: tuple[str, ...] = ("server_vad",)  # kinds of turn detection; null, which is manual, is always one
    nested: bool = False
    output_modalities: bool = False  # the key is not `modalities`
    needs_session: bool = False  # session.update must have its session
    workspace_host: bool = False  # not on the shared hosts
    channels: tuple[int, ...] = (1,)
    formats: tuple[str, ...] = ("pcm", "wav")
    rates_hz: tuple[int, ...] = RATES_HZ
    idle_timeout: bool = False
    search: bool = False
    functions: bool = False
    mcp: bool = False
    images: bool = False
    typed: bool = False  # reads typed messages (not documented everywhere)
    compact_video: bool = False
    smooth_output: bool = False
    fixed_sampling: bool = False
    finish: bool = True  # session.finish is answered
    transcriber: str = ""
    threshold: float = 0.5
    silence_ms: int = 800
    image_kilobytes: int = 256
    image_base64: bool = True  # whether those are counted after Base64
    images_per_second: float = 1
    requests_per_minute: int | None = None


def realtime(model: Model | str | None) -> RealtimeFacts | None:
    """What is known about a model's sessions; None when nothing is."""
    from qwenkit.catalogue.lineup import model as find

    facts = find(model) if isinstance(model, str) else model
    return _by_model().get(facts.line or facts.name) if facts else None


@lru_cache(maxsize=1)
def _by_model() -> dict[str, RealtimeFacts]:
    return {name: facts for facts in read("realtime.json", list[RealtimeFacts]) for name in facts.models}
