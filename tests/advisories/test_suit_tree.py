from __future__ import annotations

import contextlib
import hashlib
import uuid

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories import suit
from advisories.suit import readable
from advisories.suit.tree import BRANCHES_MAX, escape, lines, tree
from keys.cbor import encode
from keys.errors import RefusedError
from keys.reasons import Reason
from tests.advisories.suit_case import (
    CLASS,
    IMAGE,
    VECTORS,
    VENDOR,
    built,
    craft,
    identity,
    members,
    needs_vectors,
    refused,
    seal,
    signed,
    with_blocks,
)
from tests.helpers import make_fleet

FLEET = make_fleet()


def shown(data, names=None):
    return "\n".join(lines(tree(data, names)))


def marked(data):
    """What stands in the tree of an envelope as refused, without the verdict on the whole."""
    found, ahead = {}, list(tree(data).children[1:])
    while ahead:
        branch = ahead.pop()
        ahead += branch.children
        if branch.refused:
            found[branch.name] = branch.refused
    return found


def test_a_tree_names_the_signers_the_identity_the_image_and_the_words():
    names = {FLEET.signer("release").public.thumbprint: "release-1, role release", VENDOR: "example.com"}
    text = shown(signed(FLEET), names)
    for signer in FLEET.signers("release", "security"):
        assert f"COSE_Sign1 ED25519, key {signer.public.thumbprint.hex()}" in text
    for words in (
        "our devices can carry it out, once it is signed as their root asks; sequence 7",
        "(release-1, role release)",
        "(fits the manifest)",
        "sequence-number 7",
        f"vendor-id {uuid.UUID(bytes=VENDOR)} (example.com)",
        f"class-id {uuid.UUID(bytes=CLASS)}\n",
        f"image-digest sha-256 {hashlib.sha256(IMAGE).hexdigest()}",
        f"image-size {len(IMAGE)} bytes",
        "uri tocsin:image",
        "component-version 1.4.2+7",
        "update-description Closes a hole in pairing.",
        "image-match (reports success and failure)",
        "fetch (reports failure)",
    ):
        assert words in text
    assert marked(signed(FLEET)) == {}


@needs_vectors
@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.suit")), ids=lambda path: path.stem)
def test_the_drafts_examples_are_shown(path):
    data = path.read_bytes()
    text = shown(data)
    assert "(fits the manifest)" in text
    assert "cannot be read" not in text
    assert ("COSE_Sign1 ES256, no key identifier" in text) == ("_signed" in path.stem)
    assert ("nobody signed it" in text) == ("_unsigned" in path.stem)
    assert marked(data) == {}


@needs_vectors
def test_alternatives_components_and_severed_members_of_the_drafts_examples_are_shown():
    text = shown((VECTORS / "example3_signed.suit").read_bytes())
    assert text.index("try-each") < text.index("alternative 1") < text.index("component-slot 0")
    assert text.index("component-slot 0") < text.index("alternative 2") < text.index("component-slot 1")
    text = shown((VECTORS / "example4_signed.suit").read_bytes())
    assert "component 1 02" in text
    assert "source-component 1 (02)" in text
    assert "set-component-index 2 (01)" in text
    text = shown((VECTORS / "example2_signed.suit").read_bytes())
    assert "install cut, only its digest is here: sha-256 cfa90c5c" in text
    assert "523 bytes, severed" in shown((VECTORS / "example2_signed_full.suit").read_bytes())


def plan(**more):
    new, older = hashlib.sha256(IMAGE).digest(), bytes(32)
    delta = suit.Delta(suit.File(b"d" * 32, 99, "artefact/delta"), older, 1000)
    fields = {
        "sequence": 7, "vendor_id": VENDOR, "class_id": CLASS, "use_before": 1_800_000_000,
        "payloads": (suit.Payload((suit.File(new, len(IMAGE), "artefact/new"),), version=(1, 4, 2, 0), deltas=(delta,)),),
        "running": ((1, 0, 0, 0), (1, 4, 2, 0)), "set_version": (1, 4, 2, 0), "devices": (b"u" * 16,),
        "reference_uri": "https://example.com/patch", "descriptions": {"en": "About."}, **more,
    }  # fmt: skip
    return suit.compose(suit.PatchPlan(**fields))


