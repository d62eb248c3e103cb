"""Tools of a realtime session: functions as chat has them, and MCP servers, which are taken down and never reached.

The sandbox opens no address outside this machine, so every server that is listed fails to list its tools, and its
events say why. What opens a connection is not echoed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qwenkit.catalogue.realtime import RealtimeFacts
from qwenkit.sandbox.realtime.wrong import Wrong, missing, unlike

if TYPE_CHECKING:
    from qwenkit.sandbox.realtime.line import Line

Json = dict[str, Any]
MOST_SERVERS = 8
_URL = re.compile(r"https://[^/\s@#?:]+(?::443)?(?:[/?][^\s#]*)?")
_SERVER: dict[str, Callable[[Any], object]] = {
    "server_label": lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value),
    "server_url": lambda value: isinstance(value, str) and len(value) <= 4096 and _URL.fullmatch(value),
    "authorization": lambda value: value is None or (isinstance(value, str) and len(value) <= 8192),
    "headers": lambda value: value is None or (isinstance(value, dict) and len(value) <= 16),
    "allowed_tools": lambda value: value is None or isinstance(value, list),
    "require_approval": lambda value: value in (None, "always", "never"),
}
_UNREACHED = "The sandbox reaches no network: the tools of {} cannot be listed."


def check_tools(tools: list[Any], facts: RealtimeFacts) -> None:
    """Every tool of an update, or the first that will not do."""
    known = ("function", "mcp") if facts.mcp else ("function",)
    for at, tool in enumerate(tools):
        place, sort = f"session.tools[{at}]", tool.get("type") if isinstance(tool, dict) else None
        if sort not in known:
            raise unlike(sort, " or ".join(map(repr, known)), f"{place}.type")
        if sort == "function":
            _check_function(tool.get("function"), place)
        elif wrong := [name for name, fits in _SERVER.items() if not fits(tool.get(name))]:
            raise Wrong(f"Invalid value for '{wrong[0]}' of an MCP tool.", f"{place}.{wrong[0]}")
    labels = [tool["server_label"] for tool in tools if tool["type"] == "mcp"]
    if len(set(labels)) < len(labels) or len(labels) > MOST_SERVERS:
        raise Wrong(f"At most {MOST_SERVERS} MCP servers, each with its own server_label.", "session.tools")


def _check_function(function: Any, place: str) -> None:
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not name:
        raise missing("function.name", f"{place}.function.name")
    parameters = function.get("parameters")
    if parameters is not None and not (isinstance(parameters, dict) and parameters.get("type", "object") == "object"):
        raise Wrong("parameters.type must be 'object'.", f"{place}.function.parameters")


def shown(tool: Json) -> Json:
    """A tool as the session echoes it: without what opens doors."""
    if tool["type"] != "mcp":
        return tool
    named = ("type", "server_label", "allowed_tools", "require_approval")
    address = urlsplit(tool["server_url"])
    return {"server_url": f"https://{address.hostname}{address.path}"} | {n: tool[n] for n in named if n in tool}


async def list_servers(line: Line, tools: list[Json]) -> None:
    """What happens with each MCP server of an update."""
    for tool in tools:
        if tool["type"] == "mcp":
            item = line.id("item")
            await line.send("mcp_list_tools.in_progress", item_id=item)
            told = _UNREACHED.format(shown(tool)["server_url"])
            error = {"type": "connection_error", "code": "", "message": told}
            listed = {"id": item, "object": "realtime.item", "type": "mcp_list_tools", "tools": [], "error": error}
            await line.send("conversation.item.created", item={**listed, "server_label": tool["server_label"]})
            await line.send("mcp_list_tools.failed", item_id=item, error=error)
