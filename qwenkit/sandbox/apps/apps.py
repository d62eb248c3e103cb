"""The applications of a sandbox: three that are there at the start (`data/apps.json`), and more from Python.

An id is a digest of the name, the same in every sandbox; adding one of the same name again publishes it anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from qwenkit import catalogue
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.store import Store

if TYPE_CHECKING:
    from qwenkit.sandbox.service import Service

AGENT, WORKFLOW = "agent", "workflow"
NODES = ("Start", "LLM", "Plugin", "Batch", "Output", "End")
TOOLS = ("calculator", "unit_converter", "calendar", "locker")
TYPES: dict[str, Any] = {"string": str, "number": (int, float), "boolean": bool, "object": dict, "array": list}
MOST_KNOWLEDGE, MOST_ROUNDS = 5, 50
IDLE = 3600.0  # seconds after which a session is over
OWN_KNOWLEDGE = "sandbox-documents"  # the name of the example's knowledge base, made when it is first needed
_SLOT = re.compile(r"\$\{\s*([\w.-]+)\s*\}")


def app_id(name: str) -> str:
    return digest(f"qwenkit sandbox application {name}")[:32]


EXAMPLES = {name: app_id(name) for name in ("tutor", "documents", "workflow")}


@dataclass(frozen=True)
class Node:
    """A node of a workflow; one without an id is called by type and place, `LLM_1`. `text` is what it says, asks or
    works on, with `${sys.query}` and `${LLM_1.result}` in it; a batch goes over its lines, each `${Batch_2.item}`, with
    the nodes whose `parent` it is."""

    id: str
    type: str
    name: str
    text: str = ""
    instructions: str = ""
    model: str = "qwen-plus"
    tool: str = ""
    parent: str = ""
    thinking: bool = False
    stream: bool = True


@dataclass(frozen=True)
class App:
    """One application, as it was published last."""

    id: str
    name: str
    kind: str = AGENT
    instructions: str = ""
    model: str = "qwen-plus"
    knowledge: Sequence[str] = ()  # ids of knowledge bases
    tools: Sequence[str] = ()
    nodes: Sequence[Node] = ()
    variables: Mapping[str, str] = field(default_factory=dict)  # of the start node: types, with a ! if they must come
    published: bool = True
    references: bool = True  # whether it shows its sources
    thinking: bool = False
    web_search: bool = False
    rounds: int = MOST_ROUNDS
    workspace: str = ""  # the only one whose callers may use it

    @classmethod
    def of(cls, name: str, nodes: Sequence[Mapping[str, Any]] = (), **settings: Any) -> App:
        usual = [{"id": f"{each.get('type')}_{at}", "name": each.get("type")} for at, each in enumerate(nodes)]
        made = [Node(**{**first, **each}) for first, each in zip(usual, nodes, strict=True)]
        return cls(**{**settings, "id": app_id(str(name)), "name": name, "nodes": made})


class Kept:
    """What applications keep: their own definitions, the sessions of their callers, responses to come."""

    def __init__(self, store: Store) -> None:
        self._store = store
        columns = "kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL"
        store.run(f"CREATE TABLE IF NOT EXISTS apps_kept ({columns}, PRIMARY KEY (kind, name))")

    def get(self, kind: str, name: str, since: float = 0.0) -> Any:
        asked = "SELECT value FROM apps_kept WHERE kind = ? AND name = ? AND at >= ?"
        rows = self._store.run(asked, kind, name, since)
        return json.loads(rows[0][0]) if rows else None

    def put(self, kind: str, name: str, value: Any, at: float = 0.0) -> None:
        self._store.run("INSERT OR REPLACE INTO apps_kept VALUES (?, ?, ?, ?)", kind, name, told(value), at)

    def rounds(self, app: str, session: str, now: float) -> list[list[str]] | None:
        """What was asked and answered in a session that goes on: not one that was idle for an hour, is full, is
        another application's or was never there."""
        rounds: list[list[str]] | None = self.get(f"session of {app}", session, now - IDLE)
        return None if rounds is None or len(rounds) >= MOST_ROUNDS else rounds

    def went_on(self, app: str, session: str, rounds: list[list[str]], now: float) -> None:
        self._store.run("DELETE FROM apps_kept WHERE kind LIKE 'session of %' AND at < ?", now - IDLE)
        self.put(f"session of {app}", session, rounds, now)


