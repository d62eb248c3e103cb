"""Cold starts, as the shortest script a newcomer would write: an import alone, and the way to the first answer."""

from __future__ import annotations

import json

from tests.bench.contestants import COMPATIBLE, HEADERS, KEY, MODEL
from tests.bench.processes import fresh
from tests.bench.works import Figures

# Leaves without tearing down, so that only the way to here counts.
_END = """
import json, os, sys, time
cpu = time.process_time_ns()
rss = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
print(json.dumps({"cpu": cpu / 1e6, "modules": len(sys.modules), "rss": rss / 1024}), flush=True)
os._exit(0)
"""
_IMPORTS = {
    "python": "",
    "openai": "from openai import OpenAI\n",
    "qwenkit.Client": "import qwenkit\nqwenkit.Client\n",
}
_MESSAGES = [{"role": "user", "content": "hi"}]
_FIRST_ANSWER = {
    "httpx": f"""
import httpx, json
client = httpx.Client(headers={HEADERS!r})
answer = client.post(URL + {COMPATIBLE!r} + "/chat/completions",
                     content=json.dumps({{"model": {MODEL!r}, "messages": {_MESSAGES!r}}}))
text = json.loads(answer.content)["choices"][0]["message"]["content"]
""",
    "qwenkit": f"""
import qwenkit as qk
qwen = qk.Client(api_key={KEY!r}, base_url=URL)
text = qwen.chat("hi", model={MODEL!r}).text
""",
    "openai": f"""
from openai import OpenAI
client = OpenAI(api_key={KEY!r}, base_url=URL + {COMPATIBLE!r})
text = client.chat.completions.create(model={MODEL!r}, messages={_MESSAGES!r}).choices[0].message.content
""",
    "dashscope": f"""
import dashscope
dashscope.base_http_api_url = URL + "/api/v1"
answer = dashscope.Generation.call(model={MODEL!r}, messages={_MESSAGES!r}, api_key={KEY!r}, result_format="message")
text = answer.output.choices[0].message.content
""",
}


def importing(contestant: str, _url: str, _size: int) -> Figures:
    """`import contestant`; "python" imports nothing and is what the others are counted from.

    openai and qwenkit load names late, so each also has the name that everybody needs first imported with it: openai's
    always (as its README does), qwenkit's as a contestant of its own.
    """
    return _figures(_IMPORTS.get(contestant, f"import {contestant}\n"))


def first_answer(contestant: str, url: str, _size: int) -> Figures:
    """From the start of the process to the text of a short answer. httpx loads its certificates, as scripts let it."""
    return _figures(f"URL = {url!r}\n{_FIRST_ANSWER[contestant]}assert text == 'Seven.', text\n")


def _figures(code: str) -> Figures:
    line, wall = fresh("-c", code + _END)
    return {**json.loads(line), "wall": wall * 1e3}
