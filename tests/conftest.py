"""Hypothesis profiles: the same examples every time in CI, no deadline anywhere (tests do not time)."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("tocsin", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("tocsin"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "tocsin")
