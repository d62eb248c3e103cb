"""What the service takes: sizes by format, names, tags, parsers, settings of an index, and wishes of a search."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from qwenkit.sandbox.knowledge.values import SESSION_FILE, UNSTRUCTURED, Settings, Wish, Wrong

_MB = 1_000_000
_MEDIA = "aac amr flac flv m4a mp3 mpeg ogg opus wav webm wma mp4 mkv avi mov wmv"
_PICTURES = "png jpg jpeg bmp gif"
_SIZES = {
    "pdf docx docm doc wps pptx ppt epub mobi": 150 * _MB,
    "txt md html htm csv json xlsx xls": 10 * _MB,
    _PICTURES: 20 * _MB,
    _MEDIA: 512 * _MB,
}
_LARGEST = {ending: most for endings, most in _SIZES.items() for ending in endings.split()}
MOST_CATEGORIES, MOST_TAGS, LONGEST_TAG, LONGEST_TAGS, MOST_FILES = 500, 100, 32, 700, 10_000
PARSERS = {
    "DOCMIND": "Intelligent parsing",
    "DOCMIND_DIGITAL": "Digital parsing",
    "DOCMIND_LLM_VERSION": "Large-model parsing",
    "DASH_QWEN_VL_PARSER": "Qwen-VL parsing",
    "DOCMIND_LLM_VERSION_MEDIA": "Audio and video parsing",
}
_MODES = ("", "length", "page", "h1", "h2", "h3", "h4", "h5", "regex")
_RANKS, _KINDS = ("", "qa", "similar", "custom"), ("constant", "variable", "custom_prompt", "regular", "keywords")
_SOURCES = ("DATA_CENTER_FILE", "DATA_CENTER_CATEGORY", "")
_NAME, _TAG, _KEY = re.compile(r"[\w\-.:]{1,20}"), re.compile(r"[\w-]{1,32}"), re.compile(r"[A-Za-z_]{1,50}")
_ENDLESS = re.compile(r"[*+}]\)?[*+{]|\([^()]*[*+?}|][^()]*\)[*+{]|\)\)+[*+{]|\\\d|\(\?[P<=!]")
_REPEATED, _MOST_REPEATED = re.compile(r"[*+?{]"), 12


def need(fine: object, name: str, reason: str = "", family: str = "") -> None:
    """Refuse a parameter that is not fine, in the service's words and then in ours."""
    if not fine:
        told = f"Required parameter({name}) missing or invalid, please check the request parameters. {reason}"
        raise Wrong(f"{family}InvalidParameter", told.strip())


of_index = partial(need, family="Index.")


def check_file(filename: str, size: int, kind: str) -> None:
    """What a lease is asked for."""
    ending = filename.rpartition(".")[2].lower()
    need(4 <= len(filename) <= 128 and "." in filename[1:-1], "FileName", "It has 4 to 128 characters and an ending.")
    need(not {"/", "\\", "\0"} & set(filename), "FileName", "It is a name, not a path.")
    need(kind in (UNSTRUCTURED, SESSION_FILE), "CategoryType", f"Use {UNSTRUCTURED} or {SESSION_FILE}.")
    need(ending in _LARGEST, "FileName", f"Files of the format {ending[:20]!r} are not supported.")
    need(size >= 1, "SizeInBytes", "A file has at least one byte.")
    check_size(filename, size)


def check_size(filename: str, size: int) -> None:
    most = _LARGEST[filename.rpartition(".")[2].lower()]
    if size > most:
        raise Wrong("DataCenter.FileTooLarge", f"The file may have {most // _MB} MB in this format.")


def check_tags(tags: Sequence[str]) -> list[str]:
    fine = len(tags) <= MOST_TAGS and sum(map(len, tags)) <= LONGEST_TAGS and all(map(_TAG.fullmatch, tags))
    need(fine, "Tags", f"At most {MOST_TAGS} tags of {LONGEST_TAG} letters, digits, _ or -, {LONGEST_TAGS} in all.")
    return list(dict.fromkeys(tags))


