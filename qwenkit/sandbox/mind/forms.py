"""Texts of receipts, charts and signs as records: a title, labelled values, rows of things with a number; shapes."""

from __future__ import annotations

import re
from typing import Any

from qwenkit.sandbox import wishes
from qwenkit.sandbox.sights import KINDS

from .cues import cue
from .meaning import meanings, split_name
from .reading import words

_ROW = re.compile(r"(?:(\d+)\s*[x×]\s*)?(\S.*?)\s{2,}(-?\d[\d.,]*)\s*\S*")
_FIELD = re.compile(r"([^:：]{1,40})[:：]\s*(.+)|([\u4e00-\u9fff]{1,8})\s+(.+)|(Paid by|\w+ No\.) (.+)")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_DATE, _TIME = re.compile(r"\d{4}-\d{2}-\d{2}"), re.compile(r"\d{1,2}:\d{2}")
_COUNT = re.compile(r"quantit|qty|count|how_many|units?$|数量|件数|份数")
_PRICE = re.compile(r"pric|amount|cost|sum|total|value|number|passenger|y$|价|金额|值|数")
_TITLE = re.compile(
    r"shop|store|merchant|vendor|restaurant|seller|compan|cafe|title|heading|name|店|商家|商户|标题|名称"
)
_PAY = re.compile(r"pay|paid|method|支付|付款")
_MONEY = re.compile(r"\b[A-Z]{3}\b|[元¥€$£]")
_DAYS = dict(zip(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), "一二三四五六日", strict=True))
_NO_MATTER = {"receipt", "pictur", "imag", "sign", "chart"}


class Form:
    """What a text says, by the names of its fields."""

    def __init__(self, text: str) -> None:
        self.lines = [line.strip() for line in text.splitlines() if line.strip()]
        self.title = self.lines[0] if self.lines else ""
        self.rows: list[tuple[str, int, float]] = []
        self.fields: dict[str, str] = {}
        for line in self.lines:
            if row := _ROW.fullmatch(line):
                self.rows.append((row[2], int(row[1] or 1), _value(row[3])))
            elif field := _FIELD.fullmatch(line):
                name, value = (each for each in field.groups() if each)
                self.fields[name.strip()] = value.strip()
        self.charted = not self.rows
        if self.charted:
            self.rows = [(name, 1, _value(said)) for name, said in self.fields.items() if _NUMBER.fullmatch(said)]
        self._money = next((found[0] for line in self.lines[1:] if (found := _MONEY.search(line))), "")

    def line(self, question: str) -> str:
        """The line a question is about: the title, the extreme of the numbers, or the one it names."""
        if cue("see.title").search(question):
            return self.title
        if cue("see.date").search(question) and (dated := [line for line in self.lines if _DATE.search(line)]):
            return dated[0]
        named = [row for row in self.rows if _names(row[0], question)]
        for name, choose in (("see.most", max), ("see.least", min)):
            if cue(name).search(question) and len(self.rows) > 2:
                best = choose(named if len(named) > 1 else self.rows, key=lambda row: row[2])[0]
                return next(line for line in self.lines if best in line)
        asked = set(words(question)) - _NO_MATTER
        told = [line for line in self.lines[1:] if "  " in line or _FIELD.fullmatch(line)]
        meant = [label for label in self.fields if meanings(label) & meanings(question)]

        def shared(line: str) -> int:
            titled = 2 * any(row[0] in line for row in named) + any(line.startswith(label) for label in meant)
            return titled + len(asked & set(words(line.replace("No.", "number"))))

        nearest = max(told, key=shared, default="")
        score = shared(nearest)
        totals = [line for line in told if line.lower().startswith(("total", "合计"))]
        return nearest if score else totals[0] if totals and cue("see.total").search(question) else ""

    def worked(self, question: str) -> tuple[str, dict[str, str]] | None:
        """What has to be worked out of the rows: how many, sums, averages, differences; the rule and what fills it."""
        count, values = sum(row[1] for row in self.rows), [row[2] for row in self.rows]
        named = [row[2] for row in self.rows if _names(row[0], question)]
        if not self.rows:
            return None
        terms = " + ".join(f"{_plain(each)}" for each in values)
        if cue("see.mean").search(question):
            mean = f"{sum(values) / len(values):.2f}".rstrip("0").rstrip(".")
            return "see.mean", {"value": mean, "told": terms, "score": str(len(values))}
        if len(named) == 2 and cue("see.gap").search(question):
            least, most = sorted(map(_plain, named))
            return "see.gap", {"value": str(_plain(round(most - least, 2))), "told": f"{most} - {least}"}
        if cue("see.count").search(question) and cue("see.rows").search(question):
            return "see.rows", {"value": str(count), "told": ", ".join(row[0] for row in self.rows)}
        if self.charted and not named and cue("see.total").search(question):
            return "see.sum", {"value": str(_plain(sum(values))), "told": terms}
        return None

    def table(self) -> Any:
        """Its rows for JSON: a number for each name, or names with counts and prices."""
        if self.charted:
            return {name: _plain(value) for name, _, value in self.rows}
        return [{"name": name, "quantity": count, "price": _plain(value)} for name, count, value in self.rows]

    def filled(self, value: Any, schema: dict[str, Any]) -> Any:
        """A value for a schema, in which what this text says takes the place of what was guessed."""
        rules = schema.get("properties")
        if not isinstance(value, dict) or not isinstance(rules, dict):
            return value
        found = {key: self._of(key, rule) for key, rule in rules.items() if isinstance(rule, dict)}
        return {key: value[key] if found.get(key) is None else found[key] for key in value}

    def _of(self, key: str, rule: dict[str, Any]) -> Any:
        if rule.get("type") == "array":
            return self._several(rule.get("items") or {})
        if rule.get("type") == "object":
            return None
        said = self._said(key)
        if said and rule.get("type") in ("number", "integer"):
            number = _NUMBER.search(said)
            return _plain(_value(number[0])) if number else None
        return said if rule.get("type") == "string" else None

    def _said(self, key: str) -> str | None:
        """The value of the field that shares the most words with a key."""
        name = split_name(key).lower()
        words = set(name.split())
        ranked = [
            (len(words & set(label.lower().split())) or 0.5 * bool(meanings(label) & meanings(name)), label)
            for label in self.fields
        ]
        best = max(ranked, default=(0, ""), key=lambda each: each[0])
        said = self.fields[best[1]] if best[0] else None
        for kind, pattern in (("date", _DATE), ("time", _TIME)):
            if kind in words and (found := pattern.search(" ".join(self.fields.values()))):
                return found[0]
        if said is None and re.search(r"currenc|币", name):
            return self._money or None
        if said is None and _PAY.search(name):
            return self.fields.get("Paid by")
        return self.title if said is None and _TITLE.search(name) else said

    def _several(self, rule: dict[str, Any]) -> list[Any] | None:
        keys = rule.get("properties") if rule.get("type") == "object" else None
        if not self.rows or (keys is None and rule.get("type") not in ("string", "number", "integer")):
            return None
        if keys is None:
            return [name if rule["type"] == "string" else _plain(price) for name, _, price in self.rows]
        return [{key: _cell(key, *row) for key in keys} for row in self.rows]


