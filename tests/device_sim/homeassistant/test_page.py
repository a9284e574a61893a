"""docs/how-to/home-assistant.md, word for word: a real device process announces what the page promises."""

import asyncio
import re
import signal
import sys
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from device_sim.homeassistant.messages import CLEAR, EVENTS
from device_sim.homeassistant.settings import Settings, read_settings
from tests.device_sim.conftest import MOSQUITTO, RunningBroker
from tests.device_sim.homeassistant.house import PAGE, House, Listener, block

TEXT = PAGE.read_text(encoding="utf-8")
ENTITY = re.compile(r"\b(?:update|sensor|event|button)\.[a-z_]+\b")
LIMIT_S = 60


def entities(config: dict[str, Any]) -> set[str]:
    """The entities that Home Assistant makes: platform, and the names of device and part."""
    device = config["device"]["name"]
    parts = (part for part in config["components"].values() if "name" in part)
    return {f"{part['platform']}.{device} {part['name']}".lower().replace(" ", "_") for part in parts}


@pytest.mark.mosquitto
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
async def test_a_device_set_up_as_the_page_says_is_announced_and_taken_back(
    house: Callable[..., Any], listener: Listener, home_broker: RunningBroker, iotcore_broker: RunningBroker
) -> None:
    here: House = await house()
    await here.shell.stop()  # the process below is this device
    folder = here.home.path
    table = block("toml").replace("homeassistant.local:1883", f"127.0.0.1:{home_broker.port}")
    toml = folder / "device.toml"
    plain = toml.read_text(encoding="utf-8")
    toml.write_text(plain + "\n" + table, encoding="utf-8")
    password = folder / "home-assistant.password"
    password.touch(mode=0o600)
    password.write_text("a long one\n", encoding="utf-8")
    (promised,) = re.findall(r"^```text\n(.*)\n```", TEXT, re.MULTILINE)

    password.chmod(0o644)
    log = await run(folder, iotcore_broker.url, until="The device goes on without Home Assistant.")
    assert "Everybody on this machine may read the password" in log
    password.chmod(0o600)
    log = await run(folder, iotcore_broker.url, until=promised)
    await listener.until(lambda: listener.leaf("online") == b"offline")
    assert entities(listener.leaf("config")) == set(ENTITY.findall(TEXT))
    assert "a long one" not in log

    toml.write_text(plain + "\n" + table + "enabled = false\n", encoding="utf-8")
    await run(folder, iotcore_broker.url, until="Nothing is announced to Home Assistant any more.")
    await listener.until(lambda: set(listener.last.values()) == {b""})


async def run(folder: Path, gateway: str, *, until: str) -> str:
    """Run the device's process until its log has a line, end it, and return all that it said."""
    tocsin = Path(sys.executable).with_name("tocsin")
    process = await asyncio.create_subprocess_exec(
        tocsin, "device", "run", "--home", folder, "--broker", gateway, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    said = ""
    try:
        async with asyncio.timeout(LIMIT_S):
            while until not in said:
                line = await process.stderr.readline()
                assert line, said
                said += line.decode()
    finally:
        process.send_signal(signal.SIGTERM)
        rest = await process.stderr.read()
        await process.wait()
    return said + rest.decode()


def test_the_table_of_keys_is_whole() -> None:
    keys = re.findall(r"^\| (`[a-z_`, ]+`) \|", TEXT.partition("## What appears")[0], re.MULTILINE)
    named = {name for cell in keys for name in re.findall(r"[a-z_]+", cell)}
    assert named == {field.name for field in fields(Settings)}
    assert read_settings(tomllib.loads(block("toml"))["home_assistant"]).name == "Boiler"


def test_every_event_and_state_is_named() -> None:
    appears = TEXT.partition("## What appears")[2].partition("## Let the home act")[0]
    named = set(re.findall(r"`([a-z_]+)`", appears))
    assert {*EVENTS, CLEAR, "none", "low", "medium", "high", "critical"} <= named


def test_the_automation_listens_to_what_there_is() -> None:
    (rule,) = YAML(typ="safe").load(block("yaml"))
    assert rule["triggers"][0]["entity_id"] == "event.boiler_security_event"
    used = set(re.findall(r"attributes\.([a-z_]+)", block("yaml")))
    assert used == {"event_type", "exercise", "title", "what_to_do", "check_code"}
