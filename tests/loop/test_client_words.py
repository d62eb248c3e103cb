"""Translation, search, cache marks and fill-in-the-middle against the sandbox, in both flavours."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from flavours import done, pieces

import qwenkit as qk
from qwenkit.sandbox import Sandbox, web

MT = pytest.mark.parametrize("model", ["qwen-mt-flash", "qwen-mt-plus", "qwen-mt-turbo", "qwen-mt-lite"])


def body(box: Sandbox) -> dict[str, Any]:
    return box.requests[-1].json


@MT
async def test_a_text_is_translated_both_ways(qwen: Any, box: Sandbox, model: str):
    there = await done(qwen.translate("Good morning! Where is the harbour?", to="Chinese", model=model))
    assert there.text == "早上好！港口在哪里？"
    assert body(box)["translation_options"] == {"source_lang": "auto", "target_lang": "Chinese"}
    back = await done(qwen.translate(there.text, to="English", model=model))
    assert back.text == "Good morning! Where is the harbour?"
    assert back.cost.amount > 0
    assert back.raw["usage"]["prompt_tokens_details"] is None


@MT
async def test_both_dialects_stream_into_the_same_text(qwen: Any, model: str):
    text = "The ferry leaves at nine. Where is the lighthouse?"
    stream = qwen.translate.stream(text, to="Chinese", model=model)
    said = [piece.text async for piece in pieces(stream) if piece.text]
    assert "".join(said) == stream.reply.text == (await done(qwen.translate(text, to="Chinese", model=model))).text
    texts = [event["choices"][0]["delta"]["content"] for event in stream.reply.raw if event["choices"]]
    cumulative = model in ("qwen-mt-plus", "qwen-mt-turbo")
    assert (texts[-1] == stream.reply.text) is cumulative


async def test_terms_memory_and_domains_travel_and_hold(qwen: Any, box: Sandbox):
    options = {
        "terms": {"harbour": "码头"},
        "memory": [("See you there!", "不见不散！")],
        "domains": "Talk of sailors.",
    }
    reply = await done(qwen.translate("The harbour is big. See you there!", to="Chinese", source="English", **options))
    assert reply.text == "码头是大。不见不散！"
    assert body(box)["translation_options"] == {
        "source_lang": "English",
        "target_lang": "Chinese",
        "terms": [{"source": "harbour", "target": "码头"}],
        "tm_list": [{"source": "See you there!", "target": "不见不散！"}],
        "domains": "Talk of sailors.",
    }


async def test_a_term_is_taken_as_it_is(qwen: Any):
    reply = await done(qwen.translate("Open a.b", to="French", terms={"a.b": r"\g<0>"}))
    assert reply.text.startswith(r"Open \g<0> [")
    for text, terms, said in [
        ("The ferry leaves at nine.", {"ferry": "渡船"}, "渡船九点开。"),
        ("Where is the harbour?", {"harbour": "码头"}, "码头在哪里？"),
        ("The ferry leaves at nine.", {"leaves": "启航"}, "渡轮启航在九。【逐词直译】"),
    ]:
        assert (await done(qwen.translate(text, to="Chinese", terms=terms))).text == said


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("How much is the ticket?", "票多少钱？"),
        ("Hello, where is the library?", "你好，图书馆在哪里？"),
        ("Where is my room?", "我的房间在哪里？"),
        ("Where is Beijing?", "北京在哪里？"),
        ("When does the ferry leave?", "渡轮什么时候开？"),
        ("What time does the museum open?", "博物馆几点开门？"),
        ("The train arrives at 10.", "火车10点到。"),
        ("What is machine learning?", "什么是机器学习？"),
        ("How do I get to the station?", "怎么去车站？"),
        ("Do you have any tea?", "你们有茶吗？"),
    ],
)
async def test_common_sentences_have_a_frame_in_both_languages(qwen: Any, english: str, chinese: str):
    assert (await done(qwen.translate(english, to="zh"))).text == chinese
    assert (await done(qwen.translate(chinese, to="英文"))).text == english


@pytest.mark.parametrize(
    ("text", "to", "said"),
    [
        ("The quokka eats an apple.", "Chinese", "quokka吃苹果。【沙箱词表里没有：quokka】"),
        ("我喜欢鸭嘴兽。", "English", "I like 鸭嘴兽. [not in the sandbox's glossary: 鸭, 嘴, 兽]"),
        ("2026-05-03, 2 June 2026", "Chinese", "2026年5月3日，2026年6月2日"),
        ("Hello", "French", "Hello [not translated: the sandbox has only English and Chinese]"),
        ("The train arrives at 9:30 on May 3, 2026.", "Chinese", "火车到达在9:30在2026年5月3日。【逐词直译】"),
        ("2026年5月3日", "English", "May 3, 2026"),
        ("How much is a ticket?", "Chinese", "票多少钱？"),
        ("你好，请问图书馆在哪里？", "en", "Hello, where is the library?"),
        ("我今天喜欢猫和狗。", "English", "I today like cat and dog. [word for word]"),
        ("Hello", "English", "Hello"),
    ],
)
async def test_the_glossary_says_what_it_does_not_know(qwen: Any, text: str, to: str, said: str):
    assert (await done(qwen.translate(text, to=to))).text == said


async def test_qwen_mt_takes_one_message_of_the_user_and_known_languages(qwen: Any):
    with pytest.raises(qk.InvalidRequest, match="暂时不支持当前设置的语种！"):
        await done(qwen.translate("Hello", to="Klingon"))
    options = {"source_lang": "auto", "target_lang": "Chinese"}
    with pytest.raises(qk.InvalidRequest, match="exactly one message"):
        await done(qwen.chat("Hello", system="Hi", model="qwen-mt-flash", translation_options=options))
    with pytest.raises(qk.InvalidRequest, match="translation_options"):
        await done(qwen.chat("Hello", model="qwen-mt-flash"))
    for wrong, cure in [
        ({}, 'to="Chinese"'),
        ({"to": "Chinese", "terms": [("a",)]}, "terms={"),
        ({"to": "Chinese", "terms": 7}, "terms={"),
        ({"to": "Chinese", "memory": {"a": 1}}, "memory={"),
        ({"to": "Chinese", "term": {"a": "b"}}, "did you mean 'terms'"),
        ({"to": "Chinese", "system": "Be polite."}, "domains=…"),
    ]:
        with pytest.raises(qk.ConfigError) as raised:
            await done(qwen.translate("Hello", **wrong))
        assert cure in raised.value.hint
    with pytest.raises(qk.ConfigError, match="takes a text"):
        await done(qwen.translate(["Hello"], to="Chinese"))


async def test_search_puts_pages_before_the_model(qwen: Any):
    question = "How large is the tidal range in the Bay of Fundy?"
    alone = await done(qwen.chat(question))
    found = await done(qwen.chat(question, enable_search=True))
    assert "16 metres" not in alone.text
    assert "16 metres" in found.text
    assert found.usage.prompt > alone.usage.prompt + 50
    assert "search_info" not in found.raw
    assert "632" in (await done(qwen.chat("上海中心大厦有多高？", enable_search=True))).text


async def test_search_is_left_out_where_it_is_no_use_unless_it_is_forced(qwen: Any):
    plain, idle, forced = [
        (await done(qwen.chat("What is 2 + 3 in the sky?", **options))).usage.prompt
        for options in ({}, {"enable_search": True}, {"enable_search": True, "search_options": {"forced_search": True}})
    ]
    assert plain == idle < forced


async def test_search_keeps_to_the_sites_it_is_given(qwen: Any):
    asked = "What is a knot?"
    sea, kitchen = [
        await done(qwen.chat(asked, enable_search=True, search_options={"assigned_site_list": [site]}))
        for site in ("sea.example", "kitchen.example")
    ]
    assert "nautical mile" in sea.text
    assert kitchen.usage.prompt < sea.usage.prompt


@pytest.mark.parametrize(
    ("options", "model"),
    [
        ({"search_strategy": "standard"}, "qwen-plus"),
        ({"freshness": 8}, "qwen-plus"),
        ({"freshness": 7, "search_strategy": "max"}, "qwen-plus"),
        ({"assigned_site_list": ["a.example"] * 26}, "qwen-plus"),
        ({"search_strategy": "agent"}, "qwen3.8-max"),
        ({}, "kimi-k2.6"),
    ],
)
async def test_search_options_are_those_of_the_documents(qwen: Any, options: dict[str, Any], model: str):
    with pytest.raises(qk.InvalidRequest):
        await done(qwen.chat("Hi", model=model, enable_search=True, search_options=options))


def test_the_page_set_is_small_clean_and_findable():
    pages = web._pages()
    assert len(pages) >= 40
    assert sum(any("\u4e00" <= sign <= "\u9fff" for sign in page.title) for page in pages) >= 12
    assert all(page.site.endswith(".example") and page.url == f"https://{page.url[8:]}" for page in pages)
    assert all(web.page(page.url) == page == web.search(page.title, 1)[0] for page in pages)
    assert web.search("zzzz") == []
    assert web.page("https://nowhere.example/") is None


async def test_a_cache_mark_is_written_once_and_read_cheaper(qwen: Any, box: Sandbox):
    manual = "The ferry leaves the old harbour at nine. " * 150
    messages = [qk.Message.system(manual + box.url).cached(), "When does the ferry leave?"]
    first, second = [await done(qwen.chat(messages)) for _ in range(2)]
    assert body(box)["messages"][0]["content"][-1]["cache_control"] == {"type": "ephemeral"}
    if first.usage.cache_created:  # the other flavour may have been here
        assert first.cost.amount > 5 * second.cost.amount
        assert "written to the cache" in first._repr_mimebundle_()["text/html"]
    assert second.usage.cached > 1024
    assert second.usage.marked
    assert second.usage.cache_created == 0
    plain = await done(qwen.chat([qk.Message.system("x" + manual), "When does the ferry leave?"]))
    assert second.cost.amount == pytest.approx(
        (0.08 * second.usage.cached + 0.8 * (second.usage.prompt - second.usage.cached) + 2 * second.usage.completion)
        / 1e6
    )
    assert plain.cost.amount > second.cost.amount


GAPS = [
    ("def add(a, b):\n", "\n\nprint(add(1, 2))\n", "return a + b"),
    ("def is_even(n):", "", "return n % 2 == 0"),
    ("class P:\n    def __init__(self, x, y):\n", "", "self.y = y"),
    ("def quick_sort(arr):", "", "pivot"),
    ("print(max([1, 2, 3", "", "])"),
]


@pytest.mark.parametrize(("before", "after", "middle"), GAPS)
async def test_a_gap_is_filled_with_code_that_runs(qwen: Any, box: Sandbox, before: str, after: str, middle: str):
    reply = await done(qwen.completions(before, suffix=after))
    assert middle in reply.text
    assert reply.code == before + reply.text + after
    ast.parse(reply.code)
    assert body(box) == {
        "model": "qwen-coder-turbo",
        "prompt": f"<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>",
    }
    assert reply.usage.total == reply.usage.prompt + reply.usage.completion
    stream = qwen.completions.stream(before, suffix=after)
    said = [piece.text async for piece in pieces(stream)]
    assert "".join(said) == stream.reply.text == reply.text
    assert stream.reply.usage == reply.usage
    assert '<mark class="qk-middle">' in reply._repr_mimebundle_()["text/html"]


async def test_a_gap_it_cannot_fill_gets_a_comment_that_says_so(qwen: Any):
    reply = await done(qwen.completions("def frobnicate(a):\n", suffix=""))
    assert reply.text.strip() == "# the qwenkit sandbox does not know what belongs here"
    assert (await done(qwen.completions("function f(a) {\n", suffix="\n}"))).text.strip().startswith("//")


async def test_a_sorted_list_comes_out_of_the_filled_sort(qwen: Any):
    reply = await done(qwen.completions("def quick_sort(numbers):"))
    room: dict[str, Any] = {}
    exec(reply.code, room)
    assert room["quick_sort"]([3, 1, 2, 1]) == [1, 1, 2, 3]


async def test_completions_are_for_coders_and_booked(qwen: Any, client: qk.Client):
    with pytest.raises(qk.NotFound, match="Unsupported model"):
        await done(qwen.completions("def f():", model="qwen-plus"))
    for wrong in ({"schema": int}, {"suffix": 7}, {"thinking": True}, {"nonsense": 1}):
        with pytest.raises(qk.ConfigError):
            await done(qwen.completions("def f():", **wrong))
    before = len(client.usage)
    reply = await done(qwen.completions("def double(n):", max_tokens=3))
    assert (reply.finish_reason, reply.usage.completion) == ("length", 3)
    assert len(client.usage) == before + 1
    assert reply.cost.amount > 0


async def test_only_translation_models_translate_and_the_target_has_a_name(qwen: Any):
    with pytest.raises(qk.ConfigError, match="qwen-plus is no translation model → use qwen-mt"):
        await done(qwen.translate("Hello", to="Chinese", model="qwen-plus"))
    with pytest.raises(qk.ConfigError, match='called to here: to="Chinese"'):
        await done(qwen.translate("Hello", target="Chinese"))
