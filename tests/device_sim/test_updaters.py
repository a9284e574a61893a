"""The installers of examples/installers against the real RAUC, and files: every verb, for real."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keys.errors import UnavailableError
from keys.reasons import Reason
from tests.device_sim.machine import BANK_BYTES, Machine, bank, call, make_signer, needs

# A script.


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    ab = tmp_path / "ab"
    (ab / "slot-0").mkdir(parents=True)
    (ab / "slot-0" / "VERSION").write_text("1.4.1\n")
    (ab / "current").symlink_to("slot-0")
    monkeypatch.setenv("TOCSIN_AB", str(ab))
    return Machine(tmp_path, "script", lambda: None)


def archive(folder: Path, version: str | None) -> bytes:
    (folder / "app").mkdir(exist_ok=True)
    (folder / "app" / "VERSION").unlink(missing_ok=True)
    (folder / "app" / "program").write_text(f"this is {version}")
    if version is not None:
        (folder / "app" / "VERSION").write_text(f"{version}\n")
    call("tar", "-cf", folder / "app.tar", "-C", folder / "app", ".")
    return (folder / "app.tar").read_bytes()


async def test_a_script_installs_tries_confirms_and_goes_back(script: Machine, tmp_path: Path) -> None:
    assert script.runs == (0, "1.4.1", False)
    assert await script.does("install", archive(tmp_path, "1.4.2")) is Reason.OK
    assert script.runs == (0, "1.4.1", False)  # installed is not started
    assert await script.restarts() is True
    assert script.runs == (1, "1.4.2", True)
    assert await script.does("confirm") is Reason.OK
    assert script.runs == (1, "1.4.2", False)

    assert await script.does("install", archive(tmp_path, "1.4.3")) is Reason.OK
    assert await script.restarts() is True
    assert script.runs == (0, "1.4.3", True)
    assert script.runs == (1, "1.4.2", False)  # started once more without a word: nobody confirmed it

    assert await script.does("install", archive(tmp_path, "1.4.3")) is Reason.OK
    assert await script.restarts() is True
    assert script.runs == (0, "1.4.3", True)
    assert await script.does("revert") is Reason.OK
    assert await script.restarts() is True
    assert script.runs == (1, "1.4.2", False)
    assert (tmp_path / "ab" / "current" / "program").read_text() == "this is 1.4.2"


async def test_a_script_takes_no_archive_that_is_none_and_says_when_it_is_busy(
    script: Machine, tmp_path: Path
) -> None:
    for payload in (b"no archive", archive(tmp_path, None), archive(tmp_path, "1.4.2")[:600]):
        assert await script.does("install", payload) is Reason.UPDATE_FAILED
        assert await script.restarts() is True
        assert script.runs == (0, "1.4.1", False)
    with subprocess.Popen(["flock", tmp_path / "ab" / ".lock", "cat"], stdin=subprocess.PIPE) as other:
        until(
            lambda: (
                subprocess.run(["flock", "-n", tmp_path / "ab" / ".lock", "true"], check=False).returncode
                == 1
            )
        )
        assert await script.does("confirm") is Reason.BUSY
        assert await script.platform.reboot() is None
        with pytest.raises(UnavailableError):
            script.platform.boot()
        assert other.stdin is not None
        other.stdin.close()
    assert await script.does("confirm") is Reason.OK


def until(done: Callable[[], bool]) -> None:
    """Wait for another program; the limit is only for a hang."""
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


# RAUC.

_BACKEND = """\
#!/bin/sh
cd {folder}/boot
case $1 in
  get-primary) cat primary ;;
  set-primary) echo $2 > primary; echo good > state.$2 ;;
  get-state) cat state.$2 ;;
  set-state) echo $3 > state.$2 ;;
