"""Applications as the official SDKs call and read them: `dashscope.Application`, its newer client, and `openai`."""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
import pytest
from dashscope.v2 import errors as newer
from shapes import png, uri

from qwenkit.sandbox import Sandbox
from qwenkit.sandbox.apps.apps import EXAMPLES

TUTOR, DOCUMENTS, WORKFLOW = (EXAMPLES[name] for name in ("tutor", "documents", "workflow"))
ADA, NAME = "My name is Ada.", "What is my name?"
SUM, BLUE = "What is 17 * 23?", "Why is the sky blue?"
LOAN = "How long are books lent?"


def said(response: Any) -> Any:
    assert response.status_code == 200, response
    return response.output


# -- dashscope.Application -----------------------------------------------------------------------------------------


@pytest.fixture
def call(dash: Any) -> Any:
    return dash.Application.call


def test_a_call(call):
    response = call(TUTOR, SUM)
    assert "391" in said(response).text
    assert (response.output.finish_reason, len(response.output.session_id)) == ("stop", 32)
    (used,) = response.usage.models
    assert (used.model_id, used.input_tokens > 0, used.output_tokens > 0) == ("qwen3.6-plus", True, True)
    assert response.request_id
    assert response.output.thoughts is None


def test_a_session(call):
    session = said(call(TUTOR, ADA)).session_id
    again = said(call(TUTOR, NAME, session_id=session))
    assert ("Ada" in again.text, again.session_id) == (True, session)


def test_messages_and_history(call):
    spoken = [{"role": "user", "content": ADA}, {"role": "assistant", "content": "Hello, Ada."}]
    assert "Ada" in said(call(TUTOR, messages=[*spoken, {"role": "user", "content": NAME}])).text
    assert "Ada" in said(call(TUTOR, NAME, messages=spoken)).text, "the SDK puts the prompt behind them"
    assert "Ada" in said(call(TUTOR, NAME, history=[{"user": ADA, "bot": "Hello."}])).text


def test_a_stream_repeats_itself(call):
    texts = [said(each).text for each in call(TUTOR, ADA, stream=True)]
    assert texts[-1] == "Nice to meet you, Ada!"
    assert all(after.startswith(before) for before, after in itertools.pairwise(texts))
    assert len(texts) > 4


def test_an_incremental_stream(call):
    every = [said(each) for each in call(TUTOR, ADA, stream=True, incremental_output=True)]
    assert "".join(each.text for each in every) == "Nice to meet you, Ada!"
    assert [each.finish_reason for each in every] == ["null"] * (len(every) - 1) + ["stop"]


def test_a_stream_that_the_sdk_adds_up(call, box):
    texts = [said(each).text for each in call(TUTOR, ADA, stream=True, incremental_output=False)]
    assert texts[-1] == "Nice to meet you, Ada!"
    seen = box.requests[-1]
    assert seen.json["parameters"]["incremental_output"] is True
    assert seen.headers["user-agent"].endswith("incremental_to_full/1")


def test_thoughts_of_plugins(call):
    (step,) = said(call(TUTOR, SUM, has_thoughts=True)).thoughts
    assert (step.action_type, step.action, step.observation) == ("api", "calculator", "17 × 23 = 391")
    assert step.action_input == json.loads(step.action_input_stream)


def test_thoughts_of_a_model(call):
    every = list(call(TUTOR, ADA, stream=True, has_thoughts=True, enable_thinking=True, incremental_output=True))
    kinds = {step.action for each in every for step in said(each).thoughts or []}
    assert kinds == {"reasoning"}
    whole = said(call(TUTOR, ADA, has_thoughts=True, enable_thinking=True)).thoughts[0]
    assert whole.thought == whole.response
    assert whole.thought == "".join(step.thought for each in every for step in said(each).thoughts or [])


def test_thoughts_of_retrieval_and_references(call):
    output = said(call(DOCUMENTS, LOAN, has_thoughts=True))
    (step,) = output.thoughts
    assert (step.action, step.action_type) == ("rag", "agentRag")
    first = json.loads(step.observation)[0]
    assert first.keys() == {
        *("content", "dataId", "dataName", "display", "id", "images", "referenceIndex", "score", "title", "webSearch")
    }
    assert "four weeks" in output.text
    assert f"<ref>[{output.doc_references[0].index_id}]</ref>" in output.text
    assert "four weeks" in output.doc_references[0].text


