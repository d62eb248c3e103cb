"""The checks of lesson 10: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.many import MapResults, StoredReceipt
from qwenkit.types.reply import Receipt, Reply


async def with_a_door(width: int, calls: list[Callable[[], Any]]) -> list[Any]:
    door = asyncio.Semaphore(width)

    async def one(call: Callable[[], Any]) -> Any:
        async with door:
            return await call()

    return await asyncio.gather(*(one(call) for call in calls))


async def all_at_once(width: int, calls: list[Callable[[], Any]]) -> list[Any]:
    return await asyncio.gather(*(call() for call in calls))


async def in_turn(width: int, calls: list[Callable[[], Any]]) -> list[Any]:
    return [await call() for call in calls]


async def as_they_come(width: int, calls: list[Callable[[], Any]]) -> list[Any]:
    waiting, found = iter(calls), []

    async def worker() -> None:
        for call in waiting:
            found.append(await call())

    await asyncio.gather(*(worker() for _ in range(width)))
    return found


async def some(width: int, calls: list[Callable[[], Any]]) -> list[Any]:
    return await with_a_door(width, calls[:-1])


async def nothing(width: int, calls: list[Callable[[], Any]]) -> None: ...


async def test_a_door_passes_even_inside_a_running_loop():
    assert check("10.1", with_a_door)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (all_at_once, "10 calls ran together"),
        (in_turn, "one after another"),
        (as_they_come, "order"),
        (some, "once"),
        (nothing, "returns nothing"),
        (len, "async def"),
        (7, "async def"),
    ],
)
def test_other_ways_are_told_what_they_do(answer: Any, hint: str):
    result = check("10.1", answer)
    assert not result
    assert hint in result.hint


def test_slices_of_a_second():
    assert check("10.2", lambda rpm, number: number // (rpm // 60))
    assert "a second takes 10" in check("10.2", lambda rpm, number: number * 60 / rpm).hint
    assert "nothing" in check("10.2", lambda rpm, number: None).hint


def run(stored: int, fresh: int, total: int | None = None) -> MapResults:
    results = MapResults(["p"] * (total or stored + fresh), lambda value: value)
    for at in range(stored + fresh):
        results.put(at, "p", Reply(receipt=StoredReceipt() if at < stored else Receipt()))
    return results


def test_half_from_the_file_passes():
    assert check("10.3", run(6, 6))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (run(0, 12), "Nothing came from a file"),
        (run(8, 4), "8 of 12"),
        (run(3, 3), "at least ten"),
        (run(6, 6, 14), "an answer to each"),
        (["text"] * 12, "what qwen.map gave you"),
    ],
)
def test_less_or_more_is_told_how_much(answer: Any, hint: str):
    result = check("10.3", answer)
    assert not result
    assert hint in result.hint
