"""Translation as far as a glossary goes: English and Chinese, word for word, and a note about what it does not know.

Whole sentences from the translation memory come first, then the frames of common questions ("where is the …"), then
the bundled glossary, longest phrase first; the terms hold in all of them but the memory. Numbers stay, dates and
punctuation are put in the other language's form, and a word nobody knows stays as it is. It is no Qwen-MT and says so
in brackets whenever something was left or many words were only put side by side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from qwenkit.sandbox.errors import invalid
from qwenkit.sandbox.messages import last_words
from qwenkit.sandbox.order import Order

_SPOKEN = (
    "english,chinese,traditional chinese,cantonese,russian,japanese,korean,spanish,french,portuguese,german,italian,"
    "thai,vietnamese,indonesian,malay,arabic,hindi,hebrew,burmese,tamil,urdu,bengali,polish,dutch,romanian,turkish,"
    "khmer,lao,czech,greek,swedish,hungarian,danish,finnish,ukrainian,bulgarian,serbian,telugu,afrikaans,armenian,"
    "croatian,estonian,icelandic,irish,latvian,lithuanian,persian,slovak,slovenian,swahili,tagalog"
)
LANGUAGES = frozenset(_SPOKEN.split(","))
_UNKNOWN = "暂时不支持当前设置的语种！"
_CODES = (
    "en zh zh_tw yue ru ja ko es fr pt de it th vi id ms ar hi he my ta ur bn pl nl ro tr km lo cs el sv hu da fi uk bg"
    " sr te af hy hr et is ga lt lv fa sk sl sw tl"
)
_NAMES = dict(zip(_CODES.split(), _SPOKEN.split(","), strict=True))
_NAMES |= {"zh_cn": "chinese", "中文": "chinese", "汉语": "chinese", "英文": "english", "英语": "english"}
_CJK = re.compile(r"[\u3400-\u9fff]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_PIECE = re.compile(r"[A-Za-zÀ-ÿ]+(?:['’-][A-Za-zÀ-ÿ]+)*|\d+(?:[.,:]\d+)*%?|[\u3400-\u9fff]|\s+|.", re.DOTALL)
_MARKS = {",": "，", ".": "。", "?": "？", "!": "！", ":": "：", ";": "；", "(": "（", ")": "）"}
_BACK = {chinese: latin for latin, chinese in _MARKS.items()} | {"、": ","}
_MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September"]
_MONTHS += ["October", "November", "December"]
_OWN = frozenset([*_MONTHS, *"年月日"])  # what dates are made of here
_DROPPED = frozenset({"a", "an", "the"})
_COUNTED = frozenset("个只本张条辆位件座")  # what Chinese counts with and English leaves out
_PLURALS = (("s", ""), ("es", ""), ("ies", "y"))
_LONGEST = 6  # words in the longest phrase
_LOOSE = 3  # words put side by side; of more the answer says so
_CLAUSE = re.compile(r"([,.](?!\d)|[，。;；!！?？])")
_HOUR = {True: r"([a-z]{3,6}|\d{1,2})(?: o'clock)?", False: "([一二两三四五六七八九十]{1,2}|\\d{1,2})"}
_SLOT = {True: r"(?:(?:the|an?|any|some) )?(.{1,60}?)", False: "(.{1,30}?)"}
_BOUND = re.compile(r"[A-Z\d]|(?:my|your|his|her|our|their|this|that|these|those|one|two|three|four|five|six|ten)\b")
_MOST_NAMED = 8


def check_translation(order: Order) -> None:
    """Refuse what Qwen-MT refuses: other messages than one of the user's, and languages it does not have."""
    options = order.body.get("translation_options")
    if not isinstance(options, dict):
        raise invalid("Field required: parameters.translation_options")
    if len(order.messages) != 1 or order.messages[0]["role"] != "user":
        raise invalid("The input messages should contain exactly one message with the role of user.")
    for name in ("source_lang", "target_lang"):
        if not isinstance(options.get(name), str):
            raise invalid(f"Field required: parameters.translation_options.{name}")
    source, target = _language(options["source_lang"]), _language(options["target_lang"])
    if target not in LANGUAGES or source not in {*LANGUAGES, "auto"}:
        raise invalid(_UNKNOWN)
    for name in ("terms", "tm_list"):
        rows = options.get(name) or []
        if not isinstance(rows, list) or not all(map(_is_pair, rows)):
            raise invalid(f"Input should be a list of source and target: parameters.translation_options.{name}")


