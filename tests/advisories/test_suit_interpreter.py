from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories import limits, suit
from advisories.suit import interpreter, manifest, numbers
from advisories.suit.interpreter import execute
from advisories.suit.numbers import BOOT, UPDATE, Command, ManifestKey, Parameter
from keys.cbor import encode
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from tests.advisories.suit_case import (
    CLASS,
    DIGEST,
    IMAGE,
    INSTALL,
    URI,
    VECTORS,
    VENDOR,
    built,
    craft,
    identity,
    needs_vectors,
    refused,
)

HERE = suit.COMPONENT
THERE = (b"\x01",)
BOTH = frozenset({HERE, THERE})
DEVICE = suit.Device(
    VENDOR, CLASS, device_id=VENDOR, time=5, battery=suit.ON_MAINS, versions={HERE: (1, 4, 1, 0)}
)
IMAGE_DIGEST = hashlib.sha256(IMAGE).digest()
OTHER = bytes(32)


def run(data, procedure=UPDATE, device=DEVICE):
    return execute(suit.parse(suit.decode(data)), procedure, device).operations


def nested(*steps):
    return encode(list(steps))


def slot(number, digest):
    """An alternative that fits one slot only."""
    return nested(20, {5: number}, 5, 5, 20, {3: encode([-16, digest]), 14: 1000 + number})


def test_an_update_fetches_compares_and_validates():
    fetch = suit.Fetch(HERE, URI, IMAGE_DIGEST, len(IMAGE))
    match = suit.Match(HERE, IMAGE_DIGEST, len(IMAGE))
    assert suit.peek(built()).run(UPDATE, DEVICE) == (fetch, match, match)


def test_booting_compares_and_invokes():
    match = suit.Match(HERE, IMAGE_DIGEST, len(IMAGE))
    assert suit.peek(built()).run(BOOT, DEVICE) == (match, suit.Invoke(HERE))


def test_what_was_measured_already_is_compared_at_once():
    held = suit.Device(VENDOR, CLASS, measured={HERE: IMAGE_DIGEST})
    assert suit.peek(built()).run(BOOT, held) == (suit.Invoke(HERE),)
    wrong = suit.Device(VENDOR, CLASS, measured={HERE: OTHER})
    assert refused(suit.peek(built()).run, BOOT, wrong)[0] is Reason.DIGEST_MISMATCH


def test_a_measurement_from_before_the_fetch_does_not_count():
    stale = suit.Device(VENDOR, CLASS, measured={HERE: IMAGE_DIGEST})
    assert [type(step) for step in suit.peek(built()).run(UPDATE, stale)] == [
        suit.Fetch,
        suit.Match,
        suit.Match,
    ]


@pytest.mark.parametrize(
    "device",
    [
        suit.Device(OTHER[:16], CLASS),
        suit.Device(VENDOR, OTHER[:16]),
        suit.Device(CLASS, VENDOR),
    ],
)
def test_a_patch_for_another_vendor_or_class_is_refused(device):
    assert refused(suit.peek(built()).run, UPDATE, device)[0] is Reason.WRONG_MODEL


def test_a_component_that_the_device_does_not_have_is_refused():
    device = suit.Device(VENDOR, CLASS, components=frozenset({(b"\x09",)}))
    assert refused(suit.peek(built()).run, UPDATE, device) == (Reason.UNSUPPORTED, "component 00")


