"""Wire parity of applications: `dashscope.Application` and qwenkit send the same path, headers and JSON.

Where they differ on purpose, `told` says so: the SDK leaves an empty model behind, and qwenkit the empty `debug` of the
samples over HTTP; both mean nothing to the service. A stream of the SDK repeats its text unless told otherwise, ours
never does: so the SDK is asked for pieces too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from parity import Said, sent

import qwenkit as qk
from qwenkit.sandbox import Sandbox
from qwenkit.sandbox.apps.apps import EXAMPLES

TUTOR, WORKFLOW = EXAMPLES["tutor"], EXAMPLES["workflow"]
ASKED = "What is 17 * 23? 天空"
SPOKEN = [
    {"role": "system", "content": "Be terse."},
    {"role": "user", "content": "My name is Ada."},
    {"role": "assistant", "content": "Hello, Ada."},
]
PICTURE, FILE = "https://ok.example/a.png", "https://ok.example/a.pdf"
BIZ = {"user_prompt_params": {"city": "港"}, "user_defined_params": {"locker": {"number": 2}}}
RAG = {
    "pipeline_ids": ["kb1", "kb2"],
    "file_ids": ["file_1"],
    "tags": ["a", "港"],
    "metadata_filter": {"year": "2026"},
    "structured_filter": {"price": 3},
    "session_file_ids": ["file_session_1"],
}


class Case(NamedTuple):
    """One call as each library spells it."""

    theirs: dict[str, Any]
    ours: dict[str, Any]
    prompt: str = ASKED
    app: str = TUTOR


def same(**options: Any) -> Case:
    return Case(options, options)


CASES: dict[str, Case] = {
    "plain": same(),
    "a session": Case({"session_id": "a" * 32}, {"session": "a" * 32}),
    "messages": Case(
        {"messages": [*SPOKEN, {"role": "user", "content": "Hi"}]},
        {"messages": [*SPOKEN, {"role": "user", "content": "Hi"}]},
        prompt="",
    ),
    "history of the old kind": same(history=[{"user": "I am Ada.", "bot": "Hello."}]),
    "parameters of the business": same(biz_params=BIZ),
    "variables of a workflow": Case({"biz_params": {"sentences": 1}}, {"biz_params": {"sentences": 1}}, app=WORKFLOW),
    "knowledge": Case({"rag_options": {"pipeline_ids": ["kb1"]}}, {"knowledge": "kb1"}),
    "knowledge, and where in it": same(rag_options=RAG),
    "pictures": Case({"image_list": [PICTURE, PICTURE]}, {"images": [PICTURE, PICTURE]}),
    "files": Case({"file_list": [FILE]}, {"files": [FILE]}),
    "memory": same(memory_id="m-1"),
    "thoughts": Case({"has_thoughts": True}, {"thoughts": True}),
    "thinking": Case(
        {"has_thoughts": True, "enable_thinking": True, "model_id": "qwen3.7-plus"},
        {"thoughts": True, "thinking": True, "model_id": "qwen3.7-plus"},
    ),
    "no thinking": Case({"enable_thinking": False}, {"thinking": False}),
    "sampling": same(temperature=0.3, top_p=0.8, top_k=5, seed=7),
    "the web, rounds and the clock": Case(
        {"enable_web_search": True, "dialog_round": 3, "enable_system_time": True},
        {"search": True, "dialog_round": 3, "enable_system_time": True},
    ),
    "nodes of a workflow": Case(
        {"flow_stream_mode": "message_format_plus"}, {"flow_stream_mode": "message_format_plus"}, app=WORKFLOW
    ),
    "nodes as thoughts": Case(
        {"flow_stream_mode": "full_thoughts", "has_thoughts": True},
        {"flow_stream_mode": "full_thoughts", "thoughts": True},
        app=WORKFLOW,
    ),
    "what neither knows": Case({"brand_new": [1, {"a": None}]}, {"extra": {"brand_new": [1, {"a": None}]}}),
}


def told(said: Said) -> Said:
    """Without what is empty on either side."""
    body = {name: value for name, value in said.json.items() if (name, value) not in (("model", ""), ("debug", {}))}
    return said._replace(json={"parameters": {}, **body})


def theirs(native: Any, recorder: Sandbox, case: Case, **more: Any) -> Said:
    options = {**case.theirs, **more}
    return told(sent(recorder, native.Application.call, case.app, case.prompt or None, **options))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_both_say_the_same(name: str, streamed: bool, recorder: Sandbox, native: Any, qwen: qk.Client):
    case = CASES[name]
    one = theirs(native, recorder, case, **({"stream": True, "incremental_output": True} if streamed else {}))
    app = qwen.apps(case.app)
    two = sent(recorder, app.stream if streamed else app, case.prompt, **case.ours)
    assert one == told(two)
    assert (one.method, one.path) == ("POST", f"/api/v1/apps/{case.app}/completion")
    assert two.switches == ({"x-dashscope-sse": "enable"} if streamed else {})


def test_a_session_that_is_remembered_says_its_id(recorder: Sandbox, native: Any, qwen: qk.Client):
    talk = qwen.apps(TUTOR).session()
    first = talk("My name is Ada.")
    two = sent(recorder, talk, ASKED)
    assert theirs(native, recorder, Case({"session_id": first.session_id}, {})) == told(two)
    assert first.session_id


async def test_the_awaited_twin_says_the_same_too(recorder: Sandbox, native: Any, qwen: qk.Client):
    case = CASES["knowledge, and where in it"]
    one = theirs(native, recorder, case)
    before = len(recorder.requests)
    with pytest.raises(qk.APIError):
        await qwen.aio.apps(TUTOR)(ASKED, **case.ours)
    await qwen.aio.close()
    (seen,) = recorder.requests[before:]
    assert told(one._replace(json=seen.json)) == one


@pytest.fixture(scope="module")
def tenant(recorder: Sandbox) -> Iterator[qk.Client]:
    options: dict[str, Any] = {"max_retries": 0, "timeout": 10, "workspace": "llm-mine"}
    with qk.Client(api_key=recorder.key, base_url=recorder.url, **options) as client:
        yield client


def test_the_workspace_is_a_header(recorder: Sandbox, native: Any, tenant: qk.Client):
    one = theirs(native, recorder, CASES["plain"], workspace="llm-mine")
    assert one == told(sent(recorder, tenant.apps(TUTOR), ASKED))
    assert one.switches == {"x-dashscope-workspace": "llm-mine"}


def test_both_say_whose_data_is_not_to_be_looked_at(recorder: Sandbox, native: Any, qwen: qk.Client):
    """Arguments that only the SDK names travel as parameters; ours as `extra`."""
    code = {"text": {"input": "query_security_check"}}
    one = theirs(native, recorder, Case({"cip_service_codes": code}, {}))
    assert one == told(sent(recorder, qwen.apps(TUTOR), ASKED, extra={"cip_service_codes": code}))


def test_there_are_enough_cases():
    assert len(CASES) >= 15
