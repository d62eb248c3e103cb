"""The cards of the Responses API: every kind of item drawn, in order, bounded, and inert whatever a stranger wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hostile import BOMBS, HOSTILE
from inert import read

from qwenkit.display import bundle
from qwenkit.display import response as view
from qwenkit.display.growing import Draft
from qwenkit.display.page import MAX_HTML
from qwenkit.display.response import card
from qwenkit.protocol import responses as protocol
from qwenkit.protocol.response_stream import ResponseFold
from qwenkit.protocol.sse import EventDecoder
from qwenkit.types.ledger import Ledger
from qwenkit.types.reply import Receipt
from qwenkit.types.response import ConversationObject, Item, Items, Response
from qwenkit.types.response_tree import ResponseTree
from qwenkit.types.tools import Round, ToolRun

RECORDED = Path(__file__).parents[1] / "recorded" / "responses"
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
MOST = MAX_HTML + 20_000
texts = pytest.mark.parametrize("text", [text for _, text in HOSTILE], ids=[name for name, _ in HOSTILE])


def recorded(name: str) -> Response:
    one = ResponseFold()
    for event in EventDecoder().feed((RECORDED / f"{name}.sse").read_bytes()):
        one.add(event.data)
    return one.reply()


def answered(*output: dict[str, Any], **wire: Any) -> Response:
    return protocol.response({"id": "resp_1", "status": "completed", "output": list(output), **wire})


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def html(value: object) -> str:
    return bundle(value)["text/html"]


def shown(value: object) -> str:
    """The words of a card, as a reader without styles has them."""
    return " ".join(" ".join(read(html(value)).text).split())


# -- what is drawn ------------------------------------------------------------------------------------------------


def test_every_built_in_tool_shows_what_it_was_asked_and_what_it_found():
    words = shown(recorded("every_tool"))
    for found in (
        "read pages ferry times https://ferry.example/",
        "Departures at nine and at noon.",
        "ran code print(17*23)",
        "391",
        "searched the files “ferry”",
        "ferry.txt 0.83 The ferry leaves at nine.",
        "calls tide on tides",
        '{"m": 4.1}',
        "searched for pictures “ferry” 1 picture A ferry",
        "searched by picture",
        "Nine.",
    ):
        assert found in words


def test_items_stand_in_the_order_they_came():
    words = shown(recorded("web_search"))
    places = [words.index(part) for part in ("I look it up", "searched the web", "It says nine", "The ferry leaves")]
    assert places == sorted(places)
    assert "“ferry times” 1 source" in words


def test_sources_are_links_to_the_web_and_to_nowhere_else():
    sources = [
        {"url": url} for url in ("https://a.example/x?y=1&z=2", "javascript:alert(1)", "//b.example", "file:///c")
    ]
    value = answered({"type": "web_search_call", "action": {"queries": ["q"], "sources": sources}})
    assert read(html(value)).links == ["https://a.example/x?y=1&z=2"]
    assert "javascript:alert(1)" in shown(value)


def test_what_a_server_gave_back_is_its_result_and_no_source():
    given = json.dumps([{"port": "Brest", "metres": 4.1}])
    words = shown(answered({"type": "mcp_call", "name": "tide", "server_label": "tides", "output": given}))
    assert f"calls tide on tides result {given}" in words


def test_a_search_that_found_nothing_says_so_when_it_has_ended():
    for kind in ("file_search_call", "image_search_call"):
        assert "Nothing was found." in shown(answered({"type": kind, "status": "completed", "output": "[]"}))
        assert "Nothing was found." not in shown(answered({"type": kind, "status": "in_progress"}))


def test_an_unknown_item_is_its_json_folded_without_its_id():
    value = answered({"type": "shiny_call", "id": "msg_7", "status": "completed", "gleam": [1, 2]})
    assert "shiny_call" in shown(value)
    assert '"gleam"' in shown(value)
    assert "msg_7" not in html(value)


def test_thinking_is_folded_before_an_answer_and_open_without_one():
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    assert 'qk-thinking" open' in html(answered(thought))
    assert 'qk-thinking"><summary>' in html(answered(thought, message("So.")))


def test_ids_are_shown_nowhere():
    value = recorded("every_tool")
    for form in bundle(value).values():
        assert not re.search("msg_|resp_|box-1|file-1|kb-1", form)


def test_the_last_line_counts_tokens_and_tools():
    value = recorded("web_search")
    value.receipt = Receipt(model="m", sandbox=True)
    assert "sandbox" in shown(value)
    assert "1 × web_search" in shown(value)


def test_an_ending_that_needs_a_word_gets_one():
    assert "Cut at max_output_tokens" in shown(recorded("incomplete"))
    assert "Cut at max_output_tokens" in bundle(recorded("incomplete"))["text/plain"]
    failed = answered(status="failed", error={"code": "InternalError", "message": "broken"})
    assert "Failed: InternalError broken" in shown(failed)
    assert "The answer is empty." in shown(answered())


def test_text_plain_tells_the_same_story():
    assert bundle(recorded("every_tool"))["text/plain"].splitlines() == [
        "[web_extractor_call: ferry times → Departures at nine and at noon.]",
        "[code_interpreter_call: print(17*23) → 391]",
        "[file_search_call: ferry → 1 found]",
        '[tide: {"port": "Brest"} → {"m": 4.1}]',
        "[web_search_image_call: ferry → 1 found]",
        '[image_search_call: {"img_idx": 0, "bbox": [0, 0, 1000, 1000]} → 0 found]',
        "Nine.",
    ]
    assert bundle(recorded("function"))["text/plain"] == 'tide({"port": "Brest"})'


def test_your_own_functions_are_drawn_with_their_results():
    value = answered(message("Low."))
    value.rounds = [Round(runs=[ToolRun(name="tide", arguments='{"port": "Brest"}', result="4.1")])]
    assert "tide" in shown(value)
    assert bundle(value)["text/plain"] == 'tide({"port": "Brest"}) → 4.1\nLow.'


@pytest.mark.parametrize("name", ["thinking", "web_search", "every_tool", "incomplete"])
def test_a_card_may_be_drawn_after_every_event(name: str):
    one, drafts = ResponseFold(), {}
    for event in EventDecoder().feed((RECORDED / f"{name}.sse").read_bytes()):
        one.add(event.data)
        drawn = card(
            one.reply(), running=True, words=lambda choice: drafts.setdefault(choice.index, Draft()).html(choice)
        )
        assert "".join(read(drawn).text)
    assert "qk-running" in drawn
    for word in one.reply().text.split():
        assert word in drawn


def test_an_interrupted_card_says_so():
    assert "Interrupted" in card(answered(message("So")), remark="Interrupted here.")


def test_many_items_and_sources_have_an_end():
    many = answered(*[message(f"No. {n}") for n in range(200)])
    assert f"… {200 - view.MAX_ITEMS} more items" in shown(many)
    sources = [{"url": f"https://a.example/{n}"} for n in range(50)]
    value = answered({"type": "web_search_call", "action": {"query": "q", "sources": sources}})
    assert "50 sources" in shown(value)
    assert f"… {50 - view.MAX_SOURCES} more sources" in shown(value)


# -- lists, conversations, ledger ---------------------------------------------------------------------------------


def test_items_are_a_table_of_who_said_what():
    value = Items([Item({"role": "user", "content": "Hi"}), Item(message("Hello"))])
    assert bundle(value)["text/plain"] == "2 items\nuser: Hi\nassistant: Hello"
    assert "1 item" in shown(Items([Item(message("x"))]))
    assert bundle(Items([]))["text/plain"] == "0 items"


def test_a_conversation_shows_its_metadata_and_no_id():
    value = ConversationObject("conv_1", 1, {"topic": "ferries"})
    assert bundle(value)["text/plain"] == "A conversation kept by the service\ntopic: ferries"
    assert "conv_1" not in html(value) + repr(value)


def test_the_ledger_counts_built_in_tools():
    ledger = Ledger()
    ledger.add(family="responses", model="m", prompt=1, tools={"web_search": 2})
    ledger.add(family="responses", model="m", prompt=1, tools={"web_search": 1, "code_interpreter": 1})
    assert ledger.tools == {"web_search": 3, "code_interpreter": 1}
    assert "Built-in tools: 3 × web_search, 1 × code_interpreter" in shown(ledger)
    assert bundle(ledger)["text/plain"].endswith("Built-in tools: 3 × web_search, 1 × code_interpreter")
    assert "2 × web_search" in shown(ledger)


# -- the tree -----------------------------------------------------------------------------------------------------


def grown(*links: tuple[str, str]) -> ResponseTree:
    tree = ResponseTree()
    for name, previous in links:
        tree.add(f"ask {name}", answered(message(f"say {name}"), id=name, previous_response_id=previous))
    return tree


def test_a_chain_runs_down_and_a_fork_opens_branches():
    tree = grown(("a", ""), ("b", "a"), ("c", "b"), ("d", "b"), ("e", "c"), ("f", ""))
    assert bundle(tree)["text/plain"].splitlines() == [
        "6 turns",
        "1 ask a → say a",
        "↳ 2 ask b → say b",
        "├─ 3 ask c → say c",
        "│  ↳ 5 ask e → say e",
        "└─ 4 ask d → say d",
        "6 ask f → say f",
    ]
    assert read(html(tree))
    assert html(tree).count("<ul") == 4


def test_a_tree_tells_tools_and_earlier_sessions():
    tree = ResponseTree()
    search = {"type": "web_search_call", "action": {"query": "q"}}
    tree.add("Which?", answered(search, message("Nine."), id="a", previous_response_id="before"))
    assert bundle(tree)["text/plain"] == "1 turn\n1 (goes on from an earlier session) Which? → Nine. [web_search]"
    assert "No responses yet." in shown(ResponseTree())


def test_a_large_tree_has_an_end():
    deep = grown(*[(str(n), str(max(n - 1 - n % 2, 0)) if n else "") for n in range(300)])
    assert "… 240 later turns" in bundle(deep)["text/plain"]
    read(html(deep))
    assert len(html(deep)) < MOST


# -- hostile texts ------------------------------------------------------------------------------------------------


def values(text: str) -> list[object]:
    """One of every kind of value, with the text wherever a stranger's text may stand."""
    parts = [{"type": "output_text", "text": text}]
    found = [
        {"url": text, "title": text, "filename": text, "text": text, "score": 0.5},
        {"url": "https://a.example/" + text},
    ]
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]},
        {"type": "web_search_call", "action": {"queries": [text] * 9, "sources": found}},
        {"type": "web_extractor_call", "goal": text, "urls": [text, "https://a.example/" + text], "output": text},
        {"type": "code_interpreter_call", "code": text, "outputs": [{"type": "logs", "logs": text}]},
        {"type": "web_search_image_call", "name": text, "arguments": text, "output": json.dumps(found)},
        {"type": "image_search_call", "name": text, "arguments": text, "output": text},
        {"type": "file_search_call", "queries": [text], "results": found},
        {"type": "mcp_call", "name": text, "server_label": text, "arguments": text, "output": text},
        {"type": "function_call", "name": text, "arguments": text, "call_id": text},
        {"type": text, text[:50]: text},
        {"type": "message", "role": text, "content": parts},
    ]
    reply = answered(*output, model=text, status="incomplete", incomplete_details={"reason": text})
    reply.receipt = Receipt(model=text, latency=0.1)
    failed = answered(error={"code": text, "message": text}, status="failed")
    tree = ResponseTree()
    tree.add(text, reply)
    tree.add(text, answered(message(text), id="2", previous_response_id="resp_1"))
    items = [Item(each) for each in output]
    each = items if len(text) < 10_000 else []  # the reply holds them all; drawn one by one the largest take long
    return [reply, failed, tree, Items(items), *each, ConversationObject(text, 1, {text: text})]


@texts
def test_every_card_is_inert_and_bounded(text: str):
    for value in values(text):
        forms = bundle(value)
        assert "text/html" in forms, f"{value!r:.60} fell back to its repr"
        read(forms["text/html"])
        for form in forms.values():
            assert not _UNSEEN.search(form.replace("\n", "")), repr(value)[:60]
            assert len(form) < MOST, f"{value!r:.60}: {len(form)}"
        forms["text/html"].encode("utf-8")


def test_the_same_value_gives_the_same_bytes():
    for name, text in HOSTILE:
        if (name, text) not in BOMBS:
            assert [bundle(value) for value in values(text)] == [bundle(value) for value in values(text)], name
