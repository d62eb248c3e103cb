"""The text mind of the sandbox: what answers in place of a language model when there is no key and no network.

It is honest: asked who it is, it says it is the sandbox, and what it cannot do it says. It is deterministic: the
same prompt and seed give the same tokens in every process. And it really does what it shows: sums are worked out,
facts are looked up in the text it was given, tools are chosen and called, JSON is checked against its schema, and
every token is drawn from a distribution whose log-probabilities are reported. It never reads a file of the user's,
opens a connection or looks at a clock.

    reading, style, scene      what was asked, how to answer, and what surrounds it
    faculties                  the order in which the small experts are tried; each lives in a module of its own
    wording, weave, ngram      a draft in words, as a distribution over next tokens
    sampler                    drawing one of them
    answering, partial         from a prompt to an answer that ends where it must
"""

from __future__ import annotations

from .answering import answer
from .prompt import Answer, Call, Prompt, Sampling, Token

__all__ = ["Answer", "Call", "Prompt", "Sampling", "Token", "answer"]
