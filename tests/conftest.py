"""Hypothesis profiles: the same examples every time in CI, no deadline anywhere (tests do not time)."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# Whoever runs the tests in the background of a script leaves them deaf to Ctrl-C, and every process that they
# start; what Ctrl-C does is among the things tested.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("tocsin", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("tocsin"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "tocsin")
