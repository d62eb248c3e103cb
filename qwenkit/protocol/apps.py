"""Applications without I/O: what is asked, as the wire has it.

    words and options -> {"input": …, "parameters": …} -> frames -> AppReply        (reading: `apps_stream`)

The limits that the pages tell are checked here, before anything is sent; what only the service can know, it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from qwenkit.errors import ConfigError
from qwenkit.protocol import options as checked
from qwenkit.protocol.media import asked
from qwenkit.types.app import AppOptions, AppReply

FLOWS = ("full_thoughts", "message_format", "message_format_plus", "agent_format")
MOST = {"pipeline_ids": 5, "file_ids": 5, "session_file_ids": 10}
_RAG = ("pipeline_ids", "file_ids", "metadata_filter", "tags", "structured_filter", "session_file_ids")
_RETRIEVE = ("file_ids", "metadata_filter", "tags", "structured_filter")
_INPUT = ("memory_id", "biz_params", "history")
_PARAMETERS = (
    *("flow_stream_mode", "model_id", "dialog_round", "enable_system_time"),
    *("temperature", "top_p", "top_k", "seed"),
)
_FRIENDLY = {"thoughts": "has_thoughts", "thinking": "enable_thinking", "search": "enable_web_search"}
_ELSEWHERE = {
    "stream": "to stream, call app.stream(…)",
    "prompt": 'the prompt goes first: app("…")',
    "system": "an application has its instructions in the console; pass messages=[{'role': 'system', …}, …]",
    "model": "the model is set in the console; for one call: model_id=…",
    "tools": "an application's tools are set in the console; their parameters go into biz_params=…",
    "session_id": "it is called session here: session=reply, or the id",
    "rag": "it is called rag_options here, as on the wire",
    "image_list": "it is called images here",
    "file_list": "it is called files here",
}
_ID = re.compile(r"[A-Za-z0-9_-]{4,64}")


def path(app_id: str) -> str:
    return f"/apps/{app_id}/completion"


def identity(app_id: Any) -> str:
    """The id of an application, if it is one."""
    if isinstance(app_id, str) and _ID.fullmatch(app_id.strip()) and not app_id.startswith("sk-"):
        return app_id.strip()
    shown = "a key" if isinstance(app_id, str) and app_id.startswith("sk-") else repr(app_id)[:60]
    raise ConfigError(f"{shown} is no id of an application", hint="it is the 32 characters on the application's card")


def body(prompt: Any, options: Mapping[str, Any], *, stream: bool = False) -> dict[str, Any]:
    """The request body; pictures and files in `input` are values still."""
    checked.refuse_unknown(options, AppOptions.__annotations__, "an application", _ELSEWHERE)
    told: dict[str, Any] = _said(prompt, options)
    told |= {name: options[name] for name in _INPUT if options.get(name) is not None}
    told |= {"image_list": images} if (images := _images(options)) else {}
    parameters: dict[str, Any] = {"incremental_output": True} if stream else {}
    parameters |= {wire: bool(options[name]) for name, wire in _FRIENDLY.items() if options.get(name) is not None}
    if parameters.get("enable_thinking") and options.get("thoughts") is None:
        parameters["has_thoughts"] = True  # without which the reasoning stays with the service
    parameters |= {name: options[name] for name in _PARAMETERS if options.get(name) is not None}
    parameters |= {"rag_options": rag} if (rag := _rag(options)) else {}
    if not isinstance(parameters.get("model_id", ""), str):
        raise ConfigError(f"model_id cannot be {parameters['model_id']!r:.40}", hint='it is a name: "qwen-plus"')
    if "flow_stream_mode" in parameters:
        checked.one_of("flow_stream_mode", parameters["flow_stream_mode"], FLOWS, "full_thoughts is the old one")
    return {"input": told, "parameters": {**parameters, **checked.extra(options.get("extra"))}, "debug": {}}


def _said(prompt: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Words and a session, or messages: the service takes one or the other."""
    messages, session = options.get("messages"), session_id(options.get("session"))
    if messages is not None:
        if prompt or session:
            other = "a prompt" if prompt else "a session"
            raise ConfigError(f"messages and {other} do not go together", hint="put the last question into messages")
        return {"messages": [_message(each) for each in checked.several(messages, "messages", "pass a list of them")]}
    if not isinstance(prompt, str) or not prompt.strip():
        hint = 'a workflow wants a word too: app("start", biz_params=…)' if options.get("biz_params") else 'app("…")'
        raise ConfigError(f"the prompt cannot be {prompt!r:.60}", hint=f"ask in words: {hint}")
    return {"prompt": prompt, **({"session_id": session} if session else {})}


