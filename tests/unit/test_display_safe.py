"""Whatever a model, a server or a tool says, a card is inert and bounded: listed tags, attributes, addresses only."""

from __future__ import annotations

import json
import re

import pytest
from hostile import BOMBS, HOSTILE
from inert import MAP, TAGS, read

from qwenkit.api.knowledge import Bases, KnowledgeBase
from qwenkit.display import bundle
from qwenkit.display.growing import Growing
from qwenkit.display.markdown import markdown
from qwenkit.display.page import MAX_HTML
from qwenkit.errors import InvalidRequest
from qwenkit.types.app import AppReply, Reference, Step, Thought
from qwenkit.types.connection import CheckUp, Connection, Finding
from qwenkit.types.grounded import Citation, CorpusMap, Grounded, Miss, Recall
from qwenkit.types.knowledge import (
    BaseFacts,
    Building,
    Documents,
    KnowledgeDocument,
    KnowledgeFile,
    KnowledgeFiles,
    Node,
    Nodes,
    Stage,
)
from qwenkit.types.ledger import Ledger
from qwenkit.types.message import Message
from qwenkit.types.models import ModelTable
from qwenkit.types.reply import Choice, Receipt, Reply, ToolCall
from qwenkit.types.retrieval import Added, Chunk, Hit, Hits, Skipped
from qwenkit.types.usage import Cost, Usage
from qwenkit.types.wire import Exchange, Wire, WireEvent

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# What a whole card may weigh in a saved notebook: hygiene wants every output below 200 kB.
MOST = MAX_HTML + 20_000
texts = pytest.mark.parametrize("text", [text for _, text in HOSTILE], ids=[name for name, _ in HOSTILE])


class Talk:
    """Enough of a conversation to be drawn."""

    model = policy = "x"
    context_used, context_limit = 10, 100

    def __init__(self, text: str) -> None:
        self.model = text[:300]
        call = {"id": text[:50], "function": {"name": text[:200], "arguments": text}}
        self.messages = [
            Message(role, text, name=text[:100]) for role in ("system", "user", "assistant", "tool", text[:9])
        ]
        self.messages.append(Message("assistant", None, tool_calls=[call], reasoning_content=text))


Talk.__module__, Talk.__qualname__ = "qwenkit.api.conversation", "ConversationCalls"


class FakeModel:
    context = max_input = max_output = None
    prices: tuple[()] = ()

    def __init__(self, text: str) -> None:
        self.name = self.inputs = self.outputs = self.thinking = text[:200]


def values(text: str) -> list[object]:
    """One of every kind of value, with the text wherever a stranger's text may stand."""
    call = ToolCall(id=text, name=text, arguments=text)
    reply = Reply(
        choices=[Choice(text=text, thinking=text, tool_calls=[call], finish_reason=text)],
        model=text,
        receipt=Receipt(model=text, request_id=text, latency=0.1, cost=Cost(1.0, text[:50])),
    )
    ledger = Ledger(Cost(1.0, text[:40]))
    ledger.add(family=text, model=text, prompt=1, cost=Cost(0.5, text[:40]))
    exchange = Exchange(
        method=text,
        url="https://ok.example/" + text[:2000],
        request_headers={text[:100]: text},
        request_body=text,
        status=200,
        response_headers={"content-type": text},
        response_body=text,
        events=[WireEvent(0.1, text)] * 3,
        error=text,
    )
    wire = Wire()
    wire.exchanges += [exchange, Exchange(url=text)]
    error = InvalidRequest(text, status=400, code=text, request=text, request_id=text, hint=text[:3000])
    error.reply = reply
    connection = Connection(
        region=text[:99], masked_key=text[:99], urls={text[:99]: text[:99]}, sandbox=True, notes=[text[:999]]
    )
    findings = CheckUp([Finding(text[:99], None, text[:999], text[:999])])
    models = ModelTable([FakeModel(text)], [text])
    told = [reply, ledger, wire, exchange, error, connection, findings, models, Talk(text)]
    return [*told, *applications(text), *retrieved(text)]


def applications(text: str) -> list[object]:
    """An agent's answer and a workflow's."""
    found = json.dumps([{"dataName": text, "title": text, "content": text, "score": 0.5}] * 3)
    thoughts = [
        Thought("rag", text, text, text, {"query": text, text[:50]: text}, found, 0.1),
        Thought(text, "", text, text, text, text),
        Thought("reasoning", text=text),
    ]
    sources = [Reference(1, text, text, text, text, text, 0.5, [1], [text]), Reference(2, text=text)]
    steps = [
        Step(text, text, text, "fail", text, {text[:50]: text}, error=text),
        Step("b", "", text, text, parent=text),
    ]
    models = {text[:300]: Usage(prompt_tokens=1, completion_tokens=1)}
    said = f"{text} <ref>[1]</ref> and <ref>[7]</ref>"
    agent = AppReply(text=said, thoughts=thoughts, references=sources, models=models, finish_reason=text)
    return [agent, AppReply(text="Done.", steps=steps, session_id=text)]


