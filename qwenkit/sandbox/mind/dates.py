"""Days and dates, counted from the `today` of the prompt: the mind has no clock and knows the date it was given."""

from __future__ import annotations

import datetime

from .cues import cue, table
from .expression import numerals
from .library import lexicon
from .reading import sentences
from .scene import Draft, Scene, first

_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_LENGTHS = {"week": 7, "周": 7, "星期": 7, "个星期": 7}
_LONGEST = 300


def found(text: str, today: datetime.date) -> list[datetime.date]:
    """Every date written in a text, in order; words like tomorrow count from today."""
    dated: list[tuple[int, datetime.date]] = []
    short = [name[:3].lower() for name in lexicon()["months"]]
    for match in cue("dates.written").finditer(text):
        year, month, day = (
            next(value for key, value in match.groupdict().items() if key[0] == kind and value) for kind in "ymd"
        )
        try:
            at = int(month) if month.isdecimal() else short.index(month.lower()) + 1
            dated.append((match.start(), datetime.date(int(year), at, int(day))))
        except ValueError:
            continue  # the thirtieth of February
    for days, pattern in table("dates.near"):
        dated += [(match.start(), today + datetime.timedelta(days=int(days))) for match in pattern.finditer(text)]
    return [date for _, date in sorted(dated)]


def dates(scene: Scene) -> Draft | None:
    if len(scene.question) > _LONGEST or len(sentences(scene.question)) > 2:
        return None
    text = numerals(scene.question) if scene.language == "en" else scene.question
    if cue("dates.written").search(text) and not found(text, scene.prompt.today):
        return scene.say("dates.none")
    draft = first(scene, (_leap, _clock, _between, _shifted, _weekday), text)
    if draft:
        scene.note("think.dates", today=scene.prompt.today.isoformat())
    return draft


def _spoken(scene: Scene, date: datetime.date) -> str:
    if scene.language == "zh":
        return f"{date.year}年{date.month}月{date.day}日"
    return f"{date.day} {lexicon()['months'][date.month - 1]} {date.year}"


def _day(scene: Scene, date: datetime.date) -> Draft:
    name = f"星期{'一二三四五六日'[date.weekday()]}" if scene.language == "zh" else _DAYS[date.weekday()]
    return scene.say("dates.day", date=_spoken(scene, date), value=name)


def _leap(scene: Scene, text: str) -> Draft | None:
    year = next((int(each) for each in text.replace("年", " ").replace("?", " ").split() if each.isdecimal()), 0)
    if not year or not cue("dates.leap").search(text):
        return None
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return scene.say("dates.leap" if leap else "dates.common", year=str(year))


def _clock(scene: Scene, text: str) -> Draft | None:
    asked = cue("dates.clock").search(text)
    return scene.say("dates.clock", date=_spoken(scene, scene.prompt.today)) if asked else None


def _between(scene: Scene, text: str) -> Draft | None:
    """How many days lie between two dates, or between today and one."""
    today = scene.prompt.today
    given = (found(text, today) or _feast(text, today)) if cue("dates.between").search(text) else []
    if not given:
        return None
    first, second = (given[0], given[1]) if len(given) > 1 else (today, given[0])
    days = abs((second - first).days)
    scene.note("think.between", first=first.isoformat(), second=second.isoformat(), days=days)
    return scene.say("dates.between", first=_spoken(scene, first), second=_spoken(scene, second), value=days)


def _feast(text: str, today: datetime.date) -> list[datetime.date]:
    """The next Christmas, New Year, …"""
    for day, pattern in table("dates.feasts"):
        if pattern.search(text):
            this, after = (datetime.date.fromisoformat(f"{year}-{day}") for year in (today.year, today.year + 1))
            return [this if this >= today else after]
    return []


def _shifted(scene: Scene, text: str) -> Draft | None:
    """So many days or weeks after or before a date, or today."""
    span = cue("dates.span").search(cue("dates.written").sub(" ", text))
    back, on = cue("dates.back").search(text), cue("dates.on").search(text)
    if not span or not (back or on) or not cue("dates.which").search(text):
        return None
    start = [*found(text, scene.prompt.today), scene.prompt.today][0]
    days = int(span[1]) * _LENGTHS.get(span[2].lower(), 1)
    try:
        return _day(scene, start + datetime.timedelta(days=-days if back else days))
    except OverflowError:
        return None


def _weekday(scene: Scene, text: str) -> Draft | None:
    if not cue("dates.day").search(text):
        return None
    given = found(text, scene.prompt.today)
    return _day(scene, given[0] if given else scene.prompt.today) if given or cue("dates.this").search(text) else None
