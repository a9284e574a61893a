"""The same rows against a whole device: refused, journaled with that reason, and nothing else has changed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import cache

import pytest

from advisories import mcuboot, suit
from device_sim.core.state import State
from keys.algorithms import VERIFIED
from keys.document import seal
from keys.reasons import Reason
from keys.trusted import TrustedSet
from tests.device_sim.core.firmware import OLD
from tests.device_sim.core.world import World
from tests.helpers import DEVICE, NOW, PRODUCT, Fleet, catalogue, key, offer, timestamp
from tests.keys.threats.contents import AT
from tests.keys.threats.drafts import CLASS, VENDOR
from tests.keys.threats.table import ADVISORY, Vector, fleet_of, vectors

TYPES = ("root", "notice", "catalogue", "timestamp", "offer", "answer", "patch")
"""What a device takes; it is never sent device records or reports."""

BY_DESIGN = {
    "root: over since this second": "a device walks through roots that are over, to the one that is not",
    "notice: over since this second": "it is genuine, and goes on the books as expired, never on the screen",
    "answer: older than the last": "an answer is fresh by the device's own nonce, not by its version",
    "answer: another of the last version": "the same",
    "answer: version 0": "the same",
}
"""Rows that a device may take, and why."""

ROWS: dict[str, list[Vector]] = defaultdict(list)
for _row in vectors():
    if _row.type in TYPES and _row.name not in BY_DESIGN:
        ROWS[_row.name.partition(": ")[2]].append(_row)


def fleet_like(vector: Vector) -> Fleet:
    """The fleet that a row's trusted set belongs to, with root 1 and the root in force."""
    trusted = TrustedSet.load(vector.state)
    algorithm = trusted.root.keys[0].key.algorithm
    first = fleet_of(algorithm)
    document = first.root_document if first.id == trusted.fleet else trusted.root_document
    return Fleet(document, trusted.root, (PRODUCT,), NOW, algorithm)


def ready(vector: Vector) -> World:
    """A device that trusts what the row says is trusted, switched on and connected."""
    fleet = fleet_like(vector)
    w = World(fleet, start=False, vendor_id=VENDOR, class_id=CLASS, auto_consent=False)
    state = State.new(fleet.root_document, DEVICE)
    state.trusted = TrustedSet.load(vector.state)
    w.state, w.now = state.dump(), vector.now
    w.receipting = w.serving = False
    w.slots[0] = bytearray(mcuboot.pack(b"old code " * 100, OLD, algorithms=VERIFIED))
    w.start()
    w.connect()
    if vector.type == "patch":
        await_patch(w, vector)
    return w


def await_patch(w: World, vector: Vector) -> None:
    """Offer the genuine patch of a row, so that the device waits for its envelope."""
    named = suit.manifest_digest(vector.genuine)
    terms = {"version": AT, "issued": AT}
    listed = catalogue(w.fleet, patches=((7, named),), **terms)
    for topic, body in (
        (w.topics.catalogue(PRODUCT), listed),
        (w.topics.timestamp(PRODUCT), timestamp(w.fleet, listed, **terms)),
        (w.topics.device(DEVICE, "offer"), offer(w.fleet, digest=named, **terms)),
    ):
        role = "operator" if body is listed else "gateway"
        w.send(topic, seal(body, [key(f"{role}-1", w.fleet.algorithm)]))
    assert [track.digest for track in w.agent.patches] == [named]


def topic_of(w: World, type_: str) -> str:
    return {
        "root": w.topics.root(2),
        "notice": w.topics.notice(PRODUCT, ADVISORY),
        "catalogue": w.topics.catalogue(PRODUCT),
        "timestamp": w.topics.timestamp(PRODUCT),
        "offer": w.topics.device(DEVICE, "offer"),
        "answer": w.topics.device(DEVICE, "answer"),
        "patch": w.topics.patch(PRODUCT, 7),
    }[type_]


def standing(w: World) -> tuple[object, ...]:
    """Everything that a refused message must leave as it was; the journal and the report may grow."""
    state = w.agent._session.state
    return (
        state.trusted.dump(),
        state.catalogue_body,
        state.timestamp_body,
        state.offer,
        dict(state.notices),
        dict(state.patches),
        list(w.shows),
        [bytes(slot) for slot in w.slots],
        w.boot,
    )


@cache
def is_taken(type_: str, state: bytes, data: bytes, now: int, vector: Vector) -> bool:
    """Say whether a device in this state takes the genuine message."""
    w = ready(vector)
    w.now = now
    before = standing(w)
    w.send(topic_of(w, type_), data)
    w.advance(10)
    return not w.refusals() and (standing(w) != before or type_ == "answer")


def shown_genuine(vector: Vector) -> bool:
    now = vector.now if vector.genuine_now is None else vector.genuine_now
    first = _FIRST_LIKE.setdefault((vector.type, vector.state, vector.genuine), vector)
    return is_taken(vector.genuine_type or vector.type, vector.state, vector.genuine, now, first)


_FIRST_LIKE: dict[tuple[str, bytes, bytes], Vector] = {}


@pytest.mark.parametrize("name", ROWS)
def test_a_device_refuses_it_says_why_and_stays_as_it_was(name: str) -> None:
    for vector in ROWS[name]:
        assert shown_genuine(vector), vector.name
        w = ready(vector)
        before = standing(w)
        w.send(topic_of(w, vector.type), vector.data)
        w.advance(10)  # what a newer root might cure is held for a while first
        if not vector.data:  # an empty message only clears what a broker retains
            assert w.refusals() == []
            continue
        about = ADVISORY if vector.type == "notice" else vector.type
        assert w.refusals() == [(about, vector.reason)], vector.name
        digest = hashlib.sha256(vector.data[:100_001]).digest()
        assert [entry.digest for entry in w.entries()][-1] == digest, vector.name
        assert standing(w) == before, vector.name


@pytest.mark.parametrize("name", BY_DESIGN)
def test_what_a_device_takes_all_the_same_does_not_move_it_back(name: str) -> None:
    vector = next(row for row in vectors() if row.name == name)
    w = ready(vector)
    floors = w.agent.trusted.dump()
    w.send(topic_of(w, vector.type), vector.data)
    w.advance(10)
    assert (w.agent.trusted.dump() == floors) is (vector.type == "answer")
    assert not w.shows
    assert w.agent.trusted.root.version == (2 if vector.type == "root" else 1)
    assert vector.reason in {Reason.EXPIRED, Reason.REPLAYED, Reason.EQUIVOCATION}


def test_the_genuine_messages_are_told_from_the_attacks() -> None:
    """The check above can fail: a device that took nothing at all would not pass it."""
    assert {vector.type for rows in ROWS.values() for vector in rows} == set(TYPES)
    for type_ in TYPES:
        vector = next(row for rows in ROWS.values() for row in rows if row.type == type_)
        assert is_taken(type_, vector.state, vector.genuine, AT, vector)
        assert not is_taken(type_, vector.state, vector.data, AT, vector)