def test_every_command_of_the_tables_is_run_or_refused_by_its_name():
    for command in Command:
        argument = {
            Command.SET_COMPONENT_INDEX: 0,
            Command.TRY_EACH: [nested()],
            Command.OVERRIDE_PARAMETERS: {14: 1},
            Command.SET_PARAMETERS: {14: 1},
            Command.RUN_SEQUENCE: nested(),
            Command.WAIT: {1: 2},
            Command.OVERRIDE_MULTIPLE: {0: {14: 1}},
            Command.COPY_PARAMS: {0: [14]},
        }.get(command, 15)
        parameters = {4: 9, 5: 0, 18: b"c", 21: URI, 22: 1, 24: VENDOR, 26: 7, 28: encode([2, [1, 4]])}
        shared = [*identity(), 20, parameters, command.value, argument, 3, 15]
        data = craft(shared, components=([b"\x00"], [b"\x01"]))
        device = replace(DEVICE, components=BOTH)
        if command is Command.ABORT:
            assert refused(run, data, device=device)[0] is Reason.UPDATE_FAILED
        elif command is Command.IMAGE_NOT_MATCH:
            assert refused(run, data, device=device)[0] is Reason.DIGEST_MISMATCH
        elif command in interpreter.COMMANDS:
            assert run(data, device=device)
        else:
            why = f"command {numbers.label(command)}"
            assert refused(run, data, device=device) == (Reason.UNSUPPORTED, why)


SAMPLE = {
    Parameter.VENDOR_ID: VENDOR,
    Parameter.CLASS_ID: CLASS,
    Parameter.IMAGE_DIGEST: encode([-16, DIGEST]),
    Parameter.STRICT_ORDER: True,
    Parameter.SOFT_FAILURE: False,
    Parameter.CONTENT: b"c",
    Parameter.ENCRYPTION_INFO: b"e",
    Parameter.URI: URI,
    Parameter.INVOKE_ARGS: b"i",
    Parameter.DEVICE_ID: VENDOR,
    Parameter.FETCH_ARGS: encode({1: 1, 2: 10, 3: DIGEST, 4: DIGEST}),
    Parameter.VERSION: encode([1, [2]]),
    Parameter.WAIT_INFO: b"w",
    Parameter.COMPONENT_METADATA: b"m",
}


def test_every_parameter_of_the_tables_is_obeyed_or_refused_by_its_name():
    for parameter in Parameter:
        parameters = [20, {parameter.value: SAMPLE.get(parameter, 0)}]
        data = craft([*identity(), 32, encode(parameters)])
        if parameter in numbers.PARAMETERS_SUPPORTED:
            assert run(data)
        else:
            assert refused(run, data) == (Reason.UNSUPPORTED, f"parameter {numbers.label(parameter)}")


def test_every_member_of_the_tables_is_obeyed_or_refused_by_its_name():
    for key in set(ManifestKey) - numbers.MANIFEST_SUPPORTED:
        data = craft(extra={key.value: b""})
        assert refused(run, data) == (Reason.UNSUPPORTED, f"manifest member {numbers.label(key)}")
        assert refused(suit.peek, data)[0] is Reason.UNSUPPORTED


@pytest.mark.parametrize(("number", "digest"), [(0, DIGEST), (1, OTHER)])
def test_the_alternative_that_fits_the_slot_is_taken(number, digest):
    data = craft([*identity(), 15, [slot(0, DIGEST), slot(1, OTHER)]])
    device = suit.Device(VENDOR, CLASS, slot=number)
    assert run(data, device=device)[0] == suit.Fetch(HERE, URI, digest, 1000 + number)


def test_no_fitting_alternative_refuses_with_the_last_reason_unless_the_list_ends_with_nil():
    device = suit.Device(VENDOR, CLASS, slot=2)
    tried = [slot(0, DIGEST), slot(1, OTHER)]
    assert refused(run, craft([*identity(), 15, tried]), device=device) == (
        Reason.UPDATE_FAILED,
        "for slot 1, not slot 2",
    )
    assert run(craft([*identity(), 15, [*tried, None]]), device=device)[0].uri == URI


def test_a_failed_alternative_leaves_no_operation_and_no_component_behind():
    two = ([b"\x00"], [b"\x01"])  # the second one is chosen in the alternative that fails
    first = nested(12, 1, 21, 2, 14, 15)
    second = nested(20, {21: "second"}, 21, 2)
    device = suit.Device(VENDOR, CLASS, components=frozenset({(b"\x00",), (b"\x01",)}))
    data = craft([*identity(), 12, 1, 20, {21: "first"}], {20: [15, [first, second], 3, 15]}, components=two)
    match = suit.Match(HERE, DIGEST, 1000)
    assert run(data, device=device) == (suit.Fetch(HERE, "second", DIGEST, 1000), match)


