"""What an application looks things up in: knowledge bases, files of a session or of the call, its long-term memory.

What it then says of documents are their own sentences, each with a mark of the passage it stands in; what no passage
says is not said. A document is a text to quote: what it tells its reader to do moves nobody.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from importlib.resources import files as resources
from typing import Any, NamedTuple

from starlette.requests import Request

from qwenkit.reading import Unreadable, text_of
from qwenkit.sandbox import attached
from qwenkit.sandbox.apps import tools
from qwenkit.sandbox.apps.apps import OWN_KNOWLEDGE, told
from qwenkit.sandbox.apps.asked import Asked, wrong
from qwenkit.sandbox.apps.frames import MARK, thought
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.knowledge.library import Library
from qwenkit.sandbox.knowledge.memory import Memories
from qwenkit.sandbox.knowledge.values import Wish, Wrong
from qwenkit.sandbox.media import RESOLVE, fetch
from qwenkit.sandbox.mind import Prompt
from qwenkit.sandbox.mind.cues import cue, label
from qwenkit.sandbox.mind.extract import bridged
from qwenkit.sandbox.mind.identity import identity
from qwenkit.sandbox.mind.reading import language, sentences
from qwenkit.sandbox.mind.recall import noted, recall
from qwenkit.sandbox.mind.scene import read
from qwenkit.sandbox.retrieval import Ranking, passages
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.web import Page

Json = dict[str, Any]
MOST_PASSAGES, MOST_MEMORIES = 5, 10
PASSAGE = 500  # characters
ABSENT = {"en": "I do not find that in the documents.", "zh": "文档里没有找到这方面的内容。"}
_ENDINGS = {"plain": "txt", "markdown": "md", "document": "docx", "sheet": "xlsx", "epub+zip": "epub"}
_OWN = ((r"\bthe user's\b", "my"), (r"\bthe user is\b", "I am"), (r"用户的", "我的"), (r"用户", "我"))


class Passage(NamedTuple):
    """A piece of a document under its number among what was found, and what is known of it."""

    text: str
    score: float
    meta: Json
    number: int = 0

    @property
    def told(self) -> str:
        """The sentences it is read in: rows of tables say what their columns are called."""
        return "\n".join(piece.text for piece in attached.pieces_of(self.text)) or self.text

    @property
    def title(self) -> str:
        return str(self.meta.get("title") or self.meta.get("doc_name") or "")

    @property
    def reference(self) -> Json:
        """How an answer names it. What is not known is left out."""
        named = {name: self.meta.get(name) for name in ("doc_id", "doc_name", "doc_url", "biz_id")}
        named |= {"index_id": str(self.number), "title": self.title, "text": self.text}
        named |= {"images": self.meta.get("image_url") or [], "page_number": self.meta.get("page_number") or []}
        return {name: value for name, value in named.items() if value not in (None, "")}

    @property
    def observed(self) -> Json:
        """How a retrieval shows it, as recorded."""
        known = self.meta.get
        said = {"content": self.text, "dataId": known("doc_id", ""), "dataName": known("doc_name", ""), "display": True}
        said |= {"id": str(known("nid") or known("_id") or self.number), "images": known("image_url") or []}
        shown = {"referenceIndex": self.number, "score": self.score, "title": self.title}
        return {**said, **shown, "webSearch": known("webSearch", False)}


def grounded(service: Service, asked: Asked) -> list[str]:
    """The knowledge bases behind the answers, which then say nothing else."""
    named = asked.rag.get("pipeline_ids") or asked.app.knowledge
    return [own_index(service) if name == OWN_KNOWLEDGE else name for name in named]


async def found(service: Service, asked: Asked, request: Request, bases: list[str]) -> list[Passage]:
    """The passages for a question, best first within each source; none for one about the conversation itself."""
    if label("recall.turns", asked.question):
        return []
    called = [await _of_call(service, url, request) for url in asked.input.get("file_list", [])]
    texts = [*_of_session(service, asked), *called]
    pieces = await asyncio.to_thread(_from_library, service, asked, bases) if bases else []
    pieces += await asyncio.to_thread(_about, asked.question, texts) if texts else []
    return [each._replace(number=number) for number, each in enumerate(pieces, 1)]


def _from_library(service: Service, asked: Asked, bases: list[str]) -> list[Passage]:
    options, columns = asked.rag.get, asked.rag.get("structured_filter")
    files, tags, metadata = options("file_ids", []), options("tags", []), options("metadata_filter", {})
    narrow = Wish(top=MOST_PASSAGES, files=files, tags=tags, metadata=metadata, filters=[columns] if columns else [])
    try:
        wish = replace(narrow, history=asked.before, rewrite=bool(asked.before))
        nodes = service.shelf(Library).search(bases, asked.question, wish)
    except Wrong as problem:
        raise Refusal("InvalidParameter", problem.message) from None
    return [Passage(node.text, node.score, node.metadata) for node in nodes]


def own_index(service: Service) -> str:
    """The knowledge base of the documents example: made when it is first needed."""
    shelf = resources("qwenkit.sandbox").joinpath("data", "documents")
    documents = {file.name: file.read_bytes() for file in sorted(shelf.iterdir(), key=lambda file: file.name)}
    return service.shelf(Library).shelve(OWN_KNOWLEDGE, documents, service.clock())


def _of_session(service: Service, asked: Asked) -> Iterator[tuple[str, str]]:
    for name in asked.rag.get("session_file_ids", []):
        try:
            yield service.shelf(Library).session_file(name, service.clock()).name, service.shelf(Library).text(name)
        except Wrong as problem:
            raise Refusal("InvalidParameter", problem.message) from None


async def _of_call(service: Service, url: str, request: Request) -> tuple[str, str]:
    file = await fetch(service, url, resolve=request.headers.get(RESOLVE, "").lower() == "enable")
    tail = re.split(r"[/.]", file.kind)[-1]
    name = file.name or f"file.{_ENDINGS.get(tail, tail) or 'txt'}"
    try:
        return name, await asyncio.to_thread(text_of, name, file.content)
    except Unreadable as problem:
        raise Refusal("InvalidParameter", f"{name}: {problem}") from None


def _about(question: str, texts: list[tuple[str, str]]) -> list[Passage]:
    """The passages of whole documents that share the most with a question; of short ones, or for a summary, the first.
    Headings help to find them."""
    pieces = [(name, piece) for name, text in texts for piece in attached.pieces_of(text)]
    cut = [
        Passage(part, 0.0, {"doc_name": name, "title": piece.title or name})
        for name, piece in pieces
        for part in passages(piece.text, PASSAGE)
    ]
    ranking, asked = Ranking(f"{each.title}\n{each.text}" for each in cut), bridged(question)
    top, best = ranking.ceiling(asked) or 1.0, dict(ranking.best(asked))
    every = not best or len(cut) <= MOST_PASSAGES or cue("extract.summary").search(question)
    places = range(len(cut)) if every else list(best)
    return [cut[at]._replace(score=round(best.get(at, 0.0) / top, 4)) for at in places[:MOST_PASSAGES]]


def memories(service: Service, name: str) -> list[str]:
    """What a long-term memory holds, in the user's own words, which is how a conversation remembers."""
    nodes = service.shelf(Memories).nodes(name) if name else []
    if nodes is None:
        raise wrong("memory_id")
    for pattern, mine in _OWN:
        nodes = [re.sub(pattern, mine, each, flags=re.IGNORECASE) for each in nodes]
    return [each[:1].upper() + each[1:] for each in nodes[-MOST_MEMORIES:]]


