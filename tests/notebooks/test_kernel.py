"""In a real kernel: what a learner does to a running cell leaves the client usable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from qwenkit.notebook.nbval_plugin import kernel_environment

Kernel = tuple[KernelManager, BlockingKernelClient]
SETUP = """
import threading, qwenkit as qk
qwen = qk.sandbox(pace=25)
before = threading.active_count()"""
SLOW_SHOW = 'qk.show(qwen.chat.stream("Write a three-sentence story about a cat and a sunbeam.", max_tokens=400))'
SLOW_AWAIT = """
async for piece in qwen.aio.chat.stream("Write a three-sentence story about a cat and a sunbeam."):
    print(piece.text, end="")"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with kernel_environment(str(tmp_path_factory.mktemp("ipython"))):
        manager, client = start_new_kernel(kernel_name="python3")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(kernel: Kernel, code: str, meanwhile: Callable[[], Any] = lambda: None) -> tuple[dict[str, Any], str]:
    """The reply to a cell and everything it printed or showed; `meanwhile` happens once it has shown something."""
    _, client = kernel
    shown: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        content = message["content"]
        text = content.get("text") or content.get("data", {}).get("text/plain", "")
        if text and not shown:
            meanwhile()
        shown.extend([text] if text else [])

    reply = client.execute_interactive(code, timeout=60, output_hook=hear, allow_stdin=False)
    return reply["content"], "".join(shown)


@pytest.mark.parametrize("slow", [SLOW_SHOW, SLOW_AWAIT], ids=["shown", "awaited"])
def test_an_interrupted_stream_leaves_the_client_usable_and_no_thread(kernel: Kernel, slow: str):
    assert run(kernel, SETUP)[0].get("traceback") is None
    interrupted, _ = run(kernel, slow, meanwhile=kernel[0].interrupt_kernel)
    assert interrupted["ename"] in ("KeyboardInterrupt", "CancelledError")
    again, said = run(kernel, 'print(qwen.chat("What is 6 * 7?").text)')
    assert again["status"] == "ok"
    assert "42" in said
    _, threads = run(kernel, "print(threading.active_count() - before)")
    assert int(threads) <= 0


def test_cells_queued_behind_a_stream_all_run(kernel: Kernel):
    _, client = kernel
    run(kernel, SETUP)
    asked = [
        client.execute(code) for code in (SLOW_SHOW, "print('second')", "await qwen.aio.chat('hi')", "print('last')")
    ]
    answered: list[str] = []
    deadline = time.monotonic() + 60
    while len(answered) < len(asked) and time.monotonic() < deadline:
        reply = client.get_shell_msg(timeout=60)
        if reply["parent_header"]["msg_id"] in asked:
            assert reply["content"]["status"] == "ok"
            answered.append(reply["parent_header"]["msg_id"])
    assert answered == asked
