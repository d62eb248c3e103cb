"""Pictures from words: `qwen.images("a paper kite over a lake", n=4)` gives an `ImageGrid`.

Where a model answers at once it is asked at once, the others as a task that is waited for; `.submit` asks for a task
in any case. Whichever way, the pictures are fetched the moment they are there, checked, and kept under `outputs/` with
what made them. What failed stands in its place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, Generic, TypeVar, Unpack
from weakref import WeakKeyDictionary

import msgspec

from qwenkit.api import outputs, sending, tasks
from qwenkit.api.billed import billed
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.waiting import check
from qwenkit.errors import ConfigError, QwenError, ServerError
from qwenkit.protocol import image_answers as answers
from qwenkit.protocol import images as protocol
from qwenkit.protocol import tasks as endings
from qwenkit.protocol.flow import Flow, Together
from qwenkit.protocol.image_answers import Answered, Found
from qwenkit.protocol.images import ImageOptions, Order
from qwenkit.types.image import Image
from qwenkit.types.image_grid import Failed, ImageGrid
from qwenkit.types.task import Task

PAUSES = (1.0, 2.0, 4.0, 7.0, 10.0)  # seconds; the pages advise about ten
Made = TypeVar("Made")
_AT_ONCE = 4  # downloads
_TIMES: WeakKeyDictionary[Core, Counter[str]] = WeakKeyDictionary()
_ORDERS: WeakKeyDictionary[Core, dict[str, Order]] = WeakKeyDictionary()


class LaterCalls(ABC, Generic[Made]):
    """What pictures and clips share: they are made as tasks, and fetched when those are over."""

    _core: Core
    _pauses: tuple[float, ...] = PAUSES
    _noun = "images"

    @abstractmethod
    def _fetched(self, task: Task, save: bool, folder: Any) -> Flow[Made]:
        """What a task that is over has made."""

    def _made(
        self, order: Order, family: str, save: bool, folder: Any, progress: bool, timeout: float | None
    ) -> Flow[Made]:
        """An order as a task, waited for."""
        task = yield from submitted(self._core, order, family)
        wait = LaterCalls.wait.flow
        return (yield from wait(self, task, timeout=timeout, progress=progress, save=save, folder=folder))

    @call
    def wait(
        self,
        task: Task | str,
        *,
        timeout: float | None = None,
        progress: bool = True,
        save: bool = True,
        folder: Any = "outputs",
    ) -> Flow[Made]:
        """Wait for a task and fetch what it made. `TaskFailed` when that is nothing; a task lives for a day."""
        able(save, folder, timeout)
        seen = yield from tasks.ended(
            self._core, task, timeout=timeout, progress=progress, pauses=self._pauses, noun=self._noun
        )
        return (yield from self._fetched(seen, save, folder))

    @call
    def get(self, task: Task | str, *, save: bool = True, folder: Any = "outputs") -> Flow[Made | Task]:
        """Look once: what it made when it is there, else the task as it stands."""
        able(save, folder)
        seen = yield from tasks.look(self._core, task)
        if seen.status == "UNKNOWN":
            raise endings.failed(seen)
        return (yield from self._fetched(seen, save, folder)) if seen.ok else seen

    @call
    def cancel(self, task: Task | str) -> Flow[Task]:
        """Cancel a task that still waits; one that has begun cannot be cancelled."""
        return (yield from tasks.Tasks.cancel.flow(tasks.Tasks(self._core), task))


class ImagesCalls(LaterCalls[ImageGrid]):
    """The calls of the images noun, written once for both flavours."""

    @call
    def __call__(
        self,
        prompt: str,
        *,
        save: bool = True,
        folder: Any = "outputs",
        progress: bool = True,
        timeout: float | None = None,
        **options: Unpack[ImageOptions],
    ) -> Flow[ImageGrid]:
        """Draw what the prompt says: one picture, or `n`.

        `size` is a pair, "1024x1024", a ratio as "16:9", or a name as "2K". `negative` says what is not to be seen.
        `images` are pictures to change or to go by: paths, addresses, `qk.Image`. A seed makes a picture repeatable;
        the k-th of several has seed + k. Without one it is chosen here, and kept: by prompt, model, and how often this
        client was asked for them, so a notebook that runs again draws the same. No size, or "", is the model's own.

        Each is saved under `folder` with its prompt, seed and model, unless `save=False`. Other options are spelled as
        on the wire and go to models that know them.
        """
        order = protocol.order(prompt, seeded(self._core, prompt, options))
        able(save, folder, timeout)
        if order.later:
            return (yield from self._made(order, "images", save, folder, progress, timeout))
        body, headers = yield from sending.placed(self._core, order.body, order.model)
        headers = {**headers, **order.headers}
        request = self._core.request("POST", "native", order.path, body, timeout=timeout, headers=headers)
        opened = self._core.accounts.open("images", order.model, 0, 0, order.n)
        answered = yield from billed(self._core, request, opened, partial(answers.read, order=order))
        return (yield from _gathered(self._core, order, answered, save, folder))

    @call
    def submit(self, prompt: str, **options: Unpack[ImageOptions]) -> Flow[Task]:
        """Hand the order in and go on: `wait(task)` or its id brings the pictures, today or from another session."""
        order = protocol.order(prompt, seeded(self._core, prompt, options), later=True)
        return (yield from submitted(self._core, order, "images"))

    def _fetched(self, task: Task, save: bool, folder: Any) -> Flow[ImageGrid]:
        order = remembered(self._core, task)
        found = answers.pictures(task.output, order.line)
        if not any(each.url for each in found):
            raise nothing(task, "pictures")
        answered = Answered(found, task.usage, order.model, task.raw)
        answered.receipt = task.receipt
        grid = yield from _gathered(self._core, order, answered, save, folder)
        grid.task = task
        return grid


def able(save: Any, folder: Any, timeout: float | None = None) -> None:
    """Refuse what would only fail when the pictures are paid for."""
    check(timeout)
    if not isinstance(save, bool):
        hint = 'it is True or False: folder="album" says where, and .save("a name") of what came writes it again'
        raise ConfigError(f"save cannot be {save!r:.60}", hint=hint)
    if save:
        outputs.ready(folder)


def seeded(core: Core, prompt: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with a seed, so that whatever is made can be asked for again."""
    extra = options.get("extra")
    if options.get("seed") is not None or (isinstance(extra, Mapping) and "seed" in extra):
        return dict(options)
    times, asked = _TIMES.setdefault(core, Counter()), f"{options.get('model')}\n{prompt}"
    times[asked] += 1
    return {**options, "seed": protocol.chosen(prompt, options, times[asked])}


