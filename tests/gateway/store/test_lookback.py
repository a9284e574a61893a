"""What a matter came to: revisions follow each other, owners change, devices are revoked, journals are erased."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisories.notice import Notice
from advisories.report import FACTORY_RESET, JournalEntry, PatchStatus, Track
from advisories.states import NoticeState, PatchState
from gateway.service.committing import Committer, Item
from gateway.store import schema
from gateway.store.lookback import Owners, owners
from gateway.store.publication import register_devices
from keys.document import digest
from keys.reasons import Reason
from tests.gateway.peer import Peer, entry, status, walked
from tests.gateway.scene import header, make_store, publish
from tests.helpers import PRODUCT, device_record, devices, make_fleet

pytestmark = pytest.mark.usefixtures("both_engines")
N = NoticeState
SEEN = (N.DELIVERED, N.VERIFIED, N.SHOWN)
ID = "EX-2026-0001"
PATCH = hashlib.sha256(b"patch").digest()
OLD, FIXED = (1, 4, 1, 0), (1, 4, 2, 0)


class Matter:
    """A matter of two revisions, and two devices."""

    def __init__(self, path: Path) -> None:
        self.fleet = make_fleet()
        self.records = [device_record(self.fleet, f"device-{number}") for number in (1, 2)]
        self.store, _ = make_store(path, self.fleet, tuple(self.records))
        self.peers = [Peer(self.fleet, record.id) for record in self.records]
        self.notices: list[Notice] = []
        self.digests: list[bytes] = []
        self.now = float(self.fleet.now)
        with self.store.write() as session:
            kept = {"version": "1.4.2", "envelope": b"", "payload": bytes(32), "size": 1, "published": 1.0}
            session.connection.execute(
                schema.patches.insert().values(digest=PATCH, product=PRODUCT, sequence=1, **kept)
            )
        self.publish(patches={PRODUCT: (PATCH,)})

    def publish(self, **fields: object) -> None:
        self.now += 60
        revision = len(self.notices) + 1
        body = header(self.fleet, id=ID, revision=revision, issued=int(self.now), **fields)
        publish(self.store, self.fleet, body, now=self.now)
        self.notices.append(body)
        self.digests.append(digest(self.fleet.seal(body)))

    def report(self, peer: Peer, state: N, *entries: JournalEntry, patched: bool = False) -> float:
        """Take in where a device stands with the newest revision, and what its journal adds."""
        self.now += 60
        peer.journal += entries
        notices = (status(ID, self.digests[-1], state, revision=len(self.digests)),)
        patch = PatchStatus(
            digest=PATCH, sequence=1, state=PatchState.SUCCEEDED, time=int(self.now), reason=Reason.OK
        )
        data = peer.sign(
            installed=FIXED if patched else OLD, notices=notices, patches=(patch,) if patched else ()
        )
        peer.committed = len(peer.journal)
        Committer(self.store, self.fleet.id, clock=lambda: self.now).commit(
            [Item("t", peer.id, data, self.now, lambda _: None)]
        )
        return self.now

    def owners(self) -> Owners:
        with self.store.read() as session:
            return owners(session, ID, self.notices)


@pytest.fixture
def matter(tmp_path: Path) -> Iterator[Matter]:
    made = Matter(tmp_path)
    yield made
    made.store.close()


def closed(matter: Matter) -> tuple[float, float]:
    """Bring the matter to its end on the first device; return when it was shown and mended."""
    one = matter.peers[0]
    shown = matter.report(one, N.SHOWN, *walked(ID, *SEEN))
    mended = matter.report(one, N.NOT_APPLICABLE, entry(3, ID, N.SHOWN, N.NOT_APPLICABLE), patched=True)
    matter.publish()  # it names no patch any more
    steps = walked(ID, N.DELIVERED, N.NOT_APPLICABLE, first=4)
    matter.report(one, N.NOT_APPLICABLE, *steps, patched=True)
    return shown, mended


def test_a_last_revision_that_concerns_nobody_takes_nothing_from_what_the_first_one_came_to(
    matter: Matter,
) -> None:
    shown, mended = closed(matter)
    assert matter.owners() == Owners(1, [shown], [mended])


def test_a_device_that_a_revision_names_is_concerned_before_it_shows_anything(matter: Matter) -> None:
    shown, mended = closed(matter)
    matter.report(matter.peers[1], N.DELIVERED, *walked(ID, N.DELIVERED))
    assert matter.owners() == Owners(2, [shown], [mended])


def test_who_was_told_by_the_second_revision_first_is_told_then(matter: Matter) -> None:
    two = matter.peers[1]
    matter.report(two, N.VERIFIED, *walked(ID, *SEEN[:2]))
    matter.publish(patches={PRODUCT: (PATCH,)})
    shown = matter.report(two, N.SHOWN, *walked(ID, *SEEN, first=2))
    assert matter.owners() == Owners(1, [shown], [])


def test_after_a_factory_reset_the_next_owner_counts(matter: Matter) -> None:
    one = matter.peers[0]
    matter.report(one, N.SHOWN, *walked(ID, *SEEN))
    reset = entry(3, FACTORY_RESET, 0, 0, track=Track.DEVICE)
    taken_back = entry(4, ID, N.SHOWN, N.VERIFIED, reason=Reason.RESET)
    matter.report(one, N.VERIFIED, reset, taken_back)
    assert matter.owners() == Owners(1, [], [])
    again = matter.report(one, N.SHOWN, entry(5, ID, N.VERIFIED, N.SHOWN))
    assert matter.owners() == Owners(1, [again], [])


def test_a_revoked_device_does_not_count(matter: Matter) -> None:
    closed(matter)
    records = (device_record(matter.fleet, "device-1", revoked=True), matter.records[1])
    body = devices(matter.fleet, *records, issued=int(matter.now))
    register_devices(matter.store, matter.fleet.seal(body), matter.now)
    assert matter.owners() == Owners(0, [], [])


@pytest.mark.parametrize("kept", ["state", "journal"])
def test_either_memory_serves_where_the_other_is_erased(matter: Matter, kept: str) -> None:
    shown = matter.report(matter.peers[0], N.SHOWN, *walked(ID, *SEEN))
    with matter.store.write() as session:
        erased = schema.journal if kept == "state" else schema.notice_states
        session.connection.execute(erased.delete())
    assert matter.owners() == Owners(1, [shown], [])