def retrieved(text: str) -> list[object]:
    """What was found, added, answered from passages, drawn as a map, or lies in a knowledge base."""
    chunk = Chunk(text, text, text, text, meta={text[:50]: text})
    hits = Hits([Hit(chunk, 0.5, rank, {"vectors": 1, "rerank": 0.5}) for rank in (1, 2)], text, text, 9, text)
    said = Reply(choices=[Choice(text=f"{text} [1]. Yes [9, 2].")], model=text)
    wrong = [Citation(1, text, chunk, 0.1, [text[:50]]), Citation(9, text), Citation(2, text, chunk, across=True)]
    misses = {text[:50]: [Miss(text, text)] * 2}
    recall = Recall(
        5,
        20,
        dict.fromkeys(misses, 0.5),
        {text[:40]: dict.fromkeys(misses, 0.5), "b": dict.fromkeys(misses, 1)},
        misses,
    )
    where = CorpusMap(
        [(0.0, 1.0), (1.0, 0.0), (0.5, 0.5)], [text, "b", text[:9]], [text] * 3, text, (0.2, 0.2), [0], 3, 0.5
    )
    added = Added(skipped=[Skipped(text, text)] * 2, done=1, total=2, cost=Cost(1.0, text[:40]))
    files = [KnowledgeFile(text, text, text, 1, [text], text, text, text, text)] * 2
    stages = [Stage(text, error=text), Stage(text, stage="parsed")]
    base = KnowledgeBase(None, None, BaseFacts(text, text, text, text, text, 5), Building(text, stages))  # type: ignore[arg-type]
    cloud = [KnowledgeFiles(files), Documents([KnowledgeDocument(text, text, text, text, 1, text)] * 2)]
    nodes = Nodes([Node(text, 0.5, text, text, text, {text[:50]: text})] * 2, text, text)
    return [
        *(hits, added, Grounded(said, hits, wrong, [text, text]), recall, where),
        *(base, base.built, Bases([base] * 2), nodes, *cloud),
    ]


@texts
def test_markdown_is_inert(text: str) -> None:
    html = markdown(text)
    read(html)
    assert not _UNSEEN.search(html.replace("\n", ""))
    assert len(html) < MOST


@texts
def test_every_card_is_inert_and_bounded(text: str) -> None:
    for value in values(text):
        shown = bundle(value)
        assert "text/html" in shown, f"{type(value).__name__} fell back to its repr"
        read(shown["text/html"], TAGS | MAP if isinstance(value, CorpusMap) else TAGS)
        for form in shown.values():
            assert not _UNSEEN.search(form.replace("\n", "")), type(value).__name__
            assert len(form) < MOST, f"{type(value).__name__}: {len(form)}"
        shown["text/html"].encode("utf-8")


@texts
def test_a_growing_text_is_inert_at_every_step(text: str) -> None:
    growing = Growing()
    for end in range(0, min(len(text), 400), 7):
        read(growing.html(text[:end]))


def test_the_same_value_gives_the_same_bytes() -> None:
    for name, text in HOSTILE:
        if (name, text) not in BOMBS:
            assert [bundle(value) for value in values(text)] == [bundle(value) for value in values(text)], name


def test_a_link_goes_only_to_the_web_or_to_mail() -> None:
    found = read(markdown("\n\n".join(text for _, text in HOSTILE if len(text) < 1000))).links
    assert found
    assert {link.partition(":")[0].lower() for link in found} <= {"http", "https", "mailto"}


def test_an_image_is_named_and_not_loaded() -> None:
    html = markdown("![a cat](https://pics.example/cat.png?x=1)")
    assert "<img" not in html
    assert "image: a cat (pics.example)" in html


def test_an_image_inside_a_link_does_not_nest_links() -> None:
    html = markdown("[![a](https://one.example/a.png) b](https://two.example)")
    assert html.count("<a ") == 1
    assert read(html).links == ["https://two.example"]


def test_a_direction_override_is_spelled_out() -> None:
    assert "user⟦U+202E⟧gnp.exe" in markdown("user\u202egnp.exe")
    assert "⟦U+202E⟧" in markdown("a &#x202E; b")


def test_terminal_codes_are_dropped_without_eating_markup() -> None:
    assert markdown("\x1b[31mred\x1b[0m") == "<p>red</p>\n"
    assert "<strong>bold</strong>" in markdown("**bold\x1b[0m**")


def test_emoji_families_flags_and_chinese_stay_whole() -> None:
    for text in (
        "👨‍👩‍👧‍👦",
        "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
        "天空为什么是蓝色的？",
        "e\u0301",
    ):
        assert markdown(text) == f"<p>{text}</p>\n"
