"""Messages: one turn as the wire has it, and back."""

from __future__ import annotations

import pytest

from qwenkit.types.message import Message, text_of


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (Message.system("Be terse."), {"role": "system", "content": "Be terse."}),
        (Message.user("Hi"), {"role": "user", "content": "Hi"}),
        (Message.assistant("The cat", partial=True), {"role": "assistant", "content": "The cat", "partial": True}),
        (
            Message.tool('{"rain": true}', "call_1"),
            {"role": "tool", "content": '{"rain": true}', "tool_call_id": "call_1"},
        ),
        (Message("assistant"), {"role": "assistant", "content": None}),
        (
            Message("assistant", "", tool_calls=[{"id": "c"}], reasoning_content="hm"),
            {"role": "assistant", "content": "", "tool_calls": [{"id": "c"}], "reasoning_content": "hm"},
        ),
        (
            Message("user", "Hi", name="ada", extra={"odd": 1}),
            {"role": "user", "content": "Hi", "name": "ada", "odd": 1},
        ),
    ],
)
def test_messages_spell_themselves_as_on_the_wire(message: Message, wire: dict[str, object]):
    assert message.to_wire() == wire


def test_parts_are_content_too():
    parts = [
        {"type": "text", "text": "What is "},
        {"type": "image_url", "image_url": {}},
        {"type": "text", "text": "it?"},
    ]
    message = Message.user(parts)
    assert message.to_wire()["content"] == parts
    assert message.text == "What is it?"


@pytest.mark.parametrize(("content", "text"), [(None, ""), ("Hi", "Hi"), ([], ""), (["odd", {"text": "a"}], "a")])
def test_the_text_of_any_legal_content(content: object, text: str):
    assert text_of(content) == text
