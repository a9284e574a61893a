"""A file and its manifest: images that imgtool made agree, and each way to disagree has its code."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace

import pytest
from imgtool.keys.ed25519 import Ed25519
from imgtool.version import decode_version

from advisories import mcuboot, suit
from advisories.suit.check import RULES, Found, Promise, files_named, findings, other_images, stated
from advisories.suit.numbers import Parameter
from keys.cbor import encode
from keys.errors import RefusedError
from tests.advisories.suit_case import CLASS, DIGEST, IMAGE, URI, VENDOR, VERSION, craft, identity
from tests.advisories.test_mcuboot import tool_image

GOOD = tool_image(b"code" * 30, counter=5, vid="example.com", cid="thermostat", key=Ed25519.generate())

OTHER_VENDOR, OTHER_CLASS = suit.identifiers("example.org", "doorbell")


def found(data):
    """What a file is, as whoever reads it piece by piece says."""
    try:
        return Found(hashlib.sha256(data).digest(), len(data), mcuboot.parse(data))
    except RefusedError as error:
        fault = error.detail if data.startswith(b"\x3d\xb8\xf3\x96") else ""
        return Found(hashlib.sha256(data).digest(), len(data), fault=fault)


def promise(data=GOOD, **changes):
    digest = hashlib.sha256(data).digest()
    return replace(Promise(digest, len(data), VERSION, VENDOR, CLASS, counter_floor=5), **changes)


def codes(promised, data):
    judged = findings(promised, found(data))
    return [finding.code for finding in judged if finding.blocks], [f.code for f in judged if not f.blocks]


def test_an_image_that_imgtool_made_for_this_vendor_and_class_agrees():
    assert codes(promise(), GOOD) == ([], ["SIGNATURE"])
    (signature,) = findings(promise(), found(GOOD))
    assert "Ed25519" in signature.message


OTHER = tool_image(b"code" * 30, counter=5, vid="example.org", cid="doorbell")
BARE = tool_image(b"code" * 30, counter=None)
NEEDY = tool_image(b"code" * 30, needs={"images": ["1"], "versions": [decode_version("2.0.0+3")]})
ABSENT = ["VENDOR_ABSENT", "CLASS_ABSENT", "SIGNATURE"]
CASES = {
    "another file": (promise(size=7), OTHER, ["IMAGE_SIZE", "IMAGE_DIGEST", "VENDOR_DIFFERS", "CLASS_DIFFERS"], ["SIGNATURE"]),
    "another version": (promise(version=(1, 4, 3, 0)), GOOD, ["VERSION_DIFFERS"], ["SIGNATURE"]),
    "no version promised": (promise(version=None), GOOD, [], ["VERSION_UNSTATED", "SIGNATURE"]),
    "a counter that stayed": (promise(counter_floor=5), GOOD, [], ["SIGNATURE"]),
    "a counter that fell": (promise(counter_floor=6), GOOD, ["COUNTER_BELOW"], ["SIGNATURE"]),
    "no counter": (promise(BARE), BARE, ["COUNTER_ABSENT"], ABSENT),
    "another vendor": (promise(OTHER, class_id=OTHER_CLASS), OTHER, ["VENDOR_DIFFERS"], ["SIGNATURE"]),
    "another class": (promise(OTHER, vendor_id=OTHER_VENDOR), OTHER, ["CLASS_DIFFERS"], ["SIGNATURE"]),
    "nothing of vendor and class": (promise(NEEDY), NEEDY, [], [*ABSENT, "DEPENDENCY"]),
    "a component beside": (
        promise(OTHER, boots=False, counter_floor=9, vendor_id=OTHER_VENDOR), OTHER, [], ["SIGNATURE"]),
    "a component beside, without a counter": (promise(BARE, boots=False), BARE, [], ["VENDOR_ABSENT", "SIGNATURE"]),
    "any file": (promise(b"bundle"), b"bundle", [], ["NOT_MCUBOOT"]),
    "an image cut short": (promise(GOOD[:-1]), GOOD[:-1], ["IMAGE_BROKEN"], []),
}  # fmt: skip


@pytest.mark.parametrize(("promised", "data", "wrong", "remarks"), CASES.values(), ids=CASES.keys())
def test_each_way_to_disagree_has_its_code(promised, data, wrong, remarks):
    assert codes(promised, data) == (wrong, remarks)


def test_whatever_blocks_is_one_sentence_with_a_mend():
    seen = set()
    for promised, data, _, _ in CASES.values():
        for finding in findings(promised, found(data)):
            assert finding.message.endswith(".")
            assert "\n" not in finding.message
            assert finding.mend or not finding.blocks
            seen.add(finding.code)
    assert len(seen) == 14
    assert len(RULES) == 9


def test_the_mend_of_an_identifier_is_what_imgtool_takes():
    (vendor, class_, _) = findings(promise(BARE, boots=True, counter_floor=0), found(BARE))[1:]
    vid, cid = (finding.mend.split("'")[1].split()[-1] for finding in (vendor, class_))
    assert (vid, cid) == (str(uuid.UUID(bytes=VENDOR)), str(uuid.UUID(bytes=CLASS)))
    mended = tool_image(b"code" * 30, counter=5, vid=vid, cid=cid)
    assert codes(promise(mended), mended) == ([], ["SIGNATURE"])


def test_every_file_that_a_device_may_fetch_from_us_is_named():
    digest = [bytes([n]) * 32 for n in range(5)]
    files = [suit.File(each, 9, f"artefact/{each.hex()}") for each in digest]
    delta = suit.Delta(files[1], b"b" * 32, 9)
    payloads = (
        suit.Payload((files[0],), version=VERSION, deltas=(delta,)),
        suit.Payload((files[2], files[3]), (b"radio",)),
        suit.Payload((suit.File(hashlib.sha256(IMAGE).digest(), len(IMAGE), "#in", IMAGE),), (b"in",)),
    )
    plan = suit.PatchPlan(sequence=7, vendor_id=VENDOR, class_id=CLASS, payloads=payloads)
    assert set(files_named(suit.peek(suit.compose(plan)))) == set(digest[:4])


def test_what_a_run_sequence_sets_is_stated_too():
    nested = craft([*identity(), 32, encode([20, {5: 1}])])
    manifest = suit.parse(suit.decode(nested))
    assert (Parameter.COMPONENT_SLOT, 1) in list(stated(manifest))


def test_a_base_that_can_also_be_fetched_is_another_image():
    base, delta = b"\xee" * 32, b"\xdd" * 32
    old, new = encode([-16, base]), encode([-16, DIGEST])
    how = {21: f"artefact/{delta.hex()}", 25: encode({1: 1, 2: 10, 3: delta, 4: base})}
    rebuilt = encode([20, {3: old}, 3, 15, 20, {3: new, **how}, 21, 2, 3, 15])
    whole = encode([20, {24: VENDOR}, 24, 15, 20, {3: new, 21: URI, 25: b""}, 21, 2, 3, 15])
    hidden = encode([20, {3: old, 21: f"artefact/{base.hex()}", 25: b""}, 21, 2, 3, 15])
    for alternatives, others in (([rebuilt, whole], ()), ([rebuilt, whole, hidden], (base,))):
        patch = suit.peek(craft(identity(), {20: [15, alternatives]}))
        assert patch.image_digest == DIGEST
        assert other_images(patch) == others
