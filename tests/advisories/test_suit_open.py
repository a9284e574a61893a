from __future__ import annotations

from dataclasses import replace

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories import suit
from keys import cose
from keys.algorithms import Algorithm
from keys.cbor import encode
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import RootKey, checked
from tests.advisories.suit_case import blocks, built, craft, members, refused, seal, signed, with_blocks
from tests.helpers import DEFAULT_POLICY, PRODUCT, key, make_fleet, make_root, policy, root_keys

FLEET = make_fleet()
GOOD = signed(FLEET)
RELEASE, SECURITY = blocks(GOOD)
STATED = suit.decode(GOOD).signed_bytes


def opened(data, root=FLEET.root, product=PRODUCT):
    return suit.open_envelope(data, root, product=product)


def block(signer, *, protected=None, unprotected=None, payload=None, over=STATED, aad=b""):
    """A block with every part to choose."""
    if protected is None:
        protected = {1: signer.public.algorithm.value, 4: signer.public.thumbprint}
    header = encode(protected)
    value = signer.sign(encode(["Signature1", header, aad, over]))
    return encode(cbor2.CBORTag(18, [header, unprotected or {}, payload, value]))


def test_a_patch_signed_by_release_and_security_is_opened():
    patch = opened(GOOD)
    assert patch.digest == suit.manifest_digest(GOOD)
    assert set(patch.signed) == {s.public.thumbprint for s in FLEET.signers("release", "security")}


def test_the_order_of_signatures_does_not_matter():
    assert opened(with_blocks(GOOD, SECURITY, RELEASE)).digest == opened(GOOD).digest


@pytest.mark.parametrize(
    ("roles", "reason", "detail"),
    [
        (("release",), Reason.THRESHOLD_NOT_MET, "no signature for security"),
        (("security",), Reason.THRESHOLD_NOT_MET, "no signature for release"),
        (("legal", "communications"), Reason.THRESHOLD_NOT_MET, "no signature for release, security"),
        (("root", "gateway", "operator"), Reason.THRESHOLD_NOT_MET, "no signature for release, security"),
    ],
)
def test_other_roles_do_not_make_a_patch(roles, reason, detail):
    assert refused(opened, signed(FLEET, *roles)) == (reason, detail)


def test_nobodys_signature_and_foreign_signatures_do_not_make_a_patch():
    assert refused(opened, built())[0] is Reason.UNKNOWN_KEY
    foreign = suit.authenticate(suit.authenticate(built(), key("eve-1")), key("eve-2"))
    assert refused(opened, foreign)[0] is Reason.UNKNOWN_KEY


def test_a_foreign_block_beside_the_right_ones_is_passed_over():
    assert opened(suit.authenticate(GOOD, key("eve"))).digest == opened(GOOD).digest


@pytest.mark.parametrize("tag", [17, 97, 98])
def test_blocks_of_other_kinds_are_passed_over(tag):
    other = encode(cbor2.CBORTag(tag, [b"", {}, None, b""]))
    assert opened(with_blocks(GOOD, other, RELEASE, SECURITY)).digest == opened(GOOD).digest


def test_a_block_without_key_id_is_passed_over():
    nameless = block(FLEET.signer("security"), protected={1: -19})
    assert refused(opened, with_blocks(GOOD, RELEASE, nameless))[0] is Reason.THRESHOLD_NOT_MET


def test_a_block_that_names_its_key_only_outside_the_signature_is_passed_over():
    security = FLEET.signer("security")
    loose = block(security, protected={1: -19}, unprotected={4: security.public.thumbprint})
    assert refused(opened, with_blocks(GOOD, RELEASE, loose))[0] is Reason.THRESHOLD_NOT_MET


def test_the_same_block_twice_counts_once():
    assert refused(opened, with_blocks(GOOD, RELEASE, RELEASE))[0] is Reason.THRESHOLD_NOT_MET
    assert len(opened(with_blocks(GOOD, RELEASE, SECURITY, RELEASE)).signed) == 2


