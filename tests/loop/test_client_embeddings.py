"""Embeddings against the sandbox: splitting, order, both encodings, what is refused, what is booked."""

from __future__ import annotations

import asyncio
import base64
import io
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flavours import done
from PIL import Image

import qwenkit as qk
from qwenkit.protocol.flow import Flow, Pause, Together
from qwenkit.sandbox import Sandbox
from qwenkit.types.embeddings import Embeddings

PAIRS = ["The cat sat on the mat", "一只猫坐在垫子上", "Stock prices fell", "股票价格下跌"]
MANY = [f"Note {number} about {('cats', 'tides', 'bread')[number % 3]}" for number in range(47)]


def asked(box: Sandbox, before: int, ending: str = "embeddings") -> list[dict[str, Any]]:
    return [seen.json for seen in box.requests[before:] if seen.path.endswith(ending)]


# -- the value ----------------------------------------------------------------------------------------------------


async def test_a_list_of_texts_becomes_a_matrix(qwen: Any):
    found = await done(qwen.embeddings(PAIRS))
    assert isinstance(found, Embeddings)
    assert (found.array.shape, found.array.dtype) == ((4, 1024), np.float32)
    assert np.linalg.norm(found.array, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (len(found), found.texts, found.model) == (4, PAIRS, "text-embedding-v4")
    assert found.usage.prompt == found.usage.total == found.raw["usage"]["total_tokens"]
    assert found.cost.amount > 0
    assert [row.shape for row in found] == [(1024,)] * 4
    assert repr(found) == f"Embeddings(4 × 1024, model='text-embedding-v4', tokens={found.usage.total})"


async def test_one_text_needs_no_list(qwen: Any):
    found = await done(qwen.embeddings("tide table", dimensions=64))
    assert found.array.shape == (1, 64)
    assert found[0].tolist() == found.array[0].tolist()


async def test_translations_are_nearest_to_each_other(qwen: Any):
    found = await done(qwen.embeddings(PAIRS))
    cosines = found.similarity()
    assert np.diag(cosines) == pytest.approx(1.0)
    assert [int(np.argsort(-row)[1]) for row in cosines] == [1, 0, 3, 2]
    nearest = found.nearest(PAIRS[0], k=2)
    assert (nearest.indices, nearest.texts) == ([0, 1], PAIRS[:2])
    assert nearest.scores == pytest.approx(cosines[0, :2].tolist())


async def test_a_new_question_is_embedded_first(qwen: Any):
    found = await done(qwen.embeddings(PAIRS))
    question = await done(qwen.embeddings("kitten", text_type="query"))
    assert set(found.nearest(question, k=2).indices) == {0, 1}
    assert found.nearest(question[0], k=1).rows == found.nearest(question, k=1).rows
    with pytest.raises(ValueError, match="embed it first"):
        found.nearest("kitten")
    with pytest.raises(ValueError, match="one query, not 4"):
        found.nearest(found)
    with pytest.raises(ValueError, match="embed both alike"):
        found.similarity(await done(qwen.embeddings("kitten", dimensions=64)))
    with pytest.raises(ValueError, match="embed both alike"):
        found.similarity(PAIRS)
    with pytest.raises(ValueError, match="no dense vectors"):
        (await done(qwen.embeddings("kitten", output_type="sparse"))).nearest("kitten")


async def test_a_slice_is_embeddings_too(qwen: Any):
    found = (await done(qwen.embeddings(PAIRS, output_type="dense&sparse")))[1:3]
    assert (found.texts, found.array.shape, len(found.sparse)) == (PAIRS[1:3], (2, 1024), 2)
    assert np.asarray(found, dtype=np.float64).dtype == np.float64


# -- the wire -----------------------------------------------------------------------------------------------------


async def test_floats_are_asked_for_and_base64_brings_the_same_numbers(qwen: Any, box: Sandbox):
    before = len(box.requests)
    plain = await done(qwen.embeddings(PAIRS))
    packed = await done(qwen.embeddings(PAIRS, encoding="base64"))
    assert [body["encoding_format"] for body in asked(box, before)] == ["float", "base64"]
    assert isinstance(packed.raw["data"][0]["embedding"], str)
    assert plain.array == pytest.approx(packed.array, abs=1e-7)


async def test_what_only_the_native_api_knows_goes_there(qwen: Any, box: Sandbox):
    before = len(box.requests)
    found = await done(
        qwen.embeddings("tide", dimensions=512, text_type="query", instruct="Find harbours", output_type="dense&sparse")
    )
    (body,) = asked(box, before, "text-embedding")
    assert body == {
        "model": "text-embedding-v4",
        "input": {"texts": ["tide"]},
        "parameters": {
            "dimension": 512,
            "text_type": "query",
            "output_type": "dense&sparse",
            "instruct": "Find harbours",
        },
    }
    assert (found.size, found.sparse[0][0].token) == (512, "tide")
    alone = await done(qwen.embeddings("tide", output_type="sparse"))
    assert (alone.size, alone.array.shape, alone.sparse) == (0, (0, 0), found.sparse)


async def test_sparse_vectors_keep_their_places_where_some_are_empty(qwen: Any):
    found = await done(qwen.embeddings(["tide"] * 10 + ["?!", "harbour"], output_type="sparse"))
    assert [[term.token for term in terms] for terms in found.sparse[9:]] == [["tide"], [], ["harbour"]]
    assert found.sparse[:1] == (await done(qwen.embeddings("tide", output_type="sparse"))).sparse
    assert (await done(qwen.embeddings("?!", output_type="sparse"))).sparse == [[]]


async def test_a_query_stays_close_to_the_same_document(qwen: Any):
    query, document = [await done(qwen.embeddings("tide table", text_type=kind)) for kind in ("query", "document")]
    assert 0.9 < query.similarity(document)[0, 0] < 1


async def test_a_field_qwenkit_does_not_know_goes_along(qwen: Any, box: Sandbox):
    before = len(box.requests)
    await done(qwen.embeddings("tide", extra={"user": "u-1"}))
    assert asked(box, before)[0]["user"] == "u-1"


# -- many texts ---------------------------------------------------------------------------------------------------


async def test_many_texts_are_split_and_come_back_in_order(qwen: Any, box: Sandbox):
    before = len(box.requests)
    found = await done(qwen.embeddings(MANY, dimensions=64))
    sizes = [len(body["input"]) for body in asked(box, before)]
    assert sorted(sizes) == [7, 10, 10, 10, 10]
    assert (found.texts, found.array.shape) == (MANY, (47, 64))
    for place in (0, 9, 10, 33, 46):
        alone = await done(qwen.embeddings(MANY[place], dimensions=64))
        assert found[place] == pytest.approx(alone[0], abs=1e-7)
    assert found.cost.amount == pytest.approx(found.usage.total * 0.5e-6)
    assert sum(answer["usage"]["total_tokens"] for answer in found.raw) == found.usage.total
    assert len(found.raw) == 5


async def test_the_answers_to_very_many_texts_are_not_all_kept(qwen: Any):
    found = await done(qwen.embeddings([str(number) for number in range(620)], dimensions=64))
    assert (len(found), len(found.receipts), len(found.raw)) == (620, 62, 50)


async def test_each_call_is_booked(qwen: Any):
    found = await done(qwen.embeddings(MANY))
    assert [(entry.family, entry.model, entry.ok) for entry in qwen.usage] == [
        ("embeddings", "text-embedding-v4", True)
    ] * 5
    assert qwen.usage.tokens == found.usage.total
    assert {entry.request_id for entry in qwen.usage} == {receipt.request_id for receipt in found.receipts}


async def test_texts_are_split_by_tokens_too(qwen: Any, box: Sandbox):
    before = len(box.requests)
    await done(qwen.embeddings(["word " * 7000] * 6, dimensions=64))
    assert sorted(len(body["input"]) for body in asked(box, before)) == [2, 4]


async def test_a_model_with_a_larger_call_gets_larger_calls(qwen: Any, box: Sandbox):
    before = len(box.requests)
    await done(qwen.embeddings(MANY, model="qwen3.7-text-embedding", dimensions=256))
    assert sorted(len(body["input"]) for body in asked(box, before)) == [7, 20, 20]


async def test_a_generator_of_texts_will_do_and_so_will_an_array(qwen: Any):
    assert (await done(qwen.embeddings(text for text in PAIRS))).texts == PAIRS
    assert (await done(qwen.embeddings(np.array(PAIRS)))).texts == PAIRS


async def test_no_more_calls_run_at_once_than_asked(qwen: Any, client: qk.Client):
    class Counter:
        running = most = 0
        lock = threading.Lock()

        def sending(self, request: Any) -> Counter:
            with self.lock:
                self.running += 1
                self.most = max(self.most, self.running)
            return self

        def answered(self, status: int, headers: Any) -> None: ...
        def received(self, chunk: bytes) -> None: ...

        def finished(self) -> None:
            with self.lock:
                self.running -= 1

        def failed(self, error: BaseException) -> None:
            self.finished()

    counter = Counter()
    client._core.observers.append(counter)
    await done(qwen.embeddings(MANY, dimensions=64, concurrency=2))
    assert (counter.most, counter.running) == (2, 0)
    counter.most = 0
    await done(qwen.embeddings(MANY, dimensions=64, concurrency=1))
    assert counter.most == 1


# -- what goes wrong ----------------------------------------------------------------------------------------------

LONG = "word " * 9000
WRONG: list[tuple[Any, dict[str, Any], str]] = [
    ([], {}, "no texts"),
    (["a", ""], {}, "text 1 is empty"),
    (["a", "b", 3], {}, "text 2 cannot be int"),
    (["a", LONG], {}, "text 1 is about 9,00"),
    ({"a": 1}, {}, "texts cannot be dict"),
    (b"a", {}, "texts cannot be bytes"),
    (7, {}, "texts cannot be int"),
    ("a", {"concurrency": 0}, "concurrency cannot be 0"),
    (MANY, {"timeout": "long"}, "timeout cannot be 'long'"),
    ("a", {"model": "qwen3-vl-embedding"}, "several kinds"),
    ("a", {"model": "text-embedding-async-v2"}, "as a task"),
]


@pytest.mark.parametrize(("texts", "options", "said"), WRONG)
async def test_what_cannot_work_is_said_before_anything_is_sent(
    qwen: Any, box: Sandbox, texts: Any, options: dict[str, Any], said: str
):
    before = len(box.requests)
    with pytest.raises(qk.ConfigError, match=said) as caught:
        await done(qwen.embeddings(texts, **options))
    assert caught.value.hint
    assert len(box.requests) == before
    assert len(qwen.usage) == 0


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"dimensions": 7}, qk.InvalidRequest, "dimension 7 is invalid, it should be one of 64, 128"),
        ({"model": "text-embedding-v5"}, qk.NotFound, "does not exist"),
        ({"model": "qwen-plus"}, qk.NotFound, "Unsupported model"),
        ({"model": "qwen-plus", "text_type": "query"}, qk.InvalidRequest, "url error"),
        ({"text_type": "question"}, qk.InvalidRequest, "text_type"),
        ({"output_type": "thick"}, qk.InvalidRequest, "output_type"),
        ({"model": "text-embedding-v2", "output_type": "sparse"}, qk.InvalidRequest, "output_type"),
        ({"encoding": "hex"}, qk.InvalidRequest, "encoding_format"),
    ],
)
async def test_what_the_service_refuses_is_a_typed_error(qwen: Any, options: dict[str, Any], kind: Any, said: str):
    with pytest.raises(kind, match=said):
        await done(qwen.embeddings("tide", **options))
    assert [entry.ok for entry in qwen.usage] == [False]


