"""The built-in tools of the Responses API, as far as a program without a network can do them, and no further.

Searching and extracting read the bundled page set, file search the uploaded documents, the code interpreter works out
arithmetic; picture searches find nothing, because the set has no pictures, and no MCP server is ever called. Each says
so in its output. What they found is told to the model as the result of a tool, in the sentences that fit the question.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, NamedTuple

from qwenkit.sandbox import web
from qwenkit.sandbox.files import Files
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.messages import last_words
from qwenkit.sandbox.response_items import Json
from qwenkit.sandbox.response_order import Asked
from qwenkit.sandbox.retrieval import Ranking, passages, terms
from qwenkit.sandbox.service import Service

MOST_SEARCHES = 3  # one for each question, in one answer
MOST_PAGES = 4
MOST_RESULTS = 5
MOST_QUOTED = 2  # sentences of a page or of the files
ADDRESS = re.compile(r"https?://[^\s<>\"'，。）)\]]+|\b[a-z]+\.example(?:/[\w/-]*)?")
_SEARCH = re.compile(r"\b(search|look up|find out|latest|news|online|web)\b|搜|查|最新|新闻|联网|网上", re.IGNORECASE)
_CODE = re.compile(r"\b(code|python|script|run|compute|calculate|plot)\b|代码|计算|运行|脚本|程序", re.IGNORECASE)
_PICTURE = re.compile(r"\b(images?|pictures?|photos?)\b|图|照片", re.IGNORECASE)
_SUM = re.compile(r"[\d(][\d\s.+*/^%()-]*[-+*/^%][\d\s.+*/^%()-]*")
_SENTENCE = re.compile(r"(?<=[?？])\s*")
_ONLY_SEARCH = "qwen3.8-omni-flash"
_NO_CODE = "The sandbox's code interpreter works out arithmetic and nothing else; it found no sum in the question."
_NO_SERVER = "The sandbox connects to no MCP server: nothing was called at {label}."
_NO_PICTURES = "There are no pictures in " + web.LABEL + "."
_NO_PAGE = "{url} is not in " + web.LABEL + "."


class Step(NamedTuple):
    """One use of a tool: its output item but for the id, what the model is told of it, and why it was used."""

    item: Json
    found: str = ""
    thought: str = ""


class Wish(NamedTuple):
    """What a tool is asked with."""

    question: str
    tool: Json
    forced: bool
    seed: str
    today: date
    service: Service
    before: list[Step]
    pictures: int


def steps(service: Service, asked: Asked, seed: str) -> list[Step]:
    """What the declared tools do for the question at hand; nothing when a function's output is being answered."""
    declared = {tool["type"]: tool for tool in reversed(asked.builtin)}
    if asked.choice == "none" or not declared or asked.items[-1].get("role") != "user":
        return []
    if asked.model.line == _ONLY_SEARCH:
        declared = {kind: tool for kind, tool in declared.items() if kind == "web_search"}
    question = last_words(asked.order.messages)
    pictures = sum(part.get("type") == "input_image" for part in asked.items[-1]["content"])
    today, done = date.fromtimestamp(service.clock()), list[Step]()
    for kind, use in _TOOLS.items():
        if kind in declared and (kind != "web_extractor" or "web_search" in declared):
            forced = asked.choice == "required" and not done
            done += use(Wish(question, declared[kind], forced, seed, today, service, list(done), pictures))
    return done


def counts(done: list[Step]) -> Json:
    """How often each tool was used, as `x_tools` says it; calls to MCP servers are not billed."""
    kinds = [step.item["type"].removesuffix("_call") for step in done if step.item["type"] != "mcp_call"]
    return {kind: {"count": kinds.count(kind)} for kind in dict.fromkeys(kinds)}


def briefed(messages: list[Json], done: list[Step]) -> list[Json]:
    """The messages with what the tools found, as chat has a tool's result."""
    told = {step.found: step.item["type"].removesuffix("_call") for step in done if step.found}
    if not told:
        return messages
    call = {"id": "found", "type": "function", "function": {"name": next(iter(told.values())), "arguments": "{}"}}
    return [
        *messages,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "found", "content": " ".join(told)},
    ]


def _quoted(question: str, text: str, most: int = MOST_QUOTED) -> str:
    """The sentences that fit a question best; the first ones where none does, or where a summary is asked for."""
    from qwenkit.sandbox.mind.cues import cue
    from qwenkit.sandbox.mind.reading import sentences

    said = sentences(text)
    whole = cue("extract.summary").search(question)
    places = [] if whole else sorted(found.place for found in Ranking(said).best(question, most))
    return " ".join(said[place] for place in places) or " ".join(said[:most])


def _item(kind: str, **told: Any) -> Json:
    return {"type": f"{kind}_call", "status": "completed", **told}


def _interpreter(wish: Wish) -> Iterator[Step]:
    code, logs = _worked_out(wish)
    written, found, thought = f"print({code})", f"{code} = {logs}", f"I work out {code}."
    if not logs:
        if not (wish.forced or _CODE.search(wish.question)):
            return
        written, logs, found, thought = "# no sum found", _NO_CODE, _NO_CODE, "I have no interpreter for this."
    outputs = [{"type": "logs", "logs": logs + "\n"}]
    place = f"sandbox-{digest(wish.seed)[:12]}"
    yield Step(_item("code_interpreter", code=written, container_id=place, outputs=outputs), found, thought)


