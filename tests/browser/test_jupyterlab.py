"""What a learner sees: `qwenkit lab`, lesson 01, Run All, in Chromium."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig import Lab, NotebookPage

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).parent / "shots"
CORPUS = Path(__file__).parents[1] / "unit" / "hostile.py"
Open = Callable[[str], NotebookPage]

CARDS = """
import json
from pathlib import Path
from qwenkit import APIError, Reply
from qwenkit.types.reply import Choice, ToolCall

corpus = json.loads(Path("hostile.json").read_text())

def cards(number):
    text = corpus[number]
    call = ToolCall(id="c", name=text[:200], arguments=text)
    display(Reply(choices=[Choice(text=text, thinking=text, tool_calls=[call])], model=text[:200]))
    display(APIError(text, code=text[:200], hint=text[:200], raw=text))"""

STREAM = """
import qwenkit as qk

qwen = qk.sandbox(pace=6)
reply = qk.show(qwen.chat.stream("Tell me a story about a cat and a sunbeam in three sentences."))"""


def hostile_corpus() -> list[Any]:
    spec = importlib.util.spec_from_file_location("hostile", CORPUS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.HOSTILE)


def test_lesson_one_runs_from_top_to_bottom_and_looks_right_in_both_themes(open_notebook: Open):
    notebook = open_notebook("notebooks/01-first-call.ipynb")
    notebook.run_all()
    cells = notebook.cells
    assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert notebook.errors == []
    after_error = [cell["id"] for cell in cells if "error" in [out["output_type"] for out in cell["outputs"][:-1]]]
    assert after_error == []  # the card stands above the error line, once
    assert notebook.strangers == []
    for theme in ("light", "dark"):
        notebook.theme(theme)
        notebook.screenshot(SHOTS / f"lesson-01-{theme}.png")
        notebook.screenshot(SHOTS / f"lesson-01-{theme}-window.png", whole=False)


def test_the_alarm_rings_for_markup_that_is_not_escaped(open_notebook: Open, lab: Lab):
    """The control: were a card to let a script through, the next test would see it."""
    source = """from IPython.display import HTML\nHTML("<img src=x onerror='window.pwned = 1'>")"""
    notebook = open_notebook(lab.write("alarm.ipynb", source))
    notebook.run_all()
    assert notebook.page.evaluate("window.pwned") == 1
    assert notebook.fetched


def test_nothing_a_model_says_runs_or_calls_out(open_notebook: Open, lab: Lab):
    corpus = hostile_corpus()
    (lab.folder / "hostile.json").write_text(json.dumps([text for _, text in corpus]))
    cells = [f"cards({number})  # {name}" for number, (name, _) in enumerate(corpus)]
    formula = 'Reply(choices=[Choice(text="An honest formula: $x^2$")])'
    notebook = open_notebook(lab.write("hostile.ipynb", CARDS.strip(), *cells, formula))
    notebook.run_all()
    notebook.page.wait_for_selector(".jp-Notebook-cell >> nth=-1 >> mjx-container")  # formulas are typeset late
    assert notebook.errors == []
    assert notebook.page.evaluate("window.rig.alive()") == []
    assert len([cell for cell in notebook.cells if len(cell["outputs"]) == 2]) == len(corpus)
    notebook.screenshot(SHOTS / "hostile.png")
    assert notebook.page.evaluate("window.pwned") is None
    assert notebook.dialogs == []
    assert notebook.strangers == []
    assert notebook.fetched == []
    assert [
        line for line in notebook.console if re.search("refused|security policy|blocked", line, re.IGNORECASE)
    ] == []


def test_a_streamed_answer_grows_in_place_and_leaves_one_output(open_notebook: Open, lab: Lab):
    notebook = open_notebook(lab.write("stream.ipynb", STREAM.strip()))
    notebook.watch(0)
    notebook.run_all()
    assert notebook.errors == []
    (cell,) = notebook.cells
    assert [output["output_type"] for output in cell["outputs"]] == ["display_data"]
    lengths = [len(text) for text in notebook.seen]
    assert len(set(lengths)) >= 4, notebook.seen
    assert "sunbeam" in cell["shown"]
    notebook.screenshot(SHOTS / "stream.png", whole=False)
