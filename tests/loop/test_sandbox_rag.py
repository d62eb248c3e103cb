"""The RAG API and the memory API of the sandbox, asked as their pages say: with a key, JSON, and both envelopes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from qwenkit.sandbox import Sandbox

HARBOUR = """# Harbour
The harbour of Vell is nine metres deep. The last ferry leaves at half past nine.
# Fees
A berth costs four coins a day. Dogs travel free of charge.
"""
PORT = "# 港口\n港口水深九米，末班渡轮九点半开。\n"
DASH, RAG, MEMORY = "/api/v1/connector/dash", "/api/v1/indices/rag", "/api/v2/apps/memory"
_names = itertools.count(1)
Json = dict[str, Any]


@pytest.fixture(scope="module")
def shelf() -> Iterator[Sandbox]:
    with Sandbox(key="sk-rag") as running:
        yield running


@pytest.fixture(scope="module")
def http(shelf: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shelf.url, headers={"Authorization": f"Bearer {shelf.key}"}, timeout=30) as client:
        yield client


def imports(http: httpx.Client, name: str, **body: Any) -> Any:
    """A call of the import group; its data."""
    answer = http.post(f"{DASH}/{name}", json=body)
    told = answer.json()
    assert (answer.status_code, told["code"], told["status"]) == (200, "Success", 200), told
    assert told["requestId"] == answer.headers["x-request-id"]
    return told["data"]


def rag(http: httpx.Client, path: str, body: Json | None = None, **query: Any) -> Any:
    """A call of the knowledge group, with a body or with a query; its data."""
    answer = http.post(f"{RAG}/{path}", json=body) if body is not None else http.get(f"{RAG}/{path}", params=query)
    told = answer.json()
    assert (answer.status_code, told["code"], told["success"], told["status"]) == (200, "Success", True, "SUCCESS"), (
        told
    )
    return told.get("data")


def uploaded(http: httpx.Client, text: str, *tags: str, ending: str = "md") -> str:
    content = text.encode()
    lease = imports(
        http,
        "applyFileUploadLease",
        category="default",
        fileName=f"harbour {next(_names)}.{ending}",
        sizeBytes=str(len(content)),
        contentMd5="0" * 32,
    )
    param = lease["param"]
    assert (lease["type"], param["method"], sorted(param["headers"])) == (
        "HTTP",
        "PUT",
        ["Content-Type", "x-bailian-extra"],
    )
    assert httpx.put(param["url"], content=content, headers=param["headers"]).status_code == 200
    added = imports(http, "addFile", leaseId=lease["leaseId"], category="default", parser="AUTO_SELECT", tags=[*tags])
    return str(added["fileId"])


def based(http: httpx.Client, *files: str, **settings: Any) -> str:
    """A knowledge base that is ready."""
    made = rag(
        http,
        "index/create_v2",
        {
            "name": f"kb{next(_names)}",
            "description": "Ferries",
            "structureType": "unstructured",
            "sinkType": "BUILT_IN",
            "sourceType": "DATA_CENTER_FILE",
            "docIds": [*files],
            "dataSources": [{"sourceType": "DATA_CENTER_FILE"}],
            **settings,
        },
    )
    assert made["status"] == "PENDING"
    assert made["created_at"] > 10**12
    finished(http, made["pipelineId"], made["ingestionId"])
    return str(made["pipelineId"])


def finished(http: httpx.Client, base: str, job: str) -> Json:
    met: list[str] = []
    while "COMPLETED" not in met:
        told: Json = rag(http, "index_job/status", index_id=base, job_id=job)
        met.append(told["ingestion_status"])
        assert len(met) < 50, met
    return told


@pytest.fixture(scope="module")
def files(http: httpx.Client) -> tuple[str, str]:
    return uploaded(http, HARBOUR, "english"), uploaded(http, PORT, "chinese")


@pytest.fixture(scope="module")
def base(http: httpx.Client, files: tuple[str, str]) -> str:
    return based(http, *files)


# -- data import --------------------------------------------------------------------------------------------------


def test_a_file_is_described_and_listed(http: httpx.Client, files: tuple[str, str]):
    imports(http, "describeFile", fileId=files[0])
    told = imports(http, "describeFile", fileId=files[0])
    assert (told["status"], told["fileType"], told["category"]) == ("PARSE_SUCCESS", "md", "default")
    assert told["sizeBytes"] == len(HARBOUR.encode())
    assert len(told["uploadTime"]) == 19
    listed = imports(http, "listFile", categoryId="default", maxResult=1)
    assert (len(listed["fileList"]), listed["hasNext"], listed["maxResult"]) == (1, True, 1)
    rest = imports(http, "listFile", categoryId="default", maxResult=1, nextToken=listed["nextToken"])
    assert rest["fileList"][0]["fileId"] != listed["fileList"][0]["fileId"]


def test_a_file_that_cannot_be_read_fails_and_says_why(http: httpx.Client):
    file = uploaded(http, "no pdf at all", ending="pdf")
    states = [imports(http, "describeFile", fileId=file)["status"] for _ in range(4)]
    assert states[-1] == "FAIL"
    rows = imports(http, "listFile", categoryId="default", fileIds=[file])["fileList"]
    assert rows[0]["parseErrorMessage"]


def test_categories_tags_and_deletion(http: httpx.Client):
    made = imports(http, "addCategory", categoryName=f"Port {next(_names)}", categoryType="UNSTRUCTURED")
    rows = imports(http, "listCategory", type="UNSTRUCTURED")["categoryList"]
    assert made["categoryId"] in [row["categoryId"] for row in rows]
    assert rows[0]["type"] == "UNSTRUCTURED"
    assert imports(http, "deleteCategory", categoryId=made["categoryId"])["categoryId"] == made["categoryId"]
    file = uploaded(http, HARBOUR)
    infos = [{"fileId": file, "tags": ["new"]}]
    assert imports(http, "batchUpdateFileTag", fileInfos=infos)["results"] == [{"fileId": file, "success": True}]
    for _ in range(2):
        assert imports(http, "describeFile", fileId=file)["tags"] == ["new"]
    assert imports(http, "deleteFile", fileId=file)["fileId"] == file


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        (
            "applyFileUploadLease",
            {"category": "default", "fileName": "a.md", "sizeBytes": 3, "contentMd5": "0"},
            "SizeBytes",
        ),
        ("applyFileUploadLease", {"fileName": "a.md", "sizeBytes": "3", "contentMd5": "0"}, "category"),
        ("describeFile", {}, "fileId"),
        ("describeFile", {"fileId": "file_none"}, "FileId"),
        ("batchUpdateFileTag", {"fileInfos": "nonsense"}, "FileInfos"),
        ("listFile", {"categoryId": "default", "nextToken": "nonsense"}, "NextToken"),
        ("listFile", {"categoryId": "default", "maxResult": 1.5}, "MaxResults"),
        ("addFilesFromAuthorizedOss", {}, "OSS"),
        ("addConnector", {}, "connectors"),
    ],
)
def test_the_import_group_fails_with_http_200(http: httpx.Client, name: str, body: Json, told: str):
    answer = http.post(f"{DASH}/{name}", json=body)
    said = answer.json()
    assert (answer.status_code, said["status"]) == (200, 400)
    assert told.lower() in said["message"].lower()
    assert said["code"].startswith("Invalid")


def test_other_names_and_keys_are_refused_as_anywhere(http: httpx.Client):
    assert http.post(f"{DASH}/nothing", json={}).json()["message"] == "url error, please check url！"
    for path in (f"{DASH}/listFile", f"{RAG}/index/retrieve", f"{MEMORY}/add", "/api/v2/apps/knowledge/chat"):
        answer = httpx.post(f"{http.base_url}{path}", json={}, headers={"Authorization": "Bearer sk-other"})
        assert (answer.status_code, answer.json()["code"]) == (401, "InvalidApiKey")


# -- knowledge bases ----------------------------------------------------------------------------------------------


def test_documents_of_a_base_are_listed_in_both_ways(http: httpx.Client, base: str, files: tuple[str, str]):
    told = rag(http, "index/files", index_id=base, page_size=1)
    assert (told["page_number"], told["page_size"], told["total_count"]) == (1, 1, 2)
    (row,) = told["rows"]
    assert row["doc_id"] in files
    assert (row["status"], row["code"], row["doc_type"]) == ("FINISH", "FINISH", "md")
    assert {"ingestion_id", "gmt_modified", "canDelete", "size", "message", "categoryId"} <= row.keys()
    details = rag(http, "list/index/file/details", {"indexId": base, "pageNumber": 2, "pageSize": 1})
    assert {row["doc_id"], details["rows"][0]["doc_id"]} == {*files}
    assert {row["tags"][0], details["rows"][0]["tags"][0]} == {"english", "chinese"}
    assert details["rows"][0]["chunkSize"] == 500


def test_bases_are_listed_changed_and_watched(http: httpx.Client, files: tuple[str, str]):
    base, name = based(http, files[0]), f"haven{next(_names)}"
    changed = rag(http, "index/update", {"id": base, "name": name, "rerankMinScore": 0.3})
    assert changed["id"] == base
    assert changed["updated_at"] >= changed["created_at"]
    told = rag(http, "index/list", page_number=1, page_size=5, pipeline_name=name)
    (row,) = told["rows"]
    assert (row["id"], row["name"], row["rerankMinScore"], row["docIds"]) == (base, name, 0.3, [files[0]])
    watched = rag(http, "index/monitor", {"indexId": base, "startTimestamp": "1", "endTimestamp": 2})
    assert watched["storageMonitorData"]["indexStorageLimit"] == 100
    assert rag(http, "index/delete", {"index_id": base}) is None
    assert rag(http, "index/list", pipeline_name=name)["rows"] == []


def test_documents_are_added_in_either_spelling_and_taken_out(http: httpx.Client, files: tuple[str, str]):
    base = based(http, files[0])
    for body in ({"docIds": [files[1]]}, {"dataSource": {"fileIds": [files[1]]}}):
        job = rag(http, "index/job/create", {"indexId": base, "sourceType": "DATA_CENTER_FILE", **body})
        told = finished(http, base, job["ingestionId"])
        assert [row["doc_id"] for row in told["rows"]] == [files[1]]
        assert told["ended_at"] >= told["started_at"]
    gone = rag(http, "index/delete_file", {"index_id": base, "doc_ids": [files[1]]})
    assert gone["deleted"] == [files[1]]


def test_chunks_are_listed_added_changed_and_deleted(http: httpx.Client, files: tuple[str, str]):
    base, file = based(http, files[0]), files[0]
    told = rag(http, "index/chunklist", {"indexId": base, "docId": file, "pageSize": 100})
    assert told["total"] == len(told["nodes"])
    assert told["isDowngrade"] is False
    chunk = told["nodes"][0]["metadata"]["_id"]
    change = {"pipelineId": base, "dataId": file, "chunkId": chunk, "isDisplayedChunkContent": True}
    rag(http, "index/chunk/update", {**change, "content": "The harbour is eleven metres deep.", "title": ""})
    found = rag(http, "index/retrieve", {"index_id": base, "query": "How deep is the harbour?", "top_k": 1})
    assert [node["text"] for node in found["nodes"]] == ["The harbour is eleven metres deep."]
    rag(
        http,
        "index/chunk/create",
        {"pipelineId": base, "dataId": file, "field": {"content": "Lockers cost two coins."}},
    )
    rag(http, "index/chunk/delete", {"pipelineId": base, "chunkIds": [chunk]})
    left = rag(http, "index/chunklist", {"indexId": base, "docId": file})
    assert left["total"] == told["total"]
    assert left["nodes"][-1]["text"] == "Lockers cost two coins."


@pytest.mark.parametrize(
    ("path", "body", "code", "told"),
    [
        ("index/create_v2", {"name": "kb"}, "Index.InvalidParameter", "StructureType"),
        ("index/create_v2", {"description": ""}, "Index.InvalidParameter", "description length range[1-200]"),
        ("index/create_v2", {"docIds": []}, "Index.InvalidParameter", "file_ids"),
        ("index/create_v2", {"docIds": ["file_none"]}, "Index.FileEmptyError", "fetch empty file list"),
        ("index/delete_file", {"indexId": "x", "doc_ids": ["y"]}, "Index.InvalidParameter", "ndex_id"),
        ("index/retrieve", {"index_id": "none", "query": "x"}, "Index.InvalidParameter", "none"),
    ],
)
def test_the_knowledge_group_fails_with_a_status(http: httpx.Client, path: str, body: Json, code: str, told: str):
    whole = {"name": "kb", "description": "d", "structureType": "unstructured", "sinkType": "DEFAULT"}
    whole |= {"sourceType": "DATA_CENTER_FILE", "dataSources": [{}], "docIds": ["x"]}
    sent = body if body == {"name": "kb"} or "create" not in path else {**whole, **body}
    answer = http.post(f"{RAG}/{path}", json=sent)
    said = answer.json()
    assert (answer.status_code, said["status_code"], said["status"], said["success"]) == (400, 400, "FAILED", False)
    assert said["code"] == code
    assert told.lower() in said["message"].lower()


# -- agents -------------------------------------------------------------------------------------------------------


def agent(http: httpx.Client, base: str, scene: str = "chat", deploy: bool = True, **config: Any) -> str:
    rows = [{"id": base, "weight": 1, "rerank_top_n": 2, "rerank": {"model_name": "qwen3-rerank", "rerank_mode": "qa"}}]
    made = rag(
        http,
        "app/create",
        {
            "agent_name": f"guide {next(_names)}",
            "agent_scene": scene,
            "agent_config": {"agent_model": "qwen-plus", "kb_search_configs": rows, **config},
        },
    )
    assert (made["agent_version"], made["agent_status"]) == ("beta", "draft")
    if deploy:
        assert rag(http, "app/deploy", {"agent_id": made["agent_id"]})["agent_version"] == "1"
    return str(made["agent_id"])


def test_an_agent_goes_from_draft_to_deleted(http: httpx.Client, base: str):
    id = agent(http, base, scene="search")
    rag(http, "app/update", {"agent_id": id, "agent_desc": "Ferries", "agent_config": {"kb_search_configs": []}})
    told = rag(http, "app/get", {"agent_id": id})
    assert (told["agent_status"], [each["agent_version"] for each in told["agent_details"]]) == (
        "edited",
        ["beta", "1"],
    )
    assert told["agent_details"][1]["agent_config"]["kb_search_configs"][0]["credibility_level"] == "medium"
    assert rag(http, "app/deploy", {"agent_id": id})["agent_version"] == "2"
    copied = rag(http, "app/copy", {"agent_id": id})
    assert copied["agent_name"] == f"copy_{told['agent_name']}"
    assert copied["agent_id"] != id
    rows = rag(http, "app/list", {"agent_scene": "search", "agent_status": "deployed"})["rows"]
    assert [(row["agent_id"], row["agent_version"]) for row in rows] == [(id, "2")]
    for _ in range(2):
        assert rag(http, "app/delete", {"agent_id": id}) == {"agent_id": id, "agent_status": "deleted"}
    assert rag(http, "app/list", {"agent_scene": "search", "agent_id": id})["total_count"] == 0
    for path in ("deploy", "copy", "get", "update"):
        assert http.post(f"{RAG}/app/{path}", json={"agent_id": id}).json()["code"] == "Index.InvalidParameter"
    assert http.post("/api/v1/indices/knowledge/search", json={"agent_id": id, "query": "x"}).status_code == 404


def search(http: httpx.Client, **body: Any) -> httpx.Response:
    return http.post("/api/v1/indices/knowledge/search", json=body)


def test_a_published_agent_searches_and_is_narrowed(http: httpx.Client, base: str, files: tuple[str, str]):
    id = agent(http, base, scene="search")
    data = search(http, agent_id=id, query="What does a berth cost?").json()["data"]
    assert "four coins" in data["nodes"][0]["text"]
    assert data["total"] == len(data["nodes"]) <= 2
    narrow = [{"id": base, "search_filters": [{"tags": ["chinese"]}]}]
    data = search(http, agent_id=id, query="berth 港口", kb_search_configs=narrow).json()["data"]
    assert {node["metadata"]["doc_id"] for node in data["nodes"]} == {files[1]}
    either = {"_operator": "OR", "_conditions": [{"doc_id": files[0]}, {"doc_id": files[1]}]}
    narrow = [{"id": base, "search_filters": [either]}]
    assert search(http, agent_id=id, query="berth 港口", kb_search_configs=narrow).json()["data"]["total"] == 2
    for body, told in (
        ({"query": "x"}, "agent_id is required"),
        ({"agent_id": id}, "query is required"),
        ({"agent_id": id, "query": "x", "kb_search_configs": [{}]}, "kb_search_configs[0].id is required"),
        ({"agent_id": id, "query": "x", "kb_search_configs": [{"id": "kb"}]}, "kb not bound to agent: kb"),
        (
            {"agent_id": id, "query": "x", "kb_search_configs": [{"id": base}] * 2},
            f"duplicate kb id in kb_search_configs: {base}",
        ),
    ):
        said = search(http, **body).json()
        assert (said["success"], said["status"], said["code"], said["message"]) == (
            False,
            "ERROR",
            "InvalidParameter",
            told,
        )


def chat(http: httpx.Client, question: str, **options: Any) -> list[tuple[str, Json]]:
    """The events of a chat."""
    body = {"input": {"messages": [{"role": "user", "content": question}], "request_id": "mine"}, "stream": True}
    answer = http.post("/api/v2/apps/knowledge/chat", json={**body, "parameters": {"agent_options": options}})
    assert answer.headers["content-type"].startswith("text/event-stream")
    frames = [frame.split("\n") for frame in answer.text.strip().split("\n\n")]
    return [(lines[1].removeprefix("event:"), json.loads(lines[-1].removeprefix("data:"))) for lines in frames]


def test_a_published_agent_answers_from_what_it_found(http: httpx.Client, base: str):
    events = chat(http, "What does a berth cost?", agent_id=agent(http, base))
    assert {kind for kind, _ in events} == {"result"}
    steps = [each["output"]["choices"][0]["message"] for _, each in events]
    changes = [step["extra"]["step_change"] for step in steps if step["extra"]["step_change"]]
    assert changes == ["plan_start", "plan_end", "tool_calling", "tool_return", "generation_start", "generation_end"]
    (call,) = next(step["tool_calls"] for step in steps if step["tool_calls"])
    assert json.loads(call["function"]["arguments"]) == {"query": "What does a berth cost?", "target_ids": [base]}
    (back,) = [step for step in steps if step["role"] == "tool"]
    assert back["tool_call_id"] == call["id"]
    assert any("four coins" in doc["text"] for doc in back["additional_kwargs"]["extra_json"]["docs"])
    said = "".join(step["content"] for step in steps if step["extra"]["group"] == "generating")
    assert "four coins" in said
    assert "<ref>[1]</ref>" in said
    last = events[-1][1]
    assert last["output"]["choices"][0]["finish_reason"] == "stop"
    assert last["output"]["request_id"] == "mine"
    assert last["usage"]["total_tokens"] == last["usage"]["input_tokens"] + last["usage"]["output_tokens"] > 0


def test_an_agent_says_when_it_finds_nothing(http: httpx.Client, base: str):
    events = chat(
        http, "Who won the chess tournament in Reykjavik?", agent_id=agent(http, base, enable_citation="false")
    )
    said = "".join(each["output"]["choices"][0]["message"]["content"] for _, each in events[5:])
    assert "do not find" in said


def test_what_is_wrong_with_an_agent_is_an_error_event(http: httpx.Client, base: str):
    for id in ("aid-none", agent(http, base, deploy=False)):
        ((kind, told),) = chat(http, "Hello", agent_id=id)
        assert (kind, told["code"]) == ("error", "AgentApp.NotFound")
        assert told["request_id"]
    answer = http.post("/api/v2/apps/knowledge/chat", json={"input": {}, "stream": False})
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")


# -- memory -------------------------------------------------------------------------------------------------------


def memory(http: httpx.Client, method: str, path: str, body: Json | None = None, **query: Any) -> Json:
    answer = http.request(method, f"{MEMORY}/{path}", json=body, params=query)
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    assert told.pop("request_id")
    return told


def test_what_a_user_states_is_remembered_and_replaced(http: httpx.Client):
    user = {"user_id": f"user {next(_names)}"}
    said = [
        {"role": "user", "content": "Hello! My dog is called Rex. 我住在上海。Is it late?"},
        {"role": "assistant", "content": "No."},
    ]
    nodes = memory(http, "POST", "add", {**user, "messages": said})["memory_nodes"]
    assert [(each["event"], each["content"]) for each in nodes] == [
        ("ADD", "My dog is called Rex."),
        ("ADD", "我住在上海。"),
    ]
    new = memory(http, "POST", "add", {**user, "custom_content": "My dog is called Max."})["memory_nodes"]
    (changed,) = new
    assert (changed["event"], changed["old_content"]) == ("UPDATE", "My dog is called Rex.")
    assert changed["memory_node_id"] == nodes[0]["memory_node_id"]
    assert memory(http, "POST", "add", {**user, "custom_content": "My dog is called Max."})["memory_nodes"] == []
    asked = [{"role": "user", "content": "What is my dog called?"}]
    (found,) = memory(http, "POST", "memory_nodes/search", {**user, "messages": asked})["memory_nodes"]
    assert found["content"] == "My dog is called Max."
    assert found["score"] > 0.3
    other = memory(http, "POST", "memory_nodes/search", {"user_id": "somebody else", "messages": asked})
    assert other["memory_nodes"] == []
    node = f"memory_nodes/{found['memory_node_id']}"
    memory(http, "PATCH", node, {**user, "custom_content": "The dog is gone.", "meta_data": {"sad": True}})
    page = memory(http, "GET", "memory_nodes", page_size=1, page_num=2, **user)
    assert (page["total"], page["memory_nodes"][0]["content"]) == (2, "The dog is gone.")
    assert page["memory_nodes"][0]["meta_data"] == {"sad": True}
    memory(http, "DELETE", node)
    assert memory(http, "GET", "memory_nodes", **user)["total"] == 1
    assert http.delete(f"{MEMORY}/{node}").status_code == 404


def test_a_profile_is_filled_from_what_is_said(http: httpx.Client):
    user = {"user_id": f"user {next(_names)}"}
    attributes = [{"name": "hobby"}, {"name": "city", "default_value": "unknown"}, {"name": "职业"}]
    id = memory(http, "POST", "profile_schemas", {"name": "People", "attributes": attributes})["profile_schema_id"]
    lost = http.get(f"{MEMORY}/profile_schemas/{id}/user_profile", params=user)
    assert (lost.status_code, lost.json()["code"]) == (404, "UserNotFound")
    said = [{"role": "user", "content": "My hobby is sailing. 我的职业是船长。"}]
    memory(http, "POST", "add", {**user, "messages": said, "profile_schema": id})
    for path in ("user_profile", "profiles"):
        profile = memory(http, "GET", f"profile_schemas/{id}/{path}", **user)["profile"]
        assert {each["name"]: each.get("value") for each in profile["attributes"]} == {
            "hobby": "sailing",
            "city": "unknown",
            "职业": "船长",
        }
    held = {each["name"]: each["attribute_id"] for each in memory(http, "GET", f"profile_schemas/{id}")["attributes"]}
    changes = [{"op": "add", "name": "age"}, {"op": "update", "attribute_id": held["city"], "name": "town"}]
    changes += [{"op": "delete", "attribute_id": held["hobby"]}]
    memory(http, "PATCH", f"profile_schemas/{id}", {"name": "Folk", "attributes_operations": changes})
    told = memory(http, "GET", f"profile_schemas/{id}")
    assert (told["name"], [each["name"] for each in told["attributes"]]) == ("Folk", ["town", "职业", "age"])
    assert id in [
        row["profile_schema_id"] for row in memory(http, "GET", "profile_schemas", page_size=100)["profile_schemas"]
    ]
    memory(http, "DELETE", f"profile_schemas/{id}")
    assert http.get(f"{MEMORY}/profile_schemas/{id}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "x"}]},
        {"user_id": "u" * 65, "custom_content": "x"},
        {"user_id": "u", "custom_content": "x" * 513},
        {"user_id": "u", "messages": [{"role": "user", "content": "x"}] * 51},
        {"user_id": "u", "messages": "x"},
        {"user_id": "u"},
    ],
)
def test_a_memory_that_cannot_be_is_refused(http: httpx.Client, body: Json):
    answer = http.post(f"{MEMORY}/add", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")


# -- nonsense -----------------------------------------------------------------------------------------------------

DEEP = json.loads('{"eq": ' * 600 + "1" + "}" * 600)
NONSENSE: list[Any] = [
    None,
    -1,
    1e300,
    "",
    "nan",
    "\x00",
    "[[1]]",
    '{"a":',
    [None],
    [{}],
    [[]],
    {"a": []},
    {"rerank": 1},
    '["\\ud800"]',
    '{"a": "\\ud800"}',
    "[NaN]",
    [{"a": DEEP}],
    "x" * 9000,
]


@pytest.fixture(scope="module")
def careless() -> Iterator[httpx.Client]:
    with Sandbox(key="sk-rag", check_signatures=False) as running:
        headers = {"Authorization": f"Bearer {running.key}"}
        with httpx.Client(base_url=running.url, headers=headers, timeout=30) as client:
            yield client


@pytest.mark.parametrize("value", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_never_a_failure_of_the_service(careless: httpx.Client, value: Any):
    from qwenkit.sandbox.knowledge import memory, openapi
    from qwenkit.sandbox.knowledge import rag as api

    needed = [each.needs for each in (*openapi.OPERATIONS, *api.OPERATIONS)]
    names = {name for needs in needed for name in needs} | {"messages", "input", "parameters", "attributes", "Tags"}
    body = {**dict.fromkeys(names, value), "stream": True, "user_id": "u"}
    for method, path, _ in (*openapi.ROUTES[2::2], *api.ROUTES, *memory.ROUTES):
        at = path.replace("{ws}", "llm-sandbox").replace("{name}", "addFile").replace("{", "").replace("}", "")
        answer = careless.request(method, at, json=body)
        assert answer.status_code < 500, (method, path, answer.text)


@pytest.mark.parametrize("path", ["datacenter/category", "index/list_chunks", "promptTemplates"])
def test_half_a_character_is_refused(careless: httpx.Client, path: str):
    body = b'{"CategoryName": "\\ud800", "IndexId": "\\ud800", "name": "\\ud800", "content": "text"}'
    answer = careless.post(f"/llm-sandbox/{path}", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
