"""The official `alibabacloud_bailian20231229` SDK, unmodified, builds a knowledge base in the sandbox and asks it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from alibabacloud_bailian20231229 import models as wire
from alibabacloud_bailian20231229.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config

from qwenkit.sandbox import Sandbox

HARBOUR = """# Harbour
The harbour of Vell is nine metres deep. The last ferry leaves at half past nine.
# Fees
A berth costs four coins a day. Dogs travel free of charge.
"""
PORT = "# 港口\n港口水深九米，末班渡轮九点半开。\n"
_names = itertools.count(1)

Call = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="module")
def shelf() -> Iterator[Sandbox]:
    with Sandbox(access_key=("ak-conformance", "secret-conformance")) as running:
        yield running


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, shelf: Sandbox) -> Call:
    """An operation of the SDK by its name, in the sandbox's workspace: the data of its answer, as the SDK read it."""
    client = Client(
        Config(
            access_key_id=shelf.access_key_id,
            access_key_secret=shelf.access_key_secret,
            endpoint=shelf.url.removeprefix("http://"),
            protocol="http",
        )
    )

    async def asked(name: str, *arguments: Any) -> Any:
        if request.param == "async":
            answer = await getattr(client, f"{name}_async")(*arguments)
        else:
            answer = getattr(client, name)(*arguments)
        assert answer.status_code == 200
        return answer.body

    return asked


async def uploaded(call: Call, ws: str, text: str, name: str = "", tags: list[str] | None = None) -> str:
    """A file in the data centre, as official samples put it there; its id."""
    content, name = text.encode(), name or f"harbour {next(_names)}.md"
    lease = (
        await call(
            "apply_file_upload_lease",
            "default",
            ws,
            wire.ApplyFileUploadLeaseRequest(
                file_name=name, md_5="0" * 32, size_in_bytes=str(len(content)), category_type="UNSTRUCTURED"
            ),
        )
    ).data
    headers = {
        "X-bailian-extra": lease.param.headers["X-bailian-extra"],
        "Content-Type": lease.param.headers["Content-Type"],
    }
    answer = httpx.request(lease.param.method, lease.param.url, content=content, headers=headers)
    assert (answer.status_code, answer.text) == (200, "")
    added = await call(
        "add_file",
        ws,
        wire.AddFileRequest(
            lease_id=lease.file_upload_lease_id, parser="DASHSCOPE_DOCMIND", category_id="default", tags=tags
        ),
    )
    assert added.success
    assert added.data.file_id.startswith("file_")
    return str(added.data.file_id)


async def until(call: Call, wanted: str, state: Callable[[Any], str], name: str, *arguments: Any) -> list[str]:
    """The states met on the way to one."""
    met: list[str] = []
    while (met or [""])[-1] != wanted:
        assert len(met) < 50, met
        met.append(state((await call(name, *arguments)).data))
    return met


async def indexed(call: Call, ws: str, *files: str, **settings: Any) -> str:
    created = await call(
        "create_index",
        ws,
        wire.CreateIndexRequest(
            name=f"harbour{next(_names)}",
            structure_type="unstructured",
            sink_type="BUILT_IN",
            source_type="DATA_CENTER_FILE",
            document_ids=list(files),
            **settings,
        ),
    )
    job = (await call("submit_index_job", ws, wire.SubmitIndexJobRequest(index_id=created.data.id))).data
    assert job.index_id == created.data.id
    status = wire.GetIndexJobStatusRequest(index_id=created.data.id, job_id=job.id)
    await until(call, "COMPLETED", lambda data: data.status, "get_index_job_status", ws, status)
    return str(created.data.id)


async def refused(call: Call, code: str, name: str, *arguments: Any) -> ClientException:
    with pytest.raises(ClientException) as caught:
        await call(name, *arguments)
    assert caught.value.code == code
    return caught.value


# -- the way in ---------------------------------------------------------------------------------------------------


async def test_a_file_is_uploaded_parsed_and_described(call: Call, shelf: Sandbox):
    ws = shelf.workspace
    file = await uploaded(call, ws, HARBOUR, tags=["port", "港口"])
    describe = ("describe_file", ws, file, wire.DescribeFileRequest())
    met = await until(call, "PARSE_SUCCESS", lambda data: data.status, *describe)
    assert "PARSING" in met
    told = (await call(*describe)).data
    assert (told.file_type, told.category_id, told.tags) == ("md", "default", ["port", "港口"])
    assert told.size_in_bytes == len(HARBOUR.encode())
    made = datetime.strptime(told.create_time, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone(timedelta(hours=8)))
    assert abs(datetime.now(UTC) - made) < timedelta(minutes=30)


