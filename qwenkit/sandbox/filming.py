"""Clips from words and pictures, as tasks: a painted scene that the camera moves over, from one frame to another.

Which pictures go in differs by model: none, `img_url`, a list of `media`, or a first and a last frame on a path of
their own. A sound is fetched and then left out: these clips are silent.
"""

from __future__ import annotations

import asyncio
import io
from collections import deque
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from qwenkit.catalogue import Model
from qwenkit.sandbox.drawing import reference
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.image_orders import ROOT, bound, placed, seed, table, text, whole
from qwenkit.sandbox.marks import failure, marks
from qwenkit.sandbox.media import RESOLVE, fetch
from qwenkit.sandbox.results import Results
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.task_shelf import Task
from qwenkit.sandbox.tasks import WORKERS, Outcome, enabled, must_be_async, submit

Json = dict[str, Any]
PATHS = ("video-generation/video-synthesis", "image2video/video-synthesis")
FRAMES = 12  # a second
_AREAS = {"480P": (832, 480), "720P": (1280, 720), "1080P": (1920, 1080)}
_PARTS = ("first_frame", "last_frame", "first_clip", "driving_audio")
_SETS = [{"first_frame"}, {"first_frame", "last_frame"}, {"first_clip"}, {"first_clip", "last_frame"}]
_OLDER = {"img_url": "first_frame", "first_frame_url": "first_frame", "last_frame_url": "last_frame"}


async def submitted(service: Service, request: Request) -> Response:
    """A body as a task, or the refusal of what is wrong with it."""
    must_be_async(request)
    body = json_body(request)
    _model(body, request.url.path)
    wanted = marks(text(table(body, "input").get("prompt") or "", "prompt"))
    return submit(service, request, {**body, "resolve": enabled(request, RESOLVE)}, wanted.demand())


def _model(body: Json, path: str) -> Model:
    """The model of a body, when everything in the body suits it."""
    model = placed(body, "video-task", "video")
    if ("kf2v" in model.line) != path.endswith(PATHS[1]):
        raise Refusal("InvalidParameter", "url error, please check url！")
    given, asked = table(body, "input"), table(body, "parameters")
    parts = _parts(given, model)
    if not parts and not text(given.get("prompt") or "", "prompt").strip():
        raise invalid('Required parameter "prompt" missing from input.')
    frames = set(parts) - {"driving_audio"}
    least: list[set[str]] = [{"first_frame", "last_frame"}] if "kf2v" in model.line else _SETS
    if "I" in model.inputs and (frames not in least or {"first_clip", "driving_audio"} <= set(parts)):
        raise invalid("The media of the input are incomplete or do not go together.")
    _duration(asked, model)
    seed(asked)
    for name, listed in (("size", "sizes"), ("resolution", "resolutions"), ("ratio", "ratios")):
        options = str(model.limits.get(listed, "")).split()
        if asked.get(name) is not None and str(asked[name]).replace("x", "*") not in options:
            raise invalid(f"{name} should be one of {', '.join(options) or 'none'} for {model.name}")
    return model


def _parts(given: Json, model: Model) -> dict[str, str]:
    """The pictures and sounds of an input by what they are for."""
    parts = {_OLDER[name]: text(given[name], name) for name in _OLDER if given.get(name)}
    if given.get("audio_url"):
        parts["driving_audio"] = text(given["audio_url"], "audio_url")
    several = given.get("media") or []
    if not isinstance(several, list) or not all(isinstance(each, dict) for each in several):
        raise invalid("Input should be a valid list: input.media")
    for each in several:
        kind = each.get("type")
        if kind not in _PARTS or kind in parts:
            raise invalid(f"type of media should be one of {', '.join(_PARTS)}, each at most once")
        parts[kind] = text(each.get("url"), "url")
    return parts if "I" in model.inputs else {name: url for name, url in parts.items() if name == "driving_audio"}


