"""The error card: what happened, to which request, and what to do next, in place of forty frames of traceback."""

from __future__ import annotations

from qwenkit.display.markdown import markdown
from qwenkit.display.page import Bundle, address, escape, fold, foot, head, note, page, portless, source, volatile
from qwenkit.display.rounds import body
from qwenkit.display.text import clip, line, pretty
from qwenkit.errors import QwenError, SchemaMismatch

MAX_MESSAGE = 2_000
MAX_FACT = 200


def error(value: QwenError) -> Bundle:
    return {"text/plain": _plain(value), "text/html": _card(value)}


def _card(value: QwenError) -> str:
    message, rest = clip(value.message, MAX_MESSAGE)
    cure = f'<p class="qk-cure">→ {address(value.hint)}</p>' if value.hint else ""
    said = f'<p class="qk-said" dir="auto">{address(message)}</p>{note(rest)}'
    return page(
        "error",
        head(type(value).__name__, *map(escape, _label(value))),
        said,
        cure,
        _arrived(value),
        foot(_facts(value)),
    )


def _label(value: QwenError) -> list[str]:
    """Status and code, where the service gave them."""
    given = (getattr(value, "status", None), getattr(value, "code", ""))
    return [line(str(part), MAX_FACT) for part in given if part]


def _facts(value: QwenError) -> list[str]:
    return [
        address(line(value.request, MAX_FACT)),
        f"tried {value.tries} times" if value.tries > 1 else "",
        volatile(f"request {line(value.request_id, MAX_FACT)}") if value.request_id else "",
    ]


def _arrived(value: QwenError) -> str:
    """What a broken stream had brought before it broke; what an answer says that does not fit."""
    text = getattr(value.reply, "text", "")
    if isinstance(value, SchemaMismatch):
        shown, rest = clip(pretty(value.text), MAX_MESSAGE)
        return fold("The answer", source(shown) + note(rest), open=True)
    return fold("What had arrived", body(markdown(text))) if text else ""


def _plain(value: QwenError) -> str:
    """One line, without the request id: it differs from run to run."""
    message, rest = clip(value.message, MAX_MESSAGE)
    said = [value.request, f"tried {value.tries} times" if value.tries > 1 else ""]
    facts = ", ".join(fact for fact in said if fact)
    title = " ".join([type(value).__name__, *_label(value)])
    return portless(
        f"{title}: {message}{rest}" + (f" ({facts})" if facts else "") + (value.hint and f" → {value.hint}")
    )
