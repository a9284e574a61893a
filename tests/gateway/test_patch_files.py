"""A patch is published when every file that it names is in place: whole images, deltas, the other slot's."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
import sqlalchemy as sa

from advisories import mcuboot, suit
from advisories.suit import Delta, File, PatchPlan, Payload, delta
from gateway.store import schema
from keys.errors import InputError, RefusedError, UnavailableError
from tests.gateway.rollout.test_rollouts import Scene
from tests.helpers import PRODUCT

BODY = random.Random(8).randbytes(4_000)
OLD = mcuboot.pack(BODY, (1, 4, 1, 0), security_counter=1)
NEW = mcuboot.pack(BODY[:9] + b"mended" + BODY[15:], (1, 4, 2, 0), security_counter=2)
OTHER_SLOT = mcuboot.pack(BODY[::-1], (1, 4, 2, 0), security_counter=2)
RADIO = b"radio" * 700_000  # more than is read at once


@pytest.fixture
def scene(tmp_path: Path):
    made = Scene(tmp_path)
    yield made
    made.store.close()


def kept(scene: Scene, data: bytes) -> File:
    digest = hashlib.sha256(data).digest()
    (scene.folder / digest.hex()).write_bytes(data)
    return File(digest, len(data), f"artefact/{digest.hex()}")


def envelope(scene: Scene, *payloads: Payload) -> bytes:
    vendor, class_ = suit.identifiers("example.com", PRODUCT)
    made = suit.compose(PatchPlan(sequence=7, vendor_id=vendor, class_id=class_, payloads=payloads))
    for role in ("release", "security"):
        made = suit.authenticate(made, scene.fleet.signer(role))
    return made


def test_every_file_is_needed_and_the_store_names_the_main_one(scene: Scene) -> None:
    whole, radio = kept(scene, NEW), kept(scene, RADIO)
    piece = kept(scene, delta.make(OLD, NEW))
    rebuild = Delta(piece, hashlib.sha256(OLD).digest(), len(OLD))
    data = envelope(
        scene,
        Payload((whole,), version=(1, 4, 2, 0), deltas=(rebuild,)),
        Payload((radio,), (b"radio",)),
    )
    for file in (whole, radio, piece):
        path = scene.folder / file.digest.hex()
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(InputError) as differs:
            scene.publish(data)
        assert (differs.value.code, differs.value.where) == ("IMAGE_DIFFERS", str(path))
        path.unlink()
        with pytest.raises(UnavailableError) as missing:
            scene.publish(data)
        assert missing.value.code == "IMAGE_MISSING"
        path.write_bytes(content)
    digest = scene.publish(data)
    with scene.store.read() as session:
        row = session.connection.execute(sa.select(schema.patches)).one()
    assert (row.digest, row.payload, row.size) == (digest, whole.digest, whole.size)


def test_the_image_of_the_other_slot_is_needed_too(scene: Scene) -> None:
    first, second = kept(scene, NEW), kept(scene, OTHER_SLOT)
    data = envelope(scene, Payload((first, second), version=(1, 4, 2, 0)))
    (scene.folder / second.digest.hex()).unlink()
    with pytest.raises(UnavailableError):
        scene.publish(data)
    kept(scene, OTHER_SLOT)
    scene.publish(data)


def test_a_file_of_another_length_than_the_manifest_says_is_not_published(scene: Scene) -> None:
    whole = kept(scene, NEW)
    data = envelope(scene, Payload((File(whole.digest, whole.size + 1, whole.uri),), version=(1, 4, 2, 0)))
    with pytest.raises(InputError) as differs:
        scene.publish(data)
    assert differs.value.code == "IMAGE_DIFFERS"


def test_what_travels_in_the_envelope_needs_no_file(scene: Scene) -> None:
    inside = File(hashlib.sha256(NEW).digest(), len(NEW), "#00", NEW)
    scene.publish(envelope(scene, Payload((inside,), version=(1, 4, 2, 0))))
    with scene.store.read() as session:
        assert session.connection.execute(sa.select(schema.patches.c.size)).scalar_one() == len(NEW)


def test_without_a_stated_version_the_image_says_it_and_any_other_file_cannot(scene: Scene) -> None:
    scene.publish(envelope(scene, Payload((kept(scene, NEW),))))
    with scene.store.read() as session:
        assert session.connection.execute(sa.select(schema.patches.c.version)).scalar_one() == "1.4.2"
    scene.now += 5
    with pytest.raises(RefusedError):
        scene.publish(envelope(scene, Payload((kept(scene, b"bundle"),))))


def test_an_image_in_the_envelope_says_its_version_too(scene: Scene) -> None:
    inside = File(hashlib.sha256(NEW).digest(), len(NEW), "#00", NEW)
    scene.publish(envelope(scene, Payload((inside,))))
    with scene.store.read() as session:
        assert session.connection.execute(sa.select(schema.patches.c.version)).scalar_one() == "1.4.2"
