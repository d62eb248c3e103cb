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


def tree(value: ResponseTree) -> Bundle:
    if not len(value):
        empty = "No responses yet."
        return {"text/plain": empty, "text/html": page("tree", note(empty))}
    shown = _Shown(value)
    count = f"{len(value):,} turn" + ("s" if len(value) > 1 else "")
    rest = f"… {len(value) - MAX_TURNS:,} later turns" if len(value) > MAX_TURNS else ""
    branches = [shown.chain(turn) for turn in shown.roots()]
    html = "".join(shown.html(chain, 0) for chain in branches)
    lines = [each for chain in branches for each in shown.lines(chain, "", "", 0)]
    return {
        "text/plain": "\n".join([count, *lines, *([rest] if rest else [])]),
        "text/html": page("tree", head(count), html, note(rest)),
    }


class _Shown:
    """The first turns of a tree, by what they go on from."""

    def __init__(self, value: ResponseTree) -> None:
        self.turns = value.turns[:MAX_TURNS]
        self.next: dict[int, list[Turn]] = {}
        for turn in self.turns:
            self.next.setdefault(max(turn.after, 0), []).append(turn)

    def roots(self) -> list[Turn]:
        return self.next.get(0, [])

    def chain(self, turn: Turn) -> list[Turn]:
        """A turn and those after it, as long as there is one way on."""
        found = [turn]
        while len(after := self.next.get(found[-1].number, [])) == 1:
            found += after
        return found

    def forks(self, chain: list[Turn]) -> list[list[Turn]]:
        return [self.chain(turn) for turn in self.next.get(chain[-1].number, [])]

    def html(self, chain: list[Turn], depth: int) -> str:
        """A list of the chain; what forks off its end is lists within the last entry."""
        below = "".join(self.html(each, depth + 1) for each in self.forks(chain))
        inner = below if depth < MAX_DEPTH else ""
        rows = "".join(f"<li>{_turn(turn)}</li>" for turn in chain[:-1])
        return f'<ul class="qk-tree">{rows}<li>{_turn(chain[-1])}{inner}</li></ul>' + ("" if inner else below)

    def lines(self, chain: list[Turn], first: str, rest: str, depth: int) -> list[str]:
        """The same as text, with `first` before the first line and `rest` before the others."""
        found = [(rest if at else first) + _line(turn) for at, turn in enumerate(chain)]
        forks = self.forks(chain)
        for at, each in enumerate(forks):
            last = at == len(forks) - 1
            deeper = depth < MAX_DEPTH
            found += self.lines(
                each,
                rest + ("└─ " if last else "├─ ") * deeper,
                rest + ("   " if last else "│  ") * deeper,
                depth + 1,
            )
        return found


def _turn(turn: Turn) -> str:
    tools = f' <span class="qk-soft">{escape(_tools(turn))}</span>' if turn.tools else ""
    asked = escape(line(turn.asked, ASKED)) or "…"
    return (
        f"<strong>{turn.number}</strong> {escape(_before(turn))}{asked} → {escape(line(turn.said, SAID)) or '…'}{tools}"
    )


def _line(turn: Turn) -> str:
    tools = f" {_tools(turn)}" if turn.tools else ""
    return f"{turn.number} {_before(turn)}{line(turn.asked, ASKED) or '…'} → {line(turn.said, SAID) or '…'}{tools}"


def _before(turn: Turn) -> str:
    return "(goes on from an earlier session) " if turn.after < 0 else ""


def _tools(turn: Turn) -> str:
    return line("[" + ", ".join(turn.tools) + "]", ASKED)
