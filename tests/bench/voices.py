"""The sandbox's voice through its own ears: how much of what it says is understood, and what is taken for it wrongly.

Every sentence of the data is spoken by some voices and heard by a sandbox that has said nothing; errors are counted in
words of English and characters of Chinese. Then come sentences it cannot know, half of them one word from those it
does, and noise and chords: any text heard there is a false accept. The same figures in every round, so one will do.

`python -m tests.bench.voices VOICES` does it once, in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from functools import lru_cache
from pathlib import Path

from tests.bench.processes import fresh
from tests.bench.works import Figures

VOICES = ("Cherry", "Ethan", "Serena", "Arthur")
UNSEEN = Path(__file__).with_name("unseen.txt")


@lru_cache
def voices(_contestant: str, _url: str, count: int) -> Figures:
    figures: Figures = json.loads(fresh("-m", "tests.bench.voices", str(count))[0])
    return figures


def units(text: str) -> list[str]:
    return re.findall(r"[\u3400-\u9fff]|[a-z']+", text.lower())


def distance(told: list[str], heard: list[str]) -> int:
    row = list(range(len(heard) + 1))
    for number, each in enumerate(told, 1):
        last, row[0] = row[0], number
        for at, other in enumerate(heard, 1):
            last, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, last + (each != other))
    return row[-1]


async def main(count: int) -> None:
    import numpy as np

    from qwenkit.sandbox.ears import hear
    from qwenkit.sandbox.known_sentences import library
    from qwenkit.sandbox.service import Service
    from qwenkit.sandbox.voice import hush, speak

    deaf, wrong, total, false, seconds, cpu, wall = Service(key="sk-bench"), 0, 0, 0, 0.0, 0, 0
    spoken = [(text, who) for who in VOICES[:count] for text in [*library(), *UNSEEN.read_text("utf-8").splitlines()]]
    at, noise = np.arange(48000) / 16000, np.random.default_rng(0).normal(0, 0.1, 48000)
    chords = [sum(np.sin(2 * np.pi * tone * step * at) for step in (1, 1.26, 1.5)) * 0.1 for tone in range(90, 400, 40)]
    for text, who in [*spoken, *((sound, "") for sound in [noise, np.cumsum(noise) / 50, *chords])]:
        sound = (text, 16000) if not who else (said.pcm, said.rate_hz) if (said := await speak(text, who)) else None
        begun = time.perf_counter_ns(), time.process_time_ns()
        heard = await hear(deaf, sound)
        wall, cpu = wall + time.perf_counter_ns() - begun[0], cpu + time.process_time_ns() - begun[1]
        seconds += heard.seconds
        if who and text in library():
            wrong, total = wrong + distance(units(text), units(heard.text)), total + len(units(text))
        else:
            false += bool(heard.text)
    hush()
    took = {"cpu": cpu / seconds / 1e6, "wall": wall / seconds / 1e6}
    print(json.dumps({**took, "error": 100 * wrong / total, "false": false, "heard": len(spoken) + 2 + len(chords)}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
