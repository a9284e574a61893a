"""Publishing stops where an active device of the product could not verify; nobody else is in the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import mldsa

from advisories import mcuboot, suit
from advisories.abilities import format_algorithms
from advisories.report import PatchStatus
from advisories.states import PatchState
from gateway.core.ingest import Device, judge
from gateway.core.publication import build_catalogue
from gateway.store import schema
from gateway.store.engine import Store
from gateway.store.patches import publish_patch
from gateway.store.publication import publish_advisory, publish_catalogue, publish_root, register_devices
from gateway.store.readers import active_readers
from keys.algorithms import UNDECLARED, Algorithm
from keys.document import seal
from keys.errors import InputError
from keys.reasons import Reason
from keys.root import DEFAULT_POLICY, PolicyRow, RootKey
from keys.signer import LocalSigner
from tests.gateway.scene import OUTPUTS, catalogues, header, make_store, texts
from tests.helpers import DAY, NOW, PRODUCT, Fleet, device_record, devices, key, make_fleet, report, root_keys

CURVES = (Algorithm.ED25519, Algorithm.ESP256)
BOTH = (Algorithm.ML_DSA_44, *CURVES)
OTHER = "door-lock"
PQ = LocalSigner(mldsa.MLDSA44PrivateKey.from_seed_bytes(hashlib.sha256(b"tocsin test key pq").digest()))
PQ_KEY = RootKey(key=PQ.public, roles=("security-pq",), holder="security-pq-1")


def row(type_: str, product: str | None = PRODUCT) -> PolicyRow:
    return PolicyRow(type=type_, demands={**DEFAULT_POLICY[type_], "security-pq": 1}, product=product)


@dataclass
class Scene:
    """A store with devices of two products, and a fleet that can rotate its root."""

    store: Store
    fleet: Fleet

    def root(
        self, *rows: PolicyRow, signers: tuple[str, ...] = ("root-1", "root-2"), **changes: Any
    ) -> bytes:
        policy = (*(r for r in self.fleet.root.policy if r not in rows), *rows)
        body = self.fleet.next_root(keys=(*root_keys(), PQ_KEY), policy=policy, **changes)
        return seal(body, [key(name) for name in signers])

    def rotate(self, *rows: PolicyRow) -> None:
        document = self.root(*rows)
        publish_root(self.store, document, self.fleet.now + DAY)
        policy = (*self.fleet.root.policy, *rows)
        self.fleet = replace(
            self.fleet, root=self.fleet.next_root(keys=(*root_keys(), PQ_KEY), policy=policy)
        )

    def register(self, *records: Any, now: int = NOW) -> None:
        body = devices(self.fleet, *records, version=self.version(), issued=now)
        register_devices(self.store, self.fleet.seal(body), now)

    def version(self) -> int:
        with self.store.read() as session:
            last = session.document("devices", "")
        return NOW if last is None else last.version + 1

    def said(self, device: str, algorithms: Any) -> None:
        """Let the store know what a report would have told."""
        with self.store.write() as session:
            session.connection.execute(
                schema.device_states.insert().values(
                    device=device,
                    epoch=1,
                    sequence=1,
                    installed="1.4.1",
                    language="en",
                    root_version=1,
                    journal_count=0,
                    journal_head=bytes(32),
                    journal_life=0,
                    next_nonce=bytes(16),
                    seen=NOW,
                    algorithms=None if algorithms is None else format_algorithms(algorithms),
                )
            )

    def notice(self, *signers: Any, product: str = PRODUCT, leave_behind: bool = False) -> None:
        body = header(self.fleet, subject=(product,), affected={product: ()})
        roles = [self.fleet.signer(role) for role in DEFAULT_POLICY["notice"]]
        listed = catalogues(replace(self.fleet, products=(product,)), body)
        document = seal(body, [*roles, *signers])
        where: Any = {"now": self.fleet.now, "leave_behind": leave_behind}
        publish_advisory(self.store, document, texts(), OUTPUTS, listed, **where)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    fleet = make_fleet((PRODUCT, OTHER), keys=(*root_keys(), PQ_KEY))
    store, fleet = make_store(tmp_path, fleet, (device_record(fleet, "old-1"), device_record(fleet, "old-2")))
    yield Scene(store, fleet)
    store.close()


def refused(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*args, **kwargs)
    assert caught.value.code == "DEVICES_CANNOT_VERIFY"
    assert "patch" in caught.value.mend
    assert "revoke" in caught.value.mend
    return caught.value.message


def published(store: Store) -> tuple[int, int]:
    with store.read() as session:
        count = sa.select(sa.func.count())
        documents = session.connection.execute(count.select_from(schema.documents)).scalar()
        retained = session.connection.execute(count.select_from(schema.retained)).scalar()
    return documents or 0, retained or 0


# What a device can verify, as far as the store knows.


@pytest.mark.parametrize(
    ("record", "reported", "known"),
    [
        (None, "never", UNDECLARED),
        (BOTH, "never", BOTH),
        (None, BOTH, BOTH),
        (CURVES, BOTH, BOTH),
        (BOTH, CURVES, CURVES),
        (BOTH, None, BOTH),
        (None, None, UNDECLARED),
    ],
    ids=[
        "nobody said",
        "the record",
        "the report",
        "the report says more",
        "the report says less",
        "a silent report leaves it to the record",
        "both are silent",
    ],
)
def test_the_newest_report_wins_over_the_record(scene: Scene, record: Any, reported: Any, known: Any) -> None:
    scene.register(device_record(scene.fleet, "new-1", OTHER, algorithms=record))
    if reported != "never":
        scene.said("new-1", reported)
    with scene.store.read() as session:
        (found,) = active_readers(session, NOW, product=OTHER)
    assert (found.algorithms, found.count) == (frozenset(known), 1)


@pytest.mark.parametrize(
    ("fields", "active"),
    [
        ({}, True),
        ({"valid_from": NOW + DAY}, True),
        ({"revoked": True}, False),
        ({"valid_to": NOW + 2}, False),
        ({"valid_to": NOW + 3}, True),
    ],
    ids=["valid", "not valid yet", "revoked", "over", "almost over"],
)
def test_active_is_who_is_neither_revoked_nor_over(
    scene: Scene, fields: dict[str, Any], active: bool
) -> None:
    scene.register(device_record(scene.fleet, "new-1", OTHER, **fields))
    with scene.store.read() as session:
        assert bool(active_readers(session, NOW + 2, product=OTHER)) is active


def test_firmware_on_trial_does_not_count_yet(scene: Scene) -> None:
    device = Device("old-1", PRODUCT, scene.fleet.device("old-1").public, 0, NOW * 2, revoked=False)
    standing = None
    kept = []
    for sequence, (state, algorithms) in enumerate(
        [
            (PatchState.DOWNLOADING, CURVES),
            (PatchState.TESTING, BOTH),
            (PatchState.SUCCEEDED, BOTH),
            (PatchState.ROLLED_BACK, CURVES),
        ],
        1,
    ):
        status = PatchStatus(digest=bytes(32), sequence=7, state=state, time=NOW, reason=Reason.OK)
        said = report(
            scene.fleet, device.id, version=sequence, patches=(status,), algorithms=tuple(sorted(algorithms))
        )
        decision = judge(said, b"", standing, stored=None, overlap={}, received=NOW, nonce=bytes(16))
        standing = decision.standing
        kept.append(set(standing.algorithms or ()))
    assert kept == [set(CURVES), set(CURVES), set(BOTH), set(CURVES)]


# Roots.


@pytest.mark.parametrize("type_", ["notice", "patch", "catalogue", "timestamp", "offer", "answer"])
def test_a_root_with_a_row_that_a_device_could_not_read_is_refused(scene: Scene, type_: str) -> None:
    before = published(scene.store)
    said = refused(publish_root, scene.store, scene.root(row(type_)), NOW + DAY)
    assert said == (
        f"2 active devices of '{PRODUCT}' could not verify a {type_} under root 2 "
        "(no key that they can use for security-pq): old-1, old-2."
    )
    assert published(scene.store) == before


def test_many_devices_are_counted_and_the_first_are_named(scene: Scene) -> None:
    scene.register(*(device_record(scene.fleet, f"more-{n:03}") for n in range(120)))
    said = refused(publish_root, scene.store, scene.root(row("notice")), NOW + DAY)
    assert said.startswith(f"122 active devices of '{PRODUCT}'")
    assert said.endswith(": more-000, more-001, more-002 and 119 more.")


def test_one_that_is_behind_is_enough_and_named(scene: Scene) -> None:
    scene.said("old-1", BOTH)
    said = refused(publish_root, scene.store, scene.root(row("notice")), NOW + DAY)
    assert said.startswith(f"1 active device of '{PRODUCT}'")
    assert said.endswith(": old-2.")


@pytest.mark.parametrize("way", ["brought up", "revoked", "over"])
def test_when_nobody_is_behind_the_root_is_published(scene: Scene, way: str) -> None:
    scene.said("old-1", BOTH)
    if way == "brought up":
        scene.said("old-2", BOTH)
    else:
        gone = {"revoked": True} if way == "revoked" else {"valid_to": NOW + 10}
        scene.register(device_record(scene.fleet, "old-2", **gone), now=NOW + 5)
    assert publish_root(scene.store, scene.root(row("notice"), row("patch")), NOW + DAY)


def test_a_products_own_row_is_nothing_to_the_devices_of_another(scene: Scene) -> None:
    assert publish_root(scene.store, scene.root(row("notice", OTHER), row("offer", OTHER)), NOW + DAY)


def test_a_row_for_all_products_is_for_each_without_its_own(scene: Scene) -> None:
    own = PolicyRow(type="publication", demands=DEFAULT_POLICY["publication"], product=PRODUCT)
    everyone = tuple(r for r in scene.fleet.root.policy if r.type != "publication")
    fleet = scene.fleet
    for rows, stopped in (((), True), ((own,), False)):
        body = fleet.next_root(
            keys=(*root_keys(), PQ_KEY), policy=(*everyone, row("publication", None), *rows)
        )
        document = seal(body, [key("root-1"), key("root-2")])
        if stopped:
            refused(publish_root, scene.store, document, NOW + DAY)
        else:
            assert publish_root(scene.store, document, NOW + DAY)


def test_device_records_are_read_by_no_device(scene: Scene) -> None:
    everyone = tuple(r for r in scene.fleet.root.policy if r.type != "devices")
    body = scene.fleet.next_root(keys=(*root_keys(), PQ_KEY), policy=(*everyone, row("devices", None)))
    assert publish_root(scene.store, seal(body, [key("root-1"), key("root-2")]), NOW + DAY)


def test_a_root_that_a_device_could_not_walk_to_is_refused(tmp_path: Path) -> None:
    keys = (*root_keys(), RootKey(key=PQ.public, roles=("root",), holder="root-4"))
    fleet = make_fleet(keys=keys)
    store, _ = make_store(tmp_path, fleet)
    body = fleet.next_root()
    said = refused(publish_root, store, seal(body, [key("root-1"), PQ]), NOW + DAY)
    assert f"of '{PRODUCT}' could not verify root 2" in said
    assert publish_root(store, seal(body, [key("root-1"), key("root-2")]), NOW + DAY)
    store.close()


# Everything else.


def ready(scene: Scene, *types: str) -> None:
    """Let both devices verify ML-DSA, and rotate to a root that demands it."""
    for device in ("old-1", "old-2"):
        scene.said(device, BOTH)
    scene.rotate(*map(row, types))


def set_back(scene: Scene, device: str) -> None:
    """The device was returned to its former firmware by cable, and has reported since."""
    t = schema.device_states
    with scene.store.write() as session:
        session.connection.execute(t.update().where(t.c.device == device).values(algorithms="-19 -9"))


def test_an_advisory_under_a_row_that_a_device_cannot_verify_any_more_is_refused(scene: Scene) -> None:
    ready(scene, "notice")
    set_back(scene, "old-2")
    before = published(scene.store)
    said = refused(scene.notice, PQ)
    assert said == (
        f"1 active device of '{PRODUCT}' could not verify EX-2026-0001 revision 1 "
        "(no algorithm to check the signature for security-pq): old-2."
    )
    assert published(scene.store) == before
    scene.notice(PQ, leave_behind=True)  # one device, or one stolen key, must not silence a warning to all
    assert published(scene.store) != before


def test_an_advisory_that_all_can_verify_is_published(scene: Scene) -> None:
    ready(scene, "notice")
    scene.notice(PQ)


def test_the_row_may_be_met_without_the_signature_that_a_device_cannot_check(tmp_path: Path) -> None:
    second = RootKey(key=PQ.public, roles=("legal",), holder="legal-3")
    fleet = make_fleet((PRODUCT, OTHER), keys=(*root_keys(), second))
    store, _ = make_store(tmp_path, fleet)
    scene = Scene(store, fleet)
    body = header(fleet, subject=(PRODUCT,), affected={PRODUCT: ()})
    listed = catalogues(replace(fleet, products=(PRODUCT,)), body)

    def publish(*signers: Any) -> None:
        publish_advisory(store, seal(body, list(signers)), texts(), OUTPUTS, listed, now=NOW)

    engineering, legal, communications = (fleet.signer(r) for r in ("engineering", "legal", "communications"))
    assert "legal" in refused(publish, engineering, PQ, communications)
    publish(engineering, PQ, legal, communications)
    scene.store.close()


def test_a_catalogue_is_held_to_its_row(scene: Scene) -> None:
    ready(scene, "catalogue")
    body = build_catalogue(scene.fleet.id, PRODUCT, (), (), last=None, now=NOW)
    both = seal(body, [scene.fleet.signer("operator"), PQ])
    set_back(scene, "old-1")
    assert "its catalogue" in refused(publish_catalogue, scene.store, both, NOW)
    scene.register(device_record(scene.fleet, "old-1", revoked=True), now=NOW + 5)
    assert publish_catalogue(scene.store, both, NOW).changed


def test_a_patch_is_held_to_its_row(scene: Scene, tmp_path: Path) -> None:
    ready(scene, "patch")
    data = mcuboot.pack(b"firmware" * 100, (1, 5, 0, 0), algorithms=BOTH)
    (tmp_path / hashlib.sha256(data).hexdigest()).write_bytes(data)
    vendor, class_ = suit.identifiers("example.com", PRODUCT)
    envelope = suit.build(7, vendor, class_, data, version=(1, 5, 0, 0), uri="https://example.com/fw")
    for signer in (scene.fleet.signer("release"), scene.fleet.signer("security"), PQ):
        envelope = suit.authenticate(envelope, signer)
    listed = catalogues(
        replace(scene.fleet, products=(PRODUCT,)), patches=[(7, suit.manifest_digest(envelope))]
    )

    def publish() -> bool:
        return publish_patch(
            scene.store, envelope, listed, product=PRODUCT, artefacts=tmp_path, now=NOW
        ).changed

    set_back(scene, "old-1")
    assert "could not verify patch 7" in refused(publish)
    set_back(scene, "old-2")
    assert refused(publish).startswith("2 active devices")
    with scene.store.write() as session:
        session.connection.execute(schema.device_states.update().values(algorithms="-48 -19 -9"))
    assert publish()


# Registering.


def test_a_device_that_could_not_read_its_products_row_is_not_registered(scene: Scene) -> None:
    ready(scene, "notice")
    before = published(scene.store)
    late = device_record(scene.fleet, "late-1")
    said = refused(scene.register, late)
    assert said.startswith(f"1 active device of '{PRODUCT}' could not verify a notice under root 2")
    assert said.endswith(": late-1.")
    assert published(scene.store) == before
    with scene.store.read() as session:
        assert (
            session.connection.execute(
                sa.select(schema.devices.c.id).where(schema.devices.c.id == "late-1")
            ).first()
            is None
        )
    scene.register(replace(late, algorithms=BOTH))
    scene.register(device_record(scene.fleet, "late-2", OTHER))
    scene.register(device_record(scene.fleet, "late-3", revoked=True))


def test_a_device_with_a_new_key_is_taken_for_what_its_record_says(scene: Scene) -> None:
    ready(scene, "notice")
    other_key = key("another key of old-1").public
    assert refused(scene.register, device_record(scene.fleet, "old-1", key=other_key)).endswith(": old-1.")
    scene.register(device_record(scene.fleet, "old-1", key=other_key, algorithms=BOTH))
