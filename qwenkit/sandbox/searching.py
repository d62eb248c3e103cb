"""Web search within a chat call: what was found goes before the model as part of the prompt.

`enable_search` lets the service decide, `forced_search` decides for it; here a question is worth a search when a page
answers a fair share of its words; a forced search takes what shares any. The pages are the bundled ones of `web`, and
the prompt says so. The compatible answer never shows what was found; the native one has `search_info`, made here too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qwenkit.sandbox import web
from qwenkit.sandbox.messages import last_words
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.web import Page

STRATEGIES = {"turbo": 3, "max": 5, "agent": 5, "agent_max": 8}  # and how many pages each reads


def found(order: Order) -> list[Page]:
    """The pages this order's search finds; none when it does not search."""
    if not order.body.get("enable_search"):
        return []
    options = order.body.get("search_options") or {}
    most = STRATEGIES[options.get("search_strategy") or "turbo"]
    query, sites = last_words(order.messages), options.get("assigned_site_list") or ()
    return web.search(query, most, sites, loosely=bool(options.get("forced_search")))


def grounded(order: Order, pages: list[Page]) -> Order:
    """The order with the pages before its first message that is not the system's."""
    if not pages:
        return order
    read = "\n\n".join(f"[{at}]\n{page.text}" for at, page in enumerate(pages, 1))
    told = {"role": "search", "content": f"Search results from {web.LABEL}:\n\n{read}"}
    start = next((at for at, each in enumerate(order.messages) if each["role"] != "system"), 0)
    messages = [*order.messages[:start], told, *order.messages[start:]]
    return replace(order, body={**order.body, "messages": messages})


def search_info(pages: list[Page]) -> dict[str, Any]:
    """The pages as the native answer shows them."""
    results = [
        {"site_name": page.site, "icon": "", "index": at, "title": page.title, "url": page.url}
        for at, page in enumerate(pages, 1)
    ]
    return {"search_results": results}
