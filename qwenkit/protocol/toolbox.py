"""A toolbox: the functions a model may call, and the work that its calls make.

`Toolbox.job` turns a call into a `Job`, which a driver runs (see `qwenkit.protocol.flow.Run`). A job never raises an
ordinary exception: what went wrong is told to the model in a line, because it can often do better the next time.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from qwenkit.errors import ToolError
from qwenkit.protocol import arguments, results
from qwenkit.protocol.functions import Function, several, wire_name, wire_tools
from qwenkit.types.tools import ToolRun


class Job:
    """One call, ready to run: calling it gives a `ToolRun`, or for an async function an awaitable of one."""

    __slots__ = ("_ask", "_clock", "_run", "waits")

    def __init__(self, run: ToolRun, ask: Callable[[], Any], waits: bool, clock: Callable[[], float]) -> None:
        self._run = run
        self._ask = ask
        self._clock = clock
        self.waits = waits  # an async function: calling it only begins

    def __call__(self) -> Any:
        started = self._clock()
        try:
            value = self._ask()
        except Exception as error:
            return self._failed(error, started)
        return self._awaited(value) if inspect.isawaitable(value) else self._done(value, started)

    async def _awaited(self, value: Awaitable[Any]) -> ToolRun:
        started = self._clock()
        try:
            return self._done(await value, started)
        except Exception as error:
            return self._failed(error, started)

    def _done(self, value: Any, started: float) -> ToolRun:
        self._run.seconds = self._clock() - started
        self._run.value, self._run.result = value, results.text_of(value)
        return self._run

    def _failed(self, error: Exception, started: float) -> ToolRun:
        self._run.seconds = self._clock() - started
        self._run.result = self._run.error = results.error_of(error)
        return self._run


class Toolbox:
    """Tools by name. Dicts are told to the model too, but nobody here can call them."""

    def __init__(self, tools: Any = (), *, clock: Callable[[], float] = time.perf_counter) -> None:
        self.tools = several(tools)
        self.wire = wire_tools(self.tools)
        functions = (each for each in self.tools if not isinstance(each, dict))
        made = [each if isinstance(each, Function) else Function.of(each) for each in functions]
        self.functions = {each.name: each for each in made}
        self.declared = {name for each in self.wire if (name := wire_name(each))} - set(self.functions)
        self._clock = clock

    def runs(self, names: Iterable[str]) -> bool:
        """Whether all of these calls can be answered here. A tool that nobody knows can: the model is told so."""
        return bool(self.functions) and not self.declared.intersection(names)

    def job(self, name: str, text: str, id: str = "") -> Job:
        """The work of one call; its arguments are read now."""
        run = ToolRun(id=id, name=name, arguments=text)
        function = self.functions.get(name)
        try:
            if function is None:
                known = ", ".join(self.functions) or "none"
                raise ToolError(f"there is no tool called {name}", hint=f"the tools are: {known}")
            given = arguments.read(text, name)
            bound = function.bind(arguments.values(given, function.kinds, function.required, name))
        except ToolError as unfit:
            return Job(run, _raises(unfit), False, self._clock)
        called = function.call
        return Job(run, lambda: called(*bound.args, **bound.kwargs), _is_async(called), self._clock)


def _raises(error: Exception) -> Callable[[], Any]:
    def ask() -> Any:
        raise error

    return ask


def _is_async(tool: Any) -> bool:
    inner = getattr(tool, "func", tool)
    return inspect.iscoroutinefunction(inner if inspect.isroutine(inner) else type(inner).__call__)
