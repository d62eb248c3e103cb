"""The library of a real sandbox that is stopped and started anew on the same data."""

from __future__ import annotations

from pathlib import Path

import pytest
from held_up_library import held_up

from qwenkit.sandbox import Sandbox
from qwenkit.sandbox.knowledge.library import Library

GUIDE = "# Guide\n\n## Boats\n\nBoats are hired by the hour.\n\n## 失物\n\n失物在办公室保管六十天。"


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def library(box: Sandbox) -> Library:
    assert box._service is not None
    return box._service.shelf(Library)


def put(shelf: Library, text: str, now: float, kind: str = "UNSTRUCTURED") -> str:
    lease = shelf.lease("default", "guide.md", len(text), kind, now)
    shelf.upload(lease.id, text.encode(), now)
    return shelf.add_file(lease.id, kind=kind, now=now).id


def test_a_sandbox_keeps_its_library(tmp_path: Path):
    clock, data = Clock(), tmp_path / "kept.db"
    with Sandbox(data=data, clock=clock) as box:
        shelf = library(box)
        lease = shelf.lease("default", "later.md", 5, now=clock())
        session = put(shelf, GUIDE, clock(), "SESSION_FILE")
        index = shelf.create_index("guide", [put(shelf, GUIDE, clock())], now=clock())
        job = shelf.submit(index.id, clock())
        shelf._works.wait()
    clock.now += 60
    with Sandbox(data=data, clock=clock) as box:
        shelf = library(box)
        assert shelf.job(index.id, job.id, clock()).status == "COMPLETED"
        assert [shelf.search([index.id], asked)[0].metadata["hier_title"] for asked in ("失物", "boats")] == [
            "Guide > 失物",
            "Guide > Boats",
        ]
        assert shelf.text(shelf.session_file(session, clock() + 60).id) == GUIDE
        shelf.upload(lease.id, b"later", clock())
        assert shelf.text(shelf.add_file(lease.id, now=clock()).id) == "later"
        assert shelf.create_index("another").id != index.id


def test_a_sandbox_that_stops_over_its_work_finishes_it_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    begun, gate = held_up(monkeypatch)
    with Sandbox(data=tmp_path / "kept.db") as box:
        shelf = library(box)
        file = put(shelf, GUIDE, 0.0)
        shelf._works.wait()
        index = shelf.create_index("guide", [file])
        job = shelf.submit(index.id)
        assert begun.wait(20)
    gate.set()
    shelf._works.wait()
    with Sandbox(data=tmp_path / "kept.db") as box:
        again = library(box)
        assert again.documents(index.id)[0].status == "RUNNING"
        again.job(index.id, job.id)
        again._works.wait()
        assert again.documents(index.id)[0].status == "FINISH"
        assert again.search([index.id], "boats by the hour")
