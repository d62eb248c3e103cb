"""The two wires that reach knowledge bases, as one table.

    openapi   signed with an AccessKey, names in capitals, most parameters in the query
    rag       with the API key, names in camels and snakes, parameters as JSON

Both manage the same objects. `CALLS` says where each call goes and what its parameters are called there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from qwenkit.errors import ConfigError

VERSION = "2023-12-29"
Json = dict[str, Any]


class Route(NamedTuple):
    """Where a call goes. `{names}` in the path are filled from the parameters; `to` says where the others travel."""

    method: str
    path: str
    to: str = "query"
    action: str = ""  # what the OpenAPI calls it


class Call(NamedTuple):
    """One call on both wires: its routes, what each parameter of ours is called there, and what is always sent.

    A name is `"Signed keyed"`, with `-` where a wire has no such parameter.
    """

    openapi: Route
    rag: Route
    names: Mapping[str, str] = {}
    always: tuple[Json, Json] = ({}, {})

    def told(self, side: int, given: Mapping[str, Any]) -> Json:
        """The parameters as the wire of this side calls them; what it has no name for is refused, not dropped."""
        said: Json = {}
        for name, value in given.items():
            theirs = self.names[name].split()[side]
            if theirs == "-" and _told(value):
                hint = "leave it out, or use way='openapi', which needs an AccessKey"
                raise ConfigError(f"the RAG API has no {name}", hint=hint)
            said[theirs] = value
        said.pop("-", None)
        return {**self.always[side], **said}


def _signed(action: str, method: str, path: str, to: str = "query") -> Route:
    return Route(method, f"/{{ws}}/{path}", to, action)


def _connector(name: str) -> Route:
    return Route("POST", f"/v1/connector/dash/{name}", "json")


def _index(name: str, method: str = "POST") -> Route:
    return Route(method, f"/v1/indices/rag/{name}", "json" if method == "POST" else "query")


_SOURCE = "DATA_CENTER_FILE"
_BASE = {"base": "IndexId index_id"}
_CUT = {
    "split": "ChunkMode chunkMode",
    "size": "ChunkSize chunkSize",
    "overlap": "OverlapSize overlapSize",
    "separator": "Separator separator",
}
CALLS = {
    "lease": Call(
        _signed("ApplyFileUploadLease", "POST", "datacenter/category/{CategoryId}", "form"),
        _connector("applyFileUploadLease"),
        {
            "name": "FileName fileName",
            "digest": "Md5 contentMd5",
            "size": "SizeInBytes sizeBytes",
            "kind": "CategoryType categoryType",
        },
        ({"CategoryId": "default"}, {"category": "default"}),
    ),
    "add_file": Call(
        _signed("AddFile", "PUT", "datacenter/file", "form"),
        _connector("addFile"),
        {"lease": "LeaseId leaseId", "kind": "CategoryType categoryType", "tags": "Tags tags"},
        ({"Parser": "AUTO_SELECT", "CategoryId": "default"}, {"parser": "AUTO_SELECT", "category": "default"}),
    ),
    "file": Call(
        _signed("DescribeFile", "GET", "datacenter/file/{FileId}/"),
        _connector("describeFile"),
        {"file": "FileId fileId"},
    ),
    "files": Call(
        _signed("ListFile", "GET", "datacenter/files"),
        _connector("listFile"),
        {"name": "FileName fileName", "most": "MaxResults maxResults", "token": "NextToken nextToken"},
        ({"CategoryId": "default"}, {"category": "default"}),
    ),
    "delete_file": Call(
        _signed("DeleteFile", "DELETE", "datacenter/file/{FileId}/"),
        _connector("deleteFile"),
        {"file": "FileId fileId"},
    ),
    "create": Call(
        _signed("CreateIndex", "POST", "index/create"),
        _index("index/create_v2"),
        {
            "name": "Name name",
            "files": "DocumentIds docIds",
            "description": "Description description",
            "embedding": "EmbeddingModelName embeddingModelName",
            "rerank": "RerankModelName -",
            "min_score": "RerankMinScore -",
            "metadata": "metaExtractColumns -",
            "split": "chunkMode -",
            "size": "ChunkSize chunkSize",
            "overlap": "OverlapSize -",
            "separator": "Separator -",
        },
        (
            {"StructureType": "unstructured", "SinkType": "BUILT_IN", "SourceType": _SOURCE},
            {
                **{"structureType": "unstructured", "sinkType": "BUILT_IN", "sourceType": _SOURCE},
                "dataSources": [{"sourceType": _SOURCE}],
            },
        ),
    ),
    "submit": Call(_signed("SubmitIndexJob", "POST", "index/submit_index_job"), Route("", ""), _BASE),
    "add": Call(
        _signed("SubmitIndexAddDocumentsJob", "POST", "index/add_documents_to_index"),
        _index("index/job/create"),
        {"base": "IndexId indexId", "files": "DocumentIds docIds", **_CUT},
        ({"SourceType": _SOURCE}, {"sourceType": _SOURCE}),
    ),
    "job": Call(
        _signed("GetIndexJobStatus", "GET", "index/job/status"),
        _index("index_job/status", "GET"),
        {**_BASE, "job": "JobId job_id", "most": "pageSize page_size"},
    ),
    "bases": Call(
        _signed("ListIndices", "GET", "index/list_indices"),
        _index("index/list", "GET"),
        {"name": "IndexName -", "page": "PageNumber page_number", "most": "PageSize page_size"},
    ),
    "documents": Call(
        _signed("ListIndexDocuments", "GET", "index/list_index_documents"),
        _index("index/files", "GET"),
        {**_BASE, "page": "PageNumber page_number", "most": "PageSize page_size"},
    ),
    "remove": Call(
        _signed("DeleteIndexDocument", "POST", "index/delete_index_document"),
        _index("index/delete_file"),
        {**_BASE, "documents": "DocumentIds doc_ids"},
    ),
    "delete": Call(_signed("DeleteIndex", "POST", "index/delete"), _index("index/delete"), _BASE),
    "chunks": Call(
        _signed("ListChunks", "POST", "index/list_chunks", "json"),
        _index("index/chunklist"),
        {"base": "IndexId indexId", "document": "FileId docId", "page": "PageNum pageNum", "most": "PageSize pageSize"},
    ),
    "search": Call(
        _signed("Retrieve", "POST", "index/retrieve"),
        _index("index/retrieve"),
        {
            **_BASE,
            "query": "Query query",
            "k": "RerankTopN top_k",
            "rerank": "EnableReranking enable_reranking",
            "min_score": "RerankMinScore rerank_min_score",
            "filters": "SearchFilters search_filters",
            "dense": "DenseSimilarityTopK -",
            "sparse": "SparseSimilarityTopK -",
            "rewrite": "EnableRewrite -",
            "history": "QueryHistory -",
        },
    ),
}


def spelled(route: Route, given: Mapping[str, Any], workspace: str = "") -> tuple[str, bytes, str]:
    """The path with its query, the body, and the body's type. What is None or "" is left out."""
    places = {"ws": workspace, **given}
    path = route.path.format_map({name: quote(str(value), safe="") for name, value in places.items()})
    names = sorted(name for name, value in given.items() if f"{{{name}}}" not in route.path and _told(value))
    rest = {name: given[name] for name in names}
    if route.to == "json":
        return path, _compact(rest).encode(), "application/json; charset=utf-8"
    flat = urlencode({name: _flat(value) for name, value in rest.items()})
    if route.to == "form":
        return path, flat.encode(), "application/x-www-form-urlencoded"
    return f"{path}?{flat}" if flat else path, b"", ""


def _told(value: Any) -> bool:
    return value is not None and value != ""


def _flat(value: Any) -> str:
    """One value of a query or form: lists and dicts travel as JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    return _compact(value) if isinstance(value, list | dict) else str(value)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