def test_a_stream_names_a_source_when_its_mark_is_complete(call):
    every = [said(each) for each in call(DOCUMENTS, LOAN, stream=True)]
    assert all(bool(each.doc_references) == ("</ref>" in each.text) for each in every)
    assert every[-1].doc_references


def test_documents_say_nothing_else(call):
    assert said(call(DOCUMENTS, BLUE)).text == "I do not find that in the documents."


def test_retrieval_options(call):
    first = said(call(DOCUMENTS, LOAN)).doc_references[0]
    base = json.loads(said(call(DOCUMENTS, LOAN, has_thoughts=True)).thoughts[0].arguments)["pipeline_ids"]
    options = {"pipeline_ids": base, "file_ids": [first.doc_id], "tags": [], "metadata_filter": {}}
    asked = said(call(TUTOR, LOAN, rag_options=options, has_thoughts=True))
    assert {each["dataId"] for each in json.loads(asked.thoughts[0].observation)} == {first.doc_id}
    refused = call(TUTOR, LOAN, rag_options={"file_ids": [first.doc_id]})
    assert (refused.status_code, refused.code) == (400, "InvalidParameter")


def test_parameters_of_the_business(call):
    biz = {"user_defined_tokens": {"locker": {"user_token": "u"}}, "user_defined_params": {"locker": {"number": 2}}}
    assert "a violin" in said(call(TUTOR, "What is in my locker?", biz_params=biz)).text
    assert said(call(WORKFLOW, BLUE, biz_params={"sentences": 1})).text.count(".") == 1


def test_pictures_and_files(call):
    assert "red" in said(call(TUTOR, "What colour is it?", image_list=[uri(png(colour="red"))])).text.lower()
    text = uri(b"The gate opens at six.", "text/plain")
    assert "six" in said(call(TUTOR, "When does the gate open?", file_list=[text])).text


@pytest.mark.parametrize("mode", ["message_format", "message_format_plus"])
def test_nodes_of_a_workflow(call, mode):
    every = [said(each) for each in call(WORKFLOW, BLUE, stream=True, flow_stream_mode=mode)]
    told = [each.workflow_message for each in every if each.workflow_message]
    kinds = ["Start", "LLM", "Output", "End"] if mode.endswith("plus") else ["Output", "End"]
    assert list(dict.fromkeys(node["node_type"] for node in told)) == kinds
    assert {node["node_is_completed"] for node in told} == {True, False}
    assert "".join(n["message"]["content"] for n in told if n["node_type"] == "End") == every[-1].text
    assert every[-1].workflow_message is None


def test_nodes_as_thoughts(call):
    output = said(call(WORKFLOW, BLUE, has_thoughts=True))
    assert [json.loads(each.response)["nodeType"] for each in output.thoughts] == ["Start", "LLM", "Output", "End"]


def test_refusals(call):
    unknown, keyless = call("0" * 32, SUM), call(TUTOR, SUM, api_key="sk-no")
    assert (unknown.status_code, unknown.code, unknown.message) == (403, "App.AccessDenied", "App access denied.")
    assert (keyless.status_code, keyless.code) == (401, "InvalidApiKey")
    wrong = call(WORKFLOW, SUM, biz_params={"sentences": "two"})
    assert (wrong.status_code, wrong.code) == (400, "InvalidParameter")
    (streamed,) = call("0" * 32, SUM, stream=True)
    assert (streamed.status_code, streamed.code) == (403, "App.AccessDenied")


def test_a_failure_within_a_stream(call, box):
    box.fault("error:2", path="/completion")
    *fine, last = call(TUTOR, BLUE, stream=True)
    assert ([each.status_code for each in fine], last.code) == ([200, 200], "InternalError")
    assert last.status_code != 200


def test_a_workflow_that_fails_within_a_stream(call, box):
    nodes = [{"type": "Start"}, {"type": "Plugin", "tool": "calculator", "text": "${sys.query}"}, {"type": "End"}]
    app = box.add_app("failing", kind="workflow", nodes=nodes)
    *_, last = call(app, "no sum", stream=True, flow_stream_mode="message_format_plus")
    assert last.code == "InvokePluginFailed"
    assert (call(app, "no sum").status_code, call(app, "no sum").code) == (500, "InvokePluginFailed")


def test_workspace_and_any_other_argument(call, box):
    assert "391" in said(call(TUTOR, SUM, workspace="llm-mine", cip_service_codes={"text": {}}, top_k=3)).text
    assert box.requests[-1].headers["x-dashscope-workspace"] == "llm-mine"


