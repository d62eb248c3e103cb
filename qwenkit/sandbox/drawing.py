"""Pictures from words, at once and as tasks.

    order -> references fetched and held against the model's limits -> painted, one picture after another in a thread
          -> kept as signed results -> written down as this family of models writes it

Picture k of an order with a seed is painted with seed + k; without one the seed follows from the request.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from qwenkit.catalogue import Model, tokens
from qwenkit.catalogue.media import MEGABYTE, media
from qwenkit.sandbox import image_orders as orders
from qwenkit.sandbox.chat import EVENT_STREAM, paced
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.image_orders import ImageOrder
from qwenkit.sandbox.marks import failure
from qwenkit.sandbox.media import LARGEST, RESOLVE, checked, fetch
from qwenkit.sandbox.native_answers import frame
from qwenkit.sandbox.results import Results
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.task_shelf import Task
from qwenkit.sandbox.tasks import WORKERS, Outcome, enabled, must_be_async, submit

Json = dict[str, Any]
_EDITED = {"wan2.5-i2i-preview": 1280}  # the side of a square that an edit without a size is as large as
_QUICK = 3  # of zlib: twice the speed for a tenth more bytes


class Drawn(NamedTuple):
    """One picture of an order, or why there is none."""

    url: str = ""
    size: tuple[int, int] = (0, 0)
    failed: Refusal | None = None


async def generation(service: Service, request: Request, body: Json) -> Response:
    """An order on the multimodal path, answered at once; interleaved texts and pictures as a stream."""
    order, told = orders.read(body), {"request_id": request.state.request_id}
    if order.interleaved and not enabled(request, "x-dashscope-sse"):  # the SDK sends the header alone
        raise invalid("enable_interleave requires stream to be true")
    root, resolve = str(request.base_url).rstrip("/"), enabled(request, RESOLVE)
    pictures = await draw(service, order, root, request.state.request_id, resolve)
    if order.interleaved:
        return StreamingResponse(paced(_frames(order, pictures, told), service.pace), headers=EVENT_STREAM)
    output, usage = answer(order, pictures)
    return JSONResponse({"output": output, "usage": usage, **told})


async def submitted(service: Service, request: Request) -> Response:
    """An order on one of the paths of tasks. What can be told at once to be wrong is told at once."""
    path, body = request.url.path.removeprefix(orders.ROOT).partition("/")[0], json_body(request)
    must_be_async(request)
    order = orders.read(body, path)
    kept = {**body, "resolve": enabled(request, RESOLVE), "path": path}
    return submit(service, request, kept, order.wanted.demand(order.parts))


async def work(service: Service, task: Task, root: str) -> Outcome:
    """What a task of pictures does in its last step."""
    order = orders.read(task.body, task.body["path"])
    pictures = await draw(service, order, root, task.id, task.body["resolve"])
    output, usage = later(order, pictures)
    failed = sum(picture.failed is not None for picture in pictures)
    counted = task.body["path"] != "image-generation" and not order.model.line.startswith("qwen-image")
    return Outcome(output, usage, failed, counted or failed > 0)


async def draw(service: Service, order: ImageOrder, root: str, owner: str, resolve: bool) -> list[Drawn]:
    """Every picture of an order, in order; `Refusal` when none could be made."""
    if order.wanted.whole:
        raise failure(order.wanted.whole)
    references = [await reference(service, url, order.model, resolve) for url in order.references]
    mask = await reference(service, order.mask, order.model, resolve) if order.mask else None
    size = sides(order, references)
    seed = order.seed if order.seed is not None else int(digest(owner)[:7], 16)
    pictures: list[Drawn] = []
    for at in range(order.parts):
        if at + 1 in order.wanted.parts:
            pictures.append(Drawn(failed=failure(order.wanted.parts[at + 1])))
            continue
        content = await asyncio.to_thread(_painted, order, size, seed + at, references, mask)
        path = service.shelf(Results).keep(owner, f"{at + 1}.png", content, "image/png", service.clock())
        pictures.append(Drawn(root + path, size))
    if all(picture.failed for picture in pictures):
        raise pictures[0].failed or Refusal("InternalError")
    return pictures


async def reference(service: Service, url: str, model: Model, resolve: bool) -> Any:
    """A picture the order points to, decoded."""
    facts = media(model)
    most = facts.image_megabytes if facts else None
    found = await fetch(service, url, resolve=resolve, most=int(most * MEGABYTE) if most else LARGEST, model=model.name)
    checked(found.content, "image", facts)
    return await asyncio.to_thread(_decoded, found.content)


def _decoded(content: bytes) -> Any:
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content)) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except Exception:  # Pillow raises what its decoders raise
        raise Refusal("InvalidImageFormat", "The image cannot be decoded.", status=400) from None


def sides(order: ImageOrder, references: list[Any]) -> tuple[int, int]:
    """How large the pictures get: as asked, as the model usually does, or in the proportions of the last reference."""
    usual = order.size or ("" if references else str(order.model.limits.get("size", "")))
    if isinstance(usual, str) and "*" in usual:
        usual = int(usual.partition("*")[0]), int(usual.partition("*")[2])
    if not isinstance(usual, str):
        return (_sixteenth(usual[0]), _sixteenth(usual[1])) if references else usual
    side = orders.SIDES.get(usual) or _EDITED.get(order.model.line, 1024)
    width, height = references[-1].size if references else (1, 1)
    scale = side / (width * height) ** 0.5
    return _sixteenth(width * scale), _sixteenth(height * scale)


def _sixteenth(side: float) -> int:
    return max(round(side / 16), 1) * 16


def _painted(order: ImageOrder, size: tuple[int, int], seed: int, references: list[Any], mask: Any) -> bytes:
    """A picture as PNG. With a mask only what is white in it may differ from the picture that is changed."""
    from PIL import Image

    from qwenkit.sandbox.painter import paint

    style = str(order.asked.get("style", "")).strip("<>")
    words = "Qwen-Image" if order.model.line.startswith("qwen") else "AI生成"
    mark = words if order.on("watermark") else ""
    picture, held = paint(order.painted, size, seed, order.negative, style, references, mark), io.BytesIO()
    if mask is not None and references:
        picture = Image.composite(picture, references[0].resize(size), mask.convert("L").resize(size))
    picture.save(held, "PNG", compress_level=_QUICK)
    return held.getvalue()


def answer(order: ImageOrder, pictures: list[Drawn]) -> tuple[Json, Json]:
    """Output and bill of a message: one choice for each picture."""
    line, made = order.model.line, [picture for picture in pictures if picture.url]
    typed = {"type": "image"} if line.startswith("wan") else {}
    choices: list[Json] = []
    for picture in made:
        content: list[Json] = [{"image": picture.url, **typed}]
        message: Json = {"role": "assistant", "content": content}
        if line.startswith("z-image"):
            content.append({"text": order.painted})
            message["reasoning_content"] = ""
        choices.append({"finish_reason": "stop", "message": message})
    output: Json = {"choices": choices}
    if line.startswith("wan"):
        output["finished"] = True
    if line.startswith("qwen-image-3.0"):
        output["rewrite_status"] = "SUCCEEDED" if order.painted != order.prompt else "SKIPPED"
    if line == "qwen-image-max" or len(made) < len(pictures):
        metrics = {"TOTAL": len(pictures), "SUCCEEDED": len(made), "FAILED": len(pictures) - len(made)}
        output["task_metric"] = metrics
    return output, _bill(order, made)


def _bill(order: ImageOrder, made: list[Drawn]) -> Json:
    line, (width, height) = order.model.line, made[0].size
    none = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    if line.startswith("qwen-image-3.0"):
        given = {"input_image_count": len(order.references), "input_image_type": "qima_input_1k"}
        kind = "qima_output_1k" if width * height <= 2_250_000 else "qima_output_2k"
        sized = {"output_width": width, "output_height": height}
        return {**sized, **given, "output_image_count": len(made), "output_image_type": kind}
    if line.startswith("wan2.7"):
        read = 10_000 + tokens.count(order.prompt)
        none = {"input_tokens": read, "output_tokens": 2 * len(made), "total_tokens": read + 2 * len(made)}
    if line.startswith("wan"):
        return {"image_count": len(made), "size": f"{width}*{height}", **none}
    bill = {"image_count": len(made), "width": width, "height": height}
    return {**bill, **none} if line.startswith("z-image") else bill


def later(order: ImageOrder, pictures: list[Drawn]) -> tuple[Json, Json]:
    """Output and bill of a task: choices as at once, or the older list of results with failures in their places."""
    if order.interleaved:
        choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": _turns(order, pictures)}}
        return {"choices": [choice], "finished": True}, _bill(order, [each for each in pictures if each.url])
    if order.model.limits["task"] == "image-generation":
        output, usage = answer(order, pictures)
        output.pop("task_metric", None)  # a task counts in the plural
        return output, usage
    asked: Json = {"orig_prompt": order.prompt}
    if order.painted != order.prompt:
        asked["actual_prompt"] = order.painted
    results: list[Json] = []
    for each in pictures:
        failed = each.failed.flat("") if each.failed else {}
        results.append({name: failed[name] for name in ("code", "message") if failed} or {**asked, "url": each.url})
    return {"results": results}, {"image_count": sum(bool(each.url) for each in pictures)}


def _turns(order: ImageOrder, pictures: list[Drawn]) -> list[Json]:
    """A sentence and its picture, by turns."""
    items: list[Json] = []
    for at, picture in enumerate(pictures, 1):
        items.append({"type": "text", "text": f"Picture {at} of {len(pictures)}: {order.prompt}."})
        if picture.url:
            items.append({"type": "image", "image": picture.url})
    return items


def _frames(order: ImageOrder, pictures: list[Drawn], told: Json) -> Iterator[bytes]:
    """The interleaved stream: texts and pictures by turns."""
    items = _turns(order, pictures)
    for number, item in enumerate(items, 1):
        reason = "stop" if number == len(items) else "null"
        choice = {"finish_reason": reason, "message": {"role": "assistant", "content": [item]}}
        drawn = [each for each in pictures[: (number + 1) // 2] if each.url] or pictures[:1]
        data = {"output": {"choices": [choice], "finished": True}, "usage": _bill(order, drawn), **told}
        yield frame(number, "result", 200, data)


WORKERS.update({f"aigc/{path}": work for path in orders.TASK_PATHS.values()})
ROUTES: list[Verb] = [("POST", orders.ROOT + path, submitted) for path in orders.TASK_PATHS.values()]
