"""What was said in a recording: text, language and emotion, and from long recordings the time of every sentence.

A `Transcript` is a `Reply` that was heard: `text`, `usage`, `cost` and `raw` are the same. `Transcripts` are those of
one task, in the order of its recordings; what failed stands in its place and says why.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.files import Rows
from qwenkit.types.media import problem
from qwenkit.types.reply import Reply
from qwenkit.types.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwenkit.types.audio import Audio


class Word(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """One word and when it was said. `punctuation` is what follows it."""

    begin_ms: int = 0
    end_ms: int = 0
    text: str = ""
    punctuation: str = ""


class Sentence(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """One sentence, when it was said and, if the task told them apart, by which speaker (counted from 0)."""

    begin_ms: int = 0
    end_ms: int = 0
    text: str = ""
    speaker: int | None = None
    emotion: str = ""
    language: str = ""
    channel: int = 0
    words: list[Word] = []


class Transcript(Reply):
    """The words of one recording. `sentences` is empty where the model tells no times; `audio` is what was sent."""

    __slots__ = ("emotion", "language", "length", "sentences", "source")

    def __init__(
        self,
        *,
        sentences: list[Sentence] | None = None,
        language: str = "",
        emotion: str = "",
        audio: Audio | None = None,
        source: str = "",
        length: float | None = None,
        **told: Any,
    ) -> None:
        super().__init__(audio=audio, **told)
        self.sentences = sentences or []
        self.language = language
        self.emotion = emotion
        self.source = source  # the recording's name
        self.length = length

    @classmethod
    def of(cls, reply: Reply, **facts: Any) -> Transcript:
        """A reply, heard."""
        made = cls(**facts)
        for name in set(Reply.__slots__) - facts.keys():
            setattr(made, name, getattr(reply, name))
        return made

    @property
    def seconds(self) -> float | None:
        """How long the recording is, as the service counted it; otherwise as the audio says or the last sentence."""
        told = self.length if self.length is not None else self.usage.seconds if self.usage else None
        if told is None and self.sentences:
            return max(each.end_ms for each in self.sentences) / 1000
        return told

    @property
    def speakers(self) -> list[int]:
        """Who speaks, as numbers; empty when the speakers were not told apart."""
        return sorted({each.speaker for each in self.sentences if each.speaker is not None})

    @property
    def words(self) -> list[Word]:
        """All words with their times, if they were asked for."""
        return [word for each in self.sentences for word in each.words]

    def srt(self, names: Mapping[int, str] | None = None) -> str:
        """Subtitles as SRT. `names` are the speakers' by number."""
        return str(import_module("qwenkit.protocol.subtitles").srt(self.sentences, names))

    def vtt(self, names: Mapping[int, str] | None = None) -> str:
        """Subtitles as WebVTT, each speaker a voice of its own."""
        return str(import_module("qwenkit.protocol.subtitles").vtt(self.sentences, names))

    def save(self, path: str | Path, names: Mapping[int, str] | None = None) -> Path:
        """Write it down: subtitles for `.srt` and `.vtt`, the words for `.txt`, all the service said for `.json`."""
        path = Path(path).expanduser()
        kinds: dict[str, Callable[[], str]] = {
            ".srt": lambda: self.srt(names),
            ".vtt": lambda: self.vtt(names),
            ".txt": lambda: self.text + "\n",
            ".json": lambda: msgspec.json.format(msgspec.json.encode(self.raw)).decode(),
        }
        if path.suffix.lower() not in kinds:
            raise problem(f"a transcript cannot be saved as {path.name}", "use .srt, .vtt, .txt or .json")
        written = kinds[path.suffix.lower()]()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written, "utf-8", errors="replace")
        return path

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= 60 else self.text[:59] + "…"
        told = {"language": self.language, "emotion": self.emotion}
        facts = [repr(text), *(f"{name}={value!r}" for name, value in told.items() if value)]
        facts += [f"{self.seconds:g} s"] if self.seconds else []
        facts += [f"{len(self.sentences)} sentence{'s' * (len(self.sentences) > 1)}"] if self.sentences else []
        return f"Transcript({', '.join(facts)})"


class FailedRecording(Shown, msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """A recording of which there is no transcript: why, and what to do about it."""

    source: str = ""
    code: str = ""
    message: str = ""
    hint: str = ""


class Transcripts(Rows[Any]):
    """The transcripts of one task, in the order of its recordings. What failed is a `FailedRecording` in its place."""

    kinds = ("recording", "recordings")

    def __init__(self, rows: list[Any], task: Task | None = None) -> None:
        super().__init__(rows)
        self.task = task

    @property
    def text(self) -> str:
        """All words of all recordings."""
        return "\n".join(text for text in self.texts if text)

    @property
    def texts(self) -> list[str | None]:
        """The words of each recording, None where there are none."""
        return [each.text if isinstance(each, Transcript) else None for each in self]

    @property
    def failures(self) -> list[FailedRecording]:
        return [each for each in self if isinstance(each, FailedRecording)]

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"Transcripts({len(self)} {self.kinds[len(self) != 1]}{failed})"


class TranscriptionTask(Task):
    """A task that transcribes. `sources` are the recordings it was given, for who wants to hear them again."""

    __slots__ = ("sources",)

    def __init__(self, id: str, *told: Any, sources: list[Any] | None = None, **more: Any) -> None:
        super().__init__(id, *told, **more)
        self.sources = sources or []

    @classmethod
    def of(cls, task: Task, sources: list[Any]) -> TranscriptionTask:
        made = cls(task.id, sources=sources)
        for name in Task.__slots__:
            setattr(made, name, getattr(task, name))
        return made
