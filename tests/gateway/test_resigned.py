"""A patch that a newer root wants signed by more people is published again, and stays the same patch."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from advisories import mcuboot, suit
from advisories.topics import Topics
from gateway.store import schema
from gateway.store.patches import publish_patch
from gateway.store.publication import Published, publish_root
from keys.document import seal
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import DEFAULT_POLICY, PolicyRow
from tests.gateway.scene import catalogues, make_store
from tests.helpers import DAY, PRODUCT, key


def test_more_signatures_under_a_newer_root_replace_what_the_broker_holds(tmp_path: Path) -> None:
    store, fleet = make_store(tmp_path)
    data = mcuboot.pack(b"firmware" * 100, (1, 5, 0, 0))
    (tmp_path / hashlib.sha256(data).hexdigest()).write_bytes(data)
    vendor, class_ = suit.identifiers("example.com", PRODUCT)
    unsigned = suit.build(7, vendor, class_, data, version=(1, 5, 0, 0), uri="https://example.com/fw")
    two = unsigned
    for role in ("release", "security"):
        two = suit.authenticate(two, fleet.signer(role))
    three = suit.authenticate(two, fleet.signer("engineering"))
    listed = catalogues(replace(fleet, products=(PRODUCT,)), patches=[(7, suit.manifest_digest(two))])

    def publish(envelope: bytes) -> Published:
        return publish_patch(store, envelope, listed, product=PRODUCT, artefacts=tmp_path, now=fleet.now)

    assert publish(two).changed
    assert not publish(two).changed
    row = PolicyRow(type="patch", demands={**DEFAULT_POLICY["patch"], "engineering": 1}, product=PRODUCT)
    body = fleet.next_root(policy=(*fleet.root.policy, row))
    publish_root(store, seal(body, [key("root-1"), key("root-2")]), fleet.now + DAY)
    with pytest.raises(RefusedError) as caught:
        publish(two)
    assert caught.value.reason is Reason.THRESHOLD_NOT_MET
    assert publish(three).changed
    assert not publish(three).changed
    with store.read() as session:
        retained = session.retained(Topics().patch(PRODUCT, 7))
        kept = session.connection.execute(sa.select(schema.patches.c.envelope)).scalars().all()
        first = session.document("patch", PRODUCT)
    assert retained is not None
    assert (retained.payload, kept) == (three, [three])
    assert first is not None
    assert first.bytes == two  # what was issued first stays in the evidence, byte for byte
    store.close()
