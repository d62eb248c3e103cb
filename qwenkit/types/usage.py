"""Tokens and money: what one call used and what it is estimated to cost."""

from __future__ import annotations

from typing import Any

import msgspec


class PromptDetails(msgspec.Struct, frozen=True, omit_defaults=True, repr_omit_defaults=True):
    """How the prompt tokens split up; every part may be missing on the wire."""

    cached_tokens: int | None = None
    text_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    video_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_type: str | None = None


class CompletionDetails(msgspec.Struct, frozen=True, omit_defaults=True, repr_omit_defaults=True):
    """How the completion tokens split up; every part may be missing on the wire."""

    reasoning_tokens: int | None = None
    text_tokens: int | None = None
    audio_tokens: int | None = None


class Usage(msgspec.Struct, frozen=True, omit_defaults=True, repr_omit_defaults=True):
    """The token bill of one call, as the service counted it."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    seconds: float | None = None
    lines: int = 0  # of the clip that was filmed
    images: int = 0  # that were drawn
    characters: int = 0  # that were spoken
    tools: dict[str, int] = {}  # built-in tools the service used, and how often
    parts: list[dict[str, Any]] = []  # what a response was billed in, as on the wire (`x_details`)
    shares: dict[str, Usage] = {}  # by model, where an application ran several

    @property
    def prompt(self) -> int:
        return self.prompt_tokens

    @property
    def completion(self) -> int:
        return self.completion_tokens

    @property
    def total(self) -> int:
        return self.total_tokens or self.prompt_tokens + self.completion_tokens

    @property
    def reasoning(self) -> int:
        return _part(self.completion_tokens_details, "reasoning_tokens")

    @property
    def cached(self) -> int:
        return _part(self.prompt_tokens_details, "cached_tokens")

    @property
    def cache_created(self) -> int:
        return _part(self.prompt_tokens_details, "cache_creation_input_tokens")

    @property
    def marked(self) -> bool:
        """Whether the cache was used by marks in the prompt (`Message.cached`), which have prices of their own."""
        return getattr(self.prompt_tokens_details, "cache_type", None) == "ephemeral"

    @property
    def image(self) -> int:
        return _part(self.prompt_tokens_details, "image_tokens") + _part(self.prompt_tokens_details, "video_tokens")

    @property
    def audio_in(self) -> int:
        return _part(self.prompt_tokens_details, "audio_tokens")

    @property
    def audio_out(self) -> int:
        return _part(self.completion_tokens_details, "audio_tokens")

    @property
    def audio(self) -> int:
        return self.audio_in + self.audio_out


class Cost(msgspec.Struct, frozen=True):
    """An estimate in list prices. `dated` is the day the price table was read, never a promise."""

    amount: float
    currency: str = "CNY"
    dated: str = ""

    def __truediv__(self, other: Cost) -> float:
        """How many times the other: `reply.thinking_cost / reply.cost` is a share."""
        if not isinstance(other, Cost) or other.currency != self.currency:
            return NotImplemented
        return self.amount / other.amount

    def __str__(self) -> str:
        sign = {"CNY": "¥", "USD": "$"}.get(self.currency, self.currency + " ")
        if self.amount == 0:
            return f"{sign}0"
        digits = 2 if self.amount >= 1 else 4 if self.amount >= 0.01 else 6
        return f"{sign}{self.amount:.{digits}f}"


def _part(details: Any, name: str) -> int:
    return getattr(details, name, None) or 0