def translated(order: Order) -> str:
    """The user's text in the language asked for, as far as the glossary goes."""
    options, text = order.body["translation_options"], last_words(order.messages)
    source = _language(options["source_lang"])
    source = ("chinese" if _CJK.search(text) else "english") if source == "auto" else source
    target = _language(options["target_lang"])
    memory = {_bare(row["source"]): row["target"] for row in options.get("tm_list") or []}
    if source == target or _bare(text) in memory:
        return str(memory.get(_bare(text), text))
    terms = {row["source"].casefold(): row["target"] for row in options.get("terms") or []}
    if {source, target} != {"english", "chinese"}:
        return f"{_replaced(text, terms)} [not translated: the sandbox has only English and Chinese]"
    work = _Work(target == "chinese", terms, memory)
    lines = [_line(line, work) for line in text.split("\n")]
    return "\n".join(lines) + _note(work)


class _Work:
    """One translation under way: what is known, and what is left to admit."""

    def __init__(self, chinese: bool, terms: Mapping[str, str], memory: Mapping[str, str]) -> None:
        common = {phrase: said for phrase, said in _glossary(chinese).items() if not any(t in phrase for t in terms)}
        self.chinese, self.terms, self.memory, self.known = chinese, terms, memory, {**common, **terms}
        self.unknown: dict[str, None] = {}
        self.loose = False  # whether words stand side by side without a phrase to hold them


def _line(text: str, work: _Work) -> str:
    """One line, sentence by sentence."""
    join = _joined_chinese if work.chinese else _joined_english
    said = [work.memory.get(_bare(each)) or join(_sentence(each.strip(), work)) for each in _SENTENCE.split(text)]
    return ("" if work.chinese else " ").join(filter(None, said))


def _sentence(text: str, work: _Work) -> list[str]:
    """The pieces of a sentence: a clause in a known frame as a whole, the others word for word."""
    text = _dates(text, work.chinese)
    clauses = [(clause, _framed(clause.strip(), work)) for clause in _CLAUSE.split(text)]
    if not any(framed for _, framed in clauses):
        return _words(text, work, _LOOSE)
    return [word for clause, framed in clauses for word in framed or _words(clause, work, _LOOSE)]


def _framed(clause: str, work: _Work) -> list[str]:
    """A clause in the frame of a common sentence, its slots translated; nothing if a term stands outside of them."""
    held = [term for term in work.terms if term in clause.casefold()]
    for pattern, pieces in [] if clause.casefold() in work.known else _frames(work.chinese):
        slots = pattern.fullmatch(clause)
        if slots and all(term in " ".join(slots.groups()).casefold() for term in held):
            filled = iter([_words(slot, work, _LOOSE - 1) for slot in slots.groups()])
            return [word for piece in pieces for word in (next(filled) if piece in "…#" else [piece])]
    return []


def _words(text: str, work: _Work, most: int) -> list[str]:
    """The translated pieces of a text, longest known phrase first; of more than `most` words it is loose."""
    pieces, at, said = _PIECE.findall(text), 0, list[str]()
    while at < len(pieces):
        piece = pieces[at]
        ends = range(min(len(pieces), at + 2 * _LONGEST), at, -1) if piece.strip() else ()
        found = ((end, key) for end in ends if (key := _singular("".join(pieces[at:end]), work.known)) is not None)
        end, phrase = next(found, (at + 1, None))
        if phrase is not None:
            said.append(work.known[phrase])
        elif piece.strip() and piece.casefold() not in _DROPPED and piece not in _COUNTED:
            said.append(piece)
            if piece[0].isalpha() and piece not in _OWN:
                work.unknown[piece] = None
        at = end
    work.loose |= sum(word[:1].isalpha() and word not in _OWN for word in said) > most
    return said


def _singular(phrase: str, known: Mapping[str, str]) -> str | None:
    """The phrase as the glossary has it: as it stands, or without the s of a plural."""
    phrase = re.sub(r"\s+", " ", phrase).casefold()
    endings = [(tail, rest) for tail, rest in _PLURALS if phrase.endswith(tail)]
    forms = [phrase, *(phrase.removesuffix(tail) + rest for tail, rest in endings)]
    return next((form for form in forms if form in known), None)


