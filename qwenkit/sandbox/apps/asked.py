"""What a call of an application asks, read from `{input, parameters}` and held against what the application takes.

Unknown keys are ignored, because SDKs send every extra argument along; the known ones have a type and a limit each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qwenkit.sandbox.apps.apps import AGENT, TYPES, WORKFLOW, App
from qwenkit.sandbox.errors import Refusal

Json = dict[str, Any]
MODES = ("full_thoughts", "message_format", "message_format_plus", "agent_format")
NO_USER = "The input messages do not contain elements with the role of user."
_OLD = {"user": "user", "bot": "assistant"}  # the old way to bring what was said before
KNOBS = ("temperature", "top_p", "top_k", "seed")
_MISSING = "Required parameter({}) missing or invalid, please check the request parameters."
_TEXTS = "image_list file_list pipeline_ids file_ids tags session_file_ids"
_BIZ = "user_prompt_params user_defined_params user_defined_tokens"
_KINDS: dict[type, str] = {
    str: "prompt session_id memory_id flow_stream_mode model_id",
    list: f"messages history {_TEXTS}",
    dict: f"biz_params rag_options metadata_filter structured_filter {_BIZ}",
    bool: "incremental_output has_thoughts enable_thinking enable_web_search enable_system_time",
    int: "dialog_round",
}
_TYPES: dict[str, Any] = {name: kind for kind, names in _KINDS.items() for name in names.split()}
_MOST = {"pipeline_ids": 5, "file_ids": 5, **dict.fromkeys([*_BIZ.split(), "session_file_ids"], 10)}


@dataclass(frozen=True)
class Asked:
    """A call that may be answered: the known members of its parts, none of them null."""

    app: App
    before: list[Json]  # what was said earlier, as messages
    question: str
    input: Json
    parameters: Json
    biz: Json
    rag: Json

    @property
    def mode(self) -> str:
        return str(self.parameters.get("flow_stream_mode") or MODES[0])

    @property
    def thoughts(self) -> bool:
        return bool(self.parameters.get("has_thoughts"))

    def passed(self, tool: str) -> tuple[Json, Json]:
        """What the caller passes to a plug-in: parameters, and tokens."""
        given = [self.biz.get(f"user_defined_{kind}", {}).get(tool) for kind in ("params", "tokens")]
        params, tokens = (each if isinstance(each, dict) else {} for each in given)
        return params, tokens


def wrong(name: str) -> Refusal:
    return Refusal("InvalidParameter", _MISSING.format(name))


def _known(holder: Any, name: str) -> Json:
    """The members of an object that have a meaning, checked."""
    if not isinstance(holder, dict):
        raise wrong(name)
    given = {key: value for key, value in holder.items() if value is not None}
    for key, kind in ((key, _TYPES[key]) for key in given if key in _TYPES):
        value = given[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise wrong(key)
        if key in _MOST and len(value) > _MOST[key]:
            raise Refusal("InvalidParameter", f"{key} holds {len(value)} entries, at most {_MOST[key]} are supported.")
        if key in _TEXTS.split() and not all(isinstance(each, str) and each for each in value):
            raise wrong(key)
    return given


def read(app: App, body: Json) -> Asked:
    """The call in a body, or the refusal of the first thing that is wrong with it."""
    source, parameters = _known(body.get("input"), "input"), _known(body.get("parameters") or {}, "parameters")
    if not (source.get("messages") or source.get("prompt")):
        raise wrong("prompt or messages")
    pairs = [pair for each in source.get("history", []) if isinstance(each, dict) for pair in each.items()]
    history = [{"role": _OLD[key], "content": text} for key, text in pairs if key in _OLD and isinstance(text, str)]
    said = _said(source.get("messages") or [*history, {"role": "user", "content": source["prompt"]}])
    last = max((at for at, each in enumerate(said) if each["role"] == "user"), default=-1)
    if last < 0:
        raise Refusal("InvalidParameter", NO_USER)
    biz = _biz(app, _known(source.get("biz_params", {}), "biz_params"))
    rag = _rag(source, parameters) if app.kind == AGENT else {}
    asked = Asked(app, said[:last], said[last]["content"], source, parameters, biz, rag)
    if asked.mode not in MODES:
        raise wrong("flow_stream_mode")
    return asked


def _said(messages: list[Any]) -> list[Json]:
    """Messages as texts; content may also be parts with a text each."""
    said = []
    for message in messages:
        role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        parts = content if isinstance(content, list) else [content]
        texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
        if role not in ("system", "user", "assistant") or not all(isinstance(text, str) for text in texts):
            raise wrong("messages")
        said.append({"role": role, "content": "".join(map(str, texts))})
    return said


def _biz(app: App, biz: Json) -> Json:
    """The parameters of prompts and plug-ins, or the variables of a workflow, of the types it declares."""
    if app.kind == WORKFLOW and biz.get("user_prompt_params"):
        raise Refusal("InvalidParameter", NO_USER)  # as the service puts it
    for name, kind in app.variables.items():
        value, wanted = biz.get(name), TYPES[kind.rstrip("!")]
        odd = not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool)
        if kind.endswith("!") if value is None else odd:
            raise wrong(f"biz_params.{name}")
    return biz


def _rag(source: Json, parameters: Json) -> Json:
    """Retrieval options; session files are also read where some callers put them."""
    options = _known(parameters.get("rag_options", {}), "rag_options")
    held = next((each for each in (options, parameters, source) if each.get("session_file_ids")), {})
    narrow = ("file_ids", "metadata_filter", "tags", "structured_filter")
    if not options.get("pipeline_ids") and any(options.get(name) for name in narrow):
        raise wrong("pipeline_ids")
    return {**options, "session_file_ids": held.get("session_file_ids", [])}
