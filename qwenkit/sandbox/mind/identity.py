"""Who am I? The mind never pretends to be Qwen: it is the sandbox and says so, in the language of the question."""

from __future__ import annotations

from dataclasses import replace

from .cues import cue, label
from .reading import language, sentences
from .scene import Draft, Scene

_LONGEST = 200  # a longer text that holds "who are you" is about something else


def identity(scene: Scene) -> Draft | None:
    """Questions about the one who answers, and the small talk around them."""
    if len(scene.question) > _LONGEST:
        return None
    said = sentences(scene.question)
    kinds = [label("identity", each) for each in said]
    kind = label("identity", scene.question) or (kinds[-1] if all(kinds) and kinds else "")
    if not kind:
        return None
    if all(kinds) and not scene.style.language:  # one greeted in two languages is answered in the first
        scene = replace(scene, language=language(said[0])) if said else scene
    scene.note("think.identity")
    role = _role(scene) if kind == "who" else ""
    rule = "identity.role" if role else f"identity.{kind}"
    return scene.say(rule, role=role, model=scene.prompt.model)


def _role(scene: Scene) -> str:
    """The part the system message gave the assistant, unless it is the usual one."""
    found = cue("identity.role").search(scene.system)
    if not found or cue("identity.plain_role").search(found[0]):
        return ""
    return (found[1] or found[2]).strip()
