"""Lesson 09: the text in any shape of a native answer, models by their path, a task from its submission to its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qwenkit import catalogue

_FAMILY = "qwen3.7-"


def _message(content: Any) -> dict[str, Any]:
    return {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": content}}]}


_OUTPUTS = [
    ({"finish_reason": "stop", "text": "Two cats."}, "A bare text stands in output itself, without choices."),
    (_message("Two cats."), "A message has its text in choices, message, content."),
    (_message([{"text": "Two "}, {"text": "cats."}]), "Content may be a list of items: join their texts."),
    (_message([{"text": "Two cats."}, {"image_hw": [["64", "64"]]}]), "Some items have no text: they add nothing."),
    ({"text": None, **_message("Two cats.")}, "Some writers add the fields of the other shape as null."),
]
_EMPTY = [
    (_message([]), "An empty list of items holds an empty text."),
    (_message(None), "While tools are called, content may be null, which Python reads as None."),
]


def exercise_1(text_of: Callable[[dict[str, Any]], Any]) -> str | None:
    """Write text_of(output), which gives the text in an output of any shape."""
    for output, hint, wanted in [(*pair, "Two cats.") for pair in _OUTPUTS] + [(*pair, "") for pair in _EMPTY]:
        try:
            said = text_of(output)
        except Exception as failure:
            return f"{hint} A test output raised {type(failure).__name__}."
        if said is None and output is _OUTPUTS[0][0]:
            return "text_of returns nothing yet: give back the text of the answer."
        if said != wanted:
            return f"{hint} A test output gave {said!r:.60}."
    return None


def exercise_2(paths: Mapping[str, list[str]]) -> str | None:
    """Sort the models whose names begin with qwen3.7- by the path they live on."""
    mine = [model for model in catalogue.models() if model.name.startswith(_FAMILY)]
    wanted = {path: {model.name for model in mine if model.native == path} for path in ("text", "multimodal")}
    if set(paths) != set(wanted):
        return 'The dict needs two keys, "text" and "multimodal".'
    for path, names in wanted.items():
        if strangers := set(paths[path]) - {model.name for model in mine}:
            return f"{min(strangers)} does not begin with {_FAMILY}: go through qwen.models by name."
        if wrong := set(paths[path]) - names:
            return f"{min(wrong)} does not live on the {path} path: see model.native."
        if missing := names - set(paths[path]):
            return f"The {path} list lacks {len(missing)} of its models."
    return None


def exercise_3(task: Any, vectors: Any) -> str | None:
    """Embed three sentences as one task, and answer with the finished task and its vectors."""
    if not task.done:
        return f"This task is {task.status}: wait for it."
    if not task.ok:
        return "This task did not succeed: look at task.message."
    if len(vectors) != 3:
        return f"Three sentences make three vectors, these are {len(vectors)}: one line of the file for each."
    if {len(vector) for vector in vectors} != {1536}:
        return "Each line of the file holds its vector as embedding: 1,536 numbers."
    return None
