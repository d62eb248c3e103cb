"""The Responses API: answers the service remembers, and tools it runs itself.

    reply = qwen.responses("Name a colour.")
    qwen.responses("Why that one?", previous=reply)           the service has the history
    qwen.responses("Which ferry?", tools=["web_search"])      it searches; what it found is in reply.output
    qwen.responses.stream("…")                                event by event
    qwen.responses.get(id), .delete(id), .input_items(id)     what it keeps, for seven days
    qwen.responses.conversations                              histories with a name of their own
    qwen.responses.tree                                       which turn went on from which, this session

Wiring only: bodies are made and answers read in `qwenkit.protocol.responses`, the sending is the driver's.
"""

from __future__ import annotations

import warnings
from functools import cached_property, partial
from typing import Any, Unpack
from weakref import WeakKeyDictionary

from qwenkit import catalogue
from qwenkit.api.accounts import OpenCall, _users_line
from qwenkit.api.billed import billed
from qwenkit.api.conversations import AsyncConversations, Conversations
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call, stream
from qwenkit.api.kept import family, fetch, forget, pages, place
from qwenkit.api.sending import addressed
from qwenkit.api.stream import Plan
from qwenkit.errors import QwenError, RoundsWarning
from qwenkit.protocol import media
from qwenkit.protocol import responses as protocol
from qwenkit.protocol.flow import Flow, Run
from qwenkit.protocol.functions import several
from qwenkit.protocol.response_stream import ResponseFold
from qwenkit.protocol.toolbox import Toolbox
from qwenkit.types.response import ConversationObject, Items, Response, ResponseEvent, dicts
from qwenkit.types.response_options import ResponseOptions
from qwenkit.types.response_tree import ResponseTree
from qwenkit.types.tools import Round

MOST_ROUNDS = 8
_PATH = "/responses"
_CACHE = {"x-dashscope-session-cache": "enable"}
_TREES: WeakKeyDictionary[Core, ResponseTree] = WeakKeyDictionary()  # one of a client, whatever its flavour


class Order:
    """A turn before it is sent: its body, its request, and what it goes on from."""

    def __init__(self, core: Core, prompt: Any, options: Any, *, previous: Any, model: str, **how: Any) -> None:
        self.core = core
        chosen = core.model != catalogue.DEFAULTS["chat"]  # one given to the client holds here too
        usual = core.model if chosen else catalogue.DEFAULTS["responses"]
        self.body = protocol.body(prompt, options, model=model, usual=usual, previous=previous, **how)
        self.history = previous.usage.total if isinstance(previous, Response) and previous.usage else 0
        self.words = protocol.words(self.body["input"])
        stream, timeout = bool(how.get("stream")), options.get("timeout")
        self.name = core.request("POST", family(core), _PATH).name
        make = partial(core.request, "POST", family(core), _PATH, stream=stream, timeout=timeout)
        self.request = addressed(core, self.body, make, **(_CACHE if options.get("session_cache") else {}))

    def open(self) -> OpenCall:
        """Account for it: the history is read again, the answer is as long as the body allows or as usual."""
        most, accounts = self.body.get("max_output_tokens"), self.core.accounts
        prompt: Any = self.words
        if accounts.ledger.budget is not None:
            seen = media.prompt_tokens(dicts(self.body["input"]), self.body["model"], False)
            prompt = self.history + catalogue.tokens.count_messages(self.words) + seen
        return accounts.open("responses", str(self.body["model"]), prompt, most if isinstance(most, int) else None)

    def answer(self) -> Flow[Response]:
        """The answer, booked and remembered."""
        reply = yield from billed(self.core, self.request, self.open(), protocol.read)
        self.remember(reply)
        return reply

    def remember(self, reply: Response) -> None:
        """The answer says what it went on from even where the service does not, and joins the tree of the session."""
        reply.previous = reply.previous or str(self.body.get("previous_response_id") or "")
        reply.conversation = reply.conversation or str(self.body.get("conversation") or "")
        tree(self.core).add(protocol.asked(self.body["input"]), reply)


