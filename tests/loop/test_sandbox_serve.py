"""The sandbox as a program of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from qwenkit.sandbox import Sandbox

CHAT = "/compatible-mode/v1/chat/completions"
HELLO = {"model": "qwen-plus", "messages": [{"role": "user", "content": "Hello"}]}


@contextlib.contextmanager
def served(*options: str) -> Iterator[subprocess.Popen[str]]:
    """A process that serves; its first line of output can be read. It is ended at the end, whatever happened."""
    process = subprocess.Popen(
        [sys.executable, "-m", "qwenkit.sandbox", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout
    found: dict[str, str] = json.loads(process.stdout.readline())
    return found


def post(where: dict[str, str], path: str = CHAT, **headers: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {where['key']}", **headers}
    return httpx.post(where["url"] + path, json=HELLO, headers=headers, trust_env=False)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_with_json_it_prints_one_line_and_serves_until_told_to_end(end):
    with served("--port", "0", "--key", "sk-room", "--json") as process:
        where = line(process)
        assert list(where) == ["url", "key", "access_key_id", "access_key_secret", "workspace", "apps"]
        assert where["key"] == "sk-room"
        assert set(where["apps"]) == {"tutor", "documents", "workflow"}
        assert post(where).status_code == 200
        process.send_signal(end)
        rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_it_ends_while_a_client_is_still_connected():
    with served("--json", "--pace", "1", "--key", "k") as process:
        where, headers = line(process), {"Authorization": "Bearer k"}
        body = {**HELLO, "stream": True}
        with httpx.stream("POST", where["url"] + CHAT, json=body, headers=headers, trust_env=False) as response:
            lines = response.iter_lines()
            next(lines)
            process.terminate()
            with pytest.raises(httpx.HTTPError):
                list(lines)
        assert (process.wait(timeout=10), process.communicate()[1]) == (0, "")


def test_a_room_ignores_the_fault_header_unless_started_with_faults():
    for options, status in ((), 200), (("--faults",), 503), (("--no-faults",), 200):
        with served("--json", *options) as process:
            assert post(line(process), **{"X-Sandbox-Fault": "503"}).status_code == status


def test_its_data_file_keeps_temporary_keys(tmp_path):
    options = ("--json", "--key", "sk-room", "--data", str(tmp_path / "room.db"))
    with served(*options) as process:
        token = post(line(process), "/api/v1/tokens").json()["token"]
    with served(*options) as process:
        assert post({**line(process), "key": token}).status_code == 200


def test_without_json_it_says_what_it_is_and_how_to_reach_it():
    with served("--key", "sk-room") as process:
        assert process.stdout
        said = "".join(process.stdout.readline() for _ in range(8))
    assert "It is not Qwen" in said
    assert "export DASHSCOPE_API_KEY=sk-room DASHSCOPE_HTTP_BASE_URL=http://127.0.0.1:" in said


def test_a_taken_port_ends_it_with_one_clear_line():
    with Sandbox() as box:
        port = box.url.rpartition(":")[2]
        with served("--port", port) as process:
            said, errors = process.communicate(timeout=10)
    assert (process.returncode, said) == (1, "")
    assert errors.splitlines() == [
        f"qwenkit sandbox: port {port} on 127.0.0.1 is not free: choose another, or port=0 for any free one"
    ]


def test_the_same_seed_gives_the_same_ids():
    ids = []
    for seed in ("5", "5", "6"):
        with served("--json", "--seed", seed) as process:
            ids.append(post(line(process)).json()["id"])
    assert ids[0] == ids[1] != ids[2]