async def test_a_lease_is_good_for_one_file_with_its_header(call: Call, shelf: Sandbox):
    ask = wire.ApplyFileUploadLeaseRequest(file_name="one.txt", md_5="0", size_in_bytes="4")
    lease = (await call("apply_file_upload_lease", "default", shelf.workspace, ask)).data
    add = wire.AddFileRequest(lease_id=lease.file_upload_lease_id, parser="AUTO_SELECT", category_id="default")
    early = await refused(call, "InvalidParameter", "add_file", shelf.workspace, add)
    assert "Access your uploaded file failed" in early.message
    assert httpx.put(lease.param.url, content=b"word").status_code == 403
    assert httpx.post(lease.param.url, content=b"word", headers=lease.param.headers).status_code == 200
    await call("add_file", shelf.workspace, add)
    await refused(call, "InvalidParameter", "add_file", shelf.workspace, add)


async def test_categories_are_made_listed_and_deleted(call: Call, shelf: Sandbox):
    ws, name = shelf.workspace, f"Port {next(_names)}"
    made = (
        await call("add_category", ws, wire.AddCategoryRequest(category_name=name, category_type="UNSTRUCTURED"))
    ).data
    listed = (
        await call("list_category", ws, wire.ListCategoryRequest(category_type="UNSTRUCTURED", max_results=100))
    ).data
    assert {each.category_id: each.category_name for each in listed.category_list}[made.category_id] == name
    assert [each.is_default for each in listed.category_list if each.category_id == "default"] == [True]
    gone = (await call("delete_category", made.category_id, ws, wire.DeleteCategoryRequest())).data
    assert gone.category_id == made.category_id
    await refused(call, "InvalidParameter", "delete_category", "default", ws, wire.DeleteCategoryRequest())


async def test_files_are_listed_page_by_page_and_deleted(call: Call, shelf: Sandbox):
    ws = shelf.workspace
    ids = [await uploaded(call, ws, HARBOUR, f"pages-{next(_names)}.txt") for _ in range(3)]
    for each in ids:
        await until(
            call, "PARSE_SUCCESS", lambda data: data.status, "describe_file", ws, each, wire.DescribeFileRequest()
        )
    ask = wire.ListFileRequest(category_id="default", file_ids=ids, max_results=2)
    first = (await call("list_file", ws, ask)).data
    ask.next_token = first.next_token
    rest = (await call("list_file", ws, ask)).data
    assert (first.has_next, rest.has_next, first.total_count) == (True, False, 3)
    assert sorted(each.file_id for each in [*first.file_list, *rest.file_list]) == sorted(ids)
    assert (await call("delete_file", ids[0], ws, wire.DeleteFileRequest())).data.file_id == ids[0]
    fresh = await uploaded(call, ws, HARBOUR)  # nobody has seen it parsed
    several = (await call("delete_files", ws, wire.DeleteFilesRequest(file_ids=[*ids, fresh]))).data
    assert [each.status for each in several.delete_file_result_list] == ["NOT_FOUND", "DELETED", "DELETED", "FAILED"]


async def test_tags_are_changed_one_by_one_and_together(call: Call, shelf: Sandbox):
    ws = shelf.workspace
    file = await uploaded(call, ws, HARBOUR, tags=["old"])
    await call("update_file_tag", ws, file, wire.UpdateFileTagRequest(tags=["new"]))
    more = [
        wire.BatchUpdateFileTagRequestFileInfos(file_id=file, tags=["two"]),
        wire.BatchUpdateFileTagRequestFileInfos(file_id="file_none", tags=["two"]),
    ]
    ask = wire.BatchUpdateFileTagRequest(update_mode="APPEND", file_infos=more)
    rows = (await call("batch_update_file_tag", ws, ask)).data.update_file_tag_result_list
    assert [each.success for each in rows] == [True, False]
    assert rows[1].error_code == "InvalidParameter"
    told = (await call("describe_file", ws, file, wire.DescribeFileRequest())).data
    assert told.tags == ["new", "two"]


