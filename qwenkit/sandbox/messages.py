"""What the messages of a chat request must look like: roles, content, parts, and tool answers after tool calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qwenkit.catalogue import Model
from qwenkit.sandbox.errors import invalid

Messages = list[dict[str, Any]]
ROLES = ("system", "user", "assistant", "tool")
# Which letter of a model's inputs each kind of part needs.
PARTS = {
    "text": "T",
    "image_url": "I",
    "video_url": "V",
    "video": "V",
    "input_audio": "A",
    "audio_url": "A",
}


def check_messages(messages: Any, model: Model) -> None:
    """Refuse messages that the service would refuse, in its words."""
    if messages is None:
        raise invalid("Required parameter(messages) missing or invalid, please check the request parameters.")
    if not isinstance(messages, list):
        raise invalid("Input should be a valid list: input.messages")
    if not messages:
        raise invalid("[] is too short - 'messages'")
    for position, message in enumerate(messages):
        _check_message(message, position, model)
    if not any(message["role"] == "user" for message in messages):
        raise invalid("The input messages do not contain elements with the role of user.")
    _check_tool_answers(messages)


def _check_message(message: Any, position: int, model: Model) -> None:
    if not isinstance(message, dict):
        raise invalid("Input should be a valid dictionary or instance of GPT3Message")
    role = message.get("role")
    if role not in ROLES:
        raise invalid(f"{role!r} is not one of {list(ROLES)} - 'messages.{position}.role'")
    _check_tool_calls(message)
    content = message.get("content")
    if content is None and not (role == "assistant" and message.get("tool_calls")):
        raise invalid("The content field is a required field.")
    if isinstance(content, list):
        _check_parts(content, position, model)
    elif content is not None and not isinstance(content, str):
        raise invalid("input content must be a string.")


def _check_parts(parts: list[Any], position: int, model: Model) -> None:
    if not parts:
        raise invalid(f"[] is too short - 'messages.{position}.content'")
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str) or (kind == "text" and not isinstance(part.get("text"), str)):
            raise invalid("The item of content should be a message of a certain modal.")
        if PARTS.get(kind, "?") not in model.inputs:
            raise invalid(
                "The provided messages input is invalid. The error info is [Unexpected item type in content.]"
            )


def _check_tool_calls(message: dict[str, Any]) -> None:
    calls = message.get("tool_calls")
    if calls is None:
        return
    if calls == []:
        raise invalid("Empty tool_calls is not supported in message")
    if not isinstance(calls, list) or not all(_is_call(call) for call in calls):
        raise invalid("Input should be a valid list of function calls: messages.tool_calls")


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return isinstance(function, dict) and all(isinstance(function.get(name, ""), str) for name in ("name", "arguments"))


def _check_tool_answers(messages: Messages) -> None:
    """Every tool message follows an assistant message with tool calls, or another tool message that does."""
    answering = False
    for message in messages:
        if message["role"] == "tool" and not answering:
            raise invalid('messages with role "tool" must be a response to a preceeding message with "tool_calls"')
        answering = message["role"] == "tool" or bool(message.get("tool_calls"))


def is_partial(messages: Messages) -> bool:
    """Whether the last message is the beginning of the answer itself."""
    return messages[-1]["role"] == "assistant" and messages[-1].get("partial") is True


def last_words(messages: Messages) -> str:
    """The text of the latest user message."""
    asked = [message for message in messages if message["role"] == "user"]
    return "".join(_texts(asked[-1])) if asked else ""


def all_words(messages: Messages) -> str:
    return "\n".join(text for message in messages for text in _texts(message))


def _texts(message: dict[str, Any]) -> Iterator[str]:
    content = message.get("content") or ""
    for part in [content] if isinstance(content, str) else content:
        yield part if isinstance(part, str) else part.get("text", "")
