"""A chat stream is a fold: event after event into one growing reply.

`ChatFold.add` takes one event's bytes and gives the pieces it brings; `ChatFold.reply` is the reply so far, at any
moment. The same fold serves blocking and awaited clients, live drawing, traces and tests. It reads both dialects:
incremental deltas, and the cumulative ones some translation models send, where every event repeats the whole text.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import msgspec

from qwenkit.protocol.chat import WireLogprobs, WireToolCall
from qwenkit.protocol.folding import Fold
from qwenkit.protocol.lenient import Lenient
from qwenkit.protocol.omni import Sound
from qwenkit.types.audio import Audio
from qwenkit.types.reply import Choice, Piece, Reply, TokenLogprob, ToolCall, ToolFragment
from qwenkit.types.tools import Round
from qwenkit.types.usage import Usage


class WireAudio(msgspec.Struct, gc=False):
    data: str | None = None
    transcript: str | None = None


class WireDelta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[WireToolCall] | None = None
    audio: WireAudio | None = None


class WireChunkChoice(msgspec.Struct, gc=False):
    index: int = 0
    delta: WireDelta | None = None
    finish_reason: str | None = None
    logprobs: WireLogprobs | None = None
    text: str | None = None  # what /completions has in the place of a delta


class WireChunk(msgspec.Struct, gc=False):
    choices: list[WireChunkChoice] = []
    usage: Usage | None = None
    id: str | None = None
    model: str | None = None
    created: int | None = None
    error: Any = None
    code: Any = None


_CHUNK = Lenient.of(WireChunk)
_DONE = b"[DONE]"


class Text:
    """A text that grows by small pieces. Kept as bytes: a list of a hundred thousand short strings weighs far more."""

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        self._bytes = BytesIO()

    def write(self, piece: str) -> None:
        self._bytes.write(piece.encode("utf-8", "surrogatepass"))

    def getvalue(self) -> str:
        return self._bytes.getvalue().decode("utf-8", "surrogatepass")


class _Growing:
    """One choice as it grows. Texts are written to a buffer and read only when somebody asks."""

    __slots__ = ("finish_reason", "heard", "index", "logprobs", "sound", "text", "thinking", "tools")

    def __init__(self, index: int) -> None:
        self.index = index
        self.text = Text()
        self.thinking = Text()
        self.finish_reason: str | None = None
        self.logprobs: list[TokenLogprob] = []
        self.tools: dict[int, ToolCall] = {}
        self.sound: Any = None
        self.heard = False  # its text is what its sound says, for want of any other

    def choice(self) -> Choice:
        return Choice(
            index=self.index,
            text=self.text.getvalue(),
            thinking=self.thinking.getvalue(),
            finish_reason=self.finish_reason,
            tool_calls=[msgspec.structs.replace(call) for _, call in sorted(self.tools.items())],
            logprobs=list(self.logprobs) or None,
        )

    def add_sound(self, wire: WireAudio) -> tuple[str, bytes]:
        """What a piece of sound says, where that comes with it, and its samples."""
        if self.sound is None:
            self.sound, self.heard = Sound(), not self.text.getvalue()
        return (wire.transcript or "" if self.heard else ""), self.sound.add(wire.data or "")

    def add_tool(self, wire: WireToolCall, cumulative: bool) -> ToolFragment | None:
        """Join one fragment; None when it only repeats. A later empty id or name never overwrites the known one."""
        index = wire.index or 0
        known = self.tools.get(index)
        call = self.tools.setdefault(index, ToolCall(index=index))
        name = (wire.function.name if wire.function else None) or ""
        arguments = (wire.function.arguments if wire.function else None) or ""
        if cumulative and known:
            arguments = arguments.removeprefix(known.arguments)
            if not arguments:
                return None
        call.id = wire.id or call.id
        call.name = name or call.name
        call.arguments += arguments
        return ToolFragment(index=index, id=call.id, name=call.name, arguments=arguments)


class ChatFold(Fold[Piece, Reply]):
    """The fold of a chat stream."""

    def __init__(
        self,
        *,
        cumulative: bool = False,
        request: str = "",
        schema: Any = None,
        prefix: str = "",
        voice: str = "",
    ) -> None:
        super().__init__(request=request)
        self.voice = voice
        self.rounds: list[Round] = []  # those before this answer
        self.schema = schema
        self.prefix = prefix
        self.cumulative = cumulative
        self._growing: dict[int, _Growing] = {}
        self._head: WireChunk | None = None

    @property
    def begun(self) -> bool:
        return self._head is not None

    @property
    def ended(self) -> bool:
        """The end marker came, or every choice said why it stopped."""
        choices = self._growing.values()
        return self.done or (bool(choices) and all(choice.finish_reason for choice in choices))

    def add(self, data: bytes) -> list[Piece]:
        """Fold one event in. Raises the typed error when the event is one, `StreamBroken` when it is not readable."""
        if self.done or data.startswith(_DONE):
            self.done = True
            return []
        if not data:  # a keep-alive comment, or a named event without data
            return []
        try:
            chunk: WireChunk = _CHUNK.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as broken:
            raise self.unreadable(data, broken) from broken
        if chunk.error or (chunk.code and not chunk.choices):
            self.refuse(data)
        if self._head is None:
            self._head = chunk
        self.keep(data)
        pieces = [piece for choice in chunk.choices for piece in self._grow(choice)]
        if chunk.usage is not None:
            self.usage = chunk.usage
            pieces.append(Piece(usage=chunk.usage))
        return pieces

    def _grow(self, wire: WireChunkChoice) -> list[Piece]:
        growing = self._growing.get(wire.index) or self._growing.setdefault(wire.index, _Growing(wire.index))
        delta = wire.delta or WireDelta(content=wire.text)
        piece = Piece(index=wire.index)
        if delta.content:
            piece.text = self._news(growing.text, delta.content)
        if delta.audio is not None:
            heard, piece.audio = growing.add_sound(delta.audio)
            piece.text += heard
            growing.text.write(heard)
        if delta.reasoning_content:
            piece.thinking = self._news(growing.thinking, delta.reasoning_content)
        if wire.logprobs is not None and wire.logprobs.content:
            weighed = wire.logprobs.content[len(growing.logprobs) if self.cumulative else 0 :]
            piece.logprobs = weighed or None
            growing.logprobs.extend(weighed)
        if wire.finish_reason:
            piece.finish_reason = growing.finish_reason = wire.finish_reason
        more: list[Piece] = []
        for call in delta.tool_calls or ():  # a piece for each fragment; what else the event said rides on the first
            fragment = growing.add_tool(call, self.cumulative)
            if fragment and piece.tool:
                more.append(Piece(index=wire.index, tool=fragment))
            elif fragment:
                piece.tool = fragment
        told = piece.text or piece.thinking or piece.audio or piece.finish_reason or piece.tool
        return [piece, *more] if told else []

    def _news(self, known: Text, said: str) -> str:
        """What is new in a text, added to what is known; a cumulative stream repeats that first."""
        news = said.removeprefix(known.getvalue()) if self.cumulative else said
        known.write(news)
        return news

    def reply(self) -> Reply:
        head = self._head or WireChunk()
        return Reply(
            choices=[growing.choice() for _, growing in sorted(self._growing.items())],
            usage=self.usage,
            id=head.id or "",
            model=head.model or "",
            created=head.created or 0,
            events=list(self._events),
            prefix=self.prefix,
            schema=self.schema,
            rounds=list(self.rounds),
            audio=self._audio(head.model or ""),
        )

    def _audio(self, model: str) -> Audio | None:
        """The first answer's sound so far."""
        growing = self._growing.get(0)
        if growing is None or growing.sound is None:
            return None
        facts = {"voice": self.voice, "model": model, "text": growing.text.getvalue()}
        made: Audio = growing.sound.audio(**{name: fact for name, fact in facts.items() if fact})
        return made

    def words(self) -> str:
        return "".join(choice.thinking + choice.text for choice in self.reply().choices)
