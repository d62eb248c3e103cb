"""What the official `alibabacloud_bailian20231229` SDK raises when the sandbox refuses: keys, signatures, times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from alibabacloud_bailian20231229 import models as wire
from alibabacloud_bailian20231229.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException
from alibabacloud_tea_openapi.models import Config
from darabonba.core import DaraCore

from qwenkit.sandbox import Sandbox

KEY = ("ak-refusals", "secret-refusals")
LIST = "list_category", wire.ListCategoryRequest(category_type="UNSTRUCTURED")


class Clock:
    """The sandbox's clock, ahead of the SDK's or behind it."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def shelf(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(access_key=KEY, clock=clock, workspaces=["llm-two"]) as running:
        yield running


Ask = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, shelf: Sandbox) -> Ask:
    """Lists categories with some key, in some workspace."""

    async def asked(key: str = KEY[0], secret: str = KEY[1], ws: str = shelf.workspace, **more: Any) -> Any:
        name, body = LIST
        config = {"access_key_id": key, "access_key_secret": secret, "protocol": "http", **more}
        client = Client(Config(endpoint=shelf.url.removeprefix("http://"), **config))
        if request.param == "async":
            return await getattr(client, f"{name}_async")(ws, body)
        return getattr(client, name)(ws, body)

    return asked


@pytest.fixture
def spoiled(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], None]], None]:
    """Requests that something on the way changes, after they were signed."""

    def spoil(change: Callable[[Any], None]) -> None:
        for name in ("do_action", "async_do_action"):
            true = getattr(DaraCore, name)

            def act(request: Any, *rest: Any, true: Any = true) -> Any:
                change(request)
                return true(request, *rest)

            monkeypatch.setattr(DaraCore, name, staticmethod(act))

    return spoil


async def refusal(answer: Any) -> tuple[str, int]:
    with pytest.raises(ClientException) as caught:
        await answer
    assert KEY[1] not in f"{caught.value} {caught.value.data}"
    assert caught.value.data["RequestId"]
    assert caught.value.data["HostId"]
    return caught.value.code, caught.value.status_code


async def test_a_signed_call_is_answered(ask: Ask):
    assert (await ask()).body.success is True


async def test_an_unknown_key_id(ask: Ask):
    assert await refusal(ask(key="ak-other")) == ("InvalidAccessKeyId.NotFound", 404)


async def test_a_wrong_secret(ask: Ask):
    assert await refusal(ask(secret="secret-other")) == ("SignatureDoesNotMatch", 400)


@pytest.mark.parametrize("ahead", [901.0 + 60, -901.0 - 60])
async def test_a_skewed_clock(ask: Ask, clock: Clock, ahead: float):
    clock.ahead = ahead
    try:
        assert await refusal(ask()) == ("InvalidTimeStamp.Expired", 400)
    finally:
        clock.ahead = 0.0


async def test_a_tampered_body(ask: Ask, spoiled: Any):
    def other(request: Any) -> None:
        request.body = b"CategoryType=UNSTRUCTURED&CategoryName=all"

    spoiled(other)
    assert await refusal(ask()) == ("SignatureDoesNotMatch", 400)


async def test_another_operation_than_was_signed(ask: Ask, spoiled: Any):
    def other(request: Any) -> None:
        request.pathname = request.pathname.replace("categories", "category")

    spoiled(other)
    assert await refusal(ask()) == ("SignatureDoesNotMatch", 400)


async def test_a_malformed_header(ask: Ask, spoiled: Any):
    def cut(request: Any) -> None:
        request.headers["Authorization"] = request.headers["Authorization"].partition(",Signature=")[0]

    spoiled(cut)
    assert await refusal(ask()) == ("IncompleteSignature", 400)


async def test_a_header_that_nobody_signed(ask: Ask, spoiled: Any):
    def add(request: Any) -> None:
        request.headers["x-acs-security-token"] = "slipped in"

    spoiled(add)
    assert await refusal(ask()) == ("IncompleteSignature", 400)


async def test_a_replayed_request(ask: Ask, spoiled: Any):
    kept: list[dict[str, str]] = []

    def same(request: Any) -> None:
        kept.append(dict(request.headers))
        request.headers = dict(kept[0])

    spoiled(same)
    await ask()
    assert await refusal(ask()) == ("SignatureNonceUsed", 400)


async def test_a_workspace_that_is_not_ours_and_one_that_is(ask: Ask):
    assert await refusal(ask(ws="llm-other")) == ("NOT AUTHORIZED", 401)
    assert (await ask(ws="llm-two")).body.success is True


async def test_a_token_that_was_signed_is_taken(ask: Ask):
    assert (await ask(security_token="sts-token")).body.success is True


async def test_a_failing_service_is_another_exception(ask: Ask, shelf: Sandbox):
    shelf.fault("503", path="/datacenter/")
    with pytest.raises(ServerException) as caught:
        await ask()
    assert (caught.value.status_code, caught.value.code) == (503, "ModelUnavailable")


async def test_with_signatures_unchecked_any_will_do():
    with Sandbox(access_key=KEY, check_signatures=False) as careless:
        client = Client(
            Config(
                access_key_id="a", access_key_secret="b", endpoint=careless.url.removeprefix("http://"), protocol="http"
            )
        )
        assert client.list_category(careless.workspace, LIST[1]).body.success is True


def test_an_action_that_is_not_at_the_path(shelf: Sandbox):
    with Sandbox(access_key=KEY, check_signatures=False) as careless:
        path = f"{careless.url}/{careless.workspace}/datacenter/categories"
        answer = httpx.post(path, headers={"x-acs-action": "AddCategory"})
        assert (answer.status_code, answer.json()["Code"]) == (404, "InvalidAction.NotFound")
        answer = httpx.post(path + "/", headers={"x-acs-version": "2020-01-01"})
        assert (answer.status_code, answer.json()["Code"]) == (400, "InvalidVersion")


async def test_no_secret_and_no_signature_is_kept(ask: Ask, shelf: Sandbox):
    await ask(security_token="sts-secret")
    (seen,) = shelf.requests[-1:]
    assert seen.headers["authorization"] == "ACS3-HMAC-SHA256 ***"
    assert "sts-secret" not in str(seen.headers)
    assert not any(KEY[1] in str(value) for value in (seen, seen.body, repr(shelf)))
