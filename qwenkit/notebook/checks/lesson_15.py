"""Lesson 15: three voices for one sentence, tokens by the second, a question that was heard and answered aloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qwenkit import catalogue
from qwenkit.types.audio import Audio

_COSTS = [
    (2.0, 12.5, 25, "Whole seconds times tokens a second."),
    (3.0, 12.5, 38, "A token is whole: round up what comes out."),
    (2.1, 12.5, 38, "A second that has begun counts: round the seconds up before you multiply."),
    (0.2, 25, 25, "The shortest sound is a second that has begun."),
    (0.0, 12.5, 0, "No sound costs nothing."),
    (59.5, 7, 420, "It must hold for any number of tokens a second."),
]


def exercise_1(casting: Mapping[str, Any]) -> str | None:
    """Let three voices say the same sentence, and answer with a dict from name to sound."""
    if len(casting) < 3:
        return f"Three voices are asked for, here {'is' if len(casting) == 1 else 'are'} {len(casting)}."
    if silent := [name for name, take in casting.items() if not isinstance(take, Audio)]:
        return f"{silent[0]} holds no qk.Audio: the sound of a reply is in its audio."
    if unknown := [name for name in casting if catalogue.voice(name) is None]:
        return f"No voice is called {unknown[0]}: the keys are names of voices."
    if wrong := [name for name, take in casting.items() if take.meta.get("voice") != name]:
        return f"What stands under {wrong[0]} was said by another voice: speak takes the name."
    if len({take.text for take in casting.values()}) > 1:
        return "They did not all say the same: ask each the same question."
    return None


def exercise_2(spoken_tokens: Callable[[float, float], Any]) -> str | None:
    """Write spoken_tokens(seconds, a_second), the tokens of a sound."""
    for seconds, a_second, tokens, hint in _COSTS:
        found = spoken_tokens(seconds, a_second)
        if found is None:
            return "spoken_tokens returns nothing yet: give back a number."
        if found != tokens:
            return f"{hint} {seconds:g} s at {a_second:g} gave {found!r:.20}."
    return None


def exercise_3(relay: Any) -> str | None:
    """Answer with one reply that heard a question and spoke its answer."""
    if relay.audio is None or not relay.usage.audio_out:
        return "This reply is silent: speak gives it a voice."
    if not relay.usage.audio_in:
        return "It answered aloud, but heard nothing: the question goes along as audio."
    if not relay.text:
        return "It said nothing: ask something it can answer."
    return None
