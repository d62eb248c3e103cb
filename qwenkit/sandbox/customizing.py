"""Voices of one's own: cloned from a sample that is really measured, or designed in words; kept until they are deleted.

Three models answer on one path and spell the same things three ways. The sandbox cannot sound like the sample: a clone
is the voice of its cast that is nearest in pitch, at the sample's pitch. A designed voice is one that fits the words.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from difflib import SequenceMatcher
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qwenkit import catalogue
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.media import RESOLVE, TOO_LARGE, fetch
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.store import Store

Json = dict[str, Any]
MOST = 1000  # voices of an account
_CHINA = timezone(timedelta(hours=8))
_LONGEST, _LARGEST, _SHORTEST, _FAINT_DB = 60.0, 10 * 2**20, 3.0, -60.0
_COSY = "voice-enrollment"
_RATES = {"qwen-voice-enrollment": 24000, _COSY: 16000}
_NAMES = {_COSY: re.compile(r"[a-z0-9]{1,10}")}
_NAME = re.compile(r"\w{1,16}", re.ASCII)
_COMPARED = 1000  # characters of what is said in a sample
_CODES = ("zh", "en", "de", "it", "pt", "es", "ja", "ko", "fr", "ru")
_TEXTS = {"voice_prompt": 2048, "preview_text": 1024}
_PEOPLE = [  # words of a description, and the pitch of who is meant
    (r"child|kid|toddler|童|小孩|小女孩|小男孩", 285.0),
    (r"female|wom[ae]n|girl|lady|女", 205.0),
    (r"\bm[ae]n\b|\bmale|boy|gentleman|男", 112.0),
]


@dataclass(frozen=True)
class OwnVoice:
    """A voice and its recipe: one of the cast, at `pitch` times its own, spoken as `prompt` says."""

    id: str
    maker: str
    model: str
    base: str
    pitch: float = 1.0
    prompt: str = ""
    language: str = ""
    preview_text: str = ""
    source: str = ""
    created: float = 0.0
    modified: float = 0.0


class OwnVoices:
    """Every voice made here, the latest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.run("CREATE TABLE IF NOT EXISTS voices (id TEXT PRIMARY KEY, maker TEXT NOT NULL, facts TEXT NOT NULL)")

    def save(self, voice: OwnVoice) -> None:
        put = "INSERT INTO voices VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET facts = excluded.facts"
        self._store.run(put, voice.id, voice.maker, json.dumps(asdict(voice)))

    def get(self, id: str) -> OwnVoice | None:
        rows = self._store.run("SELECT facts FROM voices WHERE id = ?", id)
        return OwnVoice(**json.loads(rows[0][0])) if rows else None

    def of(self, maker: str) -> list[OwnVoice]:
        rows = self._store.run("SELECT facts FROM voices WHERE maker = ? ORDER BY rowid DESC", maker)
        return [OwnVoice(**json.loads(row[0])) for row in rows]

    def delete(self, id: str) -> None:
        self._store.run("DELETE FROM voices WHERE id = ?", id)


async def customization(service: Service, request: Request) -> Response:
    body = json_body(request)
    maker, given = body.get("model"), body.get("input")
    actions = _ACTIONS.get(str(maker))
    if actions is None:
        raise Refusal("InvalidParameter", "Model not exist.")
    if not isinstance(given, dict) or str(given.get("action")) not in actions:
        names = ", ".join(actions)
        raise invalid(f"Required parameter(action) missing or invalid, it should be one of {names}.")
    output, count = await actions[given["action"]](service, request, str(maker), {**body, "input": given})
    return JSONResponse({"output": output, "usage": {"count": count}, "request_id": request.state.request_id})


async def _clone(service: Service, request: Request, maker: str, body: Json) -> tuple[Json, int]:
    given, cosy = body["input"], maker == _COSY
    made = _begun(service, request, maker, given, "prefix" if cosy else "preferred_name")
    audio = given.get("audio")
    url = given.get("url") if cosy else audio.get("data") if isinstance(audio, dict) else None
    voice = await _heard(service, request, made, url, given)
    service.shelf(OwnVoices).save(voice)
    return {"voice_id": voice.id} if cosy else {"voice": voice.id, "target_model": voice.model}, 1


