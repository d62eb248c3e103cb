"""A process that adds documents is killed anywhere, in a transaction too: the next completes, with nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import qwenkit as qk
from qwenkit.api.retriever import Retriever
from qwenkit.sandbox import Sandbox

# Dies by its own hand before statement number `fatal` of the store (0: lives), as surely as by another's.
ADDING = """
import json, os, signal, sys
import qwenkit as qk
from qwenkit.api import adding, retriever
from qwenkit.retrieval.sqlite import Sqlite

url, key, base, documents, fatal = sys.argv[1:]
adding.WAVE, adding.LOOKED_UP, count = 12, 8, 0

def counted(plain):
    def statement(self, *given):
        global count
        count += 1
        if count == int(fatal):
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(self, *given)
    return statement

Sqlite._ask, Sqlite._many = counted(Sqlite._ask), counted(Sqlite._many)
with qk.Client(api_key=key, base_url=url) as qwen, retriever.Retriever(qwen, base, size=30, overlap=0) as shelf:
    added = shelf.add(json.load(open(documents, encoding="utf-8")), progress=False)
print(json.dumps([count, added.documents, added.chunks, added.resumed, added.unchanged]))
"""


def texts(seed: int, of: str) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    words = ["tide", "ferry", "lamp", "harbour", "bread", "灯塔", "渡轮", "风向", "船票"]
    return [
        {
            "text": " ".join(
                f"{' '.join(chance.choices(words, k=9))} {of}{number}." for _ in range(chance.randint(1, 9))
            ),
            "title": f"Log {number}",
            "meta": {"number": number},
        }
        for number in range(14)
    ]


def held(qwen: qk.Client, base: Any) -> dict[str, tuple[str, bytes]]:
    """Every chunk by its id, with its text and its vector."""
    with Retriever(qwen, base) as shelf:
        chunks, vectors = shelf.vectors()
        assert len(shelf) == len(chunks)
        return {each.id: (each.text, row.tobytes()) for each, row in zip(chunks, vectors, strict=True)}


def test_killed_anywhere_it_completes_with_nothing_lost_or_doubled(sandbox: Sandbox, tmp_path: Path):
    seed = 7
    base, listed, chance = tmp_path / "base.db", tmp_path / "documents.json", random.Random(seed)
    old, new = texts(seed, "old"), [*texts(seed, "old")[:4], *texts(seed + 50, "new")[4:]]

    def run(documents: list[dict[str, Any]], fatal: int, into: Path = base) -> list[int]:
        listed.write_text(json.dumps(documents), encoding="utf-8")
        words = [sys.executable, "-c", ADDING, sandbox.url, sandbox.key, str(into), str(listed), str(fatal)]
        done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "NO_PROXY": "*"}, check=False)
        assert done.returncode == (-signal.SIGKILL if fatal else 0), done.stderr
        return [] if fatal else json.loads(done.stdout)

    with qk.Client(api_key=sandbox.key, base_url=sandbox.url) as qwen:
        unbroken = tmp_path / "unbroken.db"
        run(old[:9], 0, unbroken)
        before = held(qwen, unbroken)
        statements, *_, unchanged = run(new, 0, unbroken)
        assert unchanged == 4
        after = held(qwen, unbroken)
        run(old[:9], 0)
        for _ in range(3):
            run(new, chance.randint(20, statements // 2))
            now = held(qwen, base)
            for document in {name.partition("#")[0] for name in now}:  # each is as it was, or as it will be
                mine = {name: each for name, each in now.items() if name.startswith(f"{document}#")}
                versions = [{name: each for name, each in kept.items() if name in mine} for kept in (before, after)]
                assert mine in versions
        _, _, chunks, resumed, _ = run(new, 0)
        assert held(qwen, base) == after
        assert chunks + resumed <= len(after)
        assert run(new, 0)[1:] == [0, 0, 0, 14]
        with Retriever(qwen, base) as one, Retriever(qwen, unbroken) as other:
            for query in ("new5 tide", "灯塔", "old2"):
                found = [[(hit.chunk.id, hit.by) for hit in shelf.search(query, 20)] for shelf in (one, other)]
                assert sorted(map(str, found[0])) == sorted(map(str, found[1]))
