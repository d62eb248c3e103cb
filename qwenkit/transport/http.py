"""The blocking driver: a short loop that runs a flow in the calling thread.

A flow yields requests and pauses; the driver sends and sleeps. Everything that decides anything is in the flow. The
awaited twin is `qwenkit.transport.http_async`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, TypeVar

import httpx

from qwenkit.errors import QwenError
from qwenkit.protocol.flow import Answer, Flow, Pause, Request, Run, Step, Together
from qwenkit.transport.crossing import Crossing, encoded, outgoing, proxy_for, tls_for, told, within
from qwenkit.transport.observer import Observer, Watches

T = TypeVar("T")


class Driver:
    """Runs flows in the calling thread. Safe to share between threads; needs no loop, only `Together` a thread."""

    def __init__(self, url: str, observers: list[Observer]) -> None:
        self._observers = observers
        proxy = proxy_for(url)
        self._transport = httpx.HTTPTransport(verify=tls_for(url, proxy), proxy=proxy)

    def run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._take(step)
                except QwenError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as over:
            result: T = over.value
            return result
        finally:
            flow.close()  # an interrupted call books itself as failed now, not when the traceback is forgotten

    def _take(self, step: Step) -> Any:
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        if isinstance(step, Together):
            return self._together(step)
        if isinstance(step, Run):
            from qwenkit.transport.working import work  # loads asyncio, which nothing else here needs

            return work(step.jobs)
        return self._exchange(step)

    def _together(self, step: Together) -> list[Any]:
        """Several flows in threads of their own, which are gone when the last flow is done.

        Who interrupts the cell gets it back at once; a request under way then ends by itself, and no other is begun.
        """
        outcomes: dict[int, Any] = {}
        waiting, turn, over = enumerate(step.flows), threading.Lock(), threading.Event()

        def work() -> None:
            while not over.is_set():
                with turn:
                    place, flow = next(waiting, (-1, None))
                if flow is None:
                    return
                try:
                    outcomes[place] = self.run(flow)
                except Exception as error:
                    outcomes[place] = error

        threads = [threading.Thread(target=work, daemon=True, name="qwenkit-together") for _ in range(step.most)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            over.set()
        return [outcomes[place] for place in sorted(outcomes)]

    def _exchange(self, step: Request) -> Answer:
        watches = Watches(tuple(self._observers), step)
        with Crossing(watches, step):
            response = self._transport.handle_request(outgoing(step))
            watches.answered(response.status_code, response.headers)
            if step.stream and response.status_code < 300:
                return Answer(response.status_code, response.headers, opened=OpenBody(response, watches))
            body = told(_read(response, step.most), step)
        watches.received(body)
        watches.finished()
        return Answer(response.status_code, response.headers, body)

    def close(self) -> None:
        self._transport.close()


class OpenBody:
    """The open body of a streamed answer: iterate it once for byte chunks; `close` is always safe."""

    def __init__(self, response: httpx.Response, watches: Watches) -> None:
        self._response = response
        self._watches = watches

    def __iter__(self) -> Iterator[bytes]:
        chunks: Any = self._response.iter_bytes() if encoded(self._response) else self._response.stream
        try:
            with Crossing(self._watches):
                for chunk in chunks:
                    if self._watches:
                        self._watches.received(chunk)
                    yield chunk
                self._watches.finished()
        finally:
            self.close()

    def close(self) -> None:
        self._response.close()


def _read(response: httpx.Response, most: int | None) -> bytes:
    try:
        within(response.headers.get("content-length"), most)
        if encoded(response):
            return response.read()
        chunks: Any = response.stream
        return b"".join(chunks if most is None else _counted(chunks, most))
    finally:
        response.close()


def _counted(chunks: Iterator[bytes], most: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        within(size, most)
        yield chunk