def test_an_identity_that_was_only_checked_in_a_failed_alternative_does_not_count():
    shared = [20, {1: VENDOR, 2: CLASS, 21: URI}, 15, [nested(1, 15, 2, 15, 14, 15), None], 21, 2]
    assert refused(run, craft(shared))[0] is Reason.MALFORMED


def test_unsupported_commands_are_not_excused_by_try_each():
    data = craft([*identity(), 15, [nested(33, 2), nested()]])
    assert refused(run, data) == (Reason.UNSUPPORTED, "command unlink")


@pytest.mark.parametrize("command", [21, 23])
def test_nothing_is_fetched_or_invoked_before_the_identity_is_checked(command):
    data = craft([20, {1: VENDOR, 2: CLASS, 21: URI}, 1, 15, command, 2])
    assert refused(run, data)[0] is Reason.MALFORMED


@pytest.mark.parametrize("command", [1, 2, 3, 5, 21])
def test_a_command_without_its_parameter_is_refused(command):
    shared = [20, {1: VENDOR, 2: CLASS}, 1, 15, 2, 15, command, 2] if command > 2 else [command, 15]
    reason, detail = refused(run, craft(shared))
    assert reason is Reason.MALFORMED
    assert "is not set" in detail


def test_parameters_belong_to_their_component():
    two = ([b"\x00"], [b"\x01"])
    device = suit.Device(VENDOR, CLASS, components=frozenset({(b"\x00",), (b"\x01",)}))
    other = {3: encode([-16, OTHER]), 21: "one"}
    shared = [*identity(), 20, {21: "zero"}, 12, 1, 20, other]
    sections = {20: [21, 2, 3, 15, 12, 1, 21, 2, 3, 15]}
    assert run(craft(shared, sections, components=two), device=device) == (
        suit.Fetch(HERE, "zero", DIGEST, 1000),
        suit.Match(HERE, DIGEST, 1000),
        suit.Fetch(THERE, "one", OTHER, None),
        suit.Match(THERE, OTHER, None),
    )


@pytest.mark.parametrize(
    ("argument", "reason"),
    [(1, Reason.MALFORMED), (False, Reason.MALFORMED), ([0, 1], Reason.MALFORMED), (16, Reason.MALFORMED)],
)
def test_a_component_index_must_be_one_that_exists(argument, reason):
    assert refused(run, craft([12, argument]))[0] is reason


def test_a_section_that_was_cut_from_the_envelope_is_not_run():
    cut = craft(sections={}, extra={20: [-16, OTHER]})
    assert refused(run, cut)[0] is Reason.MALFORMED
    assert run(cut, BOOT) == ()


@needs_vectors
@pytest.mark.parametrize(
    ("name", "uris"),
    [
        ("example1_signed", ["http://example.com/file.bin"]),
        ("example2_signed_full", ["http://example.com/very/long/path/to/file/file.bin"]),
        ("example3_signed", ["http://example.com/file2.bin"]),
        ("example5_signed", ["http://example.com/file1.bin", "http://example.com/file2.bin"]),
    ],
)
def test_the_drafts_examples_run(name, uris):
    vendor = bytes.fromhex("fa6b4a53d5ad5fdfbe9de663e4d41ffe")
    class_id = bytes.fromhex("1492af1425695e48bf429b2d51f2ab45")
    device = suit.Device(vendor, class_id, frozenset({(b"\x00",), (b"\x01",)}), slot=1)
    operations = run((VECTORS / f"{name}.suit").read_bytes(), device=device)
    assert [step.uri for step in operations if isinstance(step, suit.Fetch)] == uris


