"""Text as a weighted set of threads: how a grammar becomes an honest distribution over the next token.

An answer is drafted as *parts*: plain text, and things that unfold into weighted alternatives (a choice, a grammar
rule, a chain of words). Every way of reading the draft is a thread. To say the next token, all threads are unfolded
just far enough to show their first token; the weights of threads that agree on it are added up, and that sum is the
token's probability. When one is drawn, the threads that began with it go on and the others are dropped. No
probability is ever made up at the level of whole sentences: what a learner reads in logprobs is exactly what the
draft allows.

Where all threads agree the mind is sure. It then lists a few doubts from its n-gram model, too unlikely to be drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias, Union

from qwenkit.catalogue.tokens import split

from . import ngram
from .prompt import Sampling, Token
from .sampler import Sampler

_CHAIN = 40  # tokens in the longest chain of words
_PATIENCE = 5000  # steps spent on finding a prefix among the threads
END = "<|im_end|>"  # Qwen's own end mark; drawn like any token, never part of the text


class Unfolding(Protocol):
    """Anything that knows its weighted alternatives, given what has been said so far."""

    def unfold(self, said: str) -> Iterable[tuple[float, Parts]]: ...


Part: TypeAlias = Union[str, "Unfolding"]
Parts: TypeAlias = tuple[Part, ...]


@dataclass(frozen=True)
class Pick:
    """One of several weighted alternatives."""

    options: tuple[tuple[float, Parts], ...]

    def unfold(self, said: str) -> Iterable[tuple[float, Parts]]:
        return self.options


@dataclass(frozen=True)
class Several:
    """`count` different alternatives, each drawn from those that are left; `gap(n)` is said before item n."""

    options: tuple[tuple[float, Parts], ...]
    count: int
    gap: Callable[[int], str]
    done: int = 0

    def unfold(self, said: str) -> Iterable[tuple[float, Parts]]:
        if self.done >= self.count or not self.options:
            return ((1.0, ()),)
        return [(weight, self._with(at, parts)) for at, (weight, parts) in enumerate(self.options)]

    def _with(self, at: int, parts: Parts) -> Parts:
        left = self.options[:at] + self.options[at + 1 :]
        return (*led(self.gap(self.done), parts), Several(left, self.count, self.gap, self.done + 1))


@dataclass(frozen=True)
class Chain:
    """Words that follow one another as they do in the corpus, up to the end of a sentence.

    `before` is text that the chain goes on from but that the answer does not repeat.
    """

    language: str
    before: str = ""
    left: int = _CHAIN

    def unfold(self, said: str) -> Iterable[tuple[float, Parts]]:
        if self.left == 0 or (self.left < _CHAIN and said.endswith(ngram.SENTENCE_ENDS)):
            return ((1.0, ()),)
        rest = Chain(self.language, self.before, self.left - 1)
        context = self.before + said
        spaced = context.endswith(" ")
        following = ngram.following(self.language, context.rstrip(" "))
        return [(weight, (token.lstrip(" ") if spaced else token, rest)) for token, weight in following]


@dataclass(frozen=True)
class _Led:
    """A part whose first words are preceded by `lead`: a space belongs to the token after it."""

    lead: str
    part: Unfolding

    def unfold(self, said: str) -> Iterable[tuple[float, Parts]]:
        return [(weight, led(self.lead, parts)) for weight, parts in self.part.unfold(said)]


def led(lead: str, parts: Parts) -> Parts:
    if not lead or not parts or parts[0] == "":
        return parts
    head = parts[0]
    return (lead + head if isinstance(head, str) else _Led(lead, head), *parts[1:])


class _Words(NamedTuple):
    """A text already cut into tokens, and how many of them have been said."""

    pieces: list[str]
    at: int


_Stack: TypeAlias = tuple["Part | _Words", "_Stack"] | None
_Thread: TypeAlias = tuple[float, _Stack]


class Weave:
    """The threads of one draft. `candidates` looks at the next token, `take` says it."""

    def __init__(self, parts: Parts, language: str = "en", accent: Callable[[str], str] | None = None) -> None:
        self.said = ""
        self._accent = accent or str
        self._language = language
        self._threads: list[_Thread] = [(1.0, _stacked(parts, None))]
        self._ahead: dict[str, list[_Thread]] = {}

    def candidates(self) -> list[tuple[str, float]]:
        """Every possible next token with its log-probability."""
        self._ahead = self._unfolded(self._threads, self.said)
        weights = {token: sum(weight for weight, _ in threads) for token, threads in self._ahead.items()}
        if len(weights) == 1:
            (sure,) = weights
            weights |= ngram.doubts(self._language, self.said, sure, weights[sure])
        total = sum(weights.values())
        return [(token, math.log(weight / total)) for token, weight in weights.items()]

    def take(self, token: str) -> None:
        threads = self._ahead[token]
        total = sum(weight for weight, _ in threads)
        self._threads = [(weight / total, rest) for weight, rest in threads]
        self.said += token

    def follow(self, prefix: str) -> bool:
        """Go along `prefix` as if it had been said, letter case aside; False if no thread allows it."""
        todo = [(thread, prefix) for thread in self._threads]
        arrived: list[_Thread] = []
        steps = 0
        while todo and steps < _PATIENCE:
            thread, left = todo.pop()
            steps += 1
            if not left:
                arrived.append(thread)
                continue
            ahead = self._unfolded([thread], self.said + prefix[: len(prefix) - len(left)])
            todo += [found for token, threads in ahead.items() for found in _along(left, token, threads)]
        if arrived:
            self._threads = arrived
            self.said += prefix
        return bool(arrived)

    def _unfolded(self, threads: list[_Thread], said: str) -> dict[str, list[_Thread]]:
        """The first token of every thread, with the threads that go on after it."""
        ahead: dict[str, list[_Thread]] = {}
        todo = list(threads)
        while todo:
            weight, stack = todo.pop()
            if stack is None:
                ahead.setdefault(END, []).append((weight, None))
                continue
            head, below = stack
            if isinstance(head, str):
                head = _Words(split(self._accent(head)), 0)
            if not isinstance(head, _Words):
                todo += _alternatives(head, weight, below, said)
            elif head.at == len(head.pieces):
                todo.append((weight, below))
            else:
                after = _Words(head.pieces, head.at + 1)
                ahead.setdefault(head.pieces[head.at], []).append((weight, (after, below)))
        return ahead


def speak(weave: Weave, sampler: Sampler, limit: int) -> Iterator[Token]:
    """Say the draft token by token, until its end or `limit` tokens."""
    for _ in range(limit):
        token = sampler.choose(weave.candidates())
        if token.text == END:
            return
        weave.take(token.text)
        yield token


def plain(parts: Parts, limit: int = 400) -> str:
    """The likeliest reading of a draft, for use inside another answer."""
    greedy = Sampler(Sampling(temperature=0))
    return "".join(token.text for token in speak(Weave(parts), greedy, limit))


def _stacked(parts: Parts, below: _Stack) -> _Stack:
    for part in reversed(parts):
        below = (part, below)
    return below


def _alternatives(head: Unfolding, weight: float, below: _Stack, said: str) -> list[_Thread]:
    options = list(head.unfold(said))
    total = sum(share for share, _ in options)
    return [(weight * share / total, _stacked(parts, below)) for share, parts in options]


def _along(prefix: str, token: str, threads: list[_Thread]) -> Iterator[tuple[_Thread, str]]:
    """The threads whose token goes on with `prefix`, each with what is left of it."""
    shared = min(len(prefix), len(token))
    if token == END or prefix[:shared].casefold() != token[:shared].casefold():
        return
    for weight, rest in threads:
        surplus = token[shared:]
        yield (weight, (_Words([surplus], 0), rest) if surplus else rest), prefix[shared:]
