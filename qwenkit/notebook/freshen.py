"""`python -m qwenkit.notebook.freshen notebooks/`: run notebooks top to bottom and save them with fresh outputs.

The authors' tool. What it saves is what the nbval plugin compares: updates folded, no key in the kernel, so the sandbox
answers. Files come out the same on every machine: cell ids count up, metadata that names a machine or a moment is
dropped, widget views (which no front-end redraws from a file) give way to their text, loopback ports read PORT. Outputs
that differ only in what the comparison ignores keep their old bytes, so a second run changes nothing. A cell that fails
without the tag `raises-exception` stops the run and leaves its file untouched.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qwenkit.notebook.folding import without_volatile
from qwenkit.notebook.nbval_plugin import CELL_TIMEOUT, SANITIZE_FILE, kernel_environment

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_KEPT_CELL_METADATA = ("tags", "jupyter", "editable", "deletable")
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_PICTURES = ("image/png", "image/jpeg")
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):\d{2,5}\b")
_MACHINE_PATH = re.compile(r"(?:~|(?<![\w.…])/)[^\s:'\"<>\x1b]*/(?=(?:qwenkit|site-packages|python3\.\d+)/)")
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_STYLE = re.compile(r"<style>[^<]*</style>")
_RULE = re.compile(r"^regex: (.*)$\n^replace: (.*)$", re.MULTILINE)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m qwenkit.notebook.freshen", description="Run notebooks and save them."
    )
    parser.add_argument("paths", nargs="+", type=Path, help="notebooks, or folders of notebooks")
    for path in _notebooks(parser.parse_args(argv).paths):
        try:
            changed = freshen(path)
        except Exception as failure:
            print(f"{path}: not saved\n{_COLOUR.sub('', str(failure))}", file=sys.stderr)
            return 1
        print(f"{path}: {'saved' if changed else 'unchanged'}")
    return 0


def _notebooks(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        found = sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]
        yield from (each for each in found if ".ipynb_checkpoints" not in each.parts)


def freshen(path: Path) -> bool:
    """Run one notebook and save it; whether its bytes changed."""
    import nbformat

    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)
    old_outputs = [cell.get("outputs", []) for cell in notebook.cells]
    execute(notebook, path.parent)
    normalise(notebook, path.stem)
    for cell, old in zip(notebook.cells, old_outputs, strict=True):
        if cell.cell_type == "code" and _alike(old, cell.outputs):
            cell.outputs = _recounted(old, cell.execution_count)
    nbformat.validate(notebook)
    after = nbformat.writes(notebook) + "\n"
    path.write_text(after, encoding="utf-8")
    return bool(after != before)


def execute(notebook: Any, folder: Path) -> None:
    """Run every cell in a fresh kernel of this environment, in the notebook's own folder."""
    import nbclient

    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    where = {"metadata": {"path": str(folder.resolve())}}
    with tempfile.TemporaryDirectory(prefix="qwenkit-ipython-", ignore_cleanup_errors=True) as profile:
        client = nbclient.NotebookClient(
            notebook,
            timeout=int(CELL_TIMEOUT),
            kernel_name="python3",
            resources=where,
            store_widget_state=False,
            coalesce_streams=True,  # how often a print was flushed is chance, not content
        )
        with kernel_environment(profile):
            client.execute()


def normalise(notebook: Any, stem: str) -> None:
    """Take out of a notebook what another machine, or the next run, would write differently."""
    import nbformat

    counted, words = re.match(r"\d+", stem), re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")
    lesson = counted.group() if counted else words[:40] or "cell"
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"{lesson}-{number:02}"
        cell.source = "\n".join(line.rstrip() for line in cell.source.strip("\n").split("\n"))
        cell.metadata = {key: cell.metadata[key] for key in _KEPT_CELL_METADATA if key in cell.metadata}
        for output in cell.get("outputs", []):
            _normalise_output(output)


def _normalise_output(output: Any) -> None:
    if "data" in output:
        output.data.pop(_WIDGET_VIEW, None)
        output.data.update({kind: _portless(value) for kind, value in output.data.items() if kind not in _PICTURES})
    if "text" in output:
        output.text = _portless(output.text)
    if "traceback" in output:
        output.traceback = [_MACHINE_PATH.sub("…/", _portless(line)) for line in output.traceback]


def _portless(value: Any) -> Any:
    return _LOOPBACK.sub(r"\1:PORT", value) if isinstance(value, str) else value


def _alike(old: list[Any], new: list[Any]) -> bool:
    """Whether nbval, with the plugin, would see no difference."""
    from qwenkit.notebook.pictures import first_difference

    if _styles(old) != _styles(new) or first_difference(old, new):
        return False
    return [_steady(output) for output in old] == [_steady(output) for output in new]


def _styles(outputs: list[Any]) -> list[str]:
    """The comparison overlooks the style sheet in a card, but a file should carry the present one."""
    return [sheet for output in outputs for sheet in _STYLE.findall(output.get("data", {}).get("text/html", ""))]


def _steady(value: Any, kind: str = "") -> Any:
    """An output as the comparison sees it."""
    if isinstance(value, dict):
        return {key: _steady(item, key) for key, item in value.items() if key not in ("execution_count", "traceback")}
    if kind in _PICTURES or not isinstance(value, str):
        return None if kind in _PICTURES else value
    value = without_volatile(value)
    for pattern, replacement in _RULE.findall(SANITIZE_FILE.read_text(encoding="utf-8")):
        value = re.sub(pattern, replacement, value)
    return value


def _recounted(outputs: list[Any], execution_count: int) -> list[Any]:
    for output in outputs:
        if output.output_type == "execute_result":
            output.execution_count = execution_count
    return outputs


if __name__ == "__main__":
    raise SystemExit(main())
