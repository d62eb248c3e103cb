"""Lesson 13: three wide pictures, a picture drawn again from what its file tells, a task fetched by its id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_SEEDS = [30, 31, 32]


def exercise_1(wide: Any) -> str | None:
    """Draw three pictures of one scene in 16:9, with seeds 30, 31 and 32."""
    if len(wide.images) != 3:
        return f"Three pictures are asked for, these are {len(wide.images)}: n draws several in one call."
    if any(abs(image.width / image.height - 16 / 9) > 0.1 for image in wide.images):
        return 'They are not 16:9: size="16:9" finds a size the model draws, or give a pair of that ratio.'
    seeds = [image.meta.get("seed") for image in wide.images]
    if seeds != _SEEDS:
        return f"Their seeds are {seeds}: seeds count up from the one you give."
    return None


def exercise_2(left: Any, again: Any) -> str | None:
    """Read what made the picture in a file, and draw it again without saving."""
    from qwenkit.types.image import Image

    before = Image.open(left)
    made = json.loads(Path(left).with_suffix(".json").read_text("utf-8"))
    for name in ("prompt", "seed", "model"):
        if again.meta.get(name) != made[name]:
            return f"Its {name} is {again.meta.get(name)!r:.60}: the .json beside the file says {made[name]!r:.60}."
    if again.size != before.size:
        return f"It is {again.width}x{again.height}, the file holds {before.width}x{before.height}: give that as size."
    if again.path is not None:
        return "It was saved: save=False keeps it in memory."
    return None


def exercise_3(kept_id: Any, fetched: Any) -> str | None:
    """Submit an order, and fetch its pictures by its id."""
    if not isinstance(kept_id, str):
        return "Keep the id alone: task.id is a text."
    if getattr(fetched, "task", None) is None:
        return "These pictures came without a task: qwen.images.wait takes an id."
    if fetched.task.id != kept_id:
        return "These pictures are of another task: wait for the id you kept."
    return None if fetched.images else "No picture came."