def test_parameters_are_readable():
    text = shown(plan(), {b"u" * 16: "device d-1"})
    for words in (
        "use-before 2027-01-15 08:00:00 UTC",
        "version >= 1.0.0",
        "version < 1.4.2",
        "set-version 1.4.2",
        f"fetch-args a delta (detools) of 99 bytes, sha-256 {(b'd' * 32).hex()}, from the base sha-256 {'00' * 32}",
        "fetch-args none",
        f"device-id {uuid.UUID(bytes=b'u' * 16)} (device d-1)",
        "reference-uri https://example.com/patch",
        "manifest-description About.",
    ):
        assert words in text
    assert "refused" not in text


def test_what_our_devices_would_refuse_is_shown_and_marked():
    encryption = encode(
        cbor2.CBORTag(96, [encode({1: 1}), {5: bytes(12)}, None, [[b"", {1: -3, 4: b"kek"}, b"x"]]])
    )
    steps = [
        *identity(), 12, True, 12, [0, 0], 15, [encode([14, 15]), None], 32, encode([22, 2]), 29, {1: 2}, 7, 15,
        77, "what", 19, {19: encryption}, 20, {24: VENDOR, 12: True, 99: 5, 18: b"words", 28: b"\x81\x01", 3: b"\x00"},
    ]  # fmt: skip
    data = craft(
        steps,
        extra={5: [b"part", b"\x07"], 6: b"", 16: [-16, bytes(32)], 14: b"sw", 24: encode([33, 0]), 50: 1},
        common={1: {0: {1: [b"child"]}, 1: {}}, 9: 1},
        severed={"#fw": b"xyz", "#dep": built(), "#bad": b"\xd8\x6b\xff", 40: b"", 14: b"coswid"},
    )
    text = shown(data)
    for words in (
        "our devices refuse it  <- refused: UNSUPPORTED", "set-component-index all of them",
        "set-component-index [0, 0] (00, 00)", "alternative 2 nothing: none of them need fit", "run-sequence",
        "copy (reports failure)", "wait {1: 2}", "set-version h''", "component-id part/07",
        "payload-fetch cut, only its digest is here", "payload #fw, 3 bytes", "strict-order true", "parameter 99 5",
        'content 5 bytes, "words"', "encryption-info COSE_Encrypt, A128GCM, A128KW for key h'6b656b'",
        "payload #dep", "dependency component 0, prefix child", "member 50 1", "member 9 1", "member 40 0 bytes",
        "version h'8101'", 'command 77 "what"', "payload #bad, 3 bytes", "coswid 2 bytes", "coswid 6 bytes",
    ):  # fmt: skip
        assert words in text
    assert text.count("SUIT envelope") == 2
    found = marked(data)
    assert {
        "wait",
        "command 77",
        "set-parameters",
        "encryption-info",
        "parameter 99",
        "dependency",
        "member 50",
    } <= set(found)
    assert {
        "unlink",
        "dependency-integrity",
        "coswid",
        "uninstall",
        "member 40",
        "component-id",
    } <= set(found)
    assert found["command 77"] == "unknown to them"


def test_blocks_of_other_kinds_are_shown_with_algorithm_and_key():
    def protected(headers):
        return encode(headers)

    sign1, mac0, mac, sign = 18, 17, 97, 98
    text = shown(
        with_blocks(
            built(),
            encode(cbor2.CBORTag(mac0, [protected({1: 5}), {4: b"k"}, None, bytes(32)])),
            encode(cbor2.CBORTag(mac, [protected({1: 5}), {}, None, bytes(32), [[b"", {1: -6}, b""]]])),
            encode(cbor2.CBORTag(sign, [b"", {}, None, [[protected({1: -46, 4: b"hss"}), {}, b""]]])),
            encode(cbor2.CBORTag(sign1, [protected({1: -999}), {}, b"here", b""])),
            encode(cbor2.CBORTag(sign1, [b"", {}, None, b""])),
        )
    )
    for words in (
        "COSE_Mac0 HMAC-256, key 6b, passed over by our devices",
        "COSE_Mac HMAC-256, no key identifier, passed over by our devices",
        "recipient direct key, no key identifier",
        "COSE_Sign HSS-LMS, key 687373, passed over by our devices",
        "COSE_Sign1 algorithm -999, no key identifier  <- refused: its payload is attached",
        "COSE_Sign1 no algorithm, no key identifier",
    ):
        assert words in text