async def _design(service: Service, request: Request, maker: str, body: Json) -> tuple[Json, int]:
    from qwenkit.sandbox.speaking import Script, encoded

    given, told = body["input"], body.get("parameters") or {}
    if not isinstance(told, dict):
        raise invalid("Input should be a valid dictionary: parameters")
    for name, most in _TEXTS.items():
        if not isinstance(given.get(name), str) or not 1 <= len(given[name]) <= most:
            raise invalid(f"Range of {name} length should be [1, {most}]")
    rate, format = told.get("sample_rate", 24000), told.get("response_format", "wav")
    if type(rate) is not int or rate not in (8000, 16000, 24000, 48000) or format not in ("pcm", "wav", "mp3", "opus"):
        raise invalid("sample_rate or response_format is not supported.")
    prompt, text = given["voice_prompt"], given["preview_text"]
    pitch = next((pitch for words, pitch in _PEOPLE if re.search(words, prompt.lower())), 165.0)
    made = _begun(service, request, maker, {"preferred_name": "voice", **given}, "preferred_name")
    voice = replace(made, **_recipe(pitch), prompt=prompt, preview_text=text)
    said = await Script(voice.model, text, voice.id, own=voice, rate_hz=rate).whole(service)
    service.shelf(OwnVoices).save(voice)
    data = base64.b64encode(encoded(said.pcm, rate, format)).decode()
    preview = {"data": data, "sample_rate": rate, "response_format": format}
    return {"voice": voice.id, "target_model": voice.model, "preview_audio": preview}, 1


def _begun(service: Service, request: Request, maker: str, given: Json, named: str) -> OwnVoice:
    """The voice before it is heard: its name, its model, its place in the account."""
    target, name = given.get("target_model"), given.get(named)
    facts = catalogue.model(target) if isinstance(target, str) else None
    if facts is None or not _fits(maker, facts.line, facts.family):
        raise invalid(f"The target_model '{target}' is not supported.")
    if not isinstance(name, str) or not _NAMES.get(maker, _NAME).fullmatch(name):
        raise invalid(f"Required parameter({named}) missing or invalid, please check the request parameters.")
    language = given.get("language") or "zh"
    if language not in _CODES:
        raise invalid(f"Input should be one of {', '.join(_CODES)}: input.language")
    if len(service.shelf(OwnVoices).of(maker)) >= MOST:
        full = "Maximum voice storage limit exceeded, please delete existing voices."
        raise Refusal("Throttling.AllocationQuota", full)
    mark = digest(f"voice/{request.state.request_id}")
    kind = "vd" if maker == "qwen-voice-design" else "vc"
    id = f"qwen-tts-{kind}-{name}-voice-{int(mark[:14], 16):017d}-{mark[-4:]}"
    id = f"{facts.name}-{name}-{mark[:24]}" if maker == _COSY else id
    now = service.clock()
    return OwnVoice(id, maker, facts.name, "", language=language, created=now, modified=now)


def _fits(maker: str, line: str, family: str) -> bool:
    if maker == _COSY:
        return line.startswith("cosyvoice")
    return ("-vd" if maker == "qwen-voice-design" else "-vc") in line and family.startswith("tts")


async def _heard(service: Service, request: Request, made: OwnVoice, url: Any, given: Json) -> OwnVoice:
    """The voice after its sample was listened to, or the refusal of what is wrong with that."""
    from qwenkit.sandbox.ears import Undecodable, hear
    from qwenkit.sandbox.listening import decoded, pitch, segments
    from qwenkit.sandbox.waves import decibels

    if not isinstance(url, str) or not url:
        raise invalid("Required parameter(audio) missing or invalid, please check the request parameters.")
    resolve = request.headers.get(RESOLVE, "").lower() == "enable"
    fetched = await fetch(service, url, resolve=resolve)
    if len(fetched.content) > _LARGEST:
        raise invalid(TOO_LARGE)
    try:
        sound = await asyncio.to_thread(decoded, fetched.content)
    except Undecodable:
        raise _unfit("Audio.DecoderError", "Failed to decode the audio, please check its format.") from None
    if sound.rate_hz < _RATES[made.maker]:
        raise _unfit("Audio.AudioRateError", f"The sample rate should be at least {_RATES[made.maker]} Hz.")
    if sound.seconds > _LONGEST:
        raise _unfit("Audio.DurationLimitError", f"The audio should last {_LONGEST:g} s at most.")
    speech = await asyncio.to_thread(segments, sound.wave)
    if decibels(sound.wave) < _FAINT_DB or not speech:
        raise _unfit("Audio.AudioSilentError", "The audio is silent.")
    if sum(end - begin for begin, end in speech) < 1000 * _SHORTEST:
        raise _unfit("Audio.AudioShortError", f"The audio holds less than {_SHORTEST:g} s of speech.")
    text = str(given.get("text") or "")[:_COMPARED]
    said = (await hear(service, fetched.content)).text[:_COMPARED] if text else ""
    if said and SequenceMatcher(None, text, said).ratio() < 0.5:
        raise _unfit("Audio.PreprocessError", "The text does not match what is said in the audio.")
    source = "" if url.startswith("data:") else url
    return replace(made, **_recipe(pitch(sound.wave) or 165.0), source=source, modified=service.clock())


