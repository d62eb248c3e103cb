"""When `asyncio.run` in a notebook is allowed, refused, and left alone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib import metadata
from typing import Any

import pytest

import qwenkit as qk


def test_outside_of_a_loop_nothing_is_patched_and_nothing_imported():
    code = (
        "import asyncio, sys\nrun = asyncio.run\nimport qwenkit as qk\nqk.notebook.allow_asyncio_run()\n"
        "assert asyncio.run is run and 'nest_asyncio2' not in sys.modules"
    )
    told = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert told.stderr == ""


def test_the_room_is_reached_by_name_without_loading_anything_heavy():
    code = (
        "import sys, qwenkit as qk\nqk.notebook.allow_asyncio_run\n"
        "print(*{name.split('.')[0] for name in sys.modules} & {'nest_asyncio2', 'IPython', 'httpx', 'msgspec'})"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""


@pytest.mark.parametrize("found", ["1.7.2", "1.7", "1.6.0"])
async def test_a_version_that_loses_cells_is_refused(monkeypatch: pytest.MonkeyPatch, found: str):
    monkeypatch.setattr(metadata, "version", lambda name: found)
    with pytest.raises(qk.ConfigError, match=r"loses queued cells; 1\.7\.3") as raised:
        qk.notebook.allow_asyncio_run()
    assert "pip install 'qwenkit[lab]'" in raised.value.hint


async def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(qk.ConfigError, match="needs nest-asyncio2") as raised:
        qk.load_ipython_extension(None)
    assert "qwenkit[lab]" in raised.value.hint


async def test_the_older_package_at_work_is_refused(monkeypatch: pytest.MonkeyPatch):
    nest: Any = type(sys)("nest_asyncio")
    monkeypatch.setitem(sys.modules, "nest_asyncio", nest)
    monkeypatch.setattr(asyncio, "_nest_patched", True, raising=False)
    with pytest.raises(qk.ConfigError, match="would never run"):
        qk.notebook.allow_asyncio_run()


def test_newer_versions_are_fine(monkeypatch: pytest.MonkeyPatch):
    for found in ("1.7.3", "1.8", "2.0.0rc1", "1.10.0"):
        monkeypatch.setattr(metadata, "version", lambda name, found=found: found)
        qk.notebook.allow_asyncio_run()
