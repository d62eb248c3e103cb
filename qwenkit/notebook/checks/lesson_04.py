"""Lesson 04: what temperature and top_p do to a distribution, in arithmetic; settings that leave nothing to chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_COLOURS = {"red": 0.3, "blue": 0.5, "green": 0.2}
_TEMPERATURES = {
    1.0: "At temperature 1 nothing changes.",
    0.5: "Raise every probability to the power 1 / temperature, then divide by the sum.",
    2.0: "Above 1 the probabilities should move towards each other.",
}
_CUTS = {
    0.9: (["blue", "red", "green"], "Two of the three colours make only 0.8: top_p=0.9 needs the third."),
    0.7: (["blue", "red"], "Go from the likeliest down, and stop once the sum reaches top_p."),
    0.4: (["blue"], "The likeliest is always kept, even when it alone passes top_p."),
    1.0: (["blue", "red", "green"], "top_p=1 keeps everything."),
}
_SEEDS = 10


def exercise_1(reweigh: Callable[[Mapping[str, float], float], Any]) -> str | None:
    """Write reweigh(probabilities, temperature), which gives the distribution that the temperature makes."""
    for temperature, hint in _TEMPERATURES.items():
        found = reweigh(dict(_COLOURS), temperature)
        if found is None:
            return "reweigh returns nothing yet: give back a dict of the same names."
        if set(found) != set(_COLOURS):
            return "Every name should come back, and no other."
        if not math.isclose(sum(found.values()), 1.0, abs_tol=1e-6):
            return "The probabilities should add up to 1."
        powers = {name: share ** (1 / temperature) for name, share in _COLOURS.items()}
        if any(not math.isclose(found[name], powers[name] / sum(powers.values()), abs_tol=1e-6) for name in powers):
            return hint
    return None


def exercise_2(nucleus: Callable[[Mapping[str, float], float], Any]) -> str | None:
    """Write nucleus(probabilities, top_p), which lists the names that top_p keeps, the likeliest first."""
    for top_p, (kept, hint) in _CUTS.items():
        found = nucleus(dict(_COLOURS), top_p)
        if found is None:
            return "nucleus returns nothing yet: give back a list of names."
        if sorted(found) == sorted(kept) and list(found) != kept:
            return "The names are right; list the likeliest first."
        if list(found) != kept:
            return hint
    return None


def exercise_3(settings: Mapping[str, Any], texts: Sequence[str]) -> str | None:
    """Find settings, temperature left alone, that make ten seeds agree: the settings, then the ten texts."""
    if {"temperature", "seed"} & set(settings):
        return "Leave temperature and seed out of the settings: another option can take the choice away as well."
    if len(texts) < _SEEDS:
        return "Ask with ten different seeds, and hand in the ten texts."
    if not settings:
        return "Without settings the model's own are used; add one that leaves a single candidate."
    if len(set(texts)) > 1:
        return f"The ten answers still differ in {len(set(texts))} ways: leave the sampler fewer candidates."
    return None
