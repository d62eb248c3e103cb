"""Text embedding as a task: a file of texts by its address, one a line; a file of vectors comes back.

The real service downloads the file from anywhere. The sandbox opens no connection beyond this machine: the address is a
`data:` URL, a loopback one, or a download that fails, as a download can. The result is a gzipped file of JSON lines.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from qwenkit.catalogue import tokens
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.results import Results
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.task_shelf import Task
from qwenkit.sandbox.tasks import WORKERS, Outcome, must_be_async, submit
from qwenkit.sandbox.vectors import dense, of_text

SIZE = 1536
MOST_LINES = 100_000
MOST_BYTES = 64 * 1024 * 1024
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SECONDS = 20.0


def taken(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """A body for one of the models that embed later, as a task."""
    must_be_async(request)
    given, parameters = body.get("input"), body.get("parameters") or {}
    url = given.get("url") if isinstance(given, dict) else None
    if not isinstance(url, str) or not url:
        raise invalid("Required parameter(url) missing or invalid, please check the request parameters.")
    if not isinstance(parameters, dict) or parameters.get("text_type", "document") not in ("document", "query"):
        raise invalid("text_type should be document or query")
    return submit(service, request, body)


async def embed(service: Service, task: Task, root: str) -> Outcome:
    """A vector for each line, in a file."""
    texts = (await asyncio.to_thread(_fetched, task.body["input"]["url"])).splitlines()
    if not texts or len(texts) > MOST_LINES:
        raise invalid(f"Range of the number of lines should be [1, {MOST_LINES}]")
    query = (task.body.get("parameters") or {}).get("text_type") == "query"
    lines = await asyncio.to_thread(_lines, texts, query)
    content = gzip.compress("".join(lines).encode(), mtime=0)
    path = service.shelf(Results).keep(task.id, "output.txt.gz", content, "application/gzip", service.clock())
    return Outcome({"url": root + path}, {"total_tokens": sum(map(tokens.count, texts))})


def _lines(texts: list[str], query: bool) -> list[str]:
    vectors = (dense(of_text(text, query=query), SIZE).round(8).tolist() for text in texts)
    rows = ({"text_index": at, "embedding": vector, "code": 200, "message": ""} for at, vector in enumerate(vectors))
    return [json.dumps(row) + "\n" for row in rows]


def _fetched(url: str) -> str:
    from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

    class Still(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            """Nowhere: a redirect could lead off this machine."""

    try:
        parts = urlsplit(url)
        if parts.scheme != "data" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise _failed("the sandbox opens data: URLs and http://127.0.0.1 only")
        with build_opener(ProxyHandler({}), Still).open(url, timeout=_SECONDS) as opened:
            content: bytes = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise _failed("the file is too large")
        return content.decode("utf-8-sig")
    except (OSError, ValueError) as problem:
        raise _failed(str(problem)) from None


def _failed(why: str) -> Refusal:
    return Refusal("BadRequest.InputDownloadFailed", f"Failed to download the input file: {why}.", status=400)


WORKERS["embeddings/text-embedding/text-embedding"] = embed
