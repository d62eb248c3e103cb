"""What a player costs: the bytes of its saved cell, and the time to make it, for ten seconds of speech.

`python -m tests.bench.players CONTESTANT SECONDS` makes one player often enough to be counted, in a process of its own.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.processes import ROOT, fresh
from tests.bench.works import Figures

RATE_HZ = 24_000
TIMES = 5
CLIP = Path(ROOT) / "data" / "ferry.wav"


def players(contestant: str, _url: str, seconds: int) -> Figures:
    figures: Figures = json.loads(fresh("-m", "tests.bench.players", contestant, str(seconds))[0])
    return figures


def speech(seconds: int) -> Any:
    """The course's own clip, over and over, at the rate that services speak at."""
    import numpy as np

    from qwenkit.types.audio import Audio

    clip = Audio.open(CLIP).mono().resampled(RATE_HZ).array
    return np.resize(clip, seconds * RATE_HZ)


def saved(bundle: dict[str, Any]) -> int:
    """Bytes of the cell's output in the notebook file."""
    data = {kind: base64.b64encode(each).decode() if isinstance(each, bytes) else each for kind, each in bundle.items()}
    return len(json.dumps({"data": data, "metadata": {}, "output_type": "display_data"}, ensure_ascii=False).encode())


def _bundle(contestant: str, sound: Any) -> dict[str, Any]:
    if contestant == "IPython":
        from IPython.display import Audio as Theirs

        theirs = Theirs(sound, rate=RATE_HZ)
        return {"text/plain": repr(theirs), "text/html": theirs._repr_html_()}
    from qwenkit.types.audio import Audio

    return dict(Audio(sound, RATE_HZ, voice="Cherry")._repr_mimebundle_())


def main(contestant: str, seconds: int) -> None:
    sound = speech(seconds)
    size = saved(_bundle(contestant, sound))  # late imports are not what is counted
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    for _ in range(TIMES):
        _bundle(contestant, sound)
    per = TIMES * seconds * 1e6
    took = {"cpu": (time.process_time_ns() - cpu) / per, "wall": (time.perf_counter_ns() - wall) / per}
    print(json.dumps({**took, "notebook": size / 1e3}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
