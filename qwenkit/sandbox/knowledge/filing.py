"""Categories, leases and files: what is uploaded, parsed and kept, before and beside any knowledge base.

A file is really parsed when it is added. What a client sees of it goes on with each look, or with time, so that it
meets the states on the way; the last one is told only when the work is done.
"""

from __future__ import annotations

import json
from functools import partial

from qwenkit.reading import Unreadable, read
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.knowledge import limits
from qwenkit.sandbox.knowledge.limits import need
from qwenkit.sandbox.knowledge.values import SESSION_FILE, UNSTRUCTURED, Category, File, Ids, Lease, Wrong
from qwenkit.sandbox.knowledge.working import Works
from qwenkit.sandbox.store import Store

LEASE_SECONDS, KEPT_SECONDS = 600.0, 12 * 3600.0  # until an upload must come, until its file must be added
STEP_SECONDS = 30.0  # after which a state goes on without a look
SESSION_SECONDS = 24 * 3600.0
_PATHS = {
    UNSTRUCTURED: ("INIT", "PARSING", "PARSE_SUCCESS"),
    SESSION_FILE: ("INIT", "PARSING", "INDEX_BUILDING", "FILE_IS_READY"),
}
ENDED = ("PARSE_SUCCESS", "PARSE_FAILED", "FILE_IS_READY", "FILE_EXPIRED")
_DEFAULT = Category("default", "Default")
_TABLES = """
kb_numbers(kind TEXT PRIMARY KEY, last INTEGER)
kb_categories(id TEXT PRIMARY KEY, name TEXT, parent TEXT, kind TEXT)
kb_leases(id TEXT PRIMARY KEY, token TEXT, category TEXT, filename TEXT, size INTEGER, kind TEXT, expires REAL, \
data BLOB)
kb_files(id TEXT PRIMARY KEY, name TEXT, kind TEXT, size INTEGER, state TEXT, tags TEXT, created REAL, category TEXT, \
parser TEXT, error TEXT, url TEXT, looks INTEGER, title TEXT, text TEXT, data BLOB)
kb_parsers(category TEXT, type TEXT, parser TEXT, config TEXT, PRIMARY KEY (category, type))
"""


