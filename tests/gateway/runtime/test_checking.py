"""Reports that are opened in another process come out as those that are opened here, whatever becomes of it."""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.report import Report
from gateway.core.ingest import Device
from gateway.service import checking, pickled
from gateway.service.checking import Checker, opened
from keys.algorithms import Algorithm
from tests import helpers
from tests.helpers import Fleet

MANY = 4
DEVICES = 20_000
SELECT_MAX = 1_024  # descriptors that select() knows
SIGNING = (Algorithm.ED25519, Algorithm.ESP256, Algorithm.ML_DSA_44, Algorithm.ML_DSA_65)


@pytest.fixture
def checker() -> Iterator[Checker]:
    made = Checker(MANY, DEVICES)
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


@contextlib.contextmanager
def saying(process: subprocess.Popen[bytes], data: bytes) -> Iterator[IO[bytes]]:
    """Have the process say something else, and more only when it is written to what is given."""
    assert process.stdout is not None
    end, mouth = os.pipe()
    os.dup2(end, process.stdout.fileno())
    os.close(end)
    with os.fdopen(mouth, "wb", buffering=0) as file:
        file.write(data)
        yield file


def names(found: checking.Opened) -> list[str | None]:
    return [report and report.device for report in found]


def test_another_process_finds_what_this_one_does(checker: Checker, fleet: Fleet) -> None:
    what = work(fleet)
    begin(checker)
    there = checker.opened(what, fleet.id, fleet.now)
    assert there == opened(what, fleet.id, fleet.now)
    assert names(there) == ["device-0001", "device-0002", None, None, None]
    assert isinstance(there[0], Report)


@given(st.data())
def test_whatever_a_report_holds_comes_over_as_it_is(data: st.DataObject) -> None:
    for kind in pickled._KINDS:
        values = [
            data.draw(st.none() | st.integers() | st.binary() | st.tuples(st.text())) for _ in fields(kind)
        ]
        made = pickled._together(kind, *values)
        found = pickle.loads(pickled.pickled([made, made]))
        assert found[0] is found[1]
        assert type(found[0]) is kind
        assert [getattr(found[0], field.name) for field in fields(kind)] == values


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


def test_a_process_that_does_not_read_is_given_up(
    checker: Checker, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "ANSWER_SECONDS", 0.05)
    what = [(bytes(bytearray(data)), one) for data, one in work(fleet)[:2] * 500]  # more than a pipe holds
    assert len(checking._packed(what)) > 2 * 65_536
    first = begin(checker)
    os.kill(first.pid, signal.SIGSTOP)
    assert names(checker.opened(what, fleet.id, fleet.now)) == ["device-0001", "device-0002"] * 500
    assert first.returncode == -signal.SIGKILL
    monkeypatch.undo()
    assert begin(checker).pid != first.pid
    assert names(checker.opened(what, fleet.id, fleet.now)) == ["device-0001", "device-0002"] * 500


@pytest.mark.parametrize("some", [1, 8, 11], ids=["length", "no-word", "a-word"])
def test_half_an_answer_is_given_up(
    checker: Checker, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, some: int
) -> None:
    what = work(fleet)
    first = begin(checker)
    monkeypatch.setattr(checking, "ANSWER_SECONDS", 0.05)
    with saying(first, checking._packed([None] * len(what))[:some]):
        assert checker.opened(what, fleet.id, fleet.now) == opened(what, fleet.id, fleet.now)
    assert first.returncode is not None
    assert begin(checker).pid != first.pid


@pytest.mark.parametrize(
    "answer",
    [
        checking._packed([None]),  # of fewer reports
        checking._packed(["report"] * 5),
        checking._packed(None),
        (3).to_bytes(8, "big") + b"\x80\x09.",
        (14).to_bytes(8, "big") + b"cnosuch\nmodul\n.",
        b"\xff" * 16,
        b"",
    ],
)
def test_an_answer_that_is_none_is_given_up(checker: Checker, fleet: Fleet, answer: bytes) -> None:
    what = work(fleet)
    first = begin(checker)
    with saying(first, answer) as mouth:
        mouth.close()
    assert checker.opened(what, fleet.id, fleet.now) == opened(what, fleet.id, fleet.now)
    assert first.returncode is not None


def test_half_a_greeting_is_no_reason_to_wait(checker: Checker, fleet: Fleet) -> None:
    what = work(fleet)
    assert not checker._is_ready()
    assert checker._process is not None
    whole = checking._packed("ready")
    with saying(checker._process, whole[:10]) as mouth:
        assert checker.opened(what, fleet.id, fleet.now) == opened(what, fleet.id, fleet.now)
        mouth.write(whole[10:])
    assert checker._is_ready()


def test_many_open_files_change_nothing(checker: Checker, fleet: Fleet) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] < 2 * SELECT_MAX:
        pytest.skip("so many files cannot be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * SELECT_MAX, limits[1]))
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while held[-1] < SELECT_MAX:
            held.append(os.open(os.devnull, os.O_RDONLY))
        what = work(fleet)
        begin(checker)
        assert min(checker._ends()) >= SELECT_MAX
        assert checker.opened(what, fleet.id, fleet.now) == opened(what, fleet.id, fleet.now)
        assert checker._process is not None  # it was not given up
    finally:
        for one in held:
            os.close(one)
        checker.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_no_secret_of_the_environment_reaches_the_process(
    checker: Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_PASSPHRASE", "hunter2")
    monkeypatch.setenv("SIGNING_KEY", "hunter2")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    process = begin(checker)
    given = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    assert b"LC_ALL=C.UTF-8" in given
    assert {line.partition(b"=")[0] for line in given if line} <= {
        name.encode() for name in os.environ if name in {"PATH", "LANG", "PYTHONPATH"} or name[:3] == "LC_"
    }


def test_the_process_forgets_the_oldest_devices(fleet: Fleet) -> None:
    known = checking._Known(2)
    first, second, third = (device(fleet, f"device-000{number}") for number in range(3))
    again = pickle.loads(pickle.dumps(first))
    assert known.same(first) is first
    assert known.same(again) is first
    assert known.same(second) is second
    assert known.same(third) is third
    assert len(known) == 2
    assert known.same(again) is again  # the first is forgotten


def test_a_process_that_remembers_one_device_finds_the_same(fleet: Fleet) -> None:
    checker, what = Checker(MANY, 1), work(fleet)
    process = begin(checker)
    assert checker.opened(what, fleet.id, fleet.now) == opened(what, fleet.id, fleet.now)
    assert checker._process is process
    checker.close()


def test_after_a_kill_nobody_waits_and_nothing_is_opened(checker: Checker, fleet: Fleet) -> None:
    what = work(fleet)
    process = begin(checker)
    os.kill(process.pid, signal.SIGSTOP)
    checker.kill()
    assert checker.opened(what, fleet.id, fleet.now) == [None] * len(what)
    checker.close()
    assert checker.opened(what, fleet.id, fleet.now) == opened(what, fleet.id, fleet.now)


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
