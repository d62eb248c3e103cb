"""An application's answer: the words with numbered citations, what was done to find them, and where they come from.

A workflow is a strip of its nodes, an agent's thoughts are a trace (what was asked of which tool, what came back), the
references stand folded under the answer with their source, score and snippet.
"""

from __future__ import annotations

import json
from typing import Any

from qwenkit.display.citations import raised, sources
from qwenkit.display.markdown import markdown
from qwenkit.display.page import Bundle, escape, fold, foot, note, page, price, seconds, source, volatile
from qwenkit.display.reply import Body
from qwenkit.display.rounds import body, thinking
from qwenkit.display.text import clip, line, pretty
from qwenkit.types.app import AppReply, Reference, Step, Thought
from qwenkit.types.reply import Choice

MAX_THOUGHTS = 24
MAX_STEPS = 40
MAX_BEHIND = 2_000
MAX_NAME = 60
MAX_ASKED = 80
_STATUS = {"success": "✓", "fail": "✗", "executing": "…"}


def app(value: AppReply) -> Bundle:
    return {"text/plain": plain(value), "text/html": card(value)}


def card(value: AppReply, *, remark: str = "", running: bool = False, words: Body | None = None) -> str:
    """The card. `remark` says how a drawing ended early; while `running`, `words` draws thinking and text instead."""
    titles = {each.number: each.title or each.doc_name for each in value.references}
    said = Choice(text=value.text, thinking=value.thinking)
    if words is None:
        answer = thinking(markdown(value.thinking), open=not value.text) + body(markdown(value.text))
    else:
        answer = words(said)
    parts = [strip(value.steps), trace(value.thoughts), raised(answer, titles)]
    if running:
        return page("app qk-running", *parts)
    if not value.text and not remark:
        parts.append(note("The answer is empty."))
    if value.finish_reason is None and value.text and not remark:
        parts.append(note("The service stopped before the end: ask it to go on.", "warn"))
    parts += [note(remark, "warn"), references(value)]
    return page("app", *parts, foot(footer(value)))


def plain(value: AppReply) -> str:
    """What was done, the words, and under them what they point to."""
    nodes = " → ".join(
        f"{_STATUS.get(step.status, '…')} {line(step.name or step.id, MAX_NAME)}" for step in value.steps
    )
    done = [f"{_called(each)}{_came(each)}" for each in value.thoughts if each.action != "reasoning"]
    cited = [f"[{each.number}] {line(_title(each), MAX_ASKED)}" for each in value.cited]
    parts = (nodes, "\n".join(done[:MAX_THOUGHTS]), value.words, "\n".join(cited))
    return "\n\n".join(part for part in parts if part)


def _called(each: Thought) -> str:
    return f"{line(each.name or each.action, MAX_NAME)} {line(_spelled(each.input), MAX_ASKED)}".strip()


def _came(each: Thought) -> str:
    """What a tool gave, in short."""
    found = each.found
    told = f"{len(found)} chunk{'s' * (len(found) != 1)}" if found else line(each.observation, MAX_ASKED)
    return f" → {told}" if told else ""


def footer(value: AppReply) -> list[str]:
    receipt, usage = value.receipt, value.usage
    tokens = f"{usage.prompt:,} + {usage.completion:,} tokens" if usage else ""
    took = volatile(seconds(receipt.latency)) if receipt.latency is not None else ""
    where = "sandbox" if receipt.sandbox else ""
    return [escape(line(value.model, MAX_NAME)), where, tokens, escape(price(value.cost, receipt.sandbox)), took]


def references(value: AppReply) -> str:
    """The sources, those that the text points to first."""
    cited = {each.number: each for each in value.cited}
    every = [*cited.values(), *(each for each in value.references if each.number not in cited)]
    rows = [(each.number, _title(each), _facts(each), each.text) for each in every]
    return fold(f"{len(every)} source{'s' * (len(every) > 1)}", sources(rows, len(every)), open=True) if every else ""


def _title(each: Reference) -> str:
    return " · ".join(dict.fromkeys(filter(None, (each.doc_name, each.title)))) or "a document"


def _facts(each: Reference) -> str:
    pages = f"p. {', '.join(map(str, each.pages[:4]))}" if each.pages else ""
    return " · ".join(filter(None, (f"score {each.score:.2f}" if each.score is not None else "", pages)))


def trace(thoughts: list[Thought]) -> str:
    """What was done, a line each, with what was asked and found behind it. Reasoning stands with the answer."""
    done = [each for each in thoughts if each.action != "reasoning"]
    parts = [_thought(each) for each in done[:MAX_THOUGHTS]]
    more = len(done) - len(parts)
    return "\n".join(parts) + (note(f"… {more} more in reply.thoughts") if more > 0 else "")


def _thought(each: Thought) -> str:
    found, asked = each.found, _spelled(each.input)
    query = each.input.get("query") if isinstance(each.input, dict) else None
    shown = f"“{query}”" if isinstance(query, str) and query else asked
    result = f"{len(found)} chunk{'s' * (len(found) != 1)}" if found else line(each.observation, MAX_ASKED)
    title = f"<code>{escape(line(each.name or each.action, MAX_NAME))}</code> {escape(line(shown, MAX_ASKED))}"
    title += f' → <span class="qk-result">{escape(result)}</span>' if result else ""
    title += f" {volatile(seconds(each.seconds))}" if each.seconds is not None else ""
    behind = _behind(pretty(asked)) + (_chunks(found) if found else _behind(pretty(each.observation)))
    return fold(title, behind or note("Nothing more was told."), kind="ran")


def _chunks(found: list[dict[str, Any]]) -> str:
    rows = []
    for place, chunk in enumerate(found, 1):
        score = chunk.get("score")
        fact = f"score {score:.2f}" if isinstance(score, int | float) else ""
        title = " · ".join(dict.fromkeys(str(chunk[name]) for name in ("dataName", "title") if chunk.get(name)))
        rows.append((place, title, fact, str(chunk.get("content") or "")))
    return sources(rows, len(rows))


def strip(steps: list[Step]) -> str:
    """The nodes of a workflow in the order they ran, what each gave behind it."""
    if not steps:
        return ""
    more = note(f"… {len(steps) - MAX_STEPS} more nodes in reply.steps") if len(steps) > MAX_STEPS else ""
    return f'<ol class="qk-nodes">{"".join(map(_node, steps[:MAX_STEPS]))}</ol>{more}'


def _node(step: Step) -> str:
    mark, kind = _STATUS.get(step.status, "…"), "qk-bad" if step.status == "fail" else "qk-soft"
    kinds = f" <small>{escape(line(step.kind, MAX_NAME))}</small>" if step.kind != step.name else ""
    name = f"<strong>{escape(line(step.name or step.id, MAX_NAME))}</strong>{kinds}"
    took = f" {volatile(seconds(step.seconds))}" if step.seconds is not None else ""
    told = step.text or _spelled(step.value)
    title = f'<span class="{kind}">{mark}</span> {name}{took}'
    inside = fold(title, _behind(told)) if told else f"<div>{title}</div>"
    return f"<li{' class=qk-inner' if step.parent else ''}>{inside}{note(step.error, 'bad')}</li>"


def _spelled(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str)


def _behind(text: str) -> str:
    shown, rest = clip(text, MAX_BEHIND)
    return source(shown) + note(rest) if shown else ""