def tallied(sight: Any, value: Any, schema: dict[str, Any]) -> Any:
    """A value for a schema with what was counted: fields named by shapes, by colours, or by the background."""
    rules = schema.get("properties")
    if not isinstance(value, dict) or not isinstance(rules, dict):
        return value
    return {key: _tally(sight, key, rules.get(key), guess) for key, guess in value.items()}


def _tally(sight: Any, key: str, rule: Any, guess: Any) -> Any:
    said, sort = split_name(key).lower(), rule.get("type") if isinstance(rule, dict) else ""
    named = set(said.split())
    kind = next((each for each, (plural, _) in KINDS.items() if named & {each, plural}), "")
    toned = named & {"colour", "color", "colours", "colors"}
    tone = next(iter(wishes.colours_in(said)), "")
    if sort in ("integer", "number") and not toned and (kind or named & {"shape", "shapes"}):
        return sight.count(kind, tone)
    if sort == "string" and "background" in named:
        return sight.background
    if sort == "string" and toned and kind:
        return ", ".join(dict.fromkeys(each.colour for each in sight.these(kind)))
    return guess


def _names(label: str, question: str) -> bool:
    """Whether a question names a row: in its own words, or a day of the week in another form."""
    day = rf"|(?:周|星期|礼拜){_DAYS[label]}" if label in _DAYS else ""
    return bool(re.search(rf"(?ai:\b{re.escape(label)}(?:[a-z]{{0,5}}day)?s?\b){day}", question, re.IGNORECASE))


def _cell(key: str, name: str, count: int, price: float) -> Any:
    low = key.lower()
    return count if _COUNT.search(low) else _plain(price) if _PRICE.search(low) else name


def _value(said: str) -> float:
    return float(said.replace(",", ""))


def _plain(number: float) -> float | int:
    return int(number) if float(number).is_integer() else number
