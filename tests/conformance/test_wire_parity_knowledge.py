"""Wire parity of knowledge bases: for the same wish the official SDK and qwenkit send the same signed request.

What they sign is compared too, and each signature is calculated anew by the SDK's own code. Two differences are on
purpose: the SDK signs three headers more than the rule asks for (accept, user-agent and where its key came from), and
writes `True` where the pages have `true`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
from alibabacloud_bailian20231229 import models as wire
from alibabacloud_bailian20231229.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_openapi.utils import Utils
from darabonba.request import DaraRequest

import qwenkit as qk
from qwenkit.api.knowledge.ways import Keyed, Signed, Way
from qwenkit.sandbox import Sandbox
from qwenkit.sandbox.knowledge import openapi
from qwenkit.sandbox.knowledge.acs import Sent

# The SDK's own code, not ours: it leaves its pooled connection to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
SECRET = "secret-parity"
MORE = {"accept", "user-agent", "x-acs-credentials-provider"}  # signed by the SDK alone
OWN = {"x-acs-date", "x-acs-signature-nonce", "host"}
NAME, BLANKS = "a b+港*~&=%.md", "What does a ticket cost? 船票 1+1=2 & *~"
HARBOUR = "# Harbour\n\nThe harbour of Vell is nine metres deep.\n\n# Fees\n\nA berth costs four coins a day.\n"
FILTERS: list[Any] = [{"tags": ["sea", "港"]}, {"year": {"gte": 2020, "lt": 2030}, "kind": "fare"}]
HISTORY = [{"role": "user", "content": "How much is a berth?"}, {"role": "assistant", "content": "四 coins."}]
UNSTRUCTURED = {"structure_type": "unstructured", "sink_type": "BUILT_IN", "source_type": "DATA_CENTER_FILE"}


class Wire(NamedTuple):
    """One signed request: where it goes, what travels where, and which headers the signature covers."""

    method: str
    path: str
    query: dict[str, Any]
    body: dict[str, Any]
    signed: dict[str, str]
    unsigned: dict[str, str]


def plain(text: str) -> Any:
    """A parameter as it is meant: truth in one spelling."""
    if text in ("True", "False"):
        return text == "True"
    try:
        return json.loads(text) if text[:1] in "[{tf" else text
    except ValueError:
        return text


def read(sent: Sent) -> Wire:
    headers = dict(sent.headers)
    names = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    query = {name: plain(value) for name, value in parse_qsl(sent.query, keep_blank_values=True)}
    text, form = sent.body.decode(), headers.get("content-type", "").startswith("application/x-www")
    pairs = {name: plain(value) for name, value in parse_qsl(text, keep_blank_values=True)} if form else None
    body = pairs if pairs is not None else json.loads(text or "{}")
    covered = {name: headers[name] for name in names if name not in MORE}
    told = ("accept", "content-type", "content-length")
    free = {name: headers[name] for name in told if name in headers and name not in covered}
    if sent.method == "DELETE":  # the SDK's library says that there is nothing
        free.pop("content-length", None)
    return Wire(
        sent.method, sent.path, query, body, {name: "" if name in OWN else covered[name] for name in covered}, free
    )


def recalculated(sent: Sent) -> str:
    """The Authorization that the SDK would write over the request as it arrived."""
    headers = dict(sent.headers)
    names = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = DaraRequest()
    request.method, request.pathname = sent.method, sent.path
    request.query = dict(parse_qsl(sent.query, keep_blank_values=True))
    request.headers = {name: headers[name] for name in names}
    payload = Utils.hash(sent.body, "ACS3-HMAC-SHA256").hex()
    return str(Utils.get_authorization(request, "ACS3-HMAC-SHA256", payload, "ak-parity", SECRET))


class Both:
    """The SDK and qwenkit before one sandbox that keeps what it was sent."""

    def __init__(self, box: Sandbox, qwen: qk.Client, seen: list[Sent]) -> None:
        config = {"endpoint": box.url.removeprefix("http://"), "protocol": "http"}
        self.sdk = Client(Config(access_key_id=box.access_key_id, access_key_secret=SECRET, **config))
        self.ws, self.qwen, self.seen = box.workspace, qwen, seen
        self.way = Signed(qwen._core, qwen._core.config.access_key)

    def theirs(self, name: str, *arguments: Any) -> Any:
        return getattr(getattr(self.sdk, name)(*arguments).body, "data", None)

    def ours(self, ask: Callable[[Way], Any]) -> Any:
        return self.qwen._core.driver.run(ask(self.way))

    def sent(self, call: Callable[..., Any], *arguments: Any) -> Sent:
        """The one request of a call; what the sandbox makes of it is not the question."""
        before = len(self.seen)
        with contextlib.suppress(ClientException, qk.APIError):
            call(*arguments)
        assert len(self.seen) == before + 1, "exactly one request was sent"
        return self.seen[-1]


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    seen: list[Sent] = []
    check = openapi.check

    def kept(service: Any, sent: Sent) -> None:
        seen.append(sent)
        check(service, sent)

    with pytest.MonkeyPatch.context() as patch, Sandbox(access_key=("ak-parity", SECRET)) as box:
        patch.setattr(openapi, "check", kept)
        keys: dict[str, Any] = {"access_key_id": "ak-parity", "access_key_secret": SECRET, "workspace": box.workspace}
        with qk.Client(api_key=box.key, base_url=box.url, max_retries=0, timeout=10, **keys) as qwen:
            yield Both(box, qwen, seen)


class Case(NamedTuple):
    """One call as each library spells it. `theirs` is told the workspace."""

    name: str
    theirs: Callable[[str], tuple[Any, ...]]
    ours: Callable[[Way], Any]


CASES: dict[str, Case] = {
    "lease": Case(
        "apply_file_upload_lease",
        lambda ws: (
            "default",
            ws,
            wire.ApplyFileUploadLeaseRequest(
                file_name=NAME, md_5="0" * 32, size_in_bytes="4", category_type="UNSTRUCTURED"
            ),
        ),
        lambda way: way.lease(NAME, "0" * 32, 4),
    ),
    "lease of a session": Case(
        "apply_file_upload_lease",
        lambda ws: (
            "default",
            ws,
            wire.ApplyFileUploadLeaseRequest(
                file_name="a.md", md_5="1", size_in_bytes="0", category_type="SESSION_FILE"
            ),
        ),
        lambda way: way.lease("a.md", "1", 0, "SESSION_FILE"),
    ),
    "add_file": Case(
        "add_file",
        lambda ws: (
            ws,
            wire.AddFileRequest(
                lease_id="l+1",
                parser="AUTO_SELECT",
                category_id="default",
                category_type="UNSTRUCTURED",
                tags=["a b", "港"],
            ),
        ),
        lambda way: way.add_file("l+1", tags=["a b", "港"]),
    ),
    "describe": Case(
        "describe_file", lambda ws: (ws, "file_x y~*", wire.DescribeFileRequest()), lambda way: way.file("file_x y~*")
    ),
    "list_file": Case(
        "list_file",
        lambda ws: (ws, wire.ListFileRequest(category_id="default", file_name=NAME, max_results=100)),
        lambda way: way.files(NAME),
    ),
    "delete_file": Case(
        "delete_file", lambda ws: ("file_none", ws, wire.DeleteFileRequest()), lambda way: way.delete_file("file_none")
    ),
    "create_index": Case(
        "create_index",
        lambda ws: (ws, wire.CreateIndexRequest(name="x" * 30, document_ids=["file_none"], **UNSTRUCTURED)),
        lambda way: way.create("x" * 30, ["file_none"], {}),
    ),
    "create_index with everything": Case(
        "create_index",
        lambda ws: (
            ws,
            wire.CreateIndexRequest(
                **UNSTRUCTURED,
                name="x" * 30,
                document_ids=["file_none", "file_none2"],
                description="All 的 of it",
                chunk_mode="regex",
                chunk_size=300,
                overlap_size=30,
                separator="\\n+|。",
                embedding_model_name="text-embedding-v4",
                rerank_model_name="qwen3-rerank-hybrid",
                rerank_min_score=0.2,
                meta_extract_columns=[
                    wire.CreateIndexRequestMetaExtractColumns(key="year", value="2026", type="constant", desc="When 年")
                ],
                enable_rewrite=False,
            ),
        ),
        lambda way: way.create(
            "x" * 30,
            ["file_none", "file_none2"],
            {
                "description": "All 的 of it",
                "split": "regex",
                "size": 300,
                "overlap": 30,
                "separator": "\\n+|。",
                "embedding": "text-embedding-v4",
                "rerank": "qwen3-rerank-hybrid",
                "min_score": 0.2,
                "metadata": [{"desc": "When 年", "Key": "year", "type": "constant", "value": "2026"}],
                "extra": {"EnableRewrite": False},
            },
        ),
    ),
    "add documents": Case(
        "submit_index_add_documents_job",
        lambda ws: (
            ws,
            wire.SubmitIndexAddDocumentsJobRequest(
                index_id="kb none",
                source_type="DATA_CENTER_FILE",
                document_ids=["f1", "f2"],
                chunk_mode="length",
                chunk_size=200,
                overlap_size=0,
            ),
        ),
        lambda way: way.add("kb none", ["f1", "f2"], {"split": "length", "size": 200, "overlap": 0}),
    ),
    "job status": Case(
        "get_index_job_status",
        lambda ws: (ws, wire.GetIndexJobStatusRequest(index_id="kb", job_id="j&1", page_size=50)),
        lambda way: way.job("kb", "j&1"),
    ),
    "list_indices": Case(
        "list_indices",
        lambda ws: (ws, wire.ListIndicesRequest(index_name="none 港", page_number=1, page_size=50)),
        lambda way: way.bases("none 港"),
    ),
    "list documents": Case(
        "list_index_documents",
        lambda ws: (ws, wire.ListIndexDocumentsRequest(index_id="kb", page_number=1, page_size=50)),
        lambda way: way.documents("kb"),
    ),
    "retrieve": Case(
        "retrieve",
        lambda ws: (ws, wire.RetrieveRequest(index_id="kb", query=BLANKS, rerank_top_n=5)),
        lambda way: way.search("kb", BLANKS, {"k": 5}),
    ),
    "retrieve with everything": Case(
        "retrieve",
        lambda ws: (
            ws,
            wire.RetrieveRequest(
                index_id="kb",
                query=BLANKS,
                rerank_top_n=3,
                enable_reranking=True,
                rerank_min_score=0.3,
                dense_similarity_top_k=20,
                sparse_similarity_top_k=0,
                enable_rewrite=True,
                search_filters=FILTERS,
                query_history=[wire.RetrieveRequestQueryHistory(**each) for each in HISTORY],
                rerank=[wire.RetrieveRequestRerank(model_name="qwen3-rerank", rerank_mode="similar")],
            ),
        ),
        lambda way: way.search(
            "kb",
            BLANKS,
            {
                **{"k": 3, "rerank": True, "min_score": 0.3, "dense": 20, "sparse": 0, "rewrite": True},
                "filters": FILTERS,
                "history": HISTORY,
                "extra": {"Rerank": [{"ModelName": "qwen3-rerank", "RerankMode": "similar"}]},
            },
        ),
    ),
    "retrieve without a second look": Case(
        "retrieve",
        lambda ws: (ws, wire.RetrieveRequest(index_id="kb", query="a", rerank_top_n=1, enable_reranking=False)),
        lambda way: way.search("kb", "a", {"k": 1, "rerank": False}),
    ),
    "list_chunks": Case(
        "list_chunks",
        lambda ws: (ws, wire.ListChunksRequest(index_id="kb", file_id="f 港", page_num=1, page_size=100)),
        lambda way: way.chunks("kb", "f 港", 100),
    ),
    "delete documents": Case(
        "delete_index_document",
        lambda ws: (ws, wire.DeleteIndexDocumentRequest(index_id="kb", document_ids=["f1", "f2"])),
        lambda way: way.remove("kb", ["f1", "f2"]),
    ),
    "delete_index": Case(
        "delete_index", lambda ws: (ws, wire.DeleteIndexRequest(index_id="kb none")), lambda way: way.delete("kb none")
    ),
    "submit_index_job": Case(
        "submit_index_job",
        lambda ws: (ws, wire.SubmitIndexJobRequest(index_id="kb")),
        lambda way: way.ask("submit", base="kb"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_both_send_the_same_signed_request(name: str, both: Both):
    case = CASES[name]
    theirs = both.sent(both.theirs, case.name, *case.theirs(both.ws))
    ours = both.sent(both.ours, case.ours)
    assert read(ours) == read(theirs)
    signed = read(ours).signed
    assert {"host", "x-acs-action", "x-acs-version", "x-acs-content-sha256"} < signed.keys()
    assert signed["x-acs-version"] == "2023-12-29"
    assert ("content-type" in signed) == bool(ours.body)


@pytest.mark.parametrize("name", CASES)
def test_the_sdk_would_have_signed_it_so(name: str, both: Both):
    ours = both.sent(both.ours, CASES[name].ours)
    assert dict(ours.headers)["authorization"] == recalculated(ours)
    assert SECRET not in repr(ours.headers)


def test_the_same_call_is_never_signed_the_same_twice(both: Both):
    first, second = (dict(both.sent(both.ours, CASES["describe"].ours).headers) for _ in range(2))
    assert first["x-acs-signature-nonce"] != second["x-acs-signature-nonce"]
    assert first["authorization"] != second["authorization"]


# -- what comes back ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base(both: Both, tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("harbour")
    for name, text in (("harbour.md", HARBOUR), ("港口.md", "# 港口\n\n港口水深九米，末班渡轮九点半开。\n")):
        (place / name).write_text(text, "utf-8")
    settings: dict[str, Any] = {"split": "h1", "tags": ["sea"], "description": "Ferries", "record": None}
    return both.qwen.knowledge.create("harbour", [place], way="openapi", progress=False, **settings)


def node(theirs: Any) -> tuple[Any, ...]:
    meta = theirs.metadata
    return theirs.text, theirs.score, meta["doc_name"], meta["doc_id"], meta


def test_both_read_the_same_chunks(both: Both, base: Any):
    ask = wire.RetrieveRequest(
        index_id=base.id, query="How much is a berth?", rerank_top_n=2, search_filters=[{"tags": '["sea"]'}]
    )
    found = base.search("How much is a berth?", k=2, filters={"tags": ["sea"]})
    theirs = both.theirs("retrieve", both.ws, ask).nodes
    assert [node(each) for each in theirs] == [(e.text, e.score, e.document, e.document_id, e.meta) for e in found]
    assert "four coins" in found[0].text
    document = base.documents()[0].id
    chunks = both.theirs("list_chunks", both.ws, wire.ListChunksRequest(index_id=base.id, file_id=document)).nodes
    assert [each.text for each in chunks] == [each.text for each in base.chunks(document)]


def test_both_read_the_same_documents_files_and_bases(both: Both, base: Any):
    theirs = both.theirs("list_index_documents", both.ws, wire.ListIndexDocumentsRequest(index_id=base.id)).documents
    ours = [(each.id, each.name, each.kind, each.status, each.size) for each in base.documents()]
    assert ours == [(each.id, each.name, each.document_type, each.status, each.size) for each in theirs]
    listed = both.theirs("list_file", both.ws, wire.ListFileRequest(category_id="default", max_results=100)).file_list
    files = [
        (each.id, each.name, each.status, each.tags, each.size, each.created) for each in both.qwen.knowledge.files()
    ]
    assert files == [(e.file_id, e.file_name, e.status, e.tags, e.size_in_bytes, e.create_time) for e in listed]
    (row,) = both.theirs("list_indices", both.ws, wire.ListIndicesRequest(index_name="harbour")).indices
    facts = both.qwen.knowledge.get("harbour").facts
    told = (row.id, row.name, row.description, row.embedding_model_name, row.rerank_model_name, row.chunk_size)
    assert told == (facts.id, facts.name, facts.description, facts.embedding, facts.rerank, facts.chunk_size)
    assert facts.description == "Ferries"


def test_both_read_the_same_lease_and_file(both: Both, base: Any):
    theirs = both.theirs(CASES["lease"].name, *CASES["lease"].theirs(both.ws))
    ours = both.ours(CASES["lease"].ours)
    assert ours.headers.keys() == theirs.param.headers.keys()
    assert (ours.method, ours.url.partition("?")[0].rpartition("/")[0]) == (
        theirs.param.method,
        theirs.param.url.partition("?")[0].rpartition("/")[0],
    )
    assert ours.id != theirs.file_upload_lease_id
    id = base.documents()[0].id
    one, two = (
        both.theirs("describe_file", both.ws, id, wire.DescribeFileRequest()),
        both.ours(lambda way: way.file(id)),
    )
    assert (one.file_name, one.status, one.parser, one.category_id) == (two.name, two.status, two.parser, two.category)


def test_both_are_refused_in_the_same_words(both: Both):
    with pytest.raises(ClientException) as theirs:
        both.theirs("retrieve", both.ws, wire.RetrieveRequest(index_id="none", query="a"))
    with pytest.raises(qk.APIError) as ours:
        both.ours(lambda way: way.search("none", "a", {}))
    assert ours.value.code == theirs.value.code == "Index.InvalidParameter"
    assert "There is no knowledge base" in str(ours.value)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda way: way.create("a", ["f"], {"overlap": 20}), "the RAG API has no overlap"),
        (lambda way: way.create("a", ["f"], {"metadata": [{"key": "year"}]}), "the RAG API has no metadata"),
        (
            lambda way: way.search("kb", "a", {"k": 5, "rewrite": True, "history": HISTORY}),
            "the RAG API has no rewrite",
        ),
        (lambda way: way.search("kb", "a", {"dense": 5, "sparse": None}), "the RAG API has no dense"),
    ],
)
def test_what_only_the_signed_way_has_is_not_forgotten_by_the_other(call: Any, told: str, both: Both):
    with pytest.raises(qk.ConfigError, match=told):
        both.qwen._core.driver.run(call(Keyed(both.qwen._core)))
