"""Drawing a paced stream in a real IPython kernel: the share of a core beyond a loop that draws nothing.

The kernel is a process of its own, spoken to as a notebook front end would, with no browser. Counted is the CPU of the
whole kernel, its I/O threads too, from the cell before the work to the cell after it.
"""

from __future__ import annotations

import time
from typing import Any

from tests.bench.contestants import KEY, MODEL
from tests.bench.processes import ROOT, Failed, cores, environment, pinned
from tests.bench.works import Figures

PACE = 100  # text events per second
_WAYS = {
    "loop": """
with qwen.chat.stream(PROMPT, model=MODEL) as stream:
    for piece in stream: pass
""",
    "show": "final = qk.show(qwen.chat.stream(PROMPT, model=MODEL))",
    "print": """
with qwen.chat.stream(PROMPT, model=MODEL) as stream:
    for piece in stream: print(piece.text, end="", flush=True)
""",
}


class Kernel:
    """One kernel on the client's core."""

    def __enter__(self) -> Kernel:
        from jupyter_client.manager import start_new_kernel

        with pinned(cores()[1]):
            self.manager, self.client = start_new_kernel(
                env=environment(), cwd=str(ROOT), extra_arguments=["--log-level=ERROR"]
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code: str) -> tuple[str, int]:
        """(what a cell printed, how many messages it put on the wire)."""
        printed: list[str] = []
        messages: list[dict[str, Any]] = []

        def hook(message: dict[str, Any]) -> None:
            messages.append(message)
            printed.append(message["content"].get("text", ""))

        answer = self.client.execute_interactive(code, output_hook=hook, timeout=120)
        if answer["content"]["status"] != "ok":
            raise Failed(f"{answer['content']['ename']}: {answer['content']['evalue']}")
        return "".join(printed), len(messages)


def drawing(way: str, url: str, size: int) -> Figures:
    work = f"PROMPT = 'chunks={size} pace={PACE}'\n{_WAYS[way]}"
    with Kernel() as kernel:
        kernel.run(f"import time\nimport qwenkit as qk\nqwen = qk.Client(api_key={KEY!r}, base_url={url!r})")
        kernel.run(f"MODEL = {MODEL!r}\nPROMPT = 'chunks=50 pace=200'\n{_WAYS[way]}")  # late imports, connection
        kernel.run("began = time.process_time_ns()")
        began = time.perf_counter()
        _, messages = kernel.run(work)
        wall = time.perf_counter() - began
        cpu = int(kernel.run("print(time.process_time_ns() - began)")[0]) / 1e9
    return {"cpu": 100 * cpu / wall, "messages": messages}