def _duration(asked: Json, model: Model) -> int:
    seconds = asked.get("duration")
    seconds = bound(model, "seconds_default", 5) if seconds is None else seconds
    listed = [int(each) for each in str(model.limits.get("seconds", "")).split()]
    least, most = bound(model, "seconds_min", 2), bound(model, "seconds_max", 15)
    if not whole(seconds) or (listed and seconds not in listed) or not least <= seconds <= most:
        raise invalid(f"duration should be {' or '.join(map(str, listed)) or f'in [{least}, {most}]'}")
    return int(seconds)


async def work(service: Service, task: Task, root: str) -> Outcome:
    """Film it, keep it, and bill it as this family does."""
    from qwenkit.sandbox.painter import film

    model = _model(task.body, task.kind)
    given, asked = table(task.body, "input"), table(task.body, "parameters")
    wanted, resolve = marks(given.get("prompt") or ""), task.body["resolve"]
    if wanted.whole:
        raise failure(wanted.whole)
    frames: dict[str, Any] = {}
    for kind, url in _parts(given, model).items():
        if kind in ("driving_audio", "first_clip"):
            found = await fetch(service, url, resolve=resolve, model=model.name)
            frames[kind] = await asyncio.to_thread(_last, found.content) if kind == "first_clip" else None
        else:
            frames[kind] = await reference(service, url, model, resolve)
    first = frames.get("first_frame") or frames.get("first_clip")
    size, seconds = sides(asked, model, first), _duration(asked, model)
    number = seed(asked)
    number = int(digest(task.id)[:7], 16) if number is None else number
    last = frames.get("last_frame")
    content = await asyncio.to_thread(film, wanted.prompt or "a scene", size, seconds, FRAMES, number, first, last)
    path = service.shelf(Results).keep(task.id, "clip.mp4", content, "video/mp4", service.clock())
    output = {"orig_prompt": wanted.prompt, "video_url": root + path}
    return Outcome(output, _bill(model, asked, size, seconds), metrics=False)


def sides(asked: Json, model: Model, first: Any) -> tuple[int, int]:
    """How large it is: as asked, or so many lines in the proportions of the ratio or the first frame."""
    usual = asked.get("size") or (None if asked.get("resolution") else model.limits.get("size"))
    if usual:
        width, _, height = str(usual).replace("x", "*").partition("*")
        return int(width), int(height)
    wide, high = _AREAS[asked.get("resolution") or str(model.limits["resolutions"]).split()[0]]
    across, _, down = str(asked.get("ratio") or "16:9").partition(":")
    shape = first.size if first is not None else (int(across), int(down))
    scale = (wide * high / (shape[0] * shape[1])) ** 0.5
    if shape[0] * high == shape[1] * wide:
        return wide, high
    return round(shape[0] * scale / 16) * 16, round(shape[1] * scale / 16) * 16


def _last(content: bytes) -> Any:
    """The last frame of a clip that is to go on."""
    import av

    try:
        with av.open(io.BytesIO(content), "r") as clip:
            last: Any = deque(clip.decode(video=0), maxlen=1).pop()
            return last.to_image()
    except (av.FFmpegError, IndexError):
        raise invalid("Invalid video file.") from None


def _bill(model: Model, asked: Json, size: tuple[int, int], seconds: int) -> Json:
    lines = min((480, 720, 1080), key=lambda each: abs(each - min(size)))
    spent = {"duration": seconds, "input_video_duration": 0, "output_video_duration": seconds, "video_count": 1}
    if model.line.startswith("wan2.7"):
        return {**spent, "SR": lines, "ratio": asked.get("ratio") or "16:9"}
    if model.line.startswith("wan2.6"):
        return {**spent, "SR": lines, "size": f"{size[0]}*{size[1]}"}
    return {"video_count": 1, "video_duration": seconds, "video_ratio": f"{size[0]}*{size[1]}"}


WORKERS.update({f"aigc/{path}": work for path in PATHS})
ROUTES: list[Verb] = [("POST", ROOT + path, submitted) for path in PATHS]
