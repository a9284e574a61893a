"""Two processes on one device's folder, and a disk that is full."""

from __future__ import annotations

import fcntl
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_sim.core.profile import Profile
from device_sim.home import Home
from keys.errors import UnavailableError
from tests.helpers import key

PROFILE = Profile(id="dev", product="p", vendor_id=bytes(16), class_id=bytes(16))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create(tmp_path / "dev", PROFILE, key("device"), b"root", b"image", durable=False)


def test_a_state_that_another_process_is_writing_is_left_alone(home: Home) -> None:
    home.save_state(b"old")
    with (home.path / ".state.cbor.new").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UnavailableError) as error:
            home.save_state(b"new")
    assert error.value.code == "HOME_BUSY"
    assert home.read_state() == b"old"
    home.save_state(b"new")
    assert home.read_state() == b"new"


def test_two_writers_at_once_never_leave_half_a_state(home: Home) -> None:
    states = (b"a" * 200_000, b"b" * 60_000)
    home.save_state(states[0])

    refused: set[str] = set()

    def write(state: bytes) -> None:
        second = Home.open(home.path, durable=False)
        for _ in range(200):
            try:
                second.save_state(state)
            except UnavailableError as error:
                refused.add(error.code)

    writers = [threading.Thread(target=write, args=(state,)) for state in states]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert home.read_state() in states
    assert home.read_state() in states
    assert refused <= {"HOME_BUSY"}


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Refuse every file above 4 KiB, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_keeps_the_old_state_and_no_rubbish(home: Home) -> None:
    home.save_state(b"old")
    before = sorted(home.path.iterdir())
    with pytest.raises(UnavailableError, match=r"File too large"):
        home.save_state(b"x" * 10_000)
    assert home.read_state() == b"old"
    assert sorted(home.path.iterdir()) == before


@pytest.mark.usefixtures("small_disk")
def test_a_device_that_does_not_fit_the_disk_leaves_no_key_behind(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"File too large"):
        Home.create(tmp_path / "dev", PROFILE, key("device"), b"root", b"i" * 10_000)
    assert list(tmp_path.iterdir()) == []
