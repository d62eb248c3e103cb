"""Films as the eyes see them: frame by frame, and what moved or changed between the first frame and the last."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, NamedTuple

from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.eyes import Unseen, look
from qwenkit.sandbox.hues import named
from qwenkit.sandbox.shapes import Shape
from qwenkit.sandbox.sights import KINDS, Sight, counted, listed

MOST_LOOKED = 32  # frames of a film; the others are counted
FAR = 4.0  # seconds that are leapt over rather than decoded
NEEDS = "The sandbox needs PyAV to watch films: pip install 'qwenkit[lab]'. A list of frames needs nothing."
_MOVED = 0.04  # of the picture's side
_LIGHTER = 12  # of 255
_WAYS = {"right": "向右", "left": "向左", "down": "向下", "up": "向上"}
_SAYS = {
    "en": {
        "behind": "the background turns from {} to {}",
        "brighter": "the picture gets brighter",
        "darker": "the picture gets darker",
        "shapes": "the shapes go from {} to {}",
        "still": "nothing that I can measure moves or changes",
        "moves": "the {} {} moves {}, from {} % across and {} % down to {} % across and {} % down",
        "told": "The video is {0} pixels and {1} s long: {3} frames, {2} a second. First {4} on a {5} background. ",
        "none": "no simple shapes",
        "and": "; ",
        "ways": " and ",
        "end": ".",
    },
    "zh": {
        "behind": "背景由{}变为{}",
        "brighter": "画面变亮",
        "darker": "画面变暗",
        "shapes": "图形由 {} 个变为 {} 个",
        "still": "画面没有可测的变化",
        "moves": "{}{}{}移动，从 ({}%, {}%) 到 ({}%, {}%)",
        "told": "视频为 {} 像素，{} 秒，按每秒 {} 帧看了 {} 帧。第一帧有 {}，背景是{}。",
        "none": "没有可辨认的图形",
        "and": "；",
        "ways": "并",
        "end": "。",
    },
}


class Moved(NamedTuple):
    """A shape that is elsewhere at the end: from where to where, in shares of width and height."""

    kind: str
    colour: str
    start: tuple[float, float]
    end: tuple[float, float]

    @property
    def ways(self) -> list[str]:
        across, down = (self.end[at] - self.start[at] for at in (0, 1))
        ways = [("right" if across > 0 else "left", abs(across)), ("down" if down > 0 else "up", abs(down))]
        largest = max(far for _, far in ways)
        return [way for way, far in ways if far >= _MOVED and far > 0.3 * largest]


@dataclass(frozen=True)
class Clip:
    """A film: the frames that were looked at, when each of them is, and how many the model counts."""

    width: int
    height: int
    seconds: float
    fps: float  # at which its frames are taken
    count: int
    frames_seen: tuple[Sight, ...]
    times: tuple[float, ...]

    @property
    def moved(self) -> list[Moved]:
        return [each for each in self._tracks() if each.ways]

    @property
    def middle(self) -> Sight:
        return self.frames_seen[len(self.frames_seen) // 2]

    def _tracks(self) -> list[Moved]:
        """Shapes followed from frame to frame: the nearest of the same kind and colour."""
        tracks: list[list[Shape]] = [[each] for each in self.frames_seen[0].shapes]
        for frame in self.frames_seen[1:]:
            left = list(frame.shapes)
            for track in tracks:
                alike = [each for each in left if (each.kind, each.colour) == (track[-1].kind, track[-1].colour)]
                if alike:
                    nearest = min(alike, key=lambda each: _apart(_middle(each), _middle(track[-1])))
                    track.append(nearest)
                    left.remove(nearest)
        return [Moved(t[0].kind, t[0].colour, self._share(t[0]), self._share(t[-1])) for t in tracks if len(t) > 1]

    def _share(self, shape: Shape) -> tuple[float, float]:
        x, y = _middle(shape)
        return x / self.width, y / self.height

    def changes(self, language: str) -> str:
        """What moves, and whether colours or light change; or that nothing does."""
        first, last, says = self.frames_seen[0], self.frames_seen[-1], _SAYS[language]
        said = [_motion(each, language) for each in self.moved[:4]]
        if first.background != last.background:
            said.append(says["behind"].format(*(named(each.background, language) for each in (first, last))))
        if abs(last.brightness - first.brightness) > _LIGHTER:
            said.append(says["brighter" if last.brightness > first.brightness else "darker"])
        if len(last.shapes) != len(first.shapes):
            said.append(says["shapes"].format(len(first.shapes), len(last.shapes)))
        text = says["and"].join(said) or says["still"]
        return f"{text[0].upper()}{text[1:]}{says['end']}"

    def told(self, language: str = "en") -> str:
        first, says = self.frames_seen[0], _SAYS[language]
        seen = listed([counted(1, each.kind, each.colour, language) for each in first.shapes[:6]], language)
        size, behind = f"{self.width} × {self.height}", named(first.background, language)
        told = says["told"].format(size, f"{self.seconds:g}", f"{self.fps:g}", self.count, seen or says["none"], behind)
        return told + self.changes(language)


def _motion(each: Moved, language: str) -> str:
    ways = [_WAYS[way] if language == "zh" else way for way in each.ways]
    places = [round(100 * share) for share in (*each.start, *each.end)]
    names = named(each.colour, language), KINDS[each.kind][1] if language == "zh" else each.kind
    return _SAYS[language]["moves"].format(*names, _SAYS[language]["ways"].join(ways), *places)


def _middle(shape: Shape) -> tuple[float, float]:
    return (shape.box[0] + shape.box[2]) / 2, (shape.box[1] + shape.box[3]) / 2


def _apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    return float((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2)


def of_frames(contents: list[bytes], fps: float) -> Clip:
    """A list of pictures, taken so many a second."""
    chosen = _chosen(len(contents))
    seen = tuple(look(contents[at]) for at in chosen)
    times = tuple(round(at / fps, 3) for at in chosen)
    return Clip(seen[0].width, seen[0].height, round(len(contents) / fps, 3), fps, len(contents), seen, times)


def _chosen(count: int) -> list[int]:
    many = min(count, MOST_LOOKED)
    return sorted({round(at * (count - 1) / max(many - 1, 1)) for at in range(many)})


def of_file(content: bytes, fps: float) -> Clip:
    """A film, of which a frame is taken so many times a second."""
    try:
        import av
    except ImportError:
        raise Refusal("InternalError", NEEDS, status=500) from None

    try:
        with av.open(io.BytesIO(content), "r") as container:
            stream = container.streams.video[0]
            seconds = (container.duration or 0) / 1_000_000
            count = max(round(seconds * fps), 1)
            frames, now, found = container.decode(stream), 0.0, list[tuple[float, Sight]]()
            for due in (at / fps for at in _chosen(count)):
                if due - now > FAR:
                    container.seek(int(due * 1_000_000))
                    frames = container.decode(stream)
                frame = next((each for each in frames if float(each.time or 0) >= due - 0.001), None)
                if frame is None:
                    break
                now = float(frame.time or 0)
                found.append((round(now, 3), look(_encoded(frame))))
            size = stream.width, stream.height
    except (av.error.FFmpegError, IndexError, ValueError) as problem:
        raise Unseen(str(problem)) from None
    if not found:
        raise Unseen("no frame")
    times, seen = zip(*found, strict=True)
    return Clip(*size, round(seconds, 2), fps, count, seen, times)


def _encoded(frame: Any) -> bytes:
    held = io.BytesIO()
    frame.to_image().save(held, "BMP")
    return held.getvalue()
