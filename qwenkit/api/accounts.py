"""Accounts: what calls use and cost, and the budget that may refuse one before it is sent.

Every call is opened before its request and booked once when it ends, however it ends. Costs are estimates in list
prices. With a budget a call's likely cost is reserved while it runs, so that fifty calls at once cannot all slip
through under the last yuan.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from qwenkit import catalogue
from qwenkit.catalogue.tariff import FINE
from qwenkit.errors import BudgetExceeded, BudgetWarning, ConfigError, NotFound, QwenError
from qwenkit.protocol import options as checked
from qwenkit.protocol.media import prompt_tokens
from qwenkit.types.ledger import Ledger
from qwenkit.types.reply import Receipt
from qwenkit.types.usage import Cost, Usage

_WARN_AT = 0.8
_GUESSED_ANSWER = 500  # tokens a call is assumed to produce before a model has answered once
_GUESSED_SECONDS = 5  # of a clip, or of a recording that is only an address
_SHORTER = "lower max_tokens"
_CHEAPER = {  # by family: what makes a call cost less, for those without max_tokens
    "speech": "speak a shorter text",
    "images": "ask for fewer pictures (n=1)",
    "videos": "ask for a shorter clip",
    "transcribe": "send a shorter recording",
    "embeddings": "embed fewer texts",
    "rerank": "rank fewer documents",
    "realtime": "ask for text only (speak=False)",
}


class Accounts:
    """The ledger of one client, its prices and its budget."""

    def __init__(self, *, region: str, budget: Any = None, sandbox: bool = False) -> None:
        self.region = region or "beijing"
        self.sandbox = sandbox
        self.ledger = Ledger(budget=_money(budget, self.region))
        self.clock = time.perf_counter
        self._reserved = 0.0
        self._warned = False
        self._told: set[str] = set()  # models of which it was said that they have no price
        self._lock = threading.Lock()

    def open(
        self, family: str, model: str, prompt: list[dict[str, Any]] | int, most: int | None = None, answers: int = 1
    ) -> OpenCall:
        """Begin a call; `BudgetExceeded` when it would pass the budget.

        `prompt` is what will be sent: messages, or a count of tokens. `most` is the longest answer, 0 for none at all.
        """
        estimate = 0.0
        if self.ledger.budget is not None:
            estimate = self._estimate(model, prompt, most, answers)
            self._reserve(self.ledger.budget, estimate, model, _CHEAPER.get(family, _SHORTER))
        return OpenCall(self, family, model, estimate)

    def release(self, estimate: float) -> None:
        with self._lock:
            self._reserved -= estimate

    def check(self, model: str, prompt: int, most: int | None, times: int) -> None:
        """`BudgetExceeded` when so many prompts of that length in one batch would pass the budget."""
        if self.ledger.budget is not None:
            estimate = times * self._estimate(model, prompt, most, 1, batch=True)
            self._reserve(self.ledger.budget, estimate, model)
            self.release(estimate)  # what it really costs is known, and booked, with the results

    def cost(self, model: str, usage: Usage, *, batch: bool = False) -> Cost | None:
        """The estimated cost of a usage; None for a model without a known price."""
        if usage.shares:
            costs = [self.cost(name, share) for name, share in usage.shares.items()]
            known = [each for each in costs if each is not None]
            whole = sum(each.amount for each in known)
            return Cost(whole, known[0].currency, known[0].dated) if len(known) == len(costs) else None
        price = catalogue.price(
            model,
            prompt=usage.prompt,
            completion=usage.completion,
            cached=usage.cached,
            cache_created=usage.cache_created,
            thinking=usage.reasoning > 0,
            region=self.region,
            image=usage.image,
            audio=usage.audio_in,
            audio_out=usage.audio_out,
            explicit=usage.marked,
            batch=batch,
        )
        units = {"second": usage.seconds or 0.0, "image": usage.images, "10,000 characters": usage.characters / 10_000}
        price = price or catalogue.flat(model, {**units, "lines": usage.lines}, self.region)
        if price is None:
            return None
        amount, currency, dated = price
        return Cost(amount + catalogue.convert(*catalogue.fees(usage.tools, self.region), currency), currency, dated)

    def thinking_cost(self, model: str, usage: Usage) -> Cost | None:
        """The part of the cost that the reasoning tokens took, at the prices of that call."""
        whole = self.cost(model, usage)
        rest = self.cost(model, replace(usage, completion_tokens=usage.completion - usage.reasoning))
        return Cost(whole.amount - rest.amount, whole.currency, whole.dated) if whole and rest else None

    def _estimate(
        self, model: str, prompt: list[dict[str, Any]] | int, most: int | None, answers: int, *, batch: bool = False
    ) -> float:
        """A call's likely cost: its prompt counted, its answers at `max_tokens` or as long as this model's so far."""
        answer = most if most is not None else self.ledger.usual_answer(model) or _GUESSED_ANSWER
        tokens = prompt if isinstance(prompt, int) else prompt_tokens(prompt, model)
        likely = Usage(prompt_tokens=tokens, completion_tokens=answer * answers)
        seconds = tokens or _GUESSED_SECONDS * answers
        pieces: dict[str, Any] = {"images": answers, "characters": tokens, "seconds": seconds, "lines": FINE}
        cost = self.cost(model, replace(likely, **pieces), batch=batch)  # whichever it is priced by
        if catalogue.price_table(model, self.region) is None:
            self._unpriced(model)
        budget = self.ledger.budget
        return catalogue.convert(cost.amount, cost.currency, budget.currency) if cost and budget else 0.0

    def _unpriced(self, model: str) -> None:
        """Say once of a model that the budget cannot hold it."""
        with self._lock:
            known = model in self._told
            self._told.add(model)
        if not known:
            told = f"{model} has no list price here: the budget does not count it"
            warnings.warn(told, BudgetWarning, _users_line())

    def _reserve(self, budget: Cost, estimate: float, model: str, cheaper: str = _SHORTER) -> None:
        with self._lock:
            booked = self.ledger.cost.items()
            spent = self._reserved + sum(catalogue.convert(each, kind, budget.currency) for kind, each in booked)
            if spent + estimate > budget.amount:
                raise BudgetExceeded(
                    f"this call to {model} would cost about {Cost(estimate, budget.currency)} and "
                    f"{Cost(spent, budget.currency)} of {budget} is spent; nothing was sent",
                    hint=f"raise budget=…, use a cheaper model, or {cheaper}",
                )
            self._reserved += estimate
            near = spent + estimate >= _WARN_AT * budget.amount and not self._warned
            self._warned = self._warned or near
        if near:
            try:
                warnings.warn(f"{_WARN_AT:.0%} of the budget of {budget} is spent", BudgetWarning, _users_line())
            except BudgetWarning:  # made an error by the user's own filter: this call is not sent either
                self.release(estimate)
                raise


class OpenCall:
    """One call in the making: started, perhaps given its first token, then booked in the ledger once."""

    __slots__ = ("_accounts", "_booked", "_estimate", "_family", "_first", "_started", "explain", "model", "waiting")

    def __init__(self, accounts: Accounts, family: str, model: str, estimate: float) -> None:
        self._accounts = accounts
        self._family = family
        self.model = model
        self._estimate = estimate
        self._started = accounts.clock()
        self._first: float | None = None
        self._booked = False
        self.waiting = True  # for the first token
        self.explain: Callable[[BaseException], None] | None = None  # gives errors of this family a better cure

    def first(self, piece: Any) -> None:
        """A piece has come; the first with something to read is the first token."""
        if self.waiting and (piece.text or piece.thinking or piece.tool):
            self._first = self._accounts.clock() - self._started
            self.waiting = False

    def finished(self, usage: Usage | None, *, model: str, request_id: str, tries: int, streamed: bool) -> Receipt:
        """Write the call into the ledger and say what it cost."""
        latency = self._accounts.clock() - self._started
        if self._family == "apps":
            self.model = model or self.model  # an application tells only now what ran inside
        cost = self._accounts.cost(self.model, usage) if usage else None
        thinking_cost = self._accounts.thinking_cost(self.model, usage) if usage and usage.reasoning else None
        self._book(usage or Usage(), cost, latency, request_id, ok=True)
        return Receipt(
            model=model or self.model,
            request_id=request_id,
            latency=latency,
            first_token=self._first,
            tries=tries,
            cost=cost,
            thinking_cost=thinking_cost,
            streamed=streamed,
            sandbox=self._accounts.sandbox,
        )

    def failed(self, error: BaseException | None, usage: Usage | None = None) -> None:
        """Write a failed or abandoned call into the ledger, with what was billed before it ended."""
        _suggest(error, self.model)
        if self.explain is not None and error is not None:
            self.explain(error)
        request_id = error.request_id if isinstance(error, QwenError) else ""
        cost = self._accounts.cost(self.model, usage) if usage else None
        self._book(usage or Usage(), cost, self._accounts.clock() - self._started, request_id, ok=False)

    def _book(self, usage: Usage, cost: Cost | None, latency: float, request_id: str, *, ok: bool) -> None:
        if self._booked:
            return
        self._booked = True
        self._accounts.ledger.add(
            family=self._family,
            model=self.model,
            prompt=usage.prompt,
            completion=usage.completion,
            reasoning=usage.reasoning,
            cached=usage.cached,
            audio=usage.audio,
            audio_out=usage.audio_out,
            image=usage.image,
            tools=usage.tools,
            seconds=usage.seconds or 0.0,
            images=usage.images,
            characters=usage.characters,
            parts=usage.parts,
            cost=cost,
            latency=latency,
            first_token=self._first,
            request_id=request_id,
            ok=ok,
        )
        if self._estimate:  # only now: between the two the call must count at least once
            self._accounts.release(self._estimate)


_users_line = checked.users_line


_NOUNS = {  # by the endpoint a model is called at
    "chat": "qwen.chat(…)",
    "embeddings": "qwen.embeddings(…)",
    "embedding-task": "qwen.tasks.submit(…)",
    "multimodal-embedding": "qwen.embeddings.multimodal([…])",
    "rerank": "qwen.rerank(…)",
    "rerank-native": "qwen.rerank(…)",
    "speech": "qwen.speech(…)",
    "inference": "qwen.speech(…)",
    "customization": "qwen.voices",
    "image": "qwen.images(…)",
    "image-task": "qwen.images(…)",
    "video-task": "qwen.videos(…)",
    "recognition": "qwen.transcribe(…)",
    "transcription": "qwen.transcribe(…)",
    "realtime": "qwen.realtime.connect(…)",
}
_LIVE = {  # the other families of the realtime socket
    "tts-realtime": "qwen.speech.live(…)",
    "asr-realtime": "qwen.transcribe.live(…)",
    "livetranslate": "qwen.translate.live(…)",
}


_HEARS = ("inference", "T")  # over a socket, where speech is made at the same endpoint


def _suggest(error: BaseException | None, model: str) -> None:
    """A model nobody knows gets the names that are close; a known one in the wrong place, the place where it is."""
    if not isinstance(error, NotFound) or "model" not in f"{error.code} {error.message}".lower():
        return
    facts = catalogue.model(model)
    if facts is None:
        near = ", ".join(catalogue.suggest(model))
        error.hint = f"did you mean {near}? {error.hint}" if near else error.hint
    elif "not_supported" in error.code and facts.endpoint in _NOUNS and (facts.endpoint, facts.outputs) != _HEARS:
        live = _LIVE.get(facts.family) if facts.endpoint == "realtime" else None
        error.hint = f"{model} is called with {live or _NOUNS[facts.endpoint]}"


def _money(budget: Any, region: str) -> Cost | None:
    """A budget as a `Cost`; a bare number is in the region's currency."""
    if budget is None or isinstance(budget, Cost):
        return budget
    text = str(budget).strip()
    signs = {"¥": "CNY", "$": "USD", "￥": "CNY"}
    currency = signs.get(text[:1])
    if currency is None:
        place = catalogue.region(region or "beijing")
        currency = place.currency if place else "CNY"
    try:
        amount = float(text.lstrip("¥$￥"))
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise ConfigError(f"budget {budget!r} is not an amount", hint='write budget=5 or budget="¥5"')
    return Cost(amount, currency)
