"""Voices: the cast as a table, one's own with their first words, and speech while it is still being spoken."""

from __future__ import annotations

from typing import Any

from qwenkit import catalogue
from qwenkit.display import audio
from qwenkit.display.page import Bundle, escape, facts, head, note, page, table, volatile
from qwenkit.display.sound import player, waveform
from qwenkit.display.text import columns, line
from qwenkit.types.voices import Cast, OwnVoice, OwnVoices, Spoken

MAX_ROWS = 80
MAX_NAME = 60
_HEADS = ("voice", "", "speaks")
_OWNED = ("name", "id", "speaks with", "made")


def spoken(value: Spoken) -> Bundle:
    """A sound like any other; how its file is numbered depends on what else lies there."""
    shown = audio.audio(value)
    place = escape(line(value.place, audio.MAX_NAME))
    marked = volatile(line(value.place, audio.MAX_NAME))
    return {**shown, "text/html": shown["text/html"].replace(f"saved in {place}", f"saved in {marked}")}


def card(value: Spoken, *, remark: str = "", running: bool = False, words: Any = None) -> str:
    """Speech as far as it has come: its outline grows; it can be played when it is whole."""
    title = head(line(audio.name(value), MAX_NAME), escape(audio.measure(value)))
    outline = waveform(value) if value.duration else ""
    return page("audio", title, outline, audio.said(value.text), note(remark, "warn"))


def cast(value: Cast) -> Bundle:
    known = catalogue.model(value.model)
    limits = str(known.limits.get("languages", "")).split() if known else []
    rows = [(each.name, each.gender, _speaks(each, limits)) for each in value.rows[:MAX_ROWS]]
    title = f"{len(value)} {value.kinds[len(value) != 1]} of {value.model}"
    rest = f"… {len(value) - MAX_ROWS} more: they are in .names" if len(value) > MAX_ROWS else ""
    if not rows and catalogue.voices(value.model):
        rest = f"None of its voices speaks that: qwen.voices(model={value.model!r}) lists them all."
    elif not rows:
        cosy = value.model.startswith("cosyvoice")
        cure = "take a name from the service's list" if cosy else "qwen.voices.clone(…) and .design(…) make some"
        rest = f"The catalogue lists no voice of {value.model}: {cure}."
    html = [[f"<strong>{escape(name)}</strong>", *map(escape, more)] for name, *more in rows]
    grid = table(_HEADS, html) if rows else ""
    plain = "\n".join(part for part in (title, columns([_HEADS, *rows]) if rows else "", rest) if part)
    return {"text/plain": plain, "text/html": page("voices", head(title), grid, note(rest))}


def _speaks(voice: Any, limits: list[str]) -> str:
    languages = limits or voice.languages
    told = f"{len(languages)} languages" if len(languages) > 3 else ", ".join(languages)
    return f"{told}, {voice.dialect} for Mandarin" if voice.dialect else told


def own(value: OwnVoice) -> Bundle:
    """One's own voice. Its id differs from run to run."""
    rows = {"id": volatile(line(value.id, MAX_NAME)), "speaks with": escape(value.model)}
    rows |= {"description": escape(line(value.prompt, 400)), "state": escape(value.status)}
    sound = player(value.preview, "its first words") if value.preview is not None else ""
    html = page("voices", head("A voice of your own"), sound, facts(rows))
    told = [f"a voice of your own, for {value.model}", value.prompt]
    return {"text/plain": "\n".join(filter(None, told)), "text/html": html}


def owned(value: OwnVoices) -> Bundle:
    """Names and models in both; ids and times, which differ from run to run, marked in the table alone."""
    title, rest = _titled(value)
    shown = value[:MAX_ROWS]
    rows = [
        [
            escape(line(each.name, MAX_NAME)),
            volatile(line(each.id, MAX_NAME)),
            escape(each.model),
            volatile(_made(each)),
        ]
        for each in shown
    ]
    grid = table(_OWNED, rows) if rows else ""
    plain = columns([_OWNED[::2], *((line(each.name, MAX_NAME), each.model) for each in shown)]) if rows else ""
    html = page("voices", head(title), grid, note(rest))
    return {"text/plain": "\n".join(filter(None, (title, plain, rest))), "text/html": html}


def listed(value: OwnVoices) -> str:
    """What `print` shows: all that is known of them."""
    title, rest = _titled(value)
    told = [
        [*(line(text, MAX_NAME) for text in (each.name, each.id, each.model, _made(each)))] for each in value[:MAX_ROWS]
    ]
    return "\n".join(filter(None, (title, columns([_OWNED, *told]) if told else "", rest)))


def _titled(value: OwnVoices) -> tuple[str, str]:
    rest = f"… {len(value) - MAX_ROWS} more" if len(value) > MAX_ROWS else ""
    return f"{len(value)} {value.kinds[len(value) != 1]} of your own", rest


def _made(voice: OwnVoice) -> str:
    return f"{voice.created} (Beijing)" if voice.created else ""
