"""The card of a response: its items in the order they came, and one line of facts.

Thinking is folded away, words are Markdown, and every built-in tool shows what it was asked and what it found: queries
and sources, pages, code and what it printed, pictures by name, passages of files. An item of an unknown kind is its
JSON, folded. Links go to the web and nowhere else; nothing is fetched by looking. Ids are not shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from qwenkit.display import rounds
from qwenkit.display.ledger import tools
from qwenkit.display.markdown import MAX_CHARS, markdown
from qwenkit.display.page import Bundle, escape, facts, fold, foot, head, note, page, source, table
from qwenkit.display.reply import Body, body, call, footer, pretty, thinking
from qwenkit.display.text import clip, line
from qwenkit.types.reply import Choice, Reply
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

Draw = Callable[[Item], str]


def response(value: Response) -> Bundle:
    return {"text/plain": plain(value), "text/html": card(value)}


def card(value: Response, *, remark: str = "", running: bool = False, words: Body | None = None) -> str:
    """The card. `remark` says how a drawing ended early; while `running`, `words` draws thinking and text instead."""
    shown = value.output[:MAX_ITEMS]
    texts = sum(item.type == "message" for item in shown)
    words = words or _Words(MAX_CHARS // max(texts, 1))
    parts = _sections(shown, words)
    if len(value.output) > len(shown):
        parts.append(note(f"… {len(value.output) - len(shown)} more items in reply.output"))
    endings = [] if running else [note(ending, "warn") for ending in (_ending(value), remark) if ending]
    if not parts and not endings and not running:
        parts.append(note("The answer is empty."))
    parts.insert(0, rounds.rounds(value.rounds))
    told = [] if running else _facts(value)
    return page("response qk-running" if running else "response", *parts, *endings, foot(told))


def _facts(value: Response) -> list[str]:
    """The last line: that of a chat reply, with the tools the service counted."""
    alike = Reply(choices=value.choices, usage=value.usage, model=value.model, receipt=value.receipt)
    alike.rounds = value.rounds
    used = tools(value.usage.tools).replace(" × ", "\u00a0×\u00a0") if value.usage else ""
    *told, times = footer(alike)
    return [*told, escape(used), times]


class _Words:
    """Thinking and text, whole: thinking that led to nothing stands open."""

    def __init__(self, chars: int) -> None:
        self.chars = chars

    def __call__(self, choice: Choice) -> str:
        thought = markdown(choice.thinking, chars=self.chars // 4)
        return thinking(thought, open=not choice.text) + body(markdown(choice.text, chars=self.chars))


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


def draw(item: Item) -> str:
    """One item of any kind but thinking and words."""
    if item.type == "function_call":
        return call(item.name, item.arguments)
    drawn = _TOOLS.get(item.type)
    return f'<div class="qk-tool">{drawn(item)}</div>' if drawn else _unknown(item)


def _search(item: Item) -> str:
    return _title("searched the web", _quoted(item)) + _folded("source", item.sources)


def _pictures(item: Item) -> str:
    name = "searched for pictures" if item.type == "web_search_image_call" else "searched by picture"
    found = _folded("picture", item.sources)
    return _title(name, _quoted(item)) + (found or note("Nothing was found." if item.output else ""))


def _extractor(item: Item) -> str:
    links = "".join(f"<p>{link(url)}</p>" for url in item.urls[:MAX_SOURCES])
    more = note(f"… {len(item.urls) - MAX_SOURCES} more pages") if len(item.urls) > MAX_SOURCES else ""
    return _title("read pages", escape(line(item.goal, PREVIEW)) if item.goal else "") + links + more + _output(item)


def _code(item: Item) -> str:
    text, rest = clip(item.code, MAX_OUTPUT)
    printed, more = clip(item.logs, MAX_OUTPUT)
    shown = fold("printed", source(printed) + note(more), open=True) if printed else ""
    return _title("ran code") + source(text, "python") + note(rest) + shown


def _files(item: Item) -> str:
    rows = [
        (escape(line(each.title, MAX_TITLE)), _score(each.score), escape(line(each.text, MAX_PASSAGE)))
        for each in item.sources[:MAX_SOURCES]
    ]
    found = table(("file", "score", "passage"), rows, right=frozenset({1})) if rows else note("Nothing was found.")
    return _title("searched the files", _quoted(item)) + found + _more(len(item.sources) - len(rows), "passage")


def _mcp(item: Item) -> str:
    where = f"calls {line(item.name, MAX_TITLE)}" + (f" on {line(item.server, MAX_TITLE)}" if item.server else "")
    text, rest = clip(pretty(item.arguments), MAX_OUTPUT)
    return _title(where) + (source(text, "json") if text else "") + note(rest) + _output(item)


_TOOLS: dict[str, Draw] = {
    "web_search_call": _search,
    "web_extractor_call": _extractor,
    "code_interpreter_call": _code,
    "web_search_image_call": _pictures,
    "image_search_call": _pictures,
    "file_search_call": _files,
    "mcp_call": _mcp,
}


def _unknown(item: Item) -> str:
    told = {name: value for name, value in item.raw.items() if name not in _HIDDEN}
    text, rest = clip(json.dumps(told, ensure_ascii=False, indent=2), MAX_OUTPUT)
    return fold(escape(line(item.type or "an item", MAX_TITLE)), source(text, "json") + note(rest))


def _title(what: str, more: str = "") -> str:
    return head(what, more) if more else head(what)


def _quoted(item: Item) -> str:
    shown = [f"“{escape(line(query, PREVIEW))}”" for query in item.queries[:MAX_QUERIES]]
    return ", ".join([*shown, "…"] if len(item.queries) > MAX_QUERIES else shown)


def _folded(kind: str, sources: list[Source]) -> str:
    """What was found, as a folded list of links."""
    if not sources:
        return ""
    rows = "".join(f"<li>{link(each.url, each.title)}</li>" for each in sources[:MAX_SOURCES])
    title = f"{len(sources):,} {kind}{'s' if len(sources) > 1 else ''}"
    return fold(title, f"<ol>{rows}</ol>" + _more(len(sources) - MAX_SOURCES, kind))


def _more(count: int, kind: str) -> str:
    return note(f"… {count:,} more {kind}{'s' if count > 1 else ''}") if count > 0 else ""


def _output(item: Item) -> str:
    text, rest = clip(pretty(item.output), MAX_OUTPUT)
    return fold("result", source(text) + note(rest)) if text else ""


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.2f}"


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
    drawn = _sections([value], _Words(MAX_CHARS))
    return {"text/plain": _line(value) or value.thinking, "text/html": page("response", *drawn)}


def items(value: Items) -> Bundle:
    """A list of items: who, and what they said."""
    shown = [(each.role or each.type, _said(each)) for each in value.items[:MAX_ROWS]]
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
