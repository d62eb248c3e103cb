"""The lines of a batch's input file: read, and checked as the service checks them before it begins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from qwenkit import catalogue

MOST_LINES, LONGEST_LINE = 50_000, 6_000_000
MOST_TEST_LINES, LARGEST_TEST = 100, 1_000_000
MOST_ERRORS = 100
TEST_URL = "/v1/chat/ds-test"

Json = dict[str, Any]


class Line(NamedTuple):
    """One request of a batch."""

    custom_id: str
    url: str
    body: Json


# What a batch may be sent to, and the kind of model that answers there.
ENDPOINTS = {"/v1/chat/completions": "chat", "/v1/embeddings": "embeddings", TEST_URL: "batch"}


class _Wrong(Exception):
    """What is wrong with a line: code, message, the field it is about."""


def checked(data: bytes, endpoint: str) -> tuple[list[Line], list[Json]]:
    """The lines, and the errors that keep the batch from beginning."""
    rows = [row for row in data.splitlines() if row.strip()]
    most = (MOST_TEST_LINES, LARGEST_TEST) if endpoint == TEST_URL else (MOST_LINES, len(data))
    if not rows:
        return [], [_error("empty_file", "The input file has no lines.", None, None)]
    if len(rows) > most[0] or len(data) > most[1]:
        return [], [_error("too_many_requests", f"The input file has more than {most[0]} lines.", None, None)]
    lines, errors, seen = list[Line](), list[Json](), set[str]()
    for number, row in enumerate(rows, 1):
        try:
            line = _line(row)
            for code, message, field in _complaints(line, endpoint, seen, lines[0] if lines else line):
                raise _Wrong(code, message, field)
            lines.append(line)
            seen.add(line.custom_id)
        except _Wrong as wrong:
            code, message, field = wrong.args
            errors.append(_error(code, message, field, number))
    return lines, errors[:MOST_ERRORS]


def _line(row: bytes) -> Line:
    if len(row) > LONGEST_LINE:
        raise _Wrong("line_too_long", "This line has more than 6 MB.", None)
    try:
        told = json.loads(row)
        json.dumps(told, ensure_ascii=False).encode()  # half a character could be read, but never be answered
    except (ValueError, RecursionError):
        raise _Wrong("invalid_json_line", "This line is not parseable as valid JSON.", None) from None
    for name, kind in (("custom_id", str), ("method", str), ("url", str), ("body", dict)):
        if not isinstance(told, dict) or not isinstance(told.get(name), kind):
            raise _Wrong("missing_required_parameter", f"Missing required parameter: '{name}'.", name)
    return Line(told["custom_id"], told["url"], told["body"])


def _complaints(line: Line, endpoint: str, seen: set[str], first: Line) -> Iterator[tuple[str, str, str]]:
    name = str(line.body.get("model", ""))
    model = catalogue.model(name)
    if line.url not in ENDPOINTS:
        yield "url_not_found", f"The provided url '{line.url}' is not supported by the Batch API.", "url"
    if model and (model.endpoint == "batch") != (line.url == TEST_URL):
        yield "mismatched_test_url", f"The provided URL '{line.url}' does not match the test model '{name}'.", "url"
    if line.url != endpoint:
        yield "mismatched_url", f"The provided url '{line.url}' does not match the endpoint '{endpoint}'.", "url"
    if model is None or model.endpoint != ENDPOINTS[line.url]:
        yield "model_not_found", f"The provided model {name} is not supported by the Batch API.", "body.model"
    if name != first.body.get("model"):
        yield (
            "mismatched_model",
            f"The model '{name}' for this request does not match the rest of the batch. Each batch must contain "
            "requests for a single model.",
            "body.model",
        )
    if line.custom_id in seen:
        yield (
            "duplicate_custom_id",
            f"The custom_id '{line.custom_id}' for this request is a duplicate of another request. The custom_id "
            "parameter must be unique for each request in a batch.",
            "custom_id",
        )


def _error(code: str, message: str, field: str | None, line: int | None) -> Json:
    return {"code": code, "message": message, "param": field, "line": line}