def submitted(core: Core, order: Order, family: str) -> Flow[Task]:
    """Hand an order in as a task, and remember what it asked for."""
    body, headers = yield from sending.placed(core, order.body, order.model)
    seconds = body["parameters"].get("duration") or 0
    task = yield from tasks.submit(
        core, order.path, body, family=family, headers=headers, answers=order.n, seconds=seconds
    )
    _ORDERS.setdefault(core, {})[task.id] = msgspec.structs.replace(order, body={})
    return task


def nothing(task: Task, what: str) -> Exception:
    """Why there is nothing to fetch: it failed, or the task is one of another noun."""
    if not task.ok:
        return endings.failed(task)
    return ConfigError(f"this task made no {what}", hint="qwen.tasks.get(task).output says what it made")


def remembered(core: Core, task: Task) -> Order:
    """What a task was asked for. One of another session has forgotten it."""
    return _ORDERS.get(core, {}).get(task.id) or Order("", {}, task.model, "", 0, None)


def _gathered(core: Core, order: Order, answered: Answered, save: bool, folder: Any) -> Flow[ImageGrid]:
    """Every picture fetched and kept, in order. One that does not arrive is a failure in its place."""
    flows = [_picture(core, order, each, at) for at, each in enumerate(answered.found)]
    came: list[Any] = yield Together(flows, _AT_ONCE)
    lost = [each for each in came if isinstance(each, BaseException)]
    if lost and not any(isinstance(each, Image) for each in came):
        raise lost[0]
    places = [_lost(each) if isinstance(each, BaseException) else each for each in came]
    for image in (each for each in places if save and isinstance(each, Image)):
        image.path = outputs.kept(image, folder)
    shared = {"prompt": order.prompt, "model": order.model, "negative": order.negative}
    grid = ImageGrid(places, **{name: value for name, value in shared.items() if value})
    grid.receipt, grid.usage, grid.raw = answered.receipt, answered.usage, answered.raw
    return grid


def _picture(core: Core, order: Order, found: Found, at: int) -> Flow[Image | Failed]:
    if not found.url:
        return Failed(found.code, found.message)
    made = {"prompt": order.prompt, "seed": None if order.seed is None else order.seed + at, "model": order.model}
    facts = {name: value for name, value in {**made, **found.facts}.items() if value not in (None, "")}
    try:
        return (yield from _whole(core, found.url, facts))
    except (ServerError, ConfigError):  # damaged on its way, perhaps: once more
        return (yield from _whole(core, found.url, facts))


def _whole(core: Core, url: str, facts: dict[str, Any]) -> Flow[Image]:
    """What is at an address, if it is a picture to its last line."""
    content = yield from sending.fetch(core, url, "image")
    image = Image(content, url=url, **facts)
    image.decoded(64)
    return image


def _lost(error: BaseException) -> Failed:
    if not isinstance(error, QwenError):
        raise error
    return Failed(getattr(error, "code", "") or type(error).__name__, f"{error.message} {error.hint}".strip())


class Images(ImagesCalls, SyncNoun):
    """`qwen.images("a paper kite")`, `.submit(…)`, `.wait(task)`, `.get(task)`, `.cancel(task)`."""


class AsyncImages(ImagesCalls, AsyncNoun):
    """`await aqwen.images("a paper kite")`."""
