"""The cards of a talk: a turn, a whole call, one event.

A turn is what you said and how it sounded, the tools that ran, the answer, and how long you waited for it. A call is
all of it: one stereo player with you on the left and the model on the right, what was said, what happened when. It is
what a voice session leaves in a notebook, so it needs no kernel and no script; a session shows it, and the widget when
it is gone (`static`). Where things lie in time differs from run to run, so all that depends on it is marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from msgspec.structs import replace

from qwenkit.display.call_drawings import counts, events, voices, waterfall
from qwenkit.display.conversation import MAX_HELD, _bubble, _results
from qwenkit.display.page import Bundle, escape, fold, foot, head, note, page, price, seconds, source, volatile
from qwenkit.display.reply import _tokens, plain_call
from qwenkit.display.rounds import plain_run
from qwenkit.display.sound import clock, player
from qwenkit.display.text import clip, line, pretty
from qwenkit.errors import QwenError
from qwenkit.types.call import Call, messages
from qwenkit.types.realtime import Event, SpeechEvent
from qwenkit.types.turn import Turn
from qwenkit.types.usage import Cost

MAX_TURNS = 30
MAX_CHARS = 30_000
MAX_RUNS = 12
MAX_NAME = 80
MAX_ERROR = 300
PLAIN_CHARS = 1_000
# So long a call is inline in full quality, of a longer one the beginning at half the rate.
FULL_S, MOST_S = 16.0, 120.0
MAX_LINE = 200
# A frame with sound is a hundred times this; its beginning shows what it is.
MAX_FRAME = 1_500
MAX_READ = 20_000

ENDINGS = {
    "": "It goes on.",
    "completed": "",
    "interrupted": "You interrupted it.",
    "cancelled": "It was cancelled.",
    "incomplete": "It ended before it was complete.",
    "failed": "It failed.",
    "lost": "It was cut off.",
}


def turn(value: Turn) -> Bundle:
    silent = "typed, with silence for its pictures" if value.images else "typed"  # they travel with sound only
    told = [value.language, value.emotion, "spoken"] if value.spoken else [silent]
    title = head(f"Turn {value.number}", *(escape(line(each, MAX_NAME)) for each in told if each))
    drawn = voices(_alone(value)) if value.said or value.pcm else ""
    html = page("talk", title, bubbles(value, sounds=True), drawn, waterfall([value]), foot(_facts(value)))
    return {"text/plain": plain(value), "text/html": html}


def bubbles(value: Turn, *, sounds: bool = False) -> str:
    """Your words on the right, the tools, the answer across the page, then how it ended; with sounds to play."""
    said = [each if sounds else replace(each, spoken=None) for each in messages(value, MAX_RUNS)]
    results, room = _results(said), dict(MAX_HELD)
    parts = [_bubble(each, results, room) for each in said if each.tool_call_id not in results]
    more = len(value.calls) - MAX_RUNS
    return "\n".join([*parts, note(f"… {more} more calls in turn.calls" if more > 0 else ""), _ending(value)])


def _alone(value: Turn) -> Call:
    """The turn as a call of its own: your words, the wait, and what was heard of the answer."""
    call = Call(value.input_hz, value.output_hz, live=True)
    call.heard(value.said, 0.0)
    if value.said and value.moments.speech_stopped is not None:  # then it is what the service took for speech
        call.add(SpeechEvent(type="speech_started", audio_start_ms=0))
        call.add(SpeechEvent(type="speech_stopped", audio_end_ms=call.duration * 1000))
    waited = value.moments.to_sound or value.moments.to_audio or 0.0
    begin = call.duration + waited / 1000
    call.spoken(bytes(value.pcm), begin)
    if value.played_ms is not None:
        call.cut(begin + value.played_ms / 1000)
    return call


def _ending(value: Turn) -> str:
    """How it ended when it did not simply end, and how much of it was heard."""
    told = ENDINGS.get(value.ended, f"It ended: {line(value.ended, MAX_NAME)}.")
    why = line(value.error, MAX_ERROR).removeprefix("the session is over: ")
    told = f"{told[:-1]}: {why}." if told and why else told or why
    partly = value.played_ms is not None and value.ended != "completed"
    heard = volatile(f"{(value.played_ms or 0) / 1000:.1f} s of it were heard.") if partly else ""
    kind = "bad" if value.ended in ("failed", "lost") else "warn"
    return f'<p class="qk-note qk-{kind}">{escape(told)} {heard}</p>' if told else ""


def _facts(value: Turn) -> list[str]:
    sandbox = any(each.sandbox for each in value.receipts)
    return [
        *(escape(line(each, MAX_NAME)) for each in (value.model, value.voice)),
        "sandbox" if sandbox else "",
        f"{seconds(len(value.pcm) / 2 / value.output_hz)} of sound" if value.pcm else "",
        _tokens(cast(Any, value)),
        escape(price(value.cost, sandbox)),
    ]


def plain(value: Turn) -> str:
    """You, the tools, the model: a line each."""
    yours = value.user or ("(speech)" if value.spoken else "")
    count = len(value.images) + value.more_images
    seen = f" (with {count} image{'s' * (count > 1)})" if count else ""
    lines = [f"you: {_short(yours)}{seen}"] if yours or seen else []
    lines += map(plain_run, value.runs[:MAX_RUNS])
    ran = {each.id for each in value.runs}
    lines += [f"{plain_call(each)} (not carried out)" for each in value.calls[:MAX_RUNS] if each.id not in ran]
    told = "" if value.ended == "completed" else f" ({value.ended or 'going on'})"
    return "\n".join([*lines, f"model: {_short(value.text) or '(nothing)'}{told}"])


def _short(text: str) -> str:
    shown, rest = clip(text, PLAIN_CHARS)
    return f"{shown} {rest}".rstrip()


# -- a call ------------------------------------------------------------------------------------------------------------


def session(value: Any) -> Bundle:
    """A session shows the call it has."""
    return static(value.call)


def voice(value: Any) -> Bundle:
    """A session of a panel may have ended by itself."""
    return static(value.call, line(str(value.error or ""), MAX_ERROR))


def static(value: Call, why: str = "") -> Bundle:
    """The whole call as text and as a card, and why it ended."""
    turns = list(value.turns)
    shown = _latest(turns)
    hidden = len(turns) - len(shown)
    earlier = [f"… {hidden:,} earlier turns in call.turns"] if hidden else []
    who = _who(turns)
    title = head("Call", *map(escape, who), volatile(clock(value.duration)) if value.duration else "")
    rows = [f'<div class="qk-numbered"><small>{each.number}</small>{bubbles(each)}</div>' for each in shown]
    words = [*map(note, earlier), *(rows or [note("Nothing was said yet.")]), note(why, "bad")]
    html = page("talk", title, _sound(value), *words, waterfall(shown), _happened(value), foot(_bill(turns)))
    told = [f"Call of {', '.join(who)}", *earlier]
    told += [f"{each.number}  " + plain(each).replace("\n", "\n   ") for each in shown]
    return {"text/plain": "\n".join([*told, why]).rstrip(), "text/html": html}


def _latest(turns: Sequence[Turn]) -> list[Turn]:
    """The newest turns that fit a card."""
    shown: list[Turn] = []
    room = MAX_CHARS
    for each in reversed(turns[-MAX_TURNS:]):
        room -= len(each.user) + len(each.text) + sum(len(run.arguments) + len(run.result) for run in each.runs)
        if shown and room < 0:
            break
        shown.insert(0, each)
    return shown


def _who(turns: Sequence[Turn]) -> list[str]:
    """How many turns, with which models and voices."""
    names = (dict.fromkeys(getattr(each, name) for each in turns) for name in ("model", "voice"))
    told = [line(", ".join(filter(None, found)), MAX_NAME) for found in names]
    return [f"{len(turns)} turn{'s' * (len(turns) != 1)}", *filter(None, told)]


def _sound(value: Call) -> str:
    """Player and outline of both voices; nothing where neither was heard."""
    if value.duration <= 0:
        return ""
    try:
        label = "the call: you left, the model right"
        played = player(value.stereo(MOST_S), label, full_s=FULL_S, most_s=MOST_S)
    except QwenError as wrong:
        played = note(str(wrong), "warn")
    gone = note(f"{clock(value.dropped_s)} of sound were let go." if value.dropped_s else "")
    rest = f"The first {clock(MOST_S)} of it play here; call.save(…) has more." if value.duration > MOST_S else ""
    return f'<div class="qk-volatile">{played}{voices(value)}{gone}{note(rest)}</div>'


def _happened(value: Call) -> str:
    """The timeline with how many events there were, folded."""
    told = value.timeline()
    if not any(told.counts.values()):
        return ""
    sent, received = (sum(told.counts[side].values()) for side in ("client", "server"))
    gone = f"; the first {value.dropped_events:,} are not in call.events any more" if value.dropped_events else ""
    summary = volatile(f"{sent:,} sent, {received:,} received{gone}")
    return fold(f"What happened when: {summary}", events(told) + counts(told))


def _bill(turns: Sequence[Turn]) -> list[str]:
    """Tokens and estimated cost of all turns."""
    usages = [each.usage for each in turns if each.usage is not None]
    costs = [each.cost for each in turns if each.cost is not None]
    sandbox = any(receipt.sandbox for each in turns for receipt in each.receipts)
    sums = {cost.currency: sum(each.amount for each in costs if each.currency == cost.currency) for cost in costs}
    tokens = f"{sum(each.prompt for each in usages):,} + {sum(each.completion for each in usages):,} tokens"
    prices = (escape(price(Cost(amount, currency), sandbox)) for currency, amount in sums.items())
    return ["sandbox" if sandbox else "", tokens if usages else "", *prices]


# -- an event ----------------------------------------------------------------------------------------------------------


def event(value: Event) -> Bundle:
    """Its type and what it tells; when it came, and its frame with all the ids, are marked."""
    told = line(repr(value), MAX_LINE)
    whole = value.source.decode("utf-8", "replace") if len(value.source) <= MAX_READ else ""
    frame, rest = clip(pretty(whole) or value.source[:MAX_READ].decode("utf-8", "replace"), MAX_FRAME)
    behind = fold("frame", f'<div class="qk-volatile">{source(frame, "json")}{note(rest)}</div>') if frame else ""
    first = f"<p><code>{escape(told)}</code> {volatile(seconds(value.at))}</p>"
    return {"text/plain": told, "text/html": page("event", first, behind)}
