"""The checkpoint file of a run: read once at the start, then appended to, a line per finished item.

A line is handed to the system as soon as its item is finished, so a killed process loses none; it is forced to the disk
once a second and at the end, so a power cut loses a second at most. A line that was torn is ignored.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from qwenkit.errors import ConfigError
from qwenkit.protocol import checkpoint

_FORCED_EVERY = 1.0  # seconds


class Logbook:
    """An open checkpoint file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab")
            self.stored, mended = self._read()
        except OSError as unfit:
            said = f"the checkpoint {self.path.name!r} cannot be used ({unfit.strerror})"
            raise ConfigError(said, hint="name a file in a folder that can be written to") from unfit
        self._file.write(mended)
        self._file.flush()
        self._forced = time.monotonic()

    def _read(self) -> tuple[checkpoint.Stored, bytes]:
        """What an earlier run left, and what the file lacks before a new line may follow."""
        with self.path.open("rb") as file:
            head, last = file.readline(), b"\n"
            if not checkpoint.HEADER.startswith(head):
                self._file.close()
                hint = "name a file of its own, such as checkpoint='run.jsonl'"
                raise ConfigError(f"{self.path.name!r} is no checkpoint of qwen.map", hint=hint)
            stored = checkpoint.Stored(file)
            if file.tell() > len(head):
                file.seek(-1, os.SEEK_END)
                last = file.read()
        return stored, checkpoint.HEADER[len(head) :] + (b"" if last == b"\n" else b"\n")

    def add(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        now = time.monotonic()
        if now - self._forced > _FORCED_EVERY:
            self._forced = now
            os.fsync(self._file.fileno())

    def close(self) -> None:
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()