def check_parser(parser: str) -> None:
    fine = parser in ("", "AUTO_SELECT", "DASHSCOPE_DOCMIND", *PARSERS)
    need(fine, "Parser", f"Use one of AUTO_SELECT, {', '.join(PARSERS)}.")


def parsers(ending: str) -> list[tuple[str, str]]:
    """Which parsers there are for a format, and what they are called. Whatever is asked, the sandbox reads with one."""
    if ending in _MEDIA.split():
        return [("DOCMIND_LLM_VERSION_MEDIA", PARSERS["DOCMIND_LLM_VERSION_MEDIA"])]
    seen = ending in ("pdf", "docx", "doc", *_PICTURES.split())
    names = [*list(PARSERS)[3 * (ending in _PICTURES.split()) : 3], *["DASH_QWEN_VL_PARSER"] * seen]
    return [(name, PARSERS[name]) for name in names]


def check_name(name: str) -> None:
    of_index(_NAME.fullmatch(name), "Name", "It has 1 to 20 letters, digits, _ - . or :")


def check_settings(settings: Settings) -> Settings:
    of_index(len(settings.description) <= 1000, "Description", "It has at most 1000 characters.")
    of_index(settings.structure in ("unstructured", "structured"), "StructureType", "unstructured or structured.")
    of_index(settings.source in _SOURCES, "SourceType", f"Use {_SOURCES[0]} or {_SOURCES[1]}.")
    of_index(0.01 <= settings.min_score <= 1, "RerankMinScore", "It is 0.01 to 1.00.")
    of_index(settings.rerank_mode in _RANKS[1:], "RerankMode", "Use qa, similar or custom.")
    for column in settings.columns:
        of_index(_KEY.fullmatch(column.key), "metaExtractColumns", "A key has 1 to 50 letters or underscores.")
        of_index(column.kind in _KINDS, "metaExtractColumns", f"A type is one of {', '.join(_KINDS)}.")
        if column.kind == "regular":
            expression(column.value, "metaExtractColumns")
    _check_recall(settings.dense, settings.sparse)
    return check_chunking(settings)


def check_chunking(settings: Settings) -> Settings:
    """The settings with the overlap that is meant."""
    of_index(settings.mode in _MODES, "ChunkMode", f"Use one of {', '.join(_MODES[1:])}, or none.")
    of_index(1 <= settings.size <= 6000, "ChunkSize", "It is 1 to 6000.")
    of_index(settings.size >= 100 or settings.overlap is not None, "OverlapSize", "A ChunkSize below 100 needs it.")
    overlap = min(100, settings.size // 5) if settings.overlap is None else settings.overlap
    of_index(0 <= overlap <= 1024 and overlap < settings.size, "OverlapSize", "It is below 1025 and ChunkSize.")
    if settings.mode == "regex":
        expression(settings.separator, "Separator")
    return replace(settings, overlap=overlap)


def expression(pattern: str, name: str) -> re.Pattern[str]:
    """A regular expression; one that repeats repetitions or choices, or many things, may take for ever: refused."""
    try:
        tame = len(_REPEATED.findall(pattern)) <= _MOST_REPEATED and not _ENDLESS.search(pattern)
        of_index(0 < len(pattern) <= 200 and tame, name, "No repetition of a repetition or of a choice, please.")
        return re.compile(pattern, re.MULTILINE)
    except (re.error, OverflowError, RecursionError):
        raise Wrong("Index.InvalidParameter", f"{name}: {pattern[:80]!r} is no regular expression.") from None


def _check_recall(dense: int, sparse: int) -> None:
    for name, most in (("DenseSimilarityTopK", dense), ("SparseSimilarityTopK", sparse)):
        of_index(0 <= most <= 100, name, "It is 0 to 100, and both are at most 200.")


def check_wish(wish: Wish) -> None:
    of_index(1 <= wish.top <= 20, "RerankTopN", "It is 1 to 20.")
    of_index(wish.min_score is None or 0.01 <= wish.min_score <= 1, "RerankMinScore", "It is 0.01 to 1.00.")
    of_index(wish.mode in _RANKS, "Rerank", "RerankMode is qa, similar or custom.")
    _check_recall(wish.dense or 0, wish.sparse or 0)
