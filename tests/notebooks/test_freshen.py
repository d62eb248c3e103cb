"""The authors' tool: what it saves is the same on every machine, and a second run changes nothing."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from qwenkit.notebook.freshen import main, normalise

CELLS = [
    "import random\nfrom IPython.display import HTML, display",
    'handle = display(HTML("<b>0</b>"), display_id=True)\nhandle.update(HTML("<b>1</b>"))',
    "look = '<style>.qk' + '{color: red}</style>'\n"
    "HTML(f'{look}<b class=\"qk-volatile\">{random.random()}</b> 127.0.0.1:{random.randint(10_000, 60_000)}')",
    "import ipywidgets\nipywidgets.IntSlider()",
    "import json\njson.loads('{')",
]


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    cells = [v4.new_code_cell(source) for source in CELLS]
    cells[-1].metadata.tags = ["raises-exception"]
    cells[0].metadata.update({"scrolled": True, "execution": {"iopub.status.busy": "2026-11-21T09:00:00Z"}})
    path = tmp_path / "07-made-up.ipynb"
    nbformat.write(v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python", "version": "3.9"}}), path)
    return path


def test_a_fresh_notebook_names_no_machine_and_no_moment(lesson: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(lesson.parent)]) == 0
    first = lesson.read_bytes()
    notebook = nbformat.read(lesson, as_version=4)
    _, updated, measured, widget, failed = (cell.outputs for cell in notebook.cells)
    assert [cell.id for cell in notebook.cells] == [f"07-0{number}" for number in range(1, 6)]
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3, 4, 5]
    assert notebook.cells[0].metadata == {}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert [output.data["text/html"] for output in updated] == ["<b>1</b>"]
    assert measured[0].data["text/html"].endswith("127.0.0.1:PORT")
    assert set(widget[0].data) == {"text/plain"}
    assert failed[0].ename == "JSONDecodeError"
    assert "…/python3" in "".join(failed[0].traceback)
    assert str(lesson.parent) not in first.decode()
    assert main([str(lesson)]) == 0
    assert lesson.read_bytes() == first
    lesson.write_bytes(first.replace(b".qk{color: red", b".qk{color: blue"))
    assert main([str(lesson)]) == 0
    assert b"color: blue" not in lesson.read_bytes(), "the style sheet is brought up to date"
    assert capsys.readouterr().out.splitlines() == [f"{lesson}: {done}" for done in ("saved", "unchanged", "saved")]


def test_a_cell_that_fails_leaves_the_file_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "broken.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("1 / 0")]), path)
    before = path.read_bytes()
    assert main([str(path)]) == 1
    assert path.read_bytes() == before
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(("stem", "name"), [("my workshop (draft)", "my-workshop-draft-01"), ("第一课", "cell-01")])
def test_a_notebook_without_a_number_is_named_after_its_file(stem: str, name: str):
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# Hello  \n\n")])
    normalise(notebook, stem)
    assert notebook.cells[0].id == name
    assert notebook.cells[0].source == "# Hello"
    nbformat.validate(notebook)
