"""The bench is a program, so this only asks whether it runs: one contestant, a few calls, and nothing about time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_bench_runs_its_floor_and_the_control_beside_it() -> None:
    command = ["-m", "tests.bench", "stream", "memory", "--only", "httpx", "--rounds", "1", "--size", "30", "--json"]
    run = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    told = json.loads(run.stdout)
    assert [measure["name"] for measure in told["measures"]] == ["stream", "stream-async", "memory"]
    for measure in told["measures"]:
        assert measure["failures"] == {}
        (figures,) = measure["rounds"]
        assert set(figures) == {measure["floor"], f"{measure['floor']} again"}
        assert all(each["cpu"] > 0 for each in figures.values())