async def test_parsers_are_offered_and_chosen(call: Call, shelf: Sandbox):
    ws = shelf.workspace
    offered = (await call("get_available_parser_types", ws, wire.GetAvailableParserTypesRequest(file_type="pdf"))).data
    assert "DASH_QWEN_VL_PARSER" in [each.parser for each in offered.parser_list]
    config = wire.ChangeParseSettingRequestParserConfig(model_name="qwen3-vl-plus", model_prompt="Read it.")
    change = wire.ChangeParseSettingRequest(
        category_id="default", file_type="pdf", parser="DASH_QWEN_VL_PARSER", parser_config=config
    )
    assert (await call("change_parse_setting", ws, change)).data.change_result is True
    rows = (await call("get_parse_settings", ws, wire.GetParseSettingsRequest(category_id="default"))).data
    (pdf,) = [each for each in rows if each.file_type == "pdf"]
    assert (pdf.parser, pdf.parser_config.model_name) == ("DASH_QWEN_VL_PARSER", "qwen3-vl-plus")


# -- knowledge bases ----------------------------------------------------------------------------------------------


async def test_a_job_is_pending_and_running_before_it_is_completed(call: Call, shelf: Sandbox):
    ws, file = shelf.workspace, await uploaded(call, shelf.workspace, HARBOUR)
    ask = wire.CreateIndexRequest(
        name="states",
        structure_type="unstructured",
        sink_type="DEFAULT",
        source_type="DATA_CENTER_FILE",
        document_ids=[file],
    )
    index = (await call("create_index", ws, ask)).data.id
    job = (await call("submit_index_job", ws, wire.SubmitIndexJobRequest(index_id=index))).data.id
    status = ("get_index_job_status", ws, wire.GetIndexJobStatusRequest(index_id=index, job_id=job))
    met = await until(call, "COMPLETED", lambda data: data.status, *status)
    assert met == ["PENDING", "RUNNING", "COMPLETED"]
    (row,) = (await call(*status)).data.documents
    assert (row.doc_id, row.status, row.code) == (file, "FINISH", "FINISH")


async def test_what_fits_best_is_retrieved_first_in_both_languages(call: Call, shelf: Sandbox):
    ws = shelf.workspace
    files = [await uploaded(call, ws, HARBOUR), await uploaded(call, ws, PORT)]
    index = await indexed(call, ws, *files)
    for query, words, file in (("How much is a berth?", "four coins", files[0]), ("港口水深多少？", "九米", files[1])):
        ask = wire.RetrieveRequest(index_id=index, query=query, rerank_top_n=2, enable_reranking=True)
        nodes = (await call("retrieve", ws, ask)).data.nodes
        assert words in nodes[0].text
        assert nodes[0].metadata["doc_id"] == file
        assert 0 < len(nodes) <= 2
        assert nodes[0].score >= nodes[-1].score
        assert nodes[0].metadata["pipeline_id"] == index
        assert nodes[0].metadata["workspace_id"] == ws


async def test_a_search_is_filtered_reranked_and_limited(call: Call, shelf: Sandbox):
    ws = shelf.workspace
    files = [await uploaded(call, ws, HARBOUR, tags=["english"]), await uploaded(call, ws, PORT, tags=["chinese"])]
    index = await indexed(call, ws, *files)
    for filters, wanted in (
        ([{"tags": json.dumps(["chinese"])}], {files[1]}),
        ([{"doc_id": files[0]}], {files[0]}),
        ([{"tags": json.dumps(["english"])}, {"tags": json.dumps(["chinese"])}], set()),
    ):
        ask = wire.RetrieveRequest(
            index_id=index,
            query="harbour 港口",
            search_filters=filters,
            rerank=[wire.RetrieveRequestRerank(model_name="qwen3-rerank", rerank_mode="similar")],
        )
        nodes = (await call("retrieve", ws, ask)).data.nodes
        assert {each.metadata["doc_id"] for each in nodes} == wanted
    history = [wire.RetrieveRequestQueryHistory(role="user", content="港口水深多少？")]
    ask = wire.RetrieveRequest(index_id=index, query="What about that?", enable_rewrite=True, query_history=history)
    assert "九米" in (await call("retrieve", ws, ask)).data.nodes[0].text
    ask.query_history[0].content = "How much is a berth?"
    assert "four coins" in (await call("retrieve", ws, ask)).data.nodes[0].text
    ask = wire.RetrieveRequest(index_id=index, query="berth", rerank_min_score=0.99)
    assert (await call("retrieve", ws, ask)).data.nodes == []
    await refused(
        call, "Index.InvalidParameter", "retrieve", ws, wire.RetrieveRequest(index_id=index, query="a", rerank_top_n=21)
    )


