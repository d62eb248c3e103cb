"""Indexes, the jobs that fill them, and their documents and chunks.

A job really splits and indexes its documents, long ones in a thread; what a client is told of it goes on with each
look. A document's chunks count only when all of them are there, so one that a stopped sandbox left half done is done
again by whoever looks at its job next.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from typing import Any

from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.knowledge import limits
from qwenkit.sandbox.knowledge.chunks import AT_ONCE, Chunk, Chunks
from qwenkit.sandbox.knowledge.extracting import Columns
from qwenkit.sandbox.knowledge.filing import STEP_SECONDS, Filing
from qwenkit.sandbox.knowledge.limits import of_index
from qwenkit.sandbox.knowledge.splitting import split
from qwenkit.sandbox.knowledge.values import UNSTRUCTURED, Column, Document, Ids, Index, Job, Lease, Settings
from qwenkit.sandbox.store import Store

MOST_CHUNKS = 50_000  # of one document
_STATES = ("PENDING", "RUNNING", "COMPLETED")
_BESIDE = 2**40  # the size of what is not done at once
_TABLES = """
kb_indexes(id TEXT PRIMARY KEY, name TEXT, settings TEXT, created REAL, files TEXT, categories TEXT)
kb_jobs(id TEXT PRIMARY KEY, base TEXT, created REAL, looks INTEGER, done INTEGER)
kb_documents(base TEXT, file TEXT, name TEXT, size INTEGER, status TEXT, code TEXT, message TEXT, modified REAL, \
settings TEXT, job TEXT, PRIMARY KEY (base, file))
"""


class Indexing(Filing):
    """The part of the library that holds indexes."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._make(_TABLES)
        self._chunks, self._writing, self._shelving = Chunks(store), threading.Lock(), threading.Lock()

    # indexes

    def create_index(
        self, name: str, files: Ids = (), categories: Ids = (), settings: Settings | None = None, now: float = 0.0
    ) -> Index:
        """A new index, empty until a job was submitted for it."""
        limits.check_name(name)
        number = int(digest(f"index/{self._number('index')}"), 16)
        made = "".join("abcdefghijklmnopqrstuvwxyz0123456789"[number // 36**at % 36] for at in range(10))
        return self._index(made, name, files, categories, limits.check_settings(settings or Settings()), now)

    def _index(self, made: str, name: str, files: Ids, categories: Ids, settings: Settings, now: float) -> Index:
        self._sources(files, categories)
        values = (made, name, _told(settings), now, json.dumps(list(files)), json.dumps(list(categories)))
        self._store.run("INSERT INTO kb_indexes VALUES (?, ?, ?, ?, ?, ?)", *values)
        return self.index(made)

    def _sources(self, files: Ids, categories: Ids) -> None:
        for name in files:
            self.file(name, look=False)
        for name in categories:
            self._category(name, "CategoryIds")

    def index(self, name: str) -> Index:
        found = self.indexes("WHERE id = ?", name)
        of_index(found, "IndexId", f"There is no knowledge base {name[:80]!r}.")
        return found[0]

    def indexes(self, where: str = "ORDER BY rowid DESC", *values: object) -> list[Index]:
        """All of them, newest first."""
        fields = "id, name, settings, created, files, categories"
        rows = self._store.run(f"SELECT {fields} FROM kb_indexes {where}", *values)
        return [Index(row[0], row[1], _settings(row[2]), row[3], *map(json.loads, row[4:])) for row in rows]

    def update_index(self, name: str, new_name: str = "", **changed: Any) -> Index:
        """Other settings, by their names in `Settings`; how documents are split stays for those that are in."""
        settings = limits.check_settings(replace(self.index(name).settings, **changed))
        if new_name:
            limits.check_name(new_name)
        put = "UPDATE kb_indexes SET settings = ?, name = COALESCE(NULLIF(?, ''), name) WHERE id = ?"
        self._store.run(put, _told(settings), new_name, name)
        return self.index(name)

    def delete_index(self, name: str) -> None:
        """Forget an index and all in it, whether it is there or not; the files stay."""
        for table, column in (("kb_indexes", "id"), ("kb_jobs", "base"), ("kb_documents", "base")):
            self._store.run(f"DELETE FROM {table} WHERE {column} = ?", name)
        self._chunks.delete(name)

    def shelve(self, name: str, documents: Mapping[str, bytes], now: float = 0.0) -> str:
        """A ready knowledge base of that id, made when it is first asked for, of documents by their names."""
        before = now - 4 * STEP_SECONDS
        with self._shelving:
            if not self.indexes("WHERE id = ?", name):
                ids = {title: f"file_{digest(f'{name}/{title}')[:32]}_10000000" for title in documents}
                for title, file in ids.items():
                    own = Lease("", "", "default", title, 0, UNSTRUCTURED, 0.0)
                    self._keep(file, own, documents[title], before, "", (), "")
                index = self._index(name, name[:20], list(ids.values()), (), limits.check_settings(Settings()), before)
                self._job(index, index.files, (), index.settings, before)
            for (job,) in self._store.run("SELECT id FROM kb_jobs WHERE base = ? AND NOT done", name):
                self._work(job, 0)
                self._works.wait(job)
        return name

    # jobs

    def submit(self, index_id: str, now: float = 0.0) -> Job:
        """Fill an index from what it was created with."""
        index = self.index(index_id)
        of_index(index.settings.source, "data_sources", "The index was created without SourceType.")
        return self._job(index, index.files, index.categories, index.settings, now)

    def add_documents(
        self, index_id: str, files: Ids = (), categories: Ids = (), settings: Settings | None = None, now: float = 0.0
    ) -> Job:
        """Add files to an index; one that is in it is done anew. `settings` are those of splitting."""
        index = self.index(index_id)
        of_index(index.settings.structure != "structured", "IndexId", "A table takes no more documents.")
        of_index(files or categories, "DocumentIds", "Nothing to add.")
        self._sources(files, categories)
        return self._job(index, files, categories, limits.check_chunking(settings or index.settings), now)

    def _job(self, index: Index, files: Ids, categories: Ids, settings: Settings, now: float) -> Job:
        held = [each.id for name in categories for each in reversed(self.files(name))]
        chosen = [self.file(name, look=False) for name in dict.fromkeys([*files, *held])]
        of_index(len(chosen) <= limits.MOST_FILES, "DocumentIds", f"At most {limits.MOST_FILES} at once.")
        job = digest(f"job/{self._number('job')}")[:32]
        told = _told(replace(settings, columns=index.settings.columns, structure=index.settings.structure))
        put = "INSERT OR REPLACE INTO kb_documents VALUES (?, ?, ?, ?, 'RUNNING', '', '', ?, ?, ?)"
        rows = [(put, (index.id, each.id, each.name, each.size, now, told, job)) for each in chosen]
        self._store.all([("INSERT INTO kb_jobs VALUES (?, ?, ?, 0, 0)", (job, index.id, now)), *rows])
        self._work(job, sum(each.size for each in chosen))
        return self._looked(job, 0)

    def _work(self, job: str, size: int) -> None:
        self._works.do(job, partial(self._fill, job), _BESIDE if self._works.any else size)

    def _fill(self, job: str) -> None:
        """Do what a job has left to do; one document at a time, of all jobs."""
        left = "SELECT base, file, settings FROM kb_documents WHERE job = ? AND status = 'RUNNING'"
        for base, file, settings in self._store.run(left, job):
            self._works.wait(file)
            self._parse(file)
            with self._writing:
                self._chunks.delete(base, file)
                if problem := self._write(job, base, file, _settings(settings)):
                    self._chunks.delete(base, file)
                told = ("INSERT_ERROR", "Index.Document.ChunkError", problem) if problem else ("FINISH", "", "")
                where = "WHERE base = ? AND file = ? AND job = ? RETURNING 1"
                put = f"UPDATE kb_documents SET status = ?, code = ?, message = ? {where}"
                if not self._store.run(put, *told, base, file, job):  # taken out meanwhile, or given to another job
                    self._chunks.delete(base, file)
                self._chunks.touch(base)
        self._store.run("UPDATE kb_jobs SET done = 1 WHERE id = ?", job)

    def _write(self, job: str, base: str, name: str, settings: Settings) -> str:
        """Split a file and write its chunks, some at a time, as long as they are wanted; or what is wrong with it."""
        rows = self._store.run("SELECT name, title, category, text, error FROM kb_files WHERE id = ?", name)
        filename, title, category, text, error = rows[0] if rows else ("", "", "", "", "The file was deleted.")
        if error:
            return str(error)
        stem, _, ending = filename.rpartition(".")
        cat_name = next((each.name for each in self.categories() if each.id == category), "")
        facts = {"file_name": stem, "title": title, "cat_name": cat_name, "file_type": ending, "doc_id": name}
        columns = Columns(settings.columns, text, facts)
        pieces = enumerate(split(text, ending.lower(), settings))
        wanted = "SELECT 1 FROM kb_documents WHERE base = ? AND file = ? AND job = ?"
        while (some := list(islice(pieces, AT_ONCE))) and self._store.run(wanted, base, name, job):
            chunks = []
            for place, piece in some:
                meta = {**piece.cells, **columns.of(piece.text)}
                extra = "\n".join(filter(None, (piece.headings or title, columns.said(meta))))
                told = "\n".join(filter(None, (columns.said(meta, llm=True), piece.text)))
                chunks.append(Chunk(0, base, name, place, title, piece.headings, piece.page, True, meta, told, extra))
            self._chunks.add(chunks)
            if some[-1][0] >= MOST_CHUNKS:
                return f"The file makes more than {MOST_CHUNKS} chunks."
        return ""

    def job(self, index_id: str, job_id: str, now: float = 0.0) -> Job:
        """How far a job is; a look moves it on."""
        self.index(index_id)
        put = "UPDATE kb_jobs SET looks = looks + 1 WHERE id = ? AND base = ? RETURNING looks, created, done"
        rows = self._store.run(put, job_id, index_id)
        of_index(rows, "JobId", f"There is no job {job_id[:80]!r}.")
        looks, created, done = rows[0]
        if not done:  # an earlier sandbox may have stopped over it
            self._work(job_id, sum(each.size for each in self._documents("WHERE job = ?", job_id)))
        return self._looked(job_id, max(looks - 1, int((now - created) / STEP_SECONDS)))

    def _looked(self, job_id: str, step: int) -> Job:
        base, created, done = self._store.run("SELECT base, created, done FROM kb_jobs WHERE id = ?", job_id)[0]
        state = _STATES[min(step, 2 if done else 1)]
        found = self._documents("WHERE job = ? ORDER BY rowid", job_id)
        if state != "COMPLETED":
            found = [replace(each, status="RUNNING", code="", message="") for each in found]
        return Job(job_id, base, state, created, found)

    # documents

    def documents(self, index_id: str) -> list[Document]:
        """What is in an index, newest first."""
        return self._documents("WHERE base = ? ORDER BY rowid DESC", index_id)

    def _documents(self, where: str, *values: object) -> list[Document]:
        category = "COALESCE((SELECT category FROM kb_files WHERE id = file), '')"
        fields = f"file, name, size, status, code, message, modified, job, {category}, settings"
        rows = self._store.run(f"SELECT {fields} FROM kb_documents {where}", *values)
        return [Document(*[*row[:9], _settings(row[9])]) for row in rows]

    def delete_documents(self, index_id: str, ids: Ids) -> list[str]:
        """Take documents out of an index, those that are done; which went."""
        self.index(index_id)
        gone = [each.id for each in self.documents(index_id) if each.id in ids and each.status != "RUNNING"]
        for name in gone:
            self._store.run("DELETE FROM kb_documents WHERE base = ? AND file = ?", index_id, name)
            self._chunks.delete(index_id, name)
        return gone


def _told(settings: Settings) -> str:
    return json.dumps(asdict(settings), ensure_ascii=False)


def _settings(text: str) -> Settings:
    told = json.loads(text)
    return Settings(**{**told, "columns": tuple(Column(**each) for each in told["columns"])})