async def test_a_failed_call_names_its_texts_and_the_rest_is_not_lost(qwen: Any, box: Sandbox):
    before = len(box.requests)
    good, bad = [f"note {number}" for number in range(10)], ["bad 1", "bad 2"]
    whole = await done(qwen.embeddings(good, model="text-embedding-v3"))

    def fail_the_second() -> None:
        box.fault("400", times=1)

    class Second:
        def sending(self, request: Any) -> None:
            if b"bad 1" in request.body:
                fail_the_second()

    qwen._core.observers.append(Second())
    with pytest.raises(qk.InvalidRequest) as caught:
        await done(qwen.embeddings(good + bad, model="text-embedding-v3", concurrency=1))
    error = caught.value
    assert error.request == "POST /compatible-mode/v1/embeddings, texts 10 to 11"
    assert error.hint.endswith("; error.reply has the 10 vectors that arrived")
    assert error.reply.texts == good
    assert error.reply.array == pytest.approx(whole.array)
    assert len(asked(box, before)) == 3
    assert [entry.ok for entry in qwen.usage] == [True, True, False]


async def test_after_a_failure_no_other_call_is_begun(qwen: Any, box: Sandbox):
    before = len(box.requests)
    box.fault("400", times=None)
    with pytest.raises(qk.InvalidRequest) as caught:
        await done(qwen.embeddings(MANY, concurrency=2))
    assert len(asked(box, before)) <= 2
    assert len(caught.value.reply) == 0


