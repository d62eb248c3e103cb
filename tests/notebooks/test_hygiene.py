"""Every notebook of the course against every rule of `hygiene`, and the rules against notebooks that break them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hygiene
import nbformat
import pytest
from nbformat import v4

LESSONS = sorted(hygiene.COURSE.glob("*.ipynb"))
NOTEBOOKS = [*LESSONS, *sorted((hygiene.COURSE / "solutions").glob("*.ipynb"))]


@pytest.mark.parametrize("rule", hygiene.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.relative_to(hygiene.COURSE).as_posix())
def test_the_notebook_keeps_to_the_rule(path: Path, rule: Callable[[hygiene.Notebook], Iterator[str]]):
    complaints = list(rule(hygiene.Notebook(path)))
    assert not complaints, "\n".join(["", *complaints])


def test_the_first_four_lessons_are_there():
    assert [path.stem for path in LESSONS[:4]] == [
        "01-first-call",
        "02-conversations",
        "03-streaming-and-the-wire",
        "04-sampling",
    ]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_has_solutions_to_its_exercises(path: Path):
    solution = hygiene.COURSE / "solutions" / path.name
    assert solution.is_file()
    asked, solved = (
        {name for cell in hygiene.Notebook(file).code for name in hygiene.checked(cell.source)}
        for file in (path, solution)
    )
    assert asked == solved


def test_all_notebooks_share_one_setup_cell():
    setups = {hygiene.Notebook(path).code[0].source for path in NOTEBOOKS}
    assert len(setups) == 1, setups
    assert "qk.connect()" in setups.pop()


def code(source: str, *outputs: Any, tags: tuple[str, ...] = (), count: int = 1) -> Any:
    metadata = {"tags": list(tags)} if tags else {}
    return v4.new_code_cell(source, id="01-01", outputs=list(outputs), execution_count=count, metadata=metadata)


def prose(source: str) -> Any:
    return v4.new_markdown_cell(source, id="01-01")


def text(said: str, name: str = "stdout") -> Any:
    return v4.new_output("stream", name=name, text=said)


def html(markup: str) -> Any:
    return v4.new_output("display_data", {"text/html": markup, "text/plain": "card"})


def error(name: str) -> Any:
    return v4.new_output("error", ename=name, evalue="no", traceback=[])


def complaints(folder: Path, rule: str, *cells: Any) -> str:
    path = folder / "01-made-up.ipynb"
    nbformat.write(v4.new_notebook(cells=list(cells)), path)
    return "\n".join(getattr(hygiene, rule)(hygiene.Notebook(path)))


LONG_FUNCTION = "async def long():\n" + "    await nothing()\n" * 10


@pytest.mark.parametrize(
    ("rule", "cell", "complaint"),
    [
        ("executed_in_order", code("1", count=2), "[2]"),
        ("executed_in_order", code("1", count=None), "[None]"),
        ("saved_with_outputs", code("1"), "no cell has an output"),
        ("errors_are_announced", code("1/0", error("ZeroDivisionError")), "ZeroDivisionError"),
        ("errors_are_announced", code("1/0", error("ValueError"), html("card"), tags=("raises-exception",)), "after"),
        ("nothing_on_stderr", code("1", text("UserWarning: glyph", "stderr")), "glyph"),
        ("outputs_are_small", code("1", text("x" * 200_001)), "over 200000"),
        ("nothing_of_this_machine", code("1", text("saved to /Users/ada/x.wav")), "/Users/ada"),
        ("nothing_of_this_machine", code("1", text(r"saved to C:\Users\ada")), "absolute path"),
        ("nothing_of_this_machine", code("open('/tmp/x')"), "/tmp/x"),
        ("nothing_of_this_machine", code("1", html("<td>sk-0123456789abcdef</td>")), "a key"),
        ("nothing_of_this_machine", prose("use `st-0f1e2d3c4b5a`"), "a key"),
        ("nothing_of_this_machine", code("1", text("http://127.0.0.1:41237/x")), "loopback"),
        ("nothing_of_this_machine", code("1", text("<object at 0x7f001122aabb>")), "in memory"),
        ("links_resolve", prose("[next](02-nowhere.ipynb)"), "no such file"),
        ("links_resolve", prose("# Here\n[there](#There)"), "no such heading"),
        ("links_resolve", prose("![picture](/srv/a.png)"), "neither relative"),
        ("code_cells_are_short", code("\n".join(["x = 1"] * 16)), "16 lines"),
        ("code_cells_are_short", code("\n".join(["x = 1"] * 6)), "median"),
        ("functions_are_short", code(LONG_FUNCTION), "long has 11 lines"),
        ("prose_is_short", prose("word " * 61), "61 words"),
        ("prose_is_short", prose("字" * 122), "61 words"),
        ("metadata_is_plain", code("1"), "run freshen"),
        ("models_are_in_the_catalogue", code('model="qwen-of-dreams"'), "qwen-of-dreams"),
        ("frame_of_a_lesson", prose("## Only an H2"), "one H1"),
        ("frame_of_a_lesson", prose("# One\n\n## Recap\nwords"), "no table"),
        ("frame_of_a_lesson", prose("# One\n\n## Recap\nwords"), "'where next'"),
        ("exercises_are_checked", code('qk.check("01.1", ...)', text("Exercise 01.1: not yet")), "1 exercises"),
        ("exercises_are_checked", code('qk.check("01.1", 3)', text("Exercise 01.1: right")), "wrong side"),
    ],
)
def test_a_broken_notebook_is_complained_about(tmp_path: Path, rule: str, cell: Any, complaint: str):
    assert complaint in complaints(tmp_path, rule, cell)


@pytest.mark.parametrize(
    ("rule", "cell"),
    [
        ("errors_are_announced", code("1/0", error("ZeroDivisionError"), tags=("raises-exception",))),
        (
            "nothing_of_this_machine",
            code("1", html('<td class="a">and/or</td></usr> https://x.org/usr/page 127.0.0.1:PORT')),
        ),
        ("nothing_of_this_machine", code("1", html('<img src="data:image/png;base64,AAAA/opt/bbbb">'))),
        (
            "nothing_of_this_machine",
            prose("keys look like `sk-…`; a local server is http://127.0.0.1:8000/v1; ask-nicely"),
        ),
        (
            "links_resolve",
            prose("# Here we are\n[up](#Here-we-are) and [out](https://example.org/x)\n```\n[a](b)\n```"),
        ),
        ("functions_are_short", code("%time qwen.chat('hi')\nqk.show??\nawait qwen.aio.chat('hi')")),
        ("prose_is_short", prose("word " * 60 + "\n\n| a | " + "cell " * 50 + "|\n\n```\n" + "code " * 50 + "\n```")),
        ("models_are_in_the_catalogue", code('model="qwen-of-dreams"', tags=("raises-exception",))),
        ("models_are_in_the_catalogue", code('model="qwen-plus"')),
    ],
)
def test_a_tidy_notebook_is_left_alone(tmp_path: Path, rule: str, cell: Any):
    assert complaints(tmp_path, rule, cell) == ""
