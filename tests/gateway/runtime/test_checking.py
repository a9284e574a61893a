"""Reports that are opened in another process come out as those that are opened here, whatever becomes of it."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
from collections.abc import Iterator

import pytest

from advisories.report import Report
from gateway.core.ingest import Device
from gateway.service import checking
from gateway.service.checking import Checker, opened
from keys.algorithms import Algorithm
from tests import helpers
from tests.helpers import Fleet

MANY = 4
SIGNING = (Algorithm.ED25519, Algorithm.ESP256, Algorithm.ML_DSA_44, Algorithm.ML_DSA_65)


@pytest.fixture
def checker() -> Iterator[Checker]:
    made = Checker(MANY)
    yield made
    made.close()


@pytest.fixture
def fleet() -> Fleet:
    return helpers.make_fleet()


def device(fleet: Fleet, name: str) -> Device:
    key = fleet.device(name, fleet.products[0]).public
    return Device(name, fleet.products[0], key, fleet.now - 10, fleet.now + 1_000, revoked=False)


def work(fleet: Fleet) -> list[tuple[bytes, Device]]:
    """Two genuine reports, one of another device, one that is none, one whose signature does not fit."""
    a, b = device(fleet, "device-0001"), device(fleet, "device-0002")
    first, second = (fleet.report(helpers.report(fleet, one.id)) for one in (a, b))
    return [(first, a), (second, b), (first, b), (b"\x00", a), (second[:-1] + bytes([second[-1] ^ 1]), b)]


def begin(checker: Checker) -> subprocess.Popen[bytes]:
    """Wait until the other process says that it is there."""
    assert not checker._is_ready()
    assert checker._says_something(60)
    assert checker._is_ready()
    assert checker._process is not None
    return checker._process


def names(found: checking.Opened) -> list[str | None]:
    return [report and report.device for report in found]


def test_another_process_finds_what_this_one_does(checker: Checker, fleet: Fleet) -> None:
    what = work(fleet)
    begin(checker)
    there = checker.opened(what, fleet.id, fleet.now)
    assert there == opened(what, fleet.id, fleet.now)
    assert names(there) == ["device-0001", "device-0002", None, None, None]
    assert isinstance(there[0], Report)


def test_few_reports_need_no_process(checker: Checker, fleet: Fleet) -> None:
    assert names(checker.opened(work(fleet)[: MANY - 1], fleet.id, fleet.now)) == [
        "device-0001",
        "device-0002",
        None,
    ]
    assert checker._process is None


def test_nobody_waits_for_the_process_to_begin(checker: Checker, fleet: Fleet) -> None:
    what = work(fleet)
    assert checker.opened(what, fleet.id, fleet.now) == opened(what, fleet.id, fleet.now)
    assert checker._process is not None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_was_killed_loses_nothing_and_is_begun_anew(
    checker: Checker, fleet: Fleet, how: signal.Signals
) -> None:
    what = work(fleet)
    first = begin(checker)
    os.kill(first.pid, how)
    first.wait()
    assert checker.opened(what, fleet.id, fleet.now) == opened(what, fleet.id, fleet.now)
    assert begin(checker).pid != first.pid
    assert checker.opened(what, fleet.id, fleet.now) == opened(what, fleet.id, fleet.now)


def test_a_process_that_hangs_is_given_up(
    checker: Checker, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "ANSWER_SECONDS", 0.05)
    what = work(fleet)
    hanging = begin(checker)
    os.kill(hanging.pid, signal.SIGSTOP)
    assert checker.opened(what, fleet.id, fleet.now) == opened(what, fleet.id, fleet.now)
    assert hanging.returncode == -signal.SIGKILL


def test_a_system_without_room_for_a_process(
    checker: Checker, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking.sys, "executable", "/nonexistent/python")
    what = work(fleet)
    assert checker.opened(what, fleet.id, fleet.now) == opened(what, fleet.id, fleet.now)


def test_the_process_ends_with_who_began_it(checker: Checker) -> None:
    process = begin(checker)
    assert process.stdin is not None
    process.stdin.close()  # as the end of the gateway does
    assert process.wait(60) == 0


@pytest.mark.parametrize("algorithm", SIGNING)
def test_a_key_is_the_same_elsewhere(algorithm: Algorithm) -> None:
    signer = helpers.key("elsewhere", algorithm)
    assert signer.public.verify(signer.sign(b"said"), b"said")  # what is worked out of it stays here
    there = pickle.loads(pickle.dumps(signer.public))
    assert there == signer.public
    assert there.verify(signer.sign(b"said"), b"said")
