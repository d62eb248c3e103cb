"""Checkpoint lines and files: what is written comes back, torn or foreign lines do no harm, no key gets in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qwenkit as qk
from qwenkit import errors
from qwenkit.api.logbook import Logbook
from qwenkit.errors import QwenError
from qwenkit.protocol import checkpoint
from qwenkit.types.many import StoredReceipt
from qwenkit.types.reply import Choice, Receipt, Reply, TokenLogprob, ToolCall
from qwenkit.types.usage import Cost, PromptDetails, Usage


def reply(text: str = "Seven.", **facts: Any) -> Reply:
    return Reply(
        choices=[
            Choice(
                text=text,
                thinking="hm",
                finish_reason="stop",
                tool_calls=[ToolCall("c1", "rain", "{}")],
                logprobs=[TokenLogprob("Se", -0.5)],
            ),
            Choice(index=1, text="another"),
        ],
        usage=Usage(3, 4, 7, PromptDetails(cached_tokens=2)),
        id="chatcmpl-1",
        model="qwen-plus",
        created=17,
        receipt=Receipt(model="qwen-plus", request_id="r1", latency=0.5, tries=3, cost=Cost(0.25, "CNY", "2026")),
        body=b'{"raw": true}',
        **facts,
    )


@given(st.text())
def test_an_answer_comes_back_as_it_was_without_its_wire_bytes(text: str):
    before = reply(text)
    line = checkpoint.pack(5, "d", before)
    assert line.count(b"\n") == 1
    after = checkpoint.outcome(checkpoint.read(line))
    assert isinstance(after, Reply)
    for field in ("choices", "usage", "id", "model", "created", "receipt"):
        assert getattr(after, field) == getattr(before, field)
    assert after.raw is None


@pytest.mark.parametrize(
    "error",
    [
        qk.RateLimited("slow down", status=429, code="limit_requests", hint="wait", request_id="r", tries=4),
        qk.TransportError("gone", kind="reset", request="POST /x"),
        qk.ConfigError("wrong", hint="right it"),
        qk.BudgetExceeded("too dear"),
    ],
)
def test_an_error_comes_back_as_the_same_kind_with_the_same_words(error: QwenError):
    after = checkpoint.outcome(checkpoint.read(checkpoint.pack(1, "d", error)))
    assert type(after) is type(error)
    assert str(after) == str(error)
    assert [getattr(after, name, None) for name in ("status", "code", "kind", "tries")] == [
        getattr(error, name, None) for name in ("status", "code", "kind", "tries")
    ]


def test_a_users_own_kind_of_error_comes_back_as_what_it_is_a_kind_of():
    class Mine(qk.RateLimited):
        pass

    after = checkpoint.outcome(checkpoint.read(checkpoint.pack(0, "", Mine("slow", status=429))))
    assert (type(after), after.status) == (qk.RateLimited, 429)


def test_every_error_class_survives():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, QwenError)]
    assert len(kinds) > 12
    for kind in kinds:
        assert type(checkpoint.outcome(checkpoint.read(checkpoint.pack(0, "", kind("said"))))) is kind


def test_an_unheard_of_error_is_still_an_error():
    line = checkpoint.pack(0, "", ValueError("odd"))
    assert str(checkpoint.outcome(checkpoint.read(line))) == "odd"


def test_stored_answers_are_found_by_position_and_digest_and_given_out_once():
    lines = [checkpoint.pack(0, "a", reply("zero")), checkpoint.pack(1, "a", reply("one"))]
    stored = checkpoint.Stored([*lines, checkpoint.pack(2, "b", qk.QwenError("no")), b'{"position":3,"dig'])
    assert len(stored) == 2
    assert stored.take(1, "other") is None
    first = stored.take(1, "a")
    assert first is not None
    assert first.text == "one"
    assert isinstance(first.receipt, StoredReceipt)
    moved = stored.take(9, "a")  # the same request, at another place of a list that was changed
    assert moved is not None
    assert moved.text == "zero"
    assert stored.take(0, "a") is None
    assert stored.take(2, "b") is None  # errors are sent again


def test_a_later_line_of_the_same_item_counts():
    lines = [checkpoint.pack(0, "a", reply("old")), checkpoint.pack(0, "a", reply("new"))]
    stored = checkpoint.Stored(lines)
    assert len(stored) == 1
    taken = stored.take(0, "a")
    assert taken is not None
    assert taken.text == "new"


def test_a_digest_tells_any_two_bodies_apart():
    assert checkpoint.digest(b"a") == checkpoint.digest(b"a") != checkpoint.digest(b"b")
    assert len(checkpoint.digest(None)) == 32


# -- the file -------------------------------------------------------------------------------------------------------


def test_a_file_is_begun_continued_and_mended(tmp_path: Path):
    path = tmp_path / "deep" / "run.jsonl"
    book = Logbook(path)
    book.add(checkpoint.pack(0, "a", reply("zero")))
    assert path.read_bytes().startswith(checkpoint.HEADER)
    assert path.read_bytes().endswith(b"\n")  # handed over at once, not when the file is closed
    book.close()
    book.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"position":1,"digest":"b","ans')
    again = Logbook(path)
    again.add(checkpoint.pack(2, "c", reply("two")))
    again.close()
    last = Logbook(path)
    assert len(last.stored) == 2
    assert last.stored.take(2, "c") is not None
    last.close()


@pytest.mark.parametrize("cut", range(len(checkpoint.HEADER)))
def test_a_header_that_was_torn_is_completed(tmp_path: Path, cut: int):
    path = tmp_path / "run.jsonl"
    path.write_bytes(checkpoint.HEADER[:cut])
    book = Logbook(path)
    book.add(checkpoint.pack(0, "a", reply()))
    book.close()
    again = Logbook(path)
    assert len(again.stored) == 1
    again.close()


@pytest.mark.parametrize("content", [b'{"prompt": "mine"}\n', b"\x00\xff", b"\n", b'{"qwenkit":"map/1"} \n'])
def test_somebody_elses_file_is_left_alone(tmp_path: Path, content: bytes):
    path = tmp_path / "data.jsonl"
    path.write_bytes(content)
    with pytest.raises(qk.ConfigError, match=r"'data\.jsonl' is no checkpoint"):
        Logbook(path)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_named_without_its_path(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for wrong in (tmp_path, tmp_path / "file" / "run.jsonl"):
        with pytest.raises(qk.ConfigError, match="cannot be used") as raised:
            Logbook(wrong)
        assert str(tmp_path) not in str(raised.value)