def _message(given: Any) -> dict[str, Any]:
    message: Any = given if isinstance(given, Mapping) else {"role": getattr(given, "role", None)}
    if message.get("role") not in ("system", "user", "assistant"):
        raise ConfigError(f"a message cannot be {given!r:.60}", hint='it has a role and a content: {"role": "user", …}')
    content = message.get("content") if isinstance(given, Mapping) else given.content
    return {"role": message["role"], "content": content or ""}


def session_id(session: Any) -> str:
    """The id in whatever goes on: a reply, an id, or nothing."""
    found = getattr(session, "session_id", session) or ""
    if not isinstance(found, str):
        raise ConfigError(f"a session cannot be {session!r:.60}", hint="pass the reply before, or its session_id")
    if isinstance(session, AppReply) and not found:
        raise ConfigError("that reply belongs to no session", hint="ask anew without session=…")
    return found


def _images(options: Mapping[str, Any]) -> list[Any]:
    """Pictures as `qwen.chat` takes them, one address or value each."""
    parts = asked({"images": options["images"]}) if options.get("images") is not None else []
    return [part["image_url"]["url"] for part in parts]


def _rag(options: Mapping[str, Any]) -> dict[str, Any]:
    """Which knowledge bases to look into, and where in them."""
    given = options.get("rag_options") or {}
    if not isinstance(given, Mapping):
        raise ConfigError(f"rag_options cannot be {given!r:.60}", hint='it is a dict: {"pipeline_ids": ["…"]}')
    rag = dict(given)
    checked.refuse_unknown(rag, _RAG, "rag_options", {})
    bases = options.get("knowledge")
    if bases is not None:
        every = bases if isinstance(bases, list | tuple) else [bases]
        rag["pipeline_ids"] = [*rag.get("pipeline_ids", []), *map(_base, every)]
    for name, most in MOST.items():
        listed = rag.get(name, [])
        if isinstance(listed, str | Mapping) or not isinstance(listed, Iterable):
            raise ConfigError(f"{name} cannot be {listed!r:.60}", hint="it is a list of ids")
        if len(list(listed)) > most:
            raise ConfigError(f"{len(list(listed))} {name} are too many", hint=f"at most {most} in one call")
    asked_for = [name for name in _RETRIEVE if rag.get(name)]
    if asked_for and not rag.get("pipeline_ids"):
        raise ConfigError(f"{asked_for[0]} says where in a knowledge base, and none is named", hint="knowledge=[base]")
    wrong = [each for each in rag.get("session_file_ids", []) if not str(each).startswith("file_session_")]
    if wrong:
        raise ConfigError(f"{wrong[0]!r:.60} is no session file", hint="their ids begin with file_session_")
    return rag


def incremental(body: Mapping[str, Any]) -> bool:
    """Whether the frames of this answer bring what is new; else each repeats all that was said."""
    return bool(body["parameters"].get("incremental_output"))


def _base(given: Any) -> str:
    found = getattr(given, "id", given)
    if not isinstance(found, str) or not found:
        raise ConfigError(f"knowledge cannot be {given!r:.60}", hint="pass a base (qwen.knowledge.get(…)) or its id")
    return found
