"""A toolbox: the functions a model may call, and the work that its calls make.

`Toolbox.job` turns a call into a job, which a driver runs (see `qwenkit.protocol.flow.Run`). A job never raises an
ordinary exception: what went wrong is told to the model in a line, because it can often do better the next time.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from qwenkit.errors import ToolError
from qwenkit.protocol import arguments, results
from qwenkit.protocol.functions import Function, several, wire_name, wire_tools
from qwenkit.types.tools import ToolRun


class Toolbox:
    """Tools by name. Dicts are told to the model too, but nobody here can call them."""

    def __init__(self, tools: Any = ()) -> None:
        self.tools = several(tools)
        self.wire = wire_tools(self.tools)
        made = [Function.of(each) for each in self.tools if not isinstance(each, dict)]
        self.functions = {each.name: each for each in made}
        self.declared = {name for each in self.wire if (name := wire_name(each))} - set(self.functions)

    def runs(self, names: Iterable[str]) -> bool:
        """Whether all of these calls can be answered here. A tool that nobody knows can: the model is told so."""
        return bool(self.functions) and not self.declared.intersection(names)

    def job(self, name: str, text: str, id: str = "") -> Callable[[], Any]:
        """The work of one call, which gives a `ToolRun` or, for an async function, an awaitable of one.

        Its arguments are read now.
        """
        run = ToolRun(id=id, name=name, arguments=text)
        try:
            ask = self._asked(name, text)
        except ToolError as unfit:
            ask = partial(_raise, unfit)
        return partial(_carried_out, run, ask)

    def _asked(self, name: str, text: str) -> Callable[[], Any]:
        function = self.functions.get(name)
        if function is None:
            known = ", ".join(self.functions) or "none"
            raise ToolError(f"there is no tool called {name}", hint=f"the tools are: {known}")
        given = arguments.read(text, name)
        bound = function.bind(arguments.values(given, function.kinds, function.required, name))
        return partial(function.call, *bound.args, **bound.kwargs)


def _carried_out(run: ToolRun, ask: Callable[[], Any]) -> ToolRun | Awaitable[ToolRun]:
    with _measured(run):
        run.value = ask()
    return _awaited(run) if inspect.isawaitable(run.value) else _told(run)


async def _awaited(run: ToolRun) -> ToolRun:
    waiting, run.value = run.value, None
    with _measured(run):
        run.value = await waiting
    return _told(run)


@contextmanager
def _measured(run: ToolRun) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    except Exception as error:
        run.error = results.error_of(error)
    run.seconds = time.perf_counter() - started


def _told(run: ToolRun) -> ToolRun:
    run.result = run.error or results.text_of(run.value)
    return run


def _raise(error: Exception) -> None:
    raise error
