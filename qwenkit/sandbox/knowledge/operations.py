"""What an operation of the knowledge services is given, and what it keeps and tells.

Parameters come in the query, as a form, as JSON or in the path, lists and objects also as JSON text, booleans also as
`True`. The OpenAPI writes `IndexId` where the RAG API writes `indexId` or `index_id`: an operation reads all of them by
one name, so that the services share it. How a value is told is a text: "Size:size Mode:settings.mode".
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

from starlette.requests import Request

from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.knowledge.library import Library
from qwenkit.sandbox.knowledge.values import Wrong
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.store import Store

Json = dict[str, Any]
Run = Callable[["Ask"], Any]
_SAME = {
    "docIds": "documentIds",
    "docId": "fileId",
    "filed": "fileId",
    "category": "categoryId",
    "type": "categoryType",
}
_SAME |= {"parentId": "parentCategoryId", "maxResult": "maxResults", "sizeBytes": "sizeInBytes", "topK": "rerankTopN"}


class Operation(NamedTuple):
    """A row of a table: name, method and path on the wire, the parameters it needs, and what makes its data."""

    name: str
    method: str
    path: str
    needs: list[str]
    run: Run


def operations(root: str, rows: Mapping[str, Run]) -> Iterator[Operation]:
    """The rows of a table: "Name METHOD path needs…" and what makes the data."""
    for told, run in rows.items():
        name, method, path, *needs = told.split()
        yield Operation(name, method, root + path, needs, run)


def parsed(text: str) -> Any:
    """JSON that can be kept and told again: None for what is broken, or holds half a character or no number."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return value


def ran(run: Run, ask: Ask) -> Any:
    """What an operation makes of a call, however deep the values of that are."""
    try:
        return run(ask)
    except RecursionError:
        raise Wrong("InvalidParameter", "The parameters are nested too deeply.") from None


