"""The `qwenkit` command: the course in JupyterLab, the sandbox on its own, a check-up.

Only argument parsing happens here; each command imports what it needs when it runs. An error of ours is one line.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

COURSE_FOLDER = "qwenkit-course"


def main(argv: list[str] | None = None) -> int:
    from qwenkit.errors import QwenError

    words = sys.argv[1:] if argv is None else argv
    options, rest = parser().parse_known_args(words)
    if rest and options.command not in ("lab", "sandbox"):
        parser().error(f"unrecognised: {' '.join(rest)}")
    try:
        return int(options.run(options, rest) or 0)
    except QwenError as wrong:
        print(f"qwenkit: {wrong}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    from qwenkit import __version__

    top = argparse.ArgumentParser(prog="qwenkit", description="Qwen models in Jupyter: a toolkit and a course.")
    top.add_argument("--version", action="version", version=f"qwenkit {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_lab(commands)
    sandbox = commands.add_parser("sandbox", help="serve the sandbox until stopped", add_help=False)
    sandbox.set_defaults(run=_sandbox)
    doctor = commands.add_parser("doctor", help="check this machine, the settings and the key")
    doctor.add_argument(
        "--live", action="store_true", help="also ask the regions which one knows the key (costs nothing)"
    )
    doctor.set_defaults(run=_doctor)
    return top


def _add_lab(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lab = commands.add_parser(
        "lab", help="open the course in JupyterLab", epilog="Any other option is handed to JupyterLab."
    )
    lab.add_argument("folder", nargs="?", type=Path, default=Path(COURSE_FOLDER), help=f"default: ./{COURSE_FOLDER}")
    lab.add_argument("--no-browser", action="store_true", help="start the server only, and print its address")
    lab.add_argument("--port", type=int, help="default: 8888, or the next free one")
    lab.set_defaults(run=_lab)


def _lab(options: argparse.Namespace, rest: list[str]) -> int:
    from qwenkit.notebook.course import lab

    browser = ["--no-browser"] if options.no_browser else []
    port = [f"--port={options.port}"] if options.port is not None else []
    return lab(options.folder, [*browser, *port, *rest])


def _sandbox(options: argparse.Namespace, rest: list[str]) -> int:
    from qwenkit.sandbox.serve import main as serve

    return int(serve(rest) or 0)


def _doctor(options: argparse.Namespace, rest: list[str]) -> int:
    from qwenkit.display import bundle
    from qwenkit.notebook.doctor import doctor

    found = doctor(live=options.live)
    print(bundle(found)["text/plain"])
    return 0 if found.ok else 1
