"""The AccessKey of the knowledge OpenAPI: where it comes from, that it does not print, and the hosts it is for."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from qwenkit.config import Config
from qwenkit.errors import ConfigError

KEY, ID, SECRET = "sk-0123456789abcdef", "LTAIexample", "thirtycharactersofsecretsecret"
ENV = {"ALIBABA_CLOUD_ACCESS_KEY_ID": ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": f" {SECRET}\n"}


def resolve(env: dict[str, str] | None = None, **arguments: Any) -> Config:
    return Config.resolve(**{"api_key": KEY, **arguments}, env=env or {})


def test_it_comes_from_the_variables_of_the_official_sdk():
    found = resolve({**ENV, "ALIBABA_CLOUD_SECURITY_TOKEN": "tok", "DASHSCOPE_WORKSPACE": "llm-1"}).access_key
    assert found is not None
    assert (found.id, found.secret.reveal(), found.token.reveal(), found.workspace) == (ID, SECRET, "tok", "llm-1")


def test_arguments_win_and_take_no_token_from_the_environment():
    env = {**ENV, "ALIBABA_CLOUD_SECURITY_TOKEN": "tok"}
    found = resolve(env, access_key_id="mine", access_key_secret="my-own-secret").access_key
    assert found is not None
    assert (found.id, found.secret.reveal(), bool(found.token)) == ("mine", "my-own-secret", False)


def test_there_may_be_none():
    assert resolve().access_key is None


@pytest.mark.parametrize(("given", "missing"), [("access_key_id", "secret"), ("access_key_secret", "id")])
def test_half_of_it_is_refused_naming_the_cure(given: str, missing: str):
    with pytest.raises(ConfigError, match=f"has no {missing}") as refused:
        resolve(ENV, **{given: "mine"})
    assert "ALIBABA_CLOUD_ACCESS_KEY_SECRET" in str(refused.value)


@pytest.mark.parametrize("name", list(ENV))
def test_half_of_it_in_the_environment_keeps_nobody_from_chatting(name: str):
    assert resolve({name: ENV[name]}).access_key is None


def test_its_secret_prints_nowhere():
    config = resolve(ENV, workspace="llm-1")
    told = repr(config) + str(config.access_key) + f"{config.access_key!r}"
    try:
        resolve({}, access_key_secret=SECRET)
    except ConfigError:
        told += traceback.format_exc()
    assert SECRET not in told


@pytest.mark.parametrize(
    ("settings", "family", "address"),
    [
        ({}, "openapi", "https://bailian.cn-beijing.aliyuncs.com"),
        ({"region": "singapore"}, "openapi", "https://bailian.ap-southeast-1.aliyuncs.com"),
        ({"workspace": "llm-1"}, "rag", "https://llm-1.cn-beijing.maas.aliyuncs.com/api"),
        ({"workspace": "llm-1", "host": "shared"}, "rag", "https://llm-1.cn-beijing.maas.aliyuncs.com/api"),
        ({}, "apps", "https://dashscope.aliyuncs.com/api/v2/apps"),
        ({"base_url": "http://127.0.0.1:8000/api/v1"}, "openapi", "http://127.0.0.1:8000"),
        ({"base_url": "http://127.0.0.1:8000/api/v1"}, "rag", "http://127.0.0.1:8000/api"),
    ],
)
def test_each_family_has_its_host(settings: dict[str, Any], family: str, address: str):
    assert resolve(**settings).url(family) == address


def test_without_a_workspace_the_key_alone_reaches_no_knowledge_base():
    with pytest.raises(ConfigError, match="workspace's own host"):
        resolve().url("rag")


def test_a_plain_compatible_server_has_no_applications():
    with pytest.raises(ConfigError, match="no apps API"):
        resolve(base_url="https://open.example/v1").url("apps")


@pytest.mark.parametrize(
    ("id", "secret"), [("a\nb", SECRET), ("ключ", SECRET), ("a,b", SECRET), (ID, "s s"), (5, SECRET)]
)
def test_what_no_header_can_carry_is_refused_before_it_is_sent(id: Any, secret: str):
    with pytest.raises(ConfigError, match=r"AccessKey|access_key_id"):
        resolve({}, access_key_id=id, access_key_secret=secret)
