"""The operations on knowledge bases: indexes, the jobs that fill them, their documents and chunks, and retrieval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from qwenkit.sandbox.knowledge.operations import Ask, Json, Run, operations, telling
from qwenkit.sandbox.knowledge.values import Column, Document, Index, Job, Node, Settings, Wish

CATEGORIES = "DATA_CENTER_CATEGORY"
_PAGE = "Documents PageNumber PageSize TotalCount"
_MORE = ("SinkInstanceId", "SinkRegion", "PipelineCommercialType", "PipelineCommercialCu")
_INDEX = telling(
    "Id:id Name:name Description:settings.description StructureType:settings.structure SinkType:settings.sink"
    " SourceType:settings.source EmbeddingModelName:settings.embedding RerankModelName:settings.rerank"
    " ChunkSize:settings.size OverlapSize:settings.overlap Separator:settings.separator EnableRewrite:settings.rewrite"
)
_DOCUMENT = telling("Id:id Name:stem Size:size DocumentType:type SourceId:category")
_SPLIT = telling(
    "ChunkMode:settings.mode ChunkSize:settings.size OverlapSize:settings.overlap EnableHeaders:settings.headers"
    " separator:settings.separator"
)


def settings(ask: Ask, usual: Settings) -> Settings:
    """How an index is made and searched, as far as the call says."""
    told = ask.chosen(
        ask.text,
        description="Description",
        structure="StructureType",
        sink="SinkType",
        source="SourceType",
        embedding="EmbeddingModelName",
        rerank="RerankModelName",
        rerank_mode="RerankMode",
        rerank_instruct="RerankInstruct",
    )
    told |= ask.chosen(ask.whole, dense="DenseSimilarityTopK", sparse="SparseSimilarityTopK")
    told |= ask.chosen(ask.number, min_score="RerankMinScore") | ask.chosen(ask.yes, rewrite="EnableRewrite")
    told |= {"more": {**usual.more, **{name: ask.text(name) for name in _MORE if name in ask}}}
    if "metaExtractColumns" in ask:
        told["columns"] = [_column(ask.inner(each)) for each in ask.several("metaExtractColumns", dict)]
    return splitting(ask, replace(usual, **told))


def splitting(ask: Ask, usual: Settings) -> Settings:
    """How documents are split, as far as the call says."""
    told = ask.chosen(ask.text, mode="ChunkMode", separator="Separator") | ask.chosen(ask.yes, headers="EnableHeaders")
    told |= {"overlap": None} if "ChunkSize" in ask else {}  # a new size asks for an overlap that goes with it
    return replace(usual, **{**told, **ask.chosen(ask.whole, size="ChunkSize", overlap="OverlapSize")})


def _column(ask: Ask) -> Column:
    told = ask.text("Desc"), ask.yes("EnableSearch"), ask.yes("EnableLlm")
    return Column(ask.text("Key"), ask.text("Type", "constant"), ask.text("Value"), *told)


def _sources(ask: Ask) -> tuple[list[str], list[str]]:
    """Files and categories, of which the kind of source chooses one. Some clients nest the files."""
    files = ask.several("DocumentIds") or ask.inner(ask.json("dataSource")).several("fileIds")
    return files if ask.text("SourceType") != CATEGORIES else [], ask.several("CategoryIds")


def created(ask: Ask) -> Index:
    return ask.library.create_index(ask.text("Name"), *_sources(ask), settings(ask, Settings(source="")), ask.now)


def _indices(ask: Ask) -> Json:
    found = [each for each in ask.library.indexes() if ask.text("IndexName") in each.name]
    return ask.page(found, _told, "Indices PageNumber PageSize TotalCount")


def _told(index: Index) -> Json:
    held = index.settings
    ids = index.categories if held.source == CATEGORIES else index.files
    told = {"DocumentIds": ids, "RerankMinScore": str(held.min_score), "ConfgModel": held.mode or "auto"}
    return {**_INDEX(index), **told, **held.more}


def updated(ask: Ask) -> Index:
    index = ask.library.index(ask.text("Id"))
    new = settings(ask, index.settings)
    told = {name: getattr(new, name) for name in ("description", "min_score", "dense", "sparse", "more")}
    return ask.library.update_index(index.id, ask.text("Name"), **told)


def delete(ask: Ask) -> None:
    ask.library.delete_index(ask.text("IndexId"))


def added(ask: Ask) -> Job:
    index = ask.library.index(ask.text("IndexId"))
    return ask.library.add_documents(index.id, *_sources(ask), splitting(ask, index.settings), ask.now)


def _job(ask: Ask) -> Json:
    job = ask.library.job(ask.text("IndexId"), ask.text("JobId"), ask.now)
    rows = ask.page(job.documents, lambda each: {"DocId": each.id, "DocName": each.stem, **_state(each)}, _PAGE)
    return {"JobId": job.id, "Status": job.status, "Documents": rows["Documents"]}


def _state(each: Document) -> Json:
    told = {"Status": each.status, "Code": each.code or each.status, "Message": each.message}
    return {**told, "GmtModified": int(each.modified * 1000)}


def monitor(ask: Ask) -> Json:
    """Of a sandbox there is nothing to watch but how much it keeps."""
    kept = sum(each.size for each in documents(ask)) / 2**30
    storage = {"indexStorageLimit": 100, "indexStorageUsage": round(kept, 6)}
    qps = {"peakQps": 0, "totalRequests": 0, "avgQpsOfActiveSeconds": 0.0, "monitorData": []}
    return {"pipelineCommercialType": "standard", "storageMonitorData": storage, "qpsMonitorData": qps}


def documents(ask: Ask) -> list[Document]:
    """Those of an index that are of a state and have a name."""
    name, like, status = ask.text("DocumentName"), ask.yes("EnableNameLike"), ask.text("DocumentStatus")
    found = ask.library.documents(ask.library.index(ask.text("IndexId")).id)
    fitting = (each for each in found if status in ("", each.status))
    return [each for each in fitting if (name in each.name if like else name in ("", each.stem, each.name))]


def _documents(most: int, row: Callable[[Document], Json]) -> Run:
    def told(ask: Ask) -> Json:
        page = ask.page(documents(ask), lambda each: {**_DOCUMENT(each), **_state(each), **row(each)}, _PAGE, most=most)
        return {"IndexId": ask.text("IndexId"), **page}

    return told


def deleted(ask: Ask) -> list[str]:
    return ask.library.delete_documents(ask.text("IndexId"), ask.several("DocumentIds"))


def chunks(ask: Ask) -> Json:
    index, file = ask.text("IndexId"), ask.text("FileId")
    page, size = ask.whole("PageNum", 1, 1), ask.whole("PageSize", 10, 1, 100)
    found = ask.library.chunks(index, file, (page - 1) * size, size)
    return {"Total": ask.library.count_chunks(index, file), "Nodes": _nodes(found)}


def _nodes(found: list[Node]) -> list[Json]:
    return [{"Score": each.score, "Text": each.text, "Metadata": each.metadata} for each in found]


def add_chunk(ask: Ask) -> bool:
    field = ask.inner(ask.json("field"))
    told = field.text("content"), field.text("title"), field.several("image_urls", most=10)
    return bool(ask.library.add_chunk(ask.text("PipelineId"), ask.text("DataId"), *told))


def update_chunk(ask: Ask) -> bool:
    base, file, chunk, content = (ask.text(name) for name in ("PipelineId", "DataId", "ChunkId", "content"))
    title = ask.given("title") and ask.text("title")  # an empty one takes it away, none leaves it
    ask.library.update_chunk(base, file, chunk, content, title, ask.yes("IsDisplayedChunkContent", True))
    return True


def delete_chunks(ask: Ask) -> bool:
    ask.library.delete_chunks(ask.text("PipelineId"), ask.several("ChunkIds"))
    return True


def retrieve(ask: Ask) -> Json:
    if "Images" not in ask:
        ask.need(["Query"])
    return {"Nodes": _nodes(ask.library.search([ask.text("IndexId")], ask.text("Query"), wish(ask)))}


def wish(ask: Ask) -> Wish:
    rank = ask.inner(next(iter(ask.several("Rerank", dict)), {}))
    return Wish(
        **ask.chosen(ask.whole, dense="DenseSimilarityTopK", sparse="SparseSimilarityTopK", top="RerankTopN"),
        **ask.chosen(ask.yes, rerank="EnableReranking", rewrite="EnableRewrite"),
        **ask.chosen(ask.number, min_score="RerankMinScore"),
        **rank.chosen(rank.text, mode="RerankMode", instruct="RerankInstruct"),
        filters=ask.several("SearchFilters", dict),
        history=ask.several("QueryHistory", dict),
    )


INDEXES = {
    "CreateIndex POST index/create Name StructureType SinkType": lambda ask: {"Id": created(ask).id},
    "SubmitIndexJob POST index/submit_index_job IndexId": lambda ask: {
        "Id": ask.library.submit(ask.text("IndexId"), ask.now).id,
        "IndexId": ask.text("IndexId"),
    },
    "SubmitIndexAddDocumentsJob POST index/add_documents_to_index IndexId SourceType": lambda ask: {
        "Id": added(ask).id
    },
    "GetIndexJobStatus GET index/job/status IndexId JobId": _job,
    "ListIndices GET index/list_indices": _indices,
    "UpdateIndex POST index/update Id": lambda ask: {"Id": updated(ask).id},
    "DeleteIndex POST index/delete IndexId": delete,
    "ListIndexDocuments GET index/list_index_documents IndexId": _documents(100, lambda each: {}),
    "ListIndexFileDetails POST index/list_index_file_detail IndexId": _documents(
        10, lambda each: {name: str(value or "") for name, value in _SPLIT(each).items()}
    ),
    "DeleteIndexDocument POST index/delete_index_document IndexId DocumentIds": lambda ask: {
        "DeletedDocument": deleted(ask)
    },
    "Retrieve POST index/retrieve IndexId": retrieve,
    "ListChunks POST index/list_chunks IndexId": chunks,
    "AddChunk POST chunk/create PipelineId field": add_chunk,
    "UpdateChunk POST chunk/update PipelineId DataId ChunkId content": update_chunk,
    "DeleteChunk POST chunk/delete PipelineId ChunkIds": delete_chunks,
    "GetIndexMonitor GET rag/index/monitor IndexId": monitor,
}
OPERATIONS = tuple(operations("", INDEXES))
