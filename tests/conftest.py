"""Hypothesis profiles: the same examples every time in CI, no deadline anywhere (tests do not time)."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Whoever runs the tests in the background of a script leaves them deaf to Ctrl-C, and every process that they
# start; what Ctrl-C does is among the things tested.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What tests write lies in memory where that can be: all programs do what they do on a disk, and nothing waits for
# one. No test cuts the power of this machine, so none can tell. Who names a TMPDIR means it.
_MEMORY = Path("/dev/shm")
if (
    "TMPDIR" not in os.environ
    and os.access(_MEMORY, os.W_OK)
    and shutil.disk_usage(_MEMORY).free > 2 * 1024**3
    and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
):
    os.environ["TMPDIR"] = str(_MEMORY)  # also for workers, and for what tests start
    tempfile.tempdir = None

settings.register_profile("tocsin", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("tocsin"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "tocsin")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what is collected out of Python's search for cycles: it stays to the end, and is a million objects."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
