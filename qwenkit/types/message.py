"""Messages: one turn of a conversation as the wire has it.

Anything a chat call accepts (a string, a dict, a `Message`) becomes a wire dict here, so that every noun reads the
same spellings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

_OURS = ("extra", "spoken")  # no wire fields


class Message(msgspec.Struct, omit_defaults=True, repr_omit_defaults=True):
    """One message. `content` is a string or a list of parts; `extra` holds wire fields this class does not name.

    `spoken` is the sound of an answer that was spoken: for those who look at the history, never sent.
    """

    role: str
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    partial: bool | None = None
    extra: dict[str, Any] = {}
    spoken: Any = None

    @classmethod
    def system(cls, content: str) -> Message:
        return cls("system", content)

    @classmethod
    def user(cls, content: str | list[dict[str, Any]]) -> Message:
        return cls("user", content)

    @classmethod
    def assistant(cls, content: str, *, partial: bool | None = None) -> Message:
        return cls("assistant", content, partial=partial)

    @classmethod
    def tool(cls, content: str, tool_call_id: str) -> Message:
        return cls("tool", content, tool_call_id=tool_call_id)

    @classmethod
    def of(cls, turn: Message | Mapping[str, Any] | str) -> Message:
        """A message from any of its spellings; wire fields without a name here are kept in `extra`."""
        if isinstance(turn, Message):
            return turn
        if isinstance(turn, str):
            return cls.user(turn)
        known = {name: turn[name] for name in cls.__struct_fields__ if name in turn and name not in _OURS}
        return cls(**known, extra={name: value for name, value in turn.items() if name not in known})

    def cached(self) -> Message:
        """The same message with a cache mark: the prompt up to its end is kept for five minutes and costs less again.

        The service keeps prompts of 1,024 tokens or more; writing costs 125 %, reading 10 % of the input price.
        """
        parts = [{"type": "text", "text": self.content or ""}] if not isinstance(self.content, list) else self.content
        marked = [*parts[:-1], {**parts[-1], "cache_control": {"type": "ephemeral"}}] if parts else parts
        return msgspec.structs.replace(self, content=marked)

    @property
    def text(self) -> str:
        """The words of this message, parts joined."""
        return text_of(self.content)

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {"role": self.role, "content": self.content}
        for field in ("name", "tool_calls", "tool_call_id", "reasoning_content", "partial"):
            value = getattr(self, field)
            if value is not None:
                wire[field] = value
        return {**wire, **self.extra}


Messages: TypeAlias = "str | Message | Mapping[str, Any] | Iterable[str | Message | Mapping[str, Any]]"


def text_of(content: Any) -> str:
    """The text of a content field, whichever of the legal shapes it has."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
