"""The voice panel in JupyterLab: a call of a minute with a microphone that says three sentences, and what may come in
its way: a second view, a busy kernel, a page that is loaded again, a kernel that goes away, no microphone at all."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rig import Lab, NotebookPage

import qwenkit as qk
from qwenkit.widgets.player import script

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).parent / "shots"
SAID = [
    "What time does the museum open on Sunday?",
    "How much does this blue umbrella cost?",
    "Could you tell me where the station is?",
]
FACTS = (
    "The museum opens at ten on Sunday. The blue umbrella costs twelve euros and ninety cents, and it is the last one "
    "that we have left in the shop beside the old market hall. The station is behind the harbour."
)
SECONDS = 60
SETUP = f"""
import json
import qwenkit as qk
voice = qk.VoiceSession(qk.sandbox(fresh=True, speech_pace=1.0), instructions={FACTS!r})"""
TOLD = """
link = voice._link
turns = [[turn.user, turn.text, turn.ended, turn.played_ms, round(len(turn.pcm) / 48)] for turn in voice.turns]
print(json.dumps({"received": link.received, "lost": link.lost, "turns": turns, "state": voice.state}))"""
TAP = """async () => {
    const code = `registerProcessor("tap", class extends AudioWorkletProcessor {
        constructor() {
            super();
            this.blocks = [];
            this.port.onmessage = () => this.port.postMessage(this.blocks.splice(0));
        }
        process([[block]]) {
            if (block) this.blocks.push(...Int16Array.from(block, (each) => Math.round(each * 32768)));
            return this.blocks.length < 960_000;
        }
    })`;
    const { context, node } = qwenkitVoice.mouth;
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    window.tap = new AudioWorkletNode(context, "tap");
    node.connect(window.tap);
}"""
TAPPED = """async () => {
    const samples = await new Promise((done) => {
        window.tap.port.onmessage = ({ data }) => done(Int16Array.from(data));
        window.tap.port.postMessage(0);
    });
    const reader = new FileReader();
    reader.readAsDataURL(new Blob([samples.buffer]));
    await new Promise((done) => { reader.onload = done; });
    return reader.result;
}"""
FIGURES = """() => {
    const { number, answered, dropped } = qwenkitVoice;
    return { number, answered, dropped };
}"""
COUNTED = """(() => {
    const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
    [window.opened, window.films] = [[], []];
    if (open) navigator.mediaDevices.getUserMedia = async (wanted) => {
        if (window.name === "deaf") throw new DOMException("no", "NotAllowedError");
        if (!wanted.audio) {
            await new Promise((done) => setTimeout(done, 200)); // as long as a page is asked about its camera
            window.films.push(await open(wanted));
            return window.films.at(-1);
        }
        const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
        const stream = await open({ audio: { ...wanted.audio, ...plain } }); // what the file says, as it says it
        window.opened.push(stream);
        return stream;
    };
})()"""


def microphone(path: Path) -> Path:
    """Three sentences; the third comes while the second is being answered."""
    qwen = qk.sandbox(fresh=True)
    first, second, third = (qwen.speech(text, voice="Cherry").array for text in SAID)
    rate = 24_000
    sound = [pause(5), first, pause(11), second, pause(3.4), third, pause(3)]
    soundfile.write(path, np.concatenate(sound), rate, subtype="PCM_16")
    return path


def pause(seconds: float) -> Any:
    return np.zeros(round(24_000 * seconds), np.float32)


def opened(browser: Any, lab: Lab, name: str, *cells: str, deaf: bool = False) -> NotebookPage:
    page = browser.new_context(viewport={"width": 1180, "height": 1300}).new_page()
    page.add_init_script(COUNTED + (";window.name = 'deaf'" if deaf else ""))
    notebook = NotebookPage(page, lab, lab.write(name, *cells))
    notebook.run_all()
    assert notebook.errors == []
    page.wait_for_selector(".qkv-main")
    return notebook


def told(notebook: NotebookPage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(notebook.ask(TOLD))
    return found


def state(notebook: NotebookPage, words: str) -> None:
    """Wait until the panel says so."""
    seen = (
        "words => [...document.querySelectorAll('.qkv [role=status]')].some((each) => each.textContent.includes(words))"
    )
    notebook.page.wait_for_function(seen, arg=words, timeout=30_000)


@pytest.fixture(scope="module")
def call(browser: Any, lab: Lab) -> Iterator[NotebookPage]:
    """A call with two views and a busy kernel. It goes on by itself while other tests have pages of their own."""
    notebook = opened(browser, lab, "call.ipynb", SETUP.strip(), "voice", "voice")
    notebook.page.click(".qkv-main >> nth=0")
    state(notebook, "Listening")
    notebook.page.evaluate(TAP)
    notebook.page.evaluate("() => void window.rig.ask('import time; time.sleep(5)')")
    yield notebook
    notebook.page.context.close()


@pytest.mark.usefixtures("call")
def test_without_a_microphone_it_says_why_and_one_types_and_leaves_a_card(browser: Any, lab: Lab):
    notebook = opened(browser, lab, "typed.ipynb", SETUP.strip(), "voice", deaf=True)
    page = notebook.page
    page.focus(".qkv-main")
    for key in ("d", "d", "Enter"):  # none of them is for the notebook
        page.keyboard.press(key)
    page.wait_for_function("document.querySelector('.qkv-note').textContent.includes('allow the microphone')")
    _a_file_of_any_size_is_heard_and_stopped(notebook)
    assert page.evaluate("document.activeElement.className") == "qkv-main"  # also once it has connected
    page.focus(".qkv-type input")
    page.keyboard.press("Control+s")  # this one is
    page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    page.keyboard.type("How much does this blue umbrella cost? <img src=x onerror='window.pwned = 1'>")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Send"
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.qkv-it')?.textContent.includes('twelve')", timeout=30_000)
    page.click(".qkv-log summary")
    page.fill(".qkv-log input", "response.created")
    page.wait_for_function("document.querySelector('.qkv-log pre').textContent.includes('response.created')")
    assert "audio.delta" not in page.inner_text(".qkv-log pre")
    notebook.theme("dark")
    page.wait_for_timeout(900)  # the new theme fades in
    page.screenshot(path=SHOTS / "voice-dark.png")
    page.get_by_role("button", name="End the session").click()
    page.wait_for_selector(".qk-talk", timeout=10_000)
    assert page.locator(".qkv").count() == 0
    (output,) = notebook.cells[-1]["outputs"]
    assert set(output["data"]) == {"text/plain", "text/html"}
    assert "blue umbrella" in output["data"]["text/plain"]
    assert page.evaluate("window.pwned") is None
    page.context.close()


def _a_file_of_any_size_is_heard_and_stopped(notebook: NotebookPage) -> None:
    """More than a notebook server takes in one message."""
    lines = sum("/channels" in each for each in notebook.requests)  # a line that is cut is opened again
    soundfile.write(notebook.lab.folder / "long.wav", np.zeros(5_300_000, np.int16), 16_000)
    notebook.page.set_input_files(".qkv [type=file]", notebook.lab.folder / "long.wav")
    state(notebook, "Playing long.wav")
    notebook.page.click(".qkv-main")
    state(notebook, "Ready")
    assert notebook.ask("print(len(voice._link._feed))").strip() == "0"
    assert sum("/channels" in each for each in notebook.requests) == lines


@pytest.mark.usefixtures("call")
def test_a_key_held_down_is_a_turn(browser: Any, lab: Lab):
    cell = 'voice = qk.VoiceSession(qk.sandbox(fresh=True), turn_detection="manual")\nvoice'
    notebook = opened(browser, lab, "hold.ipynb", SETUP.strip(), cell)
    page = notebook.page
    page.click(".qkv-main")
    state(notebook, "Hold to talk")
    camera = page.get_by_role("button", name="Show it what your camera sees")
    camera.click()
    page.focus(".qkv-main")
    page.keyboard.down(" ")
    state(notebook, "Listening")
    page.wait_for_function("qwenkitVoice.number > 200", timeout=30_000)
    page.keyboard.up(" ")
    answered = "count => document.querySelectorAll('.qkv-talk [aria-busy=false]').length === count"
    page.wait_for_function(answered, arg=1, timeout=30_000)
    assert [turn[0] for turn in told(notebook)["turns"]] == SAID[:1]
    assert "1" in notebook.ask("print(min(1, len(voice.turns[0].images)))")
    sent = page.evaluate("qwenkitVoice.number")
    page.wait_for_timeout(300)
    assert page.evaluate("qwenkitVoice.number") == sent  # nobody listens while the key is up
    page.keyboard.press(" ")  # a tap is no turn
    for _ in range(3):  # off, on, and off before it has begun
        camera.click()
    tracks = "films.flatMap((each) => each.getTracks()).every(({ readyState }) => readyState === 'ended')"
    page.wait_for_function(f"films.length === 2 && {tracks}")
    assert camera.get_attribute("aria-pressed") == "false"
    camera.click()
    page.wait_for_function("qwenkitVoice.eye.video?.videoWidth")
    page.fill(".qkv-type [type=text]", "What do you see?")
    page.keyboard.press("Enter")
    page.wait_for_function(answered, arg=2, timeout=30_000)
    assert notebook.ask("print([(turn.number, len(turn.images)) for turn in voice.turns][1:])").strip() == "[(2, 1)]"
    page.evaluate("qwenkitVoice.ear.stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    page.wait_for_function("document.querySelector('.qkv-note').textContent.includes('No microphone: it is gone')")
    page.get_by_role("button", name="End the session").focus()
    page.keyboard.press(" ")  # there it is a click
    page.wait_for_selector(".qk-talk", timeout=10_000)
    page.context.close()


def test_a_page_is_itself_after_a_reload_and_its_copy_is_another(browser: Any, lab: Lab):
    named = f"() => new Function({json.dumps(script('voice.js') + ';return PAGE;')})()"
    page = browser.new_page()
    page.goto(f"{lab.url}/login")
    first = page.evaluate(named)
    with page.expect_popup() as opened:
        page.evaluate("() => void window.open(location.href)")
    opened.value.wait_for_load_state()
    assert opened.value.evaluate(named) != first
    page.reload()
    assert page.evaluate(named) == first
    page.context.close()


def test_a_call_of_a_minute_loses_nothing_and_outlives_what_comes_in_its_way(call: NotebookPage):
    page = call.page
    page.wait_for_function("qwenkitVoice.figures.flushes.some(({ dropped }) => dropped > 0)", timeout=40_000)
    page.screenshot(path=SHOTS / "voice-light.png")
    page.wait_for_function(f"qwenkitVoice.number >= {SECONDS * 25}", timeout=90_000)
    page.click(".qkv-main >> nth=0")
    _nothing_lost(call)
    _heard_as_sent(call)
    _outlives(call)


def _nothing_lost(notebook: NotebookPage) -> None:
    page, seen, kernel = notebook.page, notebook.page.evaluate(FIGURES), told(notebook)
    assert page.evaluate("window.opened.length") == 1  # two views, one microphone
    assert page.locator(".qkv").count() == 2
    assert kernel["lost"] == 0
    assert kernel["received"] >= seen["answered"]
    assert seen["dropped"] == 0
    assert [turn[0] for turn in kernel["turns"]] == SAID
    assert [turn[2] for turn in kernel["turns"]] == ["completed", "interrupted", "completed"]
    first, second, _ = kernel["turns"]
    assert first[3] == pytest.approx(first[4], abs=1)
    assert 0 < second[3] < second[4]


def _heard_as_sent(notebook: NotebookPage) -> None:
    """What went to the loudspeaker is what the service sent, sample for sample; a machine that is slow may pause."""
    heard = base64.b64decode(notebook.page.evaluate(TAPPED).partition(",")[2])
    sent = base64.b64decode(notebook.ask("import base64; print(base64.b64encode(bytes(voice.turns[0].pcm)).decode())"))
    assert len(sent) > 48_000
    played, said = (
        samples[samples != 0].tobytes() for samples in (np.frombuffer(each, "<i2") for each in (heard, sent))
    )
    assert said in played


def _outlives(notebook: NotebookPage) -> None:
    page = notebook.page
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(800)
    before = told(notebook)["received"]
    page.goto(page.url.partition("?")[0] + f"?token={notebook.lab.token}")
    page.wait_for_function("path => window.rig.ready(path)", arg=notebook.path, timeout=60_000)
    page.wait_for_function("window.qwenkitVoice?.number > 200", timeout=30_000)
    state(notebook, "Muted")  # as it was before
    assert page.evaluate("qwenkitVoice.ear.stream.getTracks().map((each) => each.enabled)") == [False]
    assert page.locator(".qkv-you", has_text=SAID[2]).count() >= 1  # what was said before is still there
    assert told(notebook)["received"] > before
    page.evaluate("window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()")
    state(notebook, "The kernel is gone")
    tracks = "window.opened.flatMap((each) => each.getTracks()).map((each) => each.readyState)"
    assert set(page.evaluate(tracks)) == {"ended"}
    page.screenshot(path=SHOTS / "voice-gone.png")


RECORD = """async ([code, rate]) => {
    const context = new OfflineAudioContext(1, 2 * rate, rate);
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    const options = { channelCount: 1, processorOptions: { rate: 16000, size: 640 } };
    const node = new AudioWorkletNode(context, "qwenkit-microphone", options);
    const pieces = [];
    node.port.onmessage = ({ data }) => pieces.push(...new Int16Array(data.pcm ?? 0));
    const tone = new OscillatorNode(context, { frequency: 1000 });
    tone.connect(node).connect(context.destination);
    tone.start();
    await context.startRendering();
    while (pieces.length < 31_000) await new Promise((done) => setTimeout(done, 10));
    return pieces;
}"""


@pytest.mark.parametrize("rate", [44_100, 48_000, 16_000])
def test_whatever_the_device_does_the_service_hears_16_khz(browser: Any, lab: Lab, rate: int):
    page = browser.new_page()
    page.goto(f"{lab.url}/login")
    heard = np.array(page.evaluate(RECORD, [script("worklets.js"), rate]))[2000:30_000] / 32768
    at = 2 * np.pi * 1000 * np.arange(len(heard)) / 16_000
    pure = np.stack([np.sin(at), np.cos(at)], axis=1)
    found = np.linalg.lstsq(pure, heard, rcond=None)[0]
    noise = heard - pure @ found
    assert np.hypot(*found) == pytest.approx(1, abs=0.01)
    assert np.sum(noise**2) < 1e-6 * np.sum(heard**2)  # 60 dB below
    page.close()
