"""`qwen.apps` against the sandbox, in both flavours: agents, sessions, documents, workflows, streams, faults."""

from __future__ import annotations

from typing import Any

import pytest
from flavours import done, opened, pieces

import qwenkit as qk
from qwenkit.errors import AuthError, ConfigError, InvalidRequest, NotFound, PermissionDenied, ServerError, StreamBroken
from qwenkit.sandbox import Sandbox


@pytest.fixture
def app(qwen: Any, box: Sandbox) -> Any:
    """The applications that exist on start, by name."""
    return lambda name: qwen.apps(box.apps[name])


async def test_a_question_and_what_it_cost(app: Any, client: qk.Client):
    reply = await done(app("tutor")("What is 12 * 12?"))
    assert "144" in reply.words
    assert (reply.finish_reason, len(reply.session_id)) == ("stop", 32)
    assert reply.usage.total == reply.usage.prompt + reply.usage.completion > 0
    assert reply.cost.amount > 0
    entry = list(client.usage)[-1]
    assert (entry.family, entry.model, entry.ok) == ("apps", reply.model, True)


@pytest.mark.parametrize("by", ["session", "reply", "id"])
async def test_a_session_is_remembered(app: Any, by: str):
    tutor = app("tutor")
    if by == "session":
        talk = tutor.session()
        await done(talk("My name is Robin."))
        answer = await done(talk("What is my name?"))
        assert talk.id == answer.session_id
        assert len(talk.replies) == 2
    else:
        first = await done(tutor("My name is Robin."))
        answer = await done(tutor("What is my name?", session=first if by == "reply" else first.session_id))
        assert answer.session_id == first.session_id
    assert "Robin" in answer.words
    assert "Robin" not in (await done(tutor("What is my name?"))).words


async def test_messages_bring_a_history_of_ones_own(app: Any):
    told = [{"role": "user", "content": "My name is Robin."}, {"role": "assistant", "content": "Hello, Robin!"}]
    asked = qk.Message.user("What is my name?")
    assert "Robin" in (await done(app("tutor")(messages=[*told, asked]))).words


async def test_an_answer_from_documents_names_its_sources(app: Any):
    plain = await done(app("documents")("What can you tell me about opening hours?", thoughts=True))
    assert plain.references
    assert plain.cited
    assert all(each.score is not None and each.text for each in plain.cited)
    (look,) = [thought for thought in plain.thoughts if thought.action == "rag"]
    assert look.found
    assert "<ref>" not in str(plain)


@pytest.mark.parametrize("mode", ["message_format", "message_format_plus", "agent_format", "full_thoughts"])
async def test_a_workflow_streams_in_every_mode(app: Any, mode: str):
    async with opened(app("workflow").stream("rain", flow_stream_mode=mode, thoughts=True)) as stream:
        seen = [piece async for piece in pieces(stream)]
    reply = stream.reply
    assert "".join(piece.text for piece in seen).strip()
    assert reply.text
    assert seen[-1].finish_reason == "stop"
    kinds = {step.kind for step in reply.steps}
    assert ("LLM" in kinds) is (mode == "message_format_plus")
    assert bool(kinds) is mode.startswith("message")
    assert all(step.done for step in reply.steps)


async def test_a_streamed_agent_tells_text_thoughts_and_bill(app: Any):
    async with opened(app("tutor").stream("What is 23 * 19?", thoughts=True)) as stream:
        seen = [piece async for piece in pieces(stream)]
    assert "".join(piece.text for piece in seen) == stream.reply.text
    assert "437" in stream.reply.words
    assert stream.reply.usage.total > 0
    assert stream.reply.receipt.streamed


async def test_a_session_streams_too(app: Any):
    talk = app("tutor").session()
    await done(talk("My name is Robin."))
    async with opened(talk.stream("What is my name?")) as stream:
        [piece async for piece in pieces(stream)]
    assert "Robin" in talk.replies[-1].words


async def test_over_responses_in_the_background_and_streamed(app: Any):
    answers = app("tutor").responses
    assert "144" in (await done(answers("What is 12 * 12?"))).text
    job = await done(answers("What is 12 * 12?", background=True))
    assert job.status in ("queued", "running", "in_progress", "completed")
    assert "144" in (await done(answers.wait(job))).text
    assert await done(answers.delete(job)) is True
    with pytest.raises(NotFound):
        await done(answers.get(job))
    async with opened(answers.stream("What is 12 * 12?")) as stream:
        [event async for event in pieces(stream)]
    assert "144" in stream.reply.text


async def test_pictures_and_files_are_put_where_the_application_looks(app: Any, box: Sandbox):
    seen = await done(app("tutor")("Which colours are in this picture?", images=["data/shapes.png"]))
    assert seen.words
    request = next(each for each in reversed(box.requests) if each.path.endswith("/completion"))
    assert request.json["input"]["image_list"][0].startswith("data:image/png;base64,")
    address = "https://example.invalid/a.pdf"
    with pytest.raises(qk.QwenError):
        await done(app("tutor")("What does it say?", files=[address]))
    request = next(each for each in reversed(box.requests) if each.path.endswith("/completion"))
    assert request.json["input"]["file_list"] == [address]


@pytest.mark.parametrize(
    ("id", "options", "kind"),
    [
        ("0" * 32, {}, PermissionDenied),
        ("tutor", {"rag_options": {"session_file_ids": ["file_session_nowhere"]}}, InvalidRequest),
    ],
)
async def test_what_the_service_refuses_is_a_typed_error(qwen: Any, box: Sandbox, id: str, options: Any, kind: Any):
    with pytest.raises(kind) as refused:
        await done(qwen.apps(box.apps.get(id, id))("hi", **options))
    assert refused.value.hint
    assert refused.value.request_id


async def test_a_wrong_key_is_told_as_everywhere(box: Sandbox):
    with qk.Client(api_key="sk-wrong-wrong-wrong", base_url=box.url) as stranger, pytest.raises(AuthError):
        stranger.apps(box.apps["tutor"])("hi")


async def test_an_example_must_be_known(client: qk.Client, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match="DASHSCOPE_APP_TUTOR"):
        client.apps.example("tutor")
    monkeypatch.setenv("DASHSCOPE_APP_TUTOR", "a" * 32)
    assert client.apps.example("tutor").id == "a" * 32


@pytest.mark.parametrize(
    ("fault", "kind"), [("error:2", ServerError), ("cut:2", StreamBroken), ("garbage", StreamBroken)]
)
async def test_a_stream_that_breaks_keeps_what_had_come(app: Any, box: Sandbox, fault: str, kind: Any):
    box.fault(fault, path="/completion")
    with pytest.raises(kind) as broken:
        async with opened(app("tutor").stream("Tell me about the ferry and the harbour.")) as stream:
            [piece async for piece in pieces(stream)]
    assert broken.value.reply is not None
