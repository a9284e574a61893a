"""The trusted root: the C device takes the first one and each step to the next as ``keys.trusted`` does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cbor2 import CBORTag

from advisories.notice import Notice
from keys import cose
from keys.algorithms import Algorithm
from keys.cbor import encode
from keys.codec import dump
from keys.document import seal
from keys.reasons import Reason
from keys.root import PolicyRow, RootKey
from tests.helpers import (
    NOW,
    PRODUCT,
    key,
    make_root,
    notice,
    policy,
)

from .build import Core
from .papers import (
    ADVISORY,
    FLEET,
    ROOT_ROLE,
    enrolled,
    root_signed,
    with_unprotected,
    without,
)
from .trust_of_c import Trust, Twin, unsigned


@pytest.fixture
def twin(core: Core) -> Twin:
    """Both have just begun to trust the same fleet."""
    return enrolled(core)


# Root 1


def root_1(**changes: Any) -> bytes:
    return root_signed(make_root(**changes))


FIRST_ROOTS: dict[str, tuple[bytes, Reason]] = {
    "right": (FLEET.root_document, Reason.OK),
    "over already": (root_1(issued=0, expires=1), Reason.OK),
    "nothing": (b"", Reason.MALFORMED),
    "cut off": (FLEET.root_document[:-1], Reason.MALFORMED),
    "one byte more": (FLEET.root_document + b"\0", Reason.MALFORMED),
    "detached": (encode(CBORTag(98, [b"", {}, None, [[b"", {}, b""]]])), Reason.MALFORMED),
    "version 2": (root_signed(FLEET.next_root()), Reason.ROOT_GAP),
    "impossible and version 2": (root_1(version=2, expires=None), Reason.ROOT_GAP),
    "impossible": (root_1(expires=None), Reason.BAD_ROOT),
    "impossible and unsigned": (unsigned(dump(make_root(expires=None))), Reason.BAD_ROOT),
    "with a fleet": (root_1(fleet=bytes(32)), Reason.BAD_ROOT),
    "unsigned": (unsigned(dump(make_root())), Reason.UNKNOWN_KEY),
    "signed once": (root_signed(make_root(), "root-1"), Reason.THRESHOLD_NOT_MET),
    "signed twice by one": (root_signed(make_root(), "root-1", "root-1"), Reason.THRESHOLD_NOT_MET),
    "signed by others": (root_signed(make_root(), "legal-1", "legal-2"), Reason.THRESHOLD_NOT_MET),
    "of another typ": (
        cose.sign(dump(make_root()), [key(n) for n in ROOT_ROLE], typ="tocsin/notice"),
        Reason.WRONG_TYPE,
    ),
    "of another type": (root_1(type="notice"), Reason.WRONG_TYPE),
    "unprotected": (with_unprotected(FLEET.root_document), Reason.MALFORMED),
    "unprotected, version 2": (with_unprotected(root_signed(FLEET.next_root())), Reason.ROOT_GAP),
    "unprotected, impossible": (with_unprotected(root_1(expires=None)), Reason.BAD_ROOT),
}


@pytest.mark.parametrize("name", FIRST_ROOTS)
def test_a_root_1_is_taken_or_refused_for_the_same_reason(core: Core, name: str) -> None:
    document, reason = FIRST_ROOTS[name]
    twin = Twin(core)
    assert twin.enrol(document) is reason
    if reason is not Reason.OK:
        assert twin.c.root.key_count == 0
        assert twin.c.stored.root_length == 0


def test_a_root_1_must_be_the_pinned_one_before_anything_else_is_asked(core: Core) -> None:
    twin = Twin(core)
    assert twin.enrol(FLEET.root_document, bytes(32)) is Reason.WRONG_FLEET
    assert twin.enrol(root_signed(FLEET.next_root()), FLEET.id) is Reason.WRONG_FLEET
    assert twin.enrol(FLEET.root_document[:-1], FLEET.id) is Reason.MALFORMED
    assert twin.enrol(FLEET.root_document, FLEET.id) is Reason.OK


def test_a_root_that_lies_in_its_place_is_not_written_again(core: Core) -> None:
    c = Trust(core)
    source = c.put(FLEET.root_document, "TN_AT_ROOTS")
    assert core.lib.tn_trust_enrol(source, FLEET.id) == 0
    assert core.lib.tn_store_writes() == 0
    assert c.root.key_count == len(FLEET.root.keys)
    assert c.floor("notice", ADVISORY) is None


def test_a_root_larger_than_this_device_keeps_is_too_big(core: Core) -> None:
    most = core.constants["TN_ROOT_BYTES_MAX"]
    c = Trust(core)
    room = most - len(FLEET.root_document)
    for more, reason in ((room - 1, Reason.OK), (room, Reason.OK), (room + 1, Reason.TOO_BIG)):
        longer = padded(more)
        assert len(longer) == len(FLEET.root_document) + more
        assert c.enrol(longer) is reason
    assert c.root.version == 1


def padded(more: int) -> bytes:
    """Root 1 with as many bytes more, in rows of their own."""
    spread = [0] * 8
    while True:
        rows = [
            PolicyRow(type=f"t{n}".ljust(30, "x"), demands={"operator": 1}, product="p" * (30 + room))
            for n, room in enumerate(spread)
        ]
        document = root_1(policy=(*policy(), *rows[:-1]))
        rest = len(FLEET.root_document) + more - len(document)
        if rest <= 0:
            return document
        spread[next(n for n, room in enumerate(spread) if room < 34)] += min(rest, 34)


def test_a_device_without_a_root_believes_nobody(core: Core) -> None:
    c = Trust(core)
    document = FLEET.seal(notice(FLEET))
    assert c.accept(document, c.expected(Notice, subject=PRODUCT), ADVISORY) is Reason.UNKNOWN_KEY
    assert c.update(FLEET.root_document) is not Reason.OK
    assert (c.root.version, c.root.key_count) == (0, 0)


# The next root

NEW = RootKey(key=key("root-4").public, roles=("root",), holder="root-4")
PQ = RootKey(key=key("pq", Algorithm.ESP256).public, roles=("root",), holder="root-5")

NEXT_ROOTS: dict[str, tuple[bytes, Reason]] = {
    "right": (root_signed(FLEET.next_root()), Reason.OK),
    "over already": (root_signed(FLEET.next_root(issued=0, expires=1)), Reason.OK),
    "the same again": (FLEET.root_document, Reason.OK),
    "the same by nobody": (unsigned(dump(FLEET.root)), Reason.OK),
    "the same under another typ": (unsigned(dump(FLEET.root), "notice"), Reason.OK),
    "the same, unprotected": (with_unprotected(FLEET.root_document), Reason.OK),
    "another root 1": (root_1(issued=NOW + 1), Reason.REPLAYED),
    "version 0": (root_1(version=0), Reason.REPLAYED),
    "version 3": (root_signed(FLEET.next_root(version=3)), Reason.ROOT_GAP),
    "version 3 by nobody": (unsigned(dump(FLEET.next_root(version=3))), Reason.ROOT_GAP),
    "by nobody": (unsigned(dump(FLEET.next_root())), Reason.UNKNOWN_KEY),
    "by one": (root_signed(FLEET.next_root(), "root-3"), Reason.THRESHOLD_NOT_MET),
    "impossible, by one": (root_signed(FLEET.next_root(expires=None), "root-3"), Reason.THRESHOLD_NOT_MET),
    "impossible": (root_signed(FLEET.next_root(expires=None)), Reason.BAD_ROOT),
    "of another fleet": (root_signed(FLEET.next_root(fleet=bytes(32))), Reason.WRONG_FLEET),
    "about a product": (root_signed(FLEET.next_root(subject=(PRODUCT,))), Reason.BAD_ROOT),
    "of another type": (root_signed(FLEET.next_root(type="notice")), Reason.WRONG_TYPE),
    "unprotected": (with_unprotected(root_signed(FLEET.next_root())), Reason.MALFORMED),
    "unprotected, version 3": (with_unprotected(root_signed(FLEET.next_root(version=3))), Reason.ROOT_GAP),
    "new keys, by old ones only": (
        root_signed(FLEET.next_root(keys=(*without("root-1", "root-2"), NEW, replace(NEW, key=key("x").public, holder="x")))),
        Reason.UNKNOWN_KEY,
    ),
    "new keys, by one of them": (
        root_signed(FLEET.next_root(keys=(*without("root-1"), NEW)), "root-1", "root-2"),
        Reason.THRESHOLD_NOT_MET,
    ),
    "new keys, by both": (root_signed(FLEET.next_root(keys=(*without("root-1"), NEW)), "root-1", "root-2", "root-4"), Reason.OK),
    "new keys of another kind": (
        seal(FLEET.next_root(keys=(*without("root-1"), PQ)), [*map(key, ROOT_ROLE), key("pq", Algorithm.ESP256)]),
        Reason.UNSUPPORTED,
    ),
    "by old ones of another kind": (
        seal(FLEET.next_root(), [key("root-1"), key("pq", Algorithm.ESP256)]),
        Reason.THRESHOLD_NOT_MET,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NEXT_ROOTS)
def test_a_next_root_is_taken_or_refused_for_the_same_reason(twin: Twin, name: str) -> None:
    document, reason = NEXT_ROOTS[name]
    before = twin.core.lib.tn_store_writes()
    assert twin.update(document) is reason
    taken = twin.python.root.version != 1
    assert (twin.c.stored.root_page, twin.core.lib.tn_store_writes() > before) == (int(taken), taken)


def test_roots_are_walked_one_by_one_between_two_areas(twin: Twin) -> None:
    documents = [root_signed(FLEET.next_root(version=n, issued=NOW + n)) for n in range(2, 7)]
    assert twin.update(documents[1]) is Reason.ROOT_GAP
    for n, document in enumerate(documents):
        assert twin.update(document) is Reason.OK
        assert twin.c.stored.root_page == n % 2 + 1
        assert twin.update(document) is Reason.OK
        assert twin.update(documents[0]) is (Reason.REPLAYED if n else Reason.OK)
    lengths = len(FLEET.root_document)
    assert twin.core.flash(twin.core.constants["TN_AT_ROOTS"], lengths) == FLEET.root_document
