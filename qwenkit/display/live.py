"""Drawing a stream while it arrives: `reply = show(qwen.chat.stream("…"))`.

In a notebook one card is redrawn in place, a few times a second however fast the words come, and its last state is the
card that the finished reply draws of itself. In a terminal the words are printed as they come. Interrupting leaves what
had arrived, says so, and goes on to raise; so does a stream that breaks. Nothing here opens a connection or a thread.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from typing import Any

from qwenkit.display import bundle, drawer
from qwenkit.display.growing import Draft
from qwenkit.display.page import Bundle
from qwenkit.display.reply import MAX_NAME, plain_call
from qwenkit.display.rounds import plain_run
from qwenkit.display.text import clean, line
from qwenkit.errors import ConfigError
from qwenkit.types.reply import Choice, Piece

# The eye follows no more; each repaint costs the kernel about a millisecond and the browser several.
REPAINTS_PER_SECOND = 10
# Every repaint sends the whole card: long answers are redrawn less often, so that the connection does not fill up.
BYTES_PER_SECOND = 250_000
# Drawing takes at most this share of one core, however slow a repaint is.
SHARE = 0.02

INTERRUPTED = "Interrupted: this is what had arrived."
BROKEN = "The stream broke off here."

Publish = Callable[[Bundle, bool], None]
"""Shows a bundle; True redraws the one shown before."""


def show(stream: Any, *, publish: Publish | None = None, clock: Callable[[], float] = time.monotonic) -> Any:
    """Draw the stream as it arrives and return its reply; for an asynchronous stream, an awaitable of it.

    A stream is anything that iterates over pieces and has the reply so far in `.reply`.
    """
    if not (hasattr(stream, "reply") and (hasattr(stream, "__iter__") or hasattr(stream, "__aiter__"))):
        hint = 'pass a stream: qk.show(qwen.chat.stream("…"))'
        raise ConfigError(f"show draws a stream, not a value of type {type(stream).__name__}", hint=hint)
    shell = _shell()
    sounds = publish is None and getattr(shell, "kernel", None) is not None
    publish = _publisher(shell) if sounds else publish
    canvas = Card(stream, publish, clock, _player if sounds else None) if publish else Print(stream)
    return _show_async(stream, canvas, shell) if hasattr(stream, "__aiter__") else _show(stream, canvas, shell)


def _show(stream: Any, canvas: Card | Print, shell: Any) -> Any:
    with stream if hasattr(stream, "__enter__") else nullcontext(), _kept(canvas):
        for piece in stream:
            canvas.add(piece)
    return _drawn(stream.reply, shell)


async def _show_async(stream: Any, canvas: Card | Print, shell: Any) -> Any:
    async with stream if hasattr(stream, "__aenter__") else nullcontext():
        with _kept(canvas):
            async for piece in stream:
                canvas.add(piece)
    return _drawn(stream.reply, shell)


@contextmanager
def _kept(canvas: Card | Print) -> Iterator[None]:
    """Whatever ends the stream, leave a last drawing that says how it ended."""
    try:
        yield
    except BaseException as error:
        canvas.end(BROKEN if isinstance(error, Exception) else INTERRUPTED)
        raise
    canvas.end("")


class Card:
    """One output of a notebook, redrawn in place. Nothing is shown before the first words."""

    def __init__(
        self,
        stream: Any,
        publish: Publish,
        clock: Callable[[], float],
        player: Callable[[int], Any] | None = None,
    ) -> None:
        self._make_player = player
        self._player: Any = None
        self._stream = stream
        self._publish = publish
        self._clock = clock
        self._drafts: dict[int, Draft] = {}
        self._shown = False
        self._shown_in: Any = None  # the player
        self._next = clock()

    def add(self, piece: Piece) -> None:
        now = self._clock()
        if getattr(piece, "audio", b"") and self._make_player is not None:
            with suppress(Exception):  # sound that cannot play now is in the card at the end
                self._sound(piece.audio, getattr(piece, "rate_hz", 24_000))
        if getattr(piece, "ran", None) is not None:
            self._drafts.clear()  # a new round: its texts begin from nothing
        elif now < self._next or not (piece.text or piece.thinking or piece.tool or getattr(piece, "item", None)):
            return
        size, first = 0, not self._shown
        with suppress(Exception):  # a drawing that fails must not cost the stream
            size = self._paint(self._stream.reply, running=True, words=self._words)
        spent = 0.0 if first else self._clock() - now  # the first one loads what the others find loaded
        self._next = now + max(1 / REPAINTS_PER_SECOND, spent / SHARE, size / BYTES_PER_SECOND)

    def end(self, remark: str) -> None:
        reply = self._stream.reply
        if remark and self._player is not None:
            self._player.hushed = True
        self._player = None  # it plays on; what is seen from now on is the card
        if not remark:
            self._show(bundle(reply))
        elif self._shown or reply.text or reply.thinking:
            self._paint(reply, remark=remark)

    def _words(self, choice: Choice) -> str:
        return self._drafts.setdefault(choice.index, Draft()).html(choice)

    def _paint(self, reply: Any, **how: Any) -> int:
        html: str = drawer(reply)(reply, **how)
        self._show({"text/plain": line(reply.text, MAX_NAME), "text/html": html})
        return len(html)

    def _sound(self, pcm: bytes, rate_hz: int) -> None:
        """Play it. The player comes into the output with the first piece, and holds the card as long."""
        if self._player is None:
            assert self._make_player is not None
            self._player = self._make_player(rate_hz)
            self._paint(self._stream.reply, running=True, words=self._words)
        self._player.add(pcm)

    def _show(self, shown: Bundle) -> None:
        if self._player is not None:
            self._player.card = shown["text/html"]
            if self._shown_in is self._player:
                return
            self._shown_in = self._player
            shown = {**shown, **self._player.bundle()}
        self._publish(shown, self._shown)
        self._shown = True


class Print:
    """A terminal: the first answer's words as they come, its thinking dimmed; the rest at the end."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._dim = sys.stdout.isatty()
        self._thinking = self._wrote = self._open = False

    def add(self, piece: Piece) -> None:
        if piece.index == 0 and piece.thinking:
            self._write("" if self._thinking or not self._dim else "\x1b[2m", piece.thinking)
            self._thinking = True
        if piece.index == 0 and piece.text:
            self._write(self._answering(), piece.text)
        ran: Any = getattr(piece, "ran", None)
        if ran is not None:
            self._write(self._answering() + ("\n" if self._open else ""), plain_run(ran) + "\n")

    def end(self, remark: str) -> None:
        choices = getattr(self._stream.reply, "choices", [])
        calls = [clean(plain_call(tool)) for choice in choices[:1] for tool in choice.tool_calls]
        others = [f"\n[{choice.index + 1}] {clean(choice.text)}" for choice in choices[1:]]
        last = [*calls, *others, *([remark] if remark else [])]
        print(
            (self._answering() if self._thinking else "") + ("\n" if self._wrote else "") + "\n".join(last), flush=True
        )

    def _answering(self) -> str:
        """What stands between thinking and answer."""
        was, self._thinking = self._thinking, False
        return ("\x1b[0m\n\n" if self._dim else "\n\n") if was else ""

    def _write(self, code: str, text: str) -> None:
        self._wrote = True
        self._open = not text.endswith("\n")
        print(code + clean(text), end="", flush=True)


# Values with the number of the cell that has drawn them; the cell's result is one of the last.
_DRAWN: deque[tuple[int, Any]] = deque(maxlen=8)


def _drawn(value: Any, shell: Any) -> Any:
    """The value; its cell will not draw it a second time as its result (see `Shown`)."""
    if shell is not None:
        _DRAWN.append((shell.execution_count, value))
    return value


def is_drawn(value: Any) -> bool:
    """Whether the running cell has drawn this value already."""
    cell = getattr(_shell(), "execution_count", None)
    return any(each is value and drawn_by == cell for drawn_by, each in _DRAWN)


def _shell() -> Any:
    """The running IPython shell, if there is one; IPython is never imported for asking."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _player(rate_hz: int) -> Any:
    return import_module("qwenkit.widgets.player").start(rate_hz)


def _publisher(shell: Any) -> Publish:
    """Straight to the publisher: 40 % cheaper than display handles. The id travels beside the output, not in it."""
    from secrets import token_hex

    transient = {"display_id": token_hex(8)}

    def publish(bundle: Bundle, update: bool) -> None:
        shell.display_pub.publish(bundle, transient=transient, update=update)

    return publish