def _worked_out(wish: Wish) -> tuple[str, str]:
    """The sum in a question as code, and its value; both empty when there is none."""
    from qwenkit.sandbox.mind import expression
    from qwenkit.sandbox.mind.evidence import Evidence

    try:
        found = expression.find(wish.question)
    except ArithmeticError as problem:
        return "".join(_SUM.findall(wish.question)[:1]).strip(), type(problem).__name__
    sums = Evidence(wish.question, wish.today).expressions()
    return (sums[0], expression.shown(found.value)) if found and sums else ("", "")


def _search(wish: Wish) -> Iterator[Step]:
    questions = [each for each in _SENTENCE.split(wish.question) if each.strip().endswith(("?", "？"))]
    questions = [each for each in questions or [wish.question] if wish.forced or _worth_searching(each, wish.today)]
    for question in questions[:MOST_SEARCHES]:
        query = " ".join(question.split())
        pages = web.search(query, MOST_PAGES)
        sources = [{"type": "url", "url": page.url} for page in pages]
        item = _item("web_search", action={"type": "search", "query": query, "sources": sources})
        yield Step(item, _quoted(query, "\n".join(page.text for page in pages), 1), f"I search for “{query}”.")


def _worth_searching(question: str, today: date) -> bool:
    """Asked to, or a question that is not about an address and that no sum or self-knowledge answers."""
    from qwenkit.sandbox.mind import Prompt
    from qwenkit.sandbox.mind.arithmetic import arithmetic
    from qwenkit.sandbox.mind.cues import cue
    from qwenkit.sandbox.mind.identity import identity
    from qwenkit.sandbox.mind.recall import recall
    from qwenkit.sandbox.mind.scene import read

    if _SEARCH.search(question):
        return True
    if ADDRESS.search(question) or not cue("extract.asking").search(question) or not terms(question):
        return False
    scene = read(Prompt([{"role": "user", "content": question}], today=today))
    return not any(faculty(scene) for faculty in (identity, recall, arithmetic))


def _extract(wish: Wish) -> Iterator[Step]:
    """The addresses in the question, or the best page that a search has just found."""
    urls = [url.rstrip(".,;?!") for url in ADDRESS.findall(wish.question)]
    searches = [step.item["action"] for step in wish.before if step.item["type"] == "web_search_call"]
    best = [action["sources"][0]["url"] for action in searches if action["sources"]]
    for url in dict.fromkeys(urls or best):
        page = web.page(url)
        output = f"{page.title}\n{page.text}" if page else _NO_PAGE.format(url=url)
        goal = " ".join(ADDRESS.sub("", wish.question).split())
        item = _item("web_extractor", goal=goal, urls=[url], output=output)
        found = _quoted(goal, page.text) if page else output
        yield Step(item, found if urls else "", f"I read {url}.")  # what a search has found is told already


def _file_search(wish: Wish) -> Iterator[Step]:
    """Passages of the documents uploaded for `file-extract`; knowledge bases as such are not here yet."""
    if not terms(wish.question):
        return
    files = wish.service.shelf(Files).newest("file-extract", 0, 2**53)
    texts = [(file, text) for file in files for text in passages(file.text)]
    ranking = Ranking(text for _, text in texts)
    ceiling = ranking.ceiling(wish.question) or 1.0
    results = []
    for place, score in ranking.best(wish.question, MOST_RESULTS):
        file, text = texts[place]
        told = {"file_id": file.id, "filename": file.filename, "score": round(score / ceiling, 4), "text": text}
        results.append(told)
    found = _quoted(wish.question, "\n".join(str(each["text"]) for each in results))
    yield Step(_item("file_search", queries=[wish.question], results=results), found, "I look into the files.")


def _pictures(wish: Wish) -> Iterator[Step]:
    if wish.forced or _PICTURE.search(wish.question):
        yield _no_pictures("web_search_image", {"queries": [wish.question]})


def _similar_pictures(wish: Wish) -> Iterator[Step]:
    if wish.pictures:
        yield _no_pictures("image_search", {"img_idx": 0, "bbox": [0, 0, 1000, 1000]})


def _no_pictures(name: str, arguments: Json) -> Step:
    told = json.dumps(arguments, ensure_ascii=False)
    return Step(_item(name, name=name, arguments=told, output="[]"), _NO_PICTURES, "I look for pictures.")


def _mcp(wish: Wish) -> Iterator[Step]:
    label = str(wish.tool.get("server_label") or "")
    about = terms(f"{label} {wish.tool.get('server_description') or ''} mcp")
    if wish.forced or set(about) & set(terms(wish.question)):
        found = _NO_SERVER.format(label=label or "the server")
        said = {"name": "list_tools", "arguments": "{}", "output": json.dumps({"error": found})}
        yield Step(_item("mcp", server_label=label, **said), found, f"I ask {label}.")


_TOOLS: dict[str, Callable[[Wish], Iterator[Step]]] = {
    "mcp": _mcp,
    "file_search": _file_search,
    "code_interpreter": _interpreter,
    "web_search": _search,
    "web_extractor": _extract,
    "web_search_image": _pictures,
    "image_search": _similar_pictures,
}
