"""The card of a sound: it plays, its outline shows, one line says what it is."""

from __future__ import annotations

from typing import Any

from qwenkit.display.page import Bundle, address, escape, foot, head, note, page, price, seconds, volatile
from qwenkit.display.sound import clock, player, shortened, waveform
from qwenkit.display.text import clip, line
from qwenkit.errors import ConfigError
from qwenkit.types.audio import Audio

MAX_TEXT = 1_200
MAX_NAME = 80


def audio(value: Audio) -> Bundle:
    return {"text/plain": plain(value), "text/html": card(value)}


def card(value: Audio) -> str:
    """Player, outline and facts; what cannot be played says why."""
    title = head(line(name(value), MAX_NAME), escape(measure(value)))
    if not value.loaded:
        return page("audio", title, note("Only an address so far: qwen.fetch(it) brings it here."), foot(facts(value)))
    sound, rest = [note("It holds no sound: its length is zero.")], ""
    try:
        if value.duration:
            sound, rest = [player(value, name(value)), waveform(value)], shortened(value)
    except ConfigError as wrong:
        return page("audio", title, note(str(wrong), "warn"), foot(facts(value)))
    return page("audio", title, *sound, said(value.text), note(rest), foot(facts(value)))


def said(text: str) -> str:
    """The words in it, as far as they are known."""
    shown, rest = clip(text, MAX_TEXT)
    return f'<p class="qk-spoken">{escape(shown)}</p>{note(rest)}' if text else ""


def name(value: Audio) -> str:
    """A voice, a file, or just sound."""
    voice = str(value.meta.get("voice") or "")
    return voice or (value.name if value.path or value.url else "Sound")


def measure(value: Audio) -> str:
    """How long and of which kind: 3.20 s · 24 kHz · mono; empty when that cannot be known."""
    try:
        lasts, rate, channels = value.duration, value.rate_hz, value.channels
    except ConfigError:
        return ""
    kind = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
    return f"{length(lasts)} · {rate / 1000:g} kHz · {kind}"


def length(lasts: float) -> str:
    return f"{lasts:.2f} s" if lasts < 60 else clock(lasts)


def facts(value: Audio) -> list[str]:
    """Model, level, place and price, as HTML."""
    receipt: Any = getattr(value, "receipt", None)
    model = str(value.meta.get("model") or getattr(receipt, "model", "") or "")
    named = value.path is not None and name(value) != value.name
    told = [
        escape(line(model, MAX_NAME)),
        "sandbox" if getattr(receipt, "sandbox", False) else "",
        _level(value),
        f"{value.format} {value.byte_size / 1000:,.0f} kB" if value.path and not named else "",
        f"saved in {escape(line(value.place, MAX_NAME))}" if named else "",
        address(line(value.url, MAX_NAME)) if value.url and not value.loaded else "",
    ]
    if receipt is not None:
        told.append(escape(price(receipt.cost, receipt.sandbox)))
        told.append(volatile(seconds(receipt.latency)) if receipt.latency is not None else "")
    return told


def _level(value: Audio) -> str:
    """How loud it is; digital silence and near it has a name."""
    if not value.loaded:
        return ""
    try:
        level = value.envelope(200).level_db
    except ConfigError:
        return ""
    return "silence" if level < -90 else f"{level:.0f} dBFS".replace("-", "\u2212")


def plain(value: Audio) -> str:
    """One line of facts, and the words."""
    voice = str(value.meta.get("voice") or "")
    told = repr(value) + (f" in the voice {line(voice, MAX_NAME)}" if voice else "")
    return f"{told}\n{clip(value.text, MAX_TEXT)[0]}" if value.text else told
