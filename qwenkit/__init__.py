"""qwenkit: a Jupyter-first toolkit for the Qwen models on Alibaba Cloud Model Studio.

    import qwenkit as qk

    qwen = qk.connect()                    # live with a key, the embedded sandbox without
    qwen.chat("Why is the sky blue?")      # a card in a notebook, text in a script

This list is all there is to import. Each name is loaded when it is first used, so `import qwenkit` costs next to
nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.5.0"

if TYPE_CHECKING:
    from qwenkit.api.client import AsyncClient as AsyncClient
    from qwenkit.api.client import Client as Client
    from qwenkit.api.retriever import Retriever as Retriever
    from qwenkit.api.trace import trace as trace
    from qwenkit.display.bars import bars as bars
    from qwenkit.display.live import show as show
    from qwenkit.errors import APIError as APIError
    from qwenkit.errors import AuthError as AuthError
    from qwenkit.errors import BudgetExceeded as BudgetExceeded
    from qwenkit.errors import BudgetWarning as BudgetWarning
    from qwenkit.errors import ConfigError as ConfigError
    from qwenkit.errors import ContentRejected as ContentRejected
    from qwenkit.errors import InvalidRequest as InvalidRequest
    from qwenkit.errors import NotFound as NotFound
    from qwenkit.errors import PermissionDenied as PermissionDenied
    from qwenkit.errors import QuotaExceeded as QuotaExceeded
    from qwenkit.errors import QwenError as QwenError
    from qwenkit.errors import RateLimited as RateLimited
    from qwenkit.errors import RoundsWarning as RoundsWarning
    from qwenkit.errors import SchemaMismatch as SchemaMismatch
    from qwenkit.errors import ServerError as ServerError
    from qwenkit.errors import SessionClosed as SessionClosed
    from qwenkit.errors import StreamBroken as StreamBroken
    from qwenkit.errors import TaskFailed as TaskFailed
    from qwenkit.errors import ToolError as ToolError
    from qwenkit.errors import TransportError as TransportError
    from qwenkit.notebook.connect import connect as connect
    from qwenkit.notebook.connect import sandbox as sandbox
    from qwenkit.notebook.doctor import doctor as doctor
    from qwenkit.notebook.exercises import check as check
    from qwenkit.retrieval.splitting import split as split
    from qwenkit.types.audio import Audio as Audio
    from qwenkit.types.image import Image as Image
    from qwenkit.types.image_grid import ImageGrid as ImageGrid
    from qwenkit.types.message import Message as Message
    from qwenkit.types.reply import Piece as Piece
    from qwenkit.types.reply import Reply as Reply
    from qwenkit.types.takes import compare as compare
    from qwenkit.types.transcript import Transcript as Transcript
    from qwenkit.types.usage import Cost as Cost
    from qwenkit.types.usage import Usage as Usage
    from qwenkit.types.video import Video as Video
    from qwenkit.widgets.voice import VoiceSession as VoiceSession

_PLACES = {
    "api.client": ("AsyncClient", "Client"),
    "api.retriever": ("Retriever",),
    "api.trace": ("trace",),
    "display.bars": ("bars",),
    "display.live": ("show",),
    "errors": (
        "APIError",
        "AuthError",
        "BudgetExceeded",
        "BudgetWarning",
        "ConfigError",
        "ContentRejected",
        "InvalidRequest",
        "NotFound",
        "PermissionDenied",
        "QuotaExceeded",
        "QwenError",
        "RateLimited",
        "RoundsWarning",
        "SchemaMismatch",
        "ServerError",
        "SessionClosed",
        "StreamBroken",
        "TaskFailed",
        "ToolError",
        "TransportError",
    ),
    "notebook.connect": ("connect", "sandbox"),
    "notebook.doctor": ("doctor",),
    "notebook.exercises": ("check",),
    "retrieval.splitting": ("split",),
    "types.image": ("Image",),
    "types.audio": ("Audio",),
    "types.video": ("Video",),
    "types.image_grid": ("ImageGrid",),
    "types.takes": ("compare",),
    "types.transcript": ("Transcript",),
    "types.message": ("Message",),
    "types.reply": ("Piece", "Reply"),
    "types.usage": ("Cost", "Usage"),
    "widgets.voice": ("VoiceSession",),
}
_WHERE = {name: place for place, names in _PLACES.items() for name in names}

__all__ = sorted(_WHERE)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext qwenkit`: what the notebook room does for a kernel, see `qwenkit.notebook`."""
    importlib.import_module("qwenkit.notebook").load_ipython_extension(shell)


def __getattr__(name: str) -> Any:
    if name == "notebook":  # the one room that is reached by name: qk.notebook.allow_asyncio_run()
        return importlib.import_module("qwenkit.notebook")
    if name not in _WHERE:
        raise AttributeError(f"qwenkit has no {name!r}; dir(qwenkit) lists what it has")
    value = getattr(importlib.import_module(f"qwenkit.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
