"""One definition, two flavours: what a `@call` is on a noun that runs and on one that is awaited."""

from __future__ import annotations

import inspect
import pydoc
import re
from typing import Any

import pytest

import qwenkit as qk
from qwenkit.api.chat import AsyncChat, Chat
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.config import Config
from qwenkit.errors import ConfigError
from qwenkit.protocol.flow import Flow, Pause
from qwenkit.types.options import ChatOptions


class FakeDriver:
    """Answers every step with its number."""

    def run(self, flow: Flow[Any]) -> Any:
        step, number = next(flow), 0
        while True:
            number += 1
            try:
                step = flow.send(number)
            except StopIteration as over:
                return over.value
            assert isinstance(step, Pause)


class FakeAsyncDriver:
    async def run(self, flow: Flow[Any]) -> Any:
        return FakeDriver().run(flow)


class CounterCalls:
    @call
    def add(self, start: int, *, steps: int = 2) -> Flow[int]:
        """Add up what the driver answers."""
        total = start
        for _ in range(steps):
            total += yield Pause(0)
        return total

    @call
    def twice(self, start: int) -> Flow[int]:
        """Made of another call."""
        first = yield from CounterCalls.add.flow(self, start)
        return (yield from CounterCalls.add.flow(self, first, steps=1))

    @call
    def __call__(self, start: int) -> Flow[int]:
        """The noun itself."""
        return (yield from CounterCalls.add.flow(self, start))


class Counter(CounterCalls, SyncNoun):
    """Runs."""


class AsyncCounter(CounterCalls, AsyncNoun):
    """Is awaited."""


@pytest.fixture
def core() -> Core:
    core = Core(Config.resolve(api_key="sk-0123456789abcdef", env={}))
    core._driver = FakeDriver()  # type: ignore[assignment]
    core._async_driver = FakeAsyncDriver()  # type: ignore[assignment]
    return core


def test_on_a_sync_noun_a_call_runs_at_once(core: Core):
    counter = Counter(core)
    assert (counter.add(10), counter.add(10, steps=3), counter.twice(10), counter(10)) == (13, 16, 16, 13)


async def test_on_an_async_noun_the_same_call_is_awaited(core: Core):
    counter = AsyncCounter(core)
    assert inspect.isawaitable(waiting := counter.add(10))
    assert await waiting == 13
    assert (await counter.add(10, steps=3), await counter.twice(10), await counter(10)) == (16, 16, 13)


def test_the_class_gives_the_definition_itself():
    assert isinstance(CounterCalls.add, call)
    assert inspect.isgenerator(CounterCalls.add.flow(object(), 1))


def test_called_on_the_class_it_takes_the_noun_first(core: Core):
    assert CounterCalls.add(Counter(core), 10) == 13


@pytest.mark.parametrize("kind", [Counter, AsyncCounter])
def test_name_signature_and_docstring_stay(kind: Any, core: Core):
    bound = kind(core).add
    assert bound.__name__ == "add"
    assert bound.__doc__ == "Add up what the driver answers."
    assert str(inspect.signature(bound)) == "(start: 'int', *, steps: 'int' = 2)"
    assert "CounterCalls.add" in repr(bound)
    assert re.search(
        r"add\(start: 'int', \*, steps: 'int' = 2\).*Add up what", pydoc.plain(pydoc.render_doc(bound)), re.S
    )


def test_wrong_arguments_are_refused_with_a_cure(core: Core):
    with pytest.raises(ConfigError, match=r"counter.add has no option 'starts' → did you mean 'start'"):
        Counter(core).add(1, starts=2)
    with pytest.raises(ConfigError, match=r"counter.add: missing a required argument: 'start' → call it as"):
        Counter(core).add()
    with pytest.raises(ConfigError, match="too many positional arguments"):
        Counter(core).add(1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("mistake", "cure"),
    [
        (lambda qwen: qwen.embeddings("hello", dimension=64), "dimensions"),
        (lambda qwen: qwen.rerank("a", ["b"], top=1), "top_n"),
        (lambda qwen: qwen.map(["a"], concurency=3), "concurrency"),
        (lambda qwen: qwen.responses("a", previos=1), "previous"),
        (lambda qwen: qwen.conversation(rounds=1), "max_rounds"),
        (lambda qwen: qwen.files.upload("a", purpos=1), "purpose"),
    ],
)
def test_every_noun_knows_its_own_options(mistake: Any, cure: str):
    qwen = qk.Client(api_key="sk-0123456789abcdef")
    for flavour in (qwen, qwen.aio):
        with pytest.raises(ConfigError, match=f"has no option .* did you mean '{cure}'"):
            mistake(flavour)


# -- what a notebook's tooltip shows --------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_a_tooltip_lists_every_option_of_chat(flavour: str):
    qwen = qk.Client(api_key="sk-0123456789abcdef")
    chat = qwen.chat if flavour == "sync" else qwen.aio.chat
    shown = inspect.signature(chat).parameters
    assert next(iter(shown)) == "prompt"
    assert {"system", "model", *ChatOptions.__annotations__} <= set(shown)
    assert all(parameter.kind is parameter.KEYWORD_ONLY for name, parameter in shown.items() if name != "prompt")
    assert shown["temperature"].annotation == "float"
    assert "Ask once and get the whole answer" in (type(chat).__call__.__doc__ or "")


def test_conversations_show_their_options_too():
    talk = qk.Client(api_key="sk-0123456789abcdef").conversation()
    assert {"prompt", "temperature", "tools"} <= set(inspect.signature(talk).parameters)


def test_source_can_be_looked_at():
    assert "yield from" in inspect.getsource(inspect.unwrap(Chat.__call__.flow))


# -- the two clients, side by side ----------------------------------------------------------------------------------


def test_the_async_client_has_the_same_names():
    qwen = qk.Client(api_key="sk-0123456789abcdef")
    only_sync = {name for name in dir(qwen) if not name.startswith("_")} - set(dir(qwen.aio))
    assert only_sync == {"aio", "of"}
    assert {name for name in dir(Chat) if not name.startswith("_")} == {
        name for name in dir(AsyncChat) if not name.startswith("_")
    }
    assert qwen.aio is qwen.aio
    assert qwen.aio.usage is qwen.usage
    assert qwen.aio.model == qwen.model


def test_streams_have_the_same_names():
    qwen = qk.Client(api_key="sk-0123456789abcdef")
    sync, awaited = qwen.chat.stream("Hi"), qwen.aio.chat.stream("Hi")
    names = [{name for name in dir(stream) if not name.startswith("_")} for stream in (sync, awaited)]
    assert names[0] - {"close"} == names[1] - {"aclose"}


def test_a_noun_alone_says_how_it_is_called():
    qwen = qk.Client(api_key="sk-0123456789abcdef")
    assert repr(qwen.translate) == "Translate: qwen.translate(...) and qwen.translate.stream(...)."
    assert "await aqwen.chat(...)" in repr(qwen.aio.chat)
