"""The turns of a session as a tree: a chain runs straight down, a fork opens a branch for each way it went on."""

from __future__ import annotations

from qwenkit.display.page import Bundle, escape, head, note, page
from qwenkit.display.text import line
from qwenkit.types.response_tree import ResponseTree, Turn

MAX_TURNS = 60
# Branches within branches beyond this are drawn at the same depth: nobody could tell them apart.
MAX_DEPTH = 12
ASKED = 60
SAID = 60
# Before a turn that goes on from the one above it.
ON = "↳ "


After = dict[int, list[Turn]]  # the turns that go on from a turn, by its number


def tree(value: ResponseTree) -> Bundle:
    if not len(value):
        empty = "No responses yet."
        return {"text/plain": empty, "text/html": page("tree", note(empty))}
    after: After = {}
    for turn in value.turns[:MAX_TURNS]:
        after.setdefault(max(turn.after, 0), []).append(turn)
    count = f"{len(value):,} turn" + ("s" if len(value) > 1 else "")
    rest = f"… {len(value) - MAX_TURNS:,} later turns" if len(value) > MAX_TURNS else ""
    html = "".join(_html(after, turn, 0) for turn in after[0])
    lines = [each for turn in after[0] for each in _lines(after, turn, "", "", 0)]
    return {
        "text/plain": "\n".join([count, *lines, *([rest] if rest else [])]),
        "text/html": page("tree", head(count), html, note(rest)),
    }


def _chain(after: After, turn: Turn) -> tuple[list[Turn], list[Turn]]:
    """A turn and those after it, as long as there is one way on; then the ways that fork off its end."""
    chain = [turn]
    while len(forks := after.get(chain[-1].number, [])) == 1:
        chain += forks
    return chain, forks


def _html(after: After, turn: Turn, depth: int) -> str:
    """A list of the chain; what forks off its end is lists within the last entry."""
    chain, forks = _chain(after, turn)
    below = "".join(_html(after, each, depth + 1) for each in forks)
    inner, outer = (below, "") if depth < MAX_DEPTH else ("", below)
    rows = [f"<li>{ON if at else ''}{_marked(each)}" for at, each in enumerate(chain)]
    return f'<ul class="qk-tree">{"</li>".join(rows)}{inner}</li></ul>{outer}'


def _lines(after: After, turn: Turn, first: str, rest: str, depth: int) -> list[str]:
    """The same as text, with `first` before the first line and `rest` before the others."""
    chain, forks = _chain(after, turn)
    found = [(rest + ON if at else first) + " ".join((str(each.number), *_told(each))) for at, each in enumerate(chain)]
    for at, each in enumerate(forks, 1):
        here, below = ("└─ ", "   ") if at == len(forks) else ("├─ ", "│  ")
        deeper = depth < MAX_DEPTH
        found += _lines(after, each, rest + here * deeper, rest + below * deeper, depth + 1)
    return found


def _marked(turn: Turn) -> str:
    said, *tools = map(escape, _told(turn))
    return f"<strong>{turn.number}</strong> {said}" + "".join(f' <span class="qk-soft">{each}</span>' for each in tools)


def _told(turn: Turn) -> list[str]:
    """What was asked and said, then the tools if there were any."""
    before = "(goes on from an earlier session) " if turn.after < 0 else ""
    said = f"{before}{line(turn.asked, ASKED) or '…'} → {line(turn.said, SAID) or '…'}"
    return [said, line("[" + ", ".join(turn.tools) + "]", ASKED)] if turn.tools else [said]
