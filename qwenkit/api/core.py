"""What all nouns of one client share: configuration, drivers, ledger, budget, observers.

The drivers are made on first use, because loading httpx costs more than everything else here together.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from qwenkit import catalogue
from qwenkit.api.accounts import Accounts
from qwenkit.config import Config, seconds
from qwenkit.errors import APIError, ConfigError
from qwenkit.protocol import retry
from qwenkit.protocol.flow import Answer, Flow, Request

if TYPE_CHECKING:
    from qwenkit.transport.http import Driver
    from qwenkit.transport.http_async import AsyncDriver
    from qwenkit.transport.observer import Observer


class Core:
    """The shared middle of a client. Nouns hold it; users do not meet it."""

    def __init__(self, config: Config, *, model: str = "", budget: Any = None, box: Any = None) -> None:
        self.config = config
        self.model = model or catalogue.DEFAULTS["chat"]
        self.box = box  # the embedded sandbox, kept alive by whatever still calls it
        self.sandbox = box is not None
        self.observers: list[Observer] = []
        self.accounts = Accounts(region=config.region, budget=budget, sandbox=self.sandbox)
        self.patience = retry.Patience(max_retries=config.max_retries)
        # Temporary files: their addresses and the policies for more, until when they hold; None: none are made.
        self.uploads: dict[tuple[str, ...], tuple[str, float]] | None = {}
        self.uploading: set[tuple[str, ...]] = set()
        self.policies: dict[str, tuple[Any, float]] = {}
        self._lock = threading.Lock()
        self._driver: Driver | None = None
        self._async_driver: AsyncDriver | None = None

    @property
    def driver(self) -> Driver:
        driver = self._driver
        if driver is None:
            from qwenkit.transport.http import Driver

            with self._lock:  # threads that make their first calls at once must share one
                driver = self._driver
                if driver is None:
                    driver = self._driver = Driver(self.config.root, self.observers)
                    weakref.finalize(self, driver.close)  # a noun may outlive its client, and the core both
        return driver

    @property
    def async_driver(self) -> AsyncDriver:
        driver = self._async_driver
        if driver is None:
            from qwenkit.transport.http_async import AsyncDriver

            with self._lock:
                driver = self._async_driver = self._async_driver or AsyncDriver(self.config.root, self.observers)
        return driver

    def close(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    async def aclose(self) -> None:
        self.close()
        if self._async_driver is not None:
            await self._async_driver.close()

    def request(
        self,
        method: str,
        family: str,
        path: str,
        body: Any = None,
        *,
        stream: bool = False,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        """A request to a path of an API family, with the headers every call carries."""
        sent = {"Accept": "text/event-stream" if stream else "application/json", "User-Agent": "qwenkit"}
        if stream:
            sent["Accept-Encoding"] = "identity"  # a compressed stream arrives late and costs more to read
        if body is not None:
            sent["Content-Type"] = "application/json"
        if self.config.workspace:
            sent["X-DashScope-WorkSpace"] = self.config.workspace
        return Request(
            method=method,
            url=self.config.url(family, path),
            headers={**sent, **headers} if headers else sent,
            body=_encode(body),
            key=self.config.key,
            stream=stream,
            timeout=self.config.timeout if timeout is None else seconds(timeout),
        )

    def send(self, request: Request) -> Flow[Answer]:
        """The answer to one request, with retries. Temporary files that a refused one names are forgotten."""
        try:
            return (yield from retry.send(request, self.patience))
        except APIError as refused:
            body = request.body
            if self.uploads and isinstance(body, bytes) and refused.status in (400, 403, 404):
                for key in [key for key, (address, _) in list(self.uploads.items()) if address.encode() in body]:
                    self.uploads.pop(key, None)
            raise


def _encode(body: Any) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError, RecursionError) as unfit:
        hint = "pass plain data: texts, numbers, lists, dicts; a tool is a dict as on the wire"
        raise ConfigError(f"the request cannot be written as JSON: {unfit}", hint=hint) from unfit
