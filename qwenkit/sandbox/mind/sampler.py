"""Drawing one token from a distribution, the way a language model's server does it.

`choose` gets candidates with logits and goes through the usual steps: penalties, temperature, top_k, top_p, one roll
of a seeded die. Two conventions are stated here because a learner can measure both:

* The reported log-probabilities are those of the model: log-softmax of the logits before penalties, temperature and
  truncation. At temperature 1 with top_p 1 and top_k off the frequencies of drawn tokens match them.
* A candidate less than `GUARD` times as likely as the best one is listed but never drawn, at any temperature. The
  mind lists such doubts beside words it is sure of; the guard is what keeps 391 from becoming 392 at temperature 1.9.

Presence and repetition penalties act on tokens already drawn in this answer. As logits here are log-probabilities,
the repetition penalty raises the probability of a repeated token to its power.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from .prompt import Sampling, Token

GUARD = 0.01
TOP = 5  # as many alternatives as the wire can ask for
_TOP_K_CEILING = 100

Scored = list[tuple[str, float]]


class Sampler:
    """A seeded die and the memory of what it drew; one per answer."""

    def __init__(self, sampling: Sampling, stream: str = "") -> None:
        self._sampling = sampling
        self._dice = random.Random(f"{sampling.seed}/{stream}")  # a text seeds the same way in every process
        self._drawn: set[str] = set()

    def choose(self, candidates: Sequence[tuple[str, float]]) -> Token:
        model = _log_softmax(candidates)
        roll = self._dice.random()  # one per position, so two settings stay comparable under one seed
        text = _draw(self._truncated(self._allowed(model)), roll)
        self._drawn.add(text)
        return Token(text, dict(model)[text], model[:TOP])

    def _allowed(self, model: Scored) -> Scored:
        floor = model[0][1] + math.log(GUARD)
        return [(text, self._penalised(text, logit)) for text, logit in model if logit >= floor]

    def _penalised(self, text: str, logit: float) -> float:
        if text not in self._drawn:
            return logit
        return logit * self._sampling.repetition_penalty - self._sampling.presence_penalty

    def _truncated(self, candidates: Scored) -> Scored:
        """What temperature, top_k and top_p leave, as probabilities, best first."""
        ranked = sorted(candidates, key=_rank)
        if self._sampling.temperature <= 0:
            return [(ranked[0][0], 1.0)]
        best = ranked[0][1]
        k = self._sampling.top_k or len(ranked)
        kept = ranked if k > _TOP_K_CEILING else ranked[:k]
        weights = [(text, math.exp((logit - best) / self._sampling.temperature)) for text, logit in kept]
        return _nucleus(weights, self._sampling.top_p)


def _rank(scored: tuple[str, float]) -> tuple[float, str]:
    return -scored[1], scored[0]


def _log_softmax(candidates: Sequence[tuple[str, float]]) -> Scored:
    ranked = sorted(candidates, key=_rank)
    best = ranked[0][1]
    total = best + math.log(sum(math.exp(logit - best) for _, logit in ranked))
    return [(text, min(0.0, logit - total)) for text, logit in ranked]


def _nucleus(weights: Scored, top_p: float) -> Scored:
    """The smallest set of best tokens whose probabilities reach `top_p`."""
    total = sum(weight for _, weight in weights)
    kept: Scored = []
    mass = 0.0
    for text, weight in weights:
        kept.append((text, weight))
        mass += weight / total
        if mass >= top_p:
            break
    return kept


def _draw(weights: Scored, roll: float) -> str:
    mark = roll * sum(weight for _, weight in weights)
    for text, weight in weights:
        mark -= weight
        if mark < 0:
            return text
    return weights[-1][0]
