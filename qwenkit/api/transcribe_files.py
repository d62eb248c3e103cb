"""Long recordings: submitted as a task, looked at until it is done, their transcripts fetched.

Recordings are addresses; what is on this machine is uploaded for two days first. A task is resumed by its id. When it
is done every recording has a transcript, or stands with its error in its place: only a task of which nothing succeeded
raises.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, Unpack

from qwenkit.api import tasks
from qwenkit.api.core import Core
from qwenkit.api.flavour import call
from qwenkit.errors import ConfigError, QwenError
from qwenkit.protocol import options as checked
from qwenkit.protocol import transcribe as protocol
from qwenkit.protocol import transcripts
from qwenkit.protocol.flow import Flow, Together
from qwenkit.protocol.parts import several
from qwenkit.protocol.transcribe import RecordingOptions
from qwenkit.types.audio import Audio
from qwenkit.types.task import Task
from qwenkit.types.transcript import FailedRecording, Transcript, TranscriptionTask, Transcripts

_AT_ONCE = 4  # result files
_FITTING = "pass an address, a path, or a list of them"


class FileCalls:
    """The calls for recordings of up to twelve hours, written once for both flavours."""

    _core: Core

    @call
    def submit(self, recordings: Any, **options: Unpack[RecordingOptions]) -> Flow[TranscriptionTask]:
        """Hand in a long recording, or up to a hundred, and get the task that transcribes them.

        A recording is an address, a path, or a `qk.Audio`. `speakers=True`, or their number, tells speakers apart;
        `language` may be several for recordings that mix them; `words` asks for the time of each word, `channels` which
        channels are read (each is billed). `word_filter` hides words, `vocabulary` is the id of a list of hot words,
        `context` and `itn` are as in `qwen.transcribe`. Left out, `model` follows from what is asked for.
        """
        from qwenkit.api.sending import placed

        sources = [Audio.of(each) for each in checked.several(several(recordings), "recordings", _FITTING)]
        told = protocol.told(options, RecordingOptions, "transcribe.submit")
        wire = protocol.task_body(sources, self._core.config.region, **told)
        wire, headers = yield from placed(self._core, wire, wire["model"])
        task = yield from tasks.submit(self._core, protocol.TASKS, wire, family="transcribe", headers=headers)
        return TranscriptionTask.of(task, sources)

    @call
    def get(self, task: Task | str) -> Flow[Transcripts | TranscriptionTask]:
        """Look once: the transcripts when they are there, else the task as it stands."""
        seen = yield from tasks.look(self._core, task)
        sources = _sources(task)
        return (yield from self._fetched(seen, sources)) if seen.ok else TranscriptionTask.of(seen, sources)

    @call
    def wait(self, task: Task | str, *, timeout: float | None = None, progress: bool = True) -> Flow[Transcripts]:
        """Wait until a task is done and fetch its transcripts, in the order of its recordings.

        A task of another day's session is resumed by its id. What failed is a `FailedRecording` in its place, with the
        cure; a task of which nothing succeeded raises `TaskFailed`.
        """
        seen = yield from tasks.ended(self._core, task, timeout=timeout, progress=progress, noun="transcribe")
        return (yield from self._fetched(seen, _sources(task)))

    def _fetched(self, seen: Task, sources: list[Any]) -> Flow[Transcripts]:
        rows = transcripts.rows(seen)
        if not rows:
            raise ConfigError(f"the task {seen.id} transcribed nothing", hint="qwen.tasks.get(id) shows what it made")
        flows = [self._row(*each) for each in zip_longest(rows, sources[: len(rows)])]
        found: list[Any] = yield Together(flows, _AT_ONCE)
        for each in found:
            if isinstance(each, BaseException):
                raise each
            if isinstance(each, Transcript):
                each.receipt, each.model = seen.receipt, seen.model
                each.usage = seen.usage if len(found) == 1 else None
        return Transcripts(found, TranscriptionTask.of(seen, sources))

    def _row(self, row: dict[str, Any], source: Any) -> Flow[Transcript | FailedRecording]:
        """One recording of a task that is over."""
        from qwenkit.api.sending import fetch

        if not row.get("transcription_url"):
            return transcripts.unheard(row, source)
        try:
            data = yield from fetch(self._core, row["transcription_url"], "transcript")
            return transcripts.read_file(data, audio=source)
        except QwenError as error:
            return transcripts.lost(row, source, error)


def _sources(task: Task | str) -> list[Any]:
    return task.sources if isinstance(task, TranscriptionTask) else []
