"""A machine whose software somebody else's program installs."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from advisories import mcuboot
from advisories.versions import format_version
from device_sim.core.measure import Running
from device_sim.core.profile import Platform, Profile
from device_sim.core.slots import STAGING
from device_sim.home import Home
from device_sim.installer import InstallerPlatform
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