class Filing:
    """The part of the library that holds files."""

    workspace = "llm-sandbox"

    def __init__(self, store: Store) -> None:
        self._store, self._works = store, Works()
        self._make(_TABLES)

    def _make(self, tables: str) -> None:
        for table in tables.strip().split("\n"):
            self._store.run(f"CREATE TABLE IF NOT EXISTS {table}")

    def _number(self, kind: str) -> int:
        put = "INSERT INTO kb_numbers VALUES (?, 1) ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last"
        last: int = self._store.run(put, kind)[0][0]
        return last

    def _name(self, kind: str) -> str:
        """The next id of its kind, as the service spells them."""
        number = self._number(kind)
        return f"{kind}_{digest(f'{kind}/{number}')[:32]}_{10_000_000 + number}"

    # categories and parsers

    def category(self, name: str, parent: str = "", kind: str = UNSTRUCTURED) -> Category:
        """A new category; a name that is there already at its place gives that one."""
        need(0 < len(name.strip()) <= 20, "CategoryName", "It has 1 to 20 characters.")
        need(kind in _PATHS, "CategoryType", f"Use {UNSTRUCTURED}.")
        if found := self.categories(name, parent, kind):
            return found[0]
        if parent:
            self._category(parent, "ParentCategoryId")
        need(len(self.categories()) < limits.MOST_CATEGORIES, "CategoryName", f"{limits.MOST_CATEGORIES} are there.")
        made = Category(self._name("cate"), name, parent, kind)
        self._store.run("INSERT INTO kb_categories VALUES (?, ?, ?, ?)", made.id, name, parent, kind)
        return made

    def categories(self, name: str = "", parent: str | None = None, kind: str = "") -> list[Category]:
        """All of them, the default one first, or those that fit."""
        rows = self._store.run("SELECT id, name, parent, kind FROM kb_categories ORDER BY rowid")
        found = [_DEFAULT, *(Category(*row) for row in rows)]
        fitting = (each for each in found if name in ("", each.name) and kind in ("", each.kind))
        return [each for each in fitting if parent in (None, each.parent)]

    def _category(self, name: str, parameter: str = "CategoryId") -> Category:
        found = [each for each in self.categories() if each.id == name]
        need(found, parameter, f"There is no category {name[:80]!r}.")
        return found[0]

    def delete_category(self, name: str) -> Category:
        found = self._category(name)
        need(not found.default, "CategoryId", "The default category cannot be deleted.")
        empty = not self.categories(parent=name) and not self._files("WHERE category = ?", name)
        need(empty, "CategoryId", "The category is not empty.")
        self._store.run("DELETE FROM kb_categories WHERE id = ?", name)
        return found

    def parse_settings(self, category: str = "default") -> dict[str, tuple[str, str]]:
        """By format, what was chosen: a parser and its configuration as text."""
        rows = self._store.run("SELECT type, parser, config FROM kb_parsers WHERE category = ?", category)
        return {ending: (parser, config) for ending, parser, config in rows}

    def change_parse_setting(self, category: str, ending: str, parser: str, config: str = "") -> None:
        self._category(category)
        fit = [name for name, _ in limits.parsers(ending)]
        need(parser in fit, "Parser", f"For {ending[:20]!r} use one of {', '.join(fit)}.")
        self._store.run("INSERT OR REPLACE INTO kb_parsers VALUES (?, ?, ?, ?)", category, ending, parser, config)

    # uploads

    def lease(self, category: str, filename: str, size: int, kind: str = UNSTRUCTURED, now: float = 0.0) -> Lease:
        limits.check_file(filename, size, kind)
        need(kind == UNSTRUCTURED or category == "default", "CategoryId", "A session file goes to default.")
        self._category(category)
        self._store.run("DELETE FROM kb_leases WHERE expires < ?", now + LEASE_SECONDS - KEPT_SECONDS)
        name = digest(f"lease/{self._number('lease')}")[:32] + f".{int(now * 1000)}"
        made = Lease(name, digest(f"{name}/token")[:16], category, filename, size, kind, now + LEASE_SECONDS)
        values = (name, made.token, category, filename, size, kind, made.expires)
        self._store.run("INSERT INTO kb_leases VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", *values)
        return made

    def lease_of(self, name: str) -> Lease | None:
        fields = "id, token, category, filename, size, kind, expires"
        rows = self._store.run(f"SELECT {fields} FROM kb_leases WHERE id = ?", name)
        return Lease(*rows[0]) if rows else None

    def upload(self, lease_id: str, data: bytes, now: float) -> None:
        """Take the bytes of a lease. They may come again, whole, until the file is added."""
        lease = self.lease_of(lease_id)
        if lease is None or now > lease.expires:
            raise Wrong("AccessDenied", "Request has expired." if lease else "There is no lease for this upload.", 403)
        limits.check_size(lease.filename, len(data))
        self._store.run("UPDATE kb_leases SET data = ? WHERE id = ?", data, lease_id)

    def add_file(
        self,
        lease_id: str,
        category: str = "default",
        kind: str = UNSTRUCTURED,
        parser: str = "",
        tags: Ids = (),
        url: str = "",
        now: float = 0.0,
    ) -> File:
        """Make what was uploaded a file, and have it parsed. The lease is void after that."""
        lease, tags = self.lease_of(lease_id), limits.check_tags(tags)
        limits.check_parser(parser)
        need(lease, "LeaseId", "There is no such lease, or its file has been added.")
        assert lease is not None
        if (category, kind) != (lease.category, lease.kind):
            raise Wrong("InvalidParameter", "Category is mismatched")
        take = "DELETE FROM kb_leases WHERE id = ? AND data IS NOT NULL AND expires >= ? RETURNING data"
        taken = self._store.run(take, lease_id, now + LEASE_SECONDS - KEPT_SECONDS)
        if not taken:
            raise Wrong(
                "InvalidParameter", "Access your uploaded file failed. Please check that the upload is complete."
            )
        name = self._name("file" if kind == UNSTRUCTURED else "file_session")
        self._keep(name, lease, bytes(taken[0][0]), now, parser, tags, url)
        return self.file(name, now, look=False)

    def _keep(self, name: str, lease: Lease, data: bytes, now: float, parser: str, tags: Ids, url: str) -> None:
        told = json.dumps(list(tags), ensure_ascii=False)
        chosen = parser if parser not in ("", "AUTO_SELECT") else "DASHSCOPE_DOCMIND"
        values = (name, lease.filename, lease.kind, len(data), told, now, lease.category, chosen, url, data)
        put = "INSERT OR REPLACE INTO kb_files VALUES (?, ?, ?, ?, '', ?, ?, ?, ?, '', ?, 0, '', '', ?)"
        self._store.run(put, *values)
        self._works.do(name, partial(self._parse, name), len(data))

    def _parse(self, name: str) -> None:
        """Read a file, and remember what it says or why it says nothing; its bytes have done their part then."""
        for filename, data in self._store.run("SELECT name, data FROM kb_files WHERE id = ? AND state = ''", name):
            state, title, text, error = "read", "", "", ""
            try:
                document = read(filename, data)
                title, text = document.title, "\f".join(document.pages or [document.text])
            except Unreadable as unreadable:
                state, error = "failed", f"File {unreadable}"
            put = "UPDATE kb_files SET state = ?, title = ?, text = ?, error = ?, data = NULL WHERE id = ?"
            self._store.run(put, state, title, text, error, name)

    # files

    def file(self, name: str, now: float = 0.0, look: bool = True) -> File:
        """A file and how far it is; a look moves its state on."""
        found = self._files("WHERE id = ?", name, now=now)
        need(found, "FileId", f"There is no file {name[:80]!r}.")
        if not look or found[0].status in ENDED:
            return found[0]
        self._store.run("UPDATE kb_files SET looks = looks + 1 WHERE id = ?", name)
        self._works.do(name, partial(self._parse, name), found[0].size)  # an earlier sandbox may have stopped over it
        return self._files("WHERE id = ?", name, now=now)[0]

    def files(self, category: str = "", name: str = "", now: float = 0.0, ids: Ids = ()) -> list[File]:
        """Files of knowledge bases, newest first: of a category, with a word in their names, or by their ids."""
        if category:
            self._category(category)
        found = self._files(
            "WHERE kind = ? AND ? IN ('', category) ORDER BY rowid DESC", UNSTRUCTURED, category, now=now
        )
        return [each for each in found if name.lower() in each.name.lower() and (not ids or each.id in ids)]

    def _files(self, where: str, *values: object, now: float = 0.0) -> list[File]:
        fields = "id, name, kind, size, tags, created, category, parser, error, url, state, looks"
        found = []
        for row in self._store.run(f"SELECT {fields} FROM kb_files {where}", *values):
            (tags, created), (state, looks) = row[4:6], row[10:]
            status = _status(state, row[2], looks, now - created)
            found.append(File(row[0], row[1], row[2], row[3], status, json.loads(tags), created, *row[6:10]))
        return found

    def session_file(self, name: str, now: float = 0.0) -> File:
        """A file of a conversation; refused while it is not ready."""
        found = self._files("WHERE id = ? AND kind = ?", name, SESSION_FILE, now=now)
        need(found and found[0].status == "FILE_IS_READY", "session_file_ids", f"{name[:80]!r} is not ready.")
        return found[0]

    def text(self, name: str) -> str:
        """What a file says; a form feed stands between its pages."""
        rows = self._store.run("SELECT text FROM kb_files WHERE id = ?", name)
        return str(rows[0][0]) if rows else ""

    def retag(self, name: str, tags: Ids) -> File:
        told = json.dumps(limits.check_tags(tags), ensure_ascii=False)
        self.file(name, look=False)
        self._store.run("UPDATE kb_files SET tags = ? WHERE id = ?", told, name)
        return self.file(name, look=False)

    def delete_file(self, name: str, now: float = 0.0) -> None:
        """Forget a file that is parsed or could not be; knowledge bases keep what they took from it."""
        status = self.file(name, now, look=False).status
        need(status in ENDED, "FileId", f"A file that is {status} cannot be deleted yet.")
        self._store.run("DELETE FROM kb_files WHERE id = ?", name)


def _status(state: str, kind: str, looks: int, age: float) -> str:
    """What is told of a file: a step on for each look and each half minute, the last one when it is done."""
    path = _PATHS[kind]
    step = max(looks, int(age / STEP_SECONDS))
    if step < len(path) - 1 or not state:
        return path[min(step, len(path) - 2)]
    if state == "failed":
        return "PARSE_FAILED"
    return "FILE_EXPIRED" if kind == SESSION_FILE and age > SESSION_SECONDS else path[-1]
