"""A chat stream in the hand: iterate it for pieces, ask it for the reply so far, close it at any time.

Opening is an ordinary call, retries included. From the first byte on nothing is repeated silently: a stream that ends
early raises `StreamBroken`, an error inside it the typed error, and both carry what had arrived.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

from qwenkit.api.accounts import OpenCall
from qwenkit.api.core import Core
from qwenkit.errors import ConfigError, QwenError, TransportError
from qwenkit.protocol.chat_stream import ChatFold
from qwenkit.protocol.flow import Answer, Request
from qwenkit.protocol.sse import EventDecoder
from qwenkit.types.reply import Piece, Reply

S = TypeVar("S", bound="_Stream")


class Plan:
    """A stream before it is opened: what to send and how to read it."""

    __slots__ = ("body", "fold", "request")

    def __init__(self, request: Request, fold: ChatFold, body: dict[str, Any]) -> None:
        self.request = request
        self.fold = fold
        self.body = body


class _Stream:
    """What both flavours share: the fold, the reply so far, and the books."""

    def __init__(self, core: Core, plan: Plan, on_reply: Callable[[Reply], None] | None = None) -> None:
        self._core = core
        self._plan = plan
        self._fold = plan.fold
        self._on_reply = on_reply
        self._answer: Answer | None = None
        self._call: OpenCall | None = None
        self._reply: Reply | None = None
        self._started = False
        self._over = False

    @property
    def reply(self) -> Reply:
        """The answer so far; the finished reply once the stream has ended."""
        return self._reply or self._fold.reply()

    @property
    def request_id(self) -> str:
        return self._fold.request_id

    def _start(self) -> None:
        if self._started:
            raise ConfigError("this stream was already read", hint="its answer is in stream.reply; ask again for more")
        self._started = True

    def _begin(self) -> OpenCall:
        from qwenkit.api.chat import open_call

        self._call = open_call(self._core, self._plan.body)
        return self._call

    def _opened(self, answer: Answer) -> None:
        self._answer = answer
        self._fold.request_id = answer.headers.get("x-request-id", "")

    def _ended(self) -> None:
        """All bytes came. Book the call, or complain when the answer has no end."""
        if not self._fold.ended:
            raise self._fold.broken("the stream ended before the answer did")
        reply = self._fold.reply()
        assert self._call is not None
        assert self._answer is not None
        reply.receipt = self._call.finished(
            reply.usage,
            model=reply.model,
            request_id=self.request_id,
            tries=self._answer.tries,
            streamed=True,
        )
        self._reply = reply
        if self._on_reply is not None:
            self._on_reply(reply)

    def _failed(self, error: BaseException) -> BaseException:
        """Book a stream that did not reach its end, and say what to raise."""
        if self._call is not None:
            self._call.failed(error, self._fold.reply().usage)
        if isinstance(error, TransportError) and self._answer is not None:
            broken = self._fold.broken(f"the stream broke off: {error.message}")
            broken.__cause__ = error
            return broken
        if isinstance(error, QwenError) and error.reply is None and self._answer is not None:
            self._fold.carry(error)
        return error


class ChatStream(_Stream):
    """`with qwen.chat.stream("…") as stream: for piece in stream: print(piece.text, end="")`."""

    _pieces: Iterator[Piece] | None = None

    def __iter__(self) -> Iterator[Piece]:
        if self._pieces is None or self._over:
            self._start()
            self._pieces = self._read()
        return self._pieces

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection. What has arrived stays in `reply`."""
        if self._pieces is not None:
            self._pieces.close()  # type: ignore[attr-defined]
        self._started = self._over = True

    def text(self) -> Iterator[str]:
        """Only the words: `for text in stream.text(): …`."""
        return (piece.text for piece in self if piece.text)

    def finish(self) -> Reply:
        """Read to the end and give the whole reply."""
        if self._reply is None:
            for _ in self:
                pass
        return self.reply

    def _read(self) -> Iterator[Piece]:
        call = None
        body = None
        try:
            call = self._begin()
            self._opened(self._core.driver.run(self._core.send(self._plan.request)))
            body = self._answer.opened  # type: ignore[union-attr]
            decoder, fold = EventDecoder(), self._fold
            for chunk in body:
                for event in decoder.feed(chunk):
                    for piece in fold.add(event.data):
                        call.first_token()
                        yield piece
            for event in decoder.close():
                yield from fold.add(event.data)
            self._ended()
        except BaseException as error:
            raise self._failed(error) from error.__cause__
        finally:
            self._over = True
            if body is not None:
                body.close()


class AsyncChatStream(_Stream):
    """`async with aqwen.chat.stream("…") as stream: async for piece in stream: …`."""

    _pieces: AsyncIterator[Piece] | None = None

    def __aiter__(self) -> AsyncIterator[Piece]:
        if self._pieces is None or self._over:
            self._start()
            self._pieces = self._read()
        return self._pieces

    async def __aenter__(self) -> AsyncChatStream:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the connection. What has arrived stays in `reply`."""
        if self._pieces is not None:
            await self._pieces.aclose()  # type: ignore[attr-defined]
        self._started = self._over = True

    async def finish(self) -> Reply:
        """Read to the end and give the whole reply."""
        if self._reply is None:
            async for _ in self:
                pass
        return self.reply

    async def _read(self) -> AsyncIterator[Piece]:
        body = None
        try:
            call = self._begin()
            self._opened(await self._core.async_driver.run(self._core.send(self._plan.request)))
            body = self._answer.opened  # type: ignore[union-attr]
            decoder, fold = EventDecoder(), self._fold
            async for chunk in body:
                for event in decoder.feed(chunk):
                    for piece in fold.add(event.data):
                        call.first_token()
                        yield piece
            for event in decoder.close():
                for piece in fold.add(event.data):
                    yield piece
            self._ended()
        except BaseException as error:
            raise self._failed(error) from error.__cause__
        finally:
            self._over = True
            if body is not None:
                await body.close()
