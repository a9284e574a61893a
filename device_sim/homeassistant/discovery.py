"""How Home Assistant finds a device over MQTT, and which buttons it may press. Pure: a status in, bytes out.

One retained message describes the whole device (Home Assistant 2024.11 and later; its documentation of MQTT,
"Device discovery payload"). The words of a question stand in that message beside the payload that agrees to
them, so that Home Assistant never sends a yes to other words than those that it shows.

    homeassistant/device/<uid>/config    what there is; empty: the device is gone
    tocsin-home/<uid>/online             online or offline; also the will
    tocsin-home/<uid>/update             versions and progress
    tocsin-home/<uid>/patch              where the patch stands, and what holds it up
    tocsin-home/<uid>/notice             the notice to read next, and how bad the worst one is
    tocsin-home/<uid>/event              what has just happened; the only one that is not retained
    tocsin-home/<uid>/<button>           online while that button has something to do
    tocsin-home/<uid>/press              from Home Assistant: "<button> <digest of what was shown>"
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from advisories.notice import Severity
from device_sim.core.status import Status
from device_sim.homeassistant import messages
from device_sim.homeassistant.messages import CLEAR, EVENTS, encoded
from device_sim.homeassistant.settings import PREFIX
from device_sim.homeassistant.wording import address, short, summary, told

PRESS_BYTES_MAX: Final = 80  # of a message from Home Assistant; longer ones are none of ours
ONLINE: Final = b"online"
OFFLINE: Final = b"offline"
Button = Literal["install", "later", "no", "acknowledge"]
_PRESS: Final = re.compile(rb"(install|later|no|acknowledge) ([0-9a-f]{64})")
_NOTHING: Final = "nothing"
"""What a button says that has nothing to do."""
_BUTTONS: Final = {
    "acknowledge": ("Acknowledge notice", "mdi:check"),
    "later": ("Install later", "mdi:clock-outline"),
    "no": ("Do not install", "mdi:cancel"),
}
"""Key -> name and icon."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Where one device speaks on the broker of the home."""

    uid: str
    prefix: str = PREFIX

    @property
    def config(self) -> str:
        """Of the discovery message."""
        return f"{self.prefix}/device/{self.uid}/config"

    @property
    def birth(self) -> str:
        """Where Home Assistant says that it has started."""
        return f"{self.prefix}/status"

    def leaf(self, name: str) -> str:
        """One of the device's own topics."""
        return f"tocsin-home/{self.uid}/{name}"


@dataclass(frozen=True, slots=True)
class Press:
    """A button that was pressed in Home Assistant."""

    button: Button
    shown: bytes
    """Digest of the question or notice that the button belonged to, 32 bytes."""


def uid(device: str) -> str:
    """Return the name of a device in the home: always the same, and not the one that the fleet knows."""
    return "tocsin_" + hashlib.sha256(b"tocsin home " + device.encode()).hexdigest()[:16]


def config(
    status: Status, topics: Topics, *, name: str = "", manufacturer: str = "", buttons: bool = True
) -> bytes:
    """Return the discovery message.

    Args:
        status: the device at this moment.
        topics: where it speaks.
        name: what the owner calls it; empty: its product.
        manufacturer: who made it; empty: not told.
        buttons: let Home Assistant answer; else it only shows.
    """
    device: dict[str, Any] = {
        "identifiers": [topics.uid],
        "name": short(name or status.product),
        "model": short(status.product),
    }
    if manufacturer:
        device["manufacturer"] = short(manufacturer)
    if status.installed is not None:
        device["sw_version"] = status.installed
    parts = {"notice": _sensor(topics), "event": _event(topics)}
    if status.patches:
        parts["update"] = _update(status, topics, may_install=buttons)
    for button in _BUTTONS if buttons else ():
        if status.patches or button == "acknowledge":
            parts[button] = _button(status, topics, button)
    for key, part in parts.items():
        part["unique_id"] = f"{topics.uid}_{key}"
        part.setdefault("availability", [{"topic": topics.leaf("online")}])
    # A part with nothing but its platform is one that is gone, where it was announced before.
    gone = {"update": "update", **dict.fromkeys(_BUTTONS, "button")}
    parts |= {key: {"platform": platform} for key, platform in gone.items() if key not in parts}
    return encoded({"device": device, "origin": {"name": "Tocsin"}, "components": parts, "qos": 1})


