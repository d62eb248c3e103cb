"""Many calls: a line that counts while they are under way, and the card of their results.

The line is redrawn in place in a notebook and on a terminal's stderr; anywhere else there is none. It stays as it
ended, with nothing in it that varies. `text/plain` of the card tells the story without HTML.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from qwenkit.display.live import _publisher, _shell
from qwenkit.display.page import Bundle, bar, escape, foot, head, note, page, seconds, table, volatile
from qwenkit.display.text import columns, line
from qwenkit.types.many import Failure, MapResults
from qwenkit.types.message import Message, text_of
from qwenkit.types.reply import Reply

MAX_ROWS = 5
MAX_KINDS = 6
MAX_PROMPT = 60
MAX_TEXT = 90
MAX_ERROR = 160
MAX_STOP = 400


def results(value: MapResults) -> Bundle:
    return {"text/plain": _plain(value), "text/html": _card(value)}


def watch(value: MapResults) -> Any:
    """What draws the progress here: a notebook's output, a terminal's line, or nothing."""
    shell = _shell()
    if getattr(shell, "kernel", None) is not None:
        return Output(value, _publisher(shell))
    return Terminal(value) if sys.stderr is not None and sys.stderr.isatty() else None


class Output:
    """One output of a notebook, redrawn in place."""

    def __init__(self, value: MapResults, publish: Any) -> None:
        self._value, self._publish = value, publish
        self._drawn = ""

    def draw(self) -> None:
        html = progress(self._value)
        if html != self._drawn:
            self._publish({"text/plain": _counts(self._value), "text/html": html}, bool(self._drawn))
            self._drawn = html

    end = draw


class Terminal:
    """One line of a terminal, rewritten."""

    def __init__(self, value: MapResults) -> None:
        self._value = value

    def draw(self) -> None:
        print(f"\r\x1b[K{_counts(self._value)}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        self.draw()
        print(f"\n{self._value.remark}".rstrip(), file=sys.stderr, flush=True)


def progress(value: MapResults) -> str:
    """The line as HTML. What changes from run to run is only there while it runs."""
    ended = len(value) - value.unsent
    meter = bar(ended, value.total, warn=2) if value.total else ""
    now = value.doing or (f"{value.width} at once" if value.width else "")
    shown = volatile(now) if now and not (value.finished or value.remark) else ""
    level = f'<p class="qk-level">{meter} {" · ".join(part for part in (escape(_counts(value)), shown) if part)}</p>'
    return page("many", level, note(line(value.remark, MAX_STOP), "warn"))


def _counts(value: MapResults) -> str:
    """How far it is: `312 of 1,000 answered, 2 failed`. A generator's length is not known before its end."""
    whole = f" of {value.total:,}" if value.total is not None else f" of {len(value):,}" if value.finished else ""
    parts = [f"{value.answered:,}{whole} answered"]
    parts += [f"{value.resumed:,} of them from the checkpoint"] if value.resumed else []
    parts += [f"{value.failures:,} failed"] if value.failures else []
    parts += [f"{value.unsent:,} not sent"] if value.unsent and (value.stopped or value.remark) else []
    return ", ".join(parts)


def _card(value: MapResults) -> str:
    stopped = f"Stopped by {_named(value.stopped)}" if value.stopped else ""
    return page(
        "many",
        head(_counts(value)),
        note(line(stopped, MAX_STOP), "bad"),
        note(line(value.remark, MAX_STOP), "warn"),
        _failures(value.failed),
        _answers(value),
        foot(_facts(value)),
    )


def _facts(value: MapResults) -> Iterator[str]:
    replies = (outcome for outcome in value if isinstance(outcome, Reply))
    first = next(replies, None)
    yield escape(line(first.model, MAX_PROMPT)) if first else ""
    yield "sandbox" if value.sandbox else ""
    yield from map(escape, _bill(value))
    again = value.tries - (value.answered - value.resumed) - value.failures
    yield volatile(f"{again:,} sent again") if again > 0 else ""
    yield volatile(seconds(value.seconds)) if value.seconds else ""


