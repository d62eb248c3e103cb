"""`import qwenkit`: one audited list of names, each loaded on first use, and almost nothing before that."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

import qwenkit

AUDITED = [
    "APIError",
    "AsyncClient",
    "Audio",
    "AuthError",
    "BudgetExceeded",
    "BudgetWarning",
    "Client",
    "ConfigError",
    "ContentRejected",
    "Cost",
    "Image",
    "ImageGrid",
    "InvalidRequest",
    "Message",
    "NotFound",
    "PermissionDenied",
    "Piece",
    "QuotaExceeded",
    "QwenError",
    "RateLimited",
    "Reply",
    "Retriever",
    "RoundsWarning",
    "SchemaMismatch",
    "ServerError",
    "SessionClosed",
    "StreamBroken",
    "TaskFailed",
    "ToolError",
    "Transcript",
    "TransportError",
    "Usage",
    "Video",
    "VoiceSession",
    "bars",
    "check",
    "compare",
    "connect",
    "doctor",
    "sandbox",
    "show",
    "split",
    "trace",
]
HEAVY = {
    "IPython",
    "PIL",
    "anyio",
    "anywidget",
    "dashscope",
    "httpx",
    "ipywidgets",
    "markdown_it",
    "matplotlib",
    "msgspec",
    "numpy",
    "openai",
    "pandas",
    "soundfile",
    "ssl",
    "starlette",
    "uvicorn",
    "websockets",
}


def loaded_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running this."""
    told = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(told.stdout.split())


def test_the_list_of_names_is_the_audited_one():
    assert list(qwenkit.__all__) == AUDITED


def test_dir_shows_the_names_and_the_version():
    assert dir(qwenkit) == sorted([*AUDITED, "__version__"])
    assert qwenkit.__version__.count(".") == 2


@pytest.mark.parametrize("name", AUDITED)
def test_every_name_can_be_had_and_is_documented(name: str):
    value = getattr(qwenkit, name)
    assert callable(value)
    assert inspect.getdoc(value)


def test_a_name_is_looked_up_once():
    qwenkit.__dict__.pop("ConfigError", None)
    found = qwenkit.ConfigError
    assert vars(qwenkit)["ConfigError"] is found


def test_a_name_that_is_none_says_where_to_look():
    with pytest.raises(AttributeError, match=r"no 'Clint'; dir\(qwenkit\)"):
        qwenkit.Clint  # noqa: B018
    with pytest.raises(ImportError):
        importlib.import_module("qwenkit.nothing")


def test_editors_see_the_same_names_as_the_list():
    source = inspect.getsource(qwenkit)
    seen = {line.split(" as ")[-1] for line in source.splitlines() if line.startswith("    from qwenkit")}
    assert seen == set(AUDITED)


def test_importing_qwenkit_loads_nothing_heavy():
    loaded = loaded_after("import qwenkit, qwenkit as qk; qk.__all__; dir(qk)")
    assert not {name.partition(".")[0] for name in loaded} & HEAVY
    assert {name for name in loaded if name.startswith("qwenkit")} == {"qwenkit"}


def test_errors_can_be_caught_without_loading_anything_else():
    loaded = loaded_after("from qwenkit import RateLimited, QwenError")
    assert not {name.partition(".")[0] for name in loaded} & HEAVY


def test_a_client_is_made_without_the_http_library():
    loaded = loaded_after(
        "import qwenkit as qk\nqwen = qk.Client(api_key='sk-0123456789abcdef')\n"
        "repr(qwen), qwen.connection, qwen.chat, qwen.aio.chat"
    )
    assert not {name.partition(".")[0] for name in loaded} & (HEAVY - {"msgspec"})
