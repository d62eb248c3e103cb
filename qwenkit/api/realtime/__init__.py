"""`qwen.realtime.connect(…)`: talk with a model that listens while it speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from qwenkit.api.flavour import AsyncNoun, SyncNoun, spelled
from qwenkit.types.options_realtime import RealtimeOptions

if TYPE_CHECKING:
    from qwenkit.api.realtime.session import AsyncSession, Session


class ConnectOptions(RealtimeOptions, total=False):
    """Those of the session, and how it is run here."""

    run_tools: bool
    max_rounds: int
    reconnect: bool
    timeout: float


def checked(model: str, options: ConnectOptions) -> None:
    """Refuse options that no session of this model takes, before one is opened."""
    from qwenkit import catalogue
    from qwenkit.protocol.realtime import settings

    running = ConnectOptions.__annotations__.keys() - RealtimeOptions.__annotations__.keys()
    wish = {name: each for name, each in options.items() if name not in running}
    settings.session(model or catalogue.DEFAULTS["realtime"], wish)


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
