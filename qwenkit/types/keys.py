"""A temporary key: good for minutes, meant for a page or a room that must not see the real one."""

from __future__ import annotations

from typing import Any

import msgspec


class TemporaryKey(msgspec.Struct, frozen=True):
    """`token` is the key itself and does not show in a repr; `expires_at` is in Unix seconds."""

    token: str = ""
    expires_at: int = 0

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("token", f"{self.token[:3]}…")]

    def __repr__(self) -> str:
        return f"TemporaryKey({self.token[:3]}…)"
