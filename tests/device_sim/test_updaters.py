"""The installers of examples/installers against the real RAUC, the real SWUpdate, and files: every verb, for real."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from advisories import mcuboot
from advisories.versions import format_version
from device_sim.core.measure import Running
from device_sim.core.profile import Platform, Profile
from device_sim.core.slots import STAGING
from device_sim.home import Home
from device_sim.installer import InstallerPlatform
from keys.errors import UnavailableError
from keys.reasons import Reason
from keys.signer import from_seed
from tests.helpers import make_fleet

EXAMPLES = Path(__file__).parents[2] / "examples" / "installers"
PROFILE = Profile(
    id="d-1", product="thermostat", vendor_id=bytes(16), class_id=bytes(16), platform=Platform.INSTALLER
)
BANK_BYTES = 4_096


def needs(*programs: str) -> None:
    """Programs of other people: CI has them, elsewhere a test without them is passed over."""
    missing = [
        name for name in programs if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None
    ]
    if os.geteuid() != 0:
        missing.append("root (to mount a bundle)")
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"CI needs {', '.join(missing)}")
    if missing:
        pytest.skip(f"not here: {', '.join(missing)}")


class Machine:
    """A computer that the example's installer runs on: what it installs, and what happens when it restarts."""

    def __init__(self, folder: Path, name: str, reboot: Callable[[], None]) -> None:
        image = mcuboot.pack(b"code", (1, 4, 1, 0))
        home = Home.create(
            folder / "home", PROFILE, from_seed(bytes(32)), make_fleet().root_document, image, durable=False
        )
        self.said: list[str] = []
        self.reboot = reboot
        self.platform = InstallerPlatform(
            home, EXAMPLES / name / "tocsin-installer", install_s=60, tell=self.said.append
        )

    @property
    def runs(self) -> tuple[int, str, bool] | Reason:
        slot, found = self.platform.boot()
        return (slot, format_version(found.version), found.trial) if isinstance(found, Running) else found

    async def does(self, verb: str, payload: bytes = b"") -> Reason:
        answered: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
        if payload:
            self.platform.erase(STAGING, 0)
            self.platform.write(STAGING, 0, 0, payload)
        self.platform.run(verb, len(payload), answered.set_result)  # type: ignore[arg-type]
        return await answered

    async def restarts(self) -> bool | None:
        ours = await self.platform.reboot()
        self.reboot()
        return ours


