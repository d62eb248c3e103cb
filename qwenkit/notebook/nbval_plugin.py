"""A pytest plugin that makes nbval fair to notebooks whose cells redraw themselves.

`pytest --nbval my.ipynb`, with qwenkit installed, then compares what a reader sees, strictly: updates and clears are
folded into the final output, elements of class `qk-volatile` are left out on both sides, and rules for addresses,
timestamps and loopback ports (`sanitize.cfg` beside this file) apply unless `--nbval-sanitize-with` names others. A
cell may take 60 seconds unless `--nbval-cell-timeout` says otherwise. Kernels start without any `DASHSCOPE_*` variable,
so that the sandbox answers and a test run never spends money; `--qwenkit-live` lets the key through.
`--qwenkit-images` compares pictures too, which nbval does not.

It costs nothing when nbval is not in use, patches a few methods of nbval 0.11 for the length of one pytest run, and
refuses to guess when nbval looks different. `pytest -p no:qwenkit` switches it off.
"""

from __future__ import annotations

import inspect
import os
import tempfile
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CELL_TIMEOUT = 60.0
SANITIZE_FILE = Path(__file__).with_name("sanitize.cfg")

_KNOWN_SHAPE = {
    ("IPyNbFile", "setup"): ["self"],
    ("IPyNbFile", "get_kernel_message"): ["self", "timeout", "stream"],
    ("IPyNbCell", "sanitize"): ["self", "s"],
    ("IPyNbCell", "compare_outputs"): ["self", "test", "ref", "skip_compare"],
}
_HIDDEN_FROM_KERNELS = ("DASHSCOPE_", "ALIBABA_CLOUD_", "QWENKIT_", "MPLBACKEND", "COLUMNS", "LINES", "JPY_")
_OFFLINE = {  # an empty key also outweighs the one in a `.env` beside the notebook
    "DASHSCOPE_API_KEY": "",
    "DASHSCOPE_API_KEY_FILE_PATH": "",
    "NO_PROXY": "*",
    "no_proxy": "*",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("qwenkit", "qwenkit: strict nbval for streamed cells")
    group.addoption("--qwenkit-images", action="store_true", help="Compare the pictures in notebook outputs as well.")
    group.addoption("--qwenkit-live", action="store_true", help="Let notebooks use DASHSCOPE_* from the environment.")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if not (getattr(config.option, "nbval", False) or getattr(config.option, "nbval_lax", False)):
        return
    import nbval.plugin

    _check_shape(nbval.plugin)
    if not _timeout_was_chosen(config):
        config.option.nbval_cell_timeout = CELL_TIMEOUT
    if config.option.nbval_sanitize_with is None:
        config.option.nbval_sanitize_with = str(SANITIZE_FILE)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    notebook, cell = nbval.plugin.IPyNbFile, nbval.plugin.IPyNbCell
    profile = tempfile.TemporaryDirectory(prefix="qwenkit-ipython-", ignore_cleanup_errors=True)
    config.add_cleanup(profile.cleanup)
    patch.setattr(notebook, "setup", _quiet(notebook.setup, profile.name, live=config.option.qwenkit_live))
    patch.setattr(notebook, "get_kernel_message", _folded(notebook.get_kernel_message))
    patch.setattr(cell, "sanitize", _without_volatile(cell.sanitize))
    if config.option.qwenkit_images:
        patch.setattr(cell, "compare_outputs", _with_pictures(cell.compare_outputs))


def _check_shape(plugin: Any) -> None:
    for (owner, name), parameters in _KNOWN_SHAPE.items():
        method = getattr(getattr(plugin, owner, None), name, None)
        if method is None or list(inspect.signature(method).parameters) != parameters:
            raise pytest.UsageError(
                f"qwenkit's nbval plugin knows nbval 0.11, and this nbval has another {owner}.{name}. "
                "Install 'nbval==0.11.*', or run pytest with '-p no:qwenkit'."
            )


def _timeout_was_chosen(config: pytest.Config) -> bool:
    words = [*config.invocation_params.args, *config.getini("addopts"), os.environ.get("PYTEST_ADDOPTS", "")]
    return any("--nbval-cell-timeout" in str(word) for word in words)


def _quiet(setup: Callable[[Any], None], profile: str, *, live: bool) -> Callable[[Any], None]:
    def quiet_setup(self: Any) -> None:
        with kernel_environment(profile, live=live):
            setup(self)

    return quiet_setup


@contextmanager
def kernel_environment(profile: str, *, live: bool = False) -> Iterator[None]:
    """An environment in which no setting of this machine can change an output; the caller's comes back afterwards."""
    before = dict(os.environ)
    try:
        if not live:
            for name in [name for name in os.environ if name.startswith(_HIDDEN_FROM_KERNELS)]:
                del os.environ[name]
            os.environ.update(_OFFLINE)
        os.environ["IPYTHONDIR"] = profile
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _folded(get_kernel_message: Callable[..., Any]) -> Callable[..., Any]:
    """Hold a cell's outputs back until it is idle, then hand nbval what is left on screen."""
    from qwenkit.notebook.folding import Screen

    def folded_message(self: Any, timeout: float | None = None, stream: str = "iopub") -> Any:
        if stream != "iopub":
            return get_kernel_message(self, timeout=timeout, stream=stream)
        screens, ready = self.__dict__.setdefault("_qwenkit_screens", (defaultdict(Screen), deque()))
        while not ready:
            message = get_kernel_message(self, timeout=timeout, stream=stream)
            parent = message["parent_header"].get("msg_id")
            if screens[parent].feed(message):
                continue
            if _ends_output(message):
                ready.extend(screens.pop(parent).shown)
            ready.append(message)
        return ready.popleft()

    return folded_message


def _ends_output(message: Any) -> bool:
    """An error ends it too: on one that was not expected, nbval reads on past this method."""
    return bool(message["msg_type"] == "error" or message["content"].get("execution_state") == "idle")


def _without_volatile(sanitize: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    from qwenkit.notebook.folding import without_volatile

    def sanitize_steady(self: Any, s: Any) -> Any:
        return sanitize(self, without_volatile(s) if isinstance(s, str) else s)

    return sanitize_steady


def _with_pictures(compare_outputs: Callable[..., bool]) -> Callable[..., bool]:
    from qwenkit.notebook.pictures import first_difference

    def compare_with_pictures(self: Any, test: Any, ref: Any, skip_compare: Any = None) -> bool:
        if not compare_outputs(self, test, ref, skip_compare):
            return False
        difference = first_difference(ref, test)
        self.comparison_traceback += [difference] if difference else []
        return difference == ""

    return compare_with_pictures
