"""Text from long recordings, as tasks: one recording by `file_url`, or up to a hundred by `file_urls`.

A task that takes one gives `result`, one that takes many `results`, a file each; where a recording failed stands why.
Only when all failed the task has. The files of both kinds differ as on the service: sentences count from 0 or from 1,
blanks stand before words or behind them.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.catalogue.media import MEGABYTE
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.hearing import listen
from qwenkit.sandbox.media import NO_DOWNLOAD, RESOLVE, TOO_LARGE, Outside, fetch
from qwenkit.sandbox.results import Results
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.task_shelf import Task
from qwenkit.sandbox.tasks import WORKERS, Demand, Outcome, enabled, must_be_async, submit
from qwenkit.sandbox.transcribed import channel_of, channels_of, filters

PATH = "/api/v1/services/audio/asr/transcription"
KIND = PATH.partition("/services/")[2]
Json = dict[str, Any]
_MOST_SPEAKERS = 100
# Why a recording fails, as each kind of task spells it: not there, not readable, too large or long, silent.
_REASONS = {
    "download": ("FILE_DOWNLOAD_FAILED", "InvalidFile.DownloadFailed", "The audio file cannot be downloaded."),
    "decode": ("DECODE_ERROR", "InvalidFile.Openerror", "The audio file cannot be decoded."),
    "size": ("FILE_TOO_LARGE", "InvalidFile.Size", "The audio file is too large."),
    "length": ("AUDIO_DURATION_TOO_LONG", "InvalidFile.Duration", "The audio is too long."),
    "silence": ("SUCCESS_WITH_NO_VALID_FRAGMENT",) * 3,
    "url": ("REQUEST_INVALID_FILE_URL_VALUE", "InvalidFile.DownloadFailed", "The audio file cannot be downloaded."),
}


class _Failed(Exception):
    """One recording that cannot be transcribed; its argument is a key of `_REASONS`."""


async def taken(service: Service, request: Request) -> Response:
    """A body, as a task."""
    must_be_async(request)
    body = json_body(request)
    model = catalogue.model(body["model"]) if isinstance(body.get("model"), str) else None
    if model is None:
        raise Refusal("InvalidParameter", "Model not exist.")
    if model.endpoint != "transcription":
        raise Refusal("InvalidParameter", "url error, please check url！")
    urls = _urls(body.get("input"), model)
    _check(body.get("parameters") or {})
    kept = {**body, "resolve": enabled(request, RESOLVE)}
    return submit(service, request, kept, Demand(parts=len(urls)))


def _one(model: Model) -> bool:
    return model.limits.get("files") == 1


def _urls(given: Any, model: Model) -> list[str]:
    given = given if isinstance(given, dict) else {}
    if _one(model):
        if not isinstance(given.get("file_url"), str) or not given["file_url"]:
            raise invalid("input must contain file_url")
        return [given["file_url"]]
    urls, most = given.get("file_urls"), int(model.limits.get("files", 100))
    if not isinstance(urls, list) or not urls or not all(isinstance(url, str) for url in urls):
        raise invalid("input must contain file_urls")
    if len(urls) > most:
        raise invalid(f"Range of the number of file_urls should be [1, {most}]")
    return urls


def _check(parameters: Any) -> None:
    if not isinstance(parameters, dict):
        raise invalid("Input should be a valid dictionary: parameters")
    channels, count = parameters.get("channel_id", [0]), parameters.get("speaker_count")
    if not isinstance(channels, list) or not channels or not all(isinstance(each, int) for each in channels):
        raise invalid("channel_id should be a list of integers")
    if count is not None and not (isinstance(count, int) and 2 <= count <= _MOST_SPEAKERS):
        raise invalid(f"Range of speaker_count should be [2, {_MOST_SPEAKERS}]")
    filters(parameters.get("special_word_filter"))


async def transcribe(service: Service, task: Task, root: str) -> Outcome:
    """A file for each recording; for those that failed, why."""
    model = catalogue.model(task.model)
    assert model is not None, "checked when it was submitted"
    rows, seconds = [], 0
    for at, url in enumerate(_urls(task.body["input"], model)):
        try:
            content, billed = await _transcript(service, task, model, url)
        except _Failed as failed:
            native, code, message = _REASONS[str(failed)]
            told = {"code": native, "message": native} if _one(model) else {"code": code, "message": message}
            rows.append({"file_url": url, **told, "subtask_status": "FAILED"})
            continue
        data = json.dumps(content, ensure_ascii=False).encode()
        path = service.shelf(Results).keep(task.id, f"{at}.json", data, "application/json", service.clock())
        rows.append({"file_url": url, "transcription_url": root + path, "subtask_status": "SUCCEEDED"})
        seconds += billed
    return _outcome(rows, seconds, _one(model))


def _outcome(rows: list[Json], seconds: int, one: bool) -> Outcome:
    failed = [row for row in rows if row["subtask_status"] == "FAILED"]
    why = {name: failed[0][name] for name in ("code", "message")} if len(failed) == len(rows) else {}
    if one:
        told = {} if why else {"result": {"transcription_url": rows[0]["transcription_url"]}}
        return Outcome({**told, **why}, {"seconds": seconds} if seconds else {}, len(failed))
    return Outcome({"results": rows, **why}, {"duration": seconds} if seconds else {}, len(failed))


async def _transcript(service: Service, task: Task, model: Model, url: str) -> tuple[Json, int]:
    """The file of one recording, and the seconds billed for it."""
    parameters = task.body.get("parameters") or {}
    content = await _fetched(service, model, url, bool(task.body.get("resolve")))
    channels = parameters.get("channel_id") or [0]
    sounds = await asyncio.to_thread(channels_of, content, channels)
    try:
        heard = [(channel, await listen(service, sound)) for channel, sound in sounds]
    except Refusal:
        raise _Failed("decode") from None
    if any(each.heard.seconds > int(model.limits.get("seconds", 43200)) for _, each in heard):
        raise _Failed("length")
    if not any(each.said for _, each in heard):
        raise _Failed("silence")
    shaped = [channel_of(channel, each, parameters, _one(model)) for channel, each in heard]
    first = heard[0][1].heard
    if _one(model):
        about: Json = {"audio_info": {"format": first.format, "sample_rate": first.rate_hz}}
    else:
        about = {
            "properties": {
                "audio_format": first.format,
                "channels": [channel for channel, _ in heard],
                "original_sampling_rate": first.rate_hz,
                "original_duration_in_milliseconds": round(first.seconds * 1000),
            }
        }
    spoken = sum(each.end_ms - each.begin_ms for _, recording in heard for each in recording.said)
    billed = sum(each.billed for _, each in heard) if _one(model) else -(-spoken // 1000)
    return {"file_url": url, **about, "transcripts": shaped}, billed


async def _fetched(service: Service, model: Model, url: str, resolve: bool) -> bytes:
    if not url.startswith(("http://", "https://", "oss://")) or " " in url:
        raise _Failed("url")
    try:
        most = int(model.limits.get("megabytes", 2048)) * MEGABYTE
        return (await fetch(service, url, resolve=resolve, most=most, model=model.name)).content
    except Outside:
        raise _Failed("download") from None
    except Refusal as refusal:
        raise _Failed({NO_DOWNLOAD: "download", TOO_LARGE: "size"}.get(refusal.message or "", "url")) from None


WORKERS[KIND] = transcribe
ROUTES: list[Verb] = [("POST", PATH, taken)]
