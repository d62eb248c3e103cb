"""The service's temporary storage: a policy, a form, and an `oss://` address that one model can read for 48 hours.

Each core remembers what it has uploaded, and forgets what the service refuses: the next call uploads it again.
"""

from __future__ import annotations

import io
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from qwenkit.api.waiting import watch
from qwenkit.catalogue.media import MEGABYTE
from qwenkit.errors import APIError, ConfigError
from qwenkit.protocol import failures
from qwenkit.protocol.flow import Answer, Flow, Pause, Request
from qwenkit.protocol.lenient import Lenient
from qwenkit.protocol.upload import Upload

if TYPE_CHECKING:
    from qwenkit.api.core import Core
    from qwenkit.types.media import Media

LARGE = 2_000_000  # bytes of an upload from which on its progress is worth showing
RESOLVE = {"X-DashScope-OssResourceResolve": "enable"}
_LIFE = 47 * 3600.0  # of an uploaded file, with an hour to spare
_WAIT = 0.05  # seconds between two looks at what another call uploads
_SPARE = 30.0  # seconds of a policy that are not counted on
_PLAIN = re.compile(r"[^\w.-]+", re.ASCII)
_TOLD = re.compile(r"<(Code|Message)>(.*?)</\1>", re.DOTALL)
_SECRETS = frozenset({"Signature", "policy"})


class Policy(msgspec.Struct):
    """The permission to upload."""

    policy: str
    signature: str
    upload_dir: str
    upload_host: str
    oss_access_key_id: str
    expire_in_seconds: float | str = 300
    max_file_size_mb: float | str = 100
    x_oss_object_acl: str = "private"
    x_oss_forbid_overwrite: str = "true"


class _Answered(msgspec.Struct):
    data: Policy


_POLICY = Lenient.of(_Answered)


def known(core: Core, media: Media, model: str) -> str | None:
    """The address of an earlier upload for this model, while it holds."""
    mark = _mark(media)
    if core.uploads is None:
        return f"oss://{'/'.join(mark)}"
    address, until = core.uploads.get((model, *mark), (None, 0.0))
    return address if time.time() < until else None


def uploaded(core: Core, media: Media, model: str) -> Flow[str]:
    """The `oss://` address of a value: the one it has, or that of a fresh upload, which several calls may wait for."""
    mark = (model, *_mark(media))
    while mark in core.uploading:
        yield Pause(_WAIT)
    address = known(core, media, model)
    if address is None:
        core.uploading.add(mark)
        try:
            address = yield from _upload(core, media, model)
        finally:
            core.uploading.discard(mark)
        if core.uploads is not None:
            core.uploads[mark] = address, time.time() + _LIFE
    return address


def _mark(media: Media) -> tuple[str, ...]:
    """What tells one content from another: of a file where it is and since when, so that it need not be read."""
    if media.path is not None and media.path.is_file():
        facts = media.path.stat()
        return str(media.path.resolve()), str(facts.st_size), str(facts.st_mtime_ns)
    return (_digest(media.bytes),)


def _digest(content: bytes) -> str:
    import hashlib  # here, because every chat loads this module and few upload

    return hashlib.sha256(content).hexdigest()


def _upload(core: Core, media: Media, model: str) -> Flow[str]:
    policy = yield from _policy(core, model)
    size, name = media.byte_size, media.name
    if size > float(policy.max_file_size_mb) * MEGABYTE:
        said = f"{name} has {size:,} bytes; uploads for {model} take {policy.max_file_size_mb} MB"
        raise ConfigError(said, hint="make it smaller, or put it on the web and pass its address")
    own = _digest("/".join(_mark(media)).encode())[:16]  # two files may have one name
    fields = {
        "OSSAccessKeyId": policy.oss_access_key_id,
        "Signature": policy.signature,
        "policy": policy.policy,
        "key": f"{policy.upload_dir}/{own}-{_PLAIN.sub('-', name)[-80:]}",
        "x-oss-object-acl": policy.x_oss_object_acl,
        "x-oss-forbid-overwrite": policy.x_oss_forbid_overwrite,
        "success_action_status": "200",
        "x-oss-content-type": media.media_type,
    }
    path = media.path if media.path is not None and media.path.is_file() else None
    opener = path.open if path else lambda *mode: io.BytesIO(media.bytes)
    with watch(size >= LARGE, "files:uploading") as draw:
        form = Upload(fields, name, size, lambda: opener("rb"), lambda sent: draw((name, size, sent)), _SECRETS)
        headers = {"User-Agent": "qwenkit", **form.headers}
        try:
            yield from stored(core, Request("POST", policy.upload_host, headers, form, timeout=core.config.timeout))
        except APIError as refused:
            if refused.code != "FileAlreadyExists":  # it is there: an earlier try arrived, only its answer did not
                core.policies.pop(model, None)
                raise
    return f"oss://{fields['key']}"


def _policy(core: Core, model: str) -> Flow[Policy]:
    policy: Policy | None
    policy, until = core.policies.get(model, (None, 0.0))
    if policy is None or time.time() >= until:
        path = f"/uploads?action=getPolicy&model={quote(model, safe='')}"
        request = core.request("GET", "native", path)
        answer: Answer = yield from core.send(request)
        policy = _POLICY.read(answer.body, "an upload policy", request=request.name).data
        core.policies[model] = policy, time.time() + float(policy.expire_in_seconds) - _SPARE
    return policy


def stored(core: Core, request: Request) -> Flow[Answer]:
    """What the storage answers; it speaks XML."""
    try:
        return (yield from core.send(request))
    except APIError as refused:
        told = dict(_TOLD.findall(refused.raw))
        if "Code" not in told or refused.status is None:
            raise
        plain = msgspec.json.encode({"code": told["Code"], "message": told.get("Message", "")})
        error = failures.build(refused.status, {}, plain, request=request.name, tries=refused.tries)
        error.raw = refused.raw
        raise error from None