def _bill(value: MapResults) -> Iterator[str]:
    usage, cost = value.usage, value.cost
    if usage.total:
        yield f"{usage.prompt:,} + {usage.completion:,} tokens"
    if cost:
        yield f"free (live ≈ {cost})" if value.sandbox else f"≈ {cost}"


def _failures(failed: list[Failure]) -> str:
    if not failed:
        return ""
    groups = _groups(failed)
    rows = [[escape(kind), f"{len(group):,}", escape(example)] for kind, group, example in islice(groups, MAX_KINDS)]
    more = note(f"… {len(groups) - MAX_KINDS} more kinds") if len(groups) > MAX_KINDS else ""
    return table(["failed with", "items", "the first"], rows, right=frozenset({1})) + more


def _groups(failed: Iterable[Failure]) -> list[tuple[str, list[Failure], str]]:
    """Failures of one kind together, the most frequent first, with the first of each as the example."""
    kinds: dict[str, list[Failure]] = {}
    for failure in failed:
        label = [str(part) for part in (getattr(failure.error, name, "") for name in ("status", "code")) if part]
        kinds.setdefault(line(" ".join([type(failure.error).__name__, *label]), MAX_PROMPT), []).append(failure)
    ordered = sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    return [(kind, group, f"[{group[0].position}] {_said(group[0].error)}") for kind, group in ordered]


def _said(error: Exception) -> str:
    return line(str(getattr(error, "message", error)), MAX_ERROR)


def _named(error: Exception) -> str:
    hint = getattr(error, "hint", "")
    return f"{type(error).__name__}: {getattr(error, 'message', error)}" + (f" → {hint}" if hint else "")


def _answers(value: MapResults) -> str:
    rows = [[str(at), escape(prompt), text] for at, prompt, text in _rows(value, html=True)]
    return table(["#", "prompt", "answer"], rows, right=frozenset({0})) + note(_more(value)) if rows else ""


def _rows(value: MapResults, *, html: bool) -> Iterator[tuple[int, str, str]]:
    for at, outcome in enumerate(islice(value, MAX_ROWS)):
        prompt = line(_asked(value.prompt(at)), MAX_PROMPT)
        if isinstance(outcome, Reply):
            said = line(outcome.text or ", ".join(f"calls {call.name}" for call in outcome.tool_calls), MAX_TEXT)
            yield at, prompt, escape(said) if html else said
        else:
            missing = type(outcome).__name__ if outcome is not None else "not sent"
            yield at, prompt, f'<span class="qk-bad">{escape(missing)}</span>' if html else missing


def _asked(prompt: Any) -> str:
    """The words of a prompt: of a list of messages, the last one's."""
    last = prompt[-1] if isinstance(prompt, list | tuple) and prompt else prompt
    if isinstance(last, Message):
        return last.text
    if isinstance(last, dict):
        return text_of(last.get("content"))
    return last if isinstance(last, str) else "" if last is None else type(last).__name__


def _more(value: MapResults) -> str:
    return f"… {len(value) - MAX_ROWS:,} more in results[i]" if len(value) > MAX_ROWS else ""


def _plain(value: MapResults) -> str:
    rows = [["#", "prompt", "answer"], *([str(at), prompt, text] for at, prompt, text in _rows(value, html=False))]
    parts = [", ".join([_counts(value), *_bill(value)])]
    parts += [f"stopped by {line(_named(value.stopped), MAX_STOP)}"] if value.stopped else []
    parts += [line(value.remark, MAX_STOP)] if value.remark else []
    failed = _groups(value.failed)
    parts += [f"{len(group):,} failed with {kind}, the first: {example}" for kind, group, example in failed[:MAX_KINDS]]
    parts += [columns(rows, frozenset({0}))] if len(rows) > 1 else []
    parts += [_more(value)] if _more(value) else []
    return "\n".join(parts)
