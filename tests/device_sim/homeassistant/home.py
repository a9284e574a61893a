"""Home Assistant itself, its core and its MQTT integration: run by its own Python (see ``test_real_home.py``).

Lines of JSON go in and out. In: {"call": [domain, service, data]}. Out: {"ready": true}, {"entity", "state",
"attributes"} for each change, {"called", "data"} for each call of a service, {"answered": error or null} for each
"call", {"logged": ...} for each warning.
"""

import asyncio
import inspect
import json
import logging
import sys
from pathlib import Path
from types import MappingProxyType

from homeassistant import auth, core, loader
from homeassistant.config_entries import ConfigEntries, ConfigEntry
from homeassistant.helpers import (
    area_registry,
    category_registry,
    device_registry,
    entity,
    entity_registry,
    floor_registry,
    frame,
    issue_registry,
    label_registry,
    restore_state,
    template,
    translation,
)
from homeassistant.helpers.storage import get_internal_store_manager
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml


def say(**line: object) -> None:
    print(json.dumps(line, default=str), flush=True)


class Tell(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        why = repr(record.exc_info[1]) if record.exc_info else None
        say(logged=record.getMessage(), by=record.name, level=record.levelname, why=why)


def tell(event: core.Event) -> None:
    state = event.data["new_state"]
    attributes = dict(state.attributes) if state else None
    say(entity=event.data["entity_id"], state=state.state if state else None, attributes=attributes)


def tell_call(event: core.Event) -> None:
    say(called=f"{event.data['domain']}.{event.data['service']}", data=event.data["service_data"])


def entry(port: int) -> ConfigEntry:
    values = {
        "version": 1,
        "minor_version": 2,
        "domain": "mqtt",
        "title": "MQTT",
        "data": {"broker": "127.0.0.1", "port": port},
        "options": {},
        "source": "user",
        "unique_id": None,
        "discovery_keys": MappingProxyType({}),
        "subentries_data": None,
    }
    known = inspect.signature(ConfigEntry.__init__).parameters
    return ConfigEntry(**{name: value for name, value in values.items() if name in known})


async def load(hass: core.HomeAssistant) -> None:
    """Do what Home Assistant's bootstrap does, without the parts of the cloud that it brings."""
    for part in (entity, frame, template, translation):
        part.async_setup(hass)
    await get_internal_store_manager(hass).async_initialize()
    for registry in (
        area_registry,
        category_registry,
        device_registry,
        entity_registry,
        floor_registry,
        issue_registry,
        label_registry,
        restore_state,
    ):
        await registry.async_load(hass)
    await hass.config_entries.async_initialize()


async def call(hass: core.HomeAssistant, domain: str, service: str, data: dict) -> str | None:
    try:
        await hass.services.async_call(domain, service, data, blocking=True)
    except Exception as error:  # noqa: BLE001 - the test decides what it means
        return f"{type(error).__name__}: {error}"
    return None


async def main(port: int, folder: Path, automations: list[str]) -> None:
    logging.getLogger().addHandler(Tell(logging.WARNING))
    (folder / "configuration.yaml").touch()
    hass = core.HomeAssistant(str(folder))
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = ConfigEntries(hass, {})
    await load(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [], [])
    hass.bus.async_listen(core.EVENT_STATE_CHANGED, core.callback(tell))
    hass.bus.async_listen(core.EVENT_CALL_SERVICE, core.callback(tell_call))
    await async_setup_component(hass, "homeassistant", {})
    await async_setup_component(hass, "persistent_notification", {})
    await hass.config_entries.async_add(entry(port))
    rules = [rule for name in automations for rule in load_yaml(name)]
    if rules:
        await async_setup_component(hass, "automation", {"automation": rules})
    await hass.async_start()
    say(ready=True)
    lines = asyncio.StreamReader()
    await hass.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        say(answered=await call(hass, *json.loads(line)["call"]))
    await hass.async_stop(force=True)


asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
