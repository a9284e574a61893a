"""A real device as a process: what restarts with it, and what must not end unseen."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from advisories import mcuboot
from advisories.states import PatchState
from device_sim import sensors
from device_sim.control import NAME
from device_sim.core.profile import Platform, Profile
from device_sim.home import Home
from device_sim.service import Service
from keys.errors import InputError
from keys.signer import from_seed
from tests.device_sim.conftest import free_port
from tests.helpers import make_fleet

PROFILE = Profile(
    id="d-1", product="thermostat", vendor_id=bytes(16), class_id=bytes(16), platform=Platform.INSTALLER
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "home"
    image = mcuboot.pack(b"code", (1, 4, 1, 0))
    Home.create(made, PROFILE, from_seed(bytes(32)), make_fleet().root_document, image, durable=False)
    program = tmp_path / "installer"
    program.write_text(
        f'#!/bin/sh\necho "$1" >> {tmp_path}/calls\necho version=1.4.1\necho restart=process\n'
    )
    program.chmod(0o755)
    with (made / "device.toml").open("a") as file:
        file.write(f'installer = "{program}"\nbroker = "mqtt://127.0.0.1:{free_port()}"\n')
    yield made
    shutil.rmtree(made, ignore_errors=True)


def calls(folder: Path) -> list[str]:
    said = folder.parent / "calls"
    return said.read_text().split() if said.exists() else []


def in_state(service: Service, state: PatchState) -> None:
    agent: Any = SimpleNamespace(patches=[SimpleNamespace(state=state)])
    service._panel.shell = SimpleNamespace(agent=agent, failure=None)  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("state", "restarted"),
    [(PatchState.REBOOTING, True), (PatchState.TESTING, True), (PatchState.SUCCEEDED, False)],
)
async def test_a_reset_that_was_asked_for_does_not_keep_the_machine_from_starting_what_was_installed(
    folder: Path, state: PatchState, *, restarted: bool
) -> None:
    service = Service(folder)
    with pytest.raises(InputError):
        service._carry_out({"do": "reset", "more": "x"})
    in_state(service, state)
    assert await service._restart(asyncio.Event())
    assert calls(folder) == ["reboot"] * restarted


async def test_a_device_that_can_no_longer_feel_its_surroundings_ends_and_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("no sense left")

    monkeypatch.setattr(sensors, "conditions", broken)
    async with asyncio.timeout(20):
        with pytest.raises(ValueError, match="no sense left"):
            await Service(folder).run(asyncio.Event())
    assert not (folder / NAME).exists()