SUMMARY = {
    "no fetch": (craft(sections={7: [3, 15]}), Reason.UNSUPPORTED),
    "another image is compared": (
        craft(sections={20: [20, {21: URI}, 21, 2, 20, {3: encode([-16, OTHER])}, 3, 15]}),
        Reason.MALFORMED,
    ),
    "a payload beyond what the wire can carry": (
        craft(sections={20: [20, {14: limits.PAYLOAD_BYTES_MAX + 1}, *INSTALL]}),
        Reason.TOO_BIG,
    ),
    "no digest": (
        craft([20, {1: VENDOR, 2: CLASS, 14: 5}, 1, 15, 2, 15], {20: [20, {21: URI}, 21, 2]}),
        Reason.MALFORMED,
    ),
    "no size": (
        craft([20, {1: VENDOR, 2: CLASS, 3: encode([-16, DIGEST])}, 1, 15, 2, 15]),
        Reason.MALFORMED,
    ),
    "not compared": (craft(sections={20: [20, {21: URI}, 21, 2]}), Reason.MALFORMED),
    "compared only before": (craft([*identity(), 3, 15], {20: [20, {21: URI}, 21, 2]}), Reason.MALFORMED),
    "two vendors": (craft([*identity(), 20, {1: CLASS}, 1, 15]), Reason.UNSUPPORTED),
    "two classes": (craft([*identity(), 20, {2: VENDOR}, 2, 15]), Reason.UNSUPPORTED),
}


@pytest.mark.parametrize(("data", "reason"), SUMMARY.values(), ids=SUMMARY.keys())
def test_a_patch_is_one_image_for_one_class_compared_after_its_fetch(data, reason):
    assert refused(suit.peek, data)[0] is reason


def test_a_minimal_foreign_patch_is_a_patch():
    patch = suit.peek(craft())
    assert (patch.image_digest, patch.image_size, patch.version) == (DIGEST, 1000, None)


def words(*languages):
    """A manifest with inline texts, each stating a version."""
    texts = {tag: {1: "about", HERE: {6: version}} for tag, version in languages}
    return craft(extra={23: encode(texts)})


def test_the_version_stated_by_the_texts_must_be_one():
    assert suit.peek(words(("en", "1.2.3"), ("de", "1.2.3"))).version == (1, 2, 3, 0)
    assert refused(suit.peek, words(("en", "1.2.3"), ("de", "1.2.4")))[0] is Reason.MALFORMED
    assert suit.peek(words(("en", "v1.2.3"))).version is None
    assert suit.peek(words(("en", "1.2.3"))).text("en") == "about"


