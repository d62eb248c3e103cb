"""A film: a file, or a list of frames and how many of them make a second.

Files are opened by PyAV, which comes with `qwenkit[lab]`, and only when a fact or a frame is asked for. Frames are
found by their time; between two far apart the decoder jumps, so an hour of film costs no more than its frames.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from qwenkit.types.image import Image, encoded
from qwenkit.types.media import Content, Media, problem
from qwenkit.types.reply import Receipt
from qwenkit.types.task import Task
from qwenkit.types.usage import Cost, Usage

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FPS = 2.0  # what the service takes a list of frames for
MAX_FRAMES = 8000  # more no model looks at
_JUMP = 2.0  # seconds: nearer frames are reached by decoding on
# Measured: with x264's look-ahead one encoding in some hundred differs, and so does one on another processor.
_REPEATABLE = {"preset": "superfast", "tune": "zerolatency", "threads": "1", "x264-params": "cpu-independent=1"}
_DARK = 16  # of 255: a first frame below it shows nothing


class Facts(NamedTuple):
    duration: float
    fps: float
    start: float


class Video(Media):
    """A film. `.duration` is in seconds; `.stills` are the frames it was given, none when it is a file."""

    noun = "film"
    family = "video"
    stills: tuple[Image, ...] = ()
    task: Task | None = None  # that made it
    receipt: Receipt | None = None
    usage: Usage | None = None
    _rate = FPS

    @classmethod
    def _taken(cls, value: Any, facts: dict[str, Any]) -> Self:
        """A list of pictures, or one array of frames x height x width x 3."""
        if not isinstance(value, list | tuple) and getattr(value, "ndim", 0) != 4:
            return super()._taken(value, facts)
        rate = facts.pop("fps", FPS)
        if not isinstance(rate, int | float) or not 0 < rate < 1000:
            raise problem(f"fps={rate!r} is no number of frames a second")
        video = cls(**facts)
        video.stills, video._rate = tuple(Image.of(each) for each in value), float(rate)
        if not video.stills:
            raise problem("a film needs at least one frame")
        return video

    @property
    def prompt(self) -> str:
        """What it was made from; empty for a film that was not made here."""
        return str(self.meta.get("prompt") or "")

    @property
    def model(self) -> str:
        return str(self.meta.get("model") or "")

    @property
    def cost(self) -> Cost | None:
        """What it is estimated to have cost; None where the prices do not tell."""
        return self.receipt.cost if self.receipt else None

    @property
    def loaded(self) -> bool:
        return bool(self.stills) or super().loaded

    @property
    def duration(self) -> float:
        return len(self.stills) / self._rate if self.stills else self._facts.duration

    @property
    def fps(self) -> float:
        return self._rate if self.stills else self._facts.fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as it is seen."""
        return self.poster.size

    @cached_property
    def poster(self) -> Image:
        """The picture it stands for: its first frame, or the middle one when the first is black."""
        first = self._shots([0.0])[0]
        dark = max(high for _, high in first.pil.convert("RGB").getextrema()) < _DARK  # type: ignore[misc]
        return self._shots([self.duration / 2])[0] if dark else first

    def frames(self, count: int = 8) -> list[Image]:
        """So many frames, evenly spaced."""
        if count not in range(1, MAX_FRAMES + 1):
            raise problem(f"{count!r:.40} frames of a film", f"ask for 1 to {MAX_FRAMES:,}")
        return self._shots([(place + 0.5) * self.duration / count for place in range(count)])

    def _shots(self, times: list[float]) -> list[Image]:
        if self.stills:
            last = len(self.stills) - 1
            return [self.stills[min(last, int(time * self._rate))] for time in times]
        return [Image(encoded(picture, "jpeg")) for picture in self.pictures(times)]

    def pictures(self, times: Iterable[float]) -> Iterator[Picture]:
        """The frames shown at these times (seconds, ascending), one after the other and none kept."""
        if self.stills:
            yield from (shot.pil for shot in self._shots(list(times)))
            return
        (_, rate, start), frame = self._facts, None
        with self._opened() as box:
            reel = box.decode(video=0)
            for time in times:
                if time - (frame.time if frame else 0.0) + start > _JUMP:
                    box.seek(int((time + start) * 1e6))
                    reel = box.decode(video=0)
                frame = _until(time + start, 1 / rate - 1e-6, reel, frame)
                if frame is None:
                    raise problem(f"{self.called} has no frame that can be decoded", "fetch or save it again")
                yield _upright(frame)

    @cached_property
    def _facts(self) -> Facts:
        with self._opened() as box:
            stream, start = box.streams.video[0], (box.start_time or 0) / 1e6
            rate = float(stream.average_rate or stream.guessed_rate or FPS)
            if box.duration:
                return Facts(box.duration / 1e6, rate, start)
            times = [float(packet.pts * packet.time_base) for packet in box.demux(video=0) if packet.pts is not None]
            return Facts(max(times, default=0.0) - min(times, default=0.0) + 1 / rate, rate, start)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The file, open for PyAV; whatever its libraries find wrong in it comes out as one line."""
        av, source = library(), self._source
        if not self.media_type.startswith("video/") and self.format != "gif":
            raise problem(f"{self.called} is no film" + (f" but {self.media_type}" if self.format else ""))
        try:
            with av.open(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as box:
                if not box.streams.video:
                    raise problem(f"{self.called} holds no pictures, only sound", "qk.Audio.of(...) takes it")
                yield box
        except av.error.FFmpegError as trouble:
            raise problem(f"{self.called} is damaged: {trouble.strerror}", "fetch or save it again") from None

    def _read(self, most: int = -1) -> Content:
        return film((still.pil for still in self.stills), self._rate) if self.stills else super()._read(most)

    @property
    def media_type(self) -> str:
        return "video/mp4" if self.stills else super().media_type

    def __repr__(self) -> str:
        return f"Video({len(self.stills)} frames, {self.duration:g} s)" if self.stills else super().__repr__()


def library() -> Any:
    """PyAV, or what to do without."""
    try:
        import av
        import av.error
    except ImportError:
        raise problem("looking into films needs PyAV", "pip install 'qwenkit[lab]'") from None
    return av


def film(pictures: Iterable[Picture], rate: float, crf: int = 20, side: int = 0) -> bytes:
    """Pictures as an H.264 film that every browser plays; the same pictures give the same bytes."""
    av, made, stream = library(), io.BytesIO(), None
    with av.open(made, "w", format="mp4", options={"fflags": "bitexact"}) as box:
        for picture in pictures:
            if stream is None:
                options = {**_REPEATABLE, "crf": str(crf)}
                stream = box.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000), options=options)
                stream.width, stream.height = _even(picture.size, side)
                stream.pix_fmt = "yuv420p"
            flat = picture.convert("RGB").resize((stream.width, stream.height))
            box.mux(stream.encode(av.VideoFrame.from_image(flat)))
        box.mux(stream.encode() if stream else [])
    return made.getvalue()


def _even(size: tuple[int, int], side: int) -> tuple[int, int]:
    """H.264 wants even sides; `side` limits the longer one."""
    scale = min(1.0, side / max(size)) if side else 1.0
    return max(2, round(size[0] * scale / 2) * 2), max(2, round(size[1] * scale / 2) * 2)


def _until(time: float, step: float, reel: Iterator[Any], frame: Any) -> Any:
    """The frame on screen at that time; at the end, or where a film breaks off, the last one there is."""
    while frame is None or frame.time is None or frame.time + step <= time:
        try:
            ahead = next(reel, None)
        except Exception:  # broken data in the middle, and decoders have many words for it; what came before counts
            ahead = None
        if ahead is None:
            return frame
        frame = ahead
    return frame


def _upright(frame: Any) -> Picture:
    picture: Picture = frame.to_image()
    turn = getattr(frame, "rotation", 0)
    return picture.rotate(turn, expand=True) if turn else picture
