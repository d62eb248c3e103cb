"""What every notebook of the course keeps to: one function per rule, each yielding its complaints in words."""

from __future__ import annotations

import ast
import json
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nbformat

COURSE = Path(__file__).parents[2] / "notebooks"
MAX_OUTPUT = 200_000
MAX_CODE_LINES, MEDIAN_CODE_LINES, MAX_FUNCTION_LINES = 15, 5, 10
MAX_PROSE_WORDS = 60
LESSON_CELLS = range(25, 46)
IDEAS = range(4, 7)
FRAME = ("recap", "exercises", "where next")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}

_MACHINE_ROOTS = "home|Users|root|tmp|work|opt|usr|var|private|mnt|srv|etc|Library|builds?"
_ABSOLUTE = re.compile(rf"(?<![\w.:/<…%-])(?:/(?:{_MACHINE_ROOTS})/[\w.-]+|[A-Z]:\\\w+|~/[\w.]+)")
_KEY = re.compile(r"\b(?:sk|st)-(?:sp-)?[A-Za-z0-9_]{6,}")
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\]):\d{2,5}")
_ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}", re.IGNORECASE)
_DATA_URI = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+")
_LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.MULTILINE)
_MODEL = re.compile(r"[\"'`]((?:qwen|qwq|qvq)[\w.]*-[\w.-]*\w)[\"'`]")


