"""The pictures of a session that wait for their commit: checked as the service does, and looked at when they come."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from qwenkit.sandbox.realtime.items import image_tokens
from qwenkit.sandbox.realtime.line import Line
from qwenkit.sandbox.realtime.wrong import Wrong

Json = dict[str, Any]
MOST = 240  # that wait: about one a second comes
LAST = 4  # of a turn that the mind looks at
LENIENT_KB = 500
_JPEG = b"\xff\xd8\xff"


class Frames:
    """What a camera has sent since the last commit, as parts of a message, and what each costs."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._held: list[tuple[Json, int]] = []

    async def add(self, command: Json, heard: bool) -> None:
        """Look at one more; `heard` is whether sound came before it, as it must."""
        if not heard:
            raise Wrong("Error append image before append audio.", code="")
        most, strict = self._line.facts.image_kilobytes, self._line.switches.image_rule == "strict"
        if strict and len(str(command.get("image"))) > most * 1024:
            raise Wrong(f"Invalid image: more than {most} KB after Base64.", "image")
        if (content := await self._line.sound(command, "image", LENIENT_KB / 1024)) is not None:
            part = await self._seen(content)
            sight, model = part["perceived"], self._line.model
            self._held.append((part, image_tokens(model, sight.width, sight.height)))
            del self._held[: -int(model.limits.get("video_seconds_kept", MOST))]

    def take(self) -> tuple[list[Json], int]:
        """The pictures of the turn that is being committed, and what they cost; of those that look alike the last."""
        held, self._held, several = self._held, [], dict[Any, Json]()
        for part, _ in reversed(held):
            sight = part["perceived"]
            shapes = tuple(sorted((each.colour, each.kind) for each in sight.shapes))
            several.setdefault((sight.title, sight.background, shapes), part)
        return list(several.values())[LAST - 1 :: -1], sum(cost for _, cost in held)

    async def _seen(self, content: bytes) -> Json:
        """What the eyes see; once for every time it is the same."""
        from qwenkit.sandbox.eyes import Unseen, look
        from qwenkit.sandbox.identity import digest
        from qwenkit.sandbox.perceiving import Percepts

        name, looked = digest(b"frame\0" + content), partial(asyncio.to_thread, look, content)
        try:
            if not content.startswith(_JPEG):
                raise Unseen
            sight = await self._line.service.shelf(Percepts).of(name, looked)
        except Unseen:
            raise Wrong("Invalid image: only JPEG is supported.", "image") from None
        return {"type": "seen", "digest": name, "perceived": sight}