# -- dashscope.Client: strict about types ----------------------------------------------------------------------------


@pytest.fixture(params=["Client", "AsyncClient"])
async def apps(request: pytest.FixtureRequest, box: Sandbox) -> AsyncIterator[Newer]:
    import dashscope.v2.client as made

    client = getattr(made, request.param)(api_key=box.key, base_url=f"{box.url}/api/v1")
    yield Newer(client)
    if request.param == "Client":
        client.close()
    else:
        await client.aclose()


class Newer:
    """The newer client, blocking or awaited, behind one awaitable face."""

    def __init__(self, client: Any) -> None:
        self.create = client.apps.completions.create

    async def __call__(self, app: str, prompt: str, **options: Any) -> Any:
        answer = self.create(app_id=app, prompt=prompt, **options)
        return await answer if inspect.isawaitable(answer) else answer

    async def frames(self, app: str, prompt: str, **options: Any) -> list[Any]:
        stream = await self(app, prompt, stream=True, **options)
        return [each async for each in stream] if hasattr(stream, "__aiter__") else list(stream)


async def test_newer_calls_and_sessions(apps):
    first = await apps(TUTOR, ADA)
    again = await apps(TUTOR, NAME, session_id=first.session_id)
    assert ("Ada" in again.text, again.finish_reason) == (True, "stop")
    assert again.usage.models[0].output_tokens > 0


async def test_newer_reads_thoughts_references_and_nodes_strictly(apps):
    told = await apps(TUTOR, SUM, has_thoughts=True, parameters={"enable_thinking": True})
    assert [each.action for each in told.thoughts] == ["calculator", "reasoning"]
    assert isinstance(told.thoughts[0].action_input, dict)
    cited = await apps(DOCUMENTS, LOAN, has_thoughts=True)
    assert (cited.doc_references[0].images, cited.doc_references[0].page_number) == ([], [])
    every = await apps.frames(WORKFLOW, BLUE, parameters={"flow_stream_mode": "message_format_plus"})
    assert {each.workflow_message.node_is_completed for each in every[:-1]} == {"true", "false"}
    assert every[0].usage is None or every[0].usage.models == []


async def test_newer_streams(apps):
    every = await apps.frames(TUTOR, ADA)
    assert every[-1].text == "Nice to meet you, Ada!"
    every = await apps.frames(TUTOR, ADA, incremental_output=True)
    assert "".join(each.text for each in every) == "Nice to meet you, Ada!"


async def test_newer_errors_and_retries(apps, box):
    with pytest.raises(newer.PermissionDeniedError) as denied:
        await apps("0" * 32, SUM)
    assert denied.value.code == "App.AccessDenied"
    with pytest.raises(newer.BadRequestError):
        await apps(WORKFLOW, SUM, biz_params={"sentences": "two"})
    box.fault("429;retry-after=0", times=2, path="/completion")
    assert "391" in (await apps(TUTOR, SUM)).text
    box.fault("error:2", path="/completion")
    with pytest.raises(newer.DashScopeError):
        await apps.frames(TUTOR, BLUE)


# -- openai, through the Responses API -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=_base(sandbox, TUTOR), api_key=sandbox.key, max_retries=0, timeout=10) as made:
        yield made


def _base(box: Sandbox, app: str) -> str:
    return f"{box.url}/api/v2/apps/agent/{app}/compatible-mode/v1"


def test_a_response(client):
    made = client.responses.create(input=SUM, model="")
    assert ("391" in made.output_text, made.status, made.object) == (True, "completed", "response")
    assert made.usage is None
    assert client.responses.retrieve(made.id).output_text == made.output_text
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_a_history_in_the_input(client):
    turns = [("user", ADA), ("assistant", "Hello, Ada."), ("user", NAME)]
    items = [{"role": role, "content": [{"type": "input_text", "text": text}]} for role, text in turns]
    assert "Ada" in client.responses.create(input=items, model="").output_text


def test_pictures_files_and_biz_params(client):
    parts = [{"type": "input_text", "text": "What colour is it?"}, {"type": "input_image", "image_url": uri(png())}]
    assert "red" in client.responses.create(input=[{"role": "user", "content": parts}], model="").output_text.lower()
    text = uri(b"The gate opens at six.", "text/plain")
    parts = [{"type": "input_text", "text": "When does the gate open?"}, {"type": "input_file", "file_url": text}]
    assert "six" in client.responses.create(input=[{"role": "user", "content": parts}], model="").output_text
    biz = {"user_defined_tokens": {"locker": {"user_token": "u"}}}
    told = client.responses.create(input="What is in locker 2?", model="", extra_body={"biz_params": biz})
    assert "a violin" in told.output_text


