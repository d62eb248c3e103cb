"""Temporary uploads: a policy, a form post to the storage, and an `oss://` address for 48 hours.

The policy is a signed permission, good for five minutes: this folder, so many bytes. The storage that takes the form
asks for no key, it checks the signature. What was uploaded belongs to the model named when the policy was made and can
only be read by calls to that model.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qwenkit import catalogue
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.results import ACCESS_KEY, refused
from qwenkit.sandbox.routing import Verb
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.store import Store

SCHEME = "oss://"
STORAGE = "/oss-upload"
POLICY_LIFE = 300
LIFE = 48 * 3600.0
LARGEST = 100  # megabytes
_TIME = "%Y-%m-%dT%H:%M:%S.000Z"

Json = dict[str, Any]


class Uploaded(NamedTuple):
    """A file on the shelf. `expires_at` may have passed: it is forgotten with the next upload."""

    content: bytes
    model: str
    expires_at: float


class Uploads:
    """The shelf, by key."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.run(
            "CREATE TABLE IF NOT EXISTS uploads (key TEXT PRIMARY KEY, model TEXT NOT NULL, content BLOB NOT NULL,"
            " expires_at REAL NOT NULL)"
        )

    def keep(self, key: str, model: str, content: bytes, now: float) -> bool:
        """Whether there was room under this key: nothing is overwritten."""
        self._store.run("DELETE FROM uploads WHERE expires_at <= ?", now)
        put = "INSERT OR IGNORE INTO uploads VALUES (?, ?, ?, ?) RETURNING key"
        return bool(self._store.run(put, key, model, content, now + LIFE))

    def get(self, key: str) -> Uploaded | None:
        rows = self._store.run("SELECT content, model, expires_at FROM uploads WHERE key = ?", key)
        return Uploaded(*rows[0]) if rows else None


async def policy(service: Service, request: Request) -> Response:
    """The permission to upload one file for a model."""
    action, model = request.query_params.get("action"), request.query_params.get("model")
    if action != "getPolicy":
        raise Refusal("InvalidParameter", "Required parameter(action) missing or invalid, it should be getPolicy.")
    if not model:
        raise Refusal("InvalidParameter", 'Required parameter "model" missing from request.')
    if not catalogue.known(model):
        raise Refusal("InvalidParameter", "Model not exist.")
    seed = digest(f"{service.seed}/upload/{request.state.request_id}")
    folder = f"dashscope-instant/{seed[:32]}/{_day(service.clock())}/{digest(model)[:8]}{seed[32:56]}"
    until = datetime.fromtimestamp(service.clock() + POLICY_LIFE, UTC).strftime(_TIME)
    conditions = [["content-length-range", 0, LARGEST * 2**20], ["starts-with", "$key", folder], {"model": model}]
    text = base64.b64encode(json.dumps({"expiration": until, "conditions": conditions}).encode()).decode()
    data: Json = {
        "policy": text,
        "signature": _signature(service, text),
        "upload_dir": folder,
        "upload_host": f"{str(request.base_url).rstrip('/')}{STORAGE}",
        "expire_in_seconds": POLICY_LIFE,
        "max_file_size_mb": LARGEST,
        "capacity_limit_mb": 999999999,
        "oss_access_key_id": ACCESS_KEY,
        "x_oss_object_acl": "private",
        "x_oss_forbid_overwrite": "true",
    }
    return JSONResponse({"request_id": request.state.request_id, "data": data})


def _day(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")


def _signature(service: Service, text: str) -> str:
    return base64.b64encode(hmac.new(service.key.encode(), text.encode(), "sha1").digest()).decode()


async def store(service: Service, request: Request) -> Response:
    """Take a form, as the storage does: fields first, `file` last, an empty answer. What follows `file` is ignored."""
    try:
        fields, content = await _form(request)
    except (KeyError, ValueError, MultiPartException):
        return refused(400, "MalformedPOSTRequest", "The body of your POST request is not well-formed.", request)
    if content is None:
        return refused(400, "InvalidArgument", "POST requires exactly one file upload per request.", request)
    code, message, status = _objection(service, fields, len(content))
    if code:
        return refused(status, code, message, request)
    model = next(each["model"] for each in _policy(fields)["conditions"] if isinstance(each, dict))
    if not service.shelf(Uploads).keep(fields["key"], model, content, service.clock()):
        said = "The object you specified already exists and can not be overwritten."
        return refused(409, "FileAlreadyExists", said, request)
    wanted = fields.get("success_action_status", "204")
    return Response(status_code=int(wanted) if wanted in ("200", "201", "204") else 204)


def _objection(service: Service, fields: Json, size: int) -> tuple[str, str, int]:
    """The first thing that is wrong with a form: its code, the words and the status."""
    for name in ("OSSAccessKeyId", "Signature", "policy", "key"):
        if not fields.get(name):
            return "InvalidArgument", f"Bucket POST must contain a field named '{name}'.", 400
    given, true = fields["Signature"].encode(), _signature(service, fields["policy"]).encode()
    if fields["OSSAccessKeyId"] != ACCESS_KEY:
        return "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records.", 403
    if not hmac.compare_digest(given, true):
        said = "The request signature we calculated does not match the signature you provided."
        return "SignatureDoesNotMatch", said, 403
    told = _policy(fields)
    (_, _, most), (_, _, folder), _ = told["conditions"]
    until = datetime.strptime(told["expiration"], _TIME).replace(tzinfo=UTC).timestamp()
    if service.clock() > until:
        return "AccessDenied", "Invalid according to Policy: Policy expired.", 403
    if not fields["key"].startswith(f"{folder}/"):
        said = f'Invalid according to Policy: Policy Condition failed: ["starts-with", "$key", "{folder}"]'
        return "AccessDenied", said, 403
    if size > most:
        return "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.", 400
    return "", "", 200


def _policy(fields: Json) -> Json:
    told: Json = json.loads(base64.b64decode(fields["policy"]))
    return told


async def _form(request: Request) -> tuple[dict[str, str], bytes | None]:
    """The fields before the file, and the file. All of it stays in memory."""

    async def whole() -> AsyncGenerator[bytes, None]:
        yield request.state.body

    parser = MultiPartParser(request.headers, whole())
    parser.spool_max_size = len(request.state.body) + 1
    form = await parser.parse()
    fields: dict[str, str] = {}
    content: bytes | None = None
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            content = await value.read() if name == "file" else None
            break
        fields[name] = value
    await form.close()
    return fields, content


ROUTES: list[Verb] = [("GET", "/api/v1/uploads", policy), ("POST", STORAGE, store)]
