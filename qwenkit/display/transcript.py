"""The card of a transcript: the sound with its words under it, then the sentences with their times and speakers.

The timeline is one drawing without scripts: a bar for every sentence in its speaker's colour, and the words where they
were said, as far as there is room. What is only an address has no player, but a timeline all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qwenkit.display.page import Bundle, escape, fold, foot, head, note, page, price, seconds, volatile
from qwenkit.display.reply import Body
from qwenkit.display.sound import clock, player, shortened, ticks, waveform
from qwenkit.display.text import clip, line, width
from qwenkit.errors import ConfigError
from qwenkit.types.transcript import FailedRecording, Sentence, Transcript, Transcripts

MAX_TEXT = 8_000
MAX_SENTENCES = 40
MAX_BARS = 300
MAX_WORDS = 200  # looked at for the timeline
MAX_RECORDINGS = 20
MAX_PLAYERS = 3
MAX_NAME = 80
WIDTH = 600  # of the timeline, in units as wide as pixels; the same as the waveform's
LANES = 6  # lines of words under it
_COLUMN = 6.2  # units that a character of the words takes, about
_COLOURS = ("#4285d8", "#d9733a", "#3f9a55", "#a15cc0", "#b0902a", "#2b97a5")
_NO_WORDS = "Nobody speaks in it."


def transcript(value: Transcript) -> Bundle:
    return {"text/plain": plain(value), "text/html": card(value)}


def card(value: Transcript, *, remark: str = "", running: bool = False, words: Body | None = None) -> str:
    """The card; while it grows only its words."""
    if running or remark:
        return page("transcript qk-running", _text(value), note(remark, "warn"))
    title = head(line(value.source or "Transcript", MAX_NAME), *map(escape, _about(value)))
    return page("transcript", title, _sound(value), _said(value), foot(_facts(value)))


def _about(value: Transcript) -> list[str]:
    """Language, emotion, length, and how many speak: what the badges say."""
    speakers = len(value.speakers)
    told = [value.language, value.emotion, clock(value.seconds) if value.seconds else ""]
    return [line(each, 40) for each in [*told, f"{speakers} speakers" if speakers > 1 else ""] if each]


def _facts(value: Transcript) -> list[str]:
    receipt = value.receipt
    return [
        escape(line(value.model or receipt.model, MAX_NAME)),
        "sandbox" if receipt.sandbox else "",
        f"{value.usage.seconds:g} s billed" if value.usage and value.usage.seconds else "",
        escape(price(receipt.cost, receipt.sandbox)),
        f"{receipt.tries} tries" if receipt.tries > 1 else "",
        volatile(seconds(receipt.latency)) if receipt.latency is not None else "",
    ]


def _sound(value: Transcript) -> str:
    """Player, waveform and timeline; the last alone where there is no sound to play."""
    lasts = max(value.seconds or 0.0, *(each.end_ms / 1000 for each in value.sentences), 0.0)
    audio = value.audio if value.audio is not None and value.audio.loaded else None
    if audio is not None:
        try:
            if lasts := audio.duration:
                drawn = waveform(audio, WIDTH) + timeline(value.sentences, lasts) + note(shortened(audio))
                return player(audio, value.source) + drawn
        except ConfigError:  # what the service could read and this machine cannot
            pass
    return timeline(value.sentences, lasts, axis=True) if lasts else ""


def timeline(sentences: Sequence[Sentence], lasts: float, *, axis: bool = False) -> str:
    """Sentences as bars and words as text over their time; nothing where there are no times."""
    if not sentences or lasts <= 0:
        return ""
    scale = WIDTH / (lasts * 1000)
    bars = "".join(_bar(each, scale) for each in sentences[:MAX_BARS])
    words, lanes, missing = _words(sentences, scale)
    rest = f"… {missing:,} words had no room here: the sentences below have all" if missing else ""
    height = 12 + 14 * lanes + (18 if axis else 0)
    moments = ticks(lasts, WIDTH, height) if axis else ""
    return (
        f'<svg class="qk-timeline" role="img" aria-label="When what was said" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" font-size="11" fill="currentColor" style="max-width:100%;height:auto;display:block">'
        f"{bars}{words}{moments}</svg>{note(rest)}"
    )


def _bar(each: Sentence, scale: float) -> str:
    left, wide = round(each.begin_ms * scale, 1), round(max((each.end_ms - each.begin_ms) * scale, 1.5), 1)
    told = f"{clock(each.begin_ms / 1000, True)} {_speaker(each)} {line(each.text, 80)}"
    return (
        f'<rect x="{left:g}" y="1" width="{wide:g}" height="5" rx="2" fill="{_colour(each)}">'
        f"<title>{escape(' '.join(told.split()))}</title></rect>"
    )


def _words(sentences: Sequence[Sentence], scale: float) -> tuple[str, int, int]:
    """The words where they were said, on as few lines as hold all of them; how many lines that is, and how many words
    had no room even on the last attempt.
    """
    total = sum(len(each.words) for each in sentences)
    said = [(word.begin_ms * scale, word.text.strip() + word.punctuation) for each in sentences for word in each.words]
    said = [(left, line(text, 40)) for left, text in said[:MAX_WORDS] if text]
    for lanes in range(1, LANES + 1):
        free, texts = [0.0] * lanes, []
        for at, (left, text) in enumerate(said):
            wide = width(text) * _COLUMN + 5
            left = min(left, max(WIDTH + 6 - wide, 0.0))  # the last ones stay inside
            turns = [(at + turn) % lanes for turn in range(lanes)]
            lane = next((each for each in turns if free[each] <= left), None)
            if lane is not None:
                free[lane] = left + wide
                texts.append(f'<text x="{left:.0f}" y="{18 + 14 * lane}">{escape(text)}</text>')
        if len(texts) == len(said):
            break
    return "".join(texts), lanes if texts else 0, total - len(texts)


def _colour(each: Sentence) -> str:
    return _COLOURS[(each.channel if each.speaker is None else each.speaker) % len(_COLOURS)]


def _speaker(each: Sentence) -> str:
    told = f"Speaker {each.speaker + 1}" if each.speaker is not None else ""
    return told or (f"Channel {each.channel + 1}" if each.channel else "")


def _said(value: Transcript) -> str:
    """Sentences with their times; without times the text."""
    if not value.sentences:
        return _text(value)
    shown = value.sentences[:MAX_SENTENCES]
    rows = "".join(_row(each, value) for each in shown)
    more = len(value.sentences) - len(shown)
    rest = f"… {more:,} more sentences in transcript.sentences" if more else ""
    return f'<ol class="qk-said" style="list-style:none;padding:0">{rows}</ol>{note(rest)}'


def _row(each: Sentence, value: Transcript) -> str:
    who = _speaker(each)
    named = f'<b style="color:{_colour(each)}">{escape(who)}</b> ' if who else ""
    differs = [tag for tag, of_all in ((each.emotion, value.emotion), (each.language, value.language)) if tag != of_all]
    tags = "".join(f' <small class="qk-soft">{escape(line(tag, 20))}</small>' for tag in differs if tag)
    when = f'<small class="qk-soft">{clock(each.begin_ms / 1000, True)}</small> '
    return f"<li>{when}{named}{escape(clip(each.text, MAX_TEXT // 8)[0])}{tags}</li>"


def _text(value: Transcript) -> str:
    shown, rest = clip(value.text, MAX_TEXT)
    return f'<p class="qk-spoken">{escape(shown)}</p>{note(rest)}' if shown else note(_NO_WORDS)


def plain(value: Transcript) -> str:
    """The words, a sentence a line with its time, and a line about them."""
    about = ", ".join(_about(value))
    if not value.sentences:
        return f"{clip(value.text, MAX_TEXT)[0] or _NO_WORDS}" + (f"\n({about})" if about else "")
    lines = [_plain_row(each) for each in value.sentences[:MAX_SENTENCES]]
    more = len(value.sentences) - len(lines)
    return "\n".join([*lines, *([f"… {more:,} more sentences"] if more else []), f"({about})"])


def _plain_row(each: Sentence) -> str:
    when = clock(each.begin_ms / 1000, True)
    return "  ".join(part for part in (when, _speaker(each), line(each.text, MAX_TEXT // 8)) if part)


def transcripts(value: Transcripts) -> Bundle:
    """All of a task: one as its own card, several folded, what failed with its cure."""
    if len(value) == 1 and isinstance(value[0], Transcript):
        return transcript(value[0])
    shown = value.rows[:MAX_RECORDINGS]
    more = len(value) - len(shown)
    rest = f"… {more:,} more recordings" if more else ""
    folded = [_folded(each, at < MAX_PLAYERS) for at, each in enumerate(shown)]
    html = page("transcripts", head("Transcripts", escape(_counted(value))), *folded, note(rest))
    text = "\n".join([_counted(value), *(_named(each) for each in shown), *([rest] if rest else [])])
    return {"text/plain": text, "text/html": html}


def _folded(each: Any, played: bool) -> str:
    if isinstance(each, FailedRecording):
        return note(_named(each), "bad")
    sound = _sound(each) if played else ""
    badges = " ".join(f'<span class="qk-soft">{escape(fact)}</span>' for fact in _about(each))
    return fold(f"<b>{escape(line(each.source, MAX_NAME))}</b> {badges}", sound + _said(each), open=played)


def _counted(value: Transcripts) -> str:
    failed = f", {len(value.failures)} failed" if value.failures else ""
    return f"{len(value)} {value.kinds[len(value) != 1]}{failed}"


def _named(each: Any) -> str:
    if isinstance(each, Transcript):
        return f"{line(each.source, MAX_NAME)}: {line(each.text, 200) or _NO_WORDS}"
    why = ": ".join(dict.fromkeys(part for part in (each.code, each.message) if part))
    told = f"{line(each.source, MAX_NAME)}: {line(why, 300)}"
    return f"{told} → {line(each.hint, 300)}" if each.hint else told


def failed(value: FailedRecording) -> Bundle:
    return {"text/plain": _named(value), "text/html": page("transcripts", note(_named(value), "bad"))}
