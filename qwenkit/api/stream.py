"""A stream in the hand: iterate it for pieces, ask it for the reply so far, close it at any time.

The same two classes serve chat, the native API and Responses; what differs is the fold they read with.

Opening is an ordinary call, retries included. From the first byte on nothing is repeated silently: a stream that ends
early raises `StreamBroken`, an error inside it the typed error, and both carry what had arrived.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing
from typing import Any, Generic, Self, TypeAlias, TypeVar

import msgspec

from qwenkit import catalogue
from qwenkit.api.accounts import OpenCall
from qwenkit.api.core import Core
from qwenkit.errors import ConfigError, QwenError, TransportError
from qwenkit.protocol import failures
from qwenkit.protocol.flow import Answer, Flow, Request
from qwenkit.protocol.folding import Fold
from qwenkit.protocol.media import prompt_tokens
from qwenkit.protocol.sse import EventDecoder
from qwenkit.types.reply import Piece, Reply
from qwenkit.types.usage import Usage

Item = TypeVar("Item")
Result = TypeVar("Result")
_MOST_KEPT = 4000


class Plan(msgspec.Struct, Generic[Item, Result]):
    """A stream before it is opened: how to read it, what to send, how to open its books, and its prompt for these.

    `before` makes the request where something must happen first, such as an upload. `then` is told the whole reply, and
    may have more to do: a flow that gives pieces of its own and the plan to go on with. Without a request there is only
    that.
    """

    request: Request | None
    fold: Fold[Item, Result]
    open: Callable[[], OpenCall] | None = None
    prompt: list[dict[str, Any]] = []
    then: Callable[[Result], Flow[tuple[list[Item], Plan[Item, Result]]] | None] | None = None
    before: Flow[Request] | None = None

    @classmethod
    def of(
        cls,
        request: Request | Flow[Request],
        fold: Fold[Item, Result],
        open: Callable[[], OpenCall],
        prompt: list[dict[str, Any]],
        then: Callable[[Result], Any] | None = None,
    ) -> Self:
        """A plan whose request is there, or is made by a flow."""
        ready = isinstance(request, Request)
        return cls(request if ready else None, fold, open, prompt, then, None if ready else request)  # type: ignore[arg-type]

    @property
    def sends(self) -> bool:
        return self.request is not None or self.before is not None


class Reading(Generic[Item, Result]):
    """A stream being read: its fold and its books.

    It does not know the stream in the user's hand. So a stream that is dropped half read goes at once, and its
    connection with it.
    """

    def __init__(self, core: Core, plan: Plan[Item, Result]) -> None:
        self.core = core
        self.reply: Result | None = None
        self.over = False
        self.go_on([], plan)

    def go_on(self, pieces: list[Item], plan: Plan[Item, Result]) -> list[Item]:
        self.plan = plan
        self.fold = plan.fold
        self._decoder = EventDecoder()
        self._odd = False
        self._began = b""
        self._tries = 0  # once the answer has begun, how often it was asked for
        self._call: OpenCall | None = None
        return pieces

    def begin(self) -> Flow[Answer]:
        assert self.plan.open is not None
        self._call = self.plan.open()
        request = (yield from self.plan.before) if self.plan.before is not None else self.plan.request
        assert request is not None
        return (yield from self.core.send(request))

    def opened(self, answer: Answer) -> Any:
        self._tries = answer.tries
        self.fold.request_id = answer.headers.get("x-request-id", "")
        self._odd = "event-stream" not in answer.headers.get("content-type", "")
        return answer.opened

    def feed(self, chunk: bytes | None) -> Iterator[Item]:
        """The pieces of some bytes; at the end, of what is left."""
        if self._odd and chunk:  # the beginning of what is not said to be a stream tells what it is, if it is none
            self._began = (self._began + chunk)[:_MOST_KEPT]
        call, add = self._call, self.fold.add
        assert call is not None
        for event in self._decoder.close() if chunk is None else self._decoder.feed(chunk):
            for piece in add(event.data):
                if call.waiting:
                    call.first(piece)
                yield piece

    def ended(self) -> Flow[tuple[list[Item], Plan[Item, Result]]] | None:
        """All bytes came. Book the call, or complain when the answer has no end; then what is still to do."""
        reply: Any = self.fold.reply()
        if self._call is not None:
            if not self.fold.ended:
                raise self._no_stream() or self.fold.broken("the stream ended before the answer did")
            reply.receipt = self._call.finished(
                reply.usage, model=reply.model, request_id=self.fold.request_id, tries=self._tries, streamed=True
            )
        more = self.plan.then(reply) if self.plan.then else None
        if more is None:
            self.reply = reply
        return more

    def failed(self, error: BaseException) -> BaseException:
        """Book a stream that did not reach its end, and say what to raise."""
        self._book(error)
        if isinstance(error, TransportError) and self._tries:
            broken = self.fold.broken("the stream broke off before the answer was complete")
            broken.__cause__ = error
            error = broken
        if isinstance(error, QwenError) and self._tries:
            error.tries = self._tries
            if error.reply is None:
                self.fold.carry(error)
        return error

    def _book(self, error: BaseException) -> None:
        """What came is billed, also when nobody waits for the rest; without the service's count it is estimated."""
        if self._call is None:
            return
        usage = self.fold.usage or self._arrived()
        if isinstance(error, GeneratorExit) and self.fold.ended:
            self._call.finished(usage, model="", request_id=self.fold.request_id, tries=self._tries, streamed=True)
        self._call.failed(error, usage)

    def _arrived(self) -> Usage | None:
        if not self.fold.begun:
            return None
        call, said = self._call, catalogue.tokens.count(self.fold.words())
        prompt = prompt_tokens(self.plan.prompt, call.model if call else "")
        return Usage(prompt_tokens=prompt, completion_tokens=said, total_tokens=prompt + said)

    def _no_stream(self) -> QwenError | None:
        """The error for a page or a plain error body that came in place of a stream."""
        if not self._began.strip() or self.fold.begun:
            return None
        return failures.build(None, {}, self._began, request=self.fold.request, request_id=self.fold.request_id)


