"""The data files themselves: consistent, complete, and equal to the pages they were read from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from qwenkit import catalogue, errors
from qwenkit.catalogue import Model, PriceTable

ROOT = Path(__file__).parents[2]
MODELS = catalogue.models()
TABLES = [
    pytest.param(table, id=f"{model.name}-{table.region}-{table.currency}")
    for model in MODELS
    for table in model.prices
]
# What looks like a model's name. Names are lower case; "Qwen3-VL" in prose is a family. Addresses are cut out first.
MODEL_LIKE = re.compile(
    r"\b(?:qwen|qwq|qvq|wanx?\d|cosyvoice|paraformer|fun-asr|gummy|sambert|gte-rerank|text-embedding|tongyi-embedding"
    r"|multimodal-embedding|deepseek|kimi|glm|z-image)[\w.]*-[\w.-]*\w"
)
MADE_UP = re.compile(r"no-such|nosuch|does-not|typo|-9\b|pluss|imaginary")  # names that lessons get wrong on purpose


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_model_is_consistent(model: Model) -> None:
    assert model.title
    assert model.thinking in {"no", "off", "on", "always"}
    assert model.native in {"text", "multimodal"}
    assert set(model.inputs) <= set("TIVA")
    assert set(model.outputs) <= set("TIVAES")
    for size in (model.max_input, model.max_input_thinking):
        assert size is None or 0 < size <= (model.context or size)
    assert model.max_thinking is None or model.thinking != "no"
    assert not model.thinking_needs_stream or (model.open and model.thinking == "on")
    assert model.temperature is None or 0 <= model.temperature < 2
    assert model.top_p is None or 0 < model.top_p <= 1
    assert not model.default_voice or model.default_voice in {voice.name for voice in catalogue.voices(model.name)}
    assert not model.default_voice or "A" in model.outputs
    assert all(size > 0 for size in model.dims)


@pytest.mark.parametrize("table", TABLES)
def test_a_price_table_is_sound(table: PriceTable) -> None:
    region = catalogue.region(table.region)
    assert region is not None
    assert region.name == table.region
    assert table.currency in {"CNY", "USD"}
    assert re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", table.dated)
    assert bool(table.tiers) != (table.per_unit is not None)
    assert table.per_unit is None or table.per_unit > 0
    limits = [tier.upto for tier in table.tiers]
    assert limits == sorted(set(limits), key=lambda limit: limit or 10**12)
    for tier in table.tiers:
        assert tier.input > 0
        assert tier.output >= 0
        assert tier.output_thinking is None or tier.output_thinking >= tier.output
        assert tier.cache_hit is None or tier.cache_hit < tier.input
        assert tier.cache_create is None or tier.cache_create > tier.input
    assert [tier.input for tier in table.tiers] == sorted(tier.input for tier in table.tiers)


def test_names_and_snapshots_are_unique() -> None:
    names = [name.lower() for model in MODELS for name in (model.name, *model.snapshots)]
    assert len(names) == len(set(names))


def test_every_default_is_in_the_catalogue() -> None:
    assert catalogue.DEFAULTS["chat"] == "qwen-plus"
    for job, name in catalogue.DEFAULTS.items():
        assert catalogue.known(name), (job, name)


def test_the_founding_models_are_marked() -> None:
    founding = {model.name for model in MODELS if model.founding}
    assert founding == {
        "qwen-turbo", "qwen-plus", "qwen-max", "qwen-long", "qwen-vl-plus", "qwen-vl-max", "qwen-audio-turbo",
        "qwen3-vl-plus", "qwen3.5-plus", "qwen3-omni-flash-realtime", "qwen-omni-turbo-realtime", "wan2.6-t2i",
        "qwen-tts", "qwen3-tts-flash",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("qwen-plus", (1_000_000, 997_952, 995_904, 32_768, 81_920)),
        ("qwen3.8-max", (1_000_000, 991_808, 983_616, 131_072, 262_144)),
        ("qwen3-max", (262_144, 258_048, None, 65_536, None)),
        ("qwen-max", (32_768, 30_720, None, 8_192, None)),
        ("qwen3-omni-flash", (65_536, 49_152, 16_384, 16_384, None)),
        ("qwen3-235b-a22b", (131_072, 129_024, 98_304, 16_384, None)),
        ("deepseek-v4.1-flash", (1_000_000, 1_000_000, None, 393_216, 393_216)),
        ("glm-5.1", (202_745, 202_745, None, 131_072, None)),
        ("qwen-mt-plus", (16_384, 8_192, None, 8_192, None)),
    ],
)
def test_sizes_are_those_of_the_pages(name: str, sizes: tuple[int | None, ...]) -> None:
    model = catalogue.model(name)
    assert model is not None
    assert (model.context, model.max_input, model.max_input_thinking, model.max_output, model.max_thinking) == sizes


@pytest.mark.parametrize(
    ("name", "region", "first"),
    [
        ("qwen3.8-flash", "beijing", (0.8, 2.7, None)),
        ("qwen3.7-flash", "beijing", (0.2, 0.8, 32_768)),
        ("qwen3.5-plus", "beijing", (0.8, 4.8, 131_072)),
        ("qwen3-coder-plus", "beijing", (4, 16, 32_768)),
        ("qwen-vl-max", "singapore", (0.8, 3.2, None)),
        ("qwen3.6-flash", "singapore", (0.1875, 1.125, None)),
        ("qwen3-omni-flash", "singapore", (0.43, 1.66, None)),
        ("kimi-k3", "singapore", (21.875, 109.376, None)),
        ("qwen-tts", "beijing", (1.6, 10, None)),
        ("text-embedding-v4", "singapore", (0.514, 0, None)),
    ],
)
def test_prices_are_those_of_the_pages(name: str, region: str, first: tuple[float, float, int | None]) -> None:
    table = catalogue.price_table(name, region)
    assert table is not None
    assert table.region == region
    assert (table.tiers[0].input, table.tiers[0].output, table.tiers[0].upto) == first


def test_features_are_those_of_the_pages() -> None:
    def having(feature: str) -> set[str]:
        return {model.name for model in MODELS if getattr(model, feature)}

    def thinking(how: str) -> set[str]:
        return {model.name for model in MODELS if model.thinking == how}

    assert having("json_schema") == {"qwen3.7-max", "qwen3.7-plus", "qwen3.7-flash", "qwen3.8-max", "qwen3.8-flash"}
    assert {"qwq-plus", "qvq-max", "qwen-omni-turbo", "qwen3-omni-flash"} <= having("stream_only")
    assert "qwen3-32b" in having("thinking_needs_stream")
    assert {"qwen-plus", "qwen-flash", "qwen3-max", "qwen3-vl-plus", "kimi-k2.5", "deepseek-v3.2"} <= thinking("off")
    assert {"qwen3.5-plus", "qwen3.6-flash", "qwen3.7-max", "qwen3.8-flash", "deepseek-v4-pro", "glm-5"} <= thinking(
        "on"
    )
    assert {"qwq-plus", "qvq-plus", "deepseek-r1", "kimi-k2-thinking", "glm-5.3", "qwen3.8-2.4t-a95b"} <= thinking(
        "always"
    )
    assert {"qwen3.5-plus", "qwen3-vl-plus", "qwen-tts", "wan2.6-t2i"} <= {
        m.name for m in MODELS if m.native == "multimodal"
    }
    assert {"qwen-plus", "qwen3-max", "deepseek-v3"} <= {m.name for m in MODELS if m.native == "text"}


def test_voices_name_models_of_the_catalogue() -> None:
    voices = catalogue.voices()
    assert len({voice.name for voice in voices}) == len(voices)
    for voice in voices:
        assert voice.gender in {"", "female", "male"}
        assert voice.models
        assert len(voice.models) == len(set(voice.models))
        assert all(catalogue.known(model) for model in voice.models), voice
    assert {voice.dialect for voice in voices} >= {
        "Shanghai",
        "Beijing",
        "Sichuan",
        "Nanjing",
        "Shaanxi",
        "Minnan",
        "Tianjin",
        "Cantonese",
    }


def test_every_region_and_host_is_named_once() -> None:
    regions = catalogue.regions()
    assert regions[0].id == "cn-beijing"
    aliases = [{alias.lower() for alias in (each.id, each.name, each.title, *each.aliases)} for each in regions]
    names = [alias for every in aliases for alias in every]
    assert len(names) == len(set(names))
    for region in regions:
        assert catalogue.region(region.id) == region
        for kind in ("shared", "trial", "batch", "coding_plan", "token_plan"):
            host = getattr(region, f"{kind}_host")
            family = catalogue.host_family(host) if host else None
            assert not host or (family and (family.kind, family.region) == (kind.replace("_", "-"), region))
    assert {region.name for region in regions if region.founding} == {
        "beijing", "singapore", "virginia", "hongkong", "frankfurt",
    }  # fmt: skip


def test_paths_start_at_the_root() -> None:
    assert all(path.startswith("/") and not path.endswith("/") for path in catalogue.paths().values())
    assert catalogue.paths()["realtime"] == "/api-ws/v1/realtime"


def test_every_code_and_status_names_an_error_class_and_a_cure() -> None:
    raw = json.loads((ROOT / "qwenkit/catalogue/data/codes.json").read_text("utf-8"))
    facts = [*raw["codes"], *(wording["fact"] for wording in raw["messages"]), *raw["statuses"]]
    for fact in facts:
        assert issubclass(getattr(errors, fact["kind"]), errors.APIError), fact
        assert fact["cure"], fact
        assert fact["hint"], fact
        assert "\n" not in fact["cure"]
        assert fact.get("retry", "no") in {"no", "yes", "later"}
    codes = [name for fact in raw["codes"] for name in (fact["code"], *fact.get("aliases", []))]
    assert len(codes) == len(set(codes))


def sources() -> list[Path]:
    return sorted((ROOT / "notebooks").rglob("*.ipynb"))


def names_in(notebook: Path) -> set[str]:
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    text = re.sub(r"https?://\S+|\S+\.(?:ipynb|png|json|md|txt)\b", " ", text)
    return {name for name in MODEL_LIKE.findall(text) if not name.startswith("qwenkit") and not MADE_UP.search(name)}


def test_every_model_named_in_the_notebooks_is_in_the_catalogue() -> None:
    unknown = {
        f"{notebook.name}: {name}" for notebook in sources() for name in names_in(notebook) if not catalogue.known(name)
    }
    assert not unknown, f"add them to models.json, or spell them right: {sorted(unknown)}"


def test_the_scan_finds_names_and_leaves_addresses_alone(tmp_path: Path) -> None:
    notebook = tmp_path / "x.ipynb"
    source = [
        "qwen.chat('hi', model='qwen-plus-2025-12-01')\n",
        "# see https://example.test/qwen-api-reference, not qwen-no-such\n",
        "wan2.6-t2i, qwq-plus, Qwen3-VL, qwenkit-lab, `qwen3.5-plus`.",
    ]
    notebook.write_text(json.dumps({"cells": [{"source": source}]}), "utf-8")
    assert names_in(notebook) == {"qwen-plus-2025-12-01", "wan2.6-t2i", "qwq-plus", "qwen3.5-plus"}


def test_every_model_named_in_the_package_is_in_the_catalogue() -> None:
    for module in (ROOT / "qwenkit").rglob("*.py"):
        named = {name for name in MODEL_LIKE.findall(module.read_text("utf-8")) if not name.startswith("qwenkit")}
        assert all(catalogue.known(name) for name in named), (module.name, named)
