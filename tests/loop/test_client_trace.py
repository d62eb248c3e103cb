"""The wire, visible: what a trace keeps of the client's exchanges, with secrets masked."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from flavours import done, opened, pieces
from wayward import Line, Wayward, head, word

import qwenkit as qk
from qwenkit.sandbox import Sandbox


async def test_a_trace_keeps_an_exchange_as_it_was(qwen: Any, box: Sandbox):
    with qk.trace(qwen) as wire:
        reply = await done(qwen.chat("Hi", system="Be kind. 和气"))
    assert len(wire) == 1
    seen = wire[0]
    assert (seen.method, seen.url, seen.status) == ("POST", f"{box.url}/compatible-mode/v1/chat/completions", 200)
    assert json.loads(seen.request_body) == box.requests[-1].json
    assert "和气" in seen.request_body
    assert json.loads(seen.response_body) == reply.raw
    assert seen.response_headers["x-request-id"] == reply.request_id
    assert seen.request_headers["Authorization"] == "Bearer sk-…ests"
    assert (seen.events, seen.error) == ([], "")
    assert seen.started >= 0
    assert 0 < seen.headers_after <= seen.finished_after


async def test_a_trace_keeps_every_event_of_a_stream(qwen: Any):
    with qk.trace(qwen) as wire:
        stream = qwen.chat.stream("Tell me a story.")
        reply = await done(stream.finish())
    events = wire[0].events
    assert events[-1].data == "[DONE]"
    assert [json.loads(event.data) for event in events[:-1]] == reply.raw
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert wire[0].finished_after >= events[-1].at
    assert wire[0].response_body == ""


async def test_each_try_is_an_exchange_of_its_own(qwen: Any, box: Sandbox):
    box.fault("429")
    box.fault("reset")
    with qk.trace(qwen) as wire:
        await done(qwen.chat("Hi"))
    assert [exchange.status for exchange in wire] == [429, None, 200]
    assert [exchange.attempt for exchange in wire] == [1, 2, 3]
    assert "limit_requests" in wire[0].response_body
    assert wire[1].error
    assert wire[2].error == ""


async def test_a_stream_that_breaks_keeps_what_had_come_and_why(qwen: Any, box: Sandbox):
    box.fault("cut:3")
    with qk.trace(qwen) as wire, pytest.raises(qk.StreamBroken):
        await done(qwen.chat.stream("Tell me a story.").finish())
    assert len(wire[0].events) == 3
    assert wire[0].error


async def test_a_last_event_without_its_blank_line_is_kept_too():
    def unfinished(line: Line) -> None:
        line.send(head(kind="text/event-stream", connection="close") + b"data: " + word("Hi", "stop"))
        line.hang_up()

    with Wayward(unfinished) as server, qk.Client(base_url=f"{server.url}/v1") as qwen, qk.trace(qwen) as wire:
        assert qwen.chat.stream("Hi").finish().text == "Hi"
    assert [event.data for event in wire[0].events] == [word("Hi", "stop").decode()]


async def test_a_stream_left_early_has_an_end_too(qwen: Any):
    with qk.trace(qwen) as wire:
        async with opened(qwen.chat.stream("Tell me a story.")) as stream:
            async for _ in pieces(stream):
                break
    assert wire[0].finished_after is not None
    assert wire[0].events


async def test_only_what_happens_inside_the_block_is_seen(qwen: Any, client: qk.Client):
    await done(qwen.chat("Hi"))
    with qk.trace(qwen) as outer:
        await done(qwen.chat("Hi"))
        with qk.trace(qwen) as inner:
            await done(qwen.chat("Hi"))
    await done(qwen.chat("Hi"))
    assert (len(outer), len(inner)) == (2, 1)
    assert client._core.observers == []


async def test_both_flavours_are_watched_by_one_trace(client: qk.Client):
    with qk.trace(client) as wire:
        client.chat("Hi")
        await client.aio.chat("Hi")
    assert [exchange.status for exchange in wire] == [200, 200]


async def test_a_temporary_key_is_masked_in_the_answer_that_brings_it(qwen: Any):
    with qk.trace(qwen) as wire:
        key = await done(qwen.temporary_key())
    assert key.token not in wire[0].response_body
    assert key.token not in str(wire._repr_mimebundle_())
    assert "expires_at" in wire[0].response_body


async def test_curl_is_the_same_request_with_the_key_left_to_the_environment(qwen: Any, box: Sandbox):
    with qk.trace(qwen) as wire:
        await done(qwen.chat("It's “quoted” $HOME\nand 中文", temperature=0.5))
    command = wire[0].curl()
    assert box.key not in command
    assert "$DASHSCOPE_API_KEY" in command
    words = shlex.split(command.replace("$DASHSCOPE_API_KEY", "KEY"))
    assert words[:3] == ["curl", "-X", "POST"]
    sent = words[words.index("-d") + 1]
    assert json.loads(sent) == box.requests[-1].json


def test_curl_says_what_is_missing_of_a_picture(client: qk.Client):
    with qk.trace(client) as wire:
        client.chat("What is it?", images=[Path(__file__).parents[2] / "data" / "plate.png"])
        client.chat("What is … 12 more?")
    assert wire[0].curl().startswith("# runs once the shortened data: URL")
    assert wire[1].curl().startswith("curl")


async def test_curl_runs(client: qk.Client, box: Sandbox):
    with qk.trace(client) as wire:
        client.chat("It's “quoted” $HOME\nand 中文")
    before = box.requests[-1]
    try:
        told = subprocess.run(
            ["bash", "-c", wire[0].curl() + " --silent --show-error --noproxy '*' --max-time 20"],
            env={"DASHSCOPE_API_KEY": box.key, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=True,
        )
    except FileNotFoundError:
        pytest.skip("no bash here")
    except subprocess.CalledProcessError as failed:
        if failed.returncode == 127:
            pytest.skip("no curl here")
        raise
    assert json.loads(told.stdout)["choices"]
    assert (box.requests[-1].json, box.requests[-1].auth) == (before.json, before.auth)


async def test_a_wire_says_itself_in_a_line(qwen: Any):
    with qk.trace(qwen) as wire:
        await done(qwen.chat("Hi"))
    assert repr(wire) == "Wire(1 exchange)"
    assert repr(wire[0]) == f"Exchange(POST {wire[0].url}, 200, events=0)"
