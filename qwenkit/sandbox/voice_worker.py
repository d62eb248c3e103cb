"""The speaking process: reads orders on its standard input, writes waves to its standard output, until that closes.

espeak-ng keeps one global state that every utterance leaves a trace in, it can be brought down by a text, and it is
GPL software. So it lives here, behind two pipes, and every utterance is spoken by a fork of a process that has said
nothing yet: the same order gives the same bytes whatever was said before, and a crash costs one utterance. Where
there is no fork, the library is closed and opened again for each.

An order is a length (4 bytes, little-endian) and JSON {"text", "voice", "rate", "pitch", "range"}; the answer is two
lengths, JSON {"rate_hz", "words": [[character, characters, ms], …]} or {"error"}, and 16-bit samples. The file imports
the standard library only and is run by its path, without site packages: it must start in no time.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import struct
import sys
from typing import Any, BinaryIO

SECONDS = 10  # for one utterance; espeak-ng needs a thousandth of what it says
_SYNCHRONOUS, _UTF8, _CHARACTER = 2, 1, 1  # any other mode speaks in a thread, which a fork does not have
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_ENDS, _WORD = 0, 1


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_Heard = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Speaker:
    """The library, opened. It says one thing at a time."""

    def __init__(self, library: str, data: str) -> None:
        self._library, self._data = ctypes.CDLL(library), data.encode()
        self._callback = _Heard(self._take)
        self._pieces: list[bytes] = []
        self._words: list[tuple[int, int, int]] = []
        self._open()

    def _open(self) -> None:
        self.rate_hz = self._library.espeak_Initialize(_SYNCHRONOUS, 0, self._data, 0x8000)
        if self.rate_hz <= 0:
            raise OSError("espeak-ng does not open its data")
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # breath is random, from the clock unless told

    def renew(self) -> None:
        self._library.espeak_Terminate()
        self._open()

    def say(self, order: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """What was said and when its words begin, and the samples."""
        self._pieces, self._words = [], []
        if self._library.espeak_SetVoiceByName(str(order["voice"]).encode()):
            return {"error": f"espeak-ng has no voice {order['voice']}"}, b""
        for parameter, name in ((_RATE, "rate"), (_PITCH, "pitch"), (_RANGE, "range")):
            self._library.espeak_SetParameter(parameter, int(order[name]), 0)
        self._library.espeak_SetParameter(_VOLUME, 100, 0)
        text = str(order["text"]).encode("utf-8", "replace") + b"\0"
        self._library.espeak_Synth(text, len(text), 0, _CHARACTER, 0, _UTF8, None, None)
        return {"rate_hz": self.rate_hz, "words": self._words}, b"".join(self._pieces)

    def _take(self, wave: Any, samples: int, events: Any) -> int:
        if wave and samples > 0:
            self._pieces.append(ctypes.string_at(wave, samples * 2))
        at = 0
        while events[at].type != _ENDS:
            event = events[at]
            if event.type == _WORD:
                self._words.append((event.text_position - 1, event.length, event.audio_position))
            at += 1
        return 0


def serve(speaker: Speaker, orders: BinaryIO, answers: BinaryIO) -> None:
    """Answer one order after the other until there are no more."""
    while len(head := orders.read(4)) == 4:
        order = json.loads(orders.read(struct.unpack("<I", head)[0]))
        if not hasattr(os, "fork"):
            speaker.renew()
            _send(answers, *speaker.say(order))
        elif not _say_apart(speaker, order, answers):
            _send(answers, {"error": "espeak-ng broke off"}, b"")


def _say_apart(speaker: Speaker, order: dict[str, Any], answers: BinaryIO) -> bool:
    """Speak in a child, which answers itself; whether it came to its end."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    with contextlib.suppress(BaseException):
        signal.alarm(SECONDS)
        said = speaker.say(order)
        signal.alarm(0)  # an answer is written whole or not at all
        _send(answers, *said)
        os._exit(0)
    os._exit(1)


def _send(answers: BinaryIO, facts: dict[str, Any], samples: bytes) -> None:
    head = json.dumps(facts).encode()
    answers.write(struct.pack("<II", len(head), len(samples)) + head + samples)
    answers.flush()


def main(library: str, data: str) -> None:
    # The library may write to the standard output; answers go to a copy of it that only we know.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a notebook is for the notebook
    serve(Speaker(library, data), os.fdopen(os.dup(0), "rb"), answers)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main(sys.argv[1], sys.argv[2])
