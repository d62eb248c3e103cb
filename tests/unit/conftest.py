"""Unit tests: no network, no settings from outside, and the same examples in every run."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "qwenkit", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("hunt", deadline=None, database=None, max_examples=5000)  # by hand, when looking for trouble
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "qwenkit"))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("DASHSCOPE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy")):
            monkeypatch.delenv(name)
