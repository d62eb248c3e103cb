"""Pictures, films and sounds on their way out and back: inside the request, by a temporary upload, by their address.

    body, headers = yield from placed(core, body, model)    a body with every value in its place
    content = yield from fetch(core, url)                   the bytes of a result, checked, without any key

What is small travels in the request. What is not goes to the service's temporary storage first: a policy, a form, an
`oss://` address that this model can read for 48 hours, remembered for that long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qwenkit import catalogue
from qwenkit.api.core import Core
from qwenkit.api.uploads import RESOLVE, known, stored, uploaded
from qwenkit.catalogue.media import MEGABYTE
from qwenkit.catalogue.media import media as media_facts
from qwenkit.errors import APIError, ConfigError, NotFound, ServerError
from qwenkit.protocol.flow import Answer, Flow, Request, Together
from qwenkit.protocol.media import is_media

if TYPE_CHECKING:
    from qwenkit.types.media import Media

SMALL = 4 * MEGABYTE  # a file of up to so many bytes travels inside the request
INLINE = 12 * MEGABYTE  # characters of all of them: a shared host takes bodies of 16 MB
MOST_FETCHED = 512 * MEGABYTE


def placed(core: Core, thing: Any, model: str) -> Flow[tuple[Any, dict[str, str]]]:
    """Any structure with an address in the place of every value, and the headers that these need."""
    found = {id(each): each for each in _values(thing)}
    places: dict[int, str] = {}
    room, most = INLINE, getattr(media_facts(catalogue.model(model)), "images_inline", None)
    for key, media in found.items():
        address = _at_once(core, media, model, room)
        if address is not None:
            places[key] = address
            inline = address.startswith("data:")
            room -= len(address) if inline else 0
            most = most - 1 if inline and most is not None and media.family == "image" else most
            room = 0 if most == 0 and "native" in core.config.urls else room  # the others have to be uploaded
    waiting = [key for key in found if key not in places]
    if waiting:
        places[waiting[0]] = yield from uploaded(core, found[waiting[0]], model)  # the others then have its policy
    if waiting[1:]:
        outcomes = yield Together([uploaded(core, found[key], model) for key in waiting[1:]])
        for key, outcome in zip(waiting[1:], outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            places[key] = outcome
    whole = _swapped(thing, places) if places else thing
    return whole, RESOLVE if _resolves(whole) else {}


def addressed(
    core: Core, body: dict[str, Any], make: Callable[..., Request], **headers: str
) -> Request | Flow[Request]:
    """The request that `make(body, headers=…)` gives, or the flow that first finds a place for what is in the body."""
    told: Any = body.get("messages") or body.get("input") or []
    told = told.get("messages") or [] if isinstance(told, dict) else told
    parts = [each["content"] for each in told if isinstance(each, dict) and isinstance(each.get("content"), list)]
    if next(_values(parts), None) is None:
        return make(body, headers={**headers, **(RESOLVE if _resolves(parts) else {})})
    return _addressed(core, body, make, headers)


def _addressed(
    core: Core, body: dict[str, Any], make: Callable[..., Request], headers: dict[str, str]
) -> Flow[Request]:
    body, more = yield from placed(core, body, body["model"])
    return make(body, headers={**headers, **more})


def _values(thing: Any) -> Iterator[Media]:
    if isinstance(thing, dict):
        for each in thing.values():
            yield from _values(each)
    elif isinstance(thing, list):
        for each in thing:
            yield from _values(each)
    elif not isinstance(thing, str) and is_media(thing):
        yield thing


def _swapped(thing: Any, places: dict[int, str]) -> Any:
    if isinstance(thing, dict):
        return {name: _swapped(each, places) for name, each in thing.items()}
    if isinstance(thing, list):
        return [_swapped(each, places) for each in thing]
    return places.get(id(thing), thing)


def _resolves(thing: Any) -> bool:
    """Whether there is an upload's address where media stand; words that only look like one do not count."""
    if isinstance(thing, dict):
        return any(_resolves(each) for name, each in thing.items() if name not in ("text", "input_text", "arguments"))
    if isinstance(thing, list):
        return any(_resolves(each) if not isinstance(each, str) else each.startswith("oss://") for each in thing)
    return isinstance(thing, str) and thing.startswith("oss://")


def _at_once(core: Core, media: Media, model: str, room: int) -> str | None:
    """The address of what needs no upload."""
    if not media.loaded:
        return media.url
    text = -(-media.byte_size // 3) * 4 + 64
    most = getattr(media_facts(catalogue.model(model)), f"{media.family}_inline_megabytes", None)
    fits = most is None or text <= most * MEGABYTE
    if "native" not in core.config.urls:  # another server: nowhere to upload to
        if not fits:
            said = f"{media.name} has {media.byte_size:,} bytes, too many for a data: URI of {most:g} MB"
            raise ConfigError(said, hint="make it smaller, or put it on the web and pass its address")
        return media.data_url()
    fits = fits and media.byte_size <= SMALL and text <= room
    return media.data_url() if fits else known(core, media, model)


# -- downloads ---------------------------------------------------------------------------------------------------------


def fetch(core: Core, url: str, kind: str = "") -> Flow[bytes]:
    """What is at an address, whole and checked: no key is sent, a hiccup is tried again, an expired one says so.

    `kind` is image, audio or video: anything else at that address is an error.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        hint = "pass an http address: uploads cannot be downloaded again, and local files are there already"
        raise ConfigError(f"{url[:60]!r} cannot be fetched", hint=hint)
    headers = {"Accept": "*/*", "User-Agent": "qwenkit"}
    request = Request("GET", url, headers, timeout=core.config.timeout, most=MOST_FETCHED)
    try:
        answer = yield from stored(core, request)
    except APIError as refused:
        if refused.status not in (403, 404, 410):
            raise
        raise NotFound(
            "the address has expired, or nothing is there",
            status=refused.status,
            code=refused.code,
            raw=refused.raw,
            hint="results are kept for 24 hours: save them at once, or make them again",
            request=request.name,
        ) from None
    wrong = _damage(answer, kind)
    if wrong:
        hint = "try again; if it stays, look at the address in a browser"
        raise ServerError(wrong, status=answer.status, hint=hint, request=request.name, tries=answer.tries)
    return answer.body


def fetched(core: Core, source: Any) -> Flow[Any]:
    """The bytes of an address, or a value filled with what is at its own."""
    if isinstance(source, str):
        return (yield from fetch(core, source))
    if not is_media(source):
        said = f"a {type(source).__name__} cannot be fetched"
        raise ConfigError(said, hint="pass an address, or a picture, film or sound that is one")
    if not source.loaded:
        source.fill((yield from fetch(core, source.url, source.family)))
    return source


def _damage(answer: Answer, kind: str) -> str:
    """What is wrong with a download."""
    import base64
    import hashlib

    from qwenkit.types.media import sniff

    told, length = answer.headers.get("content-md5", ""), answer.headers.get("content-length", "")
    if length.isdecimal() and "content-encoding" not in answer.headers and int(length) != len(answer.body):
        return f"{len(answer.body):,} of {length} bytes came"
    md5 = hashlib.md5(answer.body, usedforsecurity=False).digest()
    if told and told != base64.b64encode(md5).decode():
        return "what came is not what was sent: its checksum is wrong"
    seen = sniff(answer.body[:4096])
    if kind and seen and not seen.startswith((kind, "video" if kind == "audio" else kind)):
        return f"there is no {kind} at this address but {seen}"
    return ""
