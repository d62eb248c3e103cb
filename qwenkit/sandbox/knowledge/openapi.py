"""The Bailian OpenAPI of 2023-12-29 on root paths: `/{workspace}/datacenter/…`, `/{workspace}/index/…` and so on.

    signature -> workspace -> parameters -> the operation of the table -> the envelope, or the gateway's error body

A lease points back here: `/bailian-upload/…` takes a file from whoever has the signed address and its header.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qwenkit.sandbox.errors import TABLE
from qwenkit.sandbox.knowledge import operations_files as files
from qwenkit.sandbox.knowledge import operations_indexes as indexes
from qwenkit.sandbox.knowledge import operations_notes as notes
from qwenkit.sandbox.knowledge.acs import Sent, check
from qwenkit.sandbox.knowledge.library import Library
from qwenkit.sandbox.knowledge.operations import Ask, Json, Operation, parsed, ran
from qwenkit.sandbox.knowledge.values import Wrong
from qwenkit.sandbox.results import refused
from qwenkit.sandbox.routing import Endpoint, Verb
from qwenkit.sandbox.service import Service

VERSION = "2023-12-29"
OPERATIONS = (*files.OPERATIONS, *indexes.OPERATIONS, *notes.OPERATIONS)


def _endpoint(operation: Operation) -> Endpoint:
    family = operation.path.split("/")[0]
    code = {"index": "Index.", "chunk": "Index.", "rag": "Index."}.get(family, "") + "InvalidParameter"

    async def answer(service: Service, request: Request) -> Response:
        told: Json = {"RequestId": request.state.request_id}
        try:
            _admit(service, request, operation.name)
            ask = Ask.of(service, request, _body(request), notes.CODES.get(family, code))
            data = await done(operation, ask)
        except Wrong as wrong:
            told |= {"HostId": request.headers.get("host", ""), "Code": wrong.code, "Message": wrong.message}
            return JSONResponse(told, wrong.status)
        if family in notes.CODES:
            return JSONResponse({**data, "requestId": request.state.request_id})
        told |= {"Code": "Success", "Message": "success", "Status": "200", "Success": True}
        return JSONResponse(told if data is None else {**told, "Data": data})

    return answer


async def done(operation: Operation, ask: Ask) -> Any:
    """Its data, made beside the loop, so that others are served while something is indexed or searched."""
    ask.need(operation.needs)
    return await asyncio.to_thread(ran, operation.run, ask)


def _body(request: Request) -> Json:
    """A form or JSON; what is neither says nothing, and is missed by its operation."""
    text = request.state.body.decode("utf-8", "replace")
    body = parsed(text) if text.lstrip()[:1] == "{" else dict(parse_qsl(text, keep_blank_values=True))
    return body if isinstance(body, dict) else {}


def _admit(service: Service, request: Request, action: str) -> None:
    """Signed as it should be, for this operation and for a workspace that there is."""
    if service.check_signatures:
        check(service, Sent.of(request))
    if request.headers.get("x-acs-version", VERSION) != VERSION:
        raise Wrong("InvalidVersion", "Specified parameter Version is not valid.")
    if request.headers.get("x-acs-action", action) != action:
        raise Wrong("InvalidAction.NotFound", "Specified api is not found, please check your url and method.", 404)
    if request.path_params["ws"] not in {service.workspace, *(service.workspaces or ())}:
        raise Wrong("NOT AUTHORIZED", TABLE["NOT AUTHORIZED"].text, 401)


async def upload(service: Service, request: Request) -> Response:
    """The bytes of a file, of any content type. Storage refuses in XML."""
    lease, until = request.path_params["lease"], request.query_params.get("Expires", "")
    true = files.ticket(service, lease, until, request.headers.get("x-bailian-extra", ""))
    if not hmac.compare_digest(true.encode(), request.query_params.get("Signature", "").encode()):
        said = "The request signature we calculated does not match the signature you provided."
        return refused(403, "SignatureDoesNotMatch", said, request)
    try:
        await asyncio.to_thread(service.shelf(Library).upload, lease, request.state.body, service.clock())
    except Wrong as wrong:
        return refused(wrong.status, wrong.code, wrong.message, request)
    return Response()


# Each with and without a slash at its end, and what is spelled out before what stands for anything.
_sorted = sorted(OPERATIONS, key=lambda each: each.path.count("{"))
ROUTES: list[Verb] = [
    *((method, f"{files.UPLOADS}/{{lease}}", upload) for method in ("PUT", "POST")),
    *((each.method, f"/{{ws}}/{each.path}{end}", _endpoint(each)) for each in _sorted for end in ("", "/")),
]