async def test_chunks_are_listed_changed_hidden_added_and_deleted(call: Call, shelf: Sandbox):
    ws, file = shelf.workspace, await uploaded(call, shelf.workspace, HARBOUR)
    index = await indexed(call, ws, file, chunk_mode="h1")

    async def chunks() -> list[Any]:
        data = (await call("list_chunks", ws, wire.ListChunksRequest(index_id=index, file_id=file))).data
        assert data.total == len(data.nodes)
        return list(data.nodes)

    async def texts(query: str) -> list[str]:
        nodes = (await call("retrieve", ws, wire.RetrieveRequest(index_id=index, query=query))).data.nodes
        return [each.text for each in nodes]

    first, second = (each.metadata["_id"] for each in await chunks())
    change = {"pipeline_id": index, "data_id": file, "chunk_id": first}
    new = wire.UpdateChunkRequest(**change, content="The harbour is eleven metres deep.", title="Depth")
    assert (await call("update_chunk", ws, new)).data is True
    assert "eleven" in (await texts("How deep is the harbour?"))[0]
    assert "Depth" in [each.metadata["title"] for each in await chunks()]
    hidden = wire.UpdateChunkRequest(**change, content=new.content, is_displayed_chunk_content=False)
    await call("update_chunk", ws, hidden)
    assert not any("eleven" in text for text in await texts("How deep is the harbour?"))
    added = wire.AddChunkRequest(
        pipeline_id=index, data_id=file, field={"content": "Lockers cost two coins.", "title": "Lockers"}
    )
    assert (await call("add_chunk", ws, added)).data is True
    assert "Lockers" in (await texts("What does a locker cost?"))[0]
    gone = wire.DeleteChunkRequest(pipeline_id=index, chunk_ids=[first, second])
    assert (await call("delete_chunk", ws, gone)).data is True
    assert [each.text for each in await chunks()] == ["Lockers cost two coins."]


async def test_documents_are_added_listed_and_taken_out(call: Call, shelf: Sandbox):
    ws = shelf.workspace
    old, new = await uploaded(call, ws, HARBOUR), await uploaded(call, ws, PORT, f"港口-{next(_names)}.txt")
    index = await indexed(call, ws, old)
    ask = wire.SubmitIndexAddDocumentsJobRequest(
        index_id=index,
        source_type="DATA_CENTER_FILE",
        document_ids=[new],
        chunk_mode="length",
        chunk_size=200,
        overlap_size=20,
    )
    job = (await call("submit_index_add_documents_job", ws, ask)).data.id
    status = wire.GetIndexJobStatusRequest(index_id=index, job_id=job)
    await until(call, "COMPLETED", lambda data: data.status, "get_index_job_status", ws, status)
    listed = (await call("list_index_documents", ws, wire.ListIndexDocumentsRequest(index_id=index))).data
    assert [each.id for each in listed.documents] == [new, old]
    assert listed.total_count == 2
    assert {each.status for each in listed.documents} == {"FINISH"}
    like = wire.ListIndexDocumentsRequest(index_id=index, document_name="港口", enable_name_like="true")
    assert [each.id for each in (await call("list_index_documents", ws, like)).data.documents] == [new]
    details = (
        await call("list_index_file_details", ws, wire.ListIndexFileDetailsRequest(index_id=index))
    ).data.documents
    assert (details[0].chunk_mode, details[0].chunk_size, details[0].overlap_size) == ("length", "200", "20")
    gone = wire.DeleteIndexDocumentRequest(index_id=index, document_ids=[old, "file_none"])
    assert (await call("delete_index_document", ws, gone)).data.deleted_document == [old]
    nodes = (await call("retrieve", ws, wire.RetrieveRequest(index_id=index, query="harbour 港口"))).data.nodes
    assert {each.metadata["doc_id"] for each in nodes} == {new}


async def test_knowledge_bases_are_listed_changed_watched_and_deleted(call: Call, shelf: Sandbox):
    ws = shelf.workspace
    index = await indexed(
        call, ws, await uploaded(call, ws, HARBOUR), description="Ferries", chunk_size=300, overlap_size=30
    )
    name = f"haven{next(_names)}"
    await call(
        "update_index",
        ws,
        wire.UpdateIndexRequest(id=index, name=name, description="All of it", rerank_min_score="0.2"),
    )
    (row,) = (await call("list_indices", ws, wire.ListIndicesRequest(index_name=name))).data.indices
    assert (row.id, row.description, row.rerank_min_score) == (index, "All of it", "0.2")
    assert (row.chunk_size, row.overlap_size, row.structure_type) == (300, 30, "unstructured")
    watch = wire.GetIndexMonitorRequest(index_id=index, start_timestamp="1", end_timestamp="2")
    assert (await call("get_index_monitor", ws, watch)).data["pipelineCommercialType"] == "standard"
    for _ in range(2):  # once more does no harm
        assert (await call("delete_index", ws, wire.DeleteIndexRequest(index_id=index))).success
    await refused(call, "Index.InvalidParameter", "retrieve", ws, wire.RetrieveRequest(index_id=index, query="berth"))