class ResponseCalls:
    """The calls of the responses noun, written once for both flavours."""

    _core: Core

    @call
    def __call__(
        self,
        prompt: Any,
        *,
        previous: Response | str | None = None,
        conversation: ConversationObject | str | None = None,
        system: str = "",
        model: str = "",
        run_tools: bool = False,
        **options: Unpack[ResponseOptions],
    ) -> Flow[Response]:
        """Ask once and get the whole answer; it is stored for seven days unless `store=False`.

        `prompt` is a string, one item, or a list of items (dicts as on the wire, messages, earlier replies). `previous`
        is the reply to go on from, `conversation` one of `qwen.responses.conversations`. `tools` takes functions, names
        of built-in tools ("web_search", "web_extractor", "code_interpreter", …) and dicts. With `run_tools=True` your
        functions are called and their results sent back until it answers in words (`reply.rounds` tells).

        Friendly options: `system` is sent as instructions, for this turn only; `thinking` is True, False or an effort
        word; `session_cache=True` keeps the history in the service's cache; `extra` adds wire fields, `timeout` is in
        seconds. `images`, `video` and `audio` are as in `qwen.chat`: when no model is named and the usual one has no
        eyes or ears for them, one is asked that has them in this API; `reply.model` says which.
        """
        how: dict[str, Any] = {"conversation": conversation, "system": system, "model": model}
        order = Order(self._core, prompt, options, previous=previous, **how)
        reply = yield from order.answer()
        if run_tools:
            reply = yield from _worked(order, reply, options, previous, how)
        return reply

    @stream
    def stream(
        self,
        prompt: Any,
        *,
        previous: Response | str | None = None,
        conversation: ConversationObject | str | None = None,
        system: str = "",
        model: str = "",
        **options: Unpack[ResponseOptions],
    ) -> Plan[ResponseEvent, Response]:
        """Ask, and iterate the events. Nothing is sent until it is entered or iterated; options as in a call.

        An event has its `type`, what it adds (`text`, `thinking`, `tool`, `item`) and all of it in `raw`.
        """
        how: dict[str, Any] = {"conversation": conversation, "system": system, "model": model}
        order = Order(self._core, prompt, options, previous=previous, stream=True, **how)
        return Plan.of(order.request, ResponseFold(request=order.name), order.open, order.words, order.remember)

    @call
    def get(self, response: Response | str) -> Flow[Response]:
        """A stored response by its id, whole. Reading it costs nothing."""
        wire = yield from fetch(self._core, "GET", place(_PATH, response, Response), "a response")
        return protocol.response(wire)

    @call
    def delete(self, response: Response | str) -> Flow[bool]:
        """Forget a stored response: it can no longer be read or gone on from."""
        return (yield from forget(self._core, place(_PATH, response, Response)))

    @call
    def input_items(self, response: Response | str, *, limit: int | None = None, order: str = "asc") -> Flow[Items]:
        """What a stored response was answered from, oldest first: all of it, or the first `limit` items."""
        return (yield from pages(self._core, place(_PATH, response, Response) + "/input_items", limit, order))

    @property
    def tree(self) -> ResponseTree:
        """Every response of this session under the one it goes on from; forks are branches."""
        return tree(self._core)


def tree(core: Core) -> ResponseTree:
    return _TREES.setdefault(core, ResponseTree())


def _worked(order: Order, reply: Response, options: Any, previous: Any, how: dict[str, Any]) -> Flow[Response]:
    """The answer in words: the functions it asks for run and their results are sent back, round after round."""
    box = Toolbox([tool for tool in several(options.get("tools")) if not isinstance(tool, str)])
    kept = how["conversation"] is not None or options.get("store") is not False  # the service has the history
    said, rounds = order.body["input"], list[Round]()
    try:
        while (names := [call.name for call in reply.tool_calls]) and box.runs(names):
            if len(rounds) >= MOST_ROUNDS:
                told = f"the model still asks for {', '.join(names)} after {MOST_ROUNDS} rounds of tools; stopped"
                warnings.warn(f"{told} → send their results with previous=reply to go on", RoundsWarning, _users_line())
                break
            runs = yield Run([box.job(call.name, call.arguments, call.id) for call in reply.tool_calls])
            rounds.append(Round(text=reply.text, thinking=reply.thinking, runs=runs))
            found = [reply.result(run.id, run.result) for run in runs]
            said = found if kept else [*protocol.items(said), *protocol.items(reply), *found]
            previous = reply if kept and how["conversation"] is None else previous
            if options.get("tool_choice") not in (None, "auto", "none"):  # forced once, or it would never end
                options = {**options, "tool_choice": "auto"}
            reply = yield from Order(order.core, said, options, previous=previous, **how).answer()
    except QwenError as error:
        error.reply = error.reply or reply
        error.reply.rounds = rounds  # what the functions have done is not lost
        raise
    reply.rounds = rounds
    return reply


class Responses(ResponseCalls, SyncNoun):
    """`qwen.responses(...)`, `qwen.responses.stream(...)`, and what the service keeps of them."""

    @cached_property
    def conversations(self) -> Conversations:
        return Conversations(self._core)


class AsyncResponses(ResponseCalls, AsyncNoun):
    """`await aqwen.responses(...)` and `async with aqwen.responses.stream(...)`."""

    @cached_property
    def conversations(self) -> AsyncConversations:
        return AsyncConversations(self._core)
