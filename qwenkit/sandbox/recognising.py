"""Text from speech, at once."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.routing import Verb
from qwenkit.sandbox.service import Service


async def generation(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """An order on the multimodal path for one of these models."""
    raise Refusal("InvalidParameter", f"The sandbox cannot answer for {body.get('model')} yet.")


ROUTES: list[Verb] = []
