"""`qk.doctor()`: is everything here that qwenkit needs, and if not, what to do about it.

Each examination looks at one thing and gives one or more findings: good, bad, or worth knowing (`ok` is None), with a
cure wherever there is something to do. Nothing leaves the machine unless `live=True`, which asks the regions which of
them knows the key and opens one WebSocket (see `probes`); both cost nothing. No finding holds more of a key than its
ends.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from importlib.util import find_spec

from qwenkit.secret import Secret
from qwenkit.types.connection import CheckUp, Finding

OLDEST_PYTHON = (3, 11)
GOOD_NEST_ASYNCIO2 = (1, 7, 3)
LAB_EXTRA = ("jupyterlab", "nest-asyncio2", "espeakng-loader")
CJK_FONTS = (
    "CJK",
    "Source Han",
    "WenQuanYi",
    "Droid Sans Fallback",
    "SimHei",
    "SimSun",
    "YaHei",
    "PingFang",
    "Heiti",
    "STSong",
    "Songti",
    "Arial Unicode",
    "AR PL",
)
_INSTALL_LAB = "pip install 'qwenkit[lab]'"

Environment = Mapping[str, str]


def doctor(*, live: bool = False, env: Environment | None = None) -> CheckUp:
    """Examine this machine and its settings. `live=True` also calls the service with the key, at no cost."""
    from qwenkit.config import environment

    settings = environment() if env is None else env
    findings = [finding for examine in _EXAMINATIONS for finding in _careful(examine)]
    findings += list(key_and_address(settings))
    if live:
        from qwenkit.notebook.probes import live_findings

        findings += list(live_findings(settings))
    return CheckUp(findings)


def _careful(examine: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """A broken installation breaks in odd places; the doctor reports that too and goes on."""
    try:
        return list(examine())
    except Exception as broken:
        name = examine.__name__.replace("_", " ")
        return [
            Finding(
                name, False, f"{type(broken).__name__}: {broken}", "reinstall: pip install --force-reinstall qwenkit"
            )
        ]


def python_version() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= OLDEST_PYTHON
    yield Finding("Python", good, version, "" if good else "qwenkit needs Python 3.11 or newer: make a new environment")


def notebook_kernel() -> Iterator[Finding]:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if getattr(shell, "kernel", None) is None:
        yield Finding("notebook", None, "not in a notebook; values print as text", "start one with: qwenkit lab")
        return
    yield Finding("notebook", True, f"ipykernel {_version('ipykernel')} in {front_end()}")


def front_end(env: Environment | None = None) -> str:
    """What shows this kernel's outputs, as far as the kernel can tell."""
    import os

    env = os.environ if env is None else env
    if "google.colab" in sys.modules:
        return "Colab"
    if any(name.startswith("VSCODE_") for name in env):
        return "VS Code"
    return "JupyterLab or Jupyter Notebook" if "JPY_SESSION_NAME" in env else "an unknown front end"


def lab_extra() -> Iterator[Finding]:
    missing = [name for name in LAB_EXTRA if not _version(name)]
    if missing:
        yield Finding("lab extra", None, f"without {', '.join(missing)}", _INSTALL_LAB)
    else:
        yield Finding("lab extra", True, f"JupyterLab {_version('jupyterlab')}")


def drawing() -> Iterator[Finding]:
    """Figures come from matplotlib; Chinese in them needs a font that has it."""
    from matplotlib import font_manager

    names = {font.name for font in font_manager.fontManager.ttflist}
    usable = sorted(name for name in names if any(part in name for part in CJK_FONTS))
    cure = "install Noto Sans CJK (Debian, Ubuntu: apt install fonts-noto-cjk), then delete matplotlib's font cache"
    yield Finding("matplotlib", True, _version("matplotlib"))
    yield Finding(
        "Chinese in figures", True if usable else None, usable[0] if usable else "no font", "" if usable else cure
    )


