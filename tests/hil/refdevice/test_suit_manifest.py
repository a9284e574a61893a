"""SUIT manifests: what they mean to the C device, beside ``advisories.suit``."""

from __future__ import annotations

import ctypes
import hashlib
import uuid
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from advisories import suit
from advisories.languages import fallback
from keys.algorithms import UNDECLARED
from keys.cbor import encode
from keys.reasons import Reason
from tests.advisories import suit_case
from tests.advisories.suit_case import CLASS, DIGEST, VENDOR, craft, identity
from tests.helpers import PRODUCT

from .build import Core
from .patch_of_c import open_suit
from .suit_of_c import FLEET, rooted, same, sealed
from .trust_of_c import verdict

# What manifests say.

OTHER = bytes(16)
SIZE = 1000


def severed(text: bytes) -> dict[str, Any]:
    """Any bytes as the text, severed."""
    return {"extra": {23: [-16, hashlib.sha256(encode(text)).digest()]}, "severed": {23: text}}


def text_of(value: object) -> dict[str, Any]:
    """Any text, severed."""
    return severed(encode(value))


HELD = {1: VENDOR, 2: CLASS, 3: encode([-16, DIGEST]), 14: SIZE}
MANIFESTS: dict[str, tuple[bytes, Reason]] = {
    "by hand": (craft(), Reason.OK),
    "with everything": (craft(sections={7: [3, 15], 9: [23, 2], 20: suit_case.INSTALL}), Reason.OK),
    "another vendor": (craft([20, {**HELD, 1: OTHER}, 1, 15, 2, 15]), Reason.OK),
    "another class": (craft([20, {**HELD, 2: OTHER}, 1, 15, 2, 15]), Reason.OK),
    "version 2": (craft(extra={1: 2}), Reason.UNSUPPORTED),
    "no version": (craft(extra={1: ...}), Reason.UNSUPPORTED),
    "no sequence": (craft(extra={2: ...}), Reason.MALFORMED),
    "no common": (craft(extra={3: ...}), Reason.MALFORMED),
    "a sequence beyond 2**53": (craft(extra={2: 2**53}), Reason.MALFORMED),
    "a member in no table": (craft(extra={30: 1}), Reason.UNSUPPORTED),
    "a known extension": (craft(extra={5: [b"x"]}), Reason.UNSUPPORTED),
    "no components": (craft(components=()), Reason.MALFORMED),
    "components that are none": (craft(components=1), Reason.MALFORMED),
    "dependencies": (craft(common={1: {}}), Reason.UNSUPPORTED),
    "common with another member": (craft(common={9: 1}), Reason.UNSUPPORTED),
    "no vendor checked": (craft([20, HELD, 2, 15]), Reason.MALFORMED),
    "no class checked": (craft([20, HELD, 1, 15]), Reason.MALFORMED),
    "no vendor set": (craft([20, {k: v for k, v in HELD.items() if k != 1}, 1, 15, 2, 15]), Reason.MALFORMED),
    "no digest": (craft([20, {k: v for k, v in HELD.items() if k != 3}, 1, 15, 2, 15]), Reason.MALFORMED),
    "no size": (craft([20, {k: v for k, v in HELD.items() if k != 14}, 1, 15, 2, 15]), Reason.MALFORMED),
    "no address": (craft(sections={20: [21, 2, 3, 15]}), Reason.MALFORMED),
    "an empty address": (craft(sections={20: [20, {21: ""}, 21, 2, 3, 15]}), Reason.BAD_URI),
    "an address of 255 bytes": (craft(sections={20: [20, {21: "x" * 255}, 21, 2, 3, 15]}), Reason.OK),
    "an address of 256 bytes": (craft(sections={20: [20, {21: "x" * 256}, 21, 2, 3, 15]}), Reason.BAD_URI),
    "an address that is bytes": (craft(sections={20: [20, {21: b"x"}, 21, 2, 3, 15]}), Reason.BAD_URI),
    "a file that is not inside": (craft(sections={20: [20, {21: "#x"}, 21, 2, 3, 15]}), Reason.MALFORMED),
    "not compared": (craft(sections={20: [20, {21: "x"}, 21, 2]}), Reason.MALFORMED),
    "brings nothing": (craft(sections={7: [3, 15]}), Reason.UNSUPPORTED),
    "no section": (craft(sections={}), Reason.UNSUPPORTED),
    "nothing set": (craft(sections={20: [20, {}, 21, 2, 3, 15]}), Reason.MALFORMED),
    "parameters that are no map": (craft(sections={20: [20, 1, 21, 2, 3, 15]}), Reason.MALFORMED),
    "an odd sequence": (craft(sections={20: [20]}), Reason.MALFORMED),
    "a sequence that is none": (craft(sections={20: encode(7)}), Reason.MALFORMED),
    "bytes behind a sequence": (craft(sections={20: encode(suit_case.INSTALL) + b"\0"}), Reason.MALFORMED),
    "a command in no table": (craft(sections={20: [*suit_case.INSTALL, 99, 0]}), Reason.UNSUPPORTED),
    "a command that is no number": (craft(sections={20: [*suit_case.INSTALL, "x", 0]}), Reason.UNSUPPORTED),
    "a command that nobody runs": (craft(sections={20: [*suit_case.INSTALL, 29, 0]}), Reason.UNSUPPORTED),
    "a parameter in no table": (
        craft(sections={20: [20, {21: "x", 99: 1}, 21, 2, 3, 15]}),
        Reason.UNSUPPORTED,
    ),
    "a policy of 16": (craft(sections={20: [20, {21: "x"}, 21, 16, 3, 15]}), Reason.MALFORMED),
    "a vendor of 15 bytes": (craft([20, {**HELD, 1: bytes(15)}, 1, 15, 2, 15]), Reason.MALFORMED),
    "a digest of 31 bytes": (
        craft([20, {**HELD, 3: encode([-16, bytes(31)])}, 1, 15, 2, 15]),
        Reason.MALFORMED,
    ),
    "another digest algorithm": (
        craft([20, {**HELD, 3: encode([-43, DIGEST])}, 1, 15, 2, 15]),
        Reason.UNSUPPORTED,
    ),
    "a digest with more behind": (
        craft([20, {**HELD, 3: encode([-16, DIGEST]) + b"\0"}, 1, 15, 2, 15]),
        Reason.MALFORMED,
    ),
    "4 GiB less one": (craft([20, {**HELD, 14: 2**32 - 1}, 1, 15, 2, 15]), Reason.OK),
    "4 GiB": (craft([20, {**HELD, 14: 2**32}, 1, 15, 2, 15]), Reason.TOO_BIG),
    "started before it is compared": (
        craft(sections={9: [23, 2], 20: [20, {21: "x"}, 21, 2]}),
        Reason.MALFORMED,
    ),
    "two versions": (
        craft(**text_of({"de": {(b"\0",): {6: "1.2.3"}}, "en": {(b"\0",): {6: "1.2.4"}}})),
        Reason.MALFORMED,
    ),
    "a version twice": (
        craft(**text_of({"de": {(b"\0",): {6: "1.2.3+4"}}, "en": {(b"\0",): {6: "1.2.3+4"}}})),
        Reason.OK,
    ),
    "a version of others": (craft(**text_of({"en": {2: "x", (b"\0",): {6: "v7"}}})), Reason.OK),
    "a version of another component": (craft(**text_of({"en": {2: "x", (b"\1",): {6: "1.0.0"}}})), Reason.OK),
    "a component whose name is a number": (craft(**text_of({"en": {(5,): {6: "1.0.0"}}})), Reason.MALFORMED),
    "a text that nothing names": (craft(severed={23: encode(encode({"en": {2: "x"}}))}), Reason.MALFORMED),
    "a text of another digest": (
        craft(extra={23: [-16, bytes(32)]}, severed={23: encode({"en": {2: "x"}})}),
        Reason.DIGEST_MISMATCH,
    ),
    "texts out of order": (craft(**severed(b"\xa1\x62en\xa2\x02\x61x\x01\x61x")), Reason.MALFORMED),
    "parameters out of order": (
        craft(sections={20: b"\x82\x14\xa2\x15\x61x\x0e\x01"}),
        Reason.MALFORMED,
    ),
    "a member below the first": (craft(extra={0: 1}), Reason.UNSUPPORTED),
    "an empty section": (craft(sections={20: b""}), Reason.MALFORMED),
    "a section that ends in the next": (
        craft(sections={9: b"\x82\x17", 20: suit_case.INSTALL}),
        Reason.MALFORMED,
    ),
    "an empty tag and an empty text": (craft(**text_of({"": {2: ""}})), Reason.OK),
    "no words": (craft(**text_of({})), Reason.OK),
    "only another language": (craft(**text_of({"ja": {2: "x"}, "fr-CA": {2: "y"}})), Reason.OK),
    "languages out of order": (craft(**severed(b"\xa2\x62en\xa0\x62de\xa0")), Reason.MALFORMED),
    "a text in no table": (craft(**text_of({"en": {5: "x"}})), Reason.UNSUPPORTED),
    "a component's text in no table": (craft(**text_of({"en": {(b"\0",): {9: "x"}}})), Reason.UNSUPPORTED),
    "a text that is bytes": (craft(**text_of({"en": {2: b"x"}})), Reason.MALFORMED),
    "a text that is no map": (craft(**text_of([])), Reason.MALFORMED),
}
"""Manifest, and the reason of both languages."""

