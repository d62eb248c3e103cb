"""The lock on the picture of the rooms: who may enter whom, read from the source and tried in fresh interpreters."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "qwenkit"

# Each room, and the rooms it may enter. What is not named here may not be entered.
MAY_ENTER: dict[str, set[str]] = {
    "catalogue": set(),
    "secret": set(),
    "types": set(),
    "errors": {"catalogue"},
    "access": {"catalogue", "errors", "secret"},
    "config": {"access", "catalogue", "errors", "secret"},
    "reading": set(),
    "protocol": {"types", "catalogue", "errors"},
    "transport": {"protocol", "types", "errors"},
    "retrieval": {"reading", "protocol", "types", "catalogue", "errors", "secret"},
    "api": {"retrieval", "transport", "protocol", "types", "catalogue", "errors", "access", "config", "secret"},
    "display": {"types", "catalogue", "errors"},
    "widgets": {"display", "types", "api", "errors", "catalogue"},
    "notebook": {"api", "display", "types", "catalogue", "errors", "access", "config", "secret"},
    "sandbox": {"catalogue", "reading"},
    "cli": {"notebook", "display", "errors"},
}
# Doors that open only when a function is called.
AT_CALL_TIME: dict[str, set[str]] = {"notebook": {"sandbox"}, "cli": {"sandbox"}}
# Libraries a room does without.
FOREIGN: dict[str, set[str]] = {
    "types": {"httpx", "websockets", "asyncio", "IPython", "matplotlib", "starlette", "numpy"},
    "catalogue": {"httpx", "websockets", "asyncio", "IPython", "starlette"},
    "errors": {"httpx", "msgspec", "IPython"},
    "config": {"httpx", "websockets", "asyncio", "IPython"},
    "reading": {"httpx", "websockets", "asyncio", "IPython", "starlette", "numpy"},
    "retrieval": {"httpx", "websockets", "asyncio", "IPython", "starlette", "matplotlib"},
    "protocol": {"httpx", "websockets", "asyncio", "anyio", "socket", "ssl", "IPython", "starlette"},
    "transport": {"IPython", "starlette", "uvicorn", "matplotlib"},
    "api": {"httpx", "websockets", "IPython", "starlette", "matplotlib"},  # httpx loads with the first call
    "display": {"httpx", "websockets", "starlette", "IPython", "matplotlib.pyplot"},
    "sandbox": {"httpx", "openai", "dashscope", "IPython"},
}
ROOMS = sorted(MAY_ENTER)


def modules(room: str) -> list[str]:
    """Every module of a room, by name."""
    folder = PACKAGE / room
    files = [folder.with_suffix(".py")] if not folder.is_dir() else sorted(folder.rglob("*.py"))
    names = [".".join(("qwenkit", *file.relative_to(PACKAGE).with_suffix("").parts)) for file in files]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def reach(room: str) -> set[str]:
    """A room and every room behind its doors."""
    found, waiting = {room}, [room]
    while waiting:
        for entered in MAY_ENTER[waiting.pop()] - found:
            found.add(entered)
            waiting.append(entered)
    return found


def imports(tree: ast.AST, at_call_time: bool = False) -> Iterator[tuple[str, bool]]:
    """Rooms of ours that a module imports, and whether only inside a function. Typing-only ones count."""
    for node in ast.iter_child_nodes(tree):
        inside = at_call_time or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for name in _named(node):
            if name.startswith("qwenkit."):
                yield name.split(".")[1], at_call_time
        yield from imports(node, inside)


def _named(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        if node.module != "qwenkit":
            return [node.module]
        return [f"qwenkit.{alias.name}" for alias in node.names if alias.name != "__version__"]
    return []


def test_every_room_is_in_the_picture():
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert there - {"__init__", "course"} == set(MAY_ENTER)


@pytest.mark.parametrize("room", ROOMS)
def test_no_import_leads_where_it_may_not(room: str):
    wrong = []
    for name in modules(room):
        path = PACKAGE.joinpath(*name.split(".")[1:])
        source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
        for entered, at_call_time in imports(ast.parse(source)):
            allowed = MAY_ENTER[room] | {room} | (AT_CALL_TIME.get(room, set()) if at_call_time else set())
            if entered not in allowed:
                wrong.append(f"{name} imports qwenkit.{entered}")
    assert wrong == []


_TRY = """
import importlib, sys

class Lock:
    def find_spec(self, name, path=None, target=None):
        if name in LOCKED or name.startswith(tuple(room + "." for room in LOCKED)):
            raise ImportError(f"{name} is locked")
        return None

LOCKED = set(sys.argv[2].split(","))
for name in [name for name in sys.modules if name in LOCKED or name.split(".")[0] in LOCKED]:
    del sys.modules[name]
sys.meta_path.insert(0, Lock())
for name in sys.argv[1].split(","):
    importlib.import_module(name)
"""


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_loads_with_the_other_doors_locked(room: str):
    locked = {f"qwenkit.{other}" for other in set(MAY_ENTER) - reach(room)} | FOREIGN.get(room, set())
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", _TRY, ",".join(modules(room)), ",".join(sorted(locked))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stderr == ""
    assert told.returncode == 0


def test_the_lock_itself_holds():
    told = subprocess.run(
        [sys.executable, "-c", _TRY, "qwenkit.protocol.retry", "qwenkit.errors"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "qwenkit.errors is locked" in told.stderr
