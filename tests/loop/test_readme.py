"""The README's first sections are typed in as they stand, against the sandbox."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import qwenkit as qk

README = Path(__file__).parents[2] / "README.md"
NO_ANSWERS = re.compile("beyond (me|the qwenkit sandbox)|text does not say|found nothing")


def blocks() -> list[str]:
    """The Python blocks of "What you type"."""
    section = README.read_text("utf-8").partition("## What you type")[2].partition("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.S)


async def test_what_the_readme_types_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "data").symlink_to(README.parent / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    shown: list[Any] = []
    names: dict[str, Any] = {"show": shown.append}
    for block in blocks():
        tree = ast.parse(block)
        for at, line in enumerate(tree.body):
            if isinstance(line, ast.Expr):  # what a cell would show
                tree.body[at] = ast.Expr(ast.Call(ast.Name("show", ast.Load()), [line.value], []))
        code = compile(ast.fix_missing_locations(tree), "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        made = eval(code, names)  # not exec, which gives no coroutine back
        if inspect.isawaitable(made):
            await made
    answers = [each for each in shown if isinstance(each, qk.Reply)]
    assert len(shown) >= 18
    assert not [str(each) for each in answers if NO_ANSWERS.search(str(each))]
    assert all("text/html" in each._repr_mimebundle_() for each in answers)
    names["qwen"].close()
    await names["qwen"].aio.close()
