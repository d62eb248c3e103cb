"""Translation as far as a glossary goes: English and Chinese, word for word, and a note about what it does not know.

Terms come first, then whole sentences from the translation memory, then the bundled glossary, longest phrase first.
Numbers stay, dates and punctuation are put in the other language's form, and a word nobody knows stays as it is. It is
no Qwen-MT and says so in brackets whenever something was left.
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
_NAMES = {"en": "english", "zh": "chinese"}
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
    lines = [_line(line, target == "chinese", terms, memory) for line in text.split("\n")]
    unknown = list(dict.fromkeys(word for _, words in lines for word in words))
    return "\n".join(line for line, _ in lines) + _note(unknown, target == "chinese")


def _line(text: str, chinese: bool, terms: Mapping[str, str], memory: Mapping[str, str]) -> tuple[str, list[str]]:
    """One line, sentence by sentence, and the words it could not translate."""
    said, unknown = [], list[str]()
    for sentence in _SENTENCE.split(text):
        known = memory.get(_bare(sentence))
        if known is not None:
            said.append(known)
            continue
        common = {phrase: said for phrase, said in _glossary(chinese).items() if not any(t in phrase for t in terms)}
        words = _words(_dates(sentence.strip(), chinese), {**common, **terms}, unknown)
        said.append(_joined_chinese(words) if chinese else _joined_english(words))
    return ("" if chinese else " ").join(each for each in said if each), unknown


def _words(text: str, known: Mapping[str, str], unknown: list[str]) -> list[str]:
    """The translated pieces of a sentence, longest known phrase first."""
    pieces, at, said = _PIECE.findall(text), 0, []
    while at < len(pieces):
        for end in range(min(len(pieces), at + 2 * _LONGEST), at, -1):
            phrase = _singular("".join(pieces[at:end]), known)
            if phrase is not None and pieces[at].strip():
                said.append(known[phrase])
                at = end
                break
        else:
            piece = pieces[at]
            at += 1
            if piece.strip() and piece.casefold() not in _DROPPED and piece not in _COUNTED:
                said.append(piece)
                unknown += [piece] if piece[0].isalpha() and piece not in _OWN else []
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
        glued = not text or word in ",.?!:;)" or text.endswith("(") or (_CJK.match(word) and _CJK.match(text[-1]))
        text += word if glued else f" {word}"
    return text[:1].upper() + text[1:]


def _dates(text: str, chinese: bool) -> str:
    """Calendar dates in the other language's form."""
    if not chinese:
        text = re.sub(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]", lambda d: f"{_month(d[2])} {d[3]}, {d[1]}", text)
        return re.sub(r"(\d{1,2})月(\d{1,2})[日号]", lambda d: f"{_month(d[1])} {d[2]}", text)
    names = "|".join(_MONTHS)
    text = re.sub(
        rf"\b({names}) (\d{{1,2}}), (\d{{4}})", lambda d: f"{d[3]}年{_MONTHS.index(d[1]) + 1}月{d[2]}日", text
    )
    text = re.sub(rf"\b(\d{{1,2}}) ({names}) (\d{{4}})", lambda d: f"{d[3]}年{_MONTHS.index(d[2]) + 1}月{d[1]}日", text)
    return re.sub(r"\b(\d{4})-(\d{2})-(\d{2})\b", lambda d: f"{d[1]}年{int(d[2])}月{int(d[3])}日", text)


def _month(number: str) -> str:
    return _MONTHS[(int(number) - 1) % 12]


def _note(unknown: list[str], chinese: bool) -> str:
    if not unknown:
        return ""
    shown = ("、" if chinese else ", ").join(unknown[:_MOST_NAMED]) + ("…" if len(unknown) > _MOST_NAMED else "")
    return f"【沙箱词表里没有：{shown}】" if chinese else f" [not in the sandbox's glossary: {shown}]"


def _replaced(text: str, terms: Mapping[str, str]) -> str:
    for source, target in terms.items():
        text = re.sub(re.escape(source), target.replace("\\", r"\\\\"), text, flags=re.IGNORECASE)
    return text


@cache
def _glossary(chinese: bool) -> dict[str, str]:
    """English to Chinese, or back; the first word of several with one meaning is the one that comes back."""
    lines = files("qwenkit.sandbox").joinpath("data/glossary.txt").read_text("utf-8").splitlines()
    pairs = [pair.split(" = ") for line in lines if not line.startswith("#") for pair in line.split("; ")]
    found: dict[str, str] = {}
    for english, zh in pairs:
        found.setdefault(*((english, zh) if chinese else (zh, english)))
    return found


def _language(name: str) -> str:
    return _NAMES.get(name.lower(), name.lower())


def _bare(text: str) -> str:
    return re.sub(r"[\s.!?。！？,，]+", " ", text).strip().casefold()


def _is_pair(row: Any) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(name), str) for name in ("source", "target"))