async def test_each_call_has_its_own_retries(qwen: Any, box: Sandbox):
    box.fault("429", times=2)
    found = await done(qwen.embeddings(MANY))
    assert len(found) == 47
    assert sum(receipt.tries for receipt in found.receipts) == 7


async def test_a_budget_refuses_the_call_that_would_pass_it(box: Sandbox, flavour: str):
    client = qk.Client(api_key=box.key, base_url=box.url, timeout=10, budget=0.012)
    qwen = client if flavour == "sync" else client.aio
    with pytest.warns(qk.BudgetWarning), pytest.raises(qk.BudgetExceeded) as caught:
        await done(qwen.embeddings(["word " * 1000] * 40, dimensions=64, concurrency=1))
    assert caught.value.request == "texts 20 to 29"
    assert caught.value.hint.endswith("; error.reply has the 20 vectors that arrived")
    assert len(caught.value.reply) == 20
    await client.aio.close()


async def test_an_answer_with_too_few_vectors_is_an_error_and_not_a_wrong_order(
    qwen: Any, box: Sandbox, monkeypatch: Any
):
    from qwenkit.protocol import embeddings as protocol

    read = protocol.read
    fewer = b'{"data": [{"index": 0, "embedding": [1.0]}], "usage": {"total_tokens": 3}}'
    monkeypatch.setattr(protocol, "read", lambda body, **how: read(fewer, **how))
    with pytest.raises(qk.ServerError, match="not 2 embeddings"):
        await done(qwen.embeddings(["a", "b"]))


