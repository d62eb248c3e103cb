"""One billed call: send, read, book, whatever comes."""

from __future__ import annotations

from typing import Protocol, TypeVar

from qwenkit.api.accounts import OpenCall
from qwenkit.api.core import Core
from qwenkit.protocol.flow import Answer, Flow, Request
from qwenkit.types.reply import Receipt
from qwenkit.types.usage import Usage


class Told(Protocol):
    """What an answer says about itself, whatever else it holds."""

    receipt: Receipt

    @property
    def usage(self) -> Usage | None: ...
    @property
    def model(self) -> str: ...


T = TypeVar("T", bound=Told, covariant=True)


class Read(Protocol[T]):
    """Makes of an answer's body what it is."""

    def __call__(self, data: bytes, /, *, request: str, request_id: str) -> T: ...


def billed(core: Core, request: Request | Flow[Request], opened: OpenCall, read: Read[T]) -> Flow[T]:
    """What `read` makes of the answer, with its receipt; a failure is booked too.

    A request that must be prepared first, by uploads, comes as the flow that makes it.
    """
    try:
        if not isinstance(request, Request):
            request = yield from request
        answer: Answer = yield from core.send(request)
        request_id = answer.headers.get("x-request-id", "")
        told = read(answer.body, request=request.name, request_id=request_id)
    except BaseException as error:
        opened.failed(error)
        raise
    model = told.model or opened.model
    told.receipt = opened.finished(told.usage, model=model, request_id=request_id, tries=answer.tries, streamed=False)
    return told
