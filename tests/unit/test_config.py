"""Configuration: which key, which region, which addresses; arguments, then environment, then `.env`."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwenkit import catalogue
from qwenkit.config import Config, Settings, addresses, environment, find_key
from qwenkit.errors import ConfigError
from qwenkit.secret import Secret

KEY = "sk-0123456789abcdef0123"
BEIJING = "https://dashscope.aliyuncs.com"
LOCAL = "http://127.0.0.1:8000"


def resolve(env: dict[str, str] | None = None, **arguments: Any) -> Config:
    return Config.resolve(**{"api_key": KEY, **arguments}, env=env or {})


def refusal(env: dict[str, str] | None = None, **arguments: Any) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        resolve(env, **arguments)
    assert raised.value.hint
    return raised.value


# -- the key ------------------------------------------------------------------------------------------------------


def test_the_key_comes_from_the_argument_first():
    config = resolve({"DASHSCOPE_API_KEY": "sk-other"})
    assert (config.key.reveal(), config.key_from) == (KEY, "argument")


def test_then_from_the_environment():
    config = Config.resolve(env={"DASHSCOPE_API_KEY": f" {KEY}\n"})
    assert (config.key.reveal(), config.key_from) == (KEY, "DASHSCOPE_API_KEY")


def test_then_from_the_key_file(tmp_path: Path):
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    config = Config.resolve(env={"DASHSCOPE_API_KEY_FILE_PATH": str(file)})
    assert (config.key.reveal(), config.key_from) == (KEY, "DASHSCOPE_API_KEY_FILE_PATH")


def test_a_key_file_that_is_missing_or_no_text_is_said_so(tmp_path: Path):
    env = {"DASHSCOPE_API_KEY_FILE_PATH": str(tmp_path / "none")}
    assert "cannot be read" in refusal(env, api_key=None).message
    (tmp_path / "none").write_bytes(b"\xff\xfe\x00")
    assert "holds characters no key has" in refusal(env, api_key=None).message


def test_no_key_anywhere_names_both_cures():
    error = refusal(api_key=None)
    assert error.message == "no API key was found"
    assert "DASHSCOPE_API_KEY" in error.hint
    assert "qk.sandbox()" in error.hint


@pytest.mark.parametrize("key", ["", "  ", "sk-with a blank", "sk-ключ", "“sk-quoted”", "sk-a\nb", "sk-bell\x07"])
def test_what_no_key_looks_like_is_refused_without_repeating_it(key: str):
    error = refusal(api_key=key)
    assert "argument" in error.message
    assert "sk-" not in error.message


@pytest.mark.parametrize("key", [7, KEY.encode(), [KEY], object()])
def test_a_key_is_text(key: Any):
    error = refusal(api_key=key)
    assert error.message == f"api_key cannot be a {type(key).__name__}"


def test_a_secret_may_be_passed_on():
    assert resolve(api_key=Secret(KEY)).key.reveal() == KEY


def test_find_key_gives_an_empty_secret_when_there_is_none():
    assert find_key(None, {}) == (Secret(""), "")
    assert find_key(None, {"DASHSCOPE_API_KEY": KEY}) == (Secret(KEY), "DASHSCOPE_API_KEY")


# -- .env beside the notebook ---------------------------------------------------------------------------------------


def test_a_dotenv_file_is_read_beneath_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".env").write_text(
        f"# ours\nexport DASHSCOPE_API_KEY='{KEY}'\nDASHSCOPE_REGION = \"singapore\"\n"
        "OTHER=1\nDASHSCOPE_WORKSPACE=ws-file\n"
    )
    monkeypatch.setenv("DASHSCOPE_WORKSPACE", "ws-env")
    env = environment(tmp_path)
    config = Config.resolve(env=env)
    assert (config.key.reveal(), config.key_from) == (KEY, ".env")
    assert (config.region, config.workspace) == ("singapore", "ws-env")
    assert "OTHER" not in {name for name in env if env[name] == "1"}


def test_a_key_in_the_environment_beats_the_one_in_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".env").write_text("DASHSCOPE_API_KEY=sk-file\n")
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    assert find_key(None, environment(tmp_path)) == (Secret(KEY), "DASHSCOPE_API_KEY")


def test_the_working_folder_is_where_dotenv_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".env").write_text(f"DASHSCOPE_API_KEY={KEY}\n")
    monkeypatch.chdir(tmp_path)
    assert Config.resolve().key_from == ".env"


@pytest.mark.parametrize("text", ["", "junk\n=\nDASHSCOPE_API_KEY\n", "\x00\x01"])
def test_a_strange_dotenv_is_no_error(tmp_path: Path, text: str):
    (tmp_path / ".env").write_text(text)
    assert find_key(None, environment(tmp_path)) == (Secret(""), "")


def test_settings_show_no_values():
    assert KEY not in repr(Settings(DASHSCOPE_API_KEY=KEY))
    assert KEY not in str(environment())


# -- the environment names of the official SDK ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["DASHSCOPE_BASE_URL", "DASHSCOPE_HTTP_BASE_URL", "DASHSCOPE_COMPATIBLE_BASE_URL"])
def test_addresses_from_the_environment(name: str):
    assert resolve({name: f"{LOCAL}/api/v1"}).urls["compatible"] == f"{LOCAL}/compatible-mode/v1"


@pytest.mark.parametrize("name", ["DASHSCOPE_REGION", "DASHSCOPE_API_REGION"])
def test_regions_from_the_environment(name: str):
    config = resolve({name: "ap-southeast-1"})
    assert (config.region, config.root) == ("singapore", "https://dashscope-intl.aliyuncs.com")


@pytest.mark.parametrize("name", ["DASHSCOPE_WORKSPACE", "DASHSCOPE_WORKSPACE_ID"])
def test_workspaces_from_the_environment(name: str):
    config = resolve({name: "ws-1"})
    assert (config.workspace, config.root) == ("ws-1", "https://ws-1.cn-beijing.maas.aliyuncs.com")


def test_sockets_timeout_and_retries_from_the_environment():
    env = {"DASHSCOPE_WEBSOCKET_BASE_URL": "wss://sockets.example/api-ws/v1/inference", "DASHSCOPE_TIMEOUT": "12.5"}
    config = resolve({**env, "DASHSCOPE_MAX_RETRIES": "0"})
    assert config.urls["realtime"] == "wss://sockets.example/api-ws/v1/realtime"
    assert config.urls["compatible"] == f"{BEIJING}/compatible-mode/v1"
    assert (config.timeout, config.max_retries) == (12.5, 0)


def test_empty_settings_count_as_none():
    env = dict.fromkeys(
        ["DASHSCOPE_BASE_URL", "DASHSCOPE_REGION", "DASHSCOPE_WORKSPACE", "DASHSCOPE_TIMEOUT", "DASHSCOPE_MAX_RETRIES"],
        "",
    )
    assert resolve(env) == resolve()


def test_arguments_beat_the_environment_one_by_one():
    env = {
        "DASHSCOPE_REGION": "singapore",
        "DASHSCOPE_WORKSPACE": "ws-env",
        "DASHSCOPE_TIMEOUT": "1",
        "DASHSCOPE_MAX_RETRIES": "1",
    }
    config = resolve(env, region="virginia", workspace="ws-arg", timeout=2.0, max_retries=3)
    assert (config.region, config.workspace, config.timeout, config.max_retries) == ("virginia", "ws-arg", 2.0, 3)


@pytest.mark.parametrize("argument", [{"region": "singapore"}, {"host": "trial"}, {"base_url": LOCAL}])
def test_an_address_from_the_environment_does_not_outvote_an_argument(argument: dict[str, str]):
    env = {"DASHSCOPE_BASE_URL": "https://elsewhere.example", "DASHSCOPE_WEBSOCKET_BASE_URL": "wss://elsewhere.example"}
    assert not [url for url in resolve(env, **argument).urls.values() if "elsewhere" in url]


@pytest.mark.parametrize("name", ["DASHSCOPE_TIMEOUT", "DASHSCOPE_MAX_RETRIES"])
@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan"])
def test_numbers_that_are_none_are_refused(name: str, text: str):
    assert text in refusal({name: text}).message


# -- regions ------------------------------------------------------------------------------------------------------

SHARED = {
    "beijing": "dashscope.aliyuncs.com",
    "singapore": "dashscope-intl.aliyuncs.com",
    "virginia": "dashscope-us.aliyuncs.com",
    "hongkong": "cn-hongkong.dashscope.aliyuncs.com",
}
IDS = {
    "beijing": "cn-beijing",
    "singapore": "ap-southeast-1",
    "virginia": "us-east-1",
    "hongkong": "cn-hongkong",
    "frankfurt": "eu-central-1",
    "tokyo": "ap-northeast-1",
}


def test_these_are_the_regions():
    assert {region.name: region.id for region in catalogue.regions()} == IDS


@pytest.mark.parametrize(("name", "host"), SHARED.items())
def test_shared_hosts(name: str, host: str):
    for spelling in (name, IDS[name], name.upper()):
        config = resolve(region=spelling)
        assert (config.region, config.root) == (name, f"https://{host}")
    assert config.urls == {
        "root": f"https://{host}",
        "native": f"https://{host}/api/v1",
        "compatible": f"https://{host}/compatible-mode/v1",
        "responses": f"https://{host}/compatible-mode/v1",
        "responses_founding": f"https://{host}/api/v2/apps/protocols/compatible-mode/v1",
        "anthropic": f"https://{host}/apps/anthropic",
        "rerank": f"https://{host}/compatible-api/v1",
        "inference": f"wss://{host}/api-ws/v1/inference",
        "realtime": f"wss://{host}/api-ws/v1/realtime",
    }


@pytest.mark.parametrize(("name", "id_"), IDS.items())
def test_workspace_hosts(name: str, id_: str):
    config = resolve(region=name, workspace="ws-7")
    assert config.urls["native"] == f"https://ws-7.{id_}.maas.aliyuncs.com/api/v1"
    assert config.urls["realtime"] == f"wss://ws-7.{id_}.maas.aliyuncs.com/api-ws/v1/realtime"
    assert (config.region, config.workspace) == (name, "ws-7")


@pytest.mark.parametrize("name", ["beijing", "singapore", "hongkong"])
def test_trial_hosts(name: str):
    assert resolve(region=name, host="trial").root == f"https://trial.{IDS[name]}.maas.aliyuncs.com"


def test_a_workspace_may_be_used_on_the_shared_host():
    config = resolve(workspace="ws-7", host="shared")
    assert (config.root, config.workspace) == (BEIJING, "ws-7")


@pytest.mark.parametrize("name", ["frankfurt", "tokyo"])
def test_regions_without_a_shared_host_ask_for_a_workspace(name: str):
    error = refusal(region=name)
    assert error.message == f"region {name} has no shared host"
    assert "workspace=" in error.hint


@pytest.mark.parametrize("name", ["virginia", "frankfurt", "tokyo"])
def test_regions_without_a_trial_host_say_so(name: str):
    assert refusal(region=name, host="trial").message == f"region {name} has no trial host"


def test_a_workspace_host_without_a_workspace_is_refused():
    assert "workspace" in refusal(host="workspace").hint


def test_an_unknown_region_lists_the_known():
    error = refusal(region="atlantis")
    assert "atlantis" in error.message
    assert all(name in error.hint for name in IDS)


@pytest.mark.parametrize("workspace", ["ws 1", "ws/1", "ws-é", "ws@evil.example", "ws\n1", ".ws", "ws-1.evil.example#"])
def test_what_is_no_workspace_id_never_gets_into_a_host_name(workspace: str):
    assert "workspace" in refusal(workspace=workspace).message


# -- pasted addresses ---------------------------------------------------------------------------------------------

HOSTS = [
    "dashscope.aliyuncs.com",
    "dashscope-intl.aliyuncs.com",
    "ws-9.eu-central-1.maas.aliyuncs.com",
    "trial.cn-beijing.maas.aliyuncs.com",
    "sandbox.example:8443",
]
PATHS = [
    "",
    "/",
    "/api/v1",
    "/api/v1/",
    "/api/v1/services/aigc/text-generation/generation",
    "/api/v1/apps/0123/completion",
    "/compatible-mode/v1",
    "/compatible-mode/v1/",
    "/compatible-mode/v1/chat/completions",
    "/compatible-mode/v1/embeddings",
    "/compatible-mode/v1/models",
    "/compatible-mode/v1/responses",
    "/compatible-mode",
    "/compatible-api/v1",
    "/compatible-api/v1/reranks",
    "/api/v2/apps/protocols/compatible-mode/v1",
    "/api/v2/apps/protocols/compatible-mode/v1/responses",
    "/apps/anthropic",
    "/apps/anthropic/v1/messages",
    "/api-ws/v1",
    "/api-ws/v1/inference",
    "/api-ws/v1/realtime?model=qwen3-omni-flash-realtime",
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scheme", ["https://", "wss://", ""])
def test_any_address_of_the_service_is_reduced_to_its_root(host: str, path: str, scheme: str):
    config = resolve(base_url=f"  {scheme}{host}{path} ")
    assert config.root == f"https://{host}"
    assert config.urls["compatible"] == f"https://{host}/compatible-mode/v1"
    assert config.urls["native"] == f"https://{host}/api/v1"
    assert config.urls["inference"] == f"wss://{host}/api-ws/v1/inference"


@pytest.mark.parametrize("text", [LOCAL, "127.0.0.1:8000", f"{LOCAL}/", "ws://127.0.0.1:8000/api-ws/v1/inference"])
def test_a_plain_root_serves_every_family_below_it(text: str):
    urls = resolve(base_url=text).urls
    assert urls["compatible"] == f"{LOCAL}/compatible-mode/v1"
    assert urls["realtime"] == "ws://127.0.0.1:8000/api-ws/v1/realtime"


@pytest.mark.parametrize("text", ["localhost:8000", "[::1]:8000"])
def test_addresses_of_this_machine_need_no_scheme(text: str):
    assert resolve(base_url=text).root == f"http://{text}"


def test_what_stands_before_a_family_stays():
    config = resolve(base_url="https://gateway.example/qwen/compatible-mode/v1")
    assert config.urls["native"] == "https://gateway.example/qwen/api/v1"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("dashscope-us.aliyuncs.com", "virginia"),
        ("ws-9.ap-northeast-1.maas.aliyuncs.com", "tokyo"),
        ("trial.ap-southeast-1.maas.aliyuncs.com", "singapore"),
        ("batch.dashscope.aliyuncs.com", "beijing"),
    ],
)
def test_a_known_host_names_its_region(host: str, region: str):
    assert resolve(base_url=f"https://{host}").region == region
    assert addresses(host)[1] == region


def test_an_unknown_host_keeps_the_region_it_is_said_to_be_in():
    assert resolve(base_url=LOCAL).region == ""
    assert resolve(base_url=LOCAL, region="singapore").region == "singapore"


@pytest.mark.parametrize(
    ("pasted", "compatible"),
    [
        ("https://coding.dashscope.aliyuncs.com/v1", "https://coding.dashscope.aliyuncs.com/v1"),
        ("https://coding.dashscope.aliyuncs.com/apps/anthropic", "https://coding.dashscope.aliyuncs.com/v1"),
        ("coding-intl.dashscope.aliyuncs.com", "https://coding-intl.dashscope.aliyuncs.com/v1"),
        (
            "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1/",
            "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1",
        ),
    ],
)
def test_plans_have_their_own_path_and_nothing_native(pasted: str, compatible: str):
    config = resolve(base_url=pasted)
    assert config.urls["compatible"] == compatible
    assert config.urls["anthropic"].endswith("/apps/anthropic")
    with pytest.raises(ConfigError, match="native"):
        config.url("native", "/tokens")


@pytest.mark.parametrize(
    "pasted",
    [f"{LOCAL}/v1", f"{LOCAL}/v1/", f"{LOCAL}/v1/chat/completions", f"{LOCAL}/v1/models", "127.0.0.1:8000/v1"],
)
def test_a_plain_openai_compatible_server_needs_no_key(pasted: str):
    config = resolve(base_url=pasted, api_key=None)
    assert config.url("compatible", "/chat/completions") == f"{LOCAL}/v1/chat/completions"
    assert (config.key.reveal(), config.key_from, config.region) == ("", "", "")


def test_what_a_plain_server_lacks_is_said_clearly():
    config = resolve(base_url="https://open.example/serve/v1")
    assert config.urls["compatible"] == "https://open.example/serve/v1"
    with pytest.raises(ConfigError) as raised:
        config.url("native", "/tokens")
    assert "plain OpenAI-compatible server: it has no native API" in raised.value.message
    assert "chat" in raised.value.hint


@pytest.mark.parametrize(
    "pasted",
    ["ftp://host/v1", "https://", "http://:8000", "https://a b/v1", "https://host:port/v1", "https://host:99999"],
)
def test_what_is_no_web_address_is_refused(pasted: str):
    error = refusal(base_url=pasted)
    assert "is not a web address" in error.message
    assert "https://host" in error.hint


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_refused(text: str):
    try:
        urls, _ = addresses(text)
    except ConfigError:
        return
    assert urls["root"].startswith(("http://", "https://"))


# -- secrets ------------------------------------------------------------------------------------------------------


def test_the_key_is_masked_wherever_it_could_print():
    config = resolve()
    for shown in (repr(config), str(config), f"{config.key}", repr(config.key), repr([config]), f"{config.key!r:>5}"):
        assert KEY not in shown
        assert KEY[8:-4] not in shown
    assert config.key.masked == "sk-…0123"


@pytest.mark.parametrize("short", ["", "sk-1", "sk-123456789012"])
def test_a_short_key_shows_nothing_of_itself(short: str):
    assert Secret(short).masked == "…"
    assert bool(Secret(short)) is bool(short)


def test_a_secret_neither_pickles_nor_copies():
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            attempt(Secret(KEY))


def test_secrets_compare_by_value():
    assert Secret(KEY) == Secret(KEY) != Secret("sk-other")
    assert Secret(KEY) != KEY
    assert len({Secret(KEY), Secret(KEY)}) == 1
