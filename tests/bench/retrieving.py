"""A shelf of 100,000 bilingual chunks in one SQLite file: built, opened, searched, killed while it is built.

The sandbox embeds on one core, ten texts a call as the model allows, and all else is done on the other. `rest` is the
same building with vectors that cost nothing: reading, splitting, indexing, writing. Searches fuse vectors and words;
the query's own embedding is counted apart. The nearest ten by codes are compared with those of the whole matrix. A
fifth of the building is done once more by processes that are killed at random moments, and must come out the same.
The figures are the same in every round, so one will do.

`python -m tests.bench.retrieving CHUNKS` does it once, in a process of its own.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.bench.processes import cores, environment, fresh, pinned
from tests.bench.works import Figures

PER_DOCUMENT, TOKENS, QUERIES, KILLS = 100, 64, 100, 3
_SYLLABLES = ["ka", "lo", "mi", "ren", "tos", "vel", "dra", "pin", "hor", "sul", "ber", "nat", "gri", "fon", "lam"]
_WORDS = ["".join(each) for count in (2, 3) for each in itertools.product(_SYLLABLES, repeat=count)][:3000]
_HAN = [chr(0x4E00 + 3 * place) for place in range(2500)]
_OFTEN = [1 / (place + 8) for place in range(3000)]  # as in any language: few words are most of a text


@lru_cache
def retriever(_contestant: str, _url: str, count: int) -> Figures:
    figures: Figures = json.loads(fresh("-m", "tests.bench.retrieving", str(count))[0])
    return figures


def document(number: int) -> dict[str, Any]:
    """About a hundred chunks, half of them English, half Chinese, in sentences as long as a chunk."""
    chance = random.Random(number)
    lines = []
    for line in range(PER_DOCUMENT):
        if (number + line) % 2:
            lines.append(" ".join(chance.choices(_WORDS, _OFTEN, k=42)).capitalize() + ".\n")
        else:
            lines.append("".join(chance.choices(_HAN, _OFTEN[:2500], k=72)) + "。\n")
    return {"text": "".join(lines), "title": f"Log {number}"}


def queries() -> list[str]:
    chance = random.Random("queries")
    english = [" ".join(chance.choices(_WORDS, _OFTEN, k=5)) for _ in range(QUERIES // 2)]
    return english + ["".join(chance.choices(_HAN, _OFTEN[:2500], k=6)) for _ in range(QUERIES // 2)]


@lru_cache
def documents(count: int) -> list[dict[str, Any]]:
    return [document(number) for number in range(count // PER_DOCUMENT)]


def build(url: str, key: str, base: Path, count: int) -> Any:
    """A shelf with the first documents on it."""
    import qwenkit as qk
    from qwenkit.api.retriever import Retriever

    shelf = Retriever(qk.Client(api_key=key, base_url=url), base, size=TOKENS, overlap=0)
    shelf.add(documents(count), progress=False)
    return shelf


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pinned(cores()[0]):
        sandbox = subprocess.Popen(
            [sys.executable, "-m", "qwenkit.sandbox", "--json"], stdout=subprocess.PIPE, env=environment(), text=True
        )
        try:
            os.sched_setaffinity(0, cores()[1] or os.sched_getaffinity(0))
            assert sandbox.stdout
            told = json.loads(sandbox.stdout.readline())
            print(json.dumps(_measured(count, told["url"], told["key"], Path(folder), sandbox.pid)))
        finally:
            sandbox.terminate()
            sandbox.wait()


def _measured(count: int, url: str, key: str, folder: Path, sandbox: int) -> Figures:
    documents(count)  # making them up is not what is counted
    begun, cpu, theirs = time.perf_counter(), time.process_time(), _cpu(sandbox)
    shelf = build(url, key, folder / "base.db", count)
    wall = time.perf_counter() - begun
    figures = {"wall": wall / count * 1e6, "cpu": (time.process_time() - cpu) / count * 1e6, "built": wall}
    figures |= {"sandbox": _cpu(sandbox) - theirs, "chunks": float(len(shelf))}
    assert len(shelf) >= count
    figures |= _searched(shelf, folder / "base.db")
    figures["rest"] = _rest(url, key, folder / "rest.db", count)
    figures["killed"] = _killed(shelf, url, key, folder / "killed.db", count // 5)
    return figures


def _searched(built: Any, base: Path) -> Figures:
    """What a session costs that opens the file and asks."""
    import numpy as np

    from qwenkit.api.retriever import Retriever, drained

    built.close()
    before = _status("VmRSS")
    begun = time.perf_counter()
    shelf = Retriever(_client(built), base)
    opened, asked = time.perf_counter() - begun, queries()
    vectors = {query: shelf._core.driver.run(shelf._embedded([query], None, query=True)) for query in asked}
    begun = time.perf_counter()
    with _embedding(lambda _, texts, *__, **___: _given(vectors[texts[0]])):
        shelf.search(asked[0])
        first = time.perf_counter() - begun
        cpu = time.process_time()
        alone = [_milliseconds(shelf, query) for query in asked]
        cpu = time.process_time() - cpu
    whole = [_milliseconds(shelf, query) for query in asked[::4]]
    memory = _status("VmRSS") - before
    rows = shelf._store._ask("SELECT id, vector FROM vectors ORDER BY id")
    matrix = np.frombuffer(b"".join(row[1] for row in rows), "<f4").reshape(len(rows), -1)
    right = 0
    for query in asked[::4]:
        vector = vectors[query].array[0]
        true = {rows[place][0] for place in np.argpartition(-(matrix @ vector), 10)[:10].tolist()}
        right += len(true & {key for key, _ in drained(shelf._store.nearest(vector, 10, []))})
    built.reopened = shelf
    return {
        "opened": (opened + first) * 1e3,
        "search": statistics.median(alone),
        "computed": cpu / len(asked) * 1e3,
        "asked": statistics.median(whole),
        "resident": memory,
        "file": base.stat().st_size / 1e6,
        "exact": right / len(asked[::4]) * 10,
    }


def _rest(url: str, key: str, base: Path, count: int) -> float:
    """Seconds of building with vectors that cost nothing."""
    import numpy as np

    from qwenkit.types.embeddings import Embeddings

    chance = np.random.default_rng(0)

    def free(_: Any, texts: list[str], *__: Any, **___: Any) -> Any:
        return _given(Embeddings(texts, chance.standard_normal((len(texts), 1024), np.float32).tobytes(), 1024))

    begun = time.perf_counter()
    with _embedding(free):
        build(url, key, base, count).close()
    return time.perf_counter() - begun


def _killed(built: Any, url: str, key: str, base: Path, count: int) -> float:
    """How many chunks the killed processes had left when the last one went on; all must be as in the unbroken shelf."""
    chance, command = random.Random(3), [sys.executable, "-m", "tests.bench.retrieving", "build", url, key, str(base)]
    for kill in range(KILLS):
        process = subprocess.Popen([*command, str(count)], env=environment())
        fatal = count * (kill + chance.random()) / KILLS
        while process.poll() is None and _written(base) < fatal:
            time.sleep(0.02)
        process.kill()
        process.wait()
    had = _written(base)
    shelf = build(url, key, base, count)
    for number in range(count // PER_DOCUMENT):
        (texts, vectors), (others, theirs) = (each.vectors(f"Log {number}") for each in (shelf, built.reopened))
        assert texts == others
        assert vectors.tobytes() == theirs.tobytes()
    assert shelf.stats().documents == count // PER_DOCUMENT
    return float(had)


def _written(base: Path) -> int:
    """How many chunks another process has written so far."""
    try:
        with closing(sqlite3.connect(f"file:{base}?mode=ro", uri=True)) as seen:
            return int(seen.execute("SELECT count(*) FROM chunks").fetchone()[0])
    except sqlite3.Error:  # it has not begun
        return 0


class _embedding:  # noqa: N801 - reads as a block
    """A block in which texts are embedded otherwise."""

    def __init__(self, how: Any) -> None:
        self._how = how

    def __enter__(self) -> None:
        from qwenkit.api.retriever import ShelfCalls

        self._usual, ShelfCalls._embedded = ShelfCalls._embedded, self._how

    def __exit__(self, *raised: object) -> None:
        from qwenkit.api.retriever import ShelfCalls

        ShelfCalls._embedded = self._usual


def _given(value: Any) -> Any:
    yield from ()
    return value


def _client(shelf: Any) -> Any:
    import qwenkit as qk

    return qk.Client.of(shelf._core)


def _milliseconds(shelf: Any, query: str) -> float:
    begun = time.perf_counter()
    assert shelf.search(query)
    return (time.perf_counter() - begun) * 1e3


def _cpu(process: int) -> float:
    told = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(name))


if __name__ == "__main__":
    if sys.argv[1] == "build":
        build(sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5])).close()
    else:
        main(int(sys.argv[1]))
