"""The sandbox as a program: `qwenkit sandbox`, `python -m qwenkit.sandbox`. It serves until it is told to end.

With `--json` it prints one line of JSON for other programs, without it a few lines for people. In a room that several
people share, requests cannot ask for faults unless it is started with `--faults`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence

from qwenkit.sandbox.server import Sandbox


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code."""
    asked = _parser().parse_args(argv)
    ending = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ending.set())
    box = Sandbox(asked.port, asked.key, asked.seed, asked.pace, asked.data, asked.faults)
    try:
        box.start()
    except OSError as problem:
        print(f"qwenkit sandbox: {problem}", file=sys.stderr)
        return 1
    print(_line(box) if asked.json else _welcome(box), flush=True)
    ending.wait()
    box.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qwenkit sandbox",
        description="A service on this machine that speaks the DashScope protocols. It is not Qwen.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port (default)")
    parser.add_argument("--key", help="the bearer key to accept; a new one is made without it")
    parser.add_argument("--data", metavar="FILE", help="keep state in this file; in memory without it")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of the welcome")
    parser.add_argument("--seed", type=int, default=0, help="decides ids and answers (0)")
    parser.add_argument("--pace", type=_pace, help="tokens per second of a stream; as fast as it goes without it")
    parser.add_argument(
        "--faults", action=argparse.BooleanOptionalAction, default=False, help="obey the X-Sandbox-Fault header"
    )
    return parser


def _pace(text: str) -> float:
    pace = float(text)
    if not 0 < pace < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return pace


def _line(box: Sandbox) -> str:
    access = {"access_key_id": box.access_key_id, "access_key_secret": box.access_key_secret}
    return json.dumps({"url": box.url, "key": box.key, **access, "workspace": box.workspace, "apps": box.apps})


def _apps(box: Sandbox) -> str:
    return ", ".join(f"{name} ({each})" for name, each in box.apps.items())


def _welcome(box: Sandbox) -> str:
    return f"""The qwenkit sandbox is listening on {box.url} (this machine only).
It speaks the DashScope protocols for lessons and tests. It is not Qwen and sends nothing anywhere.

Point clients at it by pasting lines into another terminal, for qwenkit and dashscope the first, for openai the second:

    export DASHSCOPE_API_KEY={box.key} DASHSCOPE_HTTP_BASE_URL={box.url}/api/v1
    export OPENAI_API_KEY={box.key} OPENAI_BASE_URL={box.url}/compatible-mode/v1
    export ALIBABA_CLOUD_ACCESS_KEY_ID={box.access_key_id} ALIBABA_CLOUD_ACCESS_KEY_SECRET={box.access_key_secret}

The last is for knowledge bases, in workspace {box.workspace}. Its applications: {_apps(box)}.
Ctrl-C ends it."""
