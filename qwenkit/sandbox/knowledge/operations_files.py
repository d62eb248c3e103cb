"""The data centre's operations: categories, leases, files, tags and parsers; and those that need what is not here."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from qwenkit.sandbox.knowledge import limits
from qwenkit.sandbox.knowledge.operations import Ask, Json, Run, operations, telling
from qwenkit.sandbox.knowledge.values import UNSTRUCTURED, File, Wrong
from qwenkit.sandbox.service import Service

UPLOADS = "/bailian-upload"
_AT_ONCE = 20
_ENDINGS = ("doc", "docx", "ppt", "pptx", "xls", "xlsx", "md", "txt", "pdf", "png", "jpg", "jpeg", "bmp", "gif", "html")
_CATEGORY = telling("CategoryId:id CategoryName:name CategoryType:kind IsDefault:default ParentCategoryId:parent")
_FILE = telling(
    "FileId:id FileName:name FileType:type CategoryId:category Parser:parser Status:status SizeInBytes:size Tags:tags"
    " ParseErrorMessage:error"
)


def _place(ask: Ask) -> tuple[str, str]:
    """The category, and which kind of file goes there."""
    return ask.text("CategoryId", "default"), ask.text("CategoryType", UNSTRUCTURED)


def _listed(ask: Ask, name: str, rows: list[Json]) -> Json:
    shown, size, token = ask.part(rows, 20, 200)
    return {name: shown, "HasNext": bool(token), "MaxResults": size, "NextToken": token, "TotalCount": len(rows)}


def _add_category(ask: Ask) -> Json:
    made = ask.library.category(ask.text("CategoryName"), ask.text("ParentCategoryId"), _place(ask)[1])
    return {"CategoryId": made.id, "CategoryName": made.name}


def _categories(ask: Ask) -> Json:
    found = ask.library.categories(ask.text("CategoryName"), ask.text("ParentCategoryId") or None, _place(ask)[1])
    return _listed(ask, "CategoryList", [_CATEGORY(each) for each in found])


def _lease(ask: Ask) -> Json:
    category, kind = _place(ask)
    made = ask.library.lease(category, ask.text("FileName"), ask.whole("SizeInBytes"), kind, ask.now)
    until = str(int(made.expires))
    signed = urlencode({"Expires": until, "Signature": ticket(ask.service, made.id, until, made.token)})
    headers = {"X-bailian-extra": made.token, "Content-Type": ""}
    param = {"Method": "PUT", "Url": f"{ask.root}{UPLOADS}/{made.id}?{signed}", "Headers": headers}
    return {"FileUploadLeaseId": made.id, "Type": "HTTP", "Param": param}


def ticket(service: Service, lease_id: str, until: str, token: str) -> str:
    """What signs the address of an upload. The token travels in a header, so the address alone opens nothing."""
    told = f"{UPLOADS}/{lease_id}\n{until}\n{token}"
    return hmac.new(service.key.encode(), told.encode("utf-8", "replace"), "sha256").hexdigest()[:28]


def _add_file(ask: Ask) -> Json:
    parser, tags, url = ask.text("Parser", "AUTO_SELECT"), ask.several("Tags"), ask.text("OriginalFileUrl")
    made = ask.library.add_file(ask.text("LeaseId"), *_place(ask), parser, tags, url, ask.now)
    return {"FileId": made.id, "Parser": made.parser}


def _file(file: File) -> Json:
    created = datetime.fromtimestamp(file.created, UTC) + timedelta(hours=8)
    return {**_FILE(file), "CreateTime": created.strftime("%Y-%m-%d %H:%M:%S")}


def _files(ask: Ask) -> Json:
    found = ask.library.files(_place(ask)[0], ask.text("FileName"), ask.now, ask.several("FileIds", most=_AT_ONCE))
    return _listed(ask, "FileList", [_file(each) for each in found])


def _delete_file(ask: Ask) -> Json:
    ask.library.delete_file(ask.text("FileId"), ask.now)
    return {"FileId": ask.text("FileId")}


def _gone(ask: Ask, id: str) -> str:
    result = "NOT_FOUND"
    try:
        ask.library.file(id, ask.now, look=False)
        result = "FAILED"
        ask.library.delete_file(id, ask.now)
    except Wrong:
        return result
    return "DELETED"


def _delete_files(ask: Ask) -> Json:
    ids = ask.several("FileIds", most=_AT_ONCE)
    return {"DeleteFileResultList": [{"FileId": id, "Status": _gone(ask, id)} for id in ids]}


def _retagged(ask: Ask, append: bool) -> Json:
    told: Json = {"FileId": ask.text("FileId"), "Success": True}
    try:
        before = ask.library.file(told["FileId"], ask.now, look=False).tags if append else []
        ask.library.retag(told["FileId"], [*before, *ask.several("Tags")])
    except Wrong as wrong:
        told |= {"Success": False, "ErrorCode": wrong.code, "ErrorMessage": wrong.message}
    return told


def _retag_all(ask: Ask) -> Json:
    infos, mode = ask.several("FileInfos", dict, _AT_ONCE), ask.text("UpdateMode", "OVERWRITE")
    if mode not in ("OVERWRITE", "APPEND"):
        raise ask.wrong("UpdateMode")
    return {"UpdateFileTagResultList": [_retagged(ask.inner(info), mode == "APPEND") for info in infos]}


def _settings(ask: Ask) -> list[Json]:
    chosen, rows = ask.library.parse_settings(_place(ask)[0]), list[Json]()
    for ending in _ENDINGS:
        parser, config = chosen.get(ending, (limits.parsers(ending)[0][0], ""))
        row = {"FileType": ending, "Parser": parser, "ParserDisplayName": limits.PARSERS[parser]}
        rows.append({**row, **({"ParserConfig": json.loads(config)} if config else {})})
    return rows


def _change_setting(ask: Ask) -> Json:
    given = ask.inner(ask.json("ParserConfig"))
    config = given.chosen(given.text, ModelName="ModelName", ModelPrompt="ModelPrompt")
    told = json.dumps(config) if config else ""
    ask.library.change_parse_setting(_place(ask)[0], ask.text("FileType"), ask.text("Parser"), told)
    return {"ChangeResult": True}


def _parsers(ask: Ask) -> Json:
    found = [{"Parser": name, "DisplayName": title} for name, title in limits.parsers(ask.text("FileType").lower())]
    return {"FileType": ask.text("FileType"), "ParserList": found}


def _no(what: str) -> Run:
    def refuse(ask: Ask) -> None:
        raise Wrong("InvalidOperation.NotSupported", f"The qwenkit sandbox has no {what}.")

    return refuse


_OSS = _no("OSS buckets: use ApplyFileUploadLease and AddFile")
_TABLES = _no("data tables: its knowledge bases are made of files")
_CONNECTORS = _no("connectors: its files lie in categories")
FILES = {
    "AddCategory POST category CategoryName": _add_category,
    "ListCategory POST categories": _categories,
    "DeleteCategory DELETE category/{CategoryId}": lambda ask: {
        "CategoryId": ask.library.delete_category(_place(ask)[0]).id
    },
    "ApplyFileUploadLease POST category/{CategoryId} FileName SizeInBytes": _lease,
    "AddFile PUT file LeaseId": _add_file,
    "DescribeFile GET file/{FileId} FileId": lambda ask: _file(ask.library.file(ask.text("FileId"), ask.now)),
    "ListFile GET files CategoryId": _files,
    "DeleteFile DELETE file/{FileId} FileId": _delete_file,
    "DeleteFiles POST file/delete FileIds": _delete_files,
    "UpdateFileTag PUT file/{FileId} Tags": lambda ask: {
        "FileId": ask.library.retag(ask.text("FileId"), ask.several("Tags")).id
    },
    "BatchUpdateFileTag PUT batchupdatetag FileInfos": _retag_all,
    "GetParseSettings GET parser/settings": _settings,
    "ChangeParseSetting PUT parser/settings CategoryId FileType Parser": _change_setting,
    "GetAvailableParserTypes GET parser/parsertype FileType": _parsers,
    "AddFilesFromAuthorizedOss POST file/fromoss": _OSS,
    "UpdateTableFromAuthorizedOss PUT table/fromoss/{TableId}": _OSS,
    "AddTable POST table": _TABLES,
    "AddConnector POST connector": _CONNECTORS,
    "GetConnector GET connector": _CONNECTORS,
    "UpdateConnector PUT connector/{ConnectorId}": _CONNECTORS,
    "DeleteConnector DELETE connector/{ConnectorId}": _CONNECTORS,
}
OPERATIONS = tuple(operations("datacenter/", FILES))