def _unfit(code: str, message: str) -> Refusal:
    return Refusal(code, message, status=400)


def _recipe(pitch_hz: float) -> Json:
    """The voice of the cast that is nearest in pitch, and what brings it there."""
    from qwenkit.sandbox.casting import cast, known_voices

    base = min(known_voices(), key=lambda name: abs(cast(name).pitch_hz - pitch_hz))
    return {"base": base, "pitch": round(pitch_hz / cast(base).pitch_hz, 4)}


async def _list(service: Service, request: Request, maker: str, body: Json) -> tuple[Json, int]:
    given = body["input"]
    page, size = given.get("page_index", 0), given.get("page_size", 10)
    if not all(isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in (page, size)):
        raise invalid("page_index and page_size should be integers")
    prefix = given.get("prefix") or ""
    found = [each for each in service.shelf(OwnVoices).of(maker) if f"-{prefix}" in each.id]
    rows = [_row(each) for each in found[page * size : (page + 1) * size]]
    counted = {} if maker == _COSY else {"page_index": page, "page_size": size, "total_count": len(found)}
    return {**counted, "voice_list": rows}, 0


async def _query(service: Service, request: Request, maker: str, body: Json) -> tuple[Json, int]:
    return _row(_one(service, maker, body["input"]), whole=True), 0


async def _update(service: Service, request: Request, maker: str, body: Json) -> tuple[Json, int]:
    old = _one(service, maker, body["input"])
    service.shelf(OwnVoices).save(await _heard(service, request, old, body["input"].get("url"), body["input"]))
    return {}, 0


async def _delete(service: Service, request: Request, maker: str, body: Json) -> tuple[Json, int]:
    service.shelf(OwnVoices).delete(_one(service, maker, body["input"]).id)
    return {}, 0


def _one(service: Service, maker: str, given: Json) -> OwnVoice:
    name = given.get("voice_id" if maker == _COSY else "voice")
    found = service.shelf(OwnVoices).get(name) if isinstance(name, str) else None
    if found is None or found.maker != maker:
        raise Refusal("BadRequest.VoiceNotFound", f"Voice '{name}' not found.", status=400)
    return found


def _row(voice: OwnVoice, *, whole: bool = False) -> Json:
    """A voice as its maker writes it down."""
    times = {"gmt_create": _time(voice.created), "gmt_modified": _time(voice.modified)}
    if voice.maker == _COSY:
        more = {"target_model": voice.model, "resource_link": voice.source} if whole else {}
        return {"voice_id": voice.id, **times, **more, "status": "OK"}
    told = {"voice_prompt": voice.prompt, "preview_text": voice.preview_text} if voice.prompt else {}
    return {"voice": voice.id, "target_model": voice.model, "language": voice.language, **told, **times}


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, _CHINA).strftime("%Y-%m-%d %H:%M:%S")


_ACTIONS: dict[str, dict[str, Any]] = {
    "qwen-voice-enrollment": {"create": _clone, "list": _list, "delete": _delete},
    "qwen-voice-design": {"create": _design, "list": _list, "query": _query, "delete": _delete},
    _COSY: {
        "create_voice": _clone,
        "list_voice": _list,
        "query_voice": _query,
        "update_voice": _update,
        "delete_voice": _delete,
    },
}
ROUTES: list[Verb] = [("POST", "/api/v1/services/audio/tts/customization", customization)]
