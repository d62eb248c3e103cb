"""What the answers of knowledge bases mean, in whichever spelling they come: `Data` or `data`, `FileId` or `fileId`.

One reader serves both wires (see `knowledge_calls`), and drops nothing that it does not know: chunks keep their `meta`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from qwenkit.errors import APIError
from qwenkit.protocol import failures
from qwenkit.types.knowledge import BaseFacts, Job, KnowledgeDocument, KnowledgeFile, Lease, Node

Json = dict[str, Any]


def data(body: bytes, *, request: str, request_id: str) -> Any:
    """What a 200 answer brings. Both wires report failures inside of one: that raises the typed error."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise failures.unreadable("one of a knowledge base", body, request=request, request_id=request_id)
    if _refused(told):
        raise _failure(told, body, request, request_id)
    return told.get("Data", told.get("data"))


def _refused(told: Json) -> bool:
    success = told.get("Success", told.get("success"))
    status = told.get("status_code", told.get("status", told.get("Status", 200)))
    wrong = isinstance(status, int | str) and str(status).isdecimal() and int(status) >= 400
    return str(success).lower() == "false" or wrong or bool(told.get("error"))


def _failure(told: Json, body: bytes, request: str, request_id: str) -> APIError:
    status = next((told[name] for name in ("status_code", "status", "Status") if str(told.get(name)).isdecimal()), 200)
    status = int(status) if int(status) >= 400 else 400
    told_id = str(told.get("RequestId") or told.get("requestId") or told.get("request_id") or request_id)
    return failures.build(status, {}, body, request=request, request_id=told_id)


def _pick(wire: Any, *names: str, usual: Any = "") -> Any:
    """The first of these names that has a value; both wires, and both their spellings, are read by one reader."""
    found = (wire[name] for name in names if isinstance(wire, Mapping) and wire.get(name) is not None)
    return next(found, usual)


def _items(wire: Any, *names: str) -> list[Json]:
    found = _pick(wire, *names, usual=[])
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _whole(value: Any) -> int:
    return int(value) if str(value).isdecimal() and len(str(value)) < 20 else 0


def lease(wire: Any) -> Lease:
    param = _pick(wire, "Param", "param", usual={})
    headers = _pick(param, "Headers", "headers", usual={})
    if isinstance(headers, str):  # one page prints them as text
        try:
            headers = json.loads(headers)
        except ValueError:
            headers = {}
    pairs = [(str(name), str(value)) for name, value in headers.items()] if isinstance(headers, dict) else []
    told = {name: value for name, value in pairs if f"{name}{value}".isascii()}  # what else could no request carry
    method = str(_pick(param, "Method", "method", usual="PUT"))
    return Lease(str(_pick(wire, "FileUploadLeaseId", "leaseId")), str(_pick(param, "Url", "url")), method, told)


def file(wire: Any) -> KnowledgeFile:
    tags = _pick(wire, "Tags", "tags", usual=[])
    return KnowledgeFile(
        id=str(_pick(wire, "FileId", "fileId")),
        name=str(_pick(wire, "FileName", "fileName")),
        status=str(_pick(wire, "Status", "status")),
        size=_whole(_pick(wire, "SizeInBytes", "sizeBytes", "sizeInBytes", usual=0)),
        tags=[str(tag) for tag in tags] if isinstance(tags, list) else [],
        category=str(_pick(wire, "CategoryId", "category", "categoryId")),
        parser=str(_pick(wire, "Parser", "parser")),
        created=str(_pick(wire, "CreateTime", "uploadTime")),
        error=str(_pick(wire, "ParseErrorMessage", "parseErrorMessage")),
    )


def files(wire: Any) -> tuple[list[KnowledgeFile], str | None]:
    """A page of files, and the token of the next one, None after the last."""
    more = str(_pick(wire, "HasNext", "hasNext", usual=False)).lower() == "true"
    token = str(_pick(wire, "NextToken", "nextToken")) or None
    return [file(each) for each in _items(wire, "FileList", "fileList")], token if more else None


def document(wire: Any) -> KnowledgeDocument:
    return KnowledgeDocument(
        id=str(_pick(wire, "Id", "DocId", "doc_id", "docId", "id")),
        name=str(_pick(wire, "Name", "DocName", "doc_name", "docName", "name")),
        kind=str(_pick(wire, "DocumentType", "doc_type", "docType")).lower(),
        status=str(_pick(wire, "Status", "status")),
        size=_whole(_pick(wire, "Size", "size", usual=0)),
        message=str(_pick(wire, "Message", "message")),
    )


def documents(wire: Any) -> tuple[list[KnowledgeDocument], int]:
    """A page of documents, and how many there are in all."""
    found = [document(each) for each in _items(wire, "Documents", "rows")]
    return found, _whole(_pick(wire, "TotalCount", "total_count", usual=len(found)))


def job(wire: Any) -> Job:
    return Job(
        id=str(_pick(wire, "JobId", "Id", "ingestionId", "ingestion_id", "id")),
        status=str(_pick(wire, "Status", "ingestion_status", "status")),
        documents=[document(each) for each in _items(wire, "Documents", "rows")],
    )


def base(wire: Any) -> BaseFacts:
    sizes = [_whole(_pick(wire, *names, usual="")) or None for names in _SIZES]
    return BaseFacts(
        id=str(_pick(wire, "Id", "pipelineId", "pipeline_id", "id")),
        name=str(_pick(wire, "Name", "name")),
        description=str(_pick(wire, "Description", "description")),
        embedding=str(_pick(wire, "EmbeddingModelName", "embeddingModelName", "embedding_model_name")),
        rerank=str(_pick(wire, "RerankModelName", "rerankModelName", "rerank_model_name")),
        chunk_size=sizes[0],
        overlap=sizes[1],
    )


_SIZES = (("ChunkSize", "chunkSize", "chunk_size"), ("OverlapSize", "overlapSize", "overlap_size"))


def bases(wire: Any) -> tuple[list[BaseFacts], int]:
    found = [base(each) for each in _items(wire, "Indices", "rows")]
    return found, _whole(_pick(wire, "TotalCount", "total_count", usual=len(found)))


def nodes(wire: Any) -> tuple[list[Node], int]:
    """Chunks; what is told of them may come as an object or as JSON text."""
    found = [_node(each) for each in _items(wire, "Nodes", "nodes")]
    return found, _whole(_pick(wire, "Total", "total", usual=len(found)))


def _node(wire: Json) -> Node:
    meta = _pick(wire, "Metadata", "metadata", usual={})
    if isinstance(meta, str):
        try:
            meta = json.loads(meta)
        except ValueError:
            meta = {}
    meta = meta if isinstance(meta, dict) else {}
    score = _pick(wire, "Score", "score", usual=0.0)
    return Node(
        text=str(_pick(wire, "Text", "text") or _pick(meta, "content")),
        score=float(score) if isinstance(score, int | float) else 0.0,
        document=str(_pick(meta, "doc_name")),
        document_id=str(_pick(meta, "doc_id")),
        title=str(_pick(meta, "hier_title", "title") or _pick(meta, "title")),
        meta=meta,
    )