def test_two_holders_are_needed_for_a_threshold_of_two():
    holders = {
        **dict.fromkeys(("root",), ("root-1", "root-2", "root-3")),
        "release": ("a", "b"),
        "security": ("c",),
    }
    rows = {"root": {"root": 2}, "patch": {"release": 2, "security": 1}}
    root = checked(make_root(keys=root_keys(holders), policy=policy(rows)))
    twice = suit.authenticate(suit.authenticate(built(), key("a")), key("c"))
    assert (
        refused(opened, with_blocks(twice, *blocks(twice), blocks(twice)[0]), root)[0]
        is Reason.THRESHOLD_NOT_MET
    )
    assert opened(suit.authenticate(twice, key("b")), root).sequence == 7


def test_one_holder_cannot_be_both_roles():
    both = RootKey(key=key("mallory").public, roles=("release", "security"), holder="mallory")
    second = RootKey(key=key("mallory-2").public, roles=("release", "security"), holder="mallory")
    root = checked(make_root(keys=(*root_keys(), both, second)))
    data = suit.authenticate(suit.authenticate(built(), key("mallory")), key("mallory-2"))
    assert refused(opened, data, root)[0] is Reason.THRESHOLD_NOT_MET
    assert opened(suit.authenticate(data, FLEET.signer("security")), root).sequence == 7
    drill = replace(root, exercise=True)
    assert opened(data, drill).sequence == 7


def test_a_products_own_row_wins_and_a_missing_row_refuses():
    strict = policy({**DEFAULT_POLICY})
    own = replace(next(row for row in strict if row.type == "patch"), product="pump", demands={"legal": 1})
    root = checked(make_root(policy=(*strict, own)))
    assert refused(opened, GOOD, root, "pump")[0] is Reason.THRESHOLD_NOT_MET
    assert opened(GOOD, root).sequence == 7
    none = checked(make_root(policy=tuple(row for row in strict if row.type != "patch")))
    assert refused(opened, GOOD, none)[0] is Reason.NO_POLICY_ROW


WRONG = {
    "a signature over another digest": (
        block(FLEET.signer("security"), over=encode([-16, bytes(32)])),
        Reason.BAD_SIGNATURE,
    ),
    "a signature with external data": (block(FLEET.signer("security"), aad=b"x"), Reason.BAD_SIGNATURE),
    "another key's signature under this key's name": (
        block(key("eve"), protected={1: -19, 4: FLEET.signer("security").public.thumbprint}),
        Reason.BAD_SIGNATURE,
    ),
    "the label of another algorithm": (
        block(FLEET.signer("security"), protected={1: -9, 4: FLEET.signer("security").public.thumbprint}),
        Reason.ALGORITHM_MISMATCH,
    ),
    "the deprecated label": (
        block(FLEET.signer("security"), protected={1: -8, 4: FLEET.signer("security").public.thumbprint}),
        Reason.ALGORITHM_MISMATCH,
    ),
    "no label": (
        block(FLEET.signer("security"), protected={4: FLEET.signer("security").public.thumbprint}),
        Reason.ALGORITHM_MISMATCH,
    ),
    "the payload attached": (block(FLEET.signer("security"), payload=STATED), Reason.MALFORMED),
    "an unprotected header": (block(FLEET.signer("security"), unprotected={1: -19}), Reason.MALFORMED),
    "a critical header that we do not know": (
        block(
            FLEET.signer("security"),
            protected={1: -19, 2: [99], 4: FLEET.signer("security").public.thumbprint, 99: 1},
        ),
        Reason.UNSUPPORTED,
    ),
}


