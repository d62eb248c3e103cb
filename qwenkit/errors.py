"""Every way a call can fail, as one tree.

    QwenError
    ├── ConfigError         a setting is missing or wrong; nothing was sent
    ├── BudgetExceeded      the call would pass the budget; nothing was sent
    ├── TransportError      no complete answer came: name, TLS, connection, time-out, reset
    ├── APIError            the service answered, with an error
    │   ├── AuthError           the key is missing, wrong, expired, or of another region
    │   ├── PermissionDenied    the key is right but may not do this
    │   ├── InvalidRequest      the request must change before it can work
    │   ├── NotFound            no such model, task, file or path
    │   ├── RateLimited         too fast; the same request works later
    │   ├── QuotaExceeded       paid or free allowance used up; waiting does not help
    │   ├── ContentRejected     the safety check refused the input or the output
    │   └── ServerError         the service broke; the same request may work later
    ├── SchemaMismatch      the answer came and does not fit the schema; `.path` says where, `.reply` holds it
    ├── StreamBroken        a stream ended early; `.reply` holds what had arrived
    ├── TaskFailed          an asynchronous task ended without a result
    ├── ToolError           a tool call cannot be carried out: its arguments do not fit, or nobody has the function
    └── SessionClosed       a realtime session is over

Each says in one line what happened, to which request, and what to do next. In a notebook an error draws a card instead
of forty frames of traceback. No error ever holds a key.
"""

from __future__ import annotations

import contextlib
import re
import sys
from typing import Any


class QwenError(Exception):
    """Anything qwenkit raises on purpose. `hint` is the cure, `tries` how often the request was sent."""

    def __init__(
        self, message: str, *, hint: str = "", request: str = "", request_id: str = "", tries: int = 1
    ) -> None:
        self.message = _line(message)
        super().__init__(self.message)
        self.hint = _line(hint)
        self.request = _line(request)
        self.request_id = _line(request_id)
        self.tries = tries
        self.reply: Any = None
        self._drawn_in: Any = ()  # the cell whose card was drawn

    def __str__(self) -> str:
        told = self.request_id and not _notebook()  # in a notebook the card has it, and saved outputs stay the same
        facts = [self.request, f"request {self.request_id}" if told else "", _times(self.tries)]
        said = ", ".join(fact for fact in facts if fact)
        line = f"{self.message} ({said})" if said else self.message
        return f"{line} → {self.hint}" if self.hint else line

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from importlib import import_module

        bundle: dict[str, str] = import_module("qwenkit.display").bundle(self)
        return bundle

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """IPython prints exceptions its own way unless told otherwise; ours tell their one line."""
        printer.text(f"{type(self).__name__}: {self}")

    def _render_traceback_(self) -> list[str]:
        """What IPython prints in place of a traceback: one line, with the card above it in a notebook."""
        _draw(self)
        return [f"{type(self).__name__}: {self}"]


class ConfigError(QwenError):
    """A setting is missing or wrong. Nothing was sent."""


class BudgetExceeded(QwenError):
    """The call would pass the budget. Nothing was sent."""


class BudgetWarning(UserWarning):
    """Most of the budget is spent."""


class RoundsWarning(UserWarning):
    """A turn stopped because the model asked for tools more often than its rounds allow."""


class TransportError(QwenError):
    """No complete answer came. `kind` says why: dns, tls, proxy, connect, timeout, reset or protocol."""

    def __init__(self, message: str, *, kind: str = "connect", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.kind = kind


class APIError(QwenError):
    """The service answered with an error. `raw` is its body as it came."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str = "",
        raw: str = "",
        retry: str = "no",
        most_tries: int | None = None,
        retry_after: float | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.status = status
        self.code = _line(code)
        self.raw = raw
        self.retry = retry
        self.most_tries = most_tries
        self.retry_after = retry_after

    def __str__(self) -> str:
        label = " ".join(str(part) for part in (self.status, self.code) if part)
        return f"{label}: {super().__str__()}" if label else super().__str__()


class AuthError(APIError):
    """The key is missing, wrong, expired, or belongs to another region or plan."""


class PermissionDenied(APIError):
    """The key is right but may not do this."""


class InvalidRequest(APIError):
    """The request must change before it can work."""


class NotFound(APIError):
    """No such model, task, file or path."""


class RateLimited(APIError):
    """Too many requests or tokens a minute; the same request works later."""


class QuotaExceeded(APIError):
    """An allowance is used up; waiting does not help, paying or another model does."""


class ContentRejected(APIError):
    """The safety check refused the input or the output."""


class ServerError(APIError):
    """The service broke; the same request may work later."""


class SchemaMismatch(QwenError):
    """The answer is no JSON or does not fit the schema. `path` says where, `text` is what the model wrote."""

    def __init__(self, message: str, path: str = "$", text: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.path = path
        self.text = text


class StreamBroken(QwenError):
    """A stream ended before its end. `reply` holds what had arrived."""


class TaskFailed(QwenError):
    """An asynchronous task ended without a result. `task` is the last look at it."""

    def __init__(self, message: str, *, task: Any = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.task = task


class ToolError(QwenError):
    """A tool call cannot be carried out: its arguments do not fit, or nobody has the function."""


class SessionClosed(QwenError):
    """A realtime session is over. `code` and `reason` are the socket's, `reply` the turn it broke in."""

    def __init__(self, message: str, *, code: int | None = None, reason: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.code = code
        self.reason = _line(reason)


def _line(text: str) -> str:
    """One printable line. Servers and proxies write what they like; a terminal or a kernel must not choke on it."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+", " ", str(text)).strip()


def _times(tries: int) -> str:
    return f"tried {tries} times" if tries > 1 else ""


def _notebook() -> Any:
    """The shell of a notebook kernel, or None in a script or a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell if getattr(shell, "kernel", None) is not None else None


def _draw(error: QwenError) -> None:
    """Publish the card when a notebook front end is listening; a terminal keeps to the one line."""
    shell = _notebook()
    cell = getattr(shell, "execution_count", None)
    if shell is None or error._drawn_in == cell:  # ipykernel asks twice for one cell
        return
    error._drawn_in = cell
    with contextlib.suppress(Exception):  # a card that cannot be drawn must not hide the error
        bundle = error._repr_mimebundle_()
        if "text/html" in bundle:
            shell.display_pub.publish(bundle)
