"""The nbval plugin in a pytest run of its own: what a reader sees is compared, nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4

from qwenkit.notebook import nbval_plugin
from qwenkit.notebook.freshen import freshen

HTML = "<IPython.core.display.HTML object>"
SETUP = "import os, sys, warnings\nfrom IPython.display import HTML, clear_output, display"

STREAMED = """
handle = display(HTML("<b>0</b>"), display_id=True)
for n in range(1, 4):
    handle.update(HTML(f"<b>{n}</b>"))"""
CLEARED = """
for n in range(5):
    clear_output(wait=True)
    print("step", n)"""
CAPTURED = """
import ipywidgets
out = ipywidgets.Output()
with out:
    print("inside")
print("outside")"""
VOLATILE = """
import random
display(HTML(f'<p>fast <span class="qk-volatile">{random.random()} s</span></p>'))"""
STYLED = """
display(HTML("<style>.qk{color: red}</style><p>red</p>"))"""
ADDRESS = (
    "import time\nprint(object(), f'~{time.perf_counter():.3f} s', 'http://127.0.0.1:%d/' % (os.getpid() % 900 + 99))"
)
KEYLESS = "print({value for name, value in os.environ.items() if name.startswith('DASHSCOPE')})"
RAISES = "print('before')\n1 / 0"
PLOT = "import matplotlib.pyplot as plt\nplt.figure(figsize=(2, 1))\nplt.plot([0, 1, {}])\nplt.show()"


def shown(markup: str) -> Any:
    return v4.new_output("display_data", {"text/html": markup, "text/plain": HTML})


def printed(text: str) -> Any:
    return v4.new_output("stream", name="stdout", text=text)


def divided() -> Any:
    return v4.new_output("error", ename="ZeroDivisionError", evalue="division by zero", traceback=["…"])


def write(path: Path, cells: list[tuple[str, list[Any]]], tags: dict[int, list[str]] | None = None) -> Path:
    made = [
        v4.new_code_cell(
            source.strip(), outputs=outputs, execution_count=number, metadata={"tags": (tags or {}).get(number, [])}
        )
        for number, (source, outputs) in enumerate([(SETUP, []), *cells], start=1)
    ]
    nbformat.write(v4.new_notebook(cells=made), path)
    return path


def run_pytest(path: Path, *options: str) -> str:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "--nbval-current-env",
        "-q",
        "-p",
        "no:cacheprovider",
        *options,
    ]
    done = subprocess.run(
        [*command, path.name], cwd=path.parent, capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout + done.stderr


def test_redrawn_cells_pass_strict_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-canary-never-in-a-kernel")
    cells = [
        (STREAMED, [shown("<b>3</b>")]),
        (CLEARED, [printed("step 4\n")]),
        (CAPTURED, [printed("outside\n")]),
        (VOLATILE, [shown('<p>fast <span class="qk-volatile">0.5 s</span></p>')]),
        (STYLED, [shown("<style>.qk{color: blue}</style><p>red</p>")]),
        (ADDRESS, [printed("<object object at 0x7f0000000000> ~1.5 s http://127.0.0.1:PORT/\n")]),
        (KEYLESS, [printed("{''}\n")]),
        (RAISES, [printed("before\n"), divided()]),
    ]
    report = run_pytest(write(tmp_path / "good.ipynb", cells, {9: ["raises-exception"]}))
    assert "9 passed" in report, report
    assert "sk-canary" not in report


def test_what_a_reader_would_see_differently_fails(tmp_path: Path):
    cells = [
        (STREAMED, [shown("<b>0</b>")]),
        (CLEARED, [printed("step 0\nstep 4\n")]),
        (CAPTURED, [printed("inside\noutside\n")]),
        (VOLATILE, [shown('<p>slow <span class="qk-volatile">0.5 s</span></p>')]),
        (VOLATILE, [shown("<p>fast </p>")]),
        (STYLED, [shown("<style>.qk{color: red}</style><p>blue</p>")]),
        (RAISES, [printed("before\n"), divided()]),
        ("print('still alive')", [printed("still alive\n")]),
    ]
    report = run_pytest(write(tmp_path / "bad.ipynb", cells))
    assert "7 failed, 2 passed" in report, report
    assert "Cell execution caused an exception" in report


def test_pictures_are_compared_on_request(tmp_path: Path):
    drawn = write(tmp_path / "drawn.ipynb", [(PLOT.format(4), []), (PLOT.format(-4), [])])
    freshen(drawn)
    notebook = nbformat.read(drawn, as_version=4)
    notebook.cells[2].outputs = notebook.cells[1].outputs
    nbformat.write(notebook, drawn)
    report = run_pytest(drawn, "--qwenkit-images")
    assert "1 failed, 2 passed" in report
    assert "picture 1 differs from the one in the notebook" in report


@pytest.fixture
def configured(pytester: pytest.Pytester) -> Callable[..., Any]:
    """The options a pytest run ends up with, given these words."""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    return lambda *words: pytester.parseconfigure("--nbval", *words).option


def test_a_cell_gets_a_minute_unless_told_otherwise(configured: Callable[..., Any]):
    assert configured().nbval_cell_timeout == nbval_plugin.CELL_TIMEOUT
    assert configured("--nbval-cell-timeout=2000").nbval_cell_timeout == 2000


def test_the_shipped_rules_apply_unless_others_are_named(configured: Callable[..., Any]):
    assert configured().nbval_sanitize_with == str(nbval_plugin.SANITIZE_FILE)
    assert configured("--nbval-sanitize-with=mine.cfg").nbval_sanitize_with == "mine.cfg"


def test_an_nbval_of_another_shape_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch):
    import nbval.plugin

    monkeypatch.setattr(nbval.plugin.IPyNbFile, "get_kernel_message", lambda self, deadline: None)
    with pytest.raises(pytest.UsageError, match=r"IPyNbFile\.get_kernel_message.*nbval==0\.11"):
        nbval_plugin._check_shape(nbval.plugin)


def test_the_environment_comes_back_after_a_kernel_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-canary")
    with nbval_plugin.kernel_environment(str(tmp_path)):
        assert os.environ["DASHSCOPE_API_KEY"] == ""
        assert os.environ["NO_PROXY"] == "*"
    assert os.environ["DASHSCOPE_API_KEY"] == "sk-canary"
    with nbval_plugin.kernel_environment(str(tmp_path), live=True):
        assert os.environ["DASHSCOPE_API_KEY"] == "sk-canary"


def test_importing_the_plugin_loads_neither_nbval_nor_a_client():
    heavy = ("nbval", "nbformat", "httpx", "numpy")
    code = f"import qwenkit.notebook.nbval_plugin, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