MANIFESTS = {
    "another version": (craft(extra={1: 2}), Reason.UNSUPPORTED),
    "no version": (craft(extra={1: ...}), Reason.UNSUPPORTED),
    "no sequence number": (craft(extra={2: ...}), Reason.MALFORMED),
    "a negative sequence number": (craft(extra={2: -1}), Reason.MALFORMED),
    "a sequence number above the limit": (craft(extra={2: VERSION_MAX + 1}), Reason.MALFORMED),
    "a true sequence number": (craft(extra={2: True}), Reason.MALFORMED),
    "no common": (craft(extra={3: ...}), Reason.MALFORMED),
    "a common that is a list": (craft(extra={3: encode([])}), Reason.MALFORMED),
    "dependencies": (craft(common={1: {}}), Reason.UNSUPPORTED),
    "an unknown member of common": (craft(common={9: b""}), Reason.UNSUPPORTED),
    "no components": (craft(components=()), Reason.MALFORMED),
    "components that are a map": (craft(components={}), Reason.MALFORMED),
    "an empty component": (craft(components=([],)), Reason.MALFORMED),
    "a component of texts": (craft(components=(["app"],)), Reason.MALFORMED),
    "too many components": (craft(components=([b"\x00"],) * 17), Reason.MALFORMED),
    "an unknown member": (craft(extra={99: b""}), Reason.UNSUPPORTED),
    "a private member": (craft(extra={-257: b""}), Reason.UNSUPPORTED),
    "a named member": (craft(extra={"x": b""}), Reason.UNSUPPORTED),
    "a reference that is a number": (craft(extra={4: 1}), Reason.BAD_URI),
    "a section outside a byte string": (craft(extra={20: [20, 21]}), Reason.MALFORMED),
    "a severed member by another algorithm": (craft(extra={20: [-44, bytes(64)]}), Reason.UNSUPPORTED),
    "a section that is a map": (craft(sections={20: encode({})}), Reason.MALFORMED),
    "a command without argument": (craft([12]), Reason.MALFORMED),
    "an unknown command": (craft([99, 15]), Reason.UNSUPPORTED),
    "a private command": (craft([-257, 15]), Reason.UNSUPPORTED),
    "a command that is a text": (craft(["fetch", 15]), Reason.UNSUPPORTED),
    "a command that is true": (craft([True, 15]), Reason.UNSUPPORTED),
    "a reporting policy above 15": (craft([1, 16]), Reason.MALFORMED),
    "parameters that are a list": (craft([20, []]), Reason.MALFORMED),
    "no parameters": (craft([20, {}]), Reason.MALFORMED),
    "an unknown parameter": (craft([20, {99: 1}]), Reason.UNSUPPORTED),
    "a vendor of 15 bytes": (craft([20, {1: bytes(15)}]), Reason.MALFORMED),
    "a class that is a text": (craft([20, {2: "x"}]), Reason.MALFORMED),
    "a digest outside a byte string": (craft([20, {3: [-16, DIGEST]}]), Reason.MALFORMED),
    "a size below zero": (craft([20, {14: -1}]), Reason.MALFORMED),
    "an empty address": (craft([20, {21: ""}]), Reason.BAD_URI),
    "a long address": (craft([20, {21: "x" * (limits.URI_BYTES_MAX + 1)}]), Reason.BAD_URI),
    "a content that is a number": (craft([20, {18: 1}]), Reason.MALFORMED),
    "a flag that is a number": (craft([20, {12: 1}]), Reason.MALFORMED),
    "try-each without alternatives": (craft([15, []]), Reason.MALFORMED),
    "try-each of a map": (craft([15, {}]), Reason.MALFORMED),
    "try-each with nil in the middle": (craft([15, [None, nested()]]), Reason.MALFORMED),
    "an empty list of component indices": (craft([12, []]), Reason.MALFORMED),
    "texts that are a list": (craft(extra={23: encode([])}), Reason.MALFORMED),
    "a text of a numbered language": (craft(extra={23: encode({1: {}})}), Reason.MALFORMED),
    "a language that is a list": (craft(extra={23: encode({"en": []})}), Reason.MALFORMED),
    "an unknown text": (craft(extra={23: encode({"en": {9: "x"}})}), Reason.UNSUPPORTED),
    "a text that is a number": (craft(extra={23: encode({"en": {1: 1}})}), Reason.MALFORMED),
    "a component's text that is a number": (
        craft(extra={23: encode({"en": {HERE: {6: 1}}})}),
        Reason.MALFORMED,
    ),
    "a text about a named component": (craft(extra={23: encode({"en": {("x",): {}}})}), Reason.MALFORMED),
}


@pytest.mark.parametrize(("data", "reason"), MANIFESTS.values(), ids=MANIFESTS.keys())
def test_a_wrong_manifest_is_refused(data, reason):
    assert refused(suit.peek, data)[0] is reason


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_sequences_are_nested_only_so_deep(extra):
    inner = nested()
    for _ in range(manifest.SEQUENCE_DEPTH_MAX - 2 + extra):
        inner = nested(15, [inner])
    data = craft([*identity(), 15, [inner]])
    if extra > 0:
        assert refused(suit.peek, data)[0] is Reason.MALFORMED
    else:
        assert suit.peek(data).sequence == 7


@given(st.integers(0, 3), st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_the_first_fitting_alternative_wins_whatever_the_list(mine, slots):
    digests = {index: bytes([index]) * 32 for index in range(len(slots))}
    data = craft([*identity(), 15, [slot(number, digests[i]) for i, number in enumerate(slots)]])
    device = suit.Device(VENDOR, CLASS, slot=mine)
    if mine in slots:
        assert run(data, device=device)[0].digest == digests[slots.index(mine)]
    else:
        assert refused(run, data, device=device)[0] is Reason.UPDATE_FAILED
