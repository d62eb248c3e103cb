"""The house as a whole: linted, formatted, typed; the same set for pip and conda."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_MODULE = 350
CODE = ("qwenkit", "tests", "notebooks")
TOOLS = [("ruff", "check", *CODE), ("ruff", "format", "--check", *CODE), ("mypy",)]


def run(*words: str) -> str:
    """What a tool complains about, or nothing."""
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("words", TOOLS, ids=" ".join)
def test_the_code_is_clean(words: tuple[str, ...]):
    assert run(*words) == ""


def test_no_module_is_too_long_to_read():
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in (ROOT / "qwenkit").rglob("*.py")}
    assert {path.name: length for path, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_conda_users_get_the_same_set():
    """environment.yml leaves the packages to pyproject.toml, and its Python is one the project supports."""
    text = (ROOT / "environment.yml").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = re.findall(r"^ *- *(.+?) *$", re.sub(r"#.*", "", text), re.MULTILINE)
    python = next(entry.removeprefix("python=") for entry in wanted if entry.startswith("python="))
    assert [entry for entry in wanted if not entry.startswith("python=")] == ["conda-forge", "pip", "pip:", "-e .[lab]"]
    assert f"Programming Language :: Python :: {python}" in project["classifiers"]
    assert "lab" in project["optional-dependencies"]
