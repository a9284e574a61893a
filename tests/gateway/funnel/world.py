"""A store, and devices with which anything may happen."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from advisories.report import Agreed, Consented, NoticeStatus, PatchStatus, Track
from advisories.states import NoticeState, PatchState, Surface
from gateway.service.committing import Committer, Item
from gateway.store import cells, schema
from gateway.store.engine import Store
from gateway.store.publication import publish_advisory, publish_root, register_devices
from keys.document import digest
from keys.reasons import Reason
from tests.gateway.peer import Peer, entry, status
from tests.gateway.scene import OUTPUTS, catalogues, header, texts
from tests.helpers import PRODUCT, Fleet, device_record, devices, make_fleet

PRODUCTS = (PRODUCT, "doorbell")
IDS = [f"device-{number}" for number in range(8)]
PATCHES = [hashlib.sha256(f"patch {number}".encode()).digest() for number in range(3)]
ADVISORIES = ("EX-2026-0001", "EX-2026-0002")


@dataclass
class World:
    """A store, and devices with which anything may happen."""

    store: Store
    rng: random.Random
    fleet: Fleet = field(default_factory=lambda: make_fleet(PRODUCTS))
    now: float = 0.0
    peers: dict[str, Peer] = field(default_factory=dict)
    product: dict[str, str] = field(default_factory=dict)
    revision: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now = float(self.fleet.now)
        publish_root(self.store, self.fleet.root_document, self.now)
        with self.store.write() as session:
            for number, patch in enumerate(PATCHES):
                values = {
                    "version": "1.4.2",
                    "envelope": b"",
                    "payload": bytes(32),
                    "size": 1,
                    "published": 1.0,
                }
                session.connection.execute(
                    schema.patches.insert().values(digest=patch, product=PRODUCT, sequence=number, **values)
                )
            session.connection.execute(
                schema.rollouts.insert().values(
                    id="r1", product=PRODUCT, digest=PATCHES[0], state=1, plan="{}", created=self.now
                )
            )
        self.register()

    def offer(self) -> None:
        """Make a device part of a rollout, or offer it what is rolled out."""
        d, id_ = schema.rollout_devices, self.rng.choice(sorted(self.peers))
        with self.store.write() as session, cells.counted(session, [id_]):
            changed = session.connection.execute(d.update().where(d.c.device == id_).values(offered=self.now))
            if not changed.rowcount:
                session.connection.execute(d.insert().values(rollout="r1", device=id_, group=len(id_) % 2))

    def register(self) -> None:
        """Register some devices, perhaps under another product and key, or revoked."""
        self.now += 1
        records = []
        for id_ in self.rng.sample(IDS, 3):
            product = self.rng.choice(PRODUCTS)
            if self.product.get(id_) != product:
                self.peers[id_] = Peer(self.fleet, id_)
                self.product[id_] = product
            records.append(device_record(self.fleet, id_, product, revoked=self.rng.random() < 0.2))
        body = devices(self.fleet, *records, issued=int(self.now))
        register_devices(self.store, self.fleet.seal(body), self.now)

    def inventory(self) -> None:
        """Learn or forget where devices stand, also such as are not registered."""
        i = schema.inventory
        chosen = self.rng.sample([*IDS, "other-1", "other-2"], 3)
        with self.store.write() as session, cells.counted(session, chosen):
            session.connection.execute(i.delete().where(i.c.id.in_(chosen)))
            for id_ in chosen[: self.rng.randint(0, 3)]:
                values = {
                    "account": self.rng.choice([None, "north", "south"]),
                    "region": self.rng.choice([None, "DE", "FR"]),
                    "version": self.rng.choice([None, "1.4.1", "2.0.0"]),
                }
                row = {"id": id_, "product": self.rng.choice(PRODUCTS), "source": "csv", "updated": self.now}
                session.connection.execute(i.insert().values(**row, **values))

    def publish(self) -> None:
        """Publish a revision that names other patches."""
        self.now += 60
        id_ = self.rng.choice(ADVISORIES)
        number = self.revision.get(id_, (0, b""))[0] + 1
        named = {PRODUCT: tuple(sorted(self.rng.sample(PATCHES, self.rng.randint(1, 2))))}
        body = header(
            self.fleet,
            id=id_,
            revision=number,
            issued=int(self.now),
            patches=named if self.rng.random() < 0.7 else None,
        )
        document = self.fleet.seal(body)
        listed = catalogues(self.fleet, body, now=self.now)
        publish_advisory(self.store, document, texts(), OUTPUTS, listed, now=self.now)
        self.revision[id_] = number, digest(document)

    def report(self) -> None:
        """Take in a batch of reports, each of which says anything at all."""
        self.now += self.rng.uniform(0, 4_000)
        known = sorted(self.peers)
        batch = [self._signed(self.rng.choice(known)) for _ in range(self.rng.randint(1, 5))]
        items = [Item("t", id_, data, self.now, lambda _: None) for id_, data in batch]
        Committer(self.store, self.fleet.id, clock=lambda: self.now).commit(items)

    def _signed(self, id_: str) -> tuple[str, bytes]:
        peer, rng = self.peers[id_], self.rng
        if rng.random() < 0.3:
            name, kind = rng.choice([("catalogue", Track.REFUSAL), ("boot", Track.DEVICE)])
            peer.journal.append(entry(len(peer.journal), name, 0, 1, track=kind, reason=Reason.REPLAYED))
        data = peer.sign(
            product=self.product[id_],
            language=rng.choice(["en", "de"]),
            installed=rng.choice([(1, 4, 1, 0), (1, 4, 2, 0)]),
            notices=tuple(
                self._notice(name) for name in ADVISORIES if name in self.revision and rng.random() < 0.7
            ),
            patches=tuple(self._patch(number) for number in range(3) if rng.random() < 0.4),
        )
        return id_, data

    def _notice(self, name: str) -> NoticeStatus:
        revision, known = self.revision[name]
        state = self.rng.choice(list(NoticeState))
        return status(
            name, known, state, revision=revision, surface=self.rng.choice(list(Surface)), language=None
        )

    def _patch(self, number: int) -> PatchStatus:
        consent = Consented(how=self.rng.choice(list(Agreed)), time=1, question=bytes(32))
        return PatchStatus(
            digest=PATCHES[number],
            sequence=number,
            state=self.rng.choice([PatchState.SUCCEEDED, *PatchState]),
            time=int(self.now),
            reason=Reason.OK,
            consent=self.rng.choice([None, consent]),
            deferrals=self.rng.choice([None, 1]),
        )

    def steps(self) -> list[Callable[[], None]]:
        return [self.register, self.inventory, self.publish, self.offer, *[self.report] * 4]

    def faults(self) -> list[str]:
        with self.store.read() as session:
            return cells.faults(session)
