"""A virtual fleet under a virtual clock: a real store, real gates and offers, signed reports really ingested.

Devices are light: a script says what one does with an offer, and the table of patch states holds it to what a
device can do. What they report is signed with their own keys and goes through :class:`Committer`.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from advisories.catalogue import Catalogue
from advisories.offer import Offer
from advisories.report import PatchStatus, seal_report
from advisories.states import PATCH_ENDED, PATCH_TRANSITIONS, PatchState
from advisories.topics import Topics
from gateway.core.rollout import GroupState, Outcome, Plan, RolloutState
from gateway.service.committing import Committer, Item, Receipt
from gateway.service.offers import Speaker
from gateway.store import audit, cells, schema
from gateway.store.engine import Store, Stored
from gateway.store.outcomes import cells as outcomes_of
from gateway.store.planning import create_rollout
from gateway.store.rollouts import Rollout, get_rollout
from keys.cbor import encode
from keys.document import digest, peek
from keys.reasons import Reason
from keys.signer import LocalSigner
from tests.gateway.scene import catalogues, make_store
from tests.helpers import PRODUCT, Fleet, device_record, make_fleet, report

P = PatchState
MINUTE, HOUR, DAY = 60, 3_600, 86_400
FIRST: Final = "unit-00000"
BATCH: Final = 200  # reports in one transaction, as the gateway has it
OLD, NEW = (1, 4, 1, 0), (1, 4, 2, 0)
VERSIONS: Final = {7: NEW, 8: OLD, 9: (1, 5, 0, 0)}  # sequence -> what runs then; 8 carries the older code
PATCHES: Final = {sequence: bytes([sequence]) * 32 for sequence in VERSIONS}
TO_BOOT: Final = (
    *(P.DOWNLOADING, P.DOWNLOADED, P.VERIFIED, P.INSTALLING, P.INSTALLED, P.REBOOTING),
    P.TESTING,
)

Said = tuple[float, PatchState, Reason]
"""(UTC seconds, state that is reported then, reason)."""
Script = Callable[["World", "Device", Offer], Sequence[Said]]


@dataclass
class Device:
    """What a virtual device remembers."""

    id: str
    number: int
    signer: LocalSigner
    installed: tuple[int, int, int, int] = OLD
    states: dict[int, tuple[PatchState, Reason]] = field(default_factory=dict)
    """Sequence -> where the patch stands."""
    offers: list[Offer] = field(default_factory=list)
    reported: int = 0
    story: int = 0
    """What was planned for another offer does not happen."""
    online: bool = True


@functools.cache
def _fleet(count: int) -> tuple[Fleet, tuple[tuple[str, LocalSigner], ...]]:
    fleet = make_fleet()
    ids = [f"unit-{number:05}" for number in range(count)]
    return fleet, tuple((id_, fleet.device(id_)) for id_ in ids)


@functools.cache
def _template(count: int) -> Path:
    """A store with a fleet in it, for copying."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-fleet-"))
    fleet, _ = _fleet(count)
    store, _ = make_store(folder, fleet, (device_record(fleet, FIRST),))
    fill(store, fleet, count)
    store.close()
    return folder / "store.sqlite"


def fill(store: Store, fleet: Fleet, count: int) -> None:
    """Register devices, publish the patches and the catalogue that lists them."""
    rows = [
        {
            "id": id_,
            "product": PRODUCT,
            "key": encode(signer.public.to_cose()),
            "kid": signer.public.thumbprint,
            "valid_from": fleet.now,
            "valid_to": fleet.now + 365 * DAY,
            "revoked": False,
        }
        for id_, signer in _fleet(count)[1]
        if id_ != FIRST
    ]
    patches = [
        {
            "digest": PATCHES[sequence],
            "product": PRODUCT,
            "sequence": sequence,
            "version": ".".join(map(str, version[:3])),
            "envelope": b"",
            "payload": bytes(32),
            "size": 1,
            "published": float(fleet.now),
        }
        for sequence, version in VERSIONS.items()
    ]
    listed = catalogues(fleet, patches=[(s, d) for s, d in PATCHES.items()])[0]
    with store.write() as session, cells.counted(session, [row["id"] for row in rows]):
        session.connection.execute(schema.devices.insert(), rows)
        session.connection.execute(schema.patches.insert(), patches)
        stored = Stored(peek(listed, Catalogue).version, digest(listed), listed)
        session.add_document(Catalogue.TYPE, PRODUCT, stored, fleet.now)


