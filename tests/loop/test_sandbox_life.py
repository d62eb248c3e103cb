"""Starting and stopping the sandbox: nothing is left behind, and nothing surprises who does it twice."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import threading

import httpx
import pytest
from bare_sandbox import bare

from qwenkit.sandbox import Sandbox
from qwenkit.sandbox.server import _bind

CHAT = "/compatible-mode/v1/chat/completions"
HELLO = {"model": "qwen-plus", "messages": [{"role": "user", "content": "Hello"}]}


def ask(box: Sandbox, **body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {box.key}"}
    return httpx.post(box.url + CHAT, json={**HELLO, **body}, headers=headers, trust_env=False)


@pytest.fixture
def sandbox_threads():
    """Asks for the sandbox threads that were not there when the test began."""
    before = set(threading.enumerate())
    return lambda: [each for each in threading.enumerate() if each not in before and "qwenkit" in each.name]


def test_it_answers_between_start_and_stop_and_leaves_nothing_behind():
    before = threading.enumerate()
    box = Sandbox().start()
    port = int(box.url.rpartition(":")[2])
    assert ask(box).status_code == 200
    box.stop()
    assert threading.enumerate() == before
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_start_and_stop_may_be_called_twice(sandbox_threads):
    box = Sandbox()
    assert box.start() is box.start()
    assert len(sandbox_threads()) == 1
    box.stop()
    box.stop()
    assert not sandbox_threads()


def test_it_can_be_started_again_with_a_new_key():
    box = Sandbox()
    with box:
        first = box.key
    with box:
        assert box.key != first
        assert ask(box).status_code == 200


def test_a_given_key_stays():
    with Sandbox(key="sk-room-7") as box:
        assert box.key == "sk-room-7"


def test_a_stopped_sandbox_has_no_url_and_says_what_to_do():
    box = Sandbox()
    with pytest.raises(RuntimeError, match="call start"):
        _ = box.url
    with pytest.raises(RuntimeError, match="call start"):
        _ = box.key
    assert not box.running


def test_its_repr_shows_the_url_and_never_the_key():
    box = Sandbox(key="sk-canary-1")
    assert repr(box) == "Sandbox(not running)"
    with box:
        assert repr(box) == f"Sandbox({box.url})"
        assert "canary" not in repr(box._service)


def test_many_run_in_one_process_and_know_only_their_own_key(sandbox_threads):
    boxes = [Sandbox().start() for _ in range(8)]
    try:
        assert len({box.url for box in boxes}) == 8
        for box in boxes:
            assert ask(box).status_code == 200
        stranger = httpx.post(
            boxes[0].url + CHAT, json=HELLO, headers={"Authorization": f"Bearer {boxes[1].key}"}, trust_env=False
        )
        assert stranger.status_code == 401
    finally:
        for box in boxes:
            box.stop()
    assert not sandbox_threads()


def test_a_taken_port_is_refused_with_a_cure():
    with Sandbox() as box:
        port = int(box.url.rpartition(":")[2])
        with pytest.raises(OSError, match="port=0"):
            Sandbox(port).start()
    with Sandbox(port) as again:
        assert again.url == f"http://127.0.0.1:{port}"


def test_an_unusable_data_file_is_refused_with_a_cure_and_leaks_nothing(tmp_path, sandbox_threads):
    with pytest.raises(OSError, match="another file"):
        Sandbox(data=tmp_path / "nowhere" / "state.db").start()
    assert not sandbox_threads()


def test_a_forgotten_sandbox_stops_by_itself(sandbox_threads):
    box = Sandbox().start()
    assert sandbox_threads()
    del box
    gc.collect()
    assert not sandbox_threads()


def test_it_stops_in_the_middle_of_a_stream_and_of_a_slow_answer(sandbox_threads):
    box = Sandbox(pace=2).start()
    with bare(box) as client:
        box.fault("slow:30")
        broken: list[BaseException] = []

        def wait() -> None:
            try:
                client.post(CHAT, json=HELLO)
            except httpx.HTTPError as problem:
                broken.append(problem)

        waiting = threading.Thread(target=wait)
        waiting.start()
        while not box.requests:
            pass
        with client.stream("POST", CHAT, json={**HELLO, "stream": True}) as response:
            lines = response.iter_lines()
            next(lines)
            box.stop()
            with pytest.raises(httpx.HTTPError):
                list(lines)
        waiting.join()
    assert len(broken) == 1
    assert not sandbox_threads()


async def test_it_runs_beside_an_event_loop():
    async def call(box: Sandbox) -> int:
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {"Authorization": f"Bearer {box.key}"}
            return (await client.post(box.url + CHAT, json=HELLO, headers=headers)).status_code

    with Sandbox() as box:
        assert await asyncio.gather(*(call(box) for _ in range(10))) == [200] * 10


def test_the_same_seed_gives_the_same_answers_and_ids():
    def talk(seed: int) -> list[dict[str, object]]:
        with Sandbox(seed=seed, clock=lambda: 1_790_000_000.0) as box:
            return [ask(box, temperature=1.5, messages=[{"role": "user", "content": "Tell a story"}]).json()]

    assert talk(1) == talk(1)
    assert talk(1)[0]["id"] != talk(2)[0]["id"]


def test_a_process_may_end_without_stopping_it():
    code = "from qwenkit.sandbox import Sandbox; box = Sandbox().start(); print(box.url)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_connections_do_not_wait_for_acknowledgements():
    with _bind(0) as bound:
        assert bound.proto == socket.IPPROTO_TCP


def test_making_one_imports_no_web_framework():
    code = (
        "import sys; from qwenkit.sandbox import Sandbox; Sandbox(); print({'uvicorn', 'starlette'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout == "set()\n"


def test_ids_of_one_start_never_come_again_in_the_next(tmp_path):
    def seen():
        with Sandbox(key="sk-ids", data=tmp_path / "box.db") as box:
            headers = {"Authorization": "Bearer sk-ids"}
            return [
                httpx.get(f"{box.url}/compatible-mode/v1/models", headers=headers).headers["x-request-id"]
                for _ in range(3)
            ]

    first, second = seen(), seen()
    assert len({*first, *second}) == 6
