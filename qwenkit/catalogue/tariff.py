"""The tariff: what a call is estimated to cost, from dated list prices. Never a bill.

A call is charged at the tier that its total input falls into. Tokens read from the cache cost less (implicit hits 20 %
of the input price where the page names no price, explicit ones 10 %), tokens written into an explicit cache cost 125 %.
Explicit and implicit caching never mix within one call, so writing tells which price the hits have. A region
without prices of its own is estimated with Beijing's list.
"""

from __future__ import annotations

from collections.abc import Mapping

from qwenkit.catalogue.lineup import Model, PriceTable, Tier, model
from qwenkit.catalogue.places import region as find_region

IMPLICIT_HIT = 0.2
EXPLICIT_HIT = 0.1
EXPLICIT_CREATE = 1.25
BATCH = 0.5
YUAN_PER_DOLLAR = 7.34  # as the lists themselves imply: qwen-plus in Singapore lists ¥2.936 and $0.4
FINE = 1080  # lines of a clip
_HOME = "beijing"
_MILLION = 1_000_000


def price(
    model_name: str,
    *,
    prompt: int,
    completion: int,
    cached: int = 0,
    cache_created: int = 0,
    thinking: bool = False,
    region: str = _HOME,
    image: int = 0,
    audio: int = 0,
    audio_out: int = 0,
    explicit: bool = False,
    batch: bool = False,
) -> tuple[float, str, str] | None:
    """Amount, currency and date of the list price; None when the catalogue has no token price for the model.

    `image`, `audio` and `audio_out` are the parts of `prompt` and `completion` that are not text.
    """
    table = price_table(model_name, region)
    if table is None or not table.tiers:
        return None
    tier = _tier(table, prompt)
    explicit = explicit or cache_created > 0
    total = _input(tier, prompt, cached, cache_created, explicit, image, audio)
    total += _output(tier, completion, thinking, bool(image or audio), audio_out)
    return (BATCH if batch else 1.0) * total / _MILLION, table.currency, table.dated


def flat(model_name: str, units: Mapping[str, float], region: str = _HOME) -> tuple[float, str, str] | None:
    """Amount, currency and date for what is priced by the piece: `{"second": 12.0}`; None where it is not.

    `lines` among the units is how fine a clip is, which some prices go by.
    """
    table = price_table(model_name, region)
    if table is None or table.per_unit is None or not units.get(table.unit):
        return None
    rate = _either(table.per_unit_1080 if units.get("lines", 0) >= FINE else None, table.per_unit)
    return rate * units[table.unit], table.currency, table.dated


def convert(amount: float, currency: str, into: str) -> float:
    """An amount in another currency, for budgets: an estimate at the rate the price lists imply."""
    yuan = amount * (YUAN_PER_DOLLAR if currency == "USD" else 1.0)
    return yuan / (YUAN_PER_DOLLAR if into == "USD" else 1.0)


def price_table(model_name: str, region: str = _HOME) -> PriceTable | None:
    """The price table that holds for a model in a region: the region's own, in its currency first, else Beijing's."""
    found = model(model_name)
    if found is None:
        return None
    place = find_region(region)
    if place is None:
        return _of(found, _HOME)
    own = [table for table in found.prices if table.region == place.name and table.currency == place.currency]
    return next(iter(own), None) or _of(found, place.name) or _of(found, _HOME)


def _of(found: Model, region: str) -> PriceTable | None:
    return next((table for table in found.prices if table.region == region), None)


def _tier(table: PriceTable, prompt: int) -> Tier:
    fitting = (tier for tier in table.tiers if tier.upto is None or prompt <= tier.upto)
    return next(fitting, table.tiers[-1])


def _input(tier: Tier, prompt: int, cached: int, created: int, explicit: bool, image: int, audio: int) -> float:
    plain = max(prompt - cached - created - image - audio, 0)
    return (
        plain * tier.input
        + image * _either(tier.input_image, tier.input)
        + audio * _either(tier.input_audio, tier.input)
        + cached * _hit(tier, explicit)
        + created * _either(tier.cache_create, EXPLICIT_CREATE * tier.input)
    )


def _hit(tier: Tier, explicit: bool) -> float:
    if explicit:
        return _either(tier.cache_hit_explicit, EXPLICIT_HIT * tier.input)
    return _either(tier.cache_hit, IMPLICIT_HIT * tier.input)


def _output(tier: Tier, completion: int, thinking: bool, mixed: bool, audio_out: int) -> float:
    rate = tier.output
    if thinking:
        rate = _either(tier.output_thinking, rate)
    elif mixed:
        rate = _either(tier.output_mixed, rate)
    return max(completion - audio_out, 0) * rate + audio_out * _either(tier.output_audio, rate)


def _either(listed: float | None, otherwise: float) -> float:
    return otherwise if listed is None else listed
