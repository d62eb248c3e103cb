"""The catalogue's lookups: names, prices, places and voices."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qwenkit import catalogue


def cost(model: str, **usage: object) -> float:
    found = catalogue.price(model, **{"prompt": 0, "completion": 0, **usage})  # type: ignore[arg-type]
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ("qwen-plus", "qwen-plus"),
        ("qwen-plus-2025-12-01", "qwen-plus"),
        ("qwen-plus-latest", "qwen-plus"),
        ("qwen-plus-us", "qwen-plus"),
        ("qwen-plus-2025-09-11-us", "qwen-plus"),
        ("qwen3.8-max-0902", "qwen3.8-max"),
        ("qwen-mt-lite-us", "qwen-mt-lite"),
        ("Qwen3-Omni-Flash-Realtime", "qwen3-omni-flash-realtime"),
        ("kimi/kimi-k2.5", "kimi-k2.5"),
        ("ZHIPU/GLM-5.1", "glm-5.1"),
        ("Qwen/Qwen3-8B", "qwen3-8b"),
        ("minimax-m2.5", "MiniMax-M2.5"),
    ],
)
def test_a_name_finds_its_line_and_is_kept(asked: str, line: str) -> None:
    found = catalogue.model(asked)
    assert found is not None
    assert (found.name, found.line) == (asked, line)
    assert found.context == catalogue.model(line).context  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["", "-", "-us", "qwen", "plus", "qwen-plus-pro", "gpt-4o", "qwen-plus-20"])
def test_an_unknown_name_is_none(name: str) -> None:
    assert catalogue.model(name) is None
    assert not catalogue.known(name)


def test_a_dated_name_with_facts_of_its_own_keeps_them() -> None:
    dated = catalogue.model("tongyi-embedding-vision-plus-2026-03-06")
    plain = catalogue.model("tongyi-embedding-vision-plus")
    assert dated is not None
    assert plain is not None
    assert (dated.dims[0], len(dated.dims), plain.dims) == (1152, 6, [1152])


def test_a_misspelt_name_brings_suggestions() -> None:
    assert catalogue.suggest("qwen-pluss")[0] == "qwen-plus"
    assert "qwen3-vl-plus" in catalogue.suggest("qwen3 vl plus")
    assert catalogue.suggest("minimax m2.5")[0] == "MiniMax-M2.5"
    assert catalogue.suggest("zzzzzz") == []


def test_searching_wants_every_word() -> None:
    found = {each.name for each in catalogue.search("omni Realtime")}
    assert "qwen3-omni-flash-realtime" in found
    assert "qwen3-omni-flash" not in found
    assert catalogue.search("0902")[0].name == "qwen3.8-max"
    assert catalogue.search("no model says this") == []


def test_sampling_defaults_differ_while_thinking() -> None:
    plus, qwq = catalogue.model("qwen-plus"), catalogue.model("qwq-plus")
    assert plus is not None
    assert qwq is not None
    assert plus.sampling() == (0.7, 0.8, 20)
    assert plus.sampling(thinking=True) == (0.6, 0.95, 20)
    assert qwq.sampling() == qwq.sampling(thinking=True) == (0.6, None, 40)


def test_the_tier_follows_the_total_input() -> None:
    assert cost("qwen-plus", prompt=131_072, completion=1_000_000) == pytest.approx(131_072 * 0.8e-6 + 2)
    assert cost("qwen-plus", prompt=131_073, completion=1_000_000) == pytest.approx(131_073 * 2.4e-6 + 20)
    assert cost("qwen3-vl-plus", prompt=9_999_999) == pytest.approx(9_999_999 * 3e-6)


def test_thinking_has_its_own_output_price() -> None:
    assert cost("qwen-plus", completion=1_000_000, thinking=True) == pytest.approx(8)
    assert cost("qwen3-235b-a22b", completion=1_000_000, thinking=True) == pytest.approx(20)
    assert cost("qwen3-max", completion=1_000_000, thinking=True) == pytest.approx(10)


def test_cached_tokens_cost_less_and_written_ones_more() -> None:
    million = 1_000_000
    assert cost("qwen-turbo", prompt=million, cached=million) == pytest.approx(0.06)
    assert cost("qwen-turbo", prompt=million, cached=million, explicit=True) == pytest.approx(0.03)
    assert cost("qwen-turbo", prompt=million, cache_created=million) == pytest.approx(0.375)
    assert cost("qwen-turbo", prompt=million, cached=500_000, cache_created=500_000) == pytest.approx(0.015 + 0.1875)
    assert cost("qwen3.8-max", prompt=million, cached=million) == pytest.approx(1.5)
    assert cost("qwen3.8-max", prompt=million, cached=million, explicit=True) == pytest.approx(1)
    assert cost("qwen3.8-max", prompt=million, cache_created=million) == pytest.approx(15)


def test_media_tokens_have_their_own_prices() -> None:
    million = 1_000_000
    assert cost("qwen3-omni-flash", prompt=million, completion=million) == pytest.approx(1.8 + 6.9)
    assert cost("qwen3-omni-flash", prompt=million, image=million, completion=million) == pytest.approx(3.3 + 12.7)
    assert cost("qwen3-omni-flash", prompt=million, audio=million) == pytest.approx(15.8)
    assert cost("qwen3-omni-flash", completion=million, audio_out=million) == pytest.approx(62.6)
    assert cost("qwen3-vl-plus", prompt=1000, image=900) == cost("qwen3-vl-plus", prompt=1000)


def test_a_region_has_its_currency_and_falls_back_to_the_home_list() -> None:
    ask = {"prompt": 1_000_000, "completion": 0}
    assert catalogue.price("qwen-max", **ask) == (pytest.approx(2.4), "CNY", "2026-05-26")
    assert catalogue.price("qwen-max", **ask, region="singapore") == (pytest.approx(1.6), "USD", "2026-07-02")
    assert catalogue.price("qwen-max", **ask, region="intl") == catalogue.price("qwen-max", **ask, region="singapore")
    assert catalogue.price("qwen3.8-max", **ask, region="singapore") == (pytest.approx(14.988), "CNY", "2026-09")
    assert catalogue.price("qwen-long", **ask, region="singapore") == catalogue.price("qwen-long", **ask)
    assert catalogue.price("qwen-max", **ask, region="the moon") == catalogue.price("qwen-max", **ask)


def test_a_batch_costs_half() -> None:
    usage = {"prompt": 1000, "completion": 1000}
    assert cost("qwen3.8-max", **usage, batch=True) == pytest.approx(cost("qwen3.8-max", **usage) / 2)


@pytest.mark.parametrize("name", ["no-such-model", "qwen3.8-27b", "wan2.6-t2i", "qwen3-asr-flash"])
def test_no_token_price_is_none(name: str) -> None:
    assert catalogue.price(name, prompt=10, completion=10) is None


def test_what_is_not_sold_by_token_has_a_price_per_unit() -> None:
    picture, speech = catalogue.price_table("wan2.6-t2i"), catalogue.price_table("qwen3-asr-flash", "singapore")
    assert picture is not None
    assert speech is not None
    assert (picture.unit, picture.per_unit) == ("image", 0.2)
    assert (speech.unit, speech.per_unit, speech.currency) == ("second", 0.000035, "USD")


@pytest.mark.parametrize(
    ("alias", "region_id"),
    [
        ("beijing", "cn-beijing"),
        ("cn-beijing", "cn-beijing"),
        ("CN", "cn-beijing"),
        ("China", "cn-beijing"),
        ("singapore", "ap-southeast-1"),
        ("intl", "ap-southeast-1"),
        ("international", "ap-southeast-1"),
        ("virginia", "us-east-1"),
        ("US (Virginia)", "us-east-1"),
        ("us", "us-east-1"),
        ("hongkong", "cn-hongkong"),
        ("hong kong", "cn-hongkong"),
        ("frankfurt", "eu-central-1"),
        ("germany", "eu-central-1"),
        ("eu", "eu-central-1"),
        ("tokyo", "ap-northeast-1"),
        ("japan", "ap-northeast-1"),
        ("北京", "cn-beijing"),
    ],
)
def test_regions_answer_to_their_aliases(alias: str, region_id: str) -> None:
    found = catalogue.region(alias)
    assert found is not None
    assert found.id == region_id


def test_a_region_names_the_host_to_call() -> None:
    beijing, tokyo = catalogue.region("beijing"), catalogue.region("tokyo")
    assert beijing is not None
    assert tokyo is not None
    assert beijing.host() == "dashscope.aliyuncs.com"
    assert beijing.host("ws-1") == "ws-1.cn-beijing.maas.aliyuncs.com"
    assert tokyo.host() == ""
    assert catalogue.region("mars") is None


@pytest.mark.parametrize(
    ("address", "kind", "region", "workspace"),
    [
        ("dashscope.aliyuncs.com", "shared", "beijing", ""),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "shared", "singapore", ""),
        ("wss://dashscope-us.aliyuncs.com:443/api-ws/v1/realtime?model=m", "shared", "virginia", ""),
        ("https://cn-hongkong.dashscope.aliyuncs.com", "shared", "hongkong", ""),
        ("https://llm-a1.eu-central-1.maas.aliyuncs.com/api/v1", "workspace", "frankfurt", "llm-a1"),
        ("WS-B.ap-northeast-1.maas.aliyuncs.com", "workspace", "tokyo", "ws-b"),
        ("https://trial.ap-southeast-1.maas.aliyuncs.com/api/v1", "trial", "singapore", ""),
        ("https://batch.dashscope.aliyuncs.com/compatible-mode/v1", "batch", "beijing", ""),
        ("https://coding.dashscope.aliyuncs.com/v1", "coding-plan", "beijing", ""),
        ("https://token-plan.cn-beijing.maas.aliyuncs.com/apps/anthropic", "token-plan", "beijing", ""),
    ],
)
def test_a_pasted_address_tells_where_it_leads(address: str, kind: str, region: str, workspace: str) -> None:
    found = catalogue.host_family(address)
    assert found is not None
    assert (found.kind, found.region.name, found.workspace) == (kind, region, workspace)


@pytest.mark.parametrize(
    "address",
    ["", "http://127.0.0.1:8000", "http://[::1]:80/v1", "https://api.openai.com/v1", "maas.aliyuncs.com",
     ".cn-beijing.maas.aliyuncs.com", "dashscope.aliyuncs.com.evil.example", "https://evil.example/dashscope.aliyuncs.com"],
)  # fmt: skip
def test_other_addresses_belong_to_no_region(address: str) -> None:
    assert catalogue.host_family(address) is None


def test_voices_are_found_by_model() -> None:
    def names(model: str) -> set[str]:
        return {voice.name for voice in catalogue.voices(model)}

    assert names("qwen-tts") == {"Cherry", "Serena", "Ethan", "Chelsie"}
    assert names("qwen-tts-latest") == {"Cherry", "Serena", "Ethan", "Chelsie", "Jada", "Dylan", "Sunny"}
    assert len(names("qwen3-tts-flash")) == 48
    assert names("qwen3-tts-flash-2025-11-27") == names("qwen3-tts-flash")
    assert len(names("qwen3-tts-flash-2025-09-18")) == 17
    assert len(names("qwen3.5-omni-plus-realtime")) == len(names("qwen3.8-omni-flash-realtime")) == 56
    assert "Ethan" not in names("qwen3.8-omni-flash-realtime")
    assert "Cherry" not in names("qwen3.5-omni-flash")
    assert names("qwen-max") == names("no-such-model") == set()


def test_a_voice_knows_its_dialect() -> None:
    rocky = catalogue.voice("Rocky")
    assert rocky is not None
    assert (rocky.gender, rocky.dialect) == ("male", "Cantonese")
    assert catalogue.voice("rocky") is None
    assert catalogue.voice("Eldric Sage") is not None


def test_importing_reads_no_data_and_nothing_heavy() -> None:
    script = (
        "import sys, msgspec; before = set(sys.modules); from qwenkit import catalogue\n"
        "from qwenkit.catalogue import cast, cures, lineup, places\n"
        "readers = [lineup._by_name, places._atlas, cures._casebook, cast._cast]\n"
        "assert not any(reader.cache_info().currsize for reader in readers)\n"
        "extra = {n for n in set(sys.modules) - before if not n.startswith('qwenkit')}\n"
        "assert not extra & {'json', 'pathlib', 'difflib', 'importlib.resources', 'asyncio', 'httpx'}, extra\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