async def test_a_knowledge_base_without_a_source_is_refused_by_its_job(call: Call, shelf: Sandbox):
    ask = wire.CreateIndexRequest(name="nothing", structure_type="unstructured", sink_type="BUILT_IN")
    index = (await call("create_index", shelf.workspace, ask)).data.id
    told = await refused(
        call, "Index.InvalidParameter", "submit_index_job", shelf.workspace, wire.SubmitIndexJobRequest(index_id=index)
    )
    assert "data_sources" in told.message


# -- notes --------------------------------------------------------------------------------------------------------


async def test_memories_and_their_nodes_are_kept(call: Call, shelf: Sandbox):
    ws = shelf.workspace
    memory = (await call("create_memory", ws, wire.CreateMemoryRequest(description="The captain"))).memory_id
    node = (
        await call("create_memory_node", ws, memory, wire.CreateMemoryNodeRequest(content="Likes tea"))
    ).memory_node_id
    await call("update_memory_node", ws, memory, node, wire.UpdateMemoryNodeRequest(content="Likes coffee"))
    told = await call("get_memory_node", ws, memory, node, wire.GetMemoryNodeRequest())
    assert (told.content, told.memory_id, told.workspace_id) == ("Likes coffee", memory, ws)
    await call("update_memory", ws, memory, wire.UpdateMemoryRequest(description="The cook"))
    assert (await call("get_memory", ws, memory, wire.GetMemoryRequest())).description == "The cook"
    nodes = await call("list_memory_nodes", ws, memory, wire.ListMemoryNodesRequest())
    assert ([each.content for each in nodes.memory_nodes], nodes.total_count) == (["Likes coffee"], 1)
    memories = await call("list_memories", ws, wire.ListMemoriesRequest(max_results=50))
    assert memory in [each.memory_id for each in memories.memories]
    long = wire.CreateMemoryNodeRequest(content="x" * 201)
    await refused(call, "Memory.MemoryNodeContentInvalid", "create_memory_node", ws, memory, long)
    await refused(call, "Memory.MaxResultsInvalid", "list_memories", ws, wire.ListMemoriesRequest(max_results=51))
    await call("delete_memory_node", ws, memory, node, wire.DeleteMemoryNodeRequest())
    await refused(call, "Memory.MemoryNodeNotFound", "get_memory_node", ws, memory, node, wire.GetMemoryNodeRequest())
    await call("delete_memory", ws, memory, wire.DeleteMemoryRequest())
    await refused(call, "Memory.MemoryIdNotFound", "get_memory", ws, memory, wire.GetMemoryRequest())


async def test_prompt_templates_know_their_variables(call: Call, shelf: Sandbox):
    ws, name = shelf.workspace, f"greeting {next(_names)}"
    ask = wire.CreatePromptTemplateRequest(name=name, content="Say ${words} to ${who}, ${who}!")
    template = (await call("create_prompt_template", ws, ask)).prompt_template_id
    told = await call("get_prompt_template", ws, template, wire.GetPromptTemplateRequest())
    assert (told.name, told.variables) == (name, ["words", "who"])
    await call("update_prompt_template", ws, template, wire.UpdatePromptTemplateRequest(content="Hello ${who}"))
    listed = await call("list_prompt_templates", ws, wire.ListPromptTemplatesRequest(name=name, type="Custom"))
    assert [each.content for each in listed.prompt_templates] == ["Hello ${who}"]
    await call("delete_prompt_template", ws, template, wire.DeletePromptTemplateRequest())
    lost = ("get_prompt_template", ws, template, wire.GetPromptTemplateRequest())
    await refused(call, "PromptTemplate.TemplateNotFound", *lost)


# -- what is not here ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("add_files_from_authorized_oss", [wire.AddFilesFromAuthorizedOssRequest()], "OSS"),
        ("get_connector", [wire.GetConnectorRequest()], "connectors"),
        ("add_table", [wire.AddTableRequest()], "tables"),
    ],
)
async def test_what_the_sandbox_has_not_it_says(call: Call, shelf: Sandbox, name: str, arguments: list[Any], told: str):
    error = await refused(call, "InvalidOperation.NotSupported", name, shelf.workspace, *arguments)
    assert told in error.message
