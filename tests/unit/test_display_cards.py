"""The cards, kind by kind: what they say, what they leave out, what they mark as varying, and where they end."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
from inert import read

from qwenkit import catalogue
from qwenkit.display import bundle
from qwenkit.display.page import page, style, volatile
from qwenkit.errors import QwenError, RateLimited, StreamBroken
from qwenkit.notebook.folding import without_volatile
from qwenkit.types.audio import Audio
from qwenkit.types.connection import CheckUp, Connection, Finding
from qwenkit.types.image import Image
from qwenkit.types.ledger import Ledger
from qwenkit.types.message import Message
from qwenkit.types.models import ModelTable
from qwenkit.types.reply import Choice, Receipt, Reply, ToolCall
from qwenkit.types.usage import CompletionDetails, Cost, PromptDetails, Usage
from qwenkit.types.wire import Exchange, Wire, WireEvent


def text_of(html: str) -> str:
    return " ".join("".join(read(html).text).split())


def html_of(value: object) -> str:
    return bundle(value)["text/html"]


def said(value: object) -> str:
    """The words on the card."""
    return text_of(html_of(value))


def a_reply(**receipt: Any) -> Reply:
    usage = Usage(23, 110, 133, PromptDetails(cached_tokens=5), CompletionDetails(reasoning_tokens=64))
    choice = Choice(text="It is **blue**. 天是蓝的。", thinking="Rayleigh.", finish_reason="stop")
    return Reply(choices=[choice], usage=usage, model="qwen-plus", receipt=Receipt(cost=Cost(0.000123), **receipt))


class TestBundle:
    def test_a_subclass_finds_the_view_of_its_base(self) -> None:
        class Special(RateLimited):
            pass

        assert "Special" in said(Special("slow down"))

    def test_a_value_without_a_view_is_its_repr(self) -> None:
        assert bundle(3) == {"text/plain": "3"}

    def test_a_view_that_fails_costs_nobody_the_value(self) -> None:
        broken = Reply(choices=[None])  # type: ignore[list-item]
        assert set(bundle(broken)) == {"text/plain"}

    def test_not_even_a_repr_that_fails(self) -> None:
        class Broken(QwenError):
            message = None  # type: ignore[assignment]

            def __init__(self) -> None: ...

            def __repr__(self) -> str:
                raise RuntimeError

        assert bundle(Broken()) == {"text/plain": "<Broken>"}

    def test_values_find_their_view_by_themselves(self) -> None:
        assert a_reply()._repr_mimebundle_() == bundle(a_reply())

    def test_the_style_sheet_holds_only_what_the_card_uses(self) -> None:
        assert "meter" not in style("<p>x</p>")
        assert "meter" in style("<meter>")
        assert len(html_of(Reply(choices=[Choice(text="Hi.")]))) < 2_500

    def test_too_much_markup_becomes_a_remark(self) -> None:
        assert "Too much to show" in page("x", "<p>x</p>" * 100_000)


class TestReply:
    def test_the_plain_text_is_the_answer(self) -> None:
        assert bundle(a_reply(latency=0.4))["text/plain"] == "It is **blue**. 天是蓝的。"

    def test_the_footer_tells_model_tokens_cost_and_time(self) -> None:
        foot = said(a_reply(latency=0.42, first_token=0.1)).partition("qwen-plus")[2]
        assert foot == " · 23 + 110 tokens (64 thinking, 5 cached) · ≈ ¥0.000123 · 0.42 s, first token 0.10 s"

    def test_the_sandbox_says_that_it_is_free(self) -> None:
        assert "sandbox · 23 + 110 tokens (64 thinking, 5 cached) · free (live ≈ ¥0.000123)" in said(
            a_reply(sandbox=True)
        )

    def test_two_runs_differ_only_in_marked_figures(self) -> None:
        one, two = (html_of(a_reply(latency=time, request_id=str(time))) for time in (0.42, 12.3))
        assert one != two
        assert without_volatile(one) == without_volatile(two)

    def test_no_request_id_is_saved(self) -> None:
        assert "8a7c" not in str(bundle(a_reply(request_id="8a7c")))

    def test_thinking_is_folded_when_there_is_an_answer_and_open_when_not(self) -> None:
        assert '<details class="qk-fold qk-thinking">' in html_of(a_reply())
        assert "qk-thinking open" not in html_of(a_reply())
        assert '<details class="qk-fold qk-thinking" open>' in html_of(Reply(choices=[Choice(thinking="Hm.")]))

    def test_a_cut_answer_says_so(self) -> None:
        assert "Cut at max_tokens" in said(Reply(choices=[Choice(text="The", finish_reason="length")]))

    def test_an_empty_answer_says_so(self) -> None:
        assert "The answer is empty." in said(Reply(choices=[Choice()]))

    def test_tool_calls_show_name_and_arguments(self) -> None:
        short, long = '{"city":"杭州"}', json.dumps({"list": list(range(40))})
        reply = Reply(
            choices=[Choice(tool_calls=[ToolCall(name="weather", arguments=short), ToolCall("", "add", long)])]
        )
        assert 'calls weather{"city": "杭州"}' in said(reply)
        assert "\n    39\n" in html_of(reply)
        assert bundle(reply)["text/plain"].startswith('weather({"city":"杭州"})\nadd({"list"')

    def test_several_answers_are_numbered(self) -> None:
        reply = Reply(choices=[Choice(index=index, text=f"answer {index}") for index in range(12)])
        assert bundle(reply)["text/plain"].startswith("[1] answer 0\n\n[2] answer 1")
        assert "… 4 more answers in reply.texts" in said(reply)


class TestError:
    error = RateLimited(
        "Too fast.",
        status=429,
        code="limit_requests",
        request="POST http://127.0.0.1:41233/compatible-mode/v1/chat/completions",
        request_id="8a7c",
        tries=4,
        hint="wait a minute",
    )

    def test_the_card_says_what_to_which_request_and_what_next(self) -> None:
        card = said(self.error)
        assert card.startswith("RateLimited 429 limit_requests Too fast. → wait a minute POST http://127.0.0.1")
        assert card.endswith("tried 4 times · request 8a7c")

    def test_the_request_id_and_the_port_are_volatile(self) -> None:
        assert volatile("request 8a7c") in html_of(self.error)
        assert volatile(":41233") in html_of(self.error)

    def test_the_plain_text_is_one_steady_line(self) -> None:
        assert bundle(self.error)["text/plain"] == (
            "RateLimited 429 limit_requests: Too fast. "
            "(POST http://127.0.0.1/compatible-mode/v1/chat/completions, tried 4 times) → wait a minute"
        )

    def test_a_broken_stream_keeps_what_had_arrived(self) -> None:
        broken = StreamBroken("cut")
        broken.reply = Reply(choices=[Choice(text="The sky is")])
        assert "What had arrived The sky is" in said(broken)


class TestConnection:
    def test_the_sandbox_says_what_it_is(self) -> None:
        connection = Connection(
            masked_key="sk-…abcd", urls={"chat": "http://127.0.0.1:41233/compatible-mode/v1"}, sandbox=True, notes=["n"]
        )
        card = said(connection)
        assert "This is the qwenkit sandbox" in card
        assert "not Qwen: no key, no network, no cost" in card
        assert "sk-" not in card
        assert "41233" not in bundle(connection)["text/plain"]
        assert "41233" not in without_volatile(html_of(connection))

    def test_a_live_client_shows_where_and_with_which_key(self) -> None:
        connection = Connection(
            region="singapore", workspace="ws-1", masked_key="sk-…abcd", key_from="DASHSCOPE_API_KEY", model="qwen-plus"
        )
        card = said(connection)
        assert "Connected to Model Studio" in card
        for fact in ("singapore", "ws-1", "sk-…abcd (from DASHSCOPE_API_KEY)", "qwen-plus"):
            assert fact in card
            assert fact in bundle(connection)["text/plain"]

    def test_a_check_up_counts_problems_and_names_cures(self) -> None:
        findings = [Finding("Python", True, "3.12"), Finding("Key", False, "not set", "set it"), Finding("voice", None)]
        card = said(CheckUp(findings))
        assert card.startswith("1 problem")
        assert "✗ problem Key" in card.replace("problemKey", "problem Key")
        assert "not set→ set it" in card
        assert bundle(CheckUp(findings))["text/plain"].splitlines()[2] == "✗ problem  Key     not set → set it"
        assert said(CheckUp(findings[:1])).startswith("All is well")


class TestLedger:
    def ledger(self, calls: int = 3) -> Ledger:
        ledger = Ledger(Cost(0.01))
        for number in range(calls):
            model = f"qwen-{'plus' if number % 2 else 'max'}"
            ledger.add(family="chat", model=model, prompt=100, completion=50, cost=Cost(0.001), latency=0.1 * number)
        return ledger

    def test_totals_by_model_and_the_budget(self) -> None:
        plain = bundle(self.ledger())["text/plain"]
        assert plain == (
            "3 calls, 450 tokens, ≈ ¥0.003000 at list prices\n"
            "model      calls  prompt  completion     ≈ cost\n"
            "qwen-max       2     200         100  ¥0.002000\n"
            "qwen-plus      1     100          50  ¥0.001000\n"
            "≈ ¥0.003000 of ¥0.0100 budget (30%)"
        )

    def test_columns_appear_only_when_some_call_fills_them(self) -> None:
        ledger = self.ledger()
        assert "reasoning" not in said(ledger)
        ledger.add(family="chat", model="m", prompt=1, completion=9, reasoning=8, ok=False)
        assert "reasoning" in said(ledger)
        assert "failed" in said(ledger)

    def test_what_is_not_counted_in_tokens_says_in_what(self) -> None:
        ledger = self.ledger(1)
        for unit, much in {"characters": 1_234, "images": 1, "seconds": 2.5}.items():
            ledger.add(family="f", model=unit, **{unit: much})
        rows = [line.split() for line in bundle(ledger)["text/plain"].splitlines()[1:]]
        assert rows[0] == ["model", "calls", "prompt", "completion", "counted", "≈", "cost"]
        assert rows[1] == ["qwen-max", "1", "100", "50", "¥0.001000"]
        assert rows[2] == ["characters", "1", "–", "–", "1,234", "characters", "–"]
        assert rows[3] == ["images", "1", "–", "–", "1", "picture", "–"]
        assert rows[4] == ["seconds", "1", "–", "–", "2.5", "s", "–"]
        assert said(ledger).count("1,234 characters") == 2

    def test_times_are_volatile_and_not_in_the_plain_text(self) -> None:
        assert volatile("0.20 s") in html_of(self.ledger())
        assert " s" not in bundle(self.ledger())["text/plain"].replace("tokens", "").replace("calls", "").replace(
            "list prices", ""
        )

    def test_a_long_session_is_cut_to_the_latest_calls(self) -> None:
        assert "… 160 earlier calls" in said(self.ledger(200))
        assert len(html_of(self.ledger(5_000))) < 60_000

    def test_no_calls(self) -> None:
        assert bundle(Ledger())["text/plain"] == "No calls yet."

    def test_two_currencies_are_never_added(self) -> None:
        ledger = self.ledger()
        ledger.add(family="chat", model="m", cost=Cost(1.5, "USD"))
        assert "¥0.003000 + $1.50" in said(ledger)


class Talk:
    model, policy, context_used, context_limit = "qwen-plus", "trim", 1204, 131072

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages


Talk.__module__, Talk.__qualname__ = "qwenkit.api.conversation", "ConversationCalls"


class TestConversation:
    messages = [
        Message.system("Be brief."),
        Message.user([{"type": "image_url", "image_url": {}}, {"type": "text", "text": "What is *this*?"}]),
        Message("assistant", None, tool_calls=[{"function": {"name": "look", "arguments": "{}"}}]),
        Message.tool('{"seen": "碗"}', "call_1"),
        Message("assistant", "A bowl. 🍜", reasoning_content="Round."),
    ]

    def test_bubbles_meter_and_policy(self) -> None:
        card = said(Talk(self.messages))
        for words in (
            "1,204 of 131,072 tokens",
            "you What is this?",
            "with image",
            "calls look",
            "A bowl. 🍜",
            "when full: trim",
        ):
            assert words in card
        assert '<meter class="qk-bar qk-good"' in html_of(Talk(self.messages))

    def test_the_plain_text_is_a_script(self) -> None:
        assert bundle(Talk(self.messages))["text/plain"].splitlines() == [
            "qwen-plus, 1,204 of 131,072 tokens, when full: trim",
            "system: Be brief.",
            "user: What is *this*? (image)",
            "assistant: look(…)",
            'tool: {"seen": "碗"}',
            "assistant: A bowl. 🍜",
        ]

    def test_a_long_talk_shows_its_end(self) -> None:
        card = said(Talk([Message.user(f"number {number}") for number in range(100)]))
        assert "… 60 earlier messages" in card
        assert "number 99" in card
        heavy = html_of(Talk([Message.user("word " * 2_000) for _ in range(40)]))
        assert len(heavy) < 100_000
        assert "earlier messages" in heavy

    def test_pictures_and_sounds_are_few_and_small(self) -> None:
        noise = [Image.of(np.random.default_rng(seed).integers(0, 255, (400, 500, 3), np.uint8)) for seed in range(9)]
        sound = Audio(np.random.default_rng(1).uniform(-0.5, 0.5, 40 * 24_000).astype("float32"), 24_000)
        heard = [{"type": "input_audio", "input_audio": {"data": sound}}] * 4
        seen = [{"type": "image_url", "image_url": {"url": each}} for each in noise]
        broken = [{"type": "image_url", "image_url": {"url": url}} for url in ("data:image/png;base64,AA", "x", [])]
        card = html_of(Talk([Message.user(seen), Message.user(heard), Message.user(broken)]))
        assert (card.count("<img "), card.count("<audio ")) == (6, 2)
        assert card.count("with image, image, image<") == 2
        assert "with audio, audio<" in card
        assert len(card) < 400_000

    def test_an_unknown_window_has_no_meter(self) -> None:
        talk = Talk([])
        talk.context_limit = None  # type: ignore[assignment]
        assert "<meter" not in html_of(talk)
        assert "Nothing said yet." in said(talk)


class TestModels:
    def test_a_row_tells_what_a_newcomer_asks(self) -> None:
        model = catalogue.model("qwen-plus")
        assert model is not None
        card = said(ModelTable([model]))
        assert card.startswith("1 model")
        assert "qwen-plus" in card
        assert f"{round((model.context or model.max_input or 0) / 1e6)}M" in card
        assert f"as of {model.prices[0].dated}" in card

    def test_a_long_list_is_cut_and_says_so(self) -> None:
        table = ModelTable(catalogue.models() * 3, [f"new-{number}" for number in range(60)])
        assert f"… {len(table.rows) - 80:,} more models" in said(table)
        assert "and 20 more" in said(table)
        assert len(html_of(table)) < 80_000

    def test_every_model_of_the_catalogue_can_be_shown(self) -> None:
        for model in catalogue.models():
            assert model.name in said(ModelTable([model]))


class TestWire:
    def exchange(self, **how: Any) -> Exchange:
        facts: dict[str, Any] = {
            "method": "POST",
            "url": "http://127.0.0.1:41233/compatible-mode/v1/chat/completions",
            "request_headers": {"Authorization": "Bearer sk-…abcd", "Content-Type": "application/json"},
            "request_body": '{"model":"qwen-plus","messages":[{"role":"user","content":"天"}]}',
            "status": 200,
            "response_headers": {"content-type": "text/event-stream; charset=utf-8", "x-request-id": "8a7c"},
            "events": [WireEvent(0.1 * at, f'{{"id":"chatcmpl-8a7c","created":17,"n":{at}}}') for at in range(40)],
            "headers_after": 0.05,
            "finished_after": 0.9,
        }
        return Exchange(**{**facts, **how})

    def wire(self, *exchanges: Exchange) -> Wire:
        wire = Wire()
        wire.exchanges += exchanges
        return wire

    def test_the_plain_text_is_a_line_for_each_exchange(self) -> None:
        plain = bundle(self.wire(self.exchange(status=429, events=[]), self.exchange(attempt=2)))["text/plain"]
        assert plain == (
            "1  POST /compatible-mode/v1/chat/completions → 429\n"
            "2  POST /compatible-mode/v1/chat/completions (attempt 2) → 200, 40 events"
        )

    def test_whatever_changes_from_run_to_run_is_marked(self) -> None:
        steady = without_volatile(html_of(self.exchange()))
        for passing in ("41233", "8a7c", "0.90 s", "sk-", "created&quot;:17"):
            assert passing not in steady
        for lasting in ("qwen-plus", "天", "application/json", "40 events"):
            assert lasting in steady

    def test_first_and_last_events_are_shown(self) -> None:
        html = html_of(self.exchange())
        assert "… 16 more events" in html
        assert "&quot;n&quot;:0}" in html
        assert "&quot;n&quot;:39}" in html
        assert "&quot;n&quot;:25}" not in html

    def test_an_error_is_an_arrow_too(self) -> None:
        assert "✗ connection reset" in said(self.exchange(status=None, events=[], error="connection reset"))

    def test_a_long_trace_stays_light(self) -> None:
        body = json.dumps({"text": "word " * 5_000})
        wire = self.wire(*[self.exchange(request_body=body, response_body=body) for _ in range(50)])
        assert "… 38 more exchanges" in said(wire)
        assert len(html_of(wire)) < 180_000

    def test_nothing(self) -> None:
        assert bundle(Wire())["text/plain"] == "Nothing went over the wire."


@pytest.mark.parametrize("calls", [0, 1, 30])
def test_the_chart_shows_itself_and_needs_no_pyplot(calls: int) -> None:
    ledger = Ledger()
    for number in range(calls):
        ledger.add(
            family="chat",
            model="m",
            prompt=100 + number,
            completion=50,
            reasoning=20,
            cached=30,
            image=10,
            cost=Cost(0.001),
        )
    chart = ledger.chart()
    shown = chart._repr_mimebundle_()
    assert shown["image/png"].startswith("iVBOR")
    assert len(shown["image/png"]) < 60_000
    assert shown == ledger.chart()._repr_mimebundle_()
    assert shown["text/plain"].startswith(f"Chart: {calls} calls")
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
