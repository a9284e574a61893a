"""Whether a broker keeps devices apart: tried with a device's certificate, and judged by what is delivered.

The device that is asked with must be one that nobody uses meanwhile: its place at the broker is taken. What
is written in its name is only that it is offline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.core.acl import FROM_DEVICE, PUBLIC, TO_DEVICE, Access, may
from gateway.service.asking.questions import QUIET_SECONDS, Answer, Asking, Grade
from gateway.service.asking.visitor import Door, NoAnswer, Visitor
from keys.errors import UnavailableError

UNASKED: Final = Answer(
    "access",
    Grade.WARN,
    "Whether a device reads and writes only what is its own was not asked.",
    "BROKER_ACCESS_UNASKED",
    "Give the certificate and the key of a device that nobody uses: --as-device CERT KEY.",
)
PLAIN: Final = Answer(
    "TLS",
    Grade.WARN,
    "It is spoken to without TLS: whoever is on the way can read, hold back and write.",
    "BROKER_PLAIN",
    "In earnest let devices in by mqtts:// and certificates ('tocsin broker config').",
)
_COPIES_MAX: Final = 6  # of one message, for a client whose filters overlap
_OFFLINE: Final = b"0"
_TELLS: Final = "online"  # the one of its topics that is written: no gateway takes it for a report


@dataclass(frozen=True, slots=True)
class Device:
    """As whom it is tried."""

    id: str
    """The common name of its certificate."""
    door: Door
    """Where devices come in."""


def ask_access(asking: Asking, device: Device) -> Iterator[Answer]:
    """Try as a device to read and write everything, and tell what should not have passed, and what should."""
    for name, question in (("read access", _reads), ("write access", _writes), ("sessions", _sessions)):
        try:
            yield question(asking, device)
        except NoAnswer as error:
            yield Answer(name, Grade.FAIL, f"It does not answer: {error}.", "BROKER_ACCESS_SILENT")
        except UnavailableError as error:
            yield Answer(name, Grade.FAIL, error.message, error.code, error.mend)


def _topics(asking: Asking, device: Device) -> list[str]:
    """Return a topic of each kind: the device's, another one's, and what is public."""
    other = f"doctor-{asking.mark}"
    public = [f"{asking.topics.prefix}/{kind}/{other}/en/{other}" for kind in PUBLIC]
    own = [asking.topics.device(device.id, leaf) for leaf in (*TO_DEVICE, *FROM_DEVICE)]
    others = [asking.topics.device(other, leaf) for leaf in (*TO_DEVICE, *FROM_DEVICE)]
    return [*own, *others, *public]


def _reads(asking: Asking, device: Device) -> Answer:
    topics = _topics(asking, device)
    prefix = asking.topics.prefix
    right = {topic for topic in topics if may(device.id, Access.READ, topic, prefix)}
    with asking.visitor("access") as gateway, Visitor(device.door, device.id) as visitor:
        visitor.subscribe(*topics)
        for wide in ("#", f"{prefix}/#", asking.topics.device("+", "offer")):
            visitor.subscribe(wide)  # a broker may end the connection for it, which is an answer, too
        if visitor.lost.is_set():
            return _verdict("read access", "read", set(), right, cut=True)
        for topic in topics:
            gateway.publish(topic, asking.mark.encode())
        arrived = visitor.take(len(topics) * _COPIES_MAX, QUIET_SECONDS)
    found = {got.topic for got in arrived if got.payload == asking.mark.encode()}
    return _verdict("read access", "read", found, right)


def _writes(asking: Asking, device: Device) -> Answer:
    own = {asking.topics.device(device.id, leaf) for leaf in FROM_DEVICE}
    told = asking.topics.device(device.id, _TELLS)
    topics = [topic for topic in _topics(asking, device) if topic not in own or topic == told]
    with asking.visitor("access") as gateway:
        gateway.subscribe(*topics)
        for topic in topics:
            try:
                with Visitor(device.door, device.id) as visitor:
                    visitor.publish(topic, _OFFLINE if topic == told else asking.mark.encode())
            except NoAnswer:
                continue  # it ended the connection: nothing passed, or the watcher knows
        found = {got.topic for got in gateway.take(len(topics), QUIET_SECONDS)}
    return _verdict("write access", "write", found, {told})


def _verdict(name: str, verb: str, found: set[str], right: set[str], *, cut: bool = False) -> Answer:
    if cut:
        message = "It ends the connection of a device that asks for what is not its own."
        return Answer(name, Grade.OK, message)
    if found - right:
        message = f"A device can {verb} what is not its own: {', '.join(sorted(found - right))}."
        mend = "Write its access list with 'tocsin broker config', and let it refuse what no line allows."
        return Answer(name, Grade.FAIL, message, "BROKER_ACCESS_OPEN", mend)
    if right - found:
        message = f"A device cannot {verb}: {', '.join(sorted(right - found))}."
        mend = "Write its access list with 'tocsin broker config'; ask at the door that is for devices."
        return Answer(name, Grade.FAIL, message, "BROKER_ACCESS_CLOSED", mend)
    return Answer(name, Grade.OK, f"A device can {verb} what is its own and public, and nothing else.")


def _sessions(asking: Asking, device: Device) -> Answer:
    with asking.visitor("owner") as owner:
        try:
            with Visitor(device.door, asking.client_id("owner")):
                taken = owner.lost.wait(QUIET_SECONDS)
        except UnavailableError:
            taken = owner.lost.is_set()
    if taken:
        message = "A device can take over another client's session by its client id."
        mend = "Bind client ids to certificates: use_username_as_clientid in Mosquitto."
        return Answer("sessions", Grade.FAIL, message, "BROKER_SESSION_TAKEN", mend)
    return Answer("sessions", Grade.OK, "No device can take over another client's session.")
