"""`qwenkit lab`: the course in a folder of the learner's own, and JupyterLab open on its first lesson.

The lessons and their data travel inside the wheel (in a checkout they are read from it). Copying never touches a file
that is already there, so a second start keeps every answer written so far. JupyterLab replaces this process: it gets
Ctrl-C and every signal itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from qwenkit.errors import ConfigError

FIRST_LESSON = "notebooks/01-first-call.ipynb"
PARTS = ("notebooks", "data")
_LEFT_OUT = {".ipynb_checkpoints", "__pycache__", "outputs"}


class Copied(NamedTuple):
    """What a copy of the course did, as paths inside the folder."""

    new: list[str]
    kept: list[str]

    def __str__(self) -> str:
        kept = f", {len(self.kept)} already there and left as they are" if self.kept else ""
        return f"{len(self.new)} files copied{kept}"


def copy_course(folder: Path, source: Path | None = None) -> Copied:
    """Bring the course into a folder. What is there already stays as it is."""
    source = source or course_source()
    copied = Copied([], [])
    for name in _files(source):
        target = folder / name
        if target.exists():
            copied.kept.append(name)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target)
            copied.new.append(name)
    return copied


def trust(folder: Path, names: list[str]) -> None:
    """Sign the lessons just copied: JupyterLab shows saved cards in full only in notebooks it trusts."""
    from nbformat import read
    from nbformat.sign import NotebookNotary

    notary = NotebookNotary()
    for name in names:
        if name.endswith(".ipynb"):
            with suppress(OSError, ValueError):  # an unsigned lesson is merely plainer at first sight
                notary.sign(read(folder / name, as_version=4))


def course_source() -> Path:
    """Where the lessons are: inside the installed package, or in the checkout it is imported from."""
    package = Path(__file__).parents[1]
    for place in (package / "course", package.parent):
        if (place / FIRST_LESSON).is_file():
            return place
    raise ConfigError("the lessons are not installed", hint="reinstall: pip install --force-reinstall 'qwenkit[lab]'")


def _files(source: Path) -> Iterator[str]:
    for part in PARTS:
        for path in sorted((source / part).rglob("*")):
            inside = path.relative_to(source)
            if path.is_file() and not _LEFT_OUT.intersection(inside.parts):
                yield inside.as_posix()


def lab(folder: Path, options: list[str]) -> int:
    """Copy the course, say what will answer, and become JupyterLab. `options` go to JupyterLab as they are."""
    if find_spec("jupyterlab") is None:
        raise ConfigError("JupyterLab is not installed", hint="pip install 'qwenkit[lab]'")
    answering = who_answers(folder)
    copied = copy_course(folder)
    trust(folder, copied.new)
    print(f"The course is in {folder}: {copied}.")
    print(f"{answering}\nJupyterLab opens on lesson 01; Ctrl-C here stops it.", flush=True)
    command = lab_command(folder, options)
    if os.name == "posix":
        os.execve(command[0], command, lab_environment())
    return subprocess.call(command, env=lab_environment())


def who_answers(folder: Path) -> str:
    from qwenkit.config import environment, find_key

    key, source = find_key(None, environment(folder / "notebooks"))
    if key:
        return f"The key from {source} is used: the lessons call the service, which may cost a little."
    return "No key is needed: the lessons bring the sandbox along, a practice service on this machine."


def lab_command(folder: Path, options: list[str]) -> list[str]:
    as_root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    opened = [f"--ServerApp.root_dir={folder.resolve()}", f"--LabApp.default_url=/lab/tree/{FIRST_LESSON}"]
    return [sys.executable, "-m", "jupyterlab", *opened, *as_root, *options]


def lab_environment() -> dict[str, str]:
    """JupyterLab as usual, except that it does not ask newcomers about its news; their own settings still win."""
    ours = str(Path(__file__).with_name("jupyter"))
    others = os.environ.get("JUPYTER_CONFIG_PATH", "")
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, [ours, others]))}