def test_what_does_not_fit_is_said_and_hides_nothing_else():
    outer = members(signed(FLEET))
    outer[3] = b"\xff"
    text = shown(seal(outer))
    assert "DOES NOT FIT the manifest" in text
    assert "manifest 1 bytes, cannot be read" in text
    assert "COSE_Sign1 ED25519" in text
    outer = members(built())
    outer[23] = encode({"en": {2: "other words", 9: 1}})
    text = shown(seal(outer))
    assert "<- refused: it is not the one that the manifest names" in text
    assert "update-description other words" in text
    assert "text 9 1" in text
    text = shown(with_blocks(built(), b"\xff", encode(18), b"\xd1\x84\x40\xa0\xf6\x40"))
    assert text.count("cannot be read") == 2
    assert "COSE_Mac0 no algorithm" in text
    outer = members(built())
    outer[2] = encode([encode([-44, bytes(64)])])
    assert "(not compared)  <- refused: they know sha-256 only" in shown(seal(outer))
    assert "authentication missing" in shown(seal({23: b"x"}))
    assert "manifest missing" in shown(seal({2: b""}))


def test_a_manifest_is_shown_as_far_as_it_can_be_read():
    broken = craft(
        sections={7: encode([3]), 20: encode([20, {21: URI_NUMBER}, 15, 3, 12, 9, 20, 7]), 9: b"\xff"}
    )
    text = shown(broken)
    for words in ("validate 2 bytes, cannot be read", "uri 5", "try-each 3", "set-component-index 9 (?)",
                  "override-parameters 7", "invoke 1 bytes, cannot be read"):  # fmt: skip
        assert words in text
    other = craft(extra={1: 2, 3: encode({2: [7]}), 4: 1, 5: 3})
    text = shown(other)
    for words in ("version 2  <- refused: they know version 1", "component 0 7", "reference-uri 1", "id 3"):
        assert words in text


def test_a_huge_tree_is_cut():
    many = encode([3, 15] * (BRANCHES_MAX // 2))
    data = craft(sections={20: many, 7: many, 9: many})
    text = shown(data)
    assert f"cut after {BRANCHES_MAX} lines" in text
    assert len(text.splitlines()) < BRANCHES_MAX + 100


def test_sequences_and_envelopes_inside_each_other_are_shown_to_a_depth():
    nested = encode([14, 15])
    for _ in range(12):
        nested = encode([32, nested])
    assert "nested deeper than is shown" in shown(craft(sections={20: nested}))
    inside = built()
    for _ in range(12):
        inside = craft(severed={"#x": inside})
    assert shown(inside).count("SUIT envelope") == 8


URI_NUMBER = 5


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_an_envelope_with_any_bytes_changed_is_shown_or_refused(data):
    envelope = bytearray(data.draw(st.sampled_from([signed(FLEET), plan()])))
    for at in data.draw(st.lists(st.integers(0, len(envelope) - 1), min_size=1, max_size=4)):
        envelope[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RefusedError):
        assert all(line.isprintable() for line in lines(tree(bytes(envelope))))


ITEMS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.binary(max_size=70) | st.text(max_size=9) | st.floats(),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.integers(0, 40) | st.text(max_size=4), inner, max_size=20),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(ITEMS, st.sampled_from([2, 3, 20, 23, "#x"]))
def test_any_value_anywhere_is_shown(item, key):
    for value in (
        item,
        cbor2.dumps(item),
        cbor2.dumps({2: 1, 3: cbor2.dumps(item), 20: item, 23: item, 7: item}),
    ):
        outer = {**members(built()), key: value}
        assert lines(tree(cbor2.dumps(cbor2.CBORTag(107, outer))))
    assert readable.value(item).isprintable()
    for number in range(31):
        assert readable.parameter(number, item, {}).isprintable()
        assert readable.parameter(number, cbor2.dumps(item), {}).isprintable()


def test_an_envelope_that_cannot_be_taken_apart_is_refused():
    for data in (b"\x00", encode(cbor2.CBORTag(107, [])), b"", b"\xd8\x6b"):
        assert refused(tree, data)[0] is Reason.MALFORMED
    assert refused(tree, bytes(readable.BYTES_MAX + 1))[0] is Reason.TOO_BIG


@given(st.text(max_size=300))
def test_no_text_of_an_envelope_can_steer_the_terminal(text):
    line = escape(text)
    assert line.isprintable()
    assert len(line) <= 200 * 10 + 3


def test_escape_sequences_and_line_ends_are_shown_as_such():
    found = lines(tree(built(texts={"en\x1b[2J": "one\ntwo\x1b]0;x\x07\u202e"})))
    assert all(line.isprintable() for line in found)
    assert "one\\ntwo\\x1b]0;x\\x07\\u202e" in "\n".join(found)
