"""Each condition on a device that meets it, on one that does not, and on one that does not know."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories import suit
from advisories.suit import UPDATE, Device
from advisories.suit.conditions import compare_versions
from advisories.suit.interpreter import execute
from advisories.suit.numbers import Comparison, Parameter
from keys.cbor import encode
from keys.reasons import Reason
from tests.advisories.suit_case import CLASS, DIGEST, URI, VENDOR, craft, identity, refused

HERE = (b"\x00",)
OTHER = bytes(32)
DEVICE = Device(
    VENDOR, CLASS, device_id=b"d" * 16, time=1000, battery=500, versions={HERE: (1, 4, 2, 7)}, slot=1,
    measured={HERE: DIGEST},
)  # fmt: skip
FETCH = [20, {21: URI}, 21, 2, 3, 15]


def version(comparison, *numbers):
    return encode([comparison, list(numbers)])


# What is set, the condition, whether DEVICE meets it, with which reason it fails, and what it then says it found.
CASES = {
    "its own vendor": ({1: VENDOR}, 1, True, None, {}),
    "another vendor": ({1: CLASS}, 1, False, Reason.WRONG_MODEL, {Parameter.VENDOR_ID: VENDOR}),
    "its own class": ({2: CLASS}, 2, True, None, {}),
    "another class": ({2: VENDOR}, 2, False, Reason.WRONG_MODEL, {Parameter.CLASS_ID: CLASS}),
    "itself": ({24: b"d" * 16}, 24, True, None, {}),
    "another device": ({24: VENDOR}, 24, False, Reason.WRONG_SUBJECT, {Parameter.DEVICE_ID: b"d" * 16}),
    "what it holds": ({3: encode([-16, DIGEST])}, 3, True, None, {}),
    "what it does not hold": (
        {3: encode([-16, OTHER])}, 3, False, Reason.DIGEST_MISMATCH,
        {Parameter.IMAGE_DIGEST: encode([-16, DIGEST])},
    ),
    "not what it holds": (
        {3: encode([-16, DIGEST])}, 25, False, Reason.DIGEST_MISMATCH,
        {Parameter.IMAGE_DIGEST: encode([-16, DIGEST])},
    ),
    "not what it does not hold": ({3: encode([-16, OTHER])}, 25, True, None, {}),
    "other bytes than it holds": (
        {18: b"x"}, 6, False, Reason.DIGEST_MISMATCH, {Parameter.IMAGE_DIGEST: encode([-16, DIGEST])}
    ),
    "its slot": ({5: 1}, 5, True, None, {}),
    "another slot": ({5: 0}, 5, False, Reason.UPDATE_FAILED, {Parameter.COMPONENT_SLOT: 1}),
    "before the end": ({4: 1001}, 4, True, None, {}),
    "at the end": ({4: 1000}, 4, False, Reason.EXPIRED, {Parameter.USE_BEFORE: 1000}),
    "enough charge": ({26: 500}, 26, True, None, {}),
    "too little charge": ({26: 501}, 26, False, Reason.LOW_BATTERY, {Parameter.MINIMUM_BATTERY: 500}),
    "the very version": ({28: version(3, 1, 4, 2, 7)}, 28, True, None, {}),
    "a version of that kind": ({28: version(3, 1, 4)}, 28, True, None, {}),
    "a lower bound": ({28: version(1, 1, 4, 2, 6)}, 28, True, None, {}),
    "a lower bound that is the version": (
        {28: version(1, 1, 4, 2, 7)}, 28, False, Reason.WRONG_VERSION,
        {Parameter.VERSION: version(3, 1, 4, 2, 7)},
    ),
    "an upper bound": ({28: version(5, 1, 5)}, 28, True, None, {}),
    "an upper bound that is the version": (
        {28: version(5, 1, 4)}, 28, False, Reason.WRONG_VERSION, {Parameter.VERSION: version(3, 1, 4, 2, 7)}
    ),
    "nothing": ({5: 1}, 14, False, Reason.UPDATE_FAILED, {}),
}  # fmt: skip


def manifest(parameters, command):
    shared = [*identity(), 15, [encode([20, parameters, command, 15])]]
    return suit.parse(suit.decode(craft(shared, {20: [20, {3: encode([-16, DIGEST])}, *FETCH]})))


@pytest.mark.parametrize(
    ("parameters", "command", "meets", "reason", "found"), CASES.values(), ids=CASES.keys()
)
def test_a_condition_holds_or_does_not(parameters, command, meets, reason, found):
    read = manifest(parameters, command)
    if meets:
        assert len(execute(read, UPDATE, DEVICE).operations) == 2
    else:
        with pytest.raises(suit.ConditionError) as error:
            execute(read, UPDATE, DEVICE)
        assert (error.value.reason, error.value.measured) == (reason, found)
    if command != 14:  # of a device that fits, everything but abort holds
        assert execute(read, UPDATE, None).operations


@pytest.mark.parametrize(
    ("parameters", "command", "reason"),
    [
        ({24: VENDOR}, 24, Reason.WRONG_SUBJECT),
        ({4: 1}, 4, Reason.EXPIRED),
        ({26: 0}, 26, Reason.LOW_BATTERY),
        ({28: version(2, 0)}, 28, Reason.WRONG_VERSION),
        ({3: encode([-16, DIGEST])}, 25, Reason.DIGEST_MISMATCH),
    ],
    ids=["device id", "time", "charge", "version", "what it holds"],
)
def test_what_a_device_does_not_know_of_itself_meets_no_condition(parameters, command, reason):
    with pytest.raises(suit.ConditionError) as error:
        execute(manifest(parameters, command), UPDATE, Device(VENDOR, CLASS))
    assert (error.value.reason, error.value.measured) == (reason, {})


def test_what_holds_nothing_is_not_the_image_and_matches_none():
    empty = replace(DEVICE, measured={HERE: b""})
    assert execute(manifest({3: encode([-16, DIGEST])}, 25), UPDATE, empty).operations
    assert (
        refused(execute, manifest({3: encode([-16, DIGEST])}, 3), UPDATE, empty)[0] is Reason.DIGEST_MISMATCH
    )


def test_on_mains_there_is_always_enough():
    device = replace(DEVICE, battery=suit.ON_MAINS)
    assert execute(manifest({26: 2**53 - 1}, 26), UPDATE, device).operations


def test_content_that_is_there_already_is_found_by_its_digest():
    device = replace(DEVICE, measured={HERE: hashlib.sha256(b"on").digest()})
    assert execute(manifest({18: b"on"}, 6), UPDATE, device).operations


NUMBERS = st.lists(st.integers(-3, 3), min_size=1, max_size=8)


@given(st.sampled_from(Comparison), st.tuples(*[st.integers(0, 3)] * 4), NUMBERS)
def test_versions_are_compared_number_by_number_as_far_as_the_bound_goes(comparison, mine, bound):
    order = 0
    for number, other in enumerate(bound):
        own = mine[number] if number < len(mine) else 0
        if own != other:
            order = 1 if own > other else -1
            break
    wanted = {
        Comparison.GREATER: order > 0,
        Comparison.GREATER_EQUAL: order >= 0,
        Comparison.EQUAL: order == 0,
        Comparison.LESSER_EQUAL: order <= 0,
        Comparison.LESSER: order < 0,
    }[comparison]
    assert compare_versions(comparison, mine, bound) == wanted


@pytest.mark.parametrize(
    ("numbers", "version_"),
    [
        ([1, 2, 3], (1, 2, 3, 0)),
        ([1, 2, 3, 4], (1, 2, 3, 4)),
        ([1], (1, 0, 0, 0)),
        ([256], None),
        ([1, 2, -1], None),
        ([1, 2, 3, 4, 5], None),
    ],
)
def test_the_version_of_the_whole_is_the_promised_one_where_it_is_one_of_ours(numbers, version_):
    texts = {"en": {HERE: {6: "9.9.9"}}}
    data = craft(extra={6: encode(numbers), 23: encode(texts)})
    assert suit.peek(data).version == version_
    assert suit.peek(data).manifest.version == tuple(numbers)
    assert suit.peek(craft(extra={23: encode(texts)})).version == (9, 9, 9, 0)


@pytest.mark.parametrize("numbers", [[], [1] * 9, [1.5], ["1"], [2**53], [True], 1])
def test_a_version_that_is_no_list_of_numbers_is_refused(numbers):
    inner = cbor2.dumps(numbers, canonical=True)
    assert refused(suit.peek, craft(extra={6: inner}))[0] is Reason.MALFORMED
    match = cbor2.dumps([1, numbers], canonical=True)
    assert refused(suit.peek, craft([*identity(), 20, {28: match}]))[0] is Reason.MALFORMED
