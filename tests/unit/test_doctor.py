"""The doctor: each finding with its cure, nothing called unless asked, no key in any of it."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any

import pytest

from qwenkit.notebook import doctor as clinic
from qwenkit.secret import Secret
from qwenkit.types.connection import Finding

KEY = "sk-canary0123456789abcdef"


def found(name: str, findings: Any) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def keyed(**env: str) -> list[Finding]:
    return list(clinic.key_and_address({"DASHSCOPE_API_KEY": KEY, **env}))


def test_without_a_key_the_sandbox_is_named():
    (finding,) = clinic.key_and_address({})
    assert finding.ok is None
    assert "sandbox" in finding.detail
    assert "DASHSCOPE_API_KEY" in finding.cure


def test_a_key_is_shown_by_its_ends_with_where_it_came_from():
    finding, address = keyed()
    assert finding.ok
    assert finding.detail == "sk-…cdef from DASHSCOPE_API_KEY: a pay-as-you-go key"
    assert address.detail == "region beijing, https://dashscope.aliyuncs.com"


def test_region_and_workspace_are_shown_as_they_resolve():
    _, address = keyed(DASHSCOPE_REGION="singapore", DASHSCOPE_WORKSPACE="ws-1")
    assert address.detail == "region singapore, https://ws-1.ap-southeast-1.maas.aliyuncs.com, workspace ws-1"


@pytest.mark.parametrize(
    ("env", "cure"),
    [
        ({"DASHSCOPE_REGION": "atlantis"}, "beijing"),
        ({"DASHSCOPE_REGION": "frankfurt"}, "workspace"),
        ({"DASHSCOPE_API_KEY": "sk-0123 456"}, "copy it again"),
        ({"DASHSCOPE_API_KEY": "", "DASHSCOPE_API_KEY_FILE_PATH": "/nowhere/key"}, "DASHSCOPE_API_KEY_FILE_PATH"),
    ],
)
def test_a_setting_that_cannot_work_is_a_problem_with_its_cure(env: dict[str, str], cure: str):
    (finding,) = keyed(**env)
    assert finding.ok is False
    assert cure in finding.cure


CODING = "https://coding.dashscope.aliyuncs.com"
SHARED = "https://dashscope.aliyuncs.com"


@pytest.mark.parametrize(
    ("key", "root", "ok", "told"),
    [
        ("sk-0123456789abcdef", SHARED, True, "pay-as-you-go"),
        ("sk-0123456789abcdef", CODING, False, "on a plan's address"),
        ("sk-sp-0123456789", CODING, True, "Coding Plan"),
        ("sk-sp-0123456789", SHARED, False, "Coding Plan"),
        ("st-0123456789", SHARED, None, "temporary"),
        ("LTAI0123456789", SHARED, False, "sk-"),
        ("token", "http://127.0.0.1:8000", None, "shape"),
    ],
)
def test_a_key_is_judged_by_its_shape_and_the_address(key: str, root: str, ok: bool | None, told: str):
    verdict, words, cure = clinic.judge_key(Secret(key), root)
    assert verdict is ok
    assert told in words
    assert cure or ok is not False


def versions(monkeypatch: pytest.MonkeyPatch, **known: str) -> None:
    monkeypatch.setattr(clinic, "_version", lambda name: known.get(name.replace("-", "_"), ""))


@pytest.mark.parametrize(("version", "bad"), [("1.7.2", True), ("1.7.3", False), ("1.10.0", False), ("2.0", False)])
def test_old_nest_asyncio2_is_a_problem(monkeypatch: pytest.MonkeyPatch, version: str, bad: bool):
    versions(monkeypatch, nest_asyncio2=version)
    findings = list(clinic.nested_loops())
    assert [finding.ok for finding in findings] == ([False] if bad else [])
    assert all("nest-asyncio2>=1.7.3" in finding.cure for finding in findings)


@pytest.mark.parametrize("loaded", [True, False])
def test_nest_asyncio_is_a_problem_once_it_is_loaded(monkeypatch: pytest.MonkeyPatch, loaded: bool):
    versions(monkeypatch, nest_asyncio="1.6.0")
    monkeypatch.delitem(sys.modules, "nest_asyncio", raising=False)
    if loaded:
        monkeypatch.setitem(sys.modules, "nest_asyncio", object())
    (finding,) = clinic.nested_loops()
    assert finding.ok is (False if loaded else None)
    assert finding.cure


def test_a_missing_extra_is_a_note_that_names_the_install(monkeypatch: pytest.MonkeyPatch):
    versions(monkeypatch, jupyterlab="4.6")
    (finding,) = clinic.lab_extra()
    assert finding.ok is None
    assert "espeakng-loader" in finding.detail
    assert finding.cure == "pip install 'qwenkit[lab]'"


def test_a_font_with_chinese_is_looked_for(monkeypatch: pytest.MonkeyPatch):
    from matplotlib import font_manager

    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    finding = found("Chinese in figures", clinic.drawing())
    assert finding.ok is None
    assert "noto" in finding.cure.lower()


def test_an_examination_that_breaks_becomes_a_finding(monkeypatch: pytest.MonkeyPatch):
    def sense_of_smell() -> Any:
        raise metadata.PackageNotFoundError("nose")
        yield

    monkeypatch.setattr(clinic, "_EXAMINATIONS", (sense_of_smell,))
    finding = clinic.doctor(env={}).findings[0]
    assert (finding.name, finding.ok) == ("sense of smell", False)
    assert finding.cure


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({"VSCODE_PID": "1"}, "VS Code"),
        ({"JPY_SESSION_NAME": "a.ipynb"}, "JupyterLab or Jupyter Notebook"),
        ({}, "an unknown front end"),
    ],
)
def test_the_front_end_is_told_from_the_environment(env: dict[str, str], name: str):
    assert clinic.front_end(env) == name


def test_the_whole_check_up_holds_no_key_and_calls_nobody(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("qwenkit.notebook.probes.live_findings", lambda *_: pytest.fail("called the service unasked"))
    checked = clinic.doctor(env={"DASHSCOPE_API_KEY": KEY})
    assert found("Python", checked.findings).ok
    assert found("notebook", checked.findings).ok is None
    assert "canary" not in repr(checked) + str(checked._repr_mimebundle_())
