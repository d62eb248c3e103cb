"""Where httpx begins and ends: our requests as httpx sends them, its failures in our own words.

The drivers talk to httpx's transports directly, below its `Client`: redirects, cookies and auth flows are not wanted
here, and a third of the time of a short call goes with them. Proxies and certificates come from the environment, the
way every other tool on the machine reads them. A successor of httpx would be a change to this room only.
"""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import httpx

from qwenkit.errors import ConfigError, TransportError
from qwenkit.protocol.flow import Request
from qwenkit.protocol.upload import Upload
from qwenkit.transport.observer import Watches


def proxy_for(url: str) -> str | None:
    """The proxy the environment names for this address, or None."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    proxy = f"http://{proxy}" if proxy and "://" not in proxy else proxy
    if proxy and not _usable(urlsplit(proxy).scheme):
        kind = urlsplit(proxy).scheme
        hint = "pip install 'httpx[socks]'" if kind in _SOCKS else "set HTTPS_PROXY=http://…, or NO_PROXY for this host"
        raise ConfigError(f"the environment names a {kind} proxy, which cannot be used here", hint=hint)
    return proxy


_SOCKS = ("socks5", "socks5h")


def _usable(kind: str) -> bool:
    return kind in ("http", "https") or (kind in _SOCKS and find_spec("socksio") is not None)


def tls_for(url: str, proxy: str | None) -> ssl.SSLContext:
    """A verifying context, made once and shared. Plain http never needs the certificates, which are slow to load: its
    context trusts nobody, so that it fails closed should it ever be asked."""
    if url.startswith("https") or proxy:
        try:
            return httpx.create_ssl_context()
        except OSError as unread:
            hint = "check SSL_CERT_FILE and SSL_CERT_DIR, or unset them"
            raise ConfigError(f"the certificates cannot be read ({unread.strerror or unread})", hint=hint) from unread
    return _trusts_nobody()


@lru_cache(maxsize=1)
def _trusts_nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def outgoing(request: Request) -> httpx.Request:
    """The request as httpx sends it. The key enters here and nowhere else."""
    headers = request.headers
    if request.key:
        headers = {**headers, "Authorization": f"Bearer {request.key.reveal()}"}
    seconds = request.timeout
    patience = {"connect": min(seconds, 15.0), "read": seconds, "write": seconds, "pool": seconds}
    url = _parsed(request.url)
    told: dict[str, Any] = {"content": request.body}
    if isinstance(request.body, Upload):
        headers = {"Host": url.netloc.decode(), **headers}  # httpx adds none to a stream that it did not make
        told = {"stream": Pieces(request.body)}
    return httpx.Request(request.method, url, headers=headers, extensions={"timeout": patience}, **told)


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """An upload as httpx sends it, in either flavour."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._upload)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._upload:
            yield piece


@lru_cache(maxsize=64)
def _parsed(url: str) -> httpx.URL:
    """Parsing an address costs as much as reading a short answer; a client uses the same few again and again."""
    return httpx.URL(url)


def encoded(response: httpx.Response) -> bool:
    return "content-encoding" in response.headers


class Crossing:
    """A block in which httpx is at work: what goes wrong there is told to the watches and raised in our words."""

    __slots__ = ("_request", "_watches")

    def __init__(self, watches: Watches, request: Request | None = None) -> None:
        self._watches = watches
        self._request = request

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        if isinstance(error, GeneratorExit):
            self._watches.finished()  # a stream left early, on purpose
            return
        self._watches.failed(error)
        if isinstance(error, FAILURES):
            raise translated(error, self._request) from bare(error)
        raise bare(error)


def within(length: int | str | None, most: int | None) -> None:
    """Raise when so many bytes, counted or announced, are more than a request wants to read."""
    if most is not None and length is not None and str(length).isdecimal() and int(length) > most:
        raise TransportError(f"the answer is longer than {most:,} bytes", kind="protocol", hint="open it in a browser")


def told(body: bytes, request: Request) -> bytes:
    """The body, without the key where a proxy echoes the request into its answer."""
    if not request.key:
        return body
    return body.replace(request.key.reveal().encode(), request.key.masked.encode())


def bare(error: BaseException) -> BaseException:
    """The same error without the frames below this room: they hold the request's headers, and so the key."""
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and each.__traceback__ is not None:
            each.__traceback__ = None
            waiting += [each.__cause__, each.__context__]
    return error


def translated(error: Exception, request: Request | None = None) -> TransportError:
    """Our error for what httpx says."""
    told = str(error) or type(error).__name__
    return worded(_kind(error, told), told, request)


def worded(kind: str, told: str, request: Request | None) -> TransportError:
    """Our error for a kind of failure, with what the library told."""
    message, hint = _WORDS[kind]
    return TransportError(message.format(told=told), kind=kind, hint=hint, request=request.name if request else "")


def nameless(told: str) -> bool:
    """Whether the words of an error mean that nobody knows the host."""
    return any(sign in told for sign in _NAME_SIGNS)


def _kind(error: Exception, told: str) -> str:
    if isinstance(error, httpx.InvalidURL):
        return "dns"
    if isinstance(error, httpx.ConnectTimeout):
        return "connect"
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    if isinstance(error, httpx.ProxyError):
        return "proxy"
    if isinstance(error, httpx.ConnectError):
        if nameless(told):
            return "dns"
        return "tls" if "SSL" in told or "CERTIFICATE" in told.upper() else "connect"
    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError):
        return "reset"
    return "protocol"


FAILURES = (httpx.HTTPError, httpx.InvalidURL)  # what `translated` speaks for
_NAME_SIGNS = ("Name or service", "getaddrinfo", "nodename", "name resolution", "No address associated")

_WORDS = {
    "dns": (
        "the host name could not be found ({told})",
        "check the network and base_url; without a network use qk.sandbox()",
    ),
    "tls": ("the secure connection failed ({told})", "a proxy may replace certificates: set SSL_CERT_FILE to its root"),
    "proxy": ("the proxy refused ({told})", "check HTTPS_PROXY; set NO_PROXY for hosts that need none"),
    "connect": ("no connection could be made ({told})", "check base_url and the network; is the service running?"),
    "timeout": ("no answer came in time ({told})", "raise timeout=…, or stream so that words come as they are made"),
    "reset": (
        "the connection broke before the answer was whole ({told})",
        "try again; a stream keeps what had arrived",
    ),
    "protocol": ("the answer could not be read ({told})", "something between you and the service rewrites its answers"),
}