# -- several flows at once ----------------------------------------------------------------------------------------


async def test_flows_run_together_and_each_outcome_has_its_place(client: qk.Client, flavour: str):
    def part(number: int) -> Flow[int]:
        yield Pause(0.02 / (number + 1))
        if number == 2:
            raise ValueError("two")
        return number

    def whole() -> Flow[list[Any]]:
        outcomes: list[Any] = yield Together([part(number) for number in range(5)], 3)
        return outcomes

    core = client._core
    outcomes = core.driver.run(whole()) if flavour == "sync" else await core.async_driver.run(whole())
    assert [outcomes[0], outcomes[1], outcomes[3], outcomes[4]] == [0, 1, 3, 4]
    assert isinstance(outcomes[2], ValueError)


async def test_a_cancelled_call_cancels_all_its_parts(client: qk.Client):
    ended: list[int] = []

    def part(number: int) -> Flow[None]:
        try:
            yield Pause(30)
        finally:
            ended.append(number)

    def whole() -> Flow[Any]:
        return (yield Together([part(number) for number in range(3)], 2))

    task = asyncio.ensure_future(client._core.async_driver.run(whole()))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == [0, 1]


def test_an_interrupted_cell_is_back_at_once_and_begins_nothing_more(client: qk.Client):
    begun: list[int] = []
    over = threading.Event()

    def part(number: int) -> Flow[None]:
        begun.append(number)
        if len(begun) == 2:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        yield Pause(0.05)
        over.set()

    def whole() -> Flow[Any]:
        return (yield Together([part(number) for number in range(20)], 2))

    with pytest.raises(KeyboardInterrupt):
        client._core.driver.run(whole())
    assert over.wait(5)
    for thread in [each for each in threading.enumerate() if each.name == "qwenkit-together"]:
        thread.join(5)
    assert len(begun) <= 4