@cache
def _starting() -> dict[str, App]:
    rows = json.loads(files("qwenkit.sandbox").joinpath("data", "apps.json").read_text("utf-8"))
    return {app.id: app for app in (App.of(**row) for row in rows)}


def published(service: Service, name: str, workspace: str) -> App | None:
    """The application of an id, if its caller may use it: one that is not published is as good as none."""
    kept = service.shelf(Kept).get("app", name)
    app = App.of(**kept) if kept else _starting().get(name)
    return app if app and app.published and app.workspace in ("", workspace) else None


def add_app(service: Service, name: str, kind: str = AGENT, **settings: Any) -> str:
    """Publish an application, and its id. `settings` are the fields of `App`: `instructions="…"`, `tools=[…]`,
    `nodes=[{"type": "Start"}, {"type": "LLM", "text": "${sys.query}"}, …]`, `variables={"city": "string"}`, …"""
    known = [each.name for each in fields(App)][2:]
    unknown = [key for key in settings if key not in known]
    if unknown:
        raise ValueError(f"an application has no {unknown[0]!r}: use {', '.join(known)}")
    try:
        app = App.of(name, kind=kind, **settings)
        problem = _problem(app)
    except (TypeError, AttributeError) as odd:
        nodes = ", ".join(each.name for each in fields(Node))
        raise ValueError(f"{odd}: nodes are dicts of {nodes}; knowledge and tools are lists of names") from None
    if problem:
        raise ValueError(problem)
    service.shelf(Kept).put("app", app.id, asdict(app))
    return app.id


def _problem(app: App) -> str:
    """What is wrong with an application, in a line that says what to do; empty when nothing is."""
    kinds, ids = [node.type for node in app.nodes], [node.id for node in app.nodes]
    models = [app.model, *(node.model for node in app.nodes)]
    mute = [name for name in models if getattr(catalogue.model(str(name)), "endpoint", "") != "chat"]
    tools = {*app.tools, *(node.tool for node in app.nodes if node.type == "Plugin")} - {*TOOLS}
    lost = {node.parent for node in app.nodes} - {"", *(node.id for node in app.nodes if node.type == "Batch")}
    odd = {kind.rstrip("!") for kind in app.variables.values()} - {*TYPES}
    ends, flow = [*kinds[:1], *kinds[-1:]], app.kind == WORKFLOW
    checks = (
        (not str(app.name).strip(), "an application needs a name: add_app('guide', …)"),
        (app.name in EXAMPLES, f"{app.name!r} is there from the start: choose another name"),
        (app.kind not in (AGENT, WORKFLOW), f"there is no kind {app.kind!r}: use 'agent' or 'workflow'"),
        (mute, f"no chat model is called {', '.join(map(str, mute))}: models.list() has them"),
        (tools, f"there is no tool {', '.join(sorted(map(repr, tools)))}: use {', '.join(TOOLS)}"),
        (len(app.knowledge) > MOST_KNOWLEDGE, f"at most {MOST_KNOWLEDGE} knowledge bases: name fewer"),
        (not 0 <= app.rounds <= MOST_ROUNDS, f"rounds are 0 to {MOST_ROUNDS}: so many are read of a session"),
        (app.nodes and not flow, "an agent has no nodes: say kind='workflow'"),
        ({*kinds} - {*NODES}, f"a node is one of {', '.join(NODES)}"),
        (flow and ends != ["Start", "End"], 'a workflow goes from {"type": "Start"} to {"type": "End", "text": "…"}'),
        (len({*ids}) < len(ids), "two nodes have the same id: give each one of its own"),
        (lost, f"no Batch node is called {', '.join(sorted(lost))}: a parent is the id of one"),
        (odd, f"a variable is one of {', '.join(TYPES)}, with a ! behind it if it must be given"),
    )
    return next((text for bad, text in checks if bad), "")


def told(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def filled(text: str, values: Mapping[str, Any]) -> str:
    """A text with `${name}` replaced by what the name stands for; by nothing when it stands for nothing."""
    named = ((each, values.get(each, "")) for each in _SLOT.findall(text))
    shown = {each: value if isinstance(value, str) else told(value) for each, value in named}
    return _SLOT.sub(lambda found: shown[found[1]], text)