FURTHER: dict[str, bytes] = {
    "reference-uri": craft(extra={4: "x"}),
    "set-version": craft(extra={6: encode([1, 2])}),
    "payload-fetch": craft(sections={16: suit_case.INSTALL}),
    "two components": suit_case.two_components(),
    "another component": craft(components=([b"\1"],)),
    "a delta": suit_case.delta_patch(),
    "two slots": suit_case.two_slots(),
    "a file inside": suit_case.integrated(),
    "set-component-index": craft([12, 0, *identity()]),
    "device-id": craft([*identity(), 20, {24: OTHER}, 24, 15]),
    "a question about what runs": craft(sections={20: [3, 15, *suit_case.INSTALL]}),
    "set twice": craft(sections={20: [20, {14: 5}, *suit_case.INSTALL]}),
    "fetched twice": craft(sections={20: [*suit_case.INSTALL, 21, 2, 3, 15]}),
    "a text inside": craft(extra={23: encode({"en": {2: "x"}})}),
}
"""What Python knows and this device does not."""


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_means_the_same(core: Core, name: str) -> None:
    data, reason = MANIFESTS[name]
    assert same(rooted(core), sealed(data)) is reason


@pytest.mark.parametrize("name", FURTHER)
def test_what_goes_beyond_the_subset_is_unsupported(core: Core, name: str) -> None:
    rooted(core)
    data = sealed(FURTHER[name])
    assert open_suit(core, data)[0] is Reason.UNSUPPORTED
    # Of two faults either may be said: which members an envelope has is seen before who signed it.
    unsigned = {Reason.UNKNOWN_KEY, Reason.UNSUPPORTED} if name == "a file inside" else {Reason.UNKNOWN_KEY}
    assert open_suit(core, FURTHER[name])[0] in unsigned


