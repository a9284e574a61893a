from __future__ import annotations

import hashlib

import cbor2
import pytest

from advisories import limits, mcuboot, suit
from advisories.suit import numbers
from advisories.suit.envelope import digest_of
from keys import cose
from keys.cbor import encode
from keys.errors import InputError, RefusedError
from keys.limits import SIGNATURES_MAX, VERSION_MAX
from keys.reasons import Reason
from tests.advisories.suit_case import (
    CLASS,
    IMAGE,
    URI,
    VECTORS,
    VENDOR,
    VERSION,
    blocks,
    built,
    craft,
    members,
    needs_vectors,
    refused,
    seal,
    signed,
    vector_key,
    with_blocks,
)
from tests.helpers import key, make_fleet

EXAMPLES = sorted(VECTORS.glob("*.suit")) or [VECTORS / "example0_signed.suit"]
FLEET = make_fleet()


@needs_vectors
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_drafts_examples_are_read_and_written_byte_for_byte(path):
    data = path.read_bytes()
    envelope = suit.decode(data)
    assert suit.encode(envelope) == data
    assert suit.manifest_digest(data) == digest_of(envelope.manifest)
    assert suit.parse(envelope).sequence == int(path.stem.removeprefix("example")[0])


@needs_vectors
@pytest.mark.parametrize("path", [p for p in EXAMPLES if "_signed" in p.stem], ids=lambda path: path.stem)
def test_the_drafts_signatures_verify_only_where_deprecated_labels_and_missing_key_ids_are_allowed(path):
    envelope = suit.decode(path.read_bytes())
    right, other = vector_key(), key("other").public
    assert suit.verify_blocks(envelope, [right], deprecated=True, anonymous=True) == (right.thumbprint,)
    assert suit.verify_blocks(envelope, [other, right], deprecated=True, anonymous=True) == (
        right.thumbprint,
    )
    assert suit.verify_blocks(envelope, [other], deprecated=True, anonymous=True) == ()
    assert suit.verify_blocks(envelope, [right], deprecated=False, anonymous=True) == ()
    assert suit.verify_blocks(envelope, [right], deprecated=True) == ()


@needs_vectors
def test_severed_members_are_read_where_they_travel_and_missed_where_they_do_not():
    full = suit.parse(suit.decode((VECTORS / "example2_signed_full.suit").read_bytes()))
    cut = suit.parse(suit.decode((VECTORS / "example2_signed.suit").read_bytes()))
    assert full.severed == frozenset()
    assert numbers.Section.INSTALL in full.sections
    assert list(full.texts) == ["en-US"]
    assert cut.severed == {20, 23}
    assert numbers.Section.INSTALL not in cut.sections
    assert dict(cut.texts) == {}
    assert cut.reference_uri == "https://git.io/JJYoj"


@needs_vectors
def test_the_drafts_identifiers_come_out_of_its_names():
    vendor, class_id = suit.identifiers("arm.com", "anything")
    assert vendor.hex() == "fa6b4a53d5ad5fdfbe9de663e4d41ffe"
    assert len(class_id) == 16


def test_one_envelope_is_locked_to_its_bytes():
    data = signed(FLEET)
    assert (len(data), hashlib.sha256(data).hexdigest()) == (
        550,
        "52677cb35de6f280a818de8537c79b5a09aca32068577115b3f493569bf8edb9",
    )


def test_equal_arguments_give_equal_bytes():
    assert built() == built()
    assert signed(FLEET) == signed(FLEET)


def test_our_envelope_says_what_it_was_built_from():
    patch = suit.peek(built(version=VERSION))
    assert patch.digest == suit.manifest_digest(built())
    assert (patch.sequence, patch.vendor_id, patch.class_id) == (7, VENDOR, CLASS)
    assert (patch.image_digest, patch.image_size) == (hashlib.sha256(IMAGE).digest(), len(IMAGE))
    assert (patch.uri, patch.version, patch.component) == (URI, VERSION, suit.COMPONENT)
    assert patch.signed == ()


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Closes a hole in pairing."),
        ("en-GB", "Closes a hole in pairing."),
        ("de", "Schliesst eine Luecke beim Koppeln."),
        ("ja", None),
    ],
)
def test_the_text_of_a_language_or_of_its_main_language_is_found(language, words):
    assert suit.peek(built()).text(language) == words


def test_without_texts_the_version_is_stated_all_the_same():
    patch = suit.peek(built(texts=None))
    assert patch.version == VERSION
    assert patch.text("en") is None


def test_a_cut_text_leaves_a_patch_without_words_and_without_a_stated_version():
    data = signed(FLEET)
    outer = members(data)
    del outer[23]
    patch = suit.open_envelope(seal(outer), FLEET.root, product="thermostat")
    assert patch.version is None
    assert patch.text("en") is None
    assert patch.digest == suit.manifest_digest(data)


