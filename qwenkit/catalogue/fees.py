"""The fees: what the service's own tools cost beside the tokens, from dated list prices. Never a bill."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from qwenkit.catalogue._shelf import read
from qwenkit.catalogue.places import region as find_region

_HOME = "beijing"


class Fee(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The list price of a built-in tool in a region; a region without one of its own has Beijing's."""

    tool: str
    region: str
    per_thousand: float
    currency: str
    dated: str
    notes: str = ""


def fees(used: Mapping[str, int], region: str = _HOME) -> tuple[float, str]:
    """What these uses of built-in tools cost, and the currency; tools without a list price add nothing."""
    place = find_region(region)
    own = {fee.tool: fee for fee in _fees() if place is not None and fee.region == place.name}
    listed = {fee.tool: fee for fee in _fees() if fee.region == _HOME} | own
    return sum(count * listed[tool].per_thousand / 1000 for tool, count in used.items() if tool in listed), "CNY"


@lru_cache(maxsize=1)
def _fees() -> tuple[Fee, ...]:
    return read("tools.json", tuple[Fee, ...])
