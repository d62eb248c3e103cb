"""An answer beside what it rests on, and the recall of a search as a table.

Citations that hold are raised numbers, those that do not are struck through and told of below. Under the answer stand
the chunks it points to, with the words it shares with them marked; all that the model saw is behind a fold.
"""

from __future__ import annotations

from qwenkit.display import hits as found
from qwenkit.display.citations import raised, sources
from qwenkit.display.knowledge import marked, terms
from qwenkit.display.markdown import markdown
from qwenkit.display.page import Bundle, bar, escape, fold, foot, head, note, page, table
from qwenkit.display.reply import footer
from qwenkit.display.rounds import body, thinking
from qwenkit.display.text import columns, line
from qwenkit.types.grounded import Citation, Grounded, Miss, Recall

MAX_WRONG = 8
MAX_CITED = 12
MAX_PASSAGES = 50
MAX_SENTENCE = 120
MAX_MISSES = 12


def grounded(value: Grounded) -> Bundle:
    rows = value.hits.rows
    names = {place: found.where(each) for place, each in enumerate(rows, 1)}
    holds: dict[int, list[bool]] = {}
    for each in value.citations:
        holds.setdefault(each.number, []).append(each.supported)
    titles = dict.fromkeys(holds, "there is no such passage") | names
    told = [_complaint(each) for each in value.unsupported[:MAX_WRONG]]
    more = len(value.unsupported) - MAX_WRONG
    behind = found.scores(rows[:MAX_PASSAGES]) + found.chunks(rows, value.hits.query)
    html = page(
        "grounded",
        thinking(markdown(value.reply.thinking)),
        body(raised(markdown(value.text), titles, plain=True, holds=holds)),
        *(note(each, "warn") for each in told),
        note(f"… {more} more in .unsupported" if more > 0 else ""),
        note(_bare(value), "warn" if value.citations else "") if value.uncited else "",
        *(_cited(value, number, names[number]) for number in list(holds)[:MAX_CITED] if number in names),
        fold(f"{len(rows)} passages were shown", behind) if rows else note("No passage was found."),
        foot([_verdict(value), *footer(value.reply)]),
    )
    lines = [f"[{number}] {line(titles[number], MAX_SENTENCE)}" for number in list(holds)[:MAX_CITED]]
    return {"text/plain": "\n".join([value.text, *([""] if lines else []), *lines, *told]), "text/html": html}


def _cited(value: Grounded, number: int, name: str) -> str:
    """A passage that the answer points to, with the words that both have marked."""
    said = " ".join(each.sentence for each in value.citations if each.number == number)
    words = terms(said)
    return sources([(number, name, "", value.hits[number - 1].text)], 1, lambda text: marked(text, words))


def _verdict(value: Grounded) -> str:
    count = len(value.citations)
    if not count:
        return "nothing cited"
    holding = count - len(value.unsupported)
    return (
        f"{holding} of {count} citations hold" if count > 1 else "its citation holds" if holding else "it does not hold"
    )


def _complaint(each: Citation) -> str:
    said = f"“{line(each.sentence, MAX_SENTENCE)}”"
    if each.chunk is None:
        return f"[{each.number}] points nowhere: {said}"
    if each.across and not each.missing:
        return f"[{each.number}] is in another language, and no number can be checked: {said}"
    missing = f"; it does not have {', '.join(each.missing[:4])}" if each.missing else ""
    return f"[{each.number}] does not say so ({each.share:.0%} of the words{missing}): {said}"


def _bare(value: Grounded) -> str:
    more = f" and {len(value.uncited) - 1} more" if len(value.uncited) > 1 else ""
    return f"Without a source: “{line(value.uncited[0], MAX_SENTENCE)}”{more}"


def _missed(rows: list[Miss]) -> str:
    listed = "".join(f'<li dir="auto">{escape(line(each.question, MAX_SENTENCE))}</li>' for each in rows[:MAX_MISSES])
    return f"<ul>{listed}</ul>" + note(f"… {len(rows) - MAX_MISSES} more in .misses" if len(rows) > MAX_MISSES else "")


def recall(value: Recall) -> Bundle:
    """Shares as a table: one row for each way of searching, one column for each pair of languages."""
    groups = list(value.groups) if len(value.groups) > 1 else []
    heads = ["", "all", *groups]
    lines = [
        [how, f"{share:.0%}", *(f"{value.groups[g][how]:.0%}" for g in groups)] for how, share in value.shares.items()
    ]
    cells = [
        [f"<strong>{escape(how)}</strong>", f"{bar(share, 1.0, warn=1.1)} {share:.0%}", *map(escape, line_[2:])]
        for (how, share), line_ in zip(value.shares.items(), lines, strict=True)
    ]
    title = f"recall@{value.k} of {value.questions} questions"
    right = frozenset(range(1, len(heads)))
    missed = [
        fold(f"{escape(how)} missed {len(rows)}", _missed(rows))
        for how in value.shares
        if (rows := value.misses.get(how))
    ]
    html = page("recall", head(title), table(heads, cells, right=right), *missed)
    return {"text/plain": f"{title}\n{columns([heads, *lines], right)}", "text/html": html}
