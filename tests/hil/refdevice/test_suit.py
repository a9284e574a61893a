"""SUIT envelopes: what the C device opens, and why it refuses, beside ``advisories.suit.open_envelope``."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest

from keys import cose
from keys.algorithms import Algorithm
from keys.cbor import encode
from keys.reasons import Reason
from keys.root import DEFAULT_POLICY, Root, RootKey
from tests.advisories.suit_case import built, members, seal, with_blocks
from tests.helpers import key, make_root, policy, root_keys

from .build import Core
from .patch_of_c import open_suit
from .suit_of_c import FLEET, GOOD, RELEASE, SECURITY, SIGNERS, STATED, block, rooted, same, signed

# Signatures and policy.

STRANGE = block(key("eve"), protected={1: -19, 2: [99], 4: b"eve", 99: 1})
NAME = FLEET.signer("security").public.thumbprint
ENVELOPES: dict[str, tuple[bytes, Reason]] = {
    "right": (GOOD, Reason.OK),
    "the other order": (with_blocks(GOOD, SECURITY, RELEASE), Reason.OK),
    "one of them": (with_blocks(GOOD, RELEASE), Reason.THRESHOLD_NOT_MET),
    "one of them twice": (with_blocks(GOOD, RELEASE, RELEASE), Reason.THRESHOLD_NOT_MET),
    "other roles": (signed(built(), *FLEET.signers("legal", "communications")), Reason.THRESHOLD_NOT_MET),
    "nobody": (built(), Reason.UNKNOWN_KEY),
    "strangers": (signed(built(), key("eve-1"), key("eve-2")), Reason.UNKNOWN_KEY),
    "a stranger beside": (signed(GOOD, key("eve")), Reason.OK),
    "no key id": (
        with_blocks(GOOD, RELEASE, block(SIGNERS[1], protected={1: -19})),
        Reason.THRESHOLD_NOT_MET,
    ),
    "a key id outside": (
        with_blocks(GOOD, RELEASE, block(SIGNERS[1], protected={1: -19}, unprotected={4: NAME})),
        Reason.THRESHOLD_NOT_MET,
    ),
    "another digest signed": (
        with_blocks(GOOD, RELEASE, block(SIGNERS[1], over=encode([-16, bytes(32)]))),
        Reason.BAD_SIGNATURE,
    ),
    "another key's": (
        with_blocks(GOOD, RELEASE, block(key("eve"), protected={1: -19, 4: NAME})),
        Reason.BAD_SIGNATURE,
    ),
    "a wrong one behind enough": (
        with_blocks(GOOD, RELEASE, SECURITY, block(key("eve"), protected={1: -19, 4: NAME})),
        Reason.BAD_SIGNATURE,
    ),
    "the label of P-256": (
        with_blocks(GOOD, RELEASE, block(SIGNERS[1], protected={1: -9, 4: NAME})),
        Reason.ALGORITHM_MISMATCH,
    ),
    "no label": (
        with_blocks(GOOD, RELEASE, block(SIGNERS[1], protected={4: NAME})),
        Reason.ALGORITHM_MISMATCH,
    ),
    "the payload attached": (with_blocks(GOOD, RELEASE, block(SIGNERS[1], payload=STATED)), Reason.MALFORMED),
    "something unprotected": (
        with_blocks(GOOD, RELEASE, block(SIGNERS[1], unprotected={1: -19})),
        Reason.MALFORMED,
    ),
    "a critical header": (with_blocks(GOOD, RELEASE, SECURITY, STRANGE), Reason.UNSUPPORTED),
    "a document's signature": (
        with_blocks(GOOD, cose.sign(STATED, SIGNERS, typ="tocsin/patch")),
        Reason.UNKNOWN_KEY,
    ),
    "a MAC beside": (
        with_blocks(GOOD, encode(cbor2.CBORTag(17, [b"", {}, None, b""])), RELEASE, SECURITY),
        Reason.OK,
    ),
    "a block without a tag": (with_blocks(GOOD, b"\x01", RELEASE, SECURITY), Reason.MALFORMED),
    "an empty block": (with_blocks(GOOD, b"", RELEASE, SECURITY), Reason.MALFORMED),
    "seventeen blocks": (with_blocks(GOOD, *([b"\x01"] * 17)), Reason.MALFORMED),
    "another manifest": (seal({**members(GOOD), 3: members(built(8))[3]}), Reason.DIGEST_MISMATCH),
    "another manifest, unsigned": (seal({**members(built()), 3: b"\xff"}), Reason.UNKNOWN_KEY),
    "another text": (seal({**members(GOOD), 23: encode({"en": {2: "No."}})}), Reason.DIGEST_MISMATCH),
    "no text": (seal({k: v for k, v in members(GOOD).items() if k != 23}), Reason.OK),
    "no manifest": (seal({k: v for k, v in members(GOOD).items() if k != 3}), Reason.MALFORMED),
    "no wrapper": (seal({k: v for k, v in members(GOOD).items() if k != 2}), Reason.MALFORMED),
    "a member in no table": (seal({**members(GOOD), 9: b""}), Reason.UNSUPPORTED),
    "a strange member": (seal({**members(GOOD), -1: b""}), Reason.UNSUPPORTED),
    "something severed that nobody named": (seal({**members(GOOD), 20: b"\x80"}), Reason.MALFORMED),
    "another digest algorithm": (
        seal({**members(GOOD), 2: encode([encode([-43, bytes(32)]), RELEASE, SECURITY])}),
        Reason.UNSUPPORTED,
    ),
    "a short digest": (
        seal({**members(GOOD), 2: encode([encode([-16, bytes(31)]), RELEASE, SECURITY])}),
        Reason.MALFORMED,
    ),
    "another tag": (encode(cbor2.CBORTag(98, members(GOOD))), Reason.MALFORMED),
    "nothing": (b"", Reason.MALFORMED),
    "a byte more": (GOOD + b"\0", Reason.MALFORMED),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_envelope_is_opened_or_refused_for_the_same_reason(core: Core, name: str) -> None:
    data, reason = ENVELOPES[name]
    if name == "something severed that nobody named":  # only the text may come beside a manifest here
        assert same(rooted(core), data, narrow=True) in {reason, Reason.UNSUPPORTED}
    else:
        assert same(rooted(core), data) is reason


@pytest.mark.parametrize(
    ("rows", "signers", "reason"),
    [
        ({"patch": None}, ("release", "security"), Reason.NO_POLICY_ROW),
        ({"patch": {"release": 2, "security": 1}}, ("release", "security"), Reason.THRESHOLD_NOT_MET),
        ({"patch": {"security": 1}}, ("security",), Reason.OK),
    ],
)
def test_the_roots_row_decides(core: Core, rows: Any, signers: tuple[str, ...], reason: Reason) -> None:
    table = {name: row for name, row in {**DEFAULT_POLICY, **rows}.items() if row is not None}
    second = RootKey(key=key("release-9").public, roles=("release",), holder="release-9")
    body = make_root(policy=policy(table), keys=(*root_keys(), second))
    document = root_document(body)
    assert same(rooted(core, document), signed(built(), *FLEET.signers(*signers)), body) is reason


def root_document(body: Root) -> bytes:
    return FLEET.seal(body, "root", "root")


def test_a_key_of_another_algorithm_is_known_and_not_checked(core: Core) -> None:
    other = RootKey(key=key("p", Algorithm.ESP256).public, roles=("security",), holder="p")
    body = make_root(keys=(*root_keys(), other))
    rooted(core, root_document(body))
    curve = key("p", Algorithm.ESP256)
    assert same(core, signed(built(), SIGNERS[0], curve), body) is Reason.UNSUPPORTED
    assert same(core, signed(built(), curve), body) is Reason.UNSUPPORTED
    assert same(core, signed(GOOD, curve), body) is Reason.OK


def test_every_bit_is_signed(core: Core) -> None:
    """Every flip of a bit of a few envelopes means the same in both languages."""
    rooted(core)
    for at in range(0, len(GOOD), 3):
        damaged = bytearray(GOOD)
        damaged[at] ^= 1 << at % 8
        assert same(core, bytes(damaged), narrow=True) is not Reason.OK


def test_an_envelope_cut_anywhere_is_malformed(core: Core) -> None:
    rooted(core)
    for size in range(0, len(GOOD), 7):
        assert same(core, GOOD[:size]) is Reason.MALFORMED


def test_an_envelope_of_so_many_bytes_is_too_big(core: Core) -> None:
    rooted(core)
    most = core.constants["TN_PATCH_BYTES_MAX"]
    room = most - len(signed(built(texts={"en": "x" * 300}))) + 300
    for size, reason in ((room, Reason.OK), (room + 1, Reason.TOO_BIG)):
        data = signed(built(texts={"en": "x" * size}))
        assert (len(data) <= most) is (reason is Reason.OK)
        assert open_suit(core, data)[0] is reason
