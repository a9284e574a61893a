"""Hypothesis profiles: the same examples every time in CI, no deadline anywhere (tests do not time)."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import signal
import sys
import tempfile
import threading
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


UNTRACED = (
    "tests/advisories/suit/test_every_byte.py",
    "tests/advisories/test_wire_cddl.py",
    "tests/device_sim/serial/",
    "tests/device_sim/test_",
    "tests/fuzz/",
    "tests/gateway/api/test_schemathesis.py",
    "tests/gateway/funnel/test_cells.py",
    "tests/gateway/inventory/",
    "tests/gateway/rollout/scenarios/",
    "tests/gateway/rollout/test_deciding.py",
    "tests/gateway/rollout/test_hostile.py",
    "tests/gateway/rollout/test_left_out.py",
    "tests/gateway/runtime/test_killed.py",
    "tests/gateway/runtime/test_runtime.py",
    "tests/gateway/signals/test_deliveries.py",
    "tests/hil/conformance/",
    "tests/hil/plugin/",
    "tests/hil/refdevice/",
    "tests/keys/model/",
    "tests/keys/threats/",
)
"""What walks through pure rooms thousands of times: their lines have tests of their own, and are counted there.

Half of the time of such tests went into counting lines; not one of them was counted nowhere else.
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run what is :data:`UNTRACED` without counting lines."""
    if not item.nodeid.startswith(UNTRACED):
        return (yield)
    here, elsewhere = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    try:
        return (yield)
    finally:
        sys.settrace(here)
        threading.settrace(elsewhere)  # type: ignore[arg-type]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each worker begin with slow tests: one that begins last keeps the others waiting.

    ``--dist worksteal`` gives each an equal part of the list, and the end of another's part when it has done its own.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers == 1:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    others = iter([item for item in items if not item.get_closest_marker("slow")])
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        size = (len(items) - len(ordered)) // (workers - worker)
        mine = slow[worker::workers]
        ordered += [*mine, *itertools.islice(others, max(0, size - len(mine)))]
    items[:] = [*ordered, *others]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what is collected out of Python's search for cycles: it stays to the end, and is a million objects."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