# -- texts and pictures -------------------------------------------------------------------------------------------


@pytest.fixture
def red(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    Image.new("RGB", (96, 64), "red").save(path)
    return path


def uri(colour: str) -> str:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


async def test_words_and_pictures_share_a_space(qwen: Any, red: Path):
    found = await done(qwen.embeddings.multimodal(["红色的船", red, {"image": uri("blue")}], dimensions=512))
    assert (found.model, found.array.shape, found.kinds) == ("qwen3-vl-embedding", (3, 512), ["text", "image", "image"])
    assert found.texts == ["红色的船", "[image red.png]", "[image]"]
    assert found.nearest("红色的船", k=2).indices == [0, 1]
    assert found.usage.image == 6 + 2 + 4 + 2
    assert [entry.image for entry in qwen.usage] == [found.usage.image]


async def test_fused_contents_become_one_vector(qwen: Any, red: Path):
    found = await done(qwen.embeddings.multimodal(["a boat", red], enable_fusion=True))
    assert (found.kinds, found.texts) == (["fusion"], ["a boat + [image red.png]"])
    assert found.array.shape == (1, 2560)
    one = await done(
        qwen.embeddings.multimodal([{"text": "a boat", "image": red}], model="tongyi-embedding-vision-plus-2026-03-06")
    )
    assert (one.kinds, one.texts, one.size) == (["fused"], ["a boat + [image red.png]"], 1152)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"image": "https://pics.example/a.jpg"}, "opens no address outside this machine"),
        ({"video": "https://pics.example/a.mp4"}, "cannot watch a video"),
        ({"image": "data:image/png;base64,aGVsbG8="}, "cannot be opened"),
        ({"smell": "roses"}, "text, image, video"),
        ({"text": 7}, "text is not str"),
    ],
)
async def test_what_the_sandbox_cannot_see_it_says(qwen: Any, content: Any, said: str):
    with pytest.raises(qk.InvalidRequest, match=said):
        await done(qwen.embeddings.multimodal([content]))


async def test_contents_are_checked_before_they_are_sent(qwen: Any, tmp_path: Path):
    for contents, said in (
        ("text", "contents cannot be str"),
        ([], "no contents"),
        ([3], "content 0 cannot be int"),
        ([{"image": "dog.png"}], "the picture 'dog.png' does not exist"),
        ([{"image": 3}], "is no picture"),
        ([{"image": "data:image/png;base64,€"}], "data URL of the picture is damaged"),
    ):
        with pytest.raises(qk.ConfigError, match=said):
            await done(qwen.embeddings.multimodal(contents))
    with pytest.raises(qk.ConfigError, match=r"missing\.png' does not exist"):
        await done(qwen.embeddings.multimodal([tmp_path / "missing.png"]))