esac
"""
_SYSTEM = """\
[system]
compatible=exercise-board
bootloader=custom
statusfile={folder}/status
mountprefix={folder}/mnt
bundle-formats=plain
[keyring]
path={folder}/cert.pem
[handlers]
bootloader-custom-backend={folder}/backend
[slot.rootfs.0]
device={folder}/bank-0
type=raw
bootname=A
[slot.rootfs.1]
device={folder}/bank-1
type=raw
bootname=B
"""
_MANIFEST = """\
[update]
compatible={compatible}
version={version}
[bundle]
format=plain
[image.rootfs]
filename=rootfs.img
"""


class Rauc:
    """RAUC's service on a bus of its own, and a boot loader that knows which bank is primary and which are good."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._service: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        self.stop()
        boot = self.folder / "boot"
        primary = (boot / "primary").read_text().strip()
        other = "A" if primary == "B" else "B"
        name = primary if (boot / f"state.{primary}").read_text().strip() == "good" else other
        shutil.copy(self.folder / f"bank-{'AB'.index(name)}", self.folder / "os-release")
        self._service = subprocess.Popen(
            ["rauc", "service", f"--conf={self.folder}/system.conf", f"--override-boot-slot={name}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: subprocess.run(["rauc", "status"], capture_output=True, check=False).returncode == 0)

    def stop(self) -> None:
        if self._service is not None:
            self._service.terminate()
            self._service.wait(10)
            self._service = None

    def bundle(self, version: str, compatible: str = "exercise-board") -> bytes:
        content = self.folder / "content"
        shutil.rmtree(content, ignore_errors=True)
        content.mkdir()
        (content / "rootfs.img").write_bytes(bank(version))
        (content / "manifest.raucm").write_text(_MANIFEST.format(compatible=compatible, version=version))
        (self.folder / "up.raucb").unlink(missing_ok=True)
        call("rauc", "--cert=cert.pem", "--key=key.pem", "bundle", "content", "up.raucb", cwd=self.folder)
        return (self.folder / "up.raucb").read_bytes()


@contextmanager
def private_bus() -> Iterator[str]:
    with subprocess.Popen(
        ["dbus-daemon", "--session", "--print-address", "--nofork"], stdout=subprocess.PIPE
    ) as daemon:
        try:
            assert daemon.stdout is not None
            yield daemon.stdout.readline().decode().strip()
        finally:
            daemon.terminate()


@pytest.fixture
def rauc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Machine, Rauc]]:
    needs("rauc", "dbus-daemon", "mksquashfs", "gdbus")
    folder = tmp_path / "rauc"
    (folder / "boot").mkdir(parents=True)
    (folder / "mnt").mkdir()
    make_signer(folder)
    for number, name in enumerate("AB"):
        (folder / f"bank-{number}").write_bytes(bank("1.4.1") if number == 0 else bytes(BANK_BYTES))
        (folder / "boot" / f"state.{name}").write_text("good\n")
    (folder / "boot" / "primary").write_text("A\n")
    (folder / "backend").write_text(_BACKEND.format(folder=folder))
    (folder / "backend").chmod(0o755)
    (folder / "system.conf").write_text(_SYSTEM.format(folder=folder))
    monkeypatch.setenv("TOCSIN_VERSION_FILE", str(folder / "os-release"))
    monkeypatch.setenv("TOCSIN_REBOOT", "true")
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        made = Rauc(folder)
        try:
            yield Machine(tmp_path, "rauc", made.boot), made
        finally:
            made.stop()


async def test_rauc_installs_a_bundle_boots_it_and_goes_back(rauc: tuple[Machine, Rauc]) -> None:
    machine, service = rauc
    with pytest.raises(UnavailableError) as caught:
        machine.platform.boot()  # RAUC's service is not up yet: nothing is claimed
    assert caught.value.code == "INSTALLER_BUSY"
    assert await machine.does("install", b"x") is Reason.BUSY
    service.boot()
    assert machine.runs == (0, "1.4.1", False)

    assert await machine.does("install", service.bundle("1.4.2")) is Reason.OK
    assert machine.runs == (0, "1.4.1", False)
    assert await machine.restarts() is False
    assert machine.runs == (1, "1.4.2", False)
    assert await machine.does("confirm") is Reason.OK

    assert await machine.does("install", service.bundle("1.4.3")) is Reason.OK
    await machine.restarts()
    assert machine.runs == (0, "1.4.3", False)
    assert await machine.does("revert") is Reason.OK
    await machine.restarts()
    assert machine.runs == (1, "1.4.2", False)


async def test_rauc_refuses_what_it_would_refuse_without_us(rauc: tuple[Machine, Rauc]) -> None:
    machine, service = rauc
    service.boot()
    good = service.bundle("1.4.2")
    flipped = good[:100] + bytes([good[100] ^ 1]) + good[101:]
    for payload in (b"no bundle", flipped, service.bundle("1.4.2", compatible="another-board")):
        assert await machine.does("install", payload) is Reason.UPDATE_FAILED
    assert any("signature" in line for line in machine.said), machine.said
    await machine.restarts()
    assert machine.runs == (0, "1.4.1", False)