class Ask:
    """One call: its parameters, read as what they should be or refused with their name, for which `code` may have a
    place."""

    def __init__(self, service: Service, values: Mapping[str, Any], id: str, root: str, code: str) -> None:
        self.service, self.request_id, self.root, self._code = service, id, root, code
        self.library, self.cards, self.now = service.shelf(Library), service.shelf(Cards), service.clock()
        self._values = {name: value for given, value in values.items() for name in _spellings(given)} | {**values}

    @classmethod
    def of(cls, service: Service, request: Request, values: Mapping[str, Any], code: str = "InvalidParameter") -> Ask:
        given = {**request.query_params, **values, **request.path_params}
        return cls(service, given, request.state.request_id, str(request.base_url).rstrip("/"), code)

    def inner(self, values: Mapping[str, Any]) -> Ask:
        """The same call, about one of its objects."""
        return Ask(self.service, values, self.request_id, self.root, self._code)

    def id(self, kind: str, place: int = 0) -> str:
        """A new id, the same for the same call of the same sandbox."""
        return digest(f"{self.service.seed}/{kind}/{self.request_id}/{place}")[:32]

    def wrong(self, name: str) -> Wrong:
        told = f"Required parameter({name}) missing or invalid, please check the request parameters."
        return Wrong(self._code.format(name[0].upper() + name[1:]), told)

    def given(self, name: str) -> Any:
        return self._values.get(name[:1].lower() + name[1:])

    def __contains__(self, name: str) -> bool:
        return self.given(name) not in (None, "")

    def need(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self:
                raise self.wrong(name)

    def text(self, name: str, usual: str = "", most: int = 10**6) -> str:
        value = self.given(name) if name in self else usual
        if not isinstance(value, str | int | float) or len(str(value)) > most:
            raise self.wrong(name)
        return str(value)

    def number(self, name: str, usual: float = 0.0, least: float = 0.0, most: float = 1.0) -> float:
        try:
            value = float(self.text(name, str(usual)))
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise self.wrong(name)
        return value

    def whole(self, name: str, usual: int = 0, least: int = 0, most: int = 10**12) -> int:
        value = self.number(name, usual, least, most)
        if value != int(value):
            raise self.wrong(name)
        return int(value)

    def yes(self, name: str, usual: bool = False) -> bool:
        told = self.text(name, str(usual)).lower()
        if told not in ("true", "false"):
            raise self.wrong(name)
        return told == "true"

    def json(self, name: str, kind: type = dict) -> Any:
        """An object or a list, or the JSON text of one."""
        value = self.given(name) if name in self else kind()
        value = parsed(value) if isinstance(value, str) else value
        if not isinstance(value, kind):
            raise self.wrong(name)
        return value

    def several(self, name: str, kind: type = str, most: int = 10**6) -> list[Any]:
        found = list(self.json(name, list))
        if len(found) > most or not all(isinstance(each, kind) for each in found):
            raise self.wrong(name)
        return found

    def chosen(self, read: Callable[[str], Any], **names: str) -> Json:
        """Those of the parameters that are there, by names of our own."""
        return {field: read(name) for field, name in names.items() if name in self}

    def page(self, rows: list[Any], told: Callable[[Any], Any], names: str, usual: int = 10, most: int = 100) -> Json:
        """A page as it is asked for, under the names given: its rows, its number, its length, how many there are."""
        shown, at, long, total = names.split()
        number, length = self.whole(_camel(at), 1, 1), self.whole(_camel(long), usual, 1, most)
        here = [told(each) for each in rows[(number - 1) * length : number * length]]
        return {shown: here, at: number, long: length, total: len(rows)}

    def part(self, rows: list[Any], size: int, most: int) -> tuple[list[Any], int, str]:
        """The rows from the token on, how many at most, and the token of what is left."""
        length, start = self.whole("MaxResults", size, 1, most), self.whole("NextToken", 0, 0, len(rows))
        return rows[start : start + length], length, str(start + length) if start + length < len(rows) else ""


def _camel(name: str) -> str:
    first, *rest = (name[:1].lower() + name[1:]).split("_")
    return first + "".join(word.capitalize() for word in rest)


def _spellings(name: str) -> set[str]:
    return {name[:1].lower() + name[1:], _camel(name), _SAME.get(_camel(name), _camel(name))}


def telling(fields: str) -> Callable[[Any], Json]:
    """How a value is told: each name on the wire and where it lies."""
    places = {wire: attrgetter(place) for wire, _, place in (field.partition(":") for field in fields.split())}
    return lambda value: {wire: place(value) for wire, place in places.items()}


class Cards:
    """Small things kept as JSON: each of a kind, in an owner's box, in the order they came."""

    def __init__(self, store: Store) -> None:
        self._store = store
        fields = "place INTEGER PRIMARY KEY, kind TEXT, id TEXT, owner TEXT, body TEXT, UNIQUE (kind, id)"
        store.run(f"CREATE TABLE IF NOT EXISTS cards ({fields})")

    def put(self, kind: str, id: str, body: Json, owner: str = "") -> None:
        put = "INSERT INTO cards (kind, id, owner, body) VALUES (?, ?, ?, ?)"
        change = " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body"
        self._store.run(put + change, kind, id, owner, json.dumps(body, ensure_ascii=False))

    def get(self, kind: str, id: str, owner: str | None = None) -> Json | None:
        return dict(self.all(kind, owner)).get(id)

    def all(self, kind: str, owner: str | None = "") -> list[tuple[str, Json]]:
        """Those of an owner, or of anybody's, oldest first."""
        where = "SELECT id, body FROM cards WHERE kind = ? AND ifnull(?, owner) = owner ORDER BY place"
        return [(id, json.loads(body)) for id, body in self._store.run(where, kind, owner)]

    def drop(self, kind: str, id: str) -> None:
        """Forget it, and what was in its box."""
        self._store.run("DELETE FROM cards WHERE kind = ? AND id = ? OR owner = ?", kind, id, id)