def test_a_response_streamed(client):
    events = list(client.responses.create(input=SUM, model="", stream=True))
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        *("response.created", "response.in_progress"),
        *("response.output_item.added", "response.content_part.added"),
    ]
    assert kinds[-4:] == [
        *("response.output_text.done", "response.content_part.done"),
        *("response.output_item.done", "response.completed"),
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text
    assert events[0].response.status == "queued"


def test_a_response_that_thinks(box):
    app = box.add_app("thinker", thinking=True)
    with openai.OpenAI(base_url=_base(box, app), api_key=box.key) as client:
        made = client.responses.create(input=ADA, model="")
        assert [item.type for item in made.output] == ["reasoning", "message"]
        kinds = {event.type for event in client.responses.create(input=ADA, model="", stream=True)}
    assert {"response.reasoning_text.delta", "response.reasoning_text.done"} <= kinds


def test_a_response_in_the_background(client):
    made = client.responses.create(input=SUM, model="", background=True)
    assert (made.status, made.output) == ("queued", [])
    with pytest.raises(openai.BadRequestError):
        client.responses.delete(made.id)
    assert client.responses.retrieve(made.id).status == "running"
    done = client.responses.retrieve(made.id)
    assert (done.status, "391" in done.output_text) == ("completed", True)
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(made.id)
    client.responses.delete(made.id)


def test_a_response_called_off(client):
    made = client.responses.create(input=SUM, model="", background=True)
    assert client.responses.cancel(made.id).status == "cancelled"
    assert client.responses.retrieve(made.id).status == "cancelled"
    client.responses.delete(made.id)


def test_a_response_that_failed_in_the_background(client, box):
    parts = [{"type": "input_text", "text": "What?"}, {"type": "input_file", "file_url": "https://far.example/a.txt"}]
    made = client.responses.create(input=[{"role": "user", "content": parts}], model="", background=True)
    client.responses.retrieve(made.id)
    failed = client.responses.retrieve(made.id)
    with openai.OpenAI(base_url=_base(box, WORKFLOW), api_key=box.key) as other, pytest.raises(openai.NotFoundError):
        other.responses.retrieve(made.id)
    assert (failed.status, failed.error.code) == ("failed", "InvalidURL.ConnectionRefused")


@pytest.mark.parametrize("streams", [True, False])
def test_a_workflow_as_a_response(box, streams):
    ends = {"type": "End", "text": "${LLM_1.result}", "stream": streams}
    nodes = [{"type": "Start"}, {"type": "LLM", "text": "${sys.query}", "instructions": "Use ${n} sentences."}, ends]
    app = box.add_app("flow", kind="workflow", nodes=nodes, variables={"n": "number"})
    with openai.OpenAI(base_url=_base(box, app), api_key=box.key) as client:
        asked = {"input": BLUE, "model": "", "extra_body": {"biz_params": {"n": 1}}}
        made, events = client.responses.create(**asked), list(client.responses.create(**asked, stream=True))
    deltas = [each.delta for each in events if each.type == "response.output_text.delta"]
    assert made.output_text.count(".") == 1
    assert ("".join(deltas), len(deltas) > 1) == (made.output_text, streams)


def test_responses_that_are_refused(box, client):
    stranger = client.with_options(base_url=_base(box, "0" * 32))
    with pytest.raises(openai.PermissionDeniedError) as denied:
        stranger.responses.create(input=SUM, model="")
    assert denied.value.body["code"] == "App.AccessDenied"
    with pytest.raises(openai.BadRequestError):
        client.responses.create(input=SUM, model="", stream=True, background=True)
    with pytest.raises(openai.BadRequestError):
        client.responses.create(input=[], model="")


def test_the_bytes_of_a_streamed_response(box):
    url = f"{_base(box, TUTOR)}/responses"
    key = {"Authorization": f"Bearer {box.key}"}
    answer = httpx.post(url, json={"input": SUM, "stream": True}, headers=key, trust_env=False)
    first = answer.text.split("\n\n")[0]
    assert first.startswith('id:1\nevent:response.created\n:HTTP_STATUS/200\ndata:{"sequence_number":0,')
    refused = httpx.post(url, json={"input": []}, headers=key, trust_env=False).json()
    assert list(refused) == ["code", "message", "request_id"]