def thoughts(asked: Asked, bases: list[str], found: list[Passage], pages: list[Page]) -> list[Json]:
    """What was looked up, as lists in JSON."""
    query, first = {"query": asked.question, **({"pipeline_ids": bases} if bases else {})}, len(found) + 1
    facts = [{"title": page.title, "doc_name": page.url, "webSearch": True} for page in pages]
    read = [Passage(page.text, 0.0, facts[at], at + first) for at, page in enumerate(pages)]
    looked = [("rag", "Knowledge retrieval", found)] if found or bases else []
    looked += [("web_search", "Web search", read)] if read else []
    rag = "agentRag"
    return [thought(rag, name, label, query, told([each.observed for each in rows])) for name, label, rows in looked]


def composed(asked: Asked, text: str, found: list[Passage], only: bool, today: date) -> tuple[str, list[Passage]]:
    """An answer with its marks, and the passages it stands on."""
    counted = only and tools.is_sum(asked.question)  # which no sentence answers
    marked, cited = _marked(text, [] if counted else found, asked.app.references)
    if cited or not only:
        return marked, cited
    scene = read(Prompt([*asked.before, {"role": "user", "content": asked.question}], today=today))
    private = identity(scene) or recall(scene) or noted(scene)
    return (text if private else ABSENT[language(asked.question)]), []


def _marked(text: str, found: list[Passage], shown: bool) -> tuple[str, list[Passage]]:
    written, at, cited = "", 0, list[Passage]()
    for sentence in sentences(text):
        bare = sentence.strip(".。!！ -")
        source = next((each for each in found if bare and bare in each.told), None)
        end = text.index(sentence, at) + len(sentence)
        written += text[at:end] + (MARK.format(source.number) if source and shown else "")
        cited += [source] if source and source not in cited else []
        at = end
    return written + text[at:], cited
