"""A real device as a process: what restarts with it, and what must not end unseen."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from advisories import mcuboot
from advisories.states import NoticeState, PatchState
from device_sim import installer, sensors
from device_sim.control import NAME, call
from device_sim.core.profile import AutoConsent, Platform, Profile
from device_sim.home import Home
from device_sim.installer import InstallerPlatform, RestartError
from device_sim.notify import Notifier
from device_sim.service import Service
from keys.errors import InputError, UnavailableError
from keys.signer import from_seed
from tests.device_sim.conftest import RunningBroker, free_port
from tests.device_sim.test_patching import CLASS, VENDOR, Workshop
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


def software(service: Service) -> InstallerPlatform:
    assert isinstance(service._platform, InstallerPlatform)
    return service._platform


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
    if restarted:
        service._ask_for_restart()
        service._ask_for_restart()  # as the core does, whatever happens until then
        assert await (service._asking or asyncio.sleep(0))
    else:
        with pytest.raises(RestartError):
            service._ask_for_restart()
    assert calls(folder) == ["reboot"] * restarted


async def test_a_device_killed_before_the_machine_could_restart_goes_on_asking_for_it(folder: Path) -> None:
    program = folder.parent / "installer"
    willing = program.read_text()
    program.write_text(f"{willing}exit 75\n")
    service, stop = Service(folder), asyncio.Event()
    waits = asyncio.create_task(software(service).granted(stop))
    while not calls(folder):
        await asyncio.sleep(0.01)
    stop.set()
    assert await waits is None

    program.write_text(willing)
    assert await Service(folder).run(asyncio.Event())
    assert calls(folder) == ["reboot", "reboot"]  # and not a word of what boots

    # A machine that did restart meanwhile, if only for a power cut, is not restarted once more.
    (folder / ".restart").write_text("another boot")
    stop.clear()
    asyncio.get_running_loop().call_later(0.2, stop.set)
    assert not await Service(folder).run(stop)
    assert calls(folder) == ["reboot", "reboot", "booted"]


async def test_an_installer_that_cannot_restart_the_machine_does_not_keep_the_device_from_warning(
    folder: Path,
) -> None:
    program = folder.parent / "installer"
    program.write_text('#!/bin/sh\n[ "$1" = booted ] && echo version=1.4.1\n')
    stop = asyncio.Event()
    with pytest.raises(UnavailableError):
        await software(Service(folder)).granted(stop)
    asyncio.get_running_loop().call_later(0.2, stop.set)
    again = Service(folder)
    assert not await again.run(stop)
    assert again.events["booted"] == 1


async def test_a_restart_of_ours_alone_is_no_end_for_the_service_manager(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Notifier, "_say", lambda _, words: said.append(words))
    service, stop = Service(folder), asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    while "READY=1" not in said:
        await asyncio.sleep(0.01)
    assert service._carry_out({"do": "reset"}) == {"reset": True}
    assert await running
    assert "STOPPING=1" not in said


async def test_what_could_not_be_stored_is_not_said_to_be_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(folder)
    running = asyncio.create_task(service.run(asyncio.Event()))
    while not (folder / NAME).exists() or service._panel.shell is None or service._panel.shell.agent is None:
        await asyncio.sleep(0.01)

    def full(*_: object) -> None:
        raise UnavailableError("HOME_WRITE", "There is no room.")

    monkeypatch.setattr(Home, "_replace", full)
    with pytest.raises(UnavailableError, match="no room"):
        service._carry_out({"do": "reset"})
    with pytest.raises(UnavailableError, match="no room"):
        await running


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


_PATIENT = """\
#!/bin/sh
echo $1 >> {calls}
case $1 in
  booted) [ -e {new} ] && echo version=1.4.2 || echo version=1.4.0 ;;
  reboot) [ ! -e {busy} ] || exit 75; [ {what} != failure ] || exit 1; touch {new}; echo restart={what} ;;
esac
"""


@pytest.fixture
async def workshop(tmp_path: Path, iotcore_broker: RunningBroker) -> AsyncIterator[Workshop]:
    one = Workshop(tmp_path, iotcore_broker)
    await one.open()
    yield one
    await one.link.close()


def patient(workshop: Workshop, what: str) -> Path:
    """Make a device whose installer restarts nothing as long as there is a file ``busy``."""
    wishes = {"platform": Platform.INSTALLER, "auto_consent": AutoConsent.ALWAYS}
    path = workshop.homes(1, vendor_id=VENDOR, class_id=CLASS, **wishes)[0].path
    program = path.parent / "installer"
    files = {name: path.parent / name for name in ("calls", "new", "busy")}
    files["busy"].touch()
    program.write_text(_PATIENT.format(**files, what=what))
    program.chmod(0o755)
    with (path / "device.toml").open("a") as file:
        file.write(f'installer = "{program}"\nbroker = "{workshop.url}"\n')
    return path


@pytest.mark.parametrize(
    ("what", "state"),
    [
        ("process", PatchState.SUCCEEDED),
        ("machine", PatchState.SUCCEEDED),
        ("failure", PatchState.ROLLED_BACK),
    ],
)
async def test_a_device_whose_machine_cannot_restart_yet_goes_on_warning(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, what: str, state: PatchState
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Notifier, "_say", lambda _, words: said.append(words))
    monkeypatch.setattr(installer, "RESTART_RETRY_S", 0.02)
    path, stop = patient(workshop, what), asyncio.Event()
    name = path.name
    running = asyncio.create_task(Service(path, quiet=True).run(stop))
    workshop.roll_out([name])
    await workshop.until(lambda: workshop.patches() == {name: PatchState.REBOOTING})
    workshop.publish_notice()
    await workshop.until(lambda: workshop.states()[NoticeState.SHOWN] == 1)
    assert "Update your thermostat" in (path / "console.txt").read_text()
    assert (await asyncio.to_thread(call, path, {"do": "acknowledge"}) or {})["acknowledged"]
    await workshop.until(lambda: workshop.states()[NoticeState.ACKNOWLEDGED] == 1)
    while calls(path).count("reboot") < 3:
        await asyncio.sleep(0.01)
    seen = await asyncio.to_thread(call, path, {"do": "status"}) or {}
    assert seen["patch"]["state"] == "REBOOTING"
    assert workshop.online[name] == b"1"
    assert calls(path).count("booted") == 1  # nothing is judged before it has been started

    (path.parent / "busy").unlink()
    await workshop.until(lambda: workshop.online[name] == b"0")
    if what == "machine":  # a service manager has less patience with what stops than a machine may need
        assert not running.done()
        assert "STOPPING=1" not in said
        stop.set()
    if what == "failure":
        with pytest.raises(UnavailableError, match="cannot restart"):
            await running
    else:
        assert await running is (what == "process")
    assert ("STOPPING=1" in said) is (what != "process")
    assert not (path / ".restart").exists()

    stop.clear()
    running = asyncio.create_task(Service(path, quiet=True).run(stop))
    await workshop.until(lambda: workshop.patches() == {name: state})
    stop.set()
    assert not await running
    asked = calls(path)
    assert (asked.count("install"), asked.count("booted")) == (1, 2)
