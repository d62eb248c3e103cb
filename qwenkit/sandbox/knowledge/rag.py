"""The RAG API with an API key: the same files and knowledge bases as the OpenAPI's, on other paths, in other words.

Two groups and two envelopes: data import answers with HTTP 200 whatever has happened, knowledge bases with a status.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.knowledge import operations_agents as agents
from qwenkit.sandbox.knowledge import operations_files as files
from qwenkit.sandbox.knowledge import operations_indexes as indexes
from qwenkit.sandbox.knowledge.openapi import done
from qwenkit.sandbox.knowledge.operations import Ask, Json, Operation, Run, operations, telling
from qwenkit.sandbox.knowledge.values import Document, Job, Wrong
from qwenkit.sandbox.routing import Endpoint, Verb, json_body
from qwenkit.sandbox.service import Service

_IMPORTS = {each.name[0].lower() + each.name[1:]: each for each in operations("", files.FILES)}
_ALSO = {  # what these need here beside what the OpenAPI needs
    "applyFileUploadLease": ["category", "contentMd5"],
    "addFile": ["category", "parser"],
    "addCategory": ["categoryType"],
    "listCategory": ["type"],
}
_TOLD = {"FileUploadLeaseId": "leaseId", "CreateTime": "uploadTime", "UpdateFileTagResultList": "results"}
_TOLD |= {"SizeInBytes": "sizeBytes", "MaxResults": "maxResult", "CategoryType": "type", "Content-Type": "Content-Type"}
_PAGE = "rows page_number page_size total_count"
_BASE = telling(
    "id:id name:name description:settings.description structureType:settings.structure dataType:settings.structure"
    " sinkType:settings.sink sourceType:settings.source embeddingModelName:settings.embedding chunkMode:settings.mode"
    " rerankModelName:settings.rerank rerankMinScore:settings.min_score rerankMode:settings.rerank_mode"
    " chunkSize:settings.size overlapSize:settings.overlap separator:settings.separator docIds:files"
    " categoryIds:categories enableRewrite:settings.rewrite denseSimilarityTopK:settings.dense"
    " sparseSimilarityTopK:settings.sparse"
)
_ROW = telling(
    "doc_id:id doc_name:stem doc_type:type size:size status:status message:message categoryId:category"
    " source_id:category ingestion_id:job"
)
_SPLIT = telling(
    "chunkSize:settings.size overlapSize:settings.overlap separator:settings.separator chunkMode:settings.mode"
)


async def imports(service: Service, request: Request) -> Response:
    """An operation of the data centre, by its name."""
    name, body = request.path_params["name"], json_body(request)
    if name not in _IMPORTS:
        raise Refusal("InvalidParameter", "url error, please check url！")
    told: Json = {"code": "Success", "message": "", "messageUnmodified": False, "status": 200}
    try:
        ask = Ask.of(service, request, body)
        ask.need(_ALSO.get(name, []))
        if not isinstance(body.get("sizeBytes", ""), str):
            raise ask.wrong("sizeBytes")  # a number, but written as text
        told["data"] = _told(await done(_IMPORTS[name], ask))
    except Wrong as wrong:
        told = {"code": wrong.code, "message": wrong.message, "status": wrong.status}
    return JSONResponse({**told, "requestId": request.state.request_id})


def _told(data: Any) -> Any:
    """Data in the RAG API's words."""
    if isinstance(data, list):
        return [_told(each) for each in data]
    if not isinstance(data, dict):
        return "FAIL" if data == "PARSE_FAILED" else data
    here = {**_TOLD, "CategoryId": "category"} if "FileName" in data else _TOLD
    folded = {here.get(name, name[:1].lower() + name[1:]): value for name, value in data.items()}
    return {name: value if name == "metadata" else _told(value) for name, value in folded.items()}


def _create(ask: Ask) -> Json:
    if not 1 <= len(ask.text("description")) <= 200:
        raise ask.wrong("description length range[1-200]")
    if not (ask.several("docIds") or ask.several("categoryIds")):
        raise ask.wrong("file_ids")
    if {*ask.several("docIds")} - {each.id for each in ask.library.files()}:
        raise Wrong("Index.FileEmptyError", "fetch empty file list from data center.")
    return _begun(ask.library.submit(indexes.created(ask).id, ask.now))


