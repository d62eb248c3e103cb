"""The cards of tasks: what they say, what they leave out, and that they stay inert whatever a service says."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hostile import HOSTILE
from inert import read

from qwenkit.display import bundle, watching
from qwenkit.types.reply import Receipt
from qwenkit.types.task import Task, TaskTable
from qwenkit.types.usage import Cost, Usage

MODEL = "wan2.6-t2i"
PICTURES = {
    "results": [{"url": f"https://results.example/{at}.png?Expires=1"} for at in range(12)],
    "task_metrics": {"TOTAL": 13, "SUCCEEDED": 12, "FAILED": 1},
    "submit_time": "2026-02-03 10:11:12.013",
    "end_time": "2026-02-03 10:11:29",
}


def test_results_are_named_and_capped():
    shown = bundle(Task("t-1", "SUCCEEDED", model=MODEL, output=PICTURES, usage=Usage(7, 0, 7)))
    files = ", ".join(f"{at}.png" for at in range(8))
    assert shown["text/plain"].splitlines() == [
        f"task SUCCEEDED · {MODEL}",
        f"result: {files} and 4 more in task.urls",
        "12 of 13 parts, 1 failed, 7 tokens",
    ]
    assert f"{files} and 4 more in task.urls" in shown["text/html"]
    assert "took 17.0 s" in shown["text/html"]
    assert "Expires" not in shown["text/plain"]


def test_what_varies_is_marked():
    html = bundle(Task("t-1", "SUCCEEDED", output=PICTURES))["text/html"]
    for varying in ("t-1", "took 17.0 s"):
        assert f'<span class="qk-volatile">{varying}</span>' in html


def test_a_failure_says_why():
    shown = bundle(Task("t", "FAILED", output={"code": "InvalidParameter", "message": "The size is wrong."}))
    assert shown["text/plain"] == "task FAILED\nInvalidParameter: The size is wrong."
    assert 'class="qk-note qk-bad"' in shown["text/html"]


@pytest.mark.parametrize(
    ("status", "metrics", "level"),
    [("PENDING", {}, "0.05"), ("RUNNING", {}, "0.5"), ("RUNNING", {"TOTAL": 4, "SUCCEEDED": 2, "FAILED": 1}, "0.75")],
)
def test_a_running_task_has_a_level(status: str, metrics: dict[str, int], level: str):
    html = bundle(Task("t", status, output={"task_metrics": metrics}))["text/html"]
    assert f'value="{level}"' in html


def test_a_price_is_told_as_anywhere_else():
    receipt = Receipt(cost=Cost(0.2, "CNY"), sandbox=True)
    assert "free (live ≈ ¥0.2000)" in bundle(Task("t", "SUCCEEDED", receipt=receipt))["text/html"]


@pytest.mark.parametrize("text", [text for _, text in HOSTILE], ids=[name for name, _ in HOSTILE])
def test_cards_are_inert_and_bounded(text: str):
    output: dict[str, Any] = {"url": f"https://x/{text}", "code": text, "message": text, "submit_time": text}
    task = Task(text, text[:300], model=text, output={**output, "end_time": text, "task_metrics": {"TOTAL": 2}})
    for value in (task, TaskTable([task] * 30, 99)):
        shown = bundle(value)
        read(shown["text/html"])
        assert len(shown["text/html"]) < 60_000
        assert len(shown["text/plain"]) < 10_000


class Publisher:
    def __init__(self) -> None:
        self.shown: list[tuple[str, bool]] = []

    def publish(self, bundle: dict[str, str], transient: Any, update: bool) -> None:
        self.shown.append((bundle["text/plain"], update))


class Shell:
    kernel, execution_count = object(), 3

    def __init__(self) -> None:
        self.display_pub = Publisher()


def watched(*statuses: str) -> Task:
    with watching.Watch() as draw:
        for status in statuses:
            task = Task("t", status, model=MODEL)
            draw(task)
    return task


def test_one_card_is_redrawn_while_somebody_waits(monkeypatch: pytest.MonkeyPatch):
    shell = Shell()
    monkeypatch.setattr(watching, "_shell", lambda: shell)
    monkeypatch.setattr(watching, "MOST_OFTEN", 0)
    task = watched("PENDING", "RUNNING", "RUNNING", "SUCCEEDED")
    told = [f"task {status} · {MODEL}" for status in ("PENDING", "RUNNING", "SUCCEEDED")]
    assert shell.display_pub.shown == list(zip(told, (False, True, True), strict=True))
    monkeypatch.setattr("qwenkit.display.live._shell", lambda: shell)
    assert task._ipython_display_() is None  # the cell that watched it does not draw it once more
    shell.execution_count = 4
    assert not hasattr(task, "_ipython_display_")


def test_a_card_is_not_redrawn_too_often_but_stays_as_it_ended(monkeypatch: pytest.MonkeyPatch):
    shell = Shell()
    monkeypatch.setattr(watching, "_shell", lambda: shell)
    watched(*["PENDING"] * 50, *["RUNNING"] * 50, "SUCCEEDED")
    assert len(shell.display_pub.shown) < 10
    assert shell.display_pub.shown[-1] == (f"task SUCCEEDED · {MODEL}", True)


def test_nothing_is_drawn_where_nobody_looks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "bundle", None)
    for stderr in (io.StringIO(), None):  # a windowed program has none
        monkeypatch.setattr("sys.stderr", stderr)
        assert not hasattr(watched("RUNNING"), "_ipython_display_")


def test_a_drawing_that_fails_costs_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "_shell", Shell)
    monkeypatch.setattr(watching, "bundle", lambda value: value.nonsense)
    watched("RUNNING", "SUCCEEDED")


def test_a_terminal_has_one_line_and_the_rest_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with watching.Watch() as draw:
        draw(Task("t", "FAILED", model=MODEL, output={"message": "no tide"}))
    assert capsys.readouterr().err == f"\r\x1b[Ktask FAILED · {MODEL}\nno tide\n"