def states(status: Status, topics: Topics) -> dict[str, bytes]:
    """Return the retained messages that say how the device is: topic -> payload."""
    found = {
        topics.leaf("update"): messages.versions(status),
        topics.leaf("patch"): messages.patch(status),
        topics.leaf("notice"): messages.notice(status),
    }
    for button in _BUTTONS:
        found[topics.leaf(button)] = OFFLINE if _shown(status, button) is None else ONLINE
    return found


def all_topics(topics: Topics) -> tuple[str, ...]:
    """Return every topic that something is retained on; an empty message there takes it back."""
    return (topics.config, *map(topics.leaf, ("online", "update", "patch", "notice", *_BUTTONS)))


def read_press(payload: bytes) -> Press | None:
    """Read a message from Home Assistant; None when it is none of ours."""
    found = _PRESS.fullmatch(payload) if len(payload) <= PRESS_BYTES_MAX else None
    if found is None:
        return None
    button: Any = found.group(1).decode()
    return Press(button, bytes.fromhex(found.group(2).decode()))


def counts(status: Status, press: Press) -> bool:
    """Say whether a press belongs to what the device shows now; a press for anything else is for nothing."""
    return press.shown == _shown(status, press.button)


def _shown(status: Status, button: str) -> bytes | None:
    """Return what a button stands for now; None while it has nothing to do."""
    if button == "acknowledge":
        view = status.foremost
        return view.digest if view is not None and view.unread else None
    question = status.question
    if question is None or (button == "later" and question.final):
        return None
    return question.question


def _says(button: str, shown: bytes | None) -> str:
    return f"{button} {shown.hex()}" if shown is not None else _NOTHING


def _sensor(topics: Topics) -> dict[str, Any]:
    return {
        "platform": "sensor",
        "name": "Security notice",
        "icon": "mdi:shield-alert-outline",
        "device_class": "enum",
        "options": [CLEAR, *(severity.name.lower() for severity in Severity)],
        "state_topic": topics.leaf("notice"),
        "value_template": "{{ value_json.state }}",
        "json_attributes_topic": topics.leaf("notice"),
    }


def _event(topics: Topics) -> dict[str, Any]:
    return {
        "platform": "event",
        "name": "Security event",
        "icon": "mdi:bell-ring-outline",
        "event_types": list(EVENTS),
        "state_topic": topics.leaf("event"),
    }


def _update(status: Status, topics: Topics, *, may_install: bool) -> dict[str, Any]:
    """Return the update entity; it has an install button only while the owner is asked."""
    part: dict[str, Any] = {
        "platform": "update",
        "name": "Firmware",
        "device_class": "firmware",
        "entity_category": "config",
        "state_topic": topics.leaf("update"),
        "json_attributes_topic": topics.leaf("patch"),
        "title": short(status.product),
    }
    if words := told(status):
        part["release_summary"] = summary(words)
    if url := address(status):
        part["release_url"] = url
    shown = _shown(status, "install")
    if may_install and shown is not None:
        part |= {"command_topic": topics.leaf("press"), "payload_install": _says("install", shown)}
    return part


def _button(status: Status, topics: Topics, button: str) -> dict[str, Any]:
    name, icon = _BUTTONS[button]
    return {
        "platform": "button",
        "name": name,
        "icon": icon,
        "command_topic": topics.leaf("press"),
        "payload_press": _says(button, _shown(status, button)),
        "availability": [{"topic": topics.leaf("online")}, {"topic": topics.leaf(button)}],
        "availability_mode": "all",
    }