def _begun(job: Job) -> Json:
    told: Json = {"ingestionId": job.id, "pipelineId": job.index, "status": job.status}
    return {**told, **dict.fromkeys(("created_at", "updated_at"), int(job.created * 1000))}


def _status(ask: Ask) -> Json:
    job = ask.library.job(ask.text("indexId"), ask.text("jobId"), ask.now)
    told: Json = {"id": job.id, "ingestion_status": job.status, "ingestion_message": job.status}
    told |= dict.fromkeys(("started_at", "created_at", "updated_at"), int(job.created * 1000))
    ended = int(ask.now * 1000) if job.status in ("COMPLETED", "FAILED") else None
    return {**told, "ended_at": ended, **_rows(ask, job.documents)}


def _rows(ask: Ask, found: list[Document], more: Callable[[Document], Json] = _ROW, most: int = 100) -> Json:
    tags = {file.id: file.tags for file in ask.library.files()}

    def told(each: Document) -> Json:
        row = {"code": each.code or each.status, "gmt_modified": int(each.modified * 1000), "dataSync": False}
        row |= {"canDelete": each.status != "RUNNING", "meta_extract_info": [], "tags": tags.get(each.id, [])}
        return {**_ROW(each), **row, **more(each)}

    return ask.page(found, told, _PAGE, most=most)


def _bases(ask: Ask) -> Json:
    return ask.page([each for each in ask.library.indexes() if ask.text("pipelineName") in each.name], _BASE, _PAGE)


def _update(ask: Ask) -> Json:
    index = indexes.updated(ask)
    return {"id": index.id, "created_at": int(index.created * 1000), "updated_at": int(ask.now * 1000)}


def _silent(run: Run) -> Run:
    return lambda ask: run(ask) and None


KNOWLEDGE: dict[str, Run] = {
    "create POST index/create_v2 name structureType sinkType sourceType dataSources": _create,
    "import POST index/job/create indexId": lambda ask: _begun(indexes.added(ask)),
    "status GET index_job/status index_id job_id": _status,
    "bases GET index/list": _bases,
    "files GET index/files index_id": lambda ask: _rows(ask, indexes.documents(ask)),
    "details POST list/index/file/details indexId": lambda ask: _rows(ask, indexes.documents(ask), _SPLIT, 10),
    "update POST index/update id": _update,
    "delete POST index/delete index_id": indexes.delete,
    "delete_file POST index/delete_file index_id doc_ids": lambda ask: {"deleted": indexes.deleted(ask)},
    "chunks POST index/chunklist indexId": lambda ask: {**_told(indexes.chunks(ask)), "isDowngrade": False},
    "add_chunk POST index/chunk/create pipelineId field": _silent(indexes.add_chunk),
    "update_chunk POST index/chunk/update pipelineId chunkId dataId content": _silent(indexes.update_chunk),
    "delete_chunks POST index/chunk/delete pipelineId chunkIds": _silent(indexes.delete_chunks),
    "monitor POST index/monitor indexId startTimestamp endTimestamp": indexes.monitor,
    "retrieve POST index/retrieve index_id query": lambda ask: _told(indexes.retrieve(ask)),
    **agents.MANAGING,
}
OPERATIONS = (
    *operations("/api/v1/indices/rag/", KNOWLEDGE),
    Operation("search", "POST", "/api/v1/indices/knowledge/search", [], agents.search),
)


def _endpoint(operation: Operation) -> Endpoint:
    failed = "ERROR" if operation.name == "search" else "FAILED"

    async def answer(service: Service, request: Request) -> Response:
        told: Json = {"code": "Success", "status_code": 200, "status": "SUCCESS", "success": True, "message": "success"}
        body = json_body(request) if request.state.body else {}
        try:
            data = await done(operation, Ask.of(service, request, body, "Index.InvalidParameter"))
            told |= {} if data is None else {"data": data}
        except Wrong as wrong:
            told = {"code": wrong.code, "status_code": wrong.status, "status": failed, "success": False}
            told["message"] = wrong.message
        return JSONResponse({**told, "request_id": request.state.request_id}, told["status_code"])

    return answer


ROUTES: list[Verb] = [
    ("POST", "/api/v1/connector/dash/{name}", imports),
    ("POST", "/api/v2/apps/knowledge/chat", agents.chat),
    *((each.method, each.path, _endpoint(each)) for each in OPERATIONS),
]