def _read(reading: Reading[Item, Any]) -> Generator[Item, None, None]:
    body: Any = None
    more: Any = True
    try:
        while more:
            if reading.plan.sends:
                body = reading.opened(reading.core.driver.run(reading.begin()))
                try:
                    for chunk in body:
                        yield from reading.feed(chunk)
                except TransportError:
                    if not reading.fold.done:  # after the end marker it does not matter how the connection ends
                        raise
                yield from reading.feed(None)
                body.close()
            if more := reading.ended():
                yield from reading.go_on(*reading.core.driver.run(more))
    except BaseException as error:
        failure = reading.failed(error)
        raise failure from failure.__cause__
    finally:
        reading.over = True
        if body is not None:
            body.close()


async def _aread(reading: Reading[Item, Any]) -> AsyncGenerator[Item, None]:
    body: Any = None
    more: Any = True
    try:
        while more:
            if reading.plan.sends:
                body = reading.opened(await reading.core.async_driver.run(reading.begin()))
                try:
                    async with aclosing(aiter(body)) as chunks:
                        async for chunk in chunks:
                            for piece in reading.feed(chunk):
                                yield piece
                except TransportError:
                    if not reading.fold.done:
                        raise
                for piece in reading.feed(None):
                    yield piece
                await body.close()
            if more := reading.ended():
                for piece in reading.go_on(*await reading.core.async_driver.run(more)):
                    yield piece
    except BaseException as error:
        failure = reading.failed(error)
        raise failure from failure.__cause__
    finally:
        reading.over = True
        if body is not None:
            await body.close()


class _Stream(Generic[Item, Result]):
    """What both flavours share: the reply so far, and that a stream is read once."""

    def __init__(self, core: Core, plan: Plan[Item, Result]) -> None:
        self._reading = Reading(core, plan)
        self._started = False

    @property
    def reply(self) -> Result:
        """The answer so far; the finished reply once the stream has ended."""
        return self._reading.reply or self._reading.fold.reply()

    @property
    def request_id(self) -> str:
        return self._reading.fold.request_id

    def _start(self) -> Reading[Item, Result]:
        if self._started:
            raise ConfigError("this stream was already read", hint="its answer is in stream.reply; ask again for more")
        self._started = True
        return self._reading


class Stream(_Stream[Item, Result]):
    """`with qwen.chat.stream("…") as stream: for piece in stream: print(piece.text, end="")`."""

    _pieces: Generator[Item, None, None] | None = None

    def __iter__(self) -> Iterator[Item]:
        if self._pieces is None or self._reading.over:
            self._pieces = _read(self._start())
        return self._pieces

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection. What has arrived stays in `reply`."""
        if self._pieces is not None:
            self._pieces.close()
        self._started = self._reading.over = True

    def text(self) -> Iterator[str]:
        """Only the words: `for text in stream.text(): …`."""
        pieces: Iterator[Any] = iter(self)
        return (piece.text for piece in pieces if piece.text)

    def finish(self) -> Result:
        """Read to the end and give the whole reply."""
        if self._reading.reply is None:
            for _ in self:
                pass
        return self.reply


class AsyncStream(_Stream[Item, Result]):
    """`async with aqwen.chat.stream("…") as stream: async for piece in stream: …`."""

    _pieces: AsyncGenerator[Item, None] | None = None

    def __aiter__(self) -> AsyncIterator[Item]:
        if self._pieces is None or self._reading.over:
            self._pieces = _aread(self._start())
        return self._pieces

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the connection. What has arrived stays in `reply`."""
        if self._pieces is not None:
            await self._pieces.aclose()
        self._started = self._reading.over = True

    async def text(self) -> AsyncIterator[str]:
        """Only the words: `async for text in stream.text(): …`."""
        pieces: AsyncIterator[Any] = aiter(self)
        async for piece in pieces:
            if piece.text:
                yield piece.text

    async def finish(self) -> Result:
        """Read to the end and give the whole reply."""
        if self._reading.reply is None:
            async for _ in self:
                pass
        return self.reply


ChatStream: TypeAlias = Stream[Piece, Reply]
AsyncChatStream: TypeAlias = AsyncStream[Piece, Reply]
