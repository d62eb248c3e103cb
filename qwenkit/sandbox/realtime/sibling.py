"""What the speaking, recognising and translating sessions share: a table of commands, settings, and an end.

A session has `usual` settings, `rules` for what an update may say, `commands`; `merged` makes the new settings of an
update and raises Wrong where they cannot be. After `session.finish` everything is refused.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from qwenkit.sandbox.realtime.line import Line
from qwenkit.sandbox.realtime.settings import Rule, check, dug
from qwenkit.sandbox.realtime.wrong import Wrong, missing

Json = dict[str, Any]
Commands = dict[str, Callable[[Json], Awaitable[None]]]
_OVER = "Session has already finished."


class Sibling(ABC):
    """One session that is no conversation."""

    late_update = _OVER  # what an update is answered with after the end

    def __init__(self, line: Line) -> None:
        self.line, self.id = line, line.id("sess")
        self.values = self.usual()
        self.finished = False

    @abstractmethod
    def usual(self) -> Json:
        """The settings of a session that was told none."""

    @abstractmethod
    def rules(self) -> dict[str, Rule]:
        """What an update may say, by its path."""

    def commands(self) -> Commands:
        return {"session.update": self._update, "session.finish": self._finish}

    def merged(self, given: Json) -> Json:
        """The settings after an update: a null stands for the default."""
        for path, rule in self.rules().items():
            check(dug(given, path), rule, path)
        usual, known = self.usual(), self.values.keys() & given.keys()
        return {**self.values, **{name: usual[name] if given[name] is None else given[name] for name in known}}

    def shown(self) -> Json:
        return {"id": self.id, "object": "realtime.session", "model": self.line.model.name, **self.values}

    async def apply(self) -> None:
        """New settings are in force; most sessions need do nothing about that."""
        return

    @abstractmethod
    async def finish(self) -> None:
        """The client has sent everything: see to it that `goodbye` follows the last event."""

    async def goodbye(self) -> None:
        await self.line.send("session.finished")

    def patience(self) -> float | None:
        """How long to wait for a command before `idle` is called."""
        return None

    async def idle(self) -> None:
        """No command came; who has no patience is never called."""
        return

    async def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Run, with something going on beside until the client has gone."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work)
            await self.run()
            task.cancel()

    async def run(self) -> None:
        await self.apply()
        await self.line.send("session.created", session=self.shown())
        commands = self.commands()
        while True:
            try:
                command = await self.line.receive(self.patience())
            except TimeoutError:
                await self.idle()
                continue
            if command is None:
                return
            try:
                if self.finished:
                    raise Wrong(self.late_update if command["type"] == "session.update" else _OVER)
                await commands.get(command["type"], self.line.unknown)(command)
            except Wrong as wrong:
                await self.line.refuse(wrong.message, wrong.code, wrong.param, command)
                if wrong.param == "session.voice" and self.line.switches.invalid_voice == "update":
                    await self.line.close(1007, f"<400> InternalError.Algo.InvalidParameter: {wrong.message}")

    async def _update(self, command: Json) -> None:
        given = command.get("session")
        if not isinstance(given, dict) and (given is not None or self.line.facts.needs_session):
            raise missing("session")
        self.values = self.merged(given or {})
        await self.apply()
        await self.line.send("session.updated", session=self.shown())

    async def _finish(self, command: Json) -> None:
        self.finished = True
        await self.finish()
