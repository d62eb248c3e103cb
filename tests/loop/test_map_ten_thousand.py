"""Ten thousand prompts through 5 % faults, killed in the middle and resumed: nothing lost, nothing paid twice.

The one big test of `map`. The run under test is a process of its own that is killed with SIGKILL; the sandbox is
another, so that both cores work, and counts what reaches it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from counting import Counting, counting

PROMPTS = 10_000
CONCURRENCY = 32
FAULTS = 0.05
MOST_PER_ITEM = 2_500  # bytes an answered item may leave in memory: its reply, its ledger entry, no wire body


def prompts() -> Any:
    return (f"Say {number}." for number in range(PROMPTS))


def run(url: str, key: str, checkpoint: str) -> None:
    """What the child process does: one map, as a user would write it, and its memory along the way."""
    import qwenkit as qk

    qwen = qk.Client(api_key=key, base_url=url)
    core = qwen._core
    core.patience = msgspec.structs.replace(core.patience, first_pause=0.002)
    sizes: list[int] = []

    def watched() -> Any:
        for number, prompt in enumerate(prompts()):
            if number % 2_000 == 0:
                sizes.append(resident())
            yield prompt

    results = qwen.map(watched(), concurrency=CONCURRENCY, checkpoint=checkpoint)
    wrong = [at for at, text in enumerate(results.texts) if text != f"{at}."]
    told = {"answered": results.answered, "failed": results.failures, "wrong": wrong, "resumed": results.resumed}
    ledger = [entry.ok for entry in qwen.usage]
    told |= {"calls": len(ledger), "unhappy": ledger.count(False), "sizes": [*sizes, resident()]}
    print(json.dumps(told), flush=True)


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def start(box: Counting, checkpoint: Path) -> Any:
    return subprocess.Popen(
        [sys.executable, __file__, box.url, box.key, str(checkpoint)], stdout=subprocess.PIPE, text=True
    )


def kept(checkpoint: Path) -> set[int]:
    """The positions whose answers are in the file, torn lines aside."""
    found = set()
    for line in checkpoint.read_bytes().splitlines()[1:] if checkpoint.exists() else ():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        found |= {told["position"]} if "answer" in told else set()
    return found


def test_ten_thousand_prompts_with_faults_killed_and_resumed(tmp_path: Path):
    checkpoint = tmp_path / "run.jsonl"
    share = random.Random(3).uniform(0.2, 0.8)
    with counting(FAULTS) as box:
        with start(box, checkpoint) as first:
            while len(kept(checkpoint)) < share * PROMPTS:
                assert first.poll() is None, "it ended before it could be killed"
                time.sleep(0.2)
            first.send_signal(signal.SIGKILL)
        before, saved = box.counts(), kept(checkpoint)
        assert share * PROMPTS <= len(saved) < PROMPTS

        with start(box, checkpoint) as second:
            told = json.loads(second.communicate()[0])
        after = box.counts()

    assert (told["answered"], told["failed"], told["wrong"]) == (PROMPTS, 0, [])
    assert told["resumed"] == len(saved)
    assert (told["calls"], told["unhappy"]) == (PROMPTS - len(saved), 0)  # each item once in the ledger, faults or not

    resent = {prompt for prompt in after if after[prompt] != before.get(prompt, (0, 0))}
    assert resent.isdisjoint(f"Say {at}." for at in saved)  # nothing answered before is paid again
    answers = [after[f"Say {at}."][0] for at in range(PROMPTS)]
    assert min(answers) == 1
    twice = answers.count(2)  # answered on the wire when the process died, before it could be written down
    assert max(answers) <= 2
    assert twice <= CONCURRENCY
    faults = sum(bad for _, bad in after.values())
    assert 0.03 * PROMPTS < faults < 0.08 * PROMPTS

    grown = told["sizes"][-1] - told["sizes"][len(saved) // 2_000 + 1]
    fresh = PROMPTS - 2_000 * (len(saved) // 2_000 + 1)
    assert grown < MOST_PER_ITEM * max(fresh, 1_000)


if __name__ == "__main__":
    run(*sys.argv[1:])