def test_an_envelope_uses_core_members_only():
    outer = members(built())
    assert set(outer) == {2, 3, 23}
    assert set(cbor2.loads(outer[3])) == {1, 2, 3, 7, 9, 20, 23}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"sequence": -1}, "PATCH_SEQUENCE"),
        ({"sequence": VERSION_MAX + 1}, "PATCH_SEQUENCE"),
        ({"vendor_id": bytes(15)}, "PATCH_IDENTIFIER"),
        ({"class_id": bytes(17)}, "PATCH_IDENTIFIER"),
        ({"uri": ""}, "PATCH_URI"),
        ({"uri": "#image"}, "PATCH_URI"),
        ({"uri": "x" * (limits.URI_BYTES_MAX + 1)}, "PATCH_URI"),
        ({"texts": {"": "words"}}, "PATCH_LANGUAGES"),
        ({"texts": {f"l{n}": "w" for n in range(limits.NOTICE_LANGUAGES_MAX + 1)}}, "PATCH_LANGUAGES"),
        ({"version": (1, 4, 3, 0)}, "PATCH_VERSION"),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_mend(arguments, code):
    fields = {
        "sequence": 7, "vendor_id": VENDOR, "class_id": CLASS, "image": IMAGE,
        "version": VERSION, "uri": URI, **arguments,
    }  # fmt: skip
    with pytest.raises(InputError) as error:
        suit.build(**fields)
    assert error.value.code == code
    assert error.value.mend


@pytest.mark.parametrize("extra", [-1, 0])
def test_numbers_and_addresses_up_to_their_limits_are_built(extra):
    uri = "x" * (limits.URI_BYTES_MAX + extra)
    assert suit.peek(built(VERSION_MAX + extra, uri=uri)).uri == uri


def test_a_damaged_image_is_refused_by_the_author():
    broken = IMAGE[:-1] + bytes([IMAGE[-1] ^ 1])
    assert (
        refused(suit.build, 7, VENDOR, CLASS, broken, version=VERSION, uri=URI)[0] is Reason.DIGEST_MISMATCH
    )


def test_a_component_that_is_not_a_path_of_bytes_is_refused():
    assert refused(built, component=())[0] is Reason.MALFORMED
    assert suit.peek(built(component=(b"app", b"\x01"))).component == (b"app", b"\x01")


def test_each_key_signs_once():
    once = suit.authenticate(built(), FLEET.signer("release"))
    assert suit.authenticate(once, FLEET.signer("release")) == once
    assert len(blocks(suit.authenticate(once, FLEET.signer("security")))) == 2


def test_signing_does_not_change_the_patch_digest():
    assert suit.manifest_digest(signed(FLEET)) == suit.manifest_digest(built())


def test_nobody_signs_a_manifest_that_is_not_the_stated_one():
    outer = members(built())
    outer[2] = encode([encode([-16, bytes(32)])])
    assert refused(suit.authenticate, seal(outer), FLEET.signer("release"))[0] is Reason.DIGEST_MISMATCH
    assert refused(suit.manifest_digest, seal(outer))[0] is Reason.DIGEST_MISMATCH


def test_nobody_signs_beside_a_changed_text():
    outer = members(built())
    outer[23] = encode({"en": {2: "other words"}})
    assert refused(suit.authenticate, seal(outer), FLEET.signer("release"))[0] is Reason.DIGEST_MISMATCH


def test_a_key_whose_wrong_signature_is_there_already_does_not_sign_over_it():
    right = suit.authenticate(built(), FLEET.signer("release"))
    other = suit.authenticate(built(8), FLEET.signer("release"))
    mixed = with_blocks(right, *blocks(other))
    assert refused(suit.authenticate, mixed, FLEET.signer("release"))[0] is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_the_number_of_blocks_is_limited(extra):
    stated = suit.decode(built()).signed_bytes
    many = [cose.sign1(stated, key(f"k{n}"), detached=True) for n in range(SIGNATURES_MAX + extra)]
    data = with_blocks(built(), *many)
    if extra > 0:
        assert refused(suit.decode, data)[0] is Reason.MALFORMED
    elif extra == 0:
        assert refused(suit.authenticate, data, FLEET.signer("release"))[0] is Reason.MALFORMED
    else:
        assert len(blocks(suit.authenticate(data, FLEET.signer("release")))) == SIGNATURES_MAX


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_size_is_checked_before_anything_is_decoded(extra):
    size = limits.PATCH_BYTES_MAX + extra
    outer = members(built())
    del outer[23]
    outer[20] = bytes(size - len(seal(outer)) - 4)
    data = seal(outer)
    assert len(data) == size
    if extra > 0:
        assert refused(suit.decode, data)[0] is Reason.TOO_BIG
        assert refused(suit.decode, b"\xff" * (limits.ENVELOPE_BYTES_MAX + 1))[0] is Reason.TOO_BIG
        envelope = suit.decode(built())
        big = suit.Envelope(envelope.digest, (), envelope.manifest, {20: bytes(size)})
        assert refused(suit.encode, big)[0] is Reason.TOO_BIG
    else:
        assert suit.encode(suit.decode(data)) == data


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_payloads_in_the_envelope_have_a_limit_of_their_own(extra):
    size = limits.ENVELOPE_BYTES_MAX + extra
    outer = members(built())
    outer["#x"] = bytes(size - len(built()) - 7 + 1)
    data = seal(outer)
    assert len(data) == size
    envelope = suit.decode(built())
    same = suit.Envelope(envelope.digest, (), envelope.manifest, envelope.severed, {"#x": outer["#x"]})
    if extra > 0:
        assert refused(suit.decode, data)[0] is Reason.TOO_BIG
        assert refused(suit.encode, same)[0] is Reason.TOO_BIG
    else:
        assert suit.encode(suit.decode(data)) == suit.encode(same) == data


