"""What pictures, sounds and films have in common: one source, read when it is first needed.

The source is a file, bytes in memory, or an address. What it is, the first bytes say; its name is believed only where
they say nothing. `meta` holds what made it: prompt, seed, model, voice. Nothing here opens a connection: a value that
is only an address is filled by `qwen.fetch`.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import unquote, unquote_to_bytes

from qwenkit.types import made
from qwenkit.types._shown import Shown

Content = bytes  # its name where a class has a property called bytes
HEAD = 4096  # bytes that tell what a file is
_REMOTE = ("http://", "https://", "oss://")

# The first bytes of a file, and what it is. First match counts; `.` stands for any byte.
_MAGIC = [
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"RIFF....WEBP", "image/webp"),
    (rb"BM....\0\0\0\0", "image/bmp"),
    (rb"II\*\0|MM\0\*", "image/tiff"),
    (rb"....ftyp(heic|heix|heim|hevc|mif1|msf1)", "image/heic"),
    (rb"....ftypavi[fs]", "image/avif"),
    (rb"\0\0\x01\0[^\0]\0", "image/x-icon"),
    (rb"\s*(<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg", "image/svg+xml"),
    (rb"(RIFF|RF64)....WAVE", "audio/wav"),
    (rb"fLaC", "audio/flac"),
    (rb"OggS", "audio/ogg"),
    (rb"#!AMR", "audio/amr"),
    (rb"ID3", "audio/mpeg"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", "audio/aac"),
    (rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]", "audio/mpeg"),
    (rb"FORM....AIF[FC]", "audio/aiff"),
    (rb"....ftypM4[AB]", "audio/mp4"),
    (rb"....ftyp3g", "video/3gpp"),
    (rb"....ftypqt", "video/quicktime"),
    (rb"....(ftyp|moov|mdat)", "video/mp4"),
    (rb"\x1a\x45\xdf\xa3.{0,60}webm", "video/webm"),
    (rb"\x1a\x45\xdf\xa3", "video/x-matroska"),
    (rb"RIFF....AVI ", "video/x-msvideo"),
    (rb"FLV\x01", "video/x-flv"),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-wmv"),
    (rb"\0\0\x01[\xba\xb3]", "video/mpeg"),
    (rb"\x47.{187}\x47", "video/mp2t"),
    (rb"%PDF-", "application/pdf"),
    (rb"PK\x03\x04", "application/zip"),
    (rb"\s*<(!doctype )?html", "text/html"),
]
_TOLD = [(re.compile(magic, re.S | re.I if b"<" in magic else re.S), kind) for magic, kind in _MAGIC]
_BOTH = {"mp4", "webm", "ogg", "3gpp", "quicktime", "x-matroska"}  # boxes that hold sound, or sound and pictures

# Short names of formats where they are not the second half of the media type, and the endings of their files.
_SHORT = {"audio/mpeg": "mp3", "audio/mp4": "m4a", "video/quicktime": "mov", "video/x-matroska": "mkv"}
_SHORT |= {"video/x-msvideo": "avi", "video/x-flv": "flv", "video/x-ms-wmv": "wmv", "video/mp2t": "ts"}
_SHORT |= {"video/3gpp": "3gp", "image/svg+xml": "svg", "image/x-icon": "ico", "application/octet-stream": ""}
_ENDINGS = {"jpg": "jpeg", "jpe": "jpeg", "tif": "tiff", "heif": "heic", "wave": "wav", "oga": "ogg", "opus": "ogg"}
_ENDINGS |= {"m4v": "mp4", "mpg": "mpeg", "htm": "html", "aif": "aiff"}
_TYPES = {_SHORT.get(kind, kind.partition("/")[2]): kind for _, kind in reversed(_TOLD)} | {"pcm": "audio/pcm"}


def problem(message: str, hint: str = "") -> Exception:
    """A `ConfigError` to raise. Types stand below errors in the house, so the tree is fetched at that moment."""
    error: Exception = import_module("qwenkit.errors").ConfigError(message, hint=hint)
    return error


def sniff(head: bytes) -> str:
    """The media type the first bytes give away; empty when they say nothing."""
    return next((kind for magic, kind in _TOLD if magic.match(head)), "")


def ending(name: str) -> str:
    """The format a file name asks for: `photo.JPG` means jpeg."""
    last = Path(name).suffix.lower().lstrip(".")
    return _ENDINGS.get(last, last)


class Media(Shown):
    """A picture, a sound or a film. `Kind.of(...)` takes what you have, `Kind.open(...)` a local file."""

    noun: ClassVar[str] = "file"
    family: ClassVar[str] = ""

    def __init__(self, content: Any = None, *, path: Path | None = None, url: str = "", **facts: Any) -> None:
        if content is not None and not isinstance(content, bytes | bytearray | memoryview):
            kind = type(self).__name__
            cure = f"qk.{kind}.open(path) reads a file, qk.{kind}.of(…) takes whatever you have"
            raise problem(f"a {self.noun} is made of its bytes here, not of a {type(content).__name__}", cure)
        self._content: Content | None = None if content is None else bytes(content)
        self.path = path
        self.url = url
        self._meta: dict[str, Any] = facts
        self._unread = path  # a file that may tell what made it, and was not asked yet

    @property
    def meta(self) -> dict[str, Any]:
        """What made it: prompt, seed, model, voice. Of an opened file, what the `.json` beside it or its PNG tells."""
        if self._unread is not None:
            path, self._unread = self._unread, None
            for name, value in self._recalled(path).items():
                self._meta.setdefault(name, value)
        return self._meta

    def _recalled(self, path: Path) -> dict[str, Any]:
        return made.recalled(path)

    @classmethod
    def of(cls, value: Any, **facts: Any) -> Self:
        """The value as this kind: one already made, a path, bytes, a data URL, an address on the web."""
        if isinstance(value, cls):
            value.meta.update(facts)
            return value
        if isinstance(value, str) and value[:5].lower() == "data:":
            return cls(_decoded(value, cls.noun), **facts)
        if isinstance(value, str) and value.lower().startswith(_REMOTE):
            return cls(url=value, **facts)
        if isinstance(value, str | os.PathLike):
            return cls.open(value, **facts)
        if isinstance(value, bytes | bytearray | memoryview):
            return cls(bytes(value), **facts)
        if callable(getattr(value, "read", None)):
            return cls.of(value.read(), **facts)
        if isinstance(value, Media):
            raise problem(f"a {value.noun} is no {cls.noun}", "give a path, bytes, a data URL or a web address")
        return cls._taken(value, facts)

    @classmethod
    def open(cls, path: str | os.PathLike[str], **facts: Any) -> Self:
        """A local file. It is read when its content is first needed."""
        text = _named(path, f"the path of the {cls.noun}")
        if not text:
            raise problem(f"the path of the {cls.noun} is empty", "pass a path, bytes, a data URL or a web address")
        if (scheme := re.match(r"(?!file:)([a-z][a-z0-9+.-]+)://", text, re.I)) is not None:
            cure = f"qk.{cls.__name__}.of(url) takes an http, https or oss address; any other, download first"
            raise problem(f"{scheme[0]}… is no path of a {cls.noun}", cure)
        text = unquote(text[7:]) if text.startswith("file://") else text
        try:
            found = Path(text).expanduser()
            there, why = found.is_file(), "is a folder" if found.is_dir() else "does not exist"
        except (OSError, ValueError, RuntimeError):  # far too long, a zero byte in it, no home
            there, why = False, "does not exist"
        if not there:
            shown = text if len(text) <= 100 else text[:99] + "…"
            raise problem(f"the {cls.noun} {shown!r} {why}", "paths start at the folder of the notebook")
        return cls(path=found, **facts)

    @classmethod
    def _taken(cls, value: Any, facts: dict[str, Any]) -> Self:
        """What only this kind takes, such as arrays."""
        raise problem(f"a {type(value).__name__} is no {cls.noun}", "give a path, bytes, a data URL or a web address")

    @property
    def loaded(self) -> bool:
        """Whether its content is here, on disk or in memory, and not only an address."""
        return self._content is not None or self.path is not None

    @property
    def bytes(self) -> Content:
        """The encoded file, as it is."""
        if self._content is None:
            self._content = self._read()
        return self._content

    @property
    def _source(self) -> Path | Content:
        """Where to read it from: its file, else its bytes."""
        return self.path if self.path is not None and self._content is None and self.path.is_file() else self.bytes

    def fill(self, content: Content) -> Self:
        """Give a value that was only an address its content; the address stays known."""
        self._content = content
        return self

    def _read(self, most: int = -1) -> Content:
        if self.path is None:
            raise problem(f"{self.called} is only an address", "qwen.fetch(it) brings its bytes")
        try:
            with self.path.open("rb") as file:
                return file.read(most)
        except OSError as trouble:
            raise problem(f"{self.called} cannot be read: {trouble.strerror}") from None

    @property
    def head(self) -> Content:
        """The first bytes; the whole file is not read for them."""
        return self._content[:HEAD] if self._content is not None else self._read(HEAD)

    @property
    def byte_size(self) -> int:
        if self._content is None and self.path is not None:
            return self.path.stat().st_size if self.path.is_file() else 0
        return len(self.bytes) if self.loaded else 0

    @property
    def media_type(self) -> str:
        """As `image/png`, by its first bytes; by its name where they say nothing or are not here."""
        told = sniff(self.head) if self._content is not None or self.path else ""
        told = told or _TYPES.get(ending(self.name), "application/octet-stream")
        family, _, rest = told.partition("/")
        return f"audio/{rest}" if self.family == "audio" and family == "video" and rest in _BOTH else told

    @property
    def format(self) -> str:
        """The short name of its format: png, jpeg, wav, mp3, mp4."""
        kind = self.media_type
        return _SHORT.get(kind, kind.partition("/")[2])

    @property
    def name(self) -> str:
        """What to call it: the last part of its path or address."""
        if self.path is not None:
            return self.path.name
        return re.split(r"[?#]", self.url)[0].rpartition("/")[2] or self.noun

    @property
    def called(self) -> str:
        """As errors call it: the picture 'kite.png', or only: the picture."""
        return f"the {self.noun} {self.name!r}" if self.path or self.url else f"the {self.noun}"

    @property
    def place(self) -> str:
        """Where its file is, seen from the working folder; empty when it is in no file."""
        if self.path is None:
            return ""
        try:
            return self.path.resolve().relative_to(Path.cwd().resolve()).as_posix()
        except (ValueError, OSError):
            return self.path.name

    def data_url(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.bytes).decode()}"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a file, in the format its name asks for, and say where. In a folder it keeps its name."""
        if not (text := _named(path, f"the path of the {self.noun}")):
            raise problem(f"the path of the {self.noun} is empty", f"name a file: {self.noun}.{self.format}")
        target = Path(text).expanduser()
        if target.is_dir() or os.fspath(path).endswith("/"):
            target /= self.name if Path(self.name).suffix else f"{self.name}.{self.format}"
        wanted = ending(target.name)
        content = self.bytes if wanted in ("", self.format) else self._converted(wanted)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self._marked(content))
        self.path = self.path or target
        return target

    def _marked(self, content: Content) -> Content:
        """The content as it is saved."""
        return content

    def _converted(self, format: str) -> Content:
        """The content in another format."""
        raise problem(f"a {self.format} {self.noun} cannot be saved as {format}", f"save it as .{self.format}")

    def __repr__(self) -> str:
        size = f", {self.byte_size:,} bytes" if self.loaded else ", an address"
        return f"{type(self).__name__}({self.name!r}{size})"


def _named(path: Any, what: str) -> str:
    """The path as text; refused when it is none."""
    if not isinstance(path, str | os.PathLike):
        raise problem(f"{what} cannot be {path!r:.60}", "give the path of a file")
    return os.fsdecode(path)


def _decoded(url: str, noun: str) -> bytes:
    """What a data URL holds."""
    head, comma, data = url.partition(",")
    try:
        if not comma:
            raise ValueError
        told = unquote_to_bytes(data)
        return base64.b64decode(re.sub(rb"\s", b"", told), validate=True) if head.endswith(";base64") else told
    except (ValueError, binascii.Error):
        raise problem(
            f"the data URL of the {noun} is damaged", "data:image/png;base64,… with all of its text"
        ) from None
