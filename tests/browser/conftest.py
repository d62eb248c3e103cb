"""One JupyterLab and one Chromium for the browser tests; a fresh page for each notebook."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rig import FLAGS, Lab, NotebookPage, fake_microphone, find_browser

REQUIRED = os.environ.get("CI") == "true" or os.environ.get("QWENKIT_REQUIRE_BROWSER") == "1"


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """For one module: Playwright keeps a loop current in its thread, and asyncio tests elsewhere want their own.

    A module whose microphone is to speak has a function `microphone`, which writes a sound file.
    """
    executable = find_browser()
    if executable is None:
        reason = "no Chromium found: install it (Debian, Ubuntu: apt install chromium) or set QWENKIT_CHROMIUM"
        pytest.fail(reason) if REQUIRED else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        speaks = getattr(request.module, "microphone", None)
        flags = FLAGS + (fake_microphone(speaks(tmp_path_factory.mktemp("mic") / "mic.wav")) if speaks else [])
        chromium = playwright.chromium.launch(executable_path=executable, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def lab(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    started = Lab(tmp_path_factory.mktemp("lab"))
    yield started
    started.close()


@pytest.fixture
def open_notebook(browser: Any, lab: Lab) -> Iterator[Callable[[str], NotebookPage]]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield lambda path: NotebookPage(context.new_page(), lab, path)
    context.close()
