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


COUNTED = (
    "tests/advisories/",
    "tests/device_sim/core/",
    "tests/gateway/api/test_rights.py",
    "tests/gateway/broker/test_rules.py",
    "tests/gateway/evidence/",
    "tests/gateway/funnel/test_core_",
    "tests/gateway/funnel/test_untold.py",
    "tests/gateway/rollout/test_gates.py",
    "tests/gateway/rollout/test_outcome.py",
    "tests/gateway/rollout/test_plan.py",
    "tests/gateway/rollout/test_rollouts.py",
    "tests/gateway/rollout/test_schedule.py",
    "tests/gateway/rollout/test_selection.py",
    "tests/gateway/rollout/test_table.py",
    "tests/gateway/runtime/test_blocks.py",
    "tests/gateway/runtime/test_core_",
    "tests/gateway/signals/test_core_",
    "tests/gateway/store/test_retention.py",
    "tests/gateway/test_",
    "tests/hil/test_client.py",
    "tests/hil/test_fault_plan.py",
    "tests/hil/test_faults.py",
    "tests/hil/test_frames.py",
    "tests/hil/test_groups.py",
    "tests/hil/test_line.py",
    "tests/hil/test_message.py",
    "tests/hil/test_notifier.py",
    "tests/hil/test_pcapng.py",
    "tests/hil/test_replay.py",
    "tests/hil/test_trace.py",
    "tests/hil/test_wire.py",
    "tests/keys/test_",
)
"""Tests of the pure rooms, whose lines are counted while they run: they hold the floors by themselves.

Counting doubles the time of whatever runs, libraries too: what goes on in programs, stores and on lines passes the
same lines again, and takes its own time only.
"""
UNCOUNTED = (
    "tests/advisories/suit/test_every_byte.py",
    "tests/advisories/test_wire_cddl.py",
    "tests/device_sim/core/power/",
    "tests/device_sim/core/test_machine.py",
)
"""Those among them that walk through the same lines thousands of times."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run what is not :data:`COUNTED` without counting lines."""
    if item.nodeid.startswith(COUNTED) and not item.nodeid.startswith(UNCOUNTED):
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
