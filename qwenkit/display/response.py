"""The card of a response: its items in the order they came, and one line of facts.

Thinking is folded away, words are Markdown, and every built-in tool shows what it was asked and what it found: queries
and sources, pages, code and what it printed, pictures by name, passages of files. An item of an unknown kind is its
JSON, folded. Links go to the web and nowhere else; nothing is fetched by looking. Ids are not shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial

from qwenkit.display import rounds
from qwenkit.display.ledger import tools
from qwenkit.display.markdown import MAX_CHARS, markdown
from qwenkit.display.page import Bundle, escape, facts, fold, foot, head, note, page, source, table
from qwenkit.display.reply import Body, answer, call, footer
from qwenkit.display.rounds import thinking
from qwenkit.display.text import clip, line, pretty
from qwenkit.types.reply import Choice
from qwenkit.types.response import ConversationObject, Item, Items, Response, Source

MAX_ITEMS = 40
MAX_SOURCES = 12
MAX_QUERIES = 6
MAX_URL = 300
MAX_TITLE = 100
MAX_OUTPUT = 2_000
MAX_PASSAGE = 300
MAX_ROWS = 40
PREVIEW = 90
_LINK = re.compile(r"https?://[^/\s][^\s]*", re.IGNORECASE)
_REL = 'rel="noopener noreferrer nofollow" target="_blank"'
_HIDDEN = ("id", "type", "status", "container_id", "call_id")


def response(value: Response) -> Bundle:
    return {"text/plain": plain(value), "text/html": card(value)}


def card(value: Response, *, remark: str = "", running: bool = False, words: Body | None = None) -> str:
    """The card. `remark` says how a drawing ended early; while `running`, `words` draws thinking and text instead."""
    shown = value.output[:MAX_ITEMS]
    texts = sum(item.type == "message" for item in shown)
    parts = _sections(shown, words or partial(answer, chars=MAX_CHARS // max(texts, 1)))
    if len(value.output) > len(shown):
        parts.append(note(f"… {len(value.output) - len(shown)} more items in reply.output"))
    if not running:
        endings = [note(ending, "warn") for ending in (_ending(value), remark) if ending]
        parts += endings or ([] if parts else [note("The answer is empty.")])
    parts.insert(0, rounds.rounds(value.rounds))
    return page("response qk-running" if running else "response", *parts, foot([] if running else _facts(value)))


def _facts(value: Response) -> list[str]:
    """The last line: that of a chat reply, with the tools the service counted."""
    *told, times = footer(value)
    used = tools(value.usage.tools).replace(" × ", "\u00a0×\u00a0") if value.usage else ""
    return [*told, escape(used), times]


def _sections(items: list[Item], words: Body) -> list[str]:
    """The items drawn in their order. Thinking right before an answer is drawn with it, as in a chat card."""
    parts: list[str] = []
    thought = ""
    for at, item in enumerate(items):
        last = at == len(items) - 1
        if item.type == "reasoning" and (last or items[at + 1].type == "message"):
            thought = item.thinking
            parts += [words(Choice(index=at, thinking=thought))] if last else []
        elif item.type == "reasoning":
            parts.append(thinking(markdown(item.thinking, chars=MAX_CHARS // 8)))
        elif item.type == "message":
            start = at - 1 if thought else at
            parts.append(words(Choice(index=start, text=item.text, thinking=thought)))
            thought = ""
        else:
            parts.append(draw(item))
    return [part for part in parts if part]


# What each built-in tool did; an item of another kind is shown as its JSON.
_TITLES = {
    "web_search_call": "searched the web",
    "web_extractor_call": "read pages",
    "code_interpreter_call": "ran code",
    "web_search_image_call": "searched for pictures",
    "image_search_call": "searched by picture",
    "file_search_call": "searched the files",
    "mcp_call": "calls",
}

# The service always tells what these found; a search of the web may keep its sources to itself.
_OWNING_UP = ("web_search_image_call", "image_search_call", "file_search_call")


def draw(item: Item) -> str:
    """One item of any kind but thinking and words."""
    if item.type == "function_call":
        return call(item.name, item.arguments)
    if item.type in _TITLES:
        return f'<div class="qk-tool">{"".join(_tool(item))}</div>'
    told = {name: value for name, value in item.raw.items() if name not in _HIDDEN}
    shown = _clipped(json.dumps(told, ensure_ascii=False, indent=2), "json")
    return fold(escape(line(item.type or "an item", MAX_TITLE)), shown)


def _tool(item: Item) -> Iterator[str]:
    """What a tool was asked, and what it found: whatever of it the item has."""
    name, server = line(item.name, MAX_TITLE), line(item.server, MAX_TITLE)
    calls = f" {name}" + (f" on {server}" if server else "") if item.type == "mcp_call" else ""
    asked = _quoted(item) or escape(line(item.goal, PREVIEW))
    found = item.sources if "search" in item.type else []
    yield head(_TITLES[item.type] + calls, *([asked] if asked else []))
    yield from (f"<p>{link(url)}</p>" for url in item.urls[:MAX_SOURCES])
    yield _more(len(item.urls) - MAX_SOURCES, "page")
    yield _clipped(item.code, "python")
    yield "" if asked else _clipped(pretty(item.arguments), "json")
    yield fold("printed", _clipped(item.logs), open=True) if item.logs else ""
    if found:
        yield _passages(found) if item.type == "file_search_call" else _links(item, found)
    elif item.type in _OWNING_UP and item.status != "in_progress":
        yield note("Nothing was found.")
    elif item.output:
        yield fold("result", _clipped(pretty(item.output)))


def _clipped(text: str, language: str = "") -> str:
    """A block of code or data with an end."""
    shown, rest = clip(text, MAX_OUTPUT)
    return source(shown, language) + note(rest) if shown else ""


def _quoted(item: Item) -> str:
    shown = [f"“{escape(line(query, PREVIEW))}”" for query in item.queries[:MAX_QUERIES]]
    return ", ".join([*shown, "…"] if len(item.queries) > MAX_QUERIES else shown)


def _passages(found: list[Source]) -> str:
    rows = [
        (
            escape(line(each.title, MAX_TITLE)),
            "" if each.score is None else f"{each.score:.2f}",
            escape(line(each.text, MAX_PASSAGE)),
        )
        for each in found[:MAX_SOURCES]
    ]
    shown = table(("file", "score", "passage"), rows, right=frozenset({1}))
    return shown + _more(len(found) - len(rows), "passage")


def _links(item: Item, found: list[Source]) -> str:
    """What was found, as a folded list of links."""
    kind = "picture" if "image" in item.type else "source"
    rows = "".join(f"<li>{link(each.url, each.title)}</li>" for each in found[:MAX_SOURCES])
    title = f"{len(found):,} {kind}{'s' if len(found) > 1 else ''}"
    return fold(title, f"<ol>{rows}</ol>" + _more(len(found) - MAX_SOURCES, kind))


def _more(count: int, kind: str) -> str:
    return note(f"… {count:,} more {kind}{'s' if count > 1 else ''}") if count > 0 else ""


def link(url: str, title: str = "") -> str:
    """A link to the web; any other address stays text."""
    name = escape(line(title or url, MAX_TITLE)) or "untitled"
    if len(url) > MAX_URL or not _LINK.fullmatch(url):
        return name if not title else f"{name} {escape(line(url, MAX_TITLE))}".strip()
    return f'<a href="{escape(url)}" {_REL}>{name}</a>'


def _ending(value: Response) -> str:
    """What an ending means, for those that need a word."""
    if value.error is not None:
        return line(f"Failed: {value.error.code} {value.error.message}", MAX_PASSAGE)
    if value.incomplete == "max_output_tokens":
        return "Cut at max_output_tokens: raise it, or ask to go on with previous=reply."
    return f"Cut by the service: {line(value.incomplete, MAX_TITLE)}." if value.incomplete else ""


def plain(value: Response) -> str:
    """The answer as text, with a line for every tool and a word about an ending that needs one."""
    lines = [rounds.plain(value.rounds)] + [
        _line(item) for item in value.output[:MAX_ITEMS] if item.type != "reasoning"
    ]
    return "\n".join(each for each in [*lines, _ending(value)] if each)


def _line(item: Item) -> str:
    """One item as text: words whole, a tool on one line."""
    if item.type == "message":
        return item.text.strip("\n")
    told = ", ".join(item.queries) or item.goal or line(item.arguments, PREVIEW) or line(item.code, PREVIEW)
    found = f"{len(item.sources)} found" if "search" in item.type else ""
    given = found or line(item.logs, PREVIEW) or line(item.output, PREVIEW)
    if item.type == "function_call":
        return f"{line(item.name, MAX_TITLE)}({clip(item.arguments, MAX_OUTPUT)[0]})"
    name = line(item.name if item.type == "mcp_call" else item.type, MAX_TITLE)
    return f"[{name}: {line(told, PREVIEW)}{f' → {given}' if given else ''}]"


def item(value: Item) -> Bundle:
    drawn = _sections([value], partial(answer, chars=MAX_CHARS))
    return {"text/plain": _line(value) or value.thinking, "text/html": page("response", *drawn)}


def items(value: Items) -> Bundle:
    """A list of items: who, and what they said."""
    shown = [(each.role or each.type, _said(each)) for each in value.rows[:MAX_ROWS]]
    rest = len(value) - len(shown)
    heading = f"{len(value):,} item{'' if len(value) == 1 else 's'}"
    rows = [[f'<span class="qk-short">{escape(line(who, MAX_TITLE))}</span>', escape(said)] for who, said in shown]
    html = page("items", head(heading), table(("", "item"), rows) if rows else "", _more(rest, "item"))
    lines = [f"{line(who, MAX_TITLE)}: {said}" for who, said in shown]
    return {"text/plain": "\n".join([heading, *lines, *([f"… {rest:,} more"] if rest > 0 else [])]), "text/html": html}


def _said(each: Item) -> str:
    return line(each.text or each.thinking or each.output or _line(each), MAX_PASSAGE)


def conversation(value: ConversationObject) -> Bundle:
    shown = {line(name, MAX_TITLE): line(text, MAX_TITLE) for name, text in list(value.metadata.items())[:MAX_ROWS]}
    title = "A deleted conversation" if value.deleted else "A conversation kept by the service"
    html = page("items", head(title), facts({name: escape(text) for name, text in shown.items()}))
    lines = [f"{name}: {text}" for name, text in shown.items()]
    return {"text/plain": "\n".join([title, *lines]), "text/html": html}
