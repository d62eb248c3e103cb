"""Refusals: one table of codes with their status, spellings and documented text, and the two envelopes they travel in.

A route raises `Refusal("InvalidParameter", "Range of n should be [1, 4]")`; the path decides the body. Below
`/compatible-mode/` it is an `error` object with the compatible spelling; everywhere else, and for the Responses and
Conversations APIs, the flat native one. Texts keep the service's own spelling, because clients match on them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

COMPATIBLE = "/compatible-mode/"
_RESPONSES = re.compile(
    r"(?:/api/v2/apps/(?:protocols|agent/[^/]+))?/compatible-mode/v1/(?:responses|conversations)(?:/|$)"
)


def is_nested(path: str) -> bool:
    """Whether errors of this path are an `error` object in the compatible spelling."""
    return path.startswith(COMPATIBLE) and not is_responses(path)


def is_responses(path: str) -> bool:
    """Whether a path, of either prefix, belongs to the Responses or the Conversations API."""
    return bool(_RESPONSES.match(path))


class Code(NamedTuple):
    """One row: HTTP status, the documented text, and what compatible mode calls and says it where that differs."""

    status: int
    text: str
    compatible: str = ""
    type: str = "invalid_request_error"
    compatible_text: str = ""


TABLE: dict[str, Code] = {
    "InvalidParameter": Code(
        400,
        "Required parameter missing or invalid, please check the request parameters.",
        "invalid_parameter_error",
    ),
    "InvalidParameter.NotSupportEnableThinking": Code(400, "The model does not support enable_thinking."),
    "invalid_request_error": Code(400, "you must provide a model parameter."),
    "invalid_value": Code(400, "-1 is lesser than the minimum of 0 - 'seed'"),
    "BadRequest.IllegalInput": Code(400, "The input parameter requires json format."),
    "BadRequest.TooLarge": Code(400, "Payload Too Large."),
    "Arrearage": Code(400, "Access denied, please make sure your account is in good standing.", type="Arrearage"),
    "DataInspectionFailed": Code(
        400, "Input data may contain inappropriate content.", "data_inspection_failed", "data_inspection_failed"
    ),
    "InvalidApiKey": Code(
        401, "Invalid API-key provided.", "invalid_api_key", compatible_text="Incorrect API key provided. "
    ),
    "NOT AUTHORIZED": Code(
        401, "Access denied: Either you are not authorized to access this workspace, or the workspace does not exist."
    ),
    "AccessDenied": Code(403, "Access denied.", "access_denied", "access_denied"),
    "Model.AccessDenied": Code(403, "Model access denied."),
    "AllocationQuota.FreeTierOnly": Code(403, "The free tier of the model has been exhausted."),
    "ModelNotFound": Code(404, "Model can not be found.", "model_not_found"),
    "model_not_supported": Code(404, "Unsupported model for OpenAI compatibility mode."),
    "NotFound": Code(404, "Request path not found."),
    "Not Found": Code(404, "Not support"),
    "Method Not Allowed": Code(405, "Request method is not supported."),
    "RequestTimeOut": Code(408, "Request timed out, please try again later."),
    "Conflict": Code(409, "The resource already exists."),
    "Throttling": Code(429, "Requests throttling triggered."),
    "Throttling.RateQuota": Code(
        429, "Requests rate limit exceeded, please try again later.", "limit_requests", "limit_requests"
    ),
    "Throttling.BurstRate": Code(
        429,
        "Request rate increased too quickly. To ensure system stability, please adjust your client logic to scale "
        "requests more smoothly over time.",
        "limit_burst_rate",
        "limit_burst_rate",
    ),
    "Throttling.AllocationQuota": Code(
        429, "Allocated quota exceeded, please increase your quota limit.", "insufficient_quota", "insufficient_quota"
    ),
    "InternalError": Code(
        500,
        "An internal error has occured, please try again later or contact service support.",
        "internal_error",
        "internal_error",
    ),
    "SystemError": Code(500, "An system error has occured, please try again later.", type="internal_error"),
    "ModelUnavailable": Code(503, "Model is unavailable, please try again later.", type="internal_error"),
}

# Which code stands for a bare status; other statuses are an InvalidParameter or an InternalError.
_BY_STATUS = {
    401: "InvalidApiKey",
    403: "AccessDenied",
    404: "NotFound",
    408: "RequestTimeOut",
    409: "Conflict",
    413: "BadRequest.TooLarge",
    429: "Throttling.RateQuota",
    503: "ModelUnavailable",
}
_BY_COMPATIBLE = {row.compatible: code for code, row in TABLE.items() if row.compatible}


class Refusal(Exception):
    """A request answered with an error.

    `reached`: it had come as far as a model, so the answer has a chat id too. `framed`: the body comes as one SSE
    event, as some failed streams do.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        status: int | None = None,
        reached: bool = False,
        framed: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.row = TABLE.get(code) or Code(status or 500, "The sandbox was asked to fail with this code.")
        super().__init__(message or self.row.text)
        self.code = code
        self.message = message
        self.status = status or self.row.status
        self.reached = reached
        self.framed = framed
        self.headers = dict(headers or {})

    def body(self, path: str, request_id: str) -> bytes:
        text = json.dumps(self._envelope(path, request_id), ensure_ascii=False)
        return (f"data: {text}\n\n" if self.framed else text).encode("utf-8", "replace")

    def _envelope(self, path: str, request_id: str) -> dict[str, Any]:
        if not is_nested(path):
            return self.flat(request_id)
        envelope: dict[str, Any] = {"error": self.in_band(), "request_id": request_id}
        if self.reached:
            envelope["id"] = f"chatcmpl-{request_id}"
        return envelope

    def flat(self, request_id: str) -> dict[str, Any]:
        """The native envelope, which is also the data of an error frame."""
        return {"code": self.code, "message": self.message or self.row.text, "request_id": request_id}

    def in_band(self) -> dict[str, Any]:
        """The `error` object itself, as it also appears inside a stream."""
        message = self.message or self.row.compatible_text or self.row.text
        return {"message": message, "type": self.row.type, "param": None, "code": self.row.compatible or self.code}


def invalid(message: str) -> Refusal:
    """A parameter that the model's side refused, which is most of what can be wrong."""
    return Refusal("InvalidParameter", message, reached=True)


def native_code(name: str) -> str:
    """The native spelling of a code given in either; an unknown code stays as it is."""
    return name if name in TABLE else _BY_COMPATIBLE.get(name, name)


def code_for_status(status: int) -> str:
    return _BY_STATUS.get(status) or ("InternalError" if status >= 500 else "InvalidParameter")
