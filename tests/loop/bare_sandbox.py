"""What tests that ask the sandbox without any SDK share: a client that shows its key, and a clock to set."""

from __future__ import annotations

from typing import Any

import httpx

from qwenkit.sandbox import Sandbox

DOT = (  # a picture of 12 x 12 pixels
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAwAAAAMAQMAAABsu86kAAAAA1BMVEUAAACnej3aAAAAC0lEQVR42mNg"
    "IAwAACQAASXCqOMAAAAASUVORK5CYII="
)


class Clock:
    """A clock that is wound by hand."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def bare(box: Sandbox, **options: Any) -> httpx.Client:
    """A client to be closed; every request of it shows the sandbox's key."""
    return httpx.Client(base_url=box.url, headers={"Authorization": f"Bearer {box.key}"}, trust_env=False, **options)
