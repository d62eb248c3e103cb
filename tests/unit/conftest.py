"""Unit tests: hypothesis draws the same examples in every run; HYPOTHESIS_PROFILE=hunt looks for new trouble."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "qwenkit", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("hunt", deadline=None, database=None, max_examples=5000)  # by hand, when looking for trouble
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "qwenkit"))
