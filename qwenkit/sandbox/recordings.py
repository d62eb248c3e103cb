"""Makes the clips of the course, and what the ears compare with: `python -m qwenkit.sandbox.recordings data`.

The same bytes each time.
"""

from __future__ import annotations

import sys
from pathlib import Path

from qwenkit.sandbox.known_sentences import PROBES, library, referred
from qwenkit.sandbox.voice import hush, said

RATE_HZ = 16000
OWN = Path(__file__).parent / "data"
# Each clip is who says which sentences of `data/sentences.json`, one after the other.
CLIPS: dict[str, list[tuple[str, str]]] = {
    "ferry.wav": [("Cherry", "The ferry leaves at nine from the north pier.")],
    "hello.wav": [("Cherry", "Hello, and welcome on board."), ("Cherry", "你好，欢迎上船。")],
    "meeting.wav": [
        ("Serena", "Good morning, everyone, let us begin."),
        ("Ethan", "The test results look better than last week."),
        ("Serena", "Who is going to write the report?"),
        ("Ethan", "I can finish it before Friday."),
        ("Serena", "We need more time to test the new version."),
        ("Ethan", "Then let us meet again on Monday."),
        ("Serena", "Thank you very much for your help."),
        ("Ethan", "Goodbye, and have a safe journey home."),
    ],
}


def make_clips(folder: Path) -> None:
    """Write the clips and the list of sentences into a folder."""
    import numpy as np
    import soundfile

    for name, lines in CLIPS.items():
        assert {text for _, text in lines} <= set(library())
        pieces = [piece.pcm for who, text in lines for piece in said(text, who, rate_hz=RATE_HZ)]
        soundfile.write(folder / name, np.concatenate(pieces), RATE_HZ, subtype="PCM_16")
    (folder / "sentences.json").write_bytes(OWN.joinpath("sentences.json").read_bytes())


def make_references() -> None:
    """Write what the ears compare with, where they look for it."""
    import numpy as np

    all_told = [referred(text, who) for who in PROBES for text in library()]
    shapes, lengths, tones = zip(*all_told, strict=True)
    rows, hertz = (np.reshape(each, (len(PROBES), -1)) for each in (lengths, tones))
    np.savez_compressed(OWN / "sentences.npz", shapes=np.concatenate(shapes), rows=rows, hertz=hertz)


if __name__ == "__main__":
    make_references()
    make_clips(Path(sys.argv[1]))
    hush()