@pytest.mark.parametrize(("wrong", "reason"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_block_by_a_known_key_refuses_the_patch(wrong, reason):
    assert refused(opened, with_blocks(GOOD, RELEASE, wrong))[0] is reason
    assert refused(opened, with_blocks(GOOD, RELEASE, SECURITY, wrong))[0] is reason


def test_p256_keys_sign_patches_too():
    fleet = make_fleet(algorithm=Algorithm.ESP256)
    assert opened(signed(fleet), fleet.root).sequence == 7
    thumbprint = fleet.signer("security").public.thumbprint
    old = block(fleet.signer("security"), protected={1: -7, 4: thumbprint})
    data = with_blocks(signed(fleet), blocks(signed(fleet))[0], old)
    assert refused(opened, data, fleet.root)[0] is Reason.ALGORITHM_MISMATCH
    envelope = suit.decode(data)
    assert suit.verify_blocks(envelope, [fleet.signer("security").public], deprecated=True) == (thumbprint,)


def test_a_document_signature_does_not_serve_as_a_block():
    document = cose.sign(STATED, FLEET.signers("release", "security"), typ="tocsin/patch")
    assert refused(opened, with_blocks(GOOD, document))[0] is Reason.UNKNOWN_KEY


def test_the_signature_is_judged_before_the_manifest_is_read():
    outer = members(GOOD)
    outer[3] = b"\xff not CBOR at all"
    assert refused(opened, seal(outer))[0] is Reason.DIGEST_MISMATCH
    outer = members(built())
    outer[3] = b"\xff not CBOR at all"
    assert refused(opened, seal(outer))[0] is Reason.UNKNOWN_KEY


def test_another_manifest_under_the_same_signatures_is_refused():
    outer = members(GOOD)
    outer[3] = members(built(8))[3]
    assert refused(opened, seal(outer))[0] is Reason.DIGEST_MISMATCH


def test_a_changed_text_is_refused():
    outer = members(GOOD)
    outer[23] = encode({"en": {2: "Install this instead."}})
    assert refused(opened, seal(outer)) == (Reason.DIGEST_MISMATCH, "the severed text")


def test_one_flipped_bit_anywhere_is_refused():
    for at in range(len(GOOD)):
        for bit in range(8):
            damaged = bytearray(GOOD)
            damaged[at] ^= 1 << bit
            with pytest.raises(RefusedError):
                opened(bytes(damaged))


def test_an_envelope_cut_at_any_length_is_refused():
    for size in range(len(GOOD)):
        assert refused(opened, GOOD[:size])[0] is Reason.MALFORMED


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8))
def test_overwritten_bytes_are_refused(at, other):
    damaged = (GOOD[:at] + other + GOOD[at + len(other) :])[: len(GOOD)]
    if damaged != GOOD:
        with pytest.raises(RefusedError):
            opened(damaged)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_without_another_error(data):
    outer = members(GOOD)
    for candidate in (data, seal({**outer, 2: data}), seal({**outer, 3: data}), with_blocks(GOOD, data)):
        with pytest.raises(RefusedError):
            opened(candidate)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-300, 300) | st.binary(max_size=20) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(0, 30) | st.text(max_size=3), inner, max_size=4)
        | st.lists(inner, max_size=6).map(encode)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([3, 4, 7, 16, 20, 23]), VALUES, max_size=3), VALUES)
def test_any_signed_nonsense_is_opened_or_refused_without_another_error(extra, shared):
    sequence = list(shared) if isinstance(shared, list) else [20, shared]
    crafted = craft(sequence, extra=extra)
    stated = suit.decode(crafted).signed_bytes
    data = with_blocks(crafted, *(block(s, over=stated) for s in FLEET.signers("release", "security")))
    try:
        patch = opened(data)
    except RefusedError:
        return
    assert patch.digest == suit.manifest_digest(data)


def test_a_block_with_a_critical_header_by_an_unknown_key_also_refuses():
    # The structure is read before the key is looked up; only well-formed blocks are passed over.
    strange = block(key("eve"), protected={1: -19, 2: [99], 4: b"eve", 99: 1})
    assert refused(opened, with_blocks(GOOD, RELEASE, SECURITY, strange))[0] is Reason.UNSUPPORTED


@pytest.mark.parametrize(
    ("floor", "sequence", "digest", "reason"),
    [
        (None, 0, b"a", None),
        ((7, b"a"), 8, b"b", None),
        ((7, b"a"), 7, b"a", None),
        ((7, b"a"), 7, b"b", Reason.EQUIVOCATION),
        ((7, b"a"), 6, b"a", Reason.DOWNGRADE_REFUSED),
        ((7, b"a"), 0, b"b", Reason.DOWNGRADE_REFUSED),
    ],
)
def test_the_sequence_number_never_goes_back_and_never_means_two_things(floor, sequence, digest, reason):
    if reason is None:
        suit.judge_sequence(floor, sequence, digest)
    else:
        assert refused(suit.judge_sequence, floor, sequence, digest)[0] is reason
