"""`python tests/browser/voice_figures.py`: what a voice call in JupyterLab costs, and how fast it is in the page.

A minute of a microphone that interrupts every answer. The service is in this process, so that the kernel's share of a
core is that of the client and the widget alone. Figures depend on the machine: nothing here is a test.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import soundfile
from playwright.sync_api import sync_playwright
from rig import FLAGS, Lab, NotebookPage, fake_microphone, find_browser

import qwenkit as qk

SAID = "How much does this blue umbrella cost?"
FACTS = "The blue umbrella costs twelve euros and ninety cents, and it is the last one that we have left in the shop."
TIMES, GAP_S, RATE_HZ = 12, 3.2, 24_000
SEEN = "(({ number, dropped, underruns, figures }) => ({ number, dropped, underruns, ...figures }))(qwenkitVoice)"

PLAIN = """(() => {
    const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    if (open) navigator.mediaDevices.getUserMedia = (wanted) => open({ audio: { ...wanted.audio, ...plain } });
})()"""


def main() -> None:
    service = qk.sandbox(fresh=True, speech_pace=1.0)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        voice = service.speech(SAID, voice="Cherry").array
        gap = np.zeros(round(RATE_HZ * GAP_S), np.float32)
        soundfile.write(f"{folder}/mic.wav", np.concatenate([gap, *[voice, gap] * TIMES]), RATE_HZ, subtype="PCM_16")
        flags = [*FLAGS, *fake_microphone(Path(folder) / "mic.wav")]
        browser, lab = playwright.chromium.launch(executable_path=find_browser(), args=flags), Lab(Path(folder))
        try:
            seconds = (TIMES + 1) * GAP_S + TIMES * len(voice) / RATE_HZ
            told(*measured(browser.new_page(), lab, service, seconds))
        finally:
            lab.close()
            browser.close()


def measured(page: Any, lab: Lab, service: qk.Client, seconds: float) -> tuple[dict[str, Any], str, float]:
    config = service._core.config
    client = f"qk.Client(api_key={config.key.reveal()!r}, base_url={config.root!r})"
    cell = f"import qwenkit as qk\nvoice = qk.VoiceSession({client}, instructions={FACTS!r})\nvoice"
    page.add_init_script(PLAIN)
    notebook = NotebookPage(page, lab, lab.write("figures.ipynb", cell))
    notebook.run_all()
    pid = int(notebook.ask("import os; print(os.getpid())"))
    page.click(".qkv-main")
    page.wait_for_function("qwenkitVoice.number > 25")
    begun, busy = time.monotonic(), cpu(pid)
    page.wait_for_timeout(1000 * seconds)
    share = (cpu(pid) - busy) / (time.monotonic() - begun)
    counted = "print(voice._link.received, voice._link.lost, [turn.ended for turn in voice.turns])"
    return page.evaluate(SEEN), notebook.ask(counted), share


def told(seen: dict[str, Any], kernel: str, share: float) -> None:
    flushes = [each for each in seen["flushes"] if each["dropped"] > 0]
    cut, flushed = (
        [each[name] - each["onset"] for each in flushes if "onset" in each] for name in ("hushed", "flushed")
    )
    print(f"pieces sent {seen['number']}, dropped {seen['dropped']}; kernel received, lost, turns: {kernel.strip()}")
    print(f"round trip page-kernel-page, ms: median {median(seen['trips']):.1f}, p95 {p95(seen['trips']):.1f}")
    print(f"barge-in: {len(cut)} of {len(flushes)} were heard in the page")
    for what, found in (("silence", cut), ("flush", flushed)):
        print(f"onset to {what}, ms: {found}: median {median(found or [0]):.0f}, p95 {p95(found or [0, 0]):.0f}")
    print(f"underruns {seen['underruns']}; kernel {100 * share:.1f} % of one core; load {os.getloadavg()[0]:.1f}")


def p95(values: list[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1]


def cpu(pid: int) -> float:
    """Seconds of processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