def speech() -> Iterator[Finding]:
    if find_spec("espeakng_loader"):
        yield Finding("sandbox voice", True, "espeak-ng")
    else:
        yield Finding("sandbox voice", None, "no espeak-ng: the sandbox hums syllables", _INSTALL_LAB)


def nested_loops() -> Iterator[Finding]:
    """Measured: with these releases a nested `asyncio.run` leaves every cell queued behind it unexecuted for ever."""
    newer, older = _version("nest-asyncio2"), _version("nest-asyncio")
    upgrade = f"pip install -U 'nest-asyncio2>={'.'.join(map(str, GOOD_NEST_ASYNCIO2))}'"
    if newer and _numbers(newer) < GOOD_NEST_ASYNCIO2:
        yield Finding("nest-asyncio2", False, f"{newer} can leave cells unexecuted after a nested call", upgrade)
    if older and "nest_asyncio" in sys.modules:
        cure = f"use nest-asyncio2 instead ({upgrade}) and restart the kernel"
        yield Finding(
            "nest-asyncio", False, f"{older} is loaded and can leave cells unexecuted after a nested call", cure
        )
    elif older:
        yield Finding("nest-asyncio", None, f"{older} is installed, not loaded", "do not apply it in a notebook")


def sandbox_answers() -> Iterator[Finding]:
    from qwenkit.api.client import Client
    from qwenkit.sandbox import Sandbox

    try:
        with Sandbox() as box, Client(api_key=box.key, base_url=box.url, max_retries=0, timeout=20) as client:
            client.models.live()
    except Exception as failure:
        cure = "allow programs to listen on 127.0.0.1, and check that no proxy takes that address (NO_PROXY=127.0.0.1)"
        yield Finding("sandbox", False, f"{type(failure).__name__}: {failure}", cure)
    else:
        yield Finding("sandbox", True, "starts and answers")


def key_and_address(env: Environment) -> Iterator[Finding]:
    """The key's shape, where it came from, and where calls with it would go."""
    from qwenkit.config import Config, find_key
    from qwenkit.errors import ConfigError

    try:
        key, source = find_key(None, env)
        config = Config.resolve(env=env) if key else None
    except ConfigError as wrong:
        yield Finding("key", False, wrong.message, wrong.hint)
        return
    if config is None:
        yield Finding(
            "key", None, "none: qk.connect() starts the sandbox", "to call Qwen itself, set DASHSCOPE_API_KEY"
        )
        return
    good, told, cure = judge_key(key, config.root)
    yield Finding("key", good, f"{config.key.masked} from {source}: {told}", cure)
    place = f"region {config.region}, " if config.region else ""
    yield Finding(
        "address", True, f"{place}{config.root}{f', workspace {config.workspace}' if config.workspace else ''}"
    )


def judge_key(key: Secret, root: str) -> tuple[bool | None, str, str]:
    """Good or not, what kind of key it is, and the cure. Plans and pay-as-you-go keys do not mix."""
    from qwenkit import catalogue

    family = catalogue.host_family(root)
    plan_address = family is not None and family.kind.endswith("-plan")
    if key.startswith("sk-sp-"):
        cure = (
            ""
            if plan_address
            else "set DASHSCOPE_BASE_URL to the plan's own address, or use a pay-as-you-go key (sk-…)"
        )
        return plan_address, "a Coding Plan key, good only with the plan's address", cure
    if key.startswith("sk-"):
        cure = "unset DASHSCOPE_BASE_URL, or use the plan's own key" if plan_address else ""
        return not plan_address, "a pay-as-you-go key" + (" on a plan's address" if plan_address else ""), cure
    if key.startswith("st-"):
        return None, "a temporary key, good for 30 minutes at most", "make a new one when calls answer 401"
    if family is None:
        return None, "not of Model Studio's shape, nor is the address", ""
    return False, "not shaped like a key, which begins sk-", "copy the key again from the Model Studio console"


_EXAMINATIONS = (python_version, notebook_kernel, lab_extra, drawing, speech, nested_loops, sandbox_answers)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
