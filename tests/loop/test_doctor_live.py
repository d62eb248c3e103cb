"""The doctor's live half against services on this machine: regions are sandboxes, the WebSocket is a real one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from qwenkit.notebook import probes
from qwenkit.sandbox import Sandbox
from qwenkit.secret import Secret
from qwenkit.types.connection import Finding

KEY = "sk-canary0123456789abcdef"


@pytest.fixture
def regions() -> Iterator[dict[str, str]]:
    """Two regions; only Singapore knows the key."""
    with Sandbox(key="sk-another0123456789") as beijing, Sandbox(key=KEY) as singapore:
        yield {"beijing": beijing.url, "singapore": singapore.url}


@pytest.fixture
def doorkeeper() -> Iterator[str]:
    """A WebSocket service that lets only the right key in."""

    def check(connection: ServerConnection, request: Any) -> Any:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return connection.respond(HTTPStatus.UNAUTHORIZED, "no\n")
        return None

    with serve(lambda connection: connection.recv(), "127.0.0.1", 0, process_request=check) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def examine(regions: dict[str, str], configured: str) -> dict[str, Finding]:
    env = {"DASHSCOPE_API_KEY": KEY, "DASHSCOPE_BASE_URL": regions[configured]}
    return {finding.name: finding for finding in probes.live_findings(env, regions)}


def test_a_key_in_its_own_region_is_confirmed(regions: dict[str, str]):
    found = examine(regions, "singapore")
    assert found["answer"].ok
    assert found["region of the key"] == Finding("region of the key", True, "singapore")


def test_a_key_of_another_region_is_told_where_it_belongs(regions: dict[str, str]):
    found = examine(regions, "beijing")
    assert found["answer"].ok is False
    assert "AuthError" in found["answer"].detail
    assert found["region of the key"].ok is False
    assert "DASHSCOPE_REGION=singapore" in found["region of the key"].cure
    assert "canary" not in repr(found)


def test_a_key_nobody_knows_needs_a_new_one(regions: dict[str, str]):
    finding = probes.region_of(Secret("sk-deleted0123456789"), "beijing", True, regions)
    assert finding.ok is False
    assert "new key" in finding.cure


def test_a_region_that_does_not_answer_is_no_verdict_on_the_key(unused_tcp_port: int):
    nowhere = {"beijing": f"http://127.0.0.1:{unused_tcp_port}"}
    finding = probes.region_of(Secret(KEY), "beijing", True, nowhere)
    assert "no answer from beijing" in finding.detail
    assert "proxy" in finding.cure


def test_without_a_key_there_is_nothing_to_try():
    (finding,) = probes.live_findings({})
    assert finding.ok is None
    assert finding.cure


def test_the_regions_tried_are_those_with_a_host_for_every_workspace():
    assert set(probes.shared_hosts()) == {"beijing", "singapore", "virginia", "hongkong"}


def test_a_handshake_that_succeeds(doorkeeper: str):
    assert probes.handshake(doorkeeper, Secret(KEY)).ok


def test_a_handshake_with_a_wrong_key_points_to_the_key(doorkeeper: str):
    finding = probes.handshake(doorkeeper, Secret("sk-wrong"))
    assert (finding.ok, finding.detail) == (False, "refused with HTTP 401")
    assert "key" in finding.cure


def test_a_socket_that_is_blocked_names_the_proxy(unused_tcp_port: int):
    finding = probes.handshake(f"ws://127.0.0.1:{unused_tcp_port}", Secret(KEY))
    assert finding.ok is False
    assert "proxy" in finding.cure
    assert "canary" not in repr(finding)