def swapped(data):
    """The same envelope with the manifest before the authentication wrapper."""
    outer = members(data)
    pairs = b"".join(encode(k) + encode(outer[k]) for k in (3, 2, 23))
    return b"\xd8\x6b\xa3" + pairs


GOOD = members(built())
WRAPPER = cbor2.loads(GOOD[2])
OUTER = {
    "not CBOR": (b"\xff\xff", Reason.MALFORMED),
    "no tag": (encode(GOOD), Reason.MALFORMED),
    "another tag": (encode(cbor2.CBORTag(1070, GOOD)), Reason.MALFORMED),
    "not a map": (encode(cbor2.CBORTag(107, [])), Reason.MALFORMED),
    "a member that is not a byte string": (seal({**GOOD, 20: []}), Reason.MALFORMED),
    "an integrated payload that is not a byte string": (seal({**GOOD, "#x": "text"}), Reason.MALFORMED),
    "an unknown number": (seal({**GOOD, 9: b""}), Reason.UNSUPPORTED),
    "a private number": (seal({**GOOD, -257: b""}), Reason.UNSUPPORTED),
    "a name that is bytes": (seal({**GOOD, b"x": b""}), Reason.UNSUPPORTED),
    "no authentication": (seal({3: GOOD[3]}), Reason.MALFORMED),
    "no manifest": (seal({2: GOOD[2]}), Reason.MALFORMED),
    "the manifest before the authentication": (swapped(built()), Reason.MALFORMED),
    "an empty wrapper": (seal({**GOOD, 2: encode([])}), Reason.MALFORMED),
    "a wrapper that is a map": (seal({**GOOD, 2: encode({})}), Reason.MALFORMED),
    "a block outside a byte string": (seal({**GOOD, 2: encode([*WRAPPER, []])}), Reason.MALFORMED),
    "a digest of 31 bytes": (seal({**GOOD, 2: encode([encode([-16, bytes(31)])])}), Reason.MALFORMED),
    "a digest that is a text": (seal({**GOOD, 2: encode([encode([-16, "x" * 32])])}), Reason.MALFORMED),
    "a digest of three parts": (seal({**GOOD, 2: encode([encode([-16, bytes(32), 1])])}), Reason.MALFORMED),
    "a digest by SHA-512": (seal({**GOOD, 2: encode([encode([-44, bytes(64)])])}), Reason.UNSUPPORTED),
    "bytes behind the envelope": (built() + b"\x00", Reason.MALFORMED),
}


@pytest.mark.parametrize(("data", "reason"), OUTER.values(), ids=OUTER.keys())
def test_a_wrong_outer_structure_is_refused(data, reason):
    assert refused(suit.decode, data)[0] is reason


def test_integrated_payloads_are_carried_and_refused_where_nothing_asks_for_them():
    data = seal({**GOOD, "#fw": b"payload", "#a": b"", "#zz": b"z"})
    assert suit.decode(data).payloads == {"#a": b"", "#fw": b"payload", "#zz": b"z"}
    assert suit.encode(suit.decode(data)) == data
    assert refused(suit.peek, data) == (Reason.MALFORMED, "nothing asks for the payload #a")


def test_a_member_that_the_manifest_does_not_name_is_refused():
    assert refused(suit.peek, seal({**GOOD, 16: encode([])}))[0] is Reason.MALFORMED
    inline = craft(sections={20: [20, {21: URI}, 21, 2, 3, 15]}, severed={20: encode([])})
    assert refused(suit.peek, inline)[0] is Reason.MALFORMED


def test_blocks_that_are_no_tagged_cose_structure_are_refused():
    for block in (encode([]), b"\xff", encode(cbor2.CBORTag(18, []))):
        data = with_blocks(built(), block)
        assert refused(suit.verify_blocks, suit.decode(data), [])[0] is Reason.MALFORMED


def test_our_packer_and_our_author_agree_on_the_version():
    other = mcuboot.pack(b"x", (2, 0, 0, 0))
    with pytest.raises(InputError, match=r"The image says version 2\.0\.0, not 1\.4\.2\+7"):
        suit.build(7, VENDOR, CLASS, other, version=VERSION, uri=URI)


def test_a_refusal_is_one_sentence():
    with pytest.raises(RefusedError, match=r"^Refused \(MALFORMED\): [^\n]+\.$"):
        suit.decode(b"")
