"""Knowledge bases: the way of files into one, what it holds, and the chunks a search found, with its words marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from qwenkit.display.citations import sources
from qwenkit.display.page import Bundle, bar, escape, facts, head, note, page, table
from qwenkit.display.text import columns, line
from qwenkit.types.knowledge import Building, Documents, KnowledgeFiles, Node, Nodes, Stage

MAX_ROWS = 40
MAX_NAME = 60
MAX_SHOWN = 200
MAX_QUERY = 2_000  # characters of it whose words are marked
_STAGES = ("waiting", "uploading", "uploaded", "parsed", "indexing", "ready")
_WORD = re.compile(r"[\w]+|[\u3400-\u9fff]")
_COMMON = re.compile(
    "and|are|but|can|did|does|for|from|has|have|how|its|may|not|our|that|the|their|then|they|this|was|were|what|when|"
    "where|which|who|why|will|with|you|your"
)
_HAN = re.compile("[\u3400-\u9fff]")


def building(value: Building) -> Bundle:
    rows = [(_name(each.name), _level(each), _said(each)) for each in value.files[:MAX_ROWS]]
    told = f"{len(value.ready)} of {len(value.files)} files ready"
    html = page(
        "knowledge",
        head(line(value.name, MAX_NAME), escape(told)),
        table(("file", "", "state"), rows),
        _more(value.files),
    )
    lines = [(each.name, each.error or each.stage) for each in value.files[:MAX_ROWS]]
    return {"text/plain": f"{line(value.name, MAX_NAME)}: {told}\n{_grid(lines)}", "text/html": html}


def _level(stage: Stage) -> str:
    return "" if stage.error or stage.stage == "ready" else bar(_STAGES.index(stage.stage), len(_STAGES) - 1, warn=1.1)


def _said(stage: Stage) -> str:
    return f'<span class="qk-bad">{escape(line(stage.error, MAX_SHOWN))}</span>' if stage.error else escape(stage.stage)


def base(value: Any) -> Bundle:
    """A base: what the service says of it, and how its files came in."""
    told = value.facts
    cut = f"{told.chunk_size} tokens" if told.chunk_size else ""
    rows = {"about": told.description, "embedding": told.embedding, "rerank": told.rerank, "chunks of": cut}
    shown = {name: escape(line(text, MAX_SHOWN)) for name, text in rows.items() if text}
    built = value.built
    shown["files"] = escape(f"{len(built.ready)} ready") if built else ""
    wrong = [(_name(each.name), _said(each)) for each in built.failures[:MAX_ROWS]] if built else []
    html = page(
        "knowledge",
        head(line(told.name, MAX_NAME), "knowledge base"),
        facts(shown),
        table(("refused", "why"), wrong) if wrong else "",
    )
    lines = [(each.name, each.error) for each in built.failures[:MAX_ROWS]] if built else []
    ready = f": {len(built.ready)} files ready" if built else ""
    return {
        "text/plain": f"Knowledge base {line(told.name, MAX_NAME)}{ready}\n{_grid(lines)}".strip(),
        "text/html": html,
    }


def bases(value: Any) -> Bundle:
    rows = [(each.name, each.facts.description) for each in value]
    cells = [(_name(name), escape(line(about, MAX_SHOWN))) for name, about in rows[:MAX_ROWS]]
    title = f"{len(rows)} knowledge base{'s' * (len(rows) != 1)}"
    html = page("knowledge", head(title), table(("name", "about"), cells) if cells else "", _more(rows))
    return {"text/plain": f"{title}\n{_grid(rows)}".strip(), "text/html": html}


def documents(value: Documents) -> Bundle:
    rows = [(each.name, each.kind, f"{each.size:,}", each.message or each.status) for each in value]
    return _listed(f"{len(rows)} documents", ("document", "kind", "bytes", "state"), rows)


def files(value: KnowledgeFiles) -> Bundle:
    rows = [(each.name, f"{each.size:,}", ", ".join(each.tags), each.error or each.status) for each in value]
    return _listed(f"{len(rows)} files", ("file", "bytes", "tags", "state"), rows)


def _grid(rows: Sequence[Sequence[str]]) -> str:
    return columns([tuple(line(cell, MAX_SHOWN) for cell in row) for row in rows[:MAX_ROWS]])


def _listed(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Bundle:
    cells = [[escape(line(cell, MAX_SHOWN)) for cell in row] for row in rows[:MAX_ROWS]]
    right = frozenset({heads.index("bytes")})
    html = page("knowledge", head(title), table(heads, cells, right=right) if cells else "", _more(rows))
    return {"text/plain": f"{title}\n{_grid(rows)}".strip(), "text/html": html}


def nodes(value: Nodes) -> Bundle:
    """Chunks, best first, the words of the question marked in them."""
    rows = [(place, _where(each), _score(each), each.text) for place, each in enumerate(value, 1)]
    words = terms(value.query)
    title = value.query or f"{len(value)} chunks"
    html = page(
        "knowledge",
        head(line(title, MAX_SHOWN), escape(line(value.base, MAX_NAME))),
        sources(rows, len(rows), lambda text: marked(text, words)) or note("Nothing was found."),
    )
    lines = [f"{place}  {score}  {where}\n   {line(text, MAX_SHOWN)}" for place, where, score, text in rows[:MAX_ROWS]]
    return {"text/plain": "\n".join(lines) or "Nothing was found.", "text/html": html}


def terms(query: str) -> set[str]:
    """The words of a question worth marking: not the shortest and the commonest, and every Chinese character."""
    found = _WORD.findall(query[:MAX_QUERY].casefold())
    return {word for word in found if _HAN.match(word) or (len(word) > 2 and not _COMMON.fullmatch(word))}


def marked(text: str, words: Iterable[str]) -> str:
    """The text as HTML, the words in it marked; a word is found at the beginning of a longer one too."""
    found = sorted((re.escape(word) for word in words), key=len, reverse=True)
    if not found:
        return escape(text)
    starts = "|".join(word if _HAN.match(word) else rf"\b{word}" for word in found)
    parts = re.split(f"({starts})", text, flags=re.IGNORECASE)
    return "".join(f"<mark>{escape(part)}</mark>" if place % 2 else escape(part) for place, part in enumerate(parts))


def _where(node: Node) -> str:
    return " · ".join(dict.fromkeys(filter(None, (node.document, node.title)))) or "a document"


def _score(node: Node) -> str:
    return f"score {node.score:.2f}" if node.score else ""


def _name(text: str) -> str:
    return f"<strong>{escape(line(text, MAX_NAME))}</strong>"


def _more(rows: Sequence[Any]) -> str:
    return note(f"… {len(rows) - MAX_ROWS} more") if len(rows) > MAX_ROWS else ""