def call(*arguments: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(arguments, cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout


def bank(version: str) -> bytes:
    return f"VERSION_ID={version}\n".encode().ljust(BANK_BYTES, b"\n")


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


def make_signer(folder: Path) -> None:
    extensions = ["-addext", "keyUsage=digitalSignature", "-addext", "extendedKeyUsage=emailProtection"]
    call(
        *(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
        ),
        *("-subj", "/CN=exercise", "-keyout", "key.pem", "-out", "cert.pem", *extensions),
        cwd=folder,
    )


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


# SWUpdate.


def swu(folder: Path, version: str, board: str = "exercise-board") -> bytes:
    image = bank(version)
    (folder / "rootfs.img").write_bytes(image)
    digest = call("sha256sum", folder / "rootfs.img").split()[0]
    banks = "".join(
        f'bank{number} = {{ images: ({{ filename = "rootfs.img"; type = "raw"; sha256 = "{digest}"; '
        f'device = "{folder}/bank-{number}"; }}); }};\n'
        for number in (0, 1)
    )
    (folder / "sw-description").write_text(
        f'software = {{ version = "{version}"; {board} = {{ hardware-compatibility: ["1.0"];\n{banks}}}; }};\n'
    )
    call(
        *(
            "openssl",
            "cms",
            "-sign",
            "-in",
            "sw-description",
            "-out",
            "sw-description.sig",
            "-outform",
            "DER",
        ),
        *("-signer", "cert.pem", "-inkey", "key.pem", "-nosmimecap", "-binary"),
        cwd=folder,
    )
    names = "sw-description\nsw-description.sig\nrootfs.img\n"
    done = subprocess.run(
        ["cpio", "-o", "-H", "crc"], input=names.encode(), cwd=folder, check=True, capture_output=True
    )
    return done.stdout


@pytest.fixture
def swupdate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Machine, Path]:
    needs("swupdate", "fw_setenv", "cpio")
    folder = tmp_path / "swupdate"
    folder.mkdir()
    make_signer(folder)
    (folder / "bank-0").write_bytes(bank("1.4.1"))
    (folder / "bank-1").write_bytes(bytes(BANK_BYTES))
    (folder / "env.bin").write_bytes(bytes(16_384))
    (folder / "fw_env.config").write_text(f"{folder}/env.bin 0x0 0x4000\n")
    (folder / "none").write_text("")
    (folder / "swupdate.cfg").write_text(
        f'globals: {{ public-key-file = "{folder}/cert.pem"; bootloader = "none"; }};\n'
    )
    (folder / "conf").write_text(
        f"BOARD=exercise-board\nREVISION=1.0\nKEY={folder}/cert.pem\nCONFIG={folder}/swupdate.cfg\n"
    )
    for name, value in {
        "TOCSIN_SWUPDATE": folder / "conf",
        "TOCSIN_FW_ENV": folder / "fw_env.config",
        "TOCSIN_CMDLINE": folder / "cmdline",
        "TOCSIN_VERSION_FILE": folder / "os-release",
        "TOCSIN_LOCK": folder / "lock",
        "TOCSIN_REBOOT": "true",
    }.items():
        monkeypatch.setenv(name, str(value))
    environment("slot=0", "upgrade_available=0", folder=folder)
    boot(folder)
    return Machine(tmp_path, "swupdate", lambda: boot(folder)), folder


def environment(*settings: str, folder: Path) -> dict[str, str]:
    tool = ["-c", str(folder / "fw_env.config"), "-f", str(folder / "none")]
    if settings:
        lines = "".join(f"{setting}\n" for setting in settings)
        subprocess.run(
            ["fw_setenv", *tool, "-s", "-"], input=lines, text=True, check=True, capture_output=True
        )
    lines = subprocess.run(["fw_printenv", *tool], text=True, check=True, capture_output=True).stdout
    return dict(line.split("=", 1) for line in lines.splitlines())


def boot(folder: Path) -> None:
    """Do what U-Boot does: count the boots of a trial, and give up on it after the second one."""
    found = environment(folder=folder)
    slot = found["slot"]
    if found["upgrade_available"] == "1":
        count = int(found.get("bootcount", "0")) + 1
        slot = slot if count <= 1 else "10"[int(slot)]
        left = ("1", str(count)) if count <= 1 else ("0", "0")
        environment(f"slot={slot}", f"upgrade_available={left[0]}", f"bootcount={left[1]}", folder=folder)
    (folder / "cmdline").write_text(f"console=ttyS0 tocsin.slot={slot} quiet\n")
    shutil.copy(folder / f"bank-{slot}", folder / "os-release")


async def test_swupdate_installs_an_image_boots_it_and_goes_back(swupdate: tuple[Machine, Path]) -> None:
    machine, folder = swupdate
    assert machine.runs == (0, "1.4.1", False)
    assert await machine.does("install", swu(folder, "1.4.2")) is Reason.OK, "\n".join(machine.said)
    assert await machine.restarts() is False
    assert machine.runs == (1, "1.4.2", True)
    assert await machine.does("confirm") is Reason.OK
    await machine.restarts()
    assert machine.runs == (1, "1.4.2", False)

    assert await machine.does("install", swu(folder, "1.4.3")) is Reason.OK
    await machine.restarts()
    assert machine.runs == (0, "1.4.3", True)
    assert await machine.does("revert") is Reason.OK
    await machine.restarts()
    assert machine.runs == (1, "1.4.2", False)

    assert await machine.does("install", swu(folder, "1.4.3")) is Reason.OK
    await machine.restarts()
    await machine.restarts()  # the power failed during the trial
    assert machine.runs == (1, "1.4.2", False)


async def test_swupdate_refuses_what_it_would_refuse_without_us(swupdate: tuple[Machine, Path]) -> None:
    machine, folder = swupdate
    good = swu(folder, "1.4.2")
    where = good.index(b"sha256") + 12
    flipped = good[:where] + bytes([good[where] ^ 1]) + good[where + 1 :]
    for payload in (b"no image", flipped, swu(folder, "1.4.2", board="another-board"), good[:-3_000]):
        assert await machine.does("install", payload) is Reason.UPDATE_FAILED
        await machine.restarts()
        assert machine.runs == (0, "1.4.1", False)