class World:
    """A gateway, its fleet, and the clock of both."""

    def __init__(self, store: Store, count: int) -> None:
        self.fleet, known = _fleet(count)
        self.store, self.start = store, float(self.fleet.now)
        self.now = self.start
        self.topics = Topics()
        self.speaker = Speaker(
            store, self.topics, self.fleet.id, self.fleet.signer("gateway"), lambda: self.now
        )
        self.committer = Committer(store, self.fleet.id, clock=lambda: self.now)
        self.devices = {id_: Device(id_, n, signer) for n, (id_, signer) in enumerate(known)}
        self.script: Script = installs
        self.sent: list[tuple[float, Offer]] = []
        """Every offer, and when it was made."""
        self._events: list[tuple[float, int, Device, int, int, PatchState, Reason]] = []
        self._count = itertools.count()
        self._waiting: list[Item] = []
        with store.read() as session:
            self._revision = (
                session.connection.execute(sa.select(sa.func.max(schema.retained.c.revision))).scalar() or 0
            )

    def roll(self, plan: Plan, name: str = "r", **options: Any) -> None:
        """Make a rollout of patch 7 and start it."""
        create_rollout(
            self.store, name, digest=PATCHES[7], plan=plan, now=self.now, start=True, by="author", **options
        )

    def run(self, seconds: float, step: float = 10 * MINUTE) -> None:
        """Let time pass."""
        end = self.now + seconds
        self.tend()
        while self.now < end:
            self.now = min(end, self.now + step)
            self.happen()
            self.tend()

    def tend(self) -> None:
        """Let the gateway do what is due, and devices see it."""
        while self.speaker.tend():
            pass
        self._fetch()

    def _fetch(self) -> None:
        while True:
            with self.store.read() as session:
                found = session.retained_after(self._revision)
            for row in found:
                self._revision = row.revision
                if row.topic.endswith("/offer"):
                    offer = peek(row.payload, Offer)
                    self.sent.append((self.now, offer))
                    device = self.devices[offer.subject[0]]
                    device.offers.append(offer)
                    if device.online:
                        self._take(device, offer)
            if not found:
                return

    def wake(self, device: Device) -> None:
        """Bring a device online: it meets what is retained for it."""
        device.online = True
        if device.offers:
            self._take(device, device.offers[-1])

    def _take(self, device: Device, offer: Offer) -> None:
        state = device.states.get(offer.sequence, (None, Reason.OK))[0]
        if state in {P.INSTALLING, P.INSTALLED, P.REBOOTING, P.TESTING, P.SUCCEEDED}:
            return
        device.story += 1
        if offer.cancel:
            if state is not None and state not in PATCH_ENDED:
                self._plan(device, offer.sequence, [(self.now + 1, P.CANCELED, Reason.CANCELED)])
            return
        if state is None or state in PATCH_ENDED:
            device.states[offer.sequence] = (P.OFFERED, Reason.OK)
        self._plan(device, offer.sequence, self.script(self, device, offer))

    def _plan(self, device: Device, sequence: int, said: Sequence[Said]) -> None:
        for at, state, reason in said:
            event = (at, next(self._count), device, device.story, sequence, state, reason)
            heapq.heappush(self._events, event)

    def happen(self) -> None:
        """Let devices do and report what was planned until now; what they say is committed in order."""
        now = self.now
        while self._events and self._events[0][0] <= now:
            at, _, device, story, sequence, state, reason = heapq.heappop(self._events)
            if story == device.story:
                self.now = at
                self._move(device, sequence, state, reason)
        self.now = now
        self.commit()

    def _move(self, device: Device, sequence: int, state: PatchState, reason: Reason) -> None:
        before = device.states.get(sequence, (P.QUEUED, Reason.OK))[0]
        assert before is state or state in _reach(before), (
            f"no device goes from {before.name} to {state.name}"
        )
        if state is P.SUCCEEDED:
            device.installed = VERSIONS[sequence]
            for other, (was, _) in device.states.items():
                if was is P.SUCCEEDED:
                    device.states[other] = (P.REMOVED, Reason.OK)
        device.states[sequence] = (state, reason)
        self.say(device)

    def say(self, device: Device, **fields: Any) -> None:
        """Let a device report what it is and where its patches stand."""
        device.reported += 1
        body = report(
            self.fleet,
            device.id,
            **{
                "version": device.reported,
                "installed": device.installed,
                "issued": int(self.now),
                "patches": tuple(
                    PatchStatus(
                        digest=PATCHES[sequence],
                        sequence=sequence,
                        state=state,
                        time=int(self.now),
                        reason=reason,
                    )
                    for sequence, (state, reason) in sorted(device.states.items())
                ),
                **fields,
            },
        )
        data = seal_report(body, device.signer)
        topic = self.topics.device(device.id, "report")
        self._waiting.append(Item(topic, device.id, data, self.now, lambda _outcome: None))
        if len(self._waiting) >= BATCH:
            self.commit()

    def commit(self) -> None:
        """Commit what was reported; none is refused."""
        batch, self._waiting = self._waiting, []
        if batch:
            self.committer.open(batch)
            assert all(isinstance(outcome, Receipt) for outcome in self.committer.commit(batch))

    def state(self, name: str = "r") -> RolloutState:
        """Where a rollout stands."""
        return self.rollout(name).state

    def rollout(self, name: str = "r") -> Rollout:
        """A rollout as it stands in the store."""
        with self.store.read() as session:
            return get_rollout(session, name)

    def groups(self, name: str = "r") -> tuple[GroupState, ...]:
        """Where its groups stand."""
        return self.rollout(name).groups

    def counts(self, group: int | None = None, name: str = "r") -> Counter[Outcome]:
        """How its devices stand, by the cells."""
        with self.store.read() as session:
            found = outcomes_of(session, name)
        wanted = found.values() if group is None else [found.get(group, {})]
        return sum((Counter(each) for each in wanted), Counter())

    def members(self, group: int, name: str = "r") -> set[str]:
        """Ids of the devices of a group."""
        d = schema.rollout_devices
        with self.store.read() as session:
            query = sa.select(d.c.device).where(d.c.rollout == name, d.c.group == group)
            return set(session.connection.execute(query).scalars())

    def offered(self) -> set[str]:
        """Ids of devices that were ever offered patch 7."""
        return {offer.subject[0] for _, offer in self.sent if offer.sequence == 7 and not offer.cancel}

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """What the audit chain says of one kind."""
        with self.store.read() as session:
            return [json.loads(row.data) for row in audit.rows(session) if row.kind == kind]

    def check(self) -> None:
        """Hold the cells against a count of everything, and the audit chain against itself."""
        with self.store.read() as session:
            assert cells.faults(session) == []
        audit.verify_chain(self.store)


