"""Many calls: a line that counts while they are under way, and the card of their results.

The line is redrawn in place in a notebook and on a terminal's stderr; anywhere else there is none. It stays as it
ended, with nothing in it that varies. `text/plain` of the card tells the story without HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from qwenkit.display.page import Bundle, bar, escape, foot, head, note, page, price, seconds, table, volatile
from qwenkit.display.text import columns, line
from qwenkit.types.many import MapResults
from qwenkit.types.message import Message, text_of
from qwenkit.types.reply import Reply

MAX_ROWS = 5
MAX_KINDS = 6
MAX_PROMPT = 60
MAX_TEXT = 90
MAX_ERROR = 160
MAX_STOP = 400
_NOTHING: Mapping[str, str] = {}


def results(value: MapResults) -> Bundle:
    again = value.tries - (value.answered - value.resumed) - value.failures
    varying = [f"{again:,} sent again" if again > 0 else "", seconds(value.seconds) if value.seconds else ""]
    notes = {_stopped(value.stopped): "bad", line(value.remark, MAX_STOP): "warn"}
    return outcomes(value, _counts(value), notes=notes, varying=varying)


def outcomes(
    value: Any, counts: str, *, terms: str = "", notes: Mapping[str, str] = _NOTHING, varying: Sequence[str] = ()
) -> Bundle:
    """Answers and failures of any kind of run. `terms` follow the price; what varies is shown in HTML, and marked."""
    groups, bill = _groups(value.failed), list(_bill(value, terms))
    kinds = [(kind, f"{count:,}", example) for kind, count, example in groups[:MAX_KINDS]]
    failed = [[escape(cell) for cell in row] for row in kinds]
    hidden = f"… {len(groups) - MAX_KINDS:,} more kinds" if len(groups) > MAX_KINDS else ""
    heads = ("#", "prompt", "answer") if hasattr(value, "prompt") else ("#", "answer")
    rows = [_row(value, at) for at in range(min(MAX_ROWS, len(value)))]
    more = f"… {len(value) - MAX_ROWS:,} more in results[i]" if len(value) > MAX_ROWS else ""
    cells = [[*map(escape, row[:-1]), _answer(row[-1], of)] for row, of in zip(rows, value, strict=False)]
    first = next((each.model for each in value if isinstance(each, Reply)), "")
    facts = [line(first, MAX_PROMPT), "sandbox" if value.sandbox else "", *bill]
    html = page(
        "many",
        head(counts),
        *(note(said, kind) for said, kind in notes.items()),
        table(("failed with", "items", "the first"), failed, right=frozenset({1})) + note(hidden) if kinds else "",
        table(heads, cells, right=frozenset({0})) + note(more) if rows else "",
        foot([*map(escape, facts), *(volatile(each) for each in varying if each)]),
    )
    told = (f"{count} failed with {kind}, the first: {example}" for kind, count, example in kinds)
    answers = columns([heads, *rows], frozenset({0})) if rows else ""
    plain = [", ".join([counts, *bill]), *notes, *told, hidden, answers, more]
    return {"text/plain": "\n".join(part for part in plain if part), "text/html": html}


def progress(value: MapResults) -> Bundle:
    """The line while it runs, and as it ended. What changes from run to run is only there in between, and in HTML."""
    meter = bar(len(value) - value.unsent, value.total, warn=2) if value.total else ""
    now = value.doing or (f"{value.width} at once" if value.width else "")
    shown = f" · {volatile(now)}" if now and not (value.finished or value.remark) else ""
    counts, remark = _counts(value), line(value.remark, MAX_STOP)
    html = page("many", f'<p class="qk-level">{meter} {escape(counts)}{shown}</p>', note(remark, "warn"))
    return {"text/plain": f"{counts}\n{remark}".strip(), "text/html": html}


def _counts(value: MapResults) -> str:
    """How far it is: `312 of 1,000 answered, 2 failed`. A generator's length is not known before its end."""
    whole = f" of {value.total:,}" if value.total is not None else f" of {len(value):,}" if value.finished else ""
    parts = [f"{value.answered:,}{whole} answered"]
    parts += [f"{value.resumed:,} of them from the checkpoint"] if value.resumed else []
    parts += [f"{value.failures:,} failed"] if value.failures else []
    parts += [f"{value.unsent:,} not sent"] if value.unsent and (value.stopped or value.remark) else []
    return ", ".join(parts)


def _stopped(error: Exception | None) -> str:
    if error is None:
        return ""
    hint = f" → {hint}" if (hint := getattr(error, "hint", "")) else ""
    return line(f"Stopped by {type(error).__name__}: {_said(error)}{hint}", MAX_STOP)


def _said(error: Exception) -> str:
    return str(getattr(error, "message", error))


def _bill(value: Any, terms: str) -> Iterator[str]:
    if value.usage.total:
        yield f"{value.usage.prompt:,} + {value.usage.completion:,} tokens"
    if value.cost:
        yield price(value.cost, value.sandbox) + terms


def _groups(failed: Iterable[Any]) -> list[tuple[str, int, str]]:
    """The kinds of failures, the most frequent first: how many, and the first of each."""
    kinds: dict[str, list[Any]] = {}
    for failure in failed:
        label = [str(part) for part in (getattr(failure.error, name, "") for name in ("status", "code")) if part]
        kinds.setdefault(line(" ".join([type(failure.error).__name__, *label]), MAX_PROMPT), []).append(failure)
    ordered = sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    return [
        (kind, len(all_), f"[{all_[0].position}] {line(_said(all_[0].error), MAX_ERROR)}") for kind, all_ in ordered
    ]


def _row(value: Any, at: int) -> list[str]:
    """A place, its prompt where it is known, and its answer or why there is none."""
    outcome, said = value[at], "not sent"
    if isinstance(outcome, Reply):
        said = outcome.text or ", ".join(f"calls {call.name}" for call in outcome.tool_calls)
    elif outcome is not None:
        said = type(outcome).__name__ if isinstance(outcome, Exception) else repr(outcome)
    asked = [line(_asked(value.prompt(at)), MAX_PROMPT)] if hasattr(value, "prompt") else []
    return [str(at), *asked, line(said, MAX_TEXT)]


def _answer(said: str, outcome: Any) -> str:
    return (
        escape(said)
        if outcome is not None and not isinstance(outcome, Exception)
        else f'<span class="qk-bad">{escape(said)}</span>'
    )


def _asked(prompt: Any) -> str:
    """The words of a prompt: of a list of messages, the last one's."""
    last = prompt[-1] if isinstance(prompt, list | tuple) and prompt else prompt
    if isinstance(last, Message):
        return last.text
    if isinstance(last, dict):
        return text_of(last.get("content"))
    return last if isinstance(last, str) else "" if last is None else type(last).__name__
