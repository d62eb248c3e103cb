"""What a chat call gives back: a plain value first, a card second.

`Reply` is what remains when a call is over, streamed or not. `Piece` is one step of a stream. Neither opens
connections nor knows HTML; `reply.raw` decodes the stored bytes on demand, so unknown fields stay reachable.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.message import Message
from qwenkit.types.tools import Round, ToolRun
from qwenkit.types.usage import Cost, Usage

if TYPE_CHECKING:
    from qwenkit.types.audio import Audio


class TopLogprob(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """One alternative the model weighed at a position."""

    token: str = ""
    logprob: float | None = None
    bytes: list[int] | None = None


class TokenLogprob(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """One generated token with its log probability and the alternatives beside it."""

    token: str = ""
    logprob: float | None = None
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = []


class ToolCall(msgspec.Struct, repr_omit_defaults=True):
    """A function the model asks for. `arguments` is the JSON text exactly as the model wrote it."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    index: int = 0

    @property
    def parsed(self) -> dict[str, Any]:
        """The arguments as a dict, read leniently; `ToolError` says what is wrong with them."""
        given: dict[str, Any] = import_module("qwenkit.protocol.arguments").read(self.arguments, self.name)
        return given


class Choice(msgspec.Struct, repr_omit_defaults=True):
    """One answer of a reply; there are several only when `n` was above one."""

    index: int = 0
    text: str = ""
    thinking: str = ""
    finish_reason: str | None = None
    tool_calls: list[ToolCall] = []
    logprobs: list[TokenLogprob] | None = None


class Receipt(msgspec.Struct, repr_omit_defaults=True):
    """What the call cost in time and money, and how to name it to the service's support.

    `latency` and `first_token` are seconds; they vary from run to run and are shown as such.
    """

    model: str = ""
    request_id: str = ""
    latency: float | None = None
    first_token: float | None = None
    tries: int = 1
    cost: Cost | None = None
    thinking_cost: Cost | None = None  # the part of the cost that thinking took
    streamed: bool = False
    sandbox: bool = False


class Paid:
    """What every answer can say of its call. It reads `receipt`, which the class it joins has."""

    __slots__ = ()

    @property
    def request_id(self) -> str:
        receipt: Receipt = self.receipt  # type: ignore[attr-defined]
        return receipt.request_id

    @property
    def cost(self) -> Cost | None:
        """Estimated from list prices; None when nothing was asked, or the model has no known price."""
        receipt: Receipt = self.receipt  # type: ignore[attr-defined]
        return receipt.cost


class Sent:
    """What the service sent, decoded on demand. It reads `events` and `body`, which the class it joins has."""

    __slots__ = ()

    @property
    def raw(self) -> Any:
        """The answer as the service sent it: a dict, or for a stream the list of its event dicts."""
        events: list[bytes] = self.events  # type: ignore[attr-defined]
        body: bytes = self.body  # type: ignore[attr-defined]
        if events:
            return [_plain(event) for event in events]
        return _plain(body) if body else None


class Reply(Paid, Sent, Shown):
    """A finished answer. `print(reply)` gives the text; a cell that ends in it shows a card."""

    __slots__ = (
        "audio",
        "body",
        "choices",
        "created",
        "events",
        "id",
        "model",
        "prefix",
        "receipt",
        "rounds",
        "schema",
        "usage",
    )

    def __init__(
        self,
        *,
        choices: list[Choice] | None = None,
        usage: Usage | None = None,
        id: str = "",
        model: str = "",
        created: int = 0,
        receipt: Receipt | None = None,
        body: bytes = b"",
        events: list[bytes] | None = None,
        prefix: str = "",
        schema: Any = None,
        rounds: list[Round] | None = None,
        audio: Audio | None = None,
    ) -> None:
        self.choices = choices or []
        self.usage = usage
        self.id = id
        self.model = model
        self.created = created
        self.receipt = receipt or Receipt()
        self.body = body
        self.events = events or []
        self.prefix = prefix
        self.schema = schema
        self.rounds = rounds or []
        self.audio = audio  # the answer as it was spoken, when `speak` asked for that

    @property
    def text(self) -> str:
        """The first answer's text. After a prefix: what follows it, as the service sends it."""
        return self.choices[0].text if self.choices else ""

    @property
    def whole(self) -> str:
        """The text with the prefix it goes on from; without a prefix the same as `text`."""
        return self.prefix + self.text

    @property
    def value(self) -> Any:
        """The first answer as a value: an instance of the type that was `schema`, else the plain data its JSON holds.

        `SchemaMismatch` when the answer is no JSON or does not fit. A call with `schema` checks this before it
        returns; a stream leaves it to whoever asks for the value.
        """
        return import_module("qwenkit.protocol.structured").of(self)

    @property
    def texts(self) -> list[str]:
        """Every answer's text, for `n` above one."""
        return [choice.text for choice in self.choices]

    @property
    def thinking(self) -> str:
        """What the model reasoned before it answered, empty when it did not think."""
        return self.choices[0].thinking if self.choices else ""

    @property
    def tool_calls(self) -> list[ToolCall]:
        return self.choices[0].tool_calls if self.choices else []

    @property
    def logprobs(self) -> list[TokenLogprob] | None:
        return self.choices[0].logprobs if self.choices else None

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped: `stop`, `length`, `tool_calls`, or None when the service cut it off."""
        return self.choices[0].finish_reason if self.choices else None

    @property
    def message(self) -> Message:
        """The first answer as a message, tool calls included: what goes into the list before the next turn."""
        calls = [
            {
                "id": call.id or f"call_{call.index}",  # a result must be able to name its call
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in self.tool_calls
        ]
        return Message("assistant", self.whole, tool_calls=calls or None)

    @property
    def thinking_cost(self) -> Cost | None:
        """The part of `cost` that the thinking took; None when there was none."""
        return self.receipt.thinking_cost

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= 60 else self.text[:59] + "…"
        total = self.usage.total if self.usage else 0
        calls = f", calls={[call.name for call in self.tool_calls]}" if self.tool_calls else ""
        return f"Reply({text!r}{calls}, model={self.model!r}, tokens={total})"


def _plain(data: bytes) -> Any:
    """The JSON in `data`; bytes that are no UTF-8, in a field nobody typed, become replacement characters."""
    try:
        return msgspec.json.decode(data)
    except UnicodeDecodeError:
        return msgspec.json.decode(data.decode("utf-8", "replace"))


class ToolFragment(msgspec.Struct, repr_omit_defaults=True):
    """A bit of a streamed tool call; fragments join by `index`."""

    index: int = 0
    id: str = ""
    name: str = ""
    arguments: str = ""


class Piece(msgspec.Struct, gc=False, repr_omit_defaults=True):
    """One step of a streamed answer: some text, some thinking, a bit of a tool call, an end, or the usage.

    In a conversation that runs tools, `ran` is a call that was carried out between two rounds, with its result.
    """

    text: str = ""
    thinking: str = ""
    index: int = 0
    tool: ToolFragment | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    logprobs: list[TokenLogprob] | None = None
    ran: ToolRun | None = None
    audio: bytes = b""  # 16-bit mono samples of a spoken answer, at 24 kHz
