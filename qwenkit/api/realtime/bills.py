"""What the responses of a session cost: one entry in the ledger for each, opened before it is asked for."""

from __future__ import annotations

from typing import Any

from qwenkit.api.accounts import OpenCall
from qwenkit.api.core import Core
from qwenkit.errors import BudgetExceeded, QwenError
from qwenkit.types.reply import Piece, Receipt
from qwenkit.types.usage import Usage

_BEGUN = Piece(text="…")  # tells an entry that something to read or hear has come


class Bills:
    """The open and the booked calls of one session."""

    def __init__(self, core: Core, model: str, family: str) -> None:
        self._core = core
        self._model = model
        self._family = family
        self._asked: OpenCall | None = None  # asked for, and not begun yet
        self._open: dict[str, OpenCall] = {}
        self._prompt = 0  # tokens of the last one: the next reads at least as many

    def ask(self, most: int | None = None) -> None:
        """A response is about to be asked for. `BudgetExceeded` when it would pass the budget."""
        if self._asked is None:
            self._asked = self._core.accounts.open(self._family, self._model, self._prompt, most)

    def begun(self, id: str) -> BudgetExceeded | None:
        """A response began, asked for or not; why it may not go on, when the budget says so."""
        try:
            self.ask()
        except BudgetExceeded as spent:
            return spent
        asked, self._asked = self._asked, None
        if asked is not None:
            self._open[id] = asked
        return None

    def first(self, id: str) -> None:
        """Something of a response has come."""
        call = self._open.get(id)
        if call is not None and call.waiting:
            call.first(_BEGUN)

    def ended(self, id: str, usage: Usage | None) -> Receipt | None:
        """A response is over: book it."""
        call = self._open.pop(id, None)
        if call is None:
            return None
        self._prompt = usage.prompt if usage else self._prompt
        return call.finished(usage, model=self._model, request_id=id, tries=1, streamed=True)

    def failed(self, error: QwenError | None) -> None:
        """Whatever is open comes to nothing."""
        waiting: list[Any] = [*self._open.values(), self._asked]
        self._open, self._asked = {}, None
        for call in filter(None, waiting):
            call.failed(error)
