"""The faculties in the order they are tried. The order is the explanation of every answer:

direct orders about the prompt's own words come first, because "say: who are you?" asks for an echo; then questions
about the one who answers, what attached documents say, and the conversation; then riddles, which are refused, programs,
and what can be worked out exactly; then what the given text says, which goes before the small shelf of general
knowledge; then making things up. The first faculty with an answer speaks.
"""

from __future__ import annotations

from .arithmetic import arithmetic
from .coding import coding, unwritten
from .creative import creative
from .dates import dates
from .extract import documented, extract
from .fallback import fallback, riddle
from .identity import identity
from .knowledge import knowledge
from .recall import noted, recall
from .rewriting import rewriting
from .scene import Faculty
from .seeing import seen
from .units import units

PLAIN: tuple[Faculty, ...] = (
    seen,
    rewriting,
    identity,
    documented,
    recall,
    riddle,
    units,
    dates,
    coding,
    arithmetic,
    extract,
    knowledge,
    unwritten,
    noted,
    creative,
    fallback,
)
KNOWING = tuple(
    faculty for faculty in PLAIN if faculty is not fallback
)  # those that speak only when they have an answer
