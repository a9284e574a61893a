from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories import suit
from advisories.suit.tree import escape
from keys.cbor import encode
from keys.reasons import Reason
from tests.advisories.suit_case import (
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


def shown(data):
    return "\n".join(suit.tree(data))


def test_a_tree_names_the_signers_the_identity_the_image_and_the_words():
    lines = shown(signed(FLEET))
    for signer in FLEET.signers("release", "security"):
        assert f"COSE_Sign1 ED25519, key {signer.public.thumbprint.hex()}" in lines
    assert "(fits the manifest)" in lines
    assert "sequence-number 7" in lines
    assert f"image-size {len(IMAGE)}" in lines
    assert "uri tocsin:image" in lines
    assert "component-version: 1.4.2+7" in lines
    assert "update-description: Closes a hole in pairing." in lines


@needs_vectors
@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.suit")), ids=lambda path: path.stem)
def test_the_drafts_examples_are_shown(path):
    lines = shown(path.read_bytes())
    assert "fits the manifest" in lines
    assert "cannot be read" not in lines
    assert ("ES256, no key identifier" in lines) == ("_signed" in path.stem)


def test_what_our_devices_would_refuse_is_shown_all_the_same():
    steps = [
        *identity(), 12, True, 12, [0, 0], 15, [encode([14, 15]), None], 32, encode([22, 2]), 29, {1: 2},
        20, {24: VENDOR, 12: True},
    ]  # fmt: skip
    lines = shown(craft(steps, extra={6: b"", 16: [-16, bytes(32)]}, severed={"#fw": b"xyz"}))
    for word in (
        "set-component-index all", "set-component-index (0, 0)", "alternative 2", "run-sequence", "copy", "wait",
        "set-version (an extension that our devices refuse)", "payload-fetch (cut, only its digest is here)",
        "payload #fw, 3 bytes", "strict-order True",
    ):  # fmt: skip
        assert word in lines


def test_what_does_not_fit_is_said_and_hides_nothing_else():
    outer = members(signed(FLEET))
    outer[3] = b"\xff"
    lines = shown(seal(outer))
    assert "DOES NOT FIT" in lines
    assert "manifest, 1 bytes, cannot be read" in lines
    assert "severed text" in lines
    lines = shown(
        with_blocks(
            built(), b"\xff", encode(18), b"\xd2\x84\x41\xa0\xa0\xf6\x40", b"\xd1\x84\x40\xa0\xf6\x40"
        )
    )
    assert lines.count("block cannot be read") == 2
    assert "COSE_Sign1 algorithm None, no key identifier" in lines
    assert "block of another kind" in lines


def test_an_envelope_that_cannot_be_taken_apart_is_refused():
    assert refused(suit.tree, b"\x00")[0] is Reason.MALFORMED


@given(st.text(max_size=300))
def test_no_text_of_an_envelope_can_steer_the_terminal(text):
    line = escape(text)
    assert line.isprintable()
    assert len(line) <= 200 * 10 + 3


def test_escape_sequences_and_line_ends_are_shown_as_such():
    lines = suit.tree(built(texts={"en\x1b[2J": "one\ntwo\x1b]0;x\x07\u202e"}))
    assert all(line.isprintable() for line in lines)
    assert "one\\ntwo\\x1b]0;x\\x07\\u202e" in "\n".join(lines)
