"""What a running cell leaves on screen, worked out from its messages alone.

A front-end keeps an output area per cell: `update_display_data` redraws an output already shown, `clear_output` empties
the area, and an `Output` widget takes what is printed inside it for itself. `Screen` is that area as a value: messages
in, the final outputs out; no kernel, no sockets. `without_volatile` is the second half of a fair comparison: it drops
the figures a display marked as different on every run. The nbval plugin and `freshen` are built from these two.
"""

from __future__ import annotations

import re
from typing import Any

Message = dict[str, Any]

VOLATILE = "qk-volatile"
"""The class name a display gives to elements whose content differs from run to run (latency, dates)."""

_TAG = re.compile(r"""<(/?)([a-zA-Z][\w:-]*)((?:[^"'>]|"[^"]*"|'[^']*')*)>""")
_MARKED = re.compile(rf"""\bclass\s*=\s*(["'])(?:(?!\1).)*(?<![\w-]){VOLATILE}(?![\w-])""", re.DOTALL)
_VOID = {"br", "hr", "img", "input", "source", "wbr"}
_LEFT_OUT = "[volatile]"


class Screen:
    """The output area of one running cell."""

    def __init__(self) -> None:
        self.shown: list[Message] = []
        self._clear_before_next = False
        self._captors: set[str] = set()

    def feed(self, message: Message) -> bool:
        """Take one message in; False means it was not about output and is the caller's."""
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_msg":
            self._note_captor(content)
            return False
        if kind not in ("display_data", "execute_result", "stream", "update_display_data", "clear_output"):
            return False
        if self._captors:
            return True  # an Output widget keeps it, as every front-end does
        if kind == "clear_output":
            self._clear(wait=bool(content.get("wait")))
        elif kind == "update_display_data":
            self._update(content)
        else:
            self._show(message)
        return True

    def _show(self, message: Message) -> None:
        if self._clear_before_next:
            self._clear(wait=False)
        self.shown.append(message)

    def _update(self, content: Message) -> None:
        wanted = _display_id(content)
        for index, message in enumerate(self.shown):
            if wanted and _display_id(message["content"]) == wanted:
                redrawn = {**message["content"], "data": content["data"], "metadata": content["metadata"]}
                self.shown[index] = {**message, "content": redrawn}

    def _clear(self, *, wait: bool) -> None:
        self._clear_before_next = wait
        if not wait:
            self.shown.clear()

    def _note_captor(self, content: Message) -> None:
        """An `Output` widget starts and stops capturing by syncing its `msg_id` trait."""
        state = content.get("data", {}).get("state", {})
        if "msg_id" in state:
            change = self._captors.add if state["msg_id"] else self._captors.discard
            change(content["comm_id"])


def _display_id(content: Message) -> str | None:
    found: str | None = (content.get("transient") or {}).get("display_id")
    return found


def without_volatile(markup: str) -> str:
    """The markup with every element of class `qk-volatile` replaced by a fixed mark."""
    if VOLATILE not in markup:
        return markup
    kept: list[str] = []
    resume, name, depth = 0, "", 0
    for tag in _TAG.finditer(markup):
        closing, tag_name, attributes = tag.groups()
        childless = attributes.endswith("/") or tag_name.lower() in _VOID
        if depth and tag_name == name and not childless:
            depth += -1 if closing else 1
        elif not depth and not closing and _MARKED.search(attributes):
            kept += [markup[resume : tag.start()], _LEFT_OUT]
            name, depth = tag_name, 0 if childless else 1
        else:
            continue
        resume = tag.end()
    if not depth:
        kept.append(markup[resume:])
    return "".join(kept)
