"""`qwen.realtime.connect(…)`: talk with a model that listens while it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from qwenkit.api.flavour import AsyncNoun, SyncNoun, spelled
from qwenkit.errors import ConfigError
from qwenkit.types.options_realtime import RealtimeOptions

if TYPE_CHECKING:
    from qwenkit.api.realtime.session import AsyncSession, Session


class ConnectOptions(RealtimeOptions, total=False):
    """Those of the session, and how it is run here."""

    run_tools: bool
    max_rounds: int
    reconnect: bool
    timeout: float


RUNNING = ("run_tools", "max_rounds", "reconnect", "timeout")


def checked(model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The session that is asked for. What no session of this model takes is refused before one is opened."""
    from qwenkit.config import seconds
    from qwenkit.protocol.realtime import settings

    seconds(options.get("timeout", 1))
    if not isinstance(most := options.get("max_rounds", 1), int) or most < 1:
        raise ConfigError(f"max_rounds cannot be {most!r:.60}", hint="use a number from 1, or run_tools=False")
    for name in ("run_tools", "reconnect", "speak"):
        if not isinstance(wish := options.get(name, True), bool):
            raise ConfigError(f"{name} cannot be {wish!r:.60}", hint="it is True or False")
    return settings.session(model, {name: each for name, each in options.items() if name not in RUNNING})


class Realtime(SyncNoun):
    """`qwen.realtime.connect(…)`: a session in a thread of its own."""

    @spelled
    def connect(self, model: str = "", **options: Unpack[ConnectOptions]) -> Session:
        """Open a session: `with qwen.realtime.connect(voice="Cherry") as session: session.say("Hello!")`.

        Without `turn_detection` you say when you have spoken, as `session.say` does; "server_vad" listens for it.
        `tools` are run and their results told, at most `max_rounds` times (8) in a turn; with `run_tools=False` calls
        are left to you. A socket that breaks is dialled again unless `reconnect=False`. `timeout` is how many seconds
        (60) the service may say nothing while an answer is waited for.
        """
        from qwenkit.api.realtime.session import Session

        return Session(self._core, model, options)


class AsyncRealtime(AsyncNoun):
    """`aqwen.realtime.connect(…)`: a session on the loop that awaits it."""

    @spelled
    def connect(self, model: str = "", **options: Unpack[ConnectOptions]) -> AsyncSession:
        """Open a session: `async with aqwen.realtime.connect(…) as session: await session.say("Hello!")`."""
        from qwenkit.api.realtime.session import AsyncSession

        return AsyncSession(self._core, model, options)
