"""The speaking process: there when needed, shared, and gone with its sandbox or its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qwenkit.sandbox import Sandbox, voice

FERRY = "The ferry leaves at nine."


@pytest.fixture(scope="module", autouse=True)
def _quiet_afterwards() -> Iterator[None]:
    yield
    voice.hush()


def _pid() -> int:
    process = voice._worker()._process
    assert process is not None
    return process.pid


def _gone(pid: int) -> bool:
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True  # ended; a parent that was killed has left it to be collected
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False


async def test_many_speak_at_once_through_one_worker() -> None:
    texts = [f"This is number {number}." for number in range(6)]
    alone = [(await voice.speak(text)).pcm for text in texts]
    worker = _pid()
    together = await asyncio.gather(*(voice.speak(text) for text in texts))
    assert all(np.array_equal(one.pcm, other) for one, other in zip(together, alone, strict=True))
    assert _pid() == worker


async def test_it_ends_with_the_sandbox() -> None:
    with Sandbox() as box:
        assert box.running
        await voice.speak(FERRY)
        worker = _pid()
    assert _gone(worker)
    assert voice._worker()._process is None


async def test_a_hostile_text_costs_one_utterance_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    await voice.speak(FERRY)
    worker = _pid()
    said, samples = voice._worker().say({"text": FERRY, "voice": "en-us", "rate": 1e999, "pitch": 50, "range": 50})
    assert ("error" in said, samples) == (True, b"")
    assert voice._worker().say({"text": "x", "voice": "nobody", "rate": 170, "pitch": 50, "range": 50})[0]["error"]
    assert (await voice.speak(FERRY)).note == ""
    assert _pid() == worker


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs signals")
def test_it_dies_with_its_parent_however_that_ends() -> None:
    code = (
        "import asyncio, sys, time; from qwenkit.sandbox import voice; asyncio.run(voice.speak('One.'));"
        "print(voice._worker()._process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    assert _gone(worker)
