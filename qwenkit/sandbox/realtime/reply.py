"""A response as it is told: the events around its items, their words and their sound. Every family answers in it."""

from __future__ import annotations

import base64
from typing import Any

from qwenkit.sandbox.realtime.items import wire
from qwenkit.sandbox.realtime.line import Line

Json = dict[str, Any]


def bill(inputs: dict[str, int], outputs: dict[str, int], **more: int) -> Json:
    """Tokens by what they were for, and `more` of the input; what there is none of is left out, save words."""
    details = {"input_tokens_details": {**inputs, **more}, "output_tokens_details": outputs}
    return {
        "total_tokens": sum((*inputs.values(), *outputs.values())),
        "input_tokens": sum(inputs.values()),
        "output_tokens": sum(outputs.values()),
        **{
            side: {name: count for name, count in counts.items() if count or name == "text_tokens"}
            for side, counts in details.items()
        },
    }


class Reply:
    """One response, one item after the other. `about` is what its object tells: voice, modalities, format."""

    def __init__(self, line: Line, **about: Any) -> None:
        self.line, self.output, self.sort = line, list[Json](), ""
        self.about = {"id": line.id("resp"), "object": "realtime.response", "conversation_id": "", **about}
        self.place: Json = {}  # what every event about the item repeats

    async def begin(self) -> None:
        await self.send("response.created", response=self._told("in_progress"))

    async def message(self, sort: str, created: Json | None = None) -> Json:
        """Begin a message of "text" or "audio"."""
        item = wire(self.line.id("item"), "message", "in_progress", role="assistant", content=[])
        await self.open(item, created)
        self.sort, self.place["content_index"] = sort, 0
        await self.about_it("response.content_part.added", part={"type": sort, "text": ""})
        return item

    async def open(self, item: Json, created: Json | None = None) -> None:
        """Begin an item; `created` is what is told when it enters the conversation, None where it does not."""
        place = {"response_id": self.about["id"], "output_index": len(self.output)}
        await self.send("response.output_item.added", **place, item=item)
        if created is not None:
            await self.send("conversation.item.created", **created, item=item)
        self.sort, self.place = "", {**place, "item_id": item["id"]}

    async def words(self, kind: str, text: str, stash: str = "") -> None:
        """What it says: a "delta", a snapshot ("text", and what of it may still change), or all of it ("done")."""
        spoken = self.sort == "audio"
        if kind == "text":
            told = {"text": text, "stash": stash} if spoken else {"text": text + stash}
        else:
            told = {"delta" if kind == "delta" else "transcript" if spoken else "text": text}
        await self.about_it(f"response.{'audio_transcript' if spoken else 'text'}.{kind}", **told)

    async def sound(self, content: bytes) -> None:
        if content:
            await self.about_it("response.audio.delta", delta=base64.b64encode(content).decode())

    async def end_message(self, item: Json, text: str, *, whole: bool = True) -> None:
        """From the last sound on; `whole` unless it was cancelled."""
        if self.sort == "audio":
            await self.about_it("response.audio.done")
        part = {"type": self.sort, "text": text}
        item |= {"status": "completed" if whole else "incomplete"}
        item |= {"content": [part | ({"transcript": text} if self.sort == "audio" else {})]}
        await self.about_it("response.content_part.done", part=part)
        await self.end_item(item)

    async def end_item(self, item: Json) -> None:
        self.output.append(item)
        place = {name: self.place[name] for name in ("response_id", "output_index")}
        await self.send("response.output_item.done", **place, item=item)

    async def end(self, status: str, **more: Any) -> None:
        await self.send("response.done", response=self._told(status, **more))

    async def failed(self, message: str, code: str, param: str = "") -> Json:
        """Tell an error in place of a message; the details of the end."""
        await self.line.refuse(message, code, param)
        return {"type": "failed", "error": {"code": code, "message": message}}

    async def about_it(self, type: str, **fields: Any) -> None:
        """An event about the item."""
        await self.send(type, **self.place, **fields)

    async def send(self, type: str, **fields: Any) -> None:
        await self.line.send(type, **fields)

    def _told(self, status: str, **more: Any) -> Json:
        return {**self.about, "status": status, "output": self.output, **more}
