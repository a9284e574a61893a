"""Rollouts and patches in the store: real SUIT envelopes, real images, signed offers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from advisories import mcuboot, suit
from advisories.offer import Consent, Offer
from advisories.states import PatchState
from advisories.topics import Topics
from gateway.core.rollout import GroupState, Plan, RolloutEvent, RolloutState, by_percent
from gateway.service.offers import Speaker
from gateway.store import audit, schema
from gateway.store.cells import counted
from gateway.store.engine import Store
from gateway.store.funnel import patch_funnel
from gateway.store.patches import publish_patch
from gateway.store.planning import create_rollout
from gateway.store.rolling import change_rollout
from gateway.store.rollouts import count_groups, get_rollout, list_rollouts
from keys.document import open_document
from keys.errors import InputError, RefusedError, UnavailableError
from keys.reasons import Reason
from tests.gateway.scene import catalogues, make_store
from tests.helpers import PRODUCT, Fleet, device_record, make_fleet

TOPICS = Topics()
pytestmark = pytest.mark.usefixtures("both_engines")
IDS = [f"device-{i:04}" for i in range(10)]


class Scene:
    def __init__(self, folder: Path) -> None:
        self.fleet: Fleet = make_fleet()
        self.now = float(self.fleet.now)
        self.folder = folder
        records = tuple(device_record(self.fleet, id_) for id_ in IDS)
        self.store: Store = make_store(folder, self.fleet, records)[0]
        self.speaker = Speaker(
            self.store, TOPICS, self.fleet.id, self.fleet.signer("gateway"), lambda: self.now
        )

    def envelope(self, sequence: int = 7, roles: tuple[str, ...] = ("release", "security")) -> bytes:
        image = mcuboot.pack(b"firmware" * 100, (1, 4, 2, 0), security_counter=1)
        digest = hashlib.sha256(image).digest()
        (self.folder / digest.hex()).write_bytes(image)
        data = make_envelope(sequence, image)
        for role in roles:
            data = suit.authenticate(data, self.fleet.signer(role))
        return data

    def publish(self, envelope: bytes, **options: Any) -> bytes:
        patch = suit.peek(envelope)
        listed = catalogues(self.fleet, patches=[(patch.sequence, patch.digest)], now=self.now)
        publish_patch(
            self.store,
            envelope,
            options.get("catalogues", listed),
            product=PRODUCT,
            artefacts=options.get("artefacts", self.folder),
            now=self.now,
        )
        return patch.digest

    def tend(self) -> None:
        while self.speaker.tend():
            pass

    def offers(self) -> dict[str, Offer]:
        found = {}
        with self.store.read() as session:
            for id_ in IDS:
                row = session.retained(TOPICS.device(id_, "offer"))
                if row is not None:
                    found[id_] = open_document(
                        row.payload, Offer, self.fleet.root, fleet=self.fleet.id, subject=id_
                    ).body
        return found

    def report(self, digest: bytes, *devices: str, state: PatchState = PatchState.SUCCEEDED) -> None:
        t, d = schema.patch_states, schema.device_states
        with self.store.write() as session, counted(session, devices):
            for device in devices:
                for table in (t, d):
                    session.connection.execute(table.delete().where(table.c.device == device))
                session.connection.execute(
                    t.insert().values(
                        device=device,
                        digest=digest,
                        sequence=7,
                        state=int(state),
                        reason=0,
                        time=0,
                        changed=self.now,
                    )
                )
                session.connection.execute(
                    d.insert().values(
                        device=device,
                        epoch=1,
                        sequence=1,
                        installed="1.4.2" if state is PatchState.SUCCEEDED else "1.4.1",
                        language="en",
                        root_version=1,
                        journal_count=0,
                        journal_head=b"",
                        journal_life=0,
                        next_nonce=bytes(16),
                        seen=self.now,
                    )
                )

    def state(self) -> tuple[RolloutState, tuple[GroupState, ...]]:
        with self.store.read() as session:
            rollout = get_rollout(session, "r1")
        return rollout.state, rollout.groups


def make_envelope(sequence: int, image: bytes) -> bytes:
    vendor, klass = suit.identifiers("example.com", PRODUCT)
    return suit.build(
        sequence=sequence,
        vendor_id=vendor,
        class_id=klass,
        image=image,
        uri="https://example.com/artefact",
        version=(1, 4, 2, 0),
        texts={"en": "Mends the fault."},
    )


@pytest.fixture
def scene(tmp_path: Path):
    made = Scene(tmp_path)
    yield made
    made.store.close()


def plan(scene: Scene, **fields: Any) -> Plan:
    return by_percent(fields.pop("percents", (20, 80)), **{"deadline": int(scene.now) + 86_400, **fields})


def test_a_patch_is_published_once_and_never_goes_back(scene: Scene) -> None:
    envelope = scene.envelope()
    digest = scene.publish(envelope)
    head = audit.verify_chain(scene.store)
    with scene.store.write() as session:  # as one from before counters were kept
        session.connection.execute(schema.patches.update().values(counter=None))
    scene.publish(envelope)
    assert audit.verify_chain(scene.store) == head
    with scene.store.read() as session:
        row = session.connection.execute(sa.select(schema.patches)).one()
        assert (row.digest, row.version, row.sequence, row.counter) == (digest, "1.4.2", 7, 1)
        topics = [r.topic for r in session.retained_after(1)]
    assert topics == [TOPICS.patch(PRODUCT, 7), TOPICS.catalogue(PRODUCT)]
    scene.now += 5
    with pytest.raises(RefusedError) as caught:
        scene.publish(scene.envelope(6))
    assert caught.value.reason is Reason.DOWNGRADE_REFUSED


def test_a_patch_without_security_an_image_or_a_catalogue_is_not_published(
    scene: Scene, tmp_path: Path
) -> None:
    with pytest.raises(RefusedError) as caught:
        scene.publish(scene.envelope(roles=("release",)))
    assert caught.value.reason is Reason.THRESHOLD_NOT_MET
    with pytest.raises(InputError) as unlisted:
        scene.publish(scene.envelope(), catalogues=catalogues(scene.fleet))
    assert unlisted.value.code == "NOT_LISTED"
    with pytest.raises(UnavailableError) as missing:
        scene.publish(scene.envelope(), artefacts=tmp_path / "none")
    assert missing.value.code == "IMAGE_MISSING"
    envelope = scene.envelope()
    path = tmp_path / suit.peek(envelope).image_digest.hex()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError) as differs:
        scene.publish(envelope)
    assert differs.value.code == "IMAGE_DIFFERS"


def test_offers_go_out_group_by_group_as_the_patch_is_proven(scene: Scene) -> None:
    digest = scene.publish(scene.envelope())
    create_rollout(scene.store, "r1", digest=digest, plan=plan(scene, ask=True), now=scene.now)
    scene.tend()
    assert scene.offers() == {}
    change_rollout(scene.store, "r1", RolloutEvent.START, scene.now)
    scene.tend()
    first = scene.offers()
    assert len(first) == 2
    offer = next(iter(first.values()))
    assert (offer.digest, offer.sequence, offer.consent, offer.cancel) == (digest, 7, Consent.ASK, False)
    assert offer.catalogue_version == int(scene.now)
    scene.now += 10
    scene.report(digest, *first)
    scene.tend()
    assert len(scene.offers()) == 10
    scene.now += 10
    scene.report(digest, *IDS[:9])
    scene.report(digest, IDS[9], state=PatchState.NOT_APPLICABLE)
    scene.tend()
    assert scene.state() == (RolloutState.FINISHED, (GroupState.FINISHED, GroupState.FINISHED))
    with scene.store.read() as session:
        assert patch_funnel(session, digest) == {"SUCCEEDED": 9, "NOT_APPLICABLE": 1}
        assert [rollout.id for rollout in list_rollouts(session)] == ["r1"]
    audit.verify_chain(scene.store)


def test_failures_pause_a_rollout_and_an_operator_may_let_it_go_on(scene: Scene) -> None:
    digest = scene.publish(scene.envelope())
    create_rollout(scene.store, "r1", digest=digest, plan=plan(scene), now=scene.now, start=True)
    scene.tend()
    scene.now += 10
    scene.report(digest, *scene.offers(), state=PatchState.ROLLED_BACK)
    scene.tend()
    assert scene.state() == (RolloutState.PAUSED, (GroupState.ERROR, GroupState.SCHEDULED))
    change_rollout(scene.store, "r1", RolloutEvent.RESUME, scene.now, why="the two boards were worn")
    scene.tend()
    assert scene.state() == (RolloutState.RUNNING, (GroupState.OVERRIDDEN, GroupState.RUNNING))
    assert len(scene.offers()) == 10


def test_an_end_from_before_the_offer_does_not_count_but_a_proven_version_does(scene: Scene) -> None:
    digest = scene.publish(scene.envelope())
    scene.report(digest, *IDS[:5], state=PatchState.FAILED)
    scene.report(digest, *IDS[5:], state=PatchState.SUCCEEDED)
    scene.now += 10
    create_rollout(
        scene.store, "r1", digest=digest, plan=plan(scene, percents=(100,)), now=scene.now, start=True
    )
    scene.tend()
    with scene.store.read() as session:
        counts = count_groups(session, get_rollout(session, "r1"))
    assert (counts[0].failed, counts[0].proven) == (0, 5)


def test_a_stopped_rollout_takes_its_offers_back_where_it_still_can(scene: Scene) -> None:
    digest = scene.publish(scene.envelope())
    create_rollout(
        scene.store, "r1", digest=digest, plan=plan(scene, percents=(100,)), now=scene.now, start=True
    )
    scene.tend()
    before = scene.offers()
    scene.now += 10
    scene.report(digest, IDS[0])
    change_rollout(scene.store, "r1", RolloutEvent.STOP, scene.now)
    scene.tend()
    after = scene.offers()
    assert not after[IDS[0]].cancel
    assert all(after[id_].cancel and after[id_].version > before[id_].version for id_ in IDS[1:])


def test_a_rollout_ends_at_its_deadline_whoever_is_silent(scene: Scene) -> None:
    digest = scene.publish(scene.envelope())
    create_rollout(scene.store, "r1", digest=digest, plan=plan(scene), now=scene.now, start=True)
    scene.tend()
    scene.now += 86_400
    scene.tend()
    assert scene.state()[0] is RolloutState.FINISHED


def test_what_cannot_be_rolled_out_is_said_at_once(scene: Scene) -> None:
    digest = scene.publish(scene.envelope())
    cases: list[tuple[dict[str, Any], str]] = [
        ({"id_": "a/b"}, "ROLLOUT_ID"),
        ({"digest": bytes(32)}, "PATCH_UNKNOWN"),
        ({"devices": ["nobody"]}, "DEVICE_UNKNOWN"),
        ({"devices": []}, "NO_DEVICES"),
        ({"plan": plan(scene, deadline=1)}, "ROLLOUT_PLAN"),
    ]
    for fields, code in cases:
        options: dict[str, Any] = {
            "id_": "r1",
            "digest": digest,
            "plan": plan(scene),
            "now": scene.now,
            **fields,
        }
        with pytest.raises(InputError) as caught:
            create_rollout(scene.store, options.pop("id_"), **options)
        assert caught.value.code == code
    create_rollout(scene.store, "r1", digest=digest, plan=plan(scene), now=scene.now)
    for call, code in (
        (
            lambda: create_rollout(scene.store, "r1", digest=digest, plan=plan(scene), now=scene.now),
            "ROLLOUT_EXISTS",
        ),
        (lambda: change_rollout(scene.store, "r1", RolloutEvent.PAUSE, scene.now), "ROLLOUT_STATE"),
        (lambda: change_rollout(scene.store, "r9", RolloutEvent.START, scene.now), "ROLLOUT_UNKNOWN"),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.code == code
