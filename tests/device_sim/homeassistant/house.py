"""A house: a device with a real gateway's messages, a broker of its own, and somebody who listens there."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from advisories import suit
from advisories.notice import Notice
from device_sim.display import NoDisplay
from device_sim.home import Home
from device_sim.homeassistant.bridge import Bridge
from device_sim.homeassistant.settings import Settings
from device_sim.link import MqttLink
from device_sim.shell import DeviceShell, Event
from keys.codec import dump
from tests.device_sim.conftest import RunningBroker
from tests.device_sim.test_fleet import TOPICS
from tests.device_sim.test_patching import CLASS, NEW, SEQUENCE, VENDOR, Workshop
from tests.helpers import DAY, PRODUCT, catalogue, notice, offer, text, timestamp

FAST = (0.02, 0.1)
ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "how-to" / "home-assistant.md"


def block(kind: str) -> str:
    """Return the one block of a kind on the page about Home Assistant."""
    (found,) = re.findall(
        rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return str(found)


class Listener:
    """A client on the broker of the home: what is said there, and what it says itself."""

    def __init__(self, url: str, name: str = "listener") -> None:
        self.link = MqttLink(url, name, backoff_s=FAST)
        self.link.on_message = self._take
        self.last: dict[str, bytes] = {}
        """The last message on each topic."""
        self.events: list[dict[str, Any]] = []
        self.history: list[tuple[str, bytes]] = []
        """Every message: the last level of its topic, and what it says."""
        self._news = asyncio.Event()

    async def open(self) -> None:
        await self.link.connect()
        subscribed = self.link.subscribe("homeassistant/#", "tocsin-home/#")
        assert subscribed is not None
        await subscribed

    def _take(self, topic: str, payload: bytes) -> None:
        self.history.append((topic.rpartition("/")[2], payload))
        self.last[topic] = payload
        if topic.endswith("/event"):
            self.events.append(json.loads(payload))
        self._news.set()

    def leaf(self, name: str) -> Any:
        """What was said last on one topic of the device: JSON, a word, or None."""
        found = next((data for topic, data in self.last.items() if topic.endswith(f"/{name}")), None)
        return json.loads(found) if found and found[:1] == b"{" else found

    def part(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = (self.leaf("config") or {}).get("components", {}).get(key, {})
        return found

    def types(self) -> list[str]:
        return [event["event_type"] for event in self.events]

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def press(self, payload: str) -> None:
        """Press a button, as Home Assistant does."""
        topic = next(topic for topic in self.last if topic.endswith("/online"))
        assert await self.link.publish_acked(topic.replace("/online", "/press"), payload.encode())

    async def settled(self) -> None:
        """Wait until whatever was sent before has come back: the broker keeps the order."""
        mark = f"tocsin-home/mark/{len(self.history)}"
        await self.link.publish_acked(mark, b"1")
        await self.until(lambda: mark in self.last)


class House:
    """One device, its gateway, and the home that it stands in."""

    def __init__(self, folder: Path, gateway: RunningBroker, home_url: str, **profile: Any) -> None:
        self.workshop = Workshop(folder, gateway)
        values = {"vendor_id": VENDOR, "class_id": CLASS, **profile}
        self.home: Home = self.workshop.homes(1, **values)[0]
        self.url = home_url
        self.told: list[str] = []
        self.events: list[Event] = []
        self.link = MqttLink(gateway.url, self.home.profile.id, backoff_s=FAST)
        self.shell = DeviceShell(
            self.home, self.link, display=NoDisplay(), on_event=self.events.append, boot_s=0.01
        )
        self.bridges: list[Bridge] = []
        envelope = suit.build(
            SEQUENCE, VENDOR, CLASS, NEW, version=(1, 4, 2, 0), uri="https://example.com/fw"
        )
        for role in ("release", "security"):
            envelope = suit.authenticate(envelope, self.workshop.signed.signer(role))
        self.envelope = envelope
        self.patch = suit.manifest_digest(envelope)
        self.notices: dict[str, Notice] = {}
        self.patches: tuple[tuple[int, bytes], ...] = ()
        self._version = 0

    async def open(self) -> None:
        await self.workshop.open()
        self.shell.boot()
        await self.link.connect()

    def bridge(self, **more: Any) -> Bridge:
        """Announce the device to the home, without the pauses of real life."""
        options = {name: more.pop(name) for name in ("pause_s", "settle_s") if name in more}
        settings = Settings(broker=self.url, **more)
        waits = {"pause_s": 0.0, "settle_s": 0.0, **options}
        made = Bridge(self.shell, settings, tell=self.told.append, backoff_s=FAST, **waits)
        self.bridges.append(made)
        made.start()
        return made

    # What the gateway publishes.

    def tell(self, *languages: str, **fields: Any) -> Notice:
        """Publish a notice, which names the patch of :meth:`offer`."""
        signed = self.workshop.signed
        said = fields.pop("words", {})
        words = {language: text(language, **said) for language in languages or ("en", "de")}
        digests = {language: one.digest() for language, one in words.items()}
        base = {"version": signed.now + self._version, "patches": {PRODUCT: (self.patch,)}}
        header = notice(signed, **{"texts": digests, **base, **fields})
        self._retain(TOPICS.notice(PRODUCT, header.id), signed.seal(header))
        for language, one in words.items():
            self._retain(TOPICS.text(PRODUCT, language, header.id), dump(one))
        self.notices[header.id] = header
        self._current()
        return header

    def offer(self, **fields: Any) -> None:
        """Roll a patch out to the device."""
        signed, device = self.workshop.signed, self.home.profile.id
        self._retain(TOPICS.patch(PRODUCT, SEQUENCE), self.envelope)
        self.patches = ((SEQUENCE, self.patch),)
        version = self._current()
        base = {"digest": self.patch, "sequence": SEQUENCE, "deadline": int(time.time()) + DAY}
        terms = {"version": version, "catalogue_version": version, **base, **fields}
        self._retain(TOPICS.device(device, "offer"), signed.seal(offer(signed, device, **terms)))

    def _current(self) -> int:
        signed, self._version = self.workshop.signed, self._version + 1
        body = catalogue(signed, *self.notices.values(), patches=self.patches, version=self._version)
        stamp = timestamp(signed, body, version=self._version)
        self._retain(TOPICS.catalogue(PRODUCT), signed.seal(body))
        self._retain(TOPICS.timestamp(PRODUCT), signed.seal(stamp))
        return self._version

    def _retain(self, topic: str, payload: bytes) -> None:
        self.workshop._retain(topic, payload)

    async def close(self) -> None:
        for bridge in self.bridges:
            await bridge.stop()
        await self.shell.stop()
        await self.workshop.link.close()
