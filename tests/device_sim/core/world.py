"""A pure world around one agent: broker, gateway, owner, flash and boot loader, in virtual time.

Nothing here waits or opens anything. A power cut is an exception raised after the n-th effect that
changes what is stored; ``start`` then boots from what was stored, as a device would.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from advisories import suit
from advisories.catalogue import Catalogue, Timestamp
from advisories.notice import Notice
from advisories.offer import Offer
from advisories.report import Block, JournalEntry, Report, open_report, open_want
from advisories.versions import Version
from device_sim.core import effects as do
from device_sim.core.agent import Agent
from device_sim.core.measure import Running, measure, running
from device_sim.core.profile import Able, AutoConsent, Profile, shows_all
from device_sim.core.slots import load_record, select
from keys.codec import dump
from keys.document import seal
from keys.reasons import Reason
from tests.device_sim.core.asked import Asked
from tests.device_sim.core.firmware import CLASS, NEW, VENDOR, image
from tests.device_sim.core.flash import Flash
from tests.helpers import DEVICE, HOLDERS, HOUR, NOW, PRODUCT, Fleet, key, make_fleet
from tests.helpers import answer as make_answer
from tests.helpers import catalogue as make_catalogue
from tests.helpers import notice as make_notice
from tests.helpers import offer as make_offer
from tests.helpers import text as make_text
from tests.helpers import timestamp as make_timestamp

FLEET = make_fleet()
WRITTEN = (do.Save, do.SaveBoot, do.EraseSlot, do.WriteSlot, do.CopySlot, do.ApplyDelta)
"""Effects after which the power can fail."""


class PowerCutError(Exception):
    """The power failed."""


class World(Asked):
    def __init__(self, fleet: Fleet = FLEET, *, start: bool = True, **profile: Any) -> None:
        self.able: Able = profile.pop("able", shows_all)
        self.fleet = fleet
        base: dict[str, Any] = {
            "id": DEVICE,
            "product": PRODUCT,
            "vendor_id": VENDOR,
            "class_id": CLASS,
            "languages": ("en",),
            "auto_consent": AutoConsent.ALWAYS,
            "slot_bytes": 1 << 20,
        }
        if isinstance(profile.get("auto_consent"), bool):
            profile["auto_consent"] = AutoConsent.ALWAYS if profile["auto_consent"] else AutoConsent.NEVER
        self.profile = Profile(**{**base, **profile})
        self.as_made = self.profile
        """What the device was made as; its owner may wish something else in ``profile``."""
        self.topics = self.profile.topics
        self.now: float = NOW + 60
        self.root_1 = fleet.root_document
        self.holders = dict(HOLDERS)
        self.retained: dict[str, bytes] = {}
        self.payloads: dict[bytes, bytes] = {}
        self.slots: list[bytearray] = [bytearray(image()), bytearray()]
        self.flash = Flash()
        self.state: bytes | None = None
        self.boot = b""
        self.agent: Agent = None  # type: ignore[assignment]
        self.online = False
        self.extra: set[str] = set()
        self.most_filters = 7
        self.queue: deque[Callable[[], list[do.Effect]]] = deque()
        self.wake_at: float | None = None
        self.surface: Reason | None = Reason.OK
        """What comes of a Show; None: the surface never answers."""
        self.shows: list[do.Show] = []
        self.asks: list[do.AskConsent] = []
        self.announcements: list[do.Announce] = []
        self.logs: list[do.Log] = []
        self.effects: list[do.Effect] = []
        self.reports: list[Report] = []
        self.wants: list[Any] = []
        self.journal: dict[int, JournalEntry] = {}
        self.serving = True
        self.receipting = True
        self.healthy = True
        self.durable = 0
        self.cut_at: int | None = None
        self.boots = 0
        self.deaf: Callable[[Block], Block | None] = lambda block: block
        self.version = NOW
        if start:
            self.start()
            self.pump()

    # The device.

    def start(self) -> None:
        self.queue.clear()
        self.wake_at = None
        self.online = False
        self.extra.clear()
        self.boots += 1
        assert self.boots < 200, "the device restarts for ever"
        slot, running = self.select()
        self.agent = Agent(
            self.profile,
            self.fleet.device(self.profile.id, self.profile.product),
            self.state,
            root_1=self.root_1,
            entropy=b"entropy",
            now=self.now,
            able=self.able,
        )
        self.run(self.agent.booted(slot, running, self.now))

    def select(self) -> tuple[int, Running | Reason]:
        """Do what a boot loader does."""
        slot, self.boot = select(self.boot)
        trial = load_record(self.boot).trial is not None
        return slot, running(measure(bytes(self.slots[slot])), trial=trial)

    def connect(self) -> None:
        self.join()
        self.pump()

    def join(self) -> None:
        """Connect; what the broker retains arrives afterwards."""
        self.online = True
        self.queue.append(lambda: self.agent.connected(self.now))
        for topic, payload in list(self.retained.items()):
            if self.hears(topic):
                self.deliver(topic, payload)

    def disconnect(self) -> None:
        self.online = False
        self.extra.clear()
        self.run(self.agent.disconnected(self.now))

    def restart(self) -> None:
        self.start()
        self.connect()

    def run(self, effects: list[do.Effect]) -> None:
        for effect in effects:
            self.effects.append(effect)
            self.carry_out(effect)

    def pump(self) -> None:
        rounds = 0
        while self.queue:
            rounds += 1
            assert rounds < 20_000, "the device never comes to rest"
            self.run(self.queue.popleft()())

    def carry_out(self, effect: do.Effect) -> None:
        match effect:
            case do.Save(state):
                self.state = state
            case do.SaveBoot(record):
                self.boot = record
            case do.Publish(topic, payload):
                self.gateway(topic, payload)
            case do.Subscribe(topic):
                self.extra.add(topic)
                self.most_filters = max(self.most_filters, 7 + len(self.extra))
                for found, payload in list(self.retained.items()):
                    if found == topic:
                        self.deliver(found, payload)
            case do.Unsubscribe(topic):
                self.extra.discard(topic)
            case do.SelfTest():
                self.queue.append(lambda: self.agent.tested(self.healthy, self.now))
            case do.Reboot():
                was_online = self.online
                self.start()
                if was_online:
                    self.join()
            case do.WakeAt(time):
                self.wake_at = time
            case do.Show():
                self.shows.append(effect)
                seen, came = effect.notice, self.surface
                if came is not None:
                    self.queue.append(lambda: self.agent.displayed(seen.id, seen.revision, came, self.now))
            case do.AskConsent():
                self.asks.append(effect)
            case do.Announce():
                self.announcements.append(effect)
            case do.ForgetWishes():
                self.profile = self.as_made
            case do.Log():
                self.logs.append(effect)
            case _:
                self.flash.carry_out(self, effect)
        if isinstance(effect, WRITTEN):
            self.durable += 1
            if self.durable == self.cut_at:
                raise PowerCutError

    def advance(self, seconds: float) -> None:
        """Let time pass, waking the agent when it asked for it."""
        target = self.now + seconds
        rounds = 0
        while self.wake_at is not None and self.wake_at <= target:
            rounds += 1
            assert rounds < 20_000, "the device never sleeps"
            self.now, self.wake_at = max(self.now, self.wake_at), None
            self.run(self.agent.tick(self.now))
            self.pump()
        self.now = target
        self.run(self.agent.tick(self.now))
        self.pump()

    # The broker.

    def filters(self) -> set[str]:
        profile = self.profile
        return {*self.topics.device_filters(profile.product, profile.languages[0], profile.id), *self.extra}

    def hears(self, topic: str) -> bool:
        return any(
            topic == found or (found.endswith("/+") and topic.rpartition("/")[0] == found[:-2])
            for found in self.filters()
        )

    def deliver(self, topic: str, payload: bytes) -> None:
        self.queue.append(lambda: self.agent.receive(topic, payload, self.now))

    def send(self, topic: str, payload: bytes) -> None:
        """Hand a message to the device as it is."""
        self.deliver(topic, payload)
        self.pump()

    def publish(self, topic: str, payload: bytes) -> None:
        """Retain a message, and deliver it to a device that is there."""
        self.retained[topic] = payload
        if self.online and self.hears(topic):
            self.send(topic, payload)

    # The gateway.

    def gateway(self, topic: str, payload: bytes) -> None:
        if not self.online:
            return
        leaf = topic.rpartition("/")[2]
        if leaf == "report":
            self.take_report(payload)
            return
        want = open_want(payload)
        self.wants.append(want)
        if not self.serving:
            return
        for below in want.topics:
            found = f"{self.topics.prefix}/{below}"
            if found in self.retained and self.hears(found):
                self.deliver(found, self.retained[found])
        if want.blocks is not None:
            wanted, offset, count = want.blocks
            data = self.payloads.get(wanted, b"")
            for place in range(offset, min(len(data), offset + count * 4_096), 4_096):
                block = self.deaf(Block(digest=wanted, offset=place, data=data[place : place + 4_096]))
                if block is not None:
                    self.deliver(self.topics.device(self.profile.id, "block"), dump(block))

    def take_report(self, payload: bytes) -> None:
        public = self.fleet.device(self.profile.id, self.profile.product).public
        report = open_report(payload, public, fleet=self.fleet.id, device=self.profile.id)
        self.reports.append(report)
        for entry in report.journal:
            known = self.journal.setdefault(entry.index, entry)
            assert known == entry, "the journal was changed"
        if self.receipting:
            self.answer(report)

    def answer(self, report: Report, **fields: Any) -> None:
        self.version += 1
        count = 0
        while count in self.journal:
            count += 1
        body = make_answer(
            self.fleet,
            self.profile.id,
            **{
                "version": self.version,
                "issued": int(self.now),
                "nonce": report.nonce,
                "receipt": report.order,
                "journal_count": count,
                **fields,
            },
        )
        self.deliver(self.topics.device(self.profile.id, "answer"), self.seal(body))

    # What people publish.

    def seal(self, body: Any) -> bytes:
        """Sign by the first holder of every role that the newest root's row names."""
        demanded = self.fleet.root.demands(body.TYPE, None)
        return seal(body, [key(self.holders[role][0]) for role in demanded])

    def notice(self, header: Notice | None = None, *, texts: tuple[str, ...] = ("en", "de")) -> Notice:
        header = header or make_notice(self.fleet)
        self.publish(self.topics.notice(PRODUCT, header.id), self.seal(header))
        for language in texts:
            self.publish(self.topics.text(PRODUCT, language, header.id), dump(make_text(language)))
        return header

    def current(
        self, *notices: Notice, patches: tuple[tuple[int, bytes], ...] = (), **fields: Any
    ) -> Catalogue:
        """Publish a catalogue and the timestamp that names it."""
        self.version += 1
        base = {"version": self.version, "issued": int(self.now), "patches": patches, **fields}
        body = make_catalogue(self.fleet, *notices, **base)
        self.publish(self.topics.catalogue(PRODUCT), self.seal(body))
        self.stamp(body)
        return body

    def stamp(self, body: Catalogue, **fields: Any) -> Timestamp:
        self.version += 1
        base = {"version": self.version, "issued": int(self.now)}
        stamp = make_timestamp(self.fleet, body, **{**base, **fields})
        self.publish(self.topics.timestamp(PRODUCT), self.seal(stamp))
        return stamp

    def patch(
        self,
        sequence: int = 7,
        data: bytes | None = None,
        *,
        version: Version = NEW,
        signers: tuple[str, ...] = ("release", "security"),
        **fields: Any,
    ) -> bytes:
        """Publish a SUIT envelope and keep its payload; return the patch digest."""
        data = image(version) if data is None else data
        base: dict[str, Any] = {"version": version, "uri": "https://example.com/fw"}
        ids = (fields.pop("vendor_id", VENDOR), fields.pop("class_id", CLASS))
        envelope = suit.build(sequence, *ids, data, **{**base, **fields})
        for role in signers:
            envelope = suit.authenticate(envelope, self.fleet.signer(role))
        self.payloads[hashlib.sha256(data).digest()] = data
        self.publish(self.topics.patch(PRODUCT, sequence), envelope)
        return suit.manifest_digest(envelope)

    def offer(self, patch: bytes, sequence: int = 7, **fields: Any) -> Offer:
        self.version += 1
        base = {
            "version": self.version,
            "issued": int(self.now),
            "digest": patch,
            "sequence": sequence,
            "deadline": int(self.now) + 72 * HOUR,
        }
        body = make_offer(self.fleet, self.profile.id, **{**base, **fields})
        self.publish(self.topics.device(self.profile.id, "offer"), self.seal(body))
        return body

    def roll_out(self, *notices: Notice, sequence: int = 7, **fields: Any) -> bytes:
        """Publish and offer a patch of the current catalogue."""
        terms = {key: fields.pop(key) for key in ("deadline", "window", "consent") if key in fields}
        patch = self.patch(sequence, **fields)
        self.current(*notices, patches=((sequence, patch),))
        self.offer(patch, sequence, **terms)
        return patch

    def next_root(self, **changes: Any) -> bytes:
        """Publish root 2 of the fleet, signed under both policies."""
        body = self.fleet.next_root(**{"issued": NOW + 1, **changes})
        document = seal(body, [self.fleet.holder(name) for name in ("root-1", "root-2")])
        self.retained[self.topics.root(2)] = document
        self.fleet = replace(self.fleet, root=body)
        return document
