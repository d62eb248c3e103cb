"""Transcripts from whatever a service that heard something says: an answer, a stream of frames, a result file.

What is sure is the text. Language and emotion come as annotations of a message, times as one sentence of an answer or
as the sentences of a file; each may be missing, null, or of a type nobody expected.
"""

from __future__ import annotations

from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import QwenError
from qwenkit.protocol import chat, failures, native
from qwenkit.protocol.chat_stream import ChatFold
from qwenkit.protocol.native_stream import NativeFold
from qwenkit.types.reply import Choice, Piece, Reply
from qwenkit.types.task import Task
from qwenkit.types.transcript import FailedRecording, Sentence, Transcript, Word


def read(
    data: bytes, *, model: str, via: str, audio: Any = None, request: str = "", request_id: str = ""
) -> Transcript:
    """The transcript in a 200 body of either protocol."""
    if via == "chat":
        reply = chat.read(data, request=request, request_id=request_id)
    else:
        reply = native.read(data, model=model, request=request, request_id=request_id)
    heard = Heard(audio)
    heard.note(data)
    return heard.transcript(reply)


class Heard:
    """What was told beside the text, so far."""

    def __init__(self, audio: Any = None) -> None:
        self.audio = audio
        self._about: dict[str, Any] = {}
        self._sentences: dict[int, Sentence] = {}
        self._text = ""
        self.ended = False  # the last sentence said that it is complete

    def note(self, data: bytes) -> None:
        """Remember what one answer or frame says."""
        try:
            wire = _object(msgspec.json.decode(data))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # the fold complains
        output = _object(wire.get("output")) or wire
        for choice in _objects(output.get("choices")):
            said = _object(choice.get("message")) or _object(choice.get("delta"))
            for note in _objects(said.get("annotations")):
                self._about |= {name: note[name] for name in ("language", "emotion") if note.get(name)}
        told = output.get("sentence")
        for raw in _objects(told if isinstance(told, list) else [told]):
            self.ended = raw.get("sentence_end") is True
            self._sentences[_count(raw, "sentence_id")] = sentence(raw, _count(raw, "channel_id"))
        self._text = _text(output, "text") or self._text

    def transcript(self, reply: Reply) -> Transcript:
        """The reply with all of it. Where sentences were revised the last text holds."""
        sentences = list(self._sentences.values())
        text = self._text or ("" if reply.text else "".join(each.text for each in sentences))
        if text and reply.choices:
            reply.choices[0].text = text
        about = {name: _text(self._about, name) for name in ("language", "emotion")}
        return Transcript.of(reply, sentences=sentences, audio=self.audio, source=_name(self.audio), **about)


class ChatTranscriptFold(ChatFold):
    """The fold of a chat stream that is a transcript."""

    def __init__(self, *, audio: Any = None, **facts: Any) -> None:
        super().__init__(**facts)
        self._heard = Heard(audio)

    @property
    def ended(self) -> bool:
        return super().ended or self._heard.ended

    def add(self, data: bytes) -> list[Piece]:
        self._heard.note(data)
        return super().add(data)

    def reply(self) -> Transcript:
        return self._heard.transcript(super().reply())


class NativeTranscriptFold(ChatTranscriptFold, NativeFold):
    """The same of a native stream."""


def read_file(data: bytes, *, audio: Any = None, request: str = "") -> Transcript:
    """The transcript in a task's result file: of all channels, in the order in which was spoken."""
    try:
        wire = _object(msgspec.json.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        wire = {}
    if not isinstance(wire.get("transcripts"), list):
        raise failures.unreadable("a transcript", data, request=request, request_id="")
    channels = _objects(wire["transcripts"])
    told = [sentence(raw, _count(each, "channel_id")) for each in channels for raw in _objects(each.get("sentences"))]
    told.sort(key=lambda each: (each.begin_ms, each.channel))
    text = "\n".join(_text(each, "text") for each in channels)
    lasted = _count(_object(wire.get("properties")), "original_duration_in_milliseconds")
    return Transcript(
        choices=[Choice(text=text, finish_reason="stop")],
        sentences=told,
        language=_shared(each.language for each in told),
        emotion=_shared(each.emotion for each in told),
        audio=audio,
        source=named(wire, audio),
        length=lasted / 1000 if lasted else None,
        body=data,
    )


def rows(task: Task) -> list[dict[str, Any]]:
    """What became of each recording of a task that is over: one `result`, or several `results`."""
    one = _object(task.output.get("result"))
    return [one] if one else _objects(task.output.get("results"))


def named(told: dict[str, Any], source: Any) -> str:
    """What to call a recording: its own name, or the end of its address."""
    return _name(source) or _text(told, "file_url").partition("?")[0].rpartition("/")[2]


def unheard(row: dict[str, Any], source: Any) -> FailedRecording:
    """A recording that the task could not transcribe, with the cure for its code."""
    code, message = _text(row, "code"), _text(row, "message")
    facts = catalogue.code_facts(code, message)
    return FailedRecording(named(row, source), code, message, facts.cure if facts else "")


def lost(row: dict[str, Any], source: Any, error: QwenError) -> FailedRecording:
    """A recording whose transcript could not be fetched."""
    return FailedRecording(named(row, source), getattr(error, "code", ""), error.message, error.hint)


def sentence(raw: dict[str, Any], channel: int = 0) -> Sentence:
    speaker = raw.get("speaker_id")
    return Sentence(
        begin_ms=_count(raw, "begin_time"),
        end_ms=_count(raw, "end_time"),
        text=_text(raw, "text"),
        speaker=speaker if type(speaker) is int else None,
        emotion=_text(raw, "emotion"),
        language=_text(raw, "language"),
        channel=channel,
        words=[_word(each) for each in _objects(raw.get("words"))],
    )


def _word(raw: dict[str, Any]) -> Word:
    return Word(_count(raw, "begin_time"), _count(raw, "end_time"), _text(raw, "text"), _text(raw, "punctuation"))


def _shared(given: Any) -> str:
    """What all say; nothing when they differ."""
    found = {each for each in given if each}
    return found.pop() if len(found) == 1 else ""


def _name(audio: Any) -> str:
    return getattr(audio, "name", "") or ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(raw: dict[str, Any], name: str) -> str:
    value = raw.get(name)
    return value if isinstance(value, str) else ""


def _count(raw: dict[str, Any], name: str) -> int:
    value = raw.get(name)
    return int(value) if isinstance(value, int | float) else 0