def test_one_sections_digest_may_not_stand_for_it(core: Core) -> None:
    data = craft(sections={20: [-16, DIGEST]} | {}, extra={20: [-16, DIGEST]})
    assert open_suit(rooted(core), sealed(data))[0] is Reason.UNSUPPORTED


@pytest.mark.parametrize("language", ["en", "de", "pt-BR", "zh-Hant-TW", "fr"])
@pytest.mark.parametrize(
    "tags", [(), ("de",), ("ja", "en-GB", "en-AU"), ("pt", "pt-PT"), ("zh-Hans", "b", "a"), ("fr-CA", "en")]
)
def test_a_patch_speaks_the_owners_language(core: Core, language: str, tags: tuple[str, ...]) -> None:
    data = sealed(craft(**text_of({tag: {2: "x"} for tag in tags})))
    reason, manifest = open_suit(rooted(core, language=language), data)
    assert (reason, manifest.speaks or None) == (Reason.OK, fallback((language,), tags))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-300, 300) | st.binary(max_size=20) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(0, 30) | st.text(max_size=3), inner, max_size=4)
        | st.lists(inner, max_size=6).map(encode)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([1, 2, 3, 4, 7, 9, 16, 20, 23]), VALUES, max_size=3), VALUES)
@settings(max_examples=120, deadline=None)
def test_any_signed_nonsense_is_refused_by_both(core_library: Core, extra: Any, shared: Any) -> None:
    core_library.new()
    rooted(core_library)
    data = sealed(craft(list(shared) if isinstance(shared, list) else [20, shared], extra=extra))
    expected = verdict(lambda: suit.open_envelope(data, FLEET.root, product=PRODUCT, algorithms=UNDECLARED))
    found = open_suit(core_library, data)[0]
    # Of two faults either may be said: C judges all of the form first, and an address after it.
    faults = {Reason.MALFORMED, Reason.BAD_URI}
    assert found is expected or Reason.UNSUPPORTED in {found, expected} or {found, expected} == faults
    assert found is not Reason.OK or expected is Reason.OK


@given(st.text(max_size=64).filter(lambda name: "\0" not in name and len(name.encode()) <= 64))
@example("n" * 39)  # with the name space, as much as one block of SHA-1 bears
@example("n" * 40)
@example("n" * 64)
@settings(max_examples=60, deadline=None)
def test_vendor_and_class_are_uuids_of_names(core_library: Core, name: str) -> None:
    found = ctypes.create_string_buffer(16)
    core_library.lib.tn_uuid5(None, name.encode(), found)
    assert found.raw == uuid.uuid5(uuid.NAMESPACE_DNS, name).bytes