@functools.cache
def _reach(state: PatchState) -> frozenset[PatchState]:
    found, todo = set[PatchState](), [state]
    while todo:
        for after in PATCH_TRANSITIONS[todo.pop()] - found:
            found.add(after)
            todo.append(after)
    return frozenset(found)


def begin(world: World, offer: Offer) -> float:
    """When a device may begin; the shell of a real one holds to the same rules."""
    return max(world.now, float(offer.window[0] if offer.window else 0))


def last(offer: Offer) -> float:
    """From when on it must not."""
    return float(min(offer.deadline, offer.window[1] if offer.window else offer.deadline))


def outcome_of(state: PatchState, reason: Reason = Reason.OK, after: float = 5 * MINUTE) -> Script:
    """A script: the device comes to this end, some time after it may begin."""

    def script(world: World, device: Device, offer: Offer) -> Sequence[Said]:
        at = begin(world, offer) + after
        if at >= last(offer):
            return [(last(offer), P.TIMED_OUT, Reason.DEADLINE_PASSED)]
        return [(at, state, reason)]

    return script


installs = outcome_of(P.SUCCEEDED)


@contextmanager
def world(folder: Path, count: int = 2_000, engine: str = "sqlite") -> Iterator[World]:
    """A world with a fleet of so many devices, none of which has reported anything."""
    if engine == "sqlite":
        store = Store.open(shutil.copy(_template(count), folder / "fleet.sqlite"))
    else:
        fleet = _fleet(count)[0]
        made, _ = make_store(folder, fleet, (device_record(fleet, FIRST),), engine=engine)
        fill(made, fleet, count)
        store = made
    try:
        yield World(store, count)
    finally:
        store.close()