def _joined_chinese(words: Iterable[str]) -> str:
    text = ""
    for word in words:
        word = _MARKS.get(word, word)
        apart = text and word[:1].isascii() and word[:1].isalnum() and text[-1].isascii() and text[-1].isalnum()
        text += f" {word}" if apart else word
    return text


def _joined_english(words: Iterable[str]) -> str:
    text = ""
    for word in words:
        word = _BACK.get(word, word)
        word = "I" if word == "i" else word.replace("i would", "I would")
        text = re.sub(r" (?:the|an?)$", "", text) if _BOUND.match(word) else text
        text = re.sub(r" a$", " an", text) if word[0] in "aeiou" else text
        glued = not text or word in ",.?!:;)" or text.endswith("(") or (_CJK.match(word) and _CJK.match(text[-1]))
        text += word if glued else f" {word}"
    return text[:1].upper() + text[1:]


def _dates(text: str, chinese: bool) -> str:
    """Calendar dates in the other language's form."""
    names = "|".join(_MONTHS)
    if chinese:
        text = re.sub(rf"\b({names}) (\d{{1,2}}), (\d{{4}})", r"\3年\1月\2日", text)
        text = re.sub(rf"\b(\d{{1,2}}) ({names}) (\d{{4}})", r"\3年\2月\1日", text)
        text = re.sub(r"\b(\d{4})-0?(\d{1,2})-0?(\d{1,2})\b", r"\1年\2月\3日", text)
        return re.sub(rf"({names})月", lambda found: f"{_MONTHS.index(found[1]) + 1}月", text)
    named = re.sub(r"(\d{1,2})月(\d{1,2})[日号]", lambda d: f"{_MONTHS[(int(d[1]) - 1) % 12]} {d[2]}", text)
    return re.sub(rf"(\d{{4}})年((?:{names}) \d{{1,2}})", r"\2, \1", named)


def _note(work: _Work) -> str:
    if not work.unknown:
        return ("【逐词直译】" if work.chinese else " [word for word]") if work.loose else ""
    shown = ("、" if work.chinese else ", ").join(list(work.unknown)[:_MOST_NAMED])
    shown += "…" if len(work.unknown) > _MOST_NAMED else ""
    return f"【沙箱词表里没有：{shown}】" if work.chinese else f" [not in the sandbox's glossary: {shown}]"


def _replaced(text: str, terms: Mapping[str, str]) -> str:
    for source, target in terms.items():
        text = re.sub(re.escape(source), target.replace("\\", r"\\"), text, flags=re.IGNORECASE)
    return text


@cache
def _pairs(chinese: bool) -> list[tuple[str, str]]:
    """What the glossary has in one language, and what it is in the other."""
    lines = files("qwenkit.sandbox").joinpath("data/glossary.txt").read_text("utf-8").splitlines()
    pairs = [pair.split(" = ") for line in lines if not line.startswith("#") for pair in line.split("; ")]
    return [(english, zh) if chinese else (zh, english) for english, zh in pairs]


@cache
def _glossary(chinese: bool) -> dict[str, str]:
    """English to Chinese, or back; the first word of several with one meaning is the one that comes back."""
    return {said.casefold(): meant for said, meant in reversed(_pairs(chinese)) if "…" not in said}


@cache
def _frames(chinese: bool) -> list[tuple[re.Pattern[str], list[str]]]:
    """Sentences with slots, `…` for words and `#` for an hour: the look of each, and the pieces of what it means."""
    found = []
    for said, meant in _pairs(chinese):
        if "…" in said:
            shape = re.sub(" (the|an?|any) …", " …", said).replace("…", _SLOT[chinese]).replace("#", _HOUR[chinese])
            pattern = re.compile(shape if chinese else f"(?:请问)?{shape}", re.IGNORECASE)
            found.append((pattern, re.findall(r"[…#]|[^…#\s][^…#]*(?<!\s)", meant)))
    return found


def _language(name: str) -> str:
    name = name.lower().replace("-", "_")
    return _NAMES.get(name, name)


def _bare(text: str) -> str:
    return re.sub(r"[\s.!?。！？,，]+", " ", text).strip().casefold()


def _is_pair(row: Any) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(name), str) for name in ("source", "target"))
