"""Home Assistant itself finds the device, shows what it says, and its buttons do what they say."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.device_sim.conftest import MOSQUITTO, RunningBroker
from tests.device_sim.homeassistant.house import ROOT, House, block

PYTHON = ROOT / ".venv" / "homeassistant" / "bin" / "python"

pytestmark = [
    pytest.mark.mosquitto,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
    pytest.mark.skipif(not PYTHON.exists(), reason="no Python 3.13 to run Home Assistant with"),
]


class RealHome:
    """Home Assistant's core in a process of its own; see ``home.py``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.states: dict[str, tuple[str | None, dict[str, Any]]] = {}
        self.history: list[tuple[str, str | None]] = []
        self.logged: list[str] = []
        self.answers: list[str | None] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.ready = False

    async def until(self, condition: Callable[[], Any]) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while not condition():
                line = await self.process.stdout.readline()
                assert line, "Home Assistant ended"
                self._take(json.loads(line))

    def _take(self, said: dict[str, Any]) -> None:
        if "entity" in said:
            self.states[said["entity"]] = (said["state"], said["attributes"])
            self.history.append((said["entity"], said["state"]))
        elif "called" in said:
            self.calls.append((said["called"], said["data"]))
        elif "answered" in said:
            self.answers.append(said["answered"])
        elif "logged" in said:
            self.logged.append(f"{said['by']}: {said['logged']}")
        else:
            self.ready = True

    async def call(self, domain: str, service: str, **data: Any) -> str | None:
        """Call a service as a dashboard does; return the error, if there is one."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"call": [domain, service, data]}).encode() + b"\n")
        self.answers.clear()
        await self.until(lambda: self.answers)
        return self.answers[0]

    def state(self, entity: str) -> str | None:
        return self.states.get(entity, (None, {}))[0]

    def says(self, entity: str, name: str) -> Any:
        return self.states[entity][1].get(name)


@pytest.fixture
async def real_home(tmp_path: Path, home_broker: RunningBroker) -> AsyncIterator[Callable[..., Any]]:
    homes: list[RealHome] = []

    async def start(*automations: Path) -> RealHome:
        folder = tmp_path / "home-assistant"
        folder.mkdir()
        program = Path(__file__).with_name("home.py")
        process = await asyncio.create_subprocess_exec(
            PYTHON, program, str(home_broker.port), folder, *automations,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20,
        )  # fmt: skip
        homes.append(RealHome(process))
        await homes[-1].until(lambda: homes[-1].ready)
        return homes[-1]

    yield start
    for home in homes:
        assert home.process.stdin is not None
        home.process.stdin.close()
        await home.process.communicate()


async def test_a_patch_is_installed_from_home_assistant(
    house: Callable[..., Any], real_home: Callable[..., Any]
) -> None:
    here: House = await house()
    home: RealHome = await real_home()
    here.bridge(name="Hall", settle_s=0.5)
    await home.until(lambda: home.state("update.hall_firmware") == "off")
    assert home.says("update.hall_firmware", "installed_version") == "1.4.0"
    await home.until(lambda: home.state("sensor.hall_security_notice") == "clear")
    assert home.state("button.hall_acknowledge_notice") == "unavailable"

    here.tell()
    await home.until(lambda: home.state("sensor.hall_security_notice") == "high")
    await home.until(lambda: home.says("event.hall_security_event", "event_type") == "notice_shown")
    assert home.says("sensor.hall_security_notice", "title") == "Update your thermostat"
    await home.until(lambda: home.state("button.hall_acknowledge_notice") == "unknown")
    assert await home.call("button", "press", entity_id="button.hall_acknowledge_notice") is None
    await home.until(lambda: home.says("sensor.hall_security_notice", "acknowledged") is True)

    here.offer()
    await home.until(lambda: home.state("update.hall_firmware") == "on")
    await home.until(lambda: home.says("event.hall_security_event", "event_type") == "patch_asked")
    assert home.says("update.hall_firmware", "latest_version") == "1.4.2"
    assert "Install version 1.4.2" in home.says("update.hall_firmware", "release_summary")
    assert await home.call("update", "install", entity_id="update.hall_firmware") is None
    await home.until(lambda: home.says("event.hall_security_event", "event_type") == "patch_installed")
    await home.until(lambda: home.says("update.hall_firmware", "installed_version") == "1.4.2")
    await home.until(lambda: home.says("update.hall_firmware", "in_progress") is False)
    await home.until(lambda: home.says("update.hall_firmware", "patch_state") == "succeeded")
    assert home.state("update.hall_firmware") == "off"
    await home.until(lambda: home.state("sensor.hall_security_notice") == "clear")
    refused = await home.call("update", "install", entity_id="update.hall_firmware")
    assert refused is not None
    assert "No update available" in refused or "not support" in refused
    assert not [line for line in home.logged if line.startswith("homeassistant.components")]


async def test_the_automation_of_the_page_tells_the_household(
    house: Callable[..., Any], real_home: Callable[..., Any], tmp_path: Path
) -> None:
    here: House = await house()
    rules = tmp_path / "automations.yaml"
    rules.write_text(block("yaml"), encoding="utf-8")
    home: RealHome = await real_home(rules)
    here.bridge(name="Boiler", settle_s=0.5)
    await home.until(lambda: home.state("event.boiler_security_event") == "unknown")
    here.tell()
    await home.until(lambda: home.calls)
    told = home.calls[0]
    assert told[0] == "persistent_notification.create"
    assert told[1]["title"] == "Update your thermostat"
    view = home.states["sensor.boiler_security_notice"][1]
    code = f"Check code {view['check_code']}."
    assert told[1]["message"] == f"Install version 1.4.2 when your device offers it. {code}"


async def test_hostile_words_are_shown_as_words_and_a_device_can_be_taken_away(
    house: Callable[..., Any], real_home: Callable[..., Any]
) -> None:
    here: House = await house()
    home: RealHome = await real_home()
    here.bridge(settle_s=0.5)
    await home.until(lambda: home.state("event.thermostat_security_event") == "unknown")
    words = {"title": "{{ 1 + 1 }} <b>[x](https://example.com)", "action": "{% for i in x %}" + "*" * 500}
    here.tell("en", words=words)
    here.offer()
    await home.until(lambda: home.state("update.thermostat_firmware") == "on")
    await home.until(lambda: home.says("update.thermostat_firmware", "release_summary"))
    assert home.says("sensor.thermostat_security_notice", "title") == words["title"]
    summary = home.says("update.thermostat_firmware", "release_summary")
    assert summary.startswith(r"{{ 1 + 1 }} \<b\>\[x\](https://example.com). {% for i in x %}\*")
    assert len(summary) <= 255
    await here.bridges[0].stop()
    await home.until(lambda: home.state("update.thermostat_firmware") == "unavailable")
    here.bridge(enabled=False)
    await home.until(
        lambda: all(state is None for name, (state, _) in home.states.items() if "thermostat" in name)
    )
    assert not [line for line in home.logged if line.startswith("homeassistant.components")]
