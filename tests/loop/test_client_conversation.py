"""Conversations against the sandbox: history, window, forks and files, in both flavours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flavours import close, done, pieces
from test_client_chat import RAIN, asked

import qwenkit as qk
from qwenkit.sandbox import Sandbox


def roles(talk: Any) -> list[str]:
    return [message.role for message in talk.messages]


def said(box: Sandbox) -> list[str]:
    return [message["content"] for message in asked(box)["messages"]]


async def test_a_conversation_remembers(qwen: Any, box: Sandbox):
    talk = qwen.conversation(system="Be kind.")
    await done(talk("My name is Ada."))
    reply = await done(talk("What is my name?"))
    assert "Ada" in reply.text
    assert roles(talk) == ["system", "user", "assistant", "user", "assistant"]
    assert said(box)[0] == "Be kind."
    assert said(box)[2] == talk.messages[2].content
    assert len(talk) == 5
    assert talk.messages[-1].content == reply.text


async def test_what_is_said_may_be_a_message_of_any_kind(qwen: Any, box: Sandbox):
    talk = qwen.conversation()
    await done(talk({"role": "user", "content": "Hi", "odd": 1}))
    assert asked(box)["messages"] == [{"role": "user", "content": "Hi", "odd": 1}]
    await done(
        talk(
            qk.Message.user(
                "And again",
            )
        )
    )
    assert roles(talk) == ["user", "assistant", "user", "assistant"]
    for nothing in (None, 7, ["Hi"]):
        with pytest.raises(qk.ConfigError, match="a message cannot be of type"):
            await done(talk(nothing))
    assert len(talk) == 4


async def test_options_hold_for_every_turn_and_a_turn_may_have_its_own(qwen: Any, box: Sandbox):
    talk = qwen.conversation(temperature=0.3, model="qwen-flash", max_tokens=20)
    await done(talk("Hi", temperature=0.9))
    assert (asked(box)["temperature"], asked(box)["model"], asked(box)["max_tokens"]) == (0.9, "qwen-flash", 20)
    await done(talk("Hi"))
    assert asked(box)["temperature"] == 0.3


async def test_a_streamed_turn_is_remembered_when_it_is_complete(qwen: Any):
    talk = qwen.conversation()
    stream = talk.stream("Tell me a story.")
    async for _ in pieces(stream):
        assert len(talk) == 0
        break
    await done(stream.finish())
    assert roles(talk) == ["user", "assistant"]
    assert talk.messages[-1].content == stream.reply.text


async def test_a_turn_that_fails_or_is_left_is_not_remembered(qwen: Any, box: Sandbox):
    talk = qwen.conversation()
    box.fault("cut:3")
    with pytest.raises(qk.StreamBroken):
        await done(talk.stream("Tell me a story.").finish())
    stream = talk.stream("Tell me a story.")
    async for _ in pieces(stream):
        break
    await close(stream)
    with pytest.raises(qk.InvalidRequest):
        await done(talk("Hi", temperature=7))
    assert talk.messages == []
    await done(talk("Hi"))
    assert len(talk) == 2


async def test_tool_calls_are_part_of_the_history(qwen: Any, box: Sandbox):
    talk = qwen.conversation(tools=[RAIN])
    reply = await done(talk("Is it raining in Oslo?"))
    call = talk.messages[-1].tool_calls[0]
    assert call["id"] == reply.tool_calls[0].id
    assert call["function"] == {"name": "rain_now", "arguments": reply.tool_calls[0].arguments}
    answered = await done(talk(qk.Message.tool('{"rain": false}', call["id"])))
    assert answered.finish_reason == "stop"
    assert roles(talk) == ["user", "assistant", "tool", "assistant"]


async def test_thoughts_are_kept_only_when_they_are_to_be_preserved(qwen: Any):
    for preserved in (False, True):
        talk = qwen.conversation(thinking=True, preserve_thinking=preserved)
        reply = await done(talk("What is 17 times 23?"))
        assert talk.messages[-1].reasoning_content == (reply.thinking if preserved else None)


async def test_undo_takes_the_last_turn_back(qwen: Any):
    talk = qwen.conversation(system="Be kind.")
    await done(talk("My name is Ada."))
    await done(talk("My name is Bob."))
    talk.undo()
    assert roles(talk) == ["system", "user", "assistant"]
    assert "Ada" in (await done(talk("What is my name?"))).text
    for _ in range(4):
        talk.undo()
    assert roles(talk) == ["system"]


async def test_a_fork_goes_its_own_way(qwen: Any):
    talk = qwen.conversation(system="Be kind.", temperature=0.2)
    await done(talk("My name is Ada."))
    other = talk.fork()
    assert type(other) is type(talk)
    await done(other("My dog is called Rex."))
    assert (len(talk), len(other)) == (3, 5)
    assert (other.options, other.model, other.policy) == (talk.options, talk.model, talk.policy)
    assert other.context_used > talk.context_used


# -- the window ---------------------------------------------------------------------------------------------------


async def test_the_windows_size_comes_from_the_catalogue(qwen: Any):
    assert qwen.conversation().context_limit > 100_000
    assert qwen.conversation(context_limit=500).context_limit == 500
    assert qwen.conversation(model="llama-of-my-own").context_limit is None


async def test_use_is_the_services_own_count(qwen: Any):
    talk = qwen.conversation()
    assert talk.context_used == 0
    reply = await done(talk("Hi"))
    assert talk.context_used == reply.usage.total


async def test_when_it_is_full_the_oldest_turns_are_forgotten(qwen: Any, box: Sandbox):
    talk = qwen.conversation(system="Be kind.", context_limit=200, max_tokens=40)
    for number in range(6):
        await done(talk(f"Number {number}: tell me a story about a cat."))
    assert talk.forgotten > 0
    assert talk.forgotten % 2 == 0
    assert talk.messages[0].content == "Be kind."
    assert talk.messages[1].role == "user"
    assert said(box)[-1].startswith("Number 5")
    assert said(box)[1] != "Number 0: tell me a story about a cat."
    assert talk.context_used + 40 <= 200 + 40
    assert talk.forgotten + len(talk) - 1 == 12


async def test_or_the_turn_is_refused_and_nothing_sent(qwen: Any, box: Sandbox):
    talk = qwen.conversation(context_limit=100, max_tokens=40, when_full="refuse")
    await done(talk("Tell me a story about a cat."))
    before, kept = len(box.requests), list(talk.messages)
    with pytest.raises(qk.ConfigError, match="nothing was sent") as raised:
        await _again_and_again(talk, "Tell me a story about a cat. " * 3)
    assert "when_full='trim'" in raised.value.hint
    assert talk.messages[: len(kept)] == kept
    assert talk.forgotten == 0
    assert len(box.requests) - before == (len(talk) - len(kept)) // 2


async def _again_and_again(talk: Any, words: str) -> None:
    for _ in range(9):
        await done(talk(words))


@pytest.mark.parametrize("streamed", [False, True])
async def test_one_message_that_can_never_fit_is_refused_whatever_the_policy(qwen: Any, box: Sandbox, streamed: bool):
    talk = qwen.conversation(context_limit=100)
    before = len(box.requests)
    with pytest.raises(qk.ConfigError, match="nothing was sent"):
        await done((talk.stream if streamed else talk)("word " * 200))
    assert len(box.requests) == before
    assert talk.messages == []


async def test_a_turn_with_a_model_of_its_own_has_that_models_window(qwen: Any):
    talk = qwen.conversation(model="llama-of-my-own")
    with pytest.raises(qk.ConfigError, match="qwen-plus reads"):
        await done(talk("word " * 1_100_000, model="qwen-plus"))


async def test_room_for_the_answer_that_is_no_number_is_the_services_to_refuse(qwen: Any):
    with pytest.raises(qk.InvalidRequest, match="max_tokens"):
        await done(qwen.conversation(context_limit=500)("Hi", max_tokens="many"))


async def test_what_the_user_takes_out_of_the_history_no_longer_counts(qwen: Any):
    talk = qwen.conversation()
    await done(talk("Tell me a story about a cat."))
    before = talk.context_used
    del talk.messages[1:]
    assert 0 < talk.context_used < before
    talk.messages[0].content = "Hi"
    assert talk.context_used < before / 2


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"when_full": "panic"}, "when_full cannot be 'panic'"),
        ({"context_limit": "many"}, "context_limit cannot be 'many'"),
        ({"context_limit": 0}, "context_limit cannot be 0"),
        ({"temprature": 1}, "temprature"),
    ],
)
def test_an_unknown_policy_or_option_is_refused_at_once(client: qk.Client, options: Any, complaint: str):
    for qwen in (client, client.aio):
        with pytest.raises(qk.ConfigError, match=complaint):
            qwen.conversation(**options)


# -- files --------------------------------------------------------------------------------------------------------


async def test_saved_and_restored_it_goes_on_where_it_was(qwen: Any, tmp_path: Path):
    talk = qwen.conversation(system="Be kind. 和气一点", model="qwen-flash", when_full="refuse", temperature=0.4)
    await done(talk("My name is Ada."))
    path = talk.save(tmp_path / "talk.json")
    text = path.read_text(encoding="utf-8")
    assert "和气一点" in text
    assert "sk-" not in text
    other = qwen.conversation().restore(path)
    assert other.messages == talk.messages
    assert (other.model, other.policy, other.options) == ("qwen-flash", "refuse", {"temperature": 0.4})
    assert "Ada" in (await done(other("What is my name?"))).text
    assert talk.save(tmp_path / "again.json").read_text(encoding="utf-8") == text


async def test_every_kind_of_message_survives_the_file(qwen: Any, tmp_path: Path):
    talk = qwen.conversation()
    talk.messages = [
        qk.Message("user", [{"type": "text", "text": "Hi"}], name="ada", extra={"odd": [1]}),
        qk.Message("assistant", "", tool_calls=[{"id": "c"}], reasoning_content="hm"),
        qk.Message.tool("{}", "c"),
        qk.Message.assistant("The", partial=True),
    ]
    assert qwen.conversation().restore(talk.save(tmp_path / "talk.json")).messages == talk.messages


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"messages": 7}', '{"messages": ["Hi"]}', '{"messages": [{"content": "no role"}]}', "\x00"],
)
async def test_what_is_no_saved_conversation_is_refused_and_changes_nothing(
    client: qk.Client, tmp_path: Path, text: str
):
    (tmp_path / "odd.json").write_text(text)
    talk = client.conversation(system="Be kind.")
    with pytest.raises(qk.ConfigError, match=r"odd\.json is not a saved conversation"):
        talk.restore(tmp_path / "odd.json")
    assert roles(talk) == ["system"]
    with pytest.raises(qk.ConfigError, match=r"none\.json"):
        talk.restore(tmp_path / "none.json")


async def test_it_says_itself_in_a_line(qwen: Any):
    talk = qwen.conversation(system="Be kind.")
    await done(talk("Hi"))
    assert repr(talk) == f"Conversation(3 messages, model='qwen-plus', about {talk.context_used} tokens)"


async def test_saved_files_are_plain_json(qwen: Any, tmp_path: Path):
    talk = qwen.conversation(system="Be kind.")
    facts = json.loads(talk.save(str(tmp_path / "talk.json")).read_text(encoding="utf-8"))
    assert facts["qwenkit"] == "conversation/1"
    assert facts["messages"] == [{"role": "system", "content": "Be kind."}]


async def test_the_history_may_be_edited_with_dicts_and_replies(qwen: Any, box: Sandbox):
    talk = qwen.conversation()
    reply = await done(qwen.chat("Hi"))
    talk.messages.append({"role": "user", "content": "My name is Ada."})
    talk.messages.append(reply)
    assert "user: My name is Ada." in str(talk)
    await done(talk("What is my name?"))
    assert asked(box)["messages"][:2] == [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": reply.text},
    ]
    assert "Ada" in talk.messages[-1].text
    talk.messages.append(7)
    with pytest.raises(qk.ConfigError, match="of type int"):
        await done(talk("Hm?"))
