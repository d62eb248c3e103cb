"""Clips from words and pictures: `qwen.videos("waves at night", seconds=5)` gives a `Video`.

Filming takes minutes, so it is always a task: the call waits for it, `.submit` leaves that for later. The clip is
fetched the moment it is there and kept under `outputs/` with what made it.
"""

from __future__ import annotations

from typing import Any, Unpack

from qwenkit.api import outputs, sending
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.images import LaterCalls, able, nothing, remembered, seeded, submitted
from qwenkit.errors import ServerError
from qwenkit.protocol import videos as protocol
from qwenkit.protocol.flow import Flow
from qwenkit.protocol.videos import VideoOptions
from qwenkit.types.task import Task
from qwenkit.types.video import Video

PAUSES = (2.0, 5.0, 10.0, 15.0)  # seconds; the pages advise about fifteen


class VideosCalls(LaterCalls[Video]):
    """The calls of the videos noun, written once for both flavours."""

    _pauses, _noun = PAUSES, "videos"

    @call
    def __call__(
        self,
        prompt: str = "",
        *,
        save: bool = True,
        folder: Any = "outputs",
        progress: bool = True,
        timeout: float | None = None,
        **options: Unpack[VideoOptions],
    ) -> Flow[Video]:
        """Film what the prompt says, and wait for it.

        It begins with `image` and ends with `last`, or goes on from `clip`, where the model can; `audio` is a sound to
        move by. Some models go by `size`, others by `resolution` ("720P") and `ratio` ("16:9").
        Without a seed one is chosen here, by prompt, model, and how often this client was asked for them.
        """
        order = protocol.order(prompt, seeded(self._core, prompt, options))
        able(save, folder, timeout)
        return (yield from self._made(order, "videos", save, folder, progress, timeout))

    @call
    def submit(self, prompt: str = "", **options: Unpack[VideoOptions]) -> Flow[Task]:
        """Hand the order in and go on: `wait(task)` or its id brings the clip, today or from another session."""
        return (yield from submitted(self._core, protocol.order(prompt, seeded(self._core, prompt, options)), "videos"))

    def _fetched(self, task: Task, save: bool, folder: Any) -> Flow[Video]:
        url = str(task.output.get("video_url") or "")
        if not url:
            raise nothing(task, "clip")
        order = remembered(self._core, task)
        content = yield from sending.fetch(self._core, url, "video")
        told: dict[str, Any] = {
            "prompt": order.prompt or task.output.get("orig_prompt", ""),
            "seed": order.seed,
            "model": order.model,
            "revised_prompt": task.output.get("actual_prompt"),
        }
        clip = Video(content, url=url, **{name: value for name, value in told.items() if value not in (None, "")})
        if not clip.media_type.startswith("video/"):
            raise ServerError("what came is no clip", hint="make it again")
        if save:
            clip.path = outputs.kept(clip, folder)
        clip.task, clip.receipt, clip.usage = task, task.receipt, task.usage
        return clip


class Videos(VideosCalls, SyncNoun):
    """`qwen.videos("waves at night")`, `.submit(…)`, `.wait(task)`, `.get(task)`, `.cancel(task)`."""


class AsyncVideos(VideosCalls, AsyncNoun):
    """`await aqwen.videos("waves at night")`."""
