"""The `qwenkit` command: what it copies, what it starts, and how it says what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qwenkit import __version__, cli
from qwenkit.errors import ConfigError
from qwenkit.notebook import course
from qwenkit.types.connection import CheckUp, Finding

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lessons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small course, found where the package looks for the real one."""
    source = tmp_path / "source"
    for name in (course.FIRST_LESSON, "notebooks/solutions/01-first-call.ipynb", "data/wire.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(f"ours: {name}")
    for litter in ("notebooks/.ipynb_checkpoints/01-checkpoint.ipynb", "notebooks/outputs/cat.png"):
        (source / litter).parent.mkdir(parents=True, exist_ok=True)
        (source / litter).write_text("litter")
    monkeypatch.setattr(course, "course_source", lambda: source)
    return source


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What would have become of this process."""
    seen: dict[str, Any] = {}
    monkeypatch.setattr(os, "execve", lambda path, command, env: seen.update(command=command, env=env))
    monkeypatch.setattr(subprocess, "call", lambda command, env: seen.update(command=command, env=env) or 0)
    return seen


def test_lab_copies_the_course_and_starts_jupyterlab_on_lesson_one(
    lessons: Path,
    started: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    folder = tmp_path / "mine"
    cli.main(["lab", str(folder), "--no-browser", "--port", "8899", "--ServerApp.ip=127.0.0.1"])
    assert (folder / course.FIRST_LESSON).is_file()
    assert (folder / "data/wire.txt").is_file()
    assert not (folder / "notebooks/outputs").exists()
    command = started["command"]
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert {"--no-browser", "--port=8899", "--ServerApp.ip=127.0.0.1"} <= set(command)
    assert f"--LabApp.default_url=/lab/tree/{course.FIRST_LESSON}" in command
    said = capsys.readouterr().out
    assert "3 files copied" in said
    assert "sandbox" in said


def test_lab_says_when_a_key_will_be_used(
    lessons: Path,
    started: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-canary0123456789")
    cli.main(["lab", str(tmp_path / "mine")])
    said = capsys.readouterr().out
    assert "DASHSCOPE_API_KEY is used" in said
    assert "canary" not in said


def test_a_learners_file_is_never_overwritten(lessons: Path, tmp_path: Path):
    folder = tmp_path / "mine"
    course.copy_course(folder)
    (folder / course.FIRST_LESSON).write_text("my answers")
    (folder / "data/wire.txt").unlink()
    again = course.copy_course(folder)
    assert (folder / course.FIRST_LESSON).read_text() == "my answers"
    assert again.new == ["data/wire.txt"]
    assert str(again) == "1 files copied, 2 already there and left as they are"


def test_the_course_is_found_in_a_checkout():
    if not (ROOT / course.FIRST_LESSON).is_file():
        pytest.fail("the checkout has no first lesson")
    assert course.course_source() == ROOT


def test_lab_without_jupyterlab_names_the_cure_in_one_line(
    lessons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(course, "find_spec", lambda name: None)
    assert cli.main(["lab", str(tmp_path / "mine")]) == 1
    said = capsys.readouterr().err
    assert said == "qwenkit: JupyterLab is not installed → pip install 'qwenkit[lab]'\n"
    assert not (tmp_path / "mine").exists()


def test_lessons_that_are_missing_name_the_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(course, "__file__", str(tmp_path / "qwenkit" / "notebook" / "course.py"))
    with pytest.raises(ConfigError, match="reinstall"):
        course.course_source()


def test_jupyterlab_is_told_not_to_ask_about_news_and_keeps_other_settings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "elsewhere")
    ours, theirs = course.lab_environment()["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert (Path(ours) / "labconfig" / "default_setting_overrides.json").is_file()
    assert theirs == "elsewhere"


def test_sandbox_hands_its_options_on_untouched(monkeypatch: pytest.MonkeyPatch):
    serve, seen = ModuleType("serve"), []
    serve.main = lambda words: seen.append(words)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "qwenkit.sandbox.serve", serve)
    words = ["--port", "0", "--key", "K", "--data", "box.db", "--json"]
    assert cli.main(["sandbox", *words]) == 0
    assert seen == [words]


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (None, 0), (False, 1)])
def test_doctor_prints_its_findings_and_exits_by_them(
    ok: bool | None, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    finding = Finding("kettle", ok, "lukewarm", "heat it")
    monkeypatch.setattr("qwenkit.notebook.doctor.doctor", lambda live: CheckUp([finding]))
    assert cli.main(["doctor"]) == code
    assert "heat it" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"qwenkit {__version__}\n"


@pytest.mark.parametrize("words", [[], ["dance"], ["doctor", "--quick"]])
def test_a_wrong_command_shows_the_usage(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        cli.main(words)
    assert "usage: qwenkit" in capsys.readouterr().err


def test_the_command_loads_nothing_it_does_not_run():
    asked = "[m for m in ('httpx', 'msgspec', 'IPython') if m in sys.modules]"
    code = f"import qwenkit.cli, sys; qwenkit.cli.parser(); print({asked})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_everything_that_is_copied_is_meant_for_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(wheel["include"]) == {"/qwenkit", *(f"/{part}" for part in course.PARTS)}
    assert wheel["sources"] == {part: f"qwenkit/course/{part}" for part in course.PARTS}


def test_the_wheel_carries_the_course_and_its_settings(tmp_path: Path):
    builders = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    (wheel,) = builders.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = [name for name in course._files(ROOT) if f"qwenkit/course/{name}" not in names]
    assert not missing
    assert f"qwenkit/course/{course.FIRST_LESSON}" in names
    assert {
        "qwenkit/notebook/sanitize.cfg",
        "qwenkit/notebook/jupyter/labconfig/default_setting_overrides.json",
    } <= names
