"""Pictures, films and sounds that a request points to: fetched, and held against the limits of the model.

    found = await gathered(service, order, request)     every one of an order, checked, in their order
    got = await fetch(service, url, resolve=True)       one address

Addresses are data: URIs, `oss://` uploads (with the header that asks for them to be resolved), results of this sandbox,
and http on this machine. The sandbox opens no other address: that is an `Outside`, a refusal in the documented words.
What is wrong is told as the service tells it; limits come from the catalogue, and what that does not know passes.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request

from qwenkit.catalogue.media import MEGABYTE, MediaFacts, media
from qwenkit.sandbox.errors import Refusal, invalid, is_nested
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.results import Results
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.uploads import SCHEME, Uploads

RESOLVE = "x-dashscope-ossresourceresolve"
LARGEST = 100 * MEGABYTE  # of anything read into memory, whatever a model allows
NO_URL = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
NO_DOWNLOAD = "Failed to download multimodal content."
TOO_LARGE = "Multimodal file size is too large"
NO_SIDES = "The image length and width do not meet the model restrictions."
NO_FRAMES = "The video modality input does not meet the requirements because: "
_ENGINE = "<400> InternalError.Algo.InvalidParameter: "
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+=-]+)*?);base64,", re.IGNORECASE)
_PARTS = {"image_url": "image", "video_url": "video", "video": "frames", "input_audio": "audio", "audio_url": "audio"}
_TYPES = {"image": ("image/",), "frames": ("image/",), "video": ("video/",), "audio": ("audio/", "video/")}


class Fetched(NamedTuple):
    """What an address gave: the bytes, the media type it was said to be of ("" if nobody says), and a name."""

    content: bytes
    kind: str
    name: str


class Found(NamedTuple):
    """One part of a message: `part` is image, video, frames or audio; a list of frames gives several files."""

    message: int
    part: str
    files: list[Fetched]
    options: dict[str, Any]  # what else the part says: fps, min_pixels, …


class Outside(Refusal):
    """An address that is not on this machine."""

    def __init__(self, url: str) -> None:
        told = f"Connection to {url[:80]} refused: the sandbox opens no address outside this machine; send the file."
        super().__init__("InvalidURL.ConnectionRefused", told, status=400, reached=True)


async def gathered(service: Service, order: Order, request: Request) -> list[Found]:
    """Every picture, film and sound of an order, or the refusal of the first that will not do."""
    resolve = request.headers.get(RESOLVE, "").lower() == "enable"
    facts = media(order.model)
    parts = list(_parts(order.messages))
    try:
        _check_counts(parts, facts)
        found = []
        for at, kind, urls, part in parts:
            files = [await _one(service, url, kind, order, resolve, facts) for url in urls]
            found.append(Found(at, kind, files, {name: part[name] for name in part if name not in (*_PARTS, "type")}))
        return found
    except Refusal as refusal:
        if refusal.reached and refusal.code == "InvalidParameter" and is_nested(request.url.path):
            refusal.message = _ENGINE + (refusal.message or "")  # as compatible mode passes them on
        raise


def _parts(messages: list[dict[str, Any]]) -> Iterator[tuple[int, str, list[Any], dict[str, Any]]]:
    """The media of messages: which message, what kind, where, and the part itself."""
    for at, message in enumerate(messages):
        for part in message["content"] if isinstance(message.get("content"), list) else ():
            name = part.get("type", "")
            if name in _PARTS:
                value = part.get(name)
                value = (value.get("url") or value.get("data")) if isinstance(value, dict) else value
                yield at, _PARTS[name], value if isinstance(value, list) else [value], part


def _check_counts(parts: list[tuple[int, str, list[Any], dict[str, Any]]], facts: MediaFacts | None) -> None:
    pictures = [url for _, kind, urls, _ in parts if kind == "image" for url in urls]
    inline = sum(str(url).startswith("data:") for url in pictures)
    counted = {
        "images": len(pictures),
        "images_inline": inline,
        "videos": sum(kind in ("video", "frames") for _, kind, _, _ in parts),
        "audios": sum(kind == "audio" for _, kind, _, _ in parts),
    }
    for name, count in counted.items():
        most = getattr(facts, name, None)
        if most is not None and count > most:
            raise invalid(f"Too many {name.partition('_')[0]} in the input, at most {most} are supported.")
    for _, kind, urls, _ in parts:
        least, most = (facts.frames_min, facts.frames) if facts else (None, None)
        if kind == "frames" and least and most and not least <= len(urls) <= most:
            raise invalid(f"{NO_FRAMES}the range of sequence images shoule be ({least}, {most}).")


async def _one(service: Service, url: Any, kind: str, order: Order, resolve: bool, facts: MediaFacts | None) -> Fetched:
    if not isinstance(url, str):
        raise invalid(NO_URL)
    name = "image" if kind == "frames" else kind
    if url.startswith("data:"):
        most = getattr(facts, f"{name}_inline_megabytes", None)
        if most is not None and len(url) > most * MEGABYTE:
            raise invalid(f"Exceeded limit on max bytes per data-uri item : {int(most * MEGABYTE)}")
    most = getattr(facts, f"{name}_megabytes", None)
    fetched = await fetch(
        service, url, resolve=resolve, most=int(most * MEGABYTE) if most else LARGEST, model=order.model.name
    )
    if url.startswith("http") and not fetched.kind.startswith(_TYPES[kind]):
        raise invalid("Wrong Content-Type of multimodal url")
    checked(fetched.content, name, facts)
    return fetched


async def fetch(service: Service, url: str, *, resolve: bool, most: int = LARGEST, model: str = "") -> Fetched:
    """What an address holds. An upload is only for the model it was made for; "" asks for none in particular."""
    if url.startswith("data:"):
        fetched = _inline(url)
    elif url.startswith(SCHEME):
        fetched = _uploaded(service, url, resolve, model)
    elif url.startswith(("http://", "https://")):
        fetched = await _downloaded(service, url, most)
    else:
        raise invalid(NO_URL)
    if len(fetched.content) > most:
        raise invalid(TOO_LARGE)
    return fetched


def _inline(url: str) -> Fetched:
    head = _DATA.match(url)
    try:
        if head is None:
            raise ValueError
        return Fetched(base64.b64decode(url[head.end() :], validate=True), (head[1] or "").lower(), "")
    except (ValueError, binascii.Error):
        raise invalid(NO_URL) from None


def _uploaded(service: Service, url: str, resolve: bool, model: str) -> Fetched:
    if not resolve:  # without the header nobody looks what it stands for
        raise invalid(NO_URL)
    found = service.shelf(Uploads).get(url.removeprefix(SCHEME))
    if found is None or service.clock() >= found.expires_at or (model and model != found.model):
        raise invalid(NO_DOWNLOAD)
    return Fetched(found.content, "", url.rpartition("/")[2])


async def _downloaded(service: Service, url: str, most: int) -> Fetched:
    try:
        parts = urlsplit(url)
        here = parts.hostname in _LOOPBACK
    except ValueError:
        raise invalid(NO_URL) from None
    if not parts.hostname:
        raise invalid(NO_URL)
    if not here:
        raise Outside(url)
    name, results = parts.path.rpartition("/")[2], service.shelf(Results)
    if results.has(parts.path):
        made = results.get(f"{parts.path}?{parts.query}", service.clock())
        if made is None:
            raise invalid(NO_DOWNLOAD)
        return Fetched(made[0], made[1], name)
    return await _opened(url, name, most)


async def _opened(url: str, name: str, most: int) -> Fetched:
    """A file from another server on this machine."""
    import httpx

    try:
        plain = {"Accept-Encoding": "identity"}
        async with (
            httpx.AsyncClient(trust_env=False, timeout=10, headers=plain) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != 200:
                raise invalid(NO_DOWNLOAD)
            if not answer.headers.get("content-length", "").isdecimal():
                said = "Missing Content-Length of multimodal url."
                raise Refusal("InternalError.Algo", said, status=500)
            if int(answer.headers["content-length"]) > most:
                raise invalid(TOO_LARGE)
            content = b"".join([piece async for piece in answer.aiter_raw()])
    except (httpx.HTTPError, httpx.InvalidURL):
        raise invalid(NO_DOWNLOAD) from None
    return Fetched(content, answer.headers.get("content-type", "").partition(";")[0].lower(), name)


def checked(content: bytes, kind: str, facts: MediaFacts | None) -> None:
    """Refuse what a model cannot read: `kind` is image, video or audio."""
    if kind == "image":
        _check_image(content, facts)
    elif kind == "video":
        seconds = _seconds(content, "Invalid video file.")
        if facts and facts.video_seconds is not None and seconds > facts.video_seconds:
            raise invalid(f"{NO_FRAMES}The video file is too long.")
        if facts and facts.video_seconds_min is not None and seconds < facts.video_seconds_min:
            raise invalid(f"{NO_FRAMES}The video file is too short.")
    else:
        _check_audio(content, facts)


def _check_image(content: bytes, facts: MediaFacts | None) -> None:
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content)) as picture:
            (width, height), form = picture.size, (picture.format or "").lower()
    except Exception:  # Pillow raises what its decoders raise
        raise invalid("Failed to decode the image during the data inspection.") from None
    if facts and facts.image_formats and {"mpo": "jpeg", "jpeg2000": "jp2"}.get(form, form) not in facts.image_formats:
        raise invalid("The file format is illegal and cannot be opened.")
    short, long = sorted((width, height))
    if facts and facts.side_min is not None and short < facts.side_min:
        if facts.side_min == 10:
            raise invalid(f"{NO_SIDES} [height:{height} or width:{width} must be larger than 10]")
        raise invalid(NO_SIDES)
    if facts and ((facts.ratio is not None and long > short * facts.ratio) or long > (facts.side_max or long)):
        raise invalid(NO_SIDES)


def _check_audio(content: bytes, facts: MediaFacts | None) -> None:
    if not content:
        raise invalid("The audio is empty")
    seconds = _seconds(content, "The audio format is illegal and cannot be opened.")
    least, most = (facts.audio_seconds_min, facts.audio_seconds) if facts else (None, None)
    if (least is not None and seconds < least) or (most is not None and seconds > most):
        raise invalid(f"Audio length must be between {least or 0:g}s and {most or 0:g}s.")


def _seconds(content: bytes, wrong: str) -> float:
    """How long a film or a sound is, by its header where it says."""
    import soundfile

    try:
        return float(soundfile.info(io.BytesIO(content)).duration)
    except (RuntimeError, TypeError):
        pass
    try:
        import av

        with av.open(io.BytesIO(content), "r") as container:
            if not container.streams:
                raise ValueError
            return (container.duration or 0) / 1_000_000
    except ImportError:
        return 0.0  # what cannot be measured here is left to whoever reads it
    except Exception:  # av raises what ffmpeg says
        raise invalid(wrong) from None