class Notebook:
    """A notebook and the views of it the rules look through."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_solution = path.parent.name == "solutions"
        self.content = nbformat.read(path, as_version=4)
        self.cells: list[Any] = list(self.content.cells)
        self.code = [cell for cell in self.cells if cell.cell_type == "code"]
        self.prose = [cell for cell in self.cells if cell.cell_type == "markdown"]

    @property
    def headings(self) -> list[tuple[int, str]]:
        sources = (_without_fences(cell.source) for cell in self.prose)
        return [(len(marks), text) for source in sources for marks, text in _HEADING.findall(source)]

    def outputs(self) -> Iterator[tuple[Any, Any]]:
        yield from ((cell, output) for cell in self.code for output in cell.outputs)


def executed_in_order(notebook: Notebook) -> Iterator[str]:
    counts = [cell.execution_count for cell in notebook.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}: run it top to bottom in a fresh kernel and save"


def saved_with_outputs(notebook: Notebook) -> Iterator[str]:
    if not any(cell.outputs for cell in notebook.code):
        yield "no cell has an output: run it and save"


def errors_are_announced(notebook: Notebook) -> Iterator[str]:
    for cell, output in notebook.outputs():
        if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
            yield f"cell {cell.id} ends in {output.ename} and is not tagged raises-exception"
        if output.output_type == "error" and output is not cell.outputs[-1]:
            yield f"cell {cell.id} shows something after its error"


def nothing_on_stderr(notebook: Notebook) -> Iterator[str]:
    for cell, output in notebook.outputs():
        if output.output_type == "stream" and output.name == "stderr":
            yield f"cell {cell.id} writes to stderr: {output.text[:80]!r}"


def outputs_are_small(notebook: Notebook) -> Iterator[str]:
    for cell, output in notebook.outputs():
        if (size := len(json.dumps(output))) > MAX_OUTPUT:
            yield f"cell {cell.id} has an output of {size} bytes, over {MAX_OUTPUT}"


def nothing_of_this_machine(notebook: Notebook) -> Iterator[str]:
    for cell, text in _texts(notebook):
        for pattern, what in ((_ABSOLUTE, "an absolute path"), (_KEY, "a key")):
            for found in pattern.findall(text):
                yield f"cell {cell.id} holds {what}: {found!r}"
    for cell, output in notebook.outputs():
        for pattern, what in ((_LOOPBACK, "a loopback port"), (_ADDRESS, "an address in memory")):
            for found in pattern.findall(_shown(output)):
                yield f"cell {cell.id} shows {what}: {found!r}"


def links_resolve(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.prose:
        for target in _LINK.findall(_without_fences(cell.source)):
            if complaint := _broken(notebook, unquote(target)):
                yield f"cell {cell.id} links to {target}: {complaint}"


def code_cells_are_short(notebook: Notebook) -> Iterator[str]:
    lengths = {cell.id: _lines(cell.source) for cell in notebook.code}
    yield from (
        f"cell {name} has {n} lines, over {MAX_CODE_LINES}" for name, n in lengths.items() if n > MAX_CODE_LINES
    )
    median = statistics.median(lengths.values() or [0])
    if not notebook.is_solution and median > MEDIAN_CODE_LINES:
        yield f"the median code cell has {median} lines, over {MEDIAN_CODE_LINES}"


def functions_are_short(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.code:
        for node in ast.walk(_parsed(cell.source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    yield f"cell {cell.id}: {node.name} has {length} lines, over {MAX_FUNCTION_LINES}"


def prose_is_short(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.prose:
        if (count := words(cell.source)) > MAX_PROSE_WORDS:
            yield f"cell {cell.id} has {count} words, over {MAX_PROSE_WORDS}"


def metadata_is_plain(notebook: Notebook) -> Iterator[str]:
    expected = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    if notebook.content.metadata != expected:
        yield "its metadata names a machine or a version: run freshen"
    for cell in notebook.cells:
        if extra := set(cell.metadata) - {"tags", "jupyter", "editable", "deletable"}:
            yield f"cell {cell.id} carries metadata {sorted(extra)}: run freshen"
    number = notebook.path.stem[:2]
    if [cell.id for cell in notebook.cells] != [f"{number}-{n:02}" for n in range(1, len(notebook.cells) + 1)]:
        yield "its cell ids do not count up: run freshen"


def models_are_in_the_catalogue(notebook: Notebook) -> Iterator[str]:
    from qwenkit import catalogue

    for cell in notebook.cells:
        if "raises-exception" not in cell.metadata.get("tags", []):
            unknown = [name for name in _MODEL.findall(cell.source) if catalogue.model(name) is None]
            yield from (f"cell {cell.id} names the model {name}, which the catalogue lacks" for name in unknown)


def frame_of_a_lesson(notebook: Notebook) -> Iterator[str]:
    """Design §6: one H1 and a promise, four to six ideas, recap, exercises, where next."""
    titles = [text for level, text in notebook.headings if level == 1]
    if len(titles) != 1 or not notebook.cells[0].source.startswith("# "):
        yield f"it should open with its one H1, found {titles}"
    if notebook.is_solution:
        return
    if len(notebook.cells) not in LESSON_CELLS:
        yield f"it has {len(notebook.cells)} cells, not {LESSON_CELLS.start} to {LESSON_CELLS.stop - 1}"
    if not any("able to" in cell.source for cell in notebook.prose[:2]):
        yield "its first two cells promise nothing ('you will be able to …')"
    seconds = [text.strip().lower() for level, text in notebook.headings if level == 2]
    ideas = [text for text in seconds if not text.startswith(FRAME)]
    if len(ideas) not in IDEAS:
        yield f"it has {len(ideas)} H2 sections besides its frame, not 4 to 6: {ideas}"
    yield from (f"no H2 {part!r}" for part in FRAME if not any(text.startswith(part) for text in seconds))
    if not any(
        "recap" in cell.source.lower() and re.search(r"^\|.*-.*\|", cell.source, re.M) for cell in notebook.prose
    ):
        yield "its recap has no table"


def exercises_are_checked(notebook: Notebook) -> Iterator[str]:
    checks = {name: _shown(output) for cell, output in notebook.outputs() for name in checked(cell.source)}
    if len(checks) not in (2, 3):
        yield f"it checks {len(checks)} exercises, not 2 or 3: {sorted(checks)}"
    for name, shown in checks.items():
        if (f"Exercise {name}: right" in shown) is not notebook.is_solution:
            yield f"the check of {name} shows the wrong side: {shown[:60]!r}"
        if not name.startswith(notebook.path.stem[:2] + "."):
            yield f"exercise {name} has another lesson's number"


RULES = [
    executed_in_order,
    saved_with_outputs,
    errors_are_announced,
    nothing_on_stderr,
    outputs_are_small,
    nothing_of_this_machine,
    links_resolve,
    code_cells_are_short,
    functions_are_short,
    prose_is_short,
    metadata_is_plain,
    models_are_in_the_catalogue,
    frame_of_a_lesson,
    exercises_are_checked,
]


def checked(source: str) -> list[str]:
    """The exercises a cell checks, as `01.2`."""
    return re.findall(r"qk\.check\(\s*[\"']([\d.]+)[\"']", source)


def words(markdown: str) -> int:
    """Words of running prose: no tables, code, link targets or HTML; two Chinese characters are one word."""
    text = re.sub(r"^\s*\|.*$", " ", _without_fences(markdown), flags=re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)|<[^>]+>|`[^`]*`|\$[^$]*\$", " x ", text)
    chinese = len(re.findall(r"[\u3400-\u9fff]", text))
    return len(re.findall(r"[^\W_\u3400-\u9fff][\w'’.-]*", text)) + chinese // 2


def anchors(notebook: Notebook) -> set[str]:
    """What JupyterLab and code hosts accept after `#`: the heading with dashes, as written and in lower case."""
    texts = [re.sub(r"[`*]", "", text).strip() for _, text in notebook.headings]
    return {
        form
        for text in texts
        for form in (text.replace(" ", "-"), re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
    }


def _broken(notebook: Notebook, target: str) -> str:
    if re.match(r"https?://[\w.-]+\.\w+(/|$)", target) or target.startswith("attachment:"):
        return ""
    file, _, anchor = target.partition("#")
    if file.startswith("/") or ":" in file:
        return "neither relative nor a web address"
    path = (notebook.path.parent / file).resolve() if file else notebook.path
    if file and not (path.is_file() and path.is_relative_to(COURSE.parent.resolve())):
        return "no such file in the course"
    if anchor and anchor not in anchors(Notebook(path)):
        return "no such heading"
    return ""


def _texts(notebook: Notebook) -> Iterator[tuple[Any, str]]:
    yield from ((cell, cell.source) for cell in notebook.cells)
    yield from ((cell, _shown(output)) for cell, output in notebook.outputs())


def _shown(output: Any) -> str:
    """Everything of an output a reader or a search could see as text."""
    data = output.get("data", {})
    parts = [str(value) for kind, value in data.items() if not kind.startswith("image/") or "svg" in kind]
    parts += [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
    return _DATA_URI.sub("", "\n".join(parts))


def _lines(source: str) -> int:
    return len([line for line in source.splitlines() if line.strip()])


def _without_fences(markdown: str) -> str:
    return re.sub(r"^(```|~~~).*?^\1", "", markdown, flags=re.MULTILINE | re.DOTALL)


def _parsed(source: str) -> ast.AST:
    """The cell's syntax tree; magics, shell lines and `??` questions are IPython's and carry no functions."""
    if source.startswith("%%"):
        return ast.Module([], [])
    plain = "\n".join("pass" if re.match(r"[%!?]|.*\?\s*$", line) else line for line in source.splitlines())
    return compile(plain, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)  # type: ignore[return-value]
