"""Pictures, films and sounds in one notebook in JupyterLab: whole, sharp on dense screens, as long as they say, playing
with and without a kernel; an answer that is spoken plays while it comes. And shots to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rig import Lab, NotebookPage

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).parent / "shots"

MAKE = """
import numpy as np
import qwenkit as qk
from PIL import Image as Pillow
from qwenkit.types.image_grid import Failed
from qwenkit.types.video import film

def sky(seed, side=1024):
    random = np.random.default_rng(seed)
    soft = random.integers(40, 256, (6, 6, 3), np.uint8)
    return np.asarray(Pillow.fromarray(soft).resize((side, side)))

def sound(seconds, rate=24000, pitch=180):
    at = np.arange(round(seconds * rate)) / rate
    return sum(np.sin(2 * np.pi * pitch * k * at) / k for k in range(1, 9)) * np.sin(2.2 * np.pi * at) ** 2 * 0.3"""
CELLS = (
    MAKE.strip(),
    'qk.Image.of(sky(1), prompt="clouds at dusk", seed=1, model="wan2.6-t2i")',
    'bad = Failed("DataInspectionFailed", "Output data may contain inappropriate content.")\n'
    'pictures = [qk.Image.of(sky(seed), seed=seed, revised_prompt="soft clouds, evening light") for seed in range(3)]\n'
    'qk.ImageGrid([*pictures[:2], bad, pictures[2]], prompt="clouds at dusk", model="wan2.6-t2i")',
    'found = [{"bbox_2d": [80, 90, 420, 480], "label": "红云"}, {"bbox_2d": [500, 0, 990, 300], "label": "bright"},\n'
    '         {"point_2d": [700, 700], "label": "here"}]\nqk.Image.of(sky(2, 800)).boxes(found)',
    "qk.Video.of(film((Pillow.fromarray(np.roll(sky(3, 320)[:200], 8 * n, 1)) for n in range(36)), 12), prompt='x')",
    "qk.Video.of([sky(n, 200) for n in range(4)], fps=2)",
    "qk.Image.of(b'not a picture')",
    'qk.Audio(sound(3.27), 24000, voice="Cherry", model="qwen3-tts-flash", text="The ferry leaves at nine.")',
    "qk.Audio(np.stack([sound(1.5, 44100), sound(1.5, 44100, 240)], axis=1), 44100)",
    "qk.Audio(sound(2.4, 8000), 8000)",
    "qk.Audio(sound(75, 16000), 16000)",
    'qk.compare({"Cherry": qk.Audio(sound(1.1), 24000), "Ethan": qk.Audio(sound(1.3, pitch=110), 24000)})',
    'reply = qk.show(qk.sandbox().chat.stream("What is 17 * 23?", speak="Cherry"))\nprint(reply.audio.duration)',
)
LASTS = [3.27, 1.5, 2.4, 75, 1.1, 1.3]
LOADED = """() => [...document.querySelectorAll(".qk img")].map(
    each => [each.complete && each.naturalWidth > 0, each.naturalWidth / each.clientWidth])"""
PLAYED = """async () => {
    const found = [];
    for (const each of document.querySelectorAll(".qk video, audio")) {
        each.muted = true;
        if (each.readyState < 1) await new Promise(done => each.addEventListener("loadedmetadata", done));
        await each.play();
        while (each.currentTime < 0.2) await new Promise(done => setTimeout(done, 20));
        each.pause();
        found.push([each.duration, each.currentTime, each.error && each.error.message]);
        each.currentTime = 0;
    }
    return found;
}"""


def test_media_are_whole_and_play_in_the_notebook_and_without_a_kernel(browser: Any, lab: Lab, tmp_path: Path):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, device_scale_factor=2)
    notebook = NotebookPage(context.new_page(), lab, lab.write("media.ipynb", *CELLS))
    notebook.run_all()
    assert notebook.errors == []
    spoken = _heard_as_it_came(notebook)
    _look_closely(notebook)
    _plays(notebook.page, spoken)
    notebook.page.set_viewport_size({"width": 1280, "height": 4900})
    for theme in ("light", "dark"):
        notebook.theme(theme)
        notebook.page.evaluate("window.rig.top()")
        notebook.page.wait_for_timeout(300)
        notebook.page.screenshot(path=SHOTS / f"media-{theme}.png", scale="css")
        for density, scale in ((1, "css"), (2, "device")):
            notebook.page.locator(".qk-grid").screenshot(path=SHOTS / f"grid-{theme}-{density}x.png", scale=scale)
    notebook.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    notebook.page.wait_for_timeout(500)
    assert notebook.strangers == []
    assert notebook.fetched == []
    page = context.new_page()
    page.goto(_exported(lab.folder / "media.ipynb", tmp_path).as_uri())
    _plays(page, spoken)
    context.close()


def _look_closely(notebook: NotebookPage) -> None:
    loaded = notebook.page.evaluate(LOADED)
    assert len(loaded) == 1 + 3 + 6 + 4  # the picture, the grid, two strips
    assert all(whole for whole, _ in loaded)
    assert min(density for _, density in loaded[:4]) >= 1.9
    boxes = notebook.page.evaluate(
        "() => [...document.querySelectorAll('.qk-overlay rect')].map(each => each.getBBox().height)"
    )
    assert boxes == [312, 240]
    drawn = notebook.page.evaluate(
        "() => [...document.querySelectorAll('.qk-overlay text')].map(each => each.textContent)"
    )
    assert drawn == ["红云", "bright", "here"]
    video = "() => { const film = document.querySelector('.qk video'); return [film.videoWidth, film.videoHeight]; }"
    assert notebook.page.evaluate(video) == [320, 200]


def _plays(page: Any, spoken: float) -> None:
    """Every film and sound lasts as long as it should, and moves when played."""
    found = page.evaluate(PLAYED)
    assert [round(duration, 2) for duration, _, _ in found] == pytest.approx([3.0, *LASTS, spoken], abs=0.06)
    assert all(at >= 0.2 and error is None for _, at, error in found)


def _heard_as_it_came(notebook: NotebookPage) -> float:
    """The spoken answer was queued piece by piece, without gaps; what is left is a card with a player. Its length."""
    outputs = notebook.cells[-1]["outputs"]
    lasts = float(outputs[-1]["text"])
    notebook.page.wait_for_function("window.qwenkitPlayed !== undefined", timeout=20_000)
    played = notebook.page.evaluate("window.qwenkitPlayed")
    assert played["queued"] == pytest.approx(lasts, abs=0.001)
    assert played["pieces"] > 1
    assert set(outputs[0]["data"]) == {"text/plain", "text/html"}
    assert outputs[0]["data"]["text/html"].count("<audio") == 1
    return lasts


def _exported(path: Path, folder: Path) -> Path:
    from nbconvert import HTMLExporter

    target = folder / "media.html"
    target.write_text(HTMLExporter().from_filename(str(path))[0], encoding="utf-8")
    return target
