"""A bit flipped at each position, an envelope cut at each length: refused, with a reason, in little memory."""

from __future__ import annotations

import tracemalloc

import pytest

from advisories import suit
from keys.algorithms import Algorithm
from keys.errors import RefusedError
from keys.reasons import Reason
from tests.advisories.suit_case import OURS, VECTORS, needs_vectors, signed, vector_key
from tests.helpers import PRODUCT, make_fleet

MEMORY_MAX = 256 * 1024
"""Bytes allocated at most while an envelope of a few hundred bytes is refused, however it is broken."""
MESSAGE_CHARACTERS_MAX = 400
FLEET = make_fleet()
SECOND = make_fleet(algorithm=Algorithm.ESP256)
EXAMPLES = sorted(VECTORS.glob("*.suit"))


def refusal(call, data):
    """The reason with which a call refuses; anything else that it raises fails the test."""
    found = None
    try:
        call(data)
    except RefusedError as error:
        found = error
    assert found is None or found.reason not in {Reason.OK, Reason.SUCCESS}
    assert found is None or len(found.message) <= MESSAGE_CHARACTERS_MAX
    return None if found is None else found.reason


def flipped(data, at, bit):
    return data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :]


def every_change(data, bits):
    """The envelope with one bit flipped at each position, then cut at each length."""
    for at in range(len(data)):
        for bit in bits(at):
            yield flipped(data, at, bit)
    for size in range(len(data)):
        yield data[:size]


def all_bits(_):
    return range(8)


def two_bits(at):
    """The lowest one turns a head into its neighbour; the other one wanders."""
    return {0, at % 7 + 1}


def opened(fleet):
    return lambda data: suit.open_envelope(data, fleet.root, product=PRODUCT)


@pytest.mark.parametrize("make", OURS.values(), ids=OURS)
@pytest.mark.parametrize("fleet", [FLEET, SECOND], ids=["Ed25519", "P-256"])
def test_no_bit_of_our_envelopes_can_be_changed_or_left_out(make, fleet):
    data = signed(fleet, envelope=make())
    opening = opened(fleet)
    assert len(opening(data).signed) == 2
    for changed in every_change(data, two_bits):
        assert refusal(opening, changed) is not None, changed.hex()


@pytest.mark.parametrize("make", OURS.values(), ids=OURS)
def test_refusing_a_broken_envelope_takes_little_memory(make):
    data = signed(FLEET, envelope=make())
    opening = opened(FLEET)
    assert refusal(opening, data) is None
    tracemalloc.start()
    try:
        for changed in every_change(data, lambda at: (at % 8,)):
            assert refusal(opening, changed) is not None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= MEMORY_MAX


def read_example(data):
    """Read an example as far as anybody can who has the draft's key only."""
    envelope, key = suit.decode(data), vector_key()
    if envelope.blocks and not suit.verify_blocks(envelope, [key], deprecated=True, anonymous=True):
        raise RefusedError(Reason.BAD_SIGNATURE)
    return suit.parse(envelope)


@needs_vectors
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_no_bit_of_the_drafts_examples_can_be_changed_or_left_out(path):
    data = path.read_bytes()
    assert read_example(data)
    for changed in every_change(data, all_bits if len(data) < 400 else two_bits):
        assert refusal(read_example, changed) is not None, changed.hex()
