"""The file a transcription task leaves for one recording: its channels, sentences, words and speakers.

The two kinds of tasks write it differently, as on the service: sentences count from 0 or from 1, blanks stand before
words or behind them, and only one kind tells speakers apart.
"""

from __future__ import annotations

import io
import json
import re
from itertools import combinations
from math import log2
from typing import Any

from qwenkit.sandbox.casting import cast
from qwenkit.sandbox.ears import HeardSentence
from qwenkit.sandbox.errors import invalid
from qwenkit.sandbox.hearing import Recording, joined
from qwenkit.sandbox.itn import written

Json = dict[str, Any]
Filters = list[tuple[re.Pattern[str], bool]]
_AS_HIGH = 0.15  # octaves
_HIDDEN = (("filter_with_signed", True), ("filter_with_empty", False))
_MARKS = re.compile(r"^(\W*)(.*?)(\W*)$", re.S)


def filters(told: Any) -> Filters:
    """The words to hide, and whether a star stands for each of their characters or nothing at all."""
    if not told:
        return []
    try:
        wanted = json.loads(told)
        lists = [(wanted.get(name, {}).get("word_list", []), stars) for name, stars in _HIDDEN]
        return [(re.compile(re.escape(word), re.I), stars) for words, stars in lists for word in words]
    except (TypeError, ValueError, AttributeError):
        raise invalid("special_word_filter should be a JSON string") from None


def channels_of(content: bytes, wanted: list[int]) -> list[tuple[int, bytes | tuple[Any, int]]]:
    """The sound of each channel that was asked for and is there; of a single one the file as it is."""
    import soundfile

    try:
        if soundfile.info(io.BytesIO(content)).channels == 1:
            return [(0, content)]
        samples, rate = soundfile.read(io.BytesIO(content), dtype="int16", always_2d=True)
    except RuntimeError:
        return [(0, content)]
    there = [channel for channel in wanted if 0 <= channel < samples.shape[1]] or [0]
    return [(channel, (samples[:, channel].copy(), rate)) for channel in there]


def channel_of(channel: int, heard: Recording, parameters: Json, one: bool) -> Json:
    hidden = filters(parameters.get("special_word_filter"))
    speakers = _speakers([each.voice for each in heard.said], parameters.get("speaker_count") or 0)
    itn = parameters.get("enable_itn") is True
    rows: list[Json] = []
    for number, each in enumerate(heard.said, 0 if one else 1):
        text = _hide(written(each.text) if itn else each.text, hidden)
        times = {"begin_time": each.begin_ms, "end_time": each.end_ms, "text": text}
        if one:
            row = {"sentence_id": number, **times, "language": each.language or heard.language, "emotion": each.emotion}
        else:
            row = {**times, "sentence_id": number}
            row |= {"speaker_id": speakers[each.voice]} if parameters.get("diarization_enabled") else {}
        if not one or parameters.get("enable_words"):
            row["words"] = _words(each, one, hidden)
        rows.append(row)
    spoken = (
        {} if one else {"content_duration_in_milliseconds": sum(each.end_ms - each.begin_ms for each in heard.said)}
    )
    return {"channel_id": channel, **spoken, "text": joined([row["text"] for row in rows]), "sentences": rows}


def _speakers(voices: list[str], most: int) -> dict[str, int]:
    """Voices as speakers, counted in the order they begin. Two as high as each other are one, and if so many are said
    to speak, the nearest are taken together until there are no more."""
    groups = [[voice] for voice in dict.fromkeys(voices)]
    heights = {voice: log2(cast(voice).pitch_hz) if voice else 0.0 for voice in voices}
    while len(groups) > 1:
        apart = {
            (at, other): min(abs(heights[a] - heights[b]) for a in groups[at] for b in groups[other])
            for at, other in combinations(range(len(groups)), 2)
        }
        at, other = min(apart, key=lambda pair: apart[pair])
        if apart[at, other] > _AS_HIGH and not 0 < most < len(groups):
            break
        groups[at] += groups.pop(other)
    return {voice: number for number, group in enumerate(groups) for voice in group}


def _words(said: HeardSentence, one: bool, hidden: Filters) -> list[Json]:
    """The words, their marks apart; Chinese ones without blanks."""
    rows = []
    for at, (word, begin, end) in enumerate(said.words):
        before, core, after = _MARKS.findall(word.strip())[0]
        blank = " " if core.isascii() else ""
        text = _hide(before + core, hidden)
        text = (blank if at else "") + text if one else text + (blank if not after else "")
        rows.append({"begin_time": begin, "end_time": end, "text": text, "punctuation": after})
    return rows


def _hide(text: str, hidden: Filters) -> str:
    for word, stars in hidden:
        text = word.sub(lambda found, stars=stars: "*" * len(found[0]) if stars else "", text)  # type: ignore[misc]
    return text
