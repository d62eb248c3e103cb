"""A JupyterLab of our own, a Chromium to look at it, and a notebook page that says what happened.

`Lab` is `qwenkit lab` itself, started as a learner would, with every folder it could read settings from replaced by an
empty one. `NotebookPage` reads outputs from JupyterLab's model (a text search would find the cells' source too) and
keeps every request, console error and dialog.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import matplotlib
import nbformat
from nbformat import v4

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--force-color-profile=srgb",
    "--autoplay-policy=no-user-gesture-required",
]
PATIENCE = 60.0
# Off-screen cells leave the page in the default mode, and their pictures with them.
SETTINGS = {"notebook-extension/tracker": {"windowingMode": "none"}}


def fake_microphone(wav: Path) -> list[str]:
    """Flags for a microphone that everybody may use and that says this, once."""
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={wav}%noloop",
    ]


def find_browser() -> str | None:
    named = os.environ.get("QWENKIT_CHROMIUM")
    return named or next((found for name in BROWSERS if (found := shutil.which(name))), None)


class Lab:
    """`qwenkit lab` in a folder, without a browser."""

    def __init__(self, home: Path) -> None:
        self.folder, self.token = home / "course", secrets.token_hex(8)
        self.url = f"http://127.0.0.1:{_free_port()}"
        self.log = home / "lab.log"
        command = [
            sys.executable,
            "-c",
            "from qwenkit.cli import main; raise SystemExit(main())",
            "lab",
            str(self.folder),
        ]
        options = ["--no-browser", f"--port={self.url.rpartition(':')[2]}", "--ServerApp.port_retries=0"]
        options += [f"--IdentityProvider.token={self.token}", "--LabApp.expose_app_in_browser=True"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen([*command, *options], env=_environment(home), stdout=log, stderr=log)
        self._await()

    def _await(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/api/status?token={self.token}", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        self.close()
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()[-4000:]}")

    def write(self, name: str, *sources: str) -> str:
        """A notebook of these code cells in the folder; its path there."""
        cells = [v4.new_code_cell(source, id=f"c{number}") for number, source in enumerate(sources)]
        kernel = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
        nbformat.write(v4.new_notebook(cells=cells, metadata=kernel), self.folder / name)
        return name

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class NotebookPage:
    """One notebook, open in JupyterLab in a browser page."""

    def __init__(self, page: Any, lab: Lab, path: str) -> None:
        self.page, self.lab, self.path = page, lab, path
        self.requests: list[str] = []
        self.console: list[str] = []
        self.dialogs: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda opened: self.requests.append(opened.url.replace("ws://", "http://")))
        page.on("console", lambda message: self.console.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("dialog", self._dismiss)
        page.add_init_script(path=HERE / "rig.js")
        page.goto(f"{lab.url}/lab/tree/{path}?token={lab.token}&reset")
        page.wait_for_function("path => window.rig.ready(path)", arg=path, timeout=PATIENCE * 1000)

    def _dismiss(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def run_all(self) -> None:
        self.start()
        self.finish()

    def start(self) -> None:
        self.page.evaluate("window.rig.runAll()")

    def finish(self) -> None:
        self.page.wait_for_function("window.rig.finished()", timeout=2 * PATIENCE * 1000)
        self.page.wait_for_timeout(300)  # the last outputs are painted a moment after the kernel is idle

    @property
    def cells(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page.evaluate("window.rig.cells()")
        return found

    def ask(self, code: str) -> str:
        """What the kernel prints when it runs this."""
        told: str = self.page.evaluate("code => window.rig.ask(code)", code)
        return told

    @property
    def errors(self) -> list[str]:
        """Errors no cell announced with the tag raises-exception."""
        quiet = [cell for cell in self.cells if "raises-exception" not in cell["tags"]]
        outputs = [(cell["id"], output) for cell in quiet for output in cell["outputs"]]
        return [f"{name}: {out['ename']}: {out['evalue']}" for name, out in outputs if out["output_type"] == "error"]

    @property
    def strangers(self) -> list[str]:
        """Requests to anything but our own JupyterLab."""
        return [url for url in self.requests if not url.startswith((self.lab.url, "data:", "blob:", "about:"))]

    @property
    def fetched(self) -> list[str]:
        """Files asked of our own server, which relative addresses in an output turn into."""
        return [url for url in self.requests if url.startswith(f"{self.lab.url}/files/")]

    def watch(self, cell: int) -> None:
        self.page.evaluate("index => window.rig.watch(index)", cell)

    @property
    def seen(self) -> list[str]:
        texts: list[str] = self.page.evaluate("window.rig.seen")
        return texts

    def theme(self, name: str) -> None:
        """`light` or `dark`."""
        change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
        self.page.evaluate(change, f"JupyterLab {name.capitalize()}")
        light = str(name == "light").lower()
        self.page.wait_for_function("light => document.body.dataset.jpThemeLight === light", arg=light)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """The window as it is, or tall enough for the whole notebook."""
        path.parent.mkdir(parents=True, exist_ok=True)
        size = self.page.viewport_size
        if whole:
            height = int(self.page.evaluate("window.rig.height()")) + 160
            self.page.set_viewport_size({"width": size["width"], "height": min(height, 16_000)})
        self.page.evaluate("window.rig.top()")
        self.page.wait_for_timeout(300)
        self.page.screenshot(path=path)
        self.page.set_viewport_size(size)


def _environment(home: Path) -> dict[str, str]:
    """Nobody's settings, no key, no proxy; matplotlib keeps its font cache, which takes seconds to build."""
    hidden = ("DASHSCOPE_", "JUPYTER", "JPY_", "IPYTHON", "MPLBACKEND", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    places = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    ours = {f"JUPYTER_{name}": str(home / name.lower()) for name in places}
    ours |= {"JUPYTERLAB_SETTINGS_DIR": str(_settings(home)), "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}
    ours |= {"HOME": str(home), "IPYTHONDIR": str(home / "ipython"), "MPLCONFIGDIR": matplotlib.get_cachedir()}
    return {**kept, **ours, "NO_PROXY": "*", "no_proxy": "*"}


def _settings(home: Path) -> Path:
    folder = home / "settings"
    for name, settings in SETTINGS.items():
        extension, _, plugin = name.partition("/")
        path = folder / "@jupyterlab" / extension / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
