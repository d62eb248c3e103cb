"""What comes out of sockets that listen or translate while somebody speaks: sentences as they form, and the whole."""

from __future__ import annotations

from typing import Any

import msgspec

from qwenkit.types.reply import Reply
from qwenkit.types.transcript import Transcript


class Heard(msgspec.Struct, gc=False, repr_omit_defaults=True):
    """A sentence as far as it is understood. A preview replaces the one before it; `final` is how it stays.

    `begin_ms` and `end_ms` are places in the sound that was sent. A sentence nobody could write down has an `error`.
    """

    text: str = ""
    final: bool = False
    language: str = ""
    emotion: str = ""
    begin_ms: int | None = None
    end_ms: int | None = None
    item_id: str = ""
    error: str = ""
    # what pieces of other streams have, and this one never
    thinking: str = ""
    audio: bytes = b""
    tool: None = None

    @property
    def index(self) -> int:
        """Where only the first answer's words are printed, previews are not."""
        return 0 if self.final else 1

    @property
    def item(self) -> str:
        """What makes a card worth drawing again."""
        return self.text


class Translated(msgspec.Struct, gc=False, repr_omit_defaults=True):
    """A bit of a translation: new words, a bit of its sound, or what was heard of the original.

    `text` goes on from the text before it. `preview` is what may still change behind it.
    """

    text: str = ""
    preview: str = ""
    audio: bytes = b""
    rate_hz: int = 24_000
    heard: Heard | None = None
    finish_reason: str | None = None
    thinking: str = ""
    index: int = 0
    tool: None = None

    @property
    def item(self) -> Any:
        """What makes a card worth drawing again."""
        return self.audio or self.preview or self.heard


class Translation(Reply):
    """What was said, in another language: `text` and `audio` are the translation, `heard` is the original."""

    __slots__ = ("heard", "to")

    def __init__(self, *, heard: Transcript, to: str = "", **told: Any) -> None:
        super().__init__(**told)
        self.heard = heard
        self.to = to

    def __repr__(self) -> str:
        text, heard = (line if len(line) <= 60 else line[:59] + "…" for line in (self.text, self.heard.text))
        return f"Translation({text!r}, to={self.to!r}, heard={heard!r})"
