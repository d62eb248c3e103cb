"""A value for any JSON schema of the documented subset, filled from the prompt where it can.

Candidates are made one after another and each is checked against the schema itself before it is used. `salt` asks
for a different value of the same kind: sets of unique items and branches of a oneOf are found by counting it up.
What nobody said becomes null where that is allowed, else the emptiest value there is: nothing is made up, unless a
made-up example is what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from . import scalars
from .check import Schema, canonical, target, types, valid
from .cues import cue, label
from .evidence import Evidence, hinted
from .library import lexicon
from .merge import merged

_SCALARS = {"string", "integer", "number", "boolean", "null"}
_FULL_DEPTH = 4  # deeper down only what is required is filled, and branches that refer back come last
_DEEPEST = 24
_MOST_TRIES = 40
_MOST_ITEMS = 400
_ENDS = (("min", 0), ("max", _MOST_ITEMS))
_SHAPES = {
    "object": ("properties", "required", "additionalProperties", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "uniqueItems"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


# What a schema that is none brings about; it is read as one that allows anything.
NONSENSE = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)


class Filler:
    """Fills one root schema from texts, the first that says something about a field; `answer` fills the answer."""

    def __init__(
        self,
        root: Any,
        *sources: Evidence,
        answer: Evidence | None = None,
        asked: str = "",
        inventing: bool = False,
        inner: bool = False,
    ) -> None:
        self._root = root
        self._sources = sources
        self._answer = answer
        self._kind = label("evidence.hints", asked)  # of what a list is asked for: the cities of "which cities …?"
        self._inventing = inventing
        self._inner = inner  # an item of a list of objects, in which the same clause is not read for another list
        self._open: list[Any] = _own(root)  # references being filled: what refers back to one of them ends at once
        self._hits = 0
        self._guessed = False

    def fill(self) -> Any:
        try:
            return self._value(self._root, "", 0, 0)
        except NONSENSE:
            return {}

    def _value(self, schema: Any, key: str, depth: int, salt: int) -> Any:
        """The first candidate that checks out; the first of all if none does, for then the schema allows nothing."""
        tried = []
        self._open.append(_reference(schema))
        try:
            for candidate in islice(self._candidates(schema, key, depth, salt), _MOST_TRIES):
                if valid(candidate, schema, self._root):
                    return candidate
                tried.append(candidate)
            return tried[0] if tried else None
        finally:
            self._open.pop()

    def _candidates(self, schema: Any, key: str, depth: int, salt: int) -> Iterator[Any]:
        flat = self._flat(schema, 0)
        if depth > _DEEPEST:
            return
        if salt == 0 and depth:
            yield from self._from_prompt(flat, key)
        branching = "anyOf" if flat.get("anyOf") else "oneOf"
        if "const" in flat:
            yield flat["const"]
        elif flat.get(branching):
            base = {name: rule for name, rule in flat.items() if name != branching}
            yield from self._of_branches(base, flat[branching], key, depth, salt)
        elif flat.get("enum"):
            yield from _turned(_unsure_first(flat["enum"]), salt)
        else:
            yield from self._of_types(flat, key, depth, salt)

    def _flat(self, schema: Any, depth: int) -> Schema:
        """One dict for a schema, its references and its allOf."""
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return {}
        flat = {name: rule for name, rule in schema.items() if name not in ("$ref", "allOf")}
        others = [*([target(schema["$ref"], self._root)] if "$ref" in schema else []), *schema.get("allOf", ())]
        for other in others:
            flat = merged(flat, self._flat(other, depth + 1))
        return flat

    def _kinds(self, flat: Schema) -> list[str]:
        """The types a schema allows: as it says, as its branches say, or as its other words imply."""
        branches = [each for name in ("anyOf", "oneOf") for each in flat.get(name, ())]
        named = types(flat) or [kind for each in branches for kind in self._kinds(self._flat(each, 0))][:20]
        implied = [kind for kind, names in _SHAPES.items() if any(name in flat for name in names)]
        return named or ([] if "enum" in flat or "const" in flat else implied or ["string"])

    def _from_prompt(self, flat: Schema, key: str) -> Iterator[Any]:
        """What the prompt says about a plain field, then the default, then null if it is allowed."""
        kinds = set(self._kinds(flat))
        if kinds <= _SCALARS and "const" not in flat:
            yield from self._found(key, flat, kinds)
            if "default" in flat:
                yield flat["default"]
            if "null" in kinds and kinds != {"null"}:
                yield None

    def _found(self, key: str, flat: Schema, kinds: set[str]) -> Iterator[Any]:
        """What the sources say; a field that is the answer itself asks what the mind would have said first."""
        asked = self._answer if cue("json.answer").search(key) else None
        if asked and asked.text and "string" in kinds and "enum" not in flat:
            self._hits += 1
            yield asked.text
        sources = [asked, *(source.stated() for source in self._sources)] if asked else self._sources
        titled = hinted(key, flat) == "titles"  # what the mind knows has no title
        for source in sources[:-1] if titled and len(sources) > 1 else sources:
            found = source.find(key, flat, kinds)
            if found is not None:
                self._hits += 1
                yield found
                return
        subject = sources[0].subject() if self._inner and "string" in kinds and not hinted(key, flat) else ""
        if subject:
            self._hits += 1
            self._guessed = True
            yield subject

    def _of_branches(self, base: Schema, branches: list[Any], key: str, depth: int, salt: int) -> Iterator[Any]:
        ordered = sorted(branches, key=_cost) if depth >= _FULL_DEPTH else list(branches)
        ordered.sort(key=self._refers_back)
        nullable = any(types(each) == ["null"] for each in branches if isinstance(each, dict))
        for turn in range(salt, salt + 3 * len(ordered)):
            branch = merged(base, self._flat(ordered[turn % len(ordered)], 0))
            before = self._hits
            for candidate in islice(self._candidates(branch, key, depth + 1, turn // len(ordered)), 4):
                if nullable and self._hits == before:
                    yield None
                yield candidate

    def _of_types(self, flat: Schema, key: str, depth: int, salt: int) -> Iterator[Any]:
        kinds = self._kinds(flat)
        for turn in range(salt, salt + len(kinds) + 2):
            yield self._of_type(kinds[turn % len(kinds)], flat, key, depth, turn // len(kinds))

    def _of_type(self, kind: str, flat: Schema, key: str, depth: int, salt: int) -> Any:
        match kind:
            case "object":
                return self._object(flat, depth, salt)
            case "array":
                return self._array(flat, key, depth, salt)
            case "string":
                return scalars.text(flat, key, salt, self._inventing)
            case "integer" | "number":
                return scalars.number(flat, kind == "integer", salt)
        return salt % 2 == 1 if kind == "boolean" else None

    def _object(self, flat: Schema, depth: int, salt: int) -> Schema:
        """Everything that is required, and what else is known while there is room and no great depth."""
        known = flat.get("properties", {})
        required = list(flat.get("required", ()))
        optional = [name for name in known if name not in required and known[name] is not False and depth < _FULL_DEPTH]
        room = int(min(flat.get("maxProperties", _MOST_ITEMS), _MOST_ITEMS))
        chosen = {*required, *optional[: max(0, room - len(required))]}
        names = [*(name for name in known if name in chosen), *(name for name in required if name not in known)]
        spare = (name for name in (*known, *(f"key{at}" for at in range(1, _MOST_ITEMS))) if name not in chosen)
        names += islice(spare, max(0, int(flat.get("minProperties", 0)) - len(names)))
        other = flat.get("additionalProperties", True)
        pairs = self._mapped(other, room) if isinstance(other, dict) and not known and salt == 0 else {}
        names = names[len(pairs) :] if pairs and not required else names
        return pairs | {name: self._value(_said(known.get(name, other)), name, depth + 1, salt) for name in names}

    def _mapped(self, rule: Schema, room: int) -> Schema:
        """The pairs of the first source that has some which fit: Ada is 36, Ben is 41."""
        kinds = set(self._kinds(self._flat(rule, 0)))
        for source in self._sources if kinds <= _SCALARS else ():
            pairs = source.stated().pairs("string" in kinds)
            filled = {
                name: said if "string" in kinds else Filler(self._root, Evidence(said, source.today)).item(rule, name)
                for name, said in pairs
            }
            fitting = {name: value for name, value in filled.items() if valid(value, rule, self._root)}
            if fitting:
                self._hits += len(fitting)
                return dict(islice(fitting.items(), room))
        return {}

    def item(self, rule: Any, key: str, most: int = 1) -> Any:
        """A value of which the sources say more than half, or None."""
        value = self._value(rule, key, 1, 0)
        return value if self._hits * 2 > most and valid(value, rule, self._root) else None

    def _refers_back(self, rule: Any) -> bool:
        return _reference(rule) is not None and _reference(rule) in self._open

    def _array(self, flat: Schema, key: str, depth: int, salt: int) -> list[Any]:
        """Items the prompt names, and only as many more as are asked for. `salt` makes the list a different one."""
        prefix, items, unique = list(flat.get("prefixItems", ())), flat.get("items", True), flat.get("uniqueItems")
        low, high = (int(min(flat.get(f"{end}Items", usual), _MOST_ITEMS)) for end, usual in _ENDS)
        shallow = depth < _FULL_DEPTH
        fresh = salt == 0 and not prefix and shallow and not self._refers_back(items)
        values = self._gathered(items, key)[:high] if fresh else []
        self._hits += len(values)
        values = list({canonical(each): each for each in values}.values()) if unique else values
        example = self._inventing and types(self._flat(items, 0)) == ["object"] and not self._refers_back(items)
        usual = len(prefix) + example if shallow else 0
        for at in range(len(values), min(max(low, usual), high)):
            rule = prefix[at] if at < len(prefix) else items
            values.append(self._another(_said(rule), key, depth, salt, values if unique else []))
        return values

    def _another(self, rule: Any, key: str, depth: int, salt: int, taken: list[Any]) -> Any:
        """An item that is not among those taken."""
        seen = set(map(canonical, taken))
        tries = (self._value(rule, key, depth + 1, turn) for turn in range(salt, salt + len(taken) + 30))
        first = next(tries)
        return next((each for each in chain((first,), tries) if canonical(each) not in seen), first)

    def _gathered(self, items: Any, key: str) -> list[Any]:
        """As many items as the prompt names: objects from one clause each, texts from a list, others by kind."""
        flat = self._flat(items, 0)
        if flat.get("properties"):
            return self._of_clauses(items, flat["properties"])
        kinds = set(self._kinds(flat))
        texts = "string" in kinds and "enum" not in flat
        asked = [self._answer] if self._answer and cue("json.answer").search(key) else []
        of_kind = (source.all(self._kind, key) for source in self._sources if asked and self._kind)
        rows = chain(of_kind, (source.listed(key, flat) for source in (*asked, *self._sources))) if texts else iter(())
        values: list[Any] = next((list(dict.fromkeys(row)) for row in rows if row), [])
        if texts and not values:
            values = list(islice(self._found(key.removesuffix("s"), flat, kinds), 1))
        for source in (*asked, *self._sources) if kinds <= _SCALARS and not values else ():
            if "enum" in flat:
                values = [each for each in flat["enum"] if source.find(key, {"enum": [each]}, kinds) is not None]
            elif kinds & {"integer", "number"}:
                values = source.figures(key)
            if values:
                break
        return [each for each in values if valid(each, items, self._root)]

    def _of_clauses(self, items: Any, properties: Schema) -> list[Any]:
        """An object for every clause of the first source that fills more than half of its fields."""
        for source in () if self._inner else self._sources:
            fillers = [Filler(self._root, clause, inner=True) for clause in source.clauses()]
            values = [filler.item(items, "", len(properties)) for filler in fillers]
            # The most that any clause has filled: "total: 9" is no line of it.
            most = max((filler._hits for filler in fillers if filler._guessed), default=0)
            kept = [not filler._guessed or filler._hits == most for filler in fillers]
            values = [each for each, keep in zip(values, kept, strict=True) if keep and each is not None]
            if values:
                return values
        return []


def _own(root: Any) -> list[Any]:
    """The references that lead to the root itself, which may stand there in full."""
    defs = root.get("$defs") if isinstance(root, dict) and root.get("properties") else None
    named = defs.items() if isinstance(defs, dict) else ()
    own = [name for name, rule in named if isinstance(rule, dict) and rule.get("properties") == root["properties"]]
    return ["#", *(f"#/$defs/{name}" for name in own)]


def _reference(rule: Any) -> Any:
    return rule.get("$ref") if isinstance(rule, dict) else None


def _said(rule: Any) -> Any:
    """A field about which the schema says nothing is a text."""
    return {"type": "string"} if rule is True or rule == {} else rule


def _turned(choices: list[Any], salt: int) -> list[Any]:
    at = salt % len(choices)
    return [*choices[at:], *choices[:at]]


def _unsure_first(choices: list[Any]) -> list[Any]:
    """When the prompt decides nothing, "neutral" or "unknown" is the honest choice."""
    unsure = lexicon()["unsure"]
    return sorted(choices, key=lambda each: not (isinstance(each, str) and each.lower() in unsure))


def _cost(schema: Any) -> int:
    """References may lead round in circles: at depth, branches without them are tried first."""
    return str(schema).count("$ref") * 1000 + len(str(schema))
