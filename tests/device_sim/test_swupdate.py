"""The installer of examples/installers against the real SWUpdate: every verb, for real."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from keys.reasons import Reason
from tests.device_sim.machine import BANK_BYTES, Machine, bank, boot, call, environment, make_signer, needs


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
