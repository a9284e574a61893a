"""The draft's own examples: what each says of itself is what comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisories import suit
from advisories.suit import BOOT, UPDATE, Copy, Device, Fetch, Invoke, Match
from advisories.suit.interpreter import execute
from advisories.suit.report import make_report, open_suit_report
from keys.reasons import Reason
from tests.advisories.suit_case import VECTORS, needs_vectors, refused

ZERO, ONE, TWO = ((bytes((number,)),) for number in range(3))
VENDOR = bytes.fromhex("fa6b4a53d5ad5fdfbe9de663e4d41ffe")
CLASS = bytes.fromhex("1492af1425695e48bf429b2d51f2ab45")
A = bytes.fromhex("00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210")
B = bytes.fromhex("0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff")
FITS = Device(VENDOR, CLASS, frozenset({ZERO, ONE, TWO}))
FILE, FILE_1, FILE_2 = (f"http://example.com/{name}.bin" for name in ("file", "file1", "file2"))
LONG = "http://example.com/very/long/path/to/file/file.bin"
SIZE_A, SIZE_B = 34_768, 76_834
MATCH_A, MATCH_B = Match(ZERO, A, SIZE_A), Match(ZERO, B, SIZE_B)
CHECK_A = (MATCH_A, MATCH_A)

# name: what an update comes to, what a boot comes to; for example 3 by the slot that is written.
VERDICTS = {
    "example0": ((MATCH_A,), (MATCH_A, Invoke(ZERO))),  # secure boot
    "example1": ((Fetch(ZERO, FILE, A, SIZE_A), *CHECK_A), (MATCH_A,)),  # download
    "example2": (None, (MATCH_A, Invoke(ZERO))),  # its install section was cut off
    "example2_full": ((Fetch(ZERO, LONG, A, SIZE_A), *CHECK_A), (MATCH_A, Invoke(ZERO))),
    "example3": ((Fetch(ZERO, FILE_1, A, SIZE_A), *CHECK_A), (MATCH_A,)),  # A/B, slot 0
    "example4": (  # staged, installed by copying, loaded into memory, started there
        (
            Fetch(TWO, FILE, A, None),
            Match(TWO, A, None),
            Copy(ZERO, TWO, A, SIZE_A),
            MATCH_A,
            MATCH_A,
        ),
        (MATCH_A, Copy(ONE, ZERO, B, SIZE_B), Match(ONE, B, SIZE_B), Invoke(ONE)),
    ),
    "example5": (  # two images
        (
            Fetch(ZERO, FILE_1, A, SIZE_A),
            MATCH_A,
            Fetch(ONE, FILE_2, B, SIZE_B),
            Match(ONE, B, SIZE_B),
            MATCH_A,
            Match(ONE, B, SIZE_B),
        ),
        (MATCH_A, Match(ONE, B, SIZE_B), Invoke(ZERO)),
    ),
}
FILES = {
    path: path.stem.replace("_unsigned", "").replace("_signed", "") for path in sorted(VECTORS.glob("*.suit"))
}
pytestmark = needs_vectors


def manifest(path):
    return suit.parse(suit.decode(path.read_bytes()))


@pytest.mark.parametrize(("path", "name"), FILES.items(), ids=lambda value: getattr(value, "stem", ""))
def test_a_device_that_fits_does_what_the_example_says(path, name):
    update, boot = VERDICTS[name]
    if update is None:
        assert refused(execute, manifest(path), UPDATE, FITS)[0] is Reason.MALFORMED
    else:
        assert execute(manifest(path), UPDATE, FITS).operations == update
    assert execute(manifest(path), BOOT, FITS).operations == boot


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("procedure", [UPDATE, BOOT], ids=["update", "boot"])
@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (replace(FITS, vendor_id=CLASS), Reason.WRONG_MODEL),
        (replace(FITS, class_id=VENDOR), Reason.WRONG_MODEL),
        (replace(FITS, components=frozenset({(b"\x09",)})), Reason.UNSUPPORTED),
    ],
    ids=["another vendor", "another class", "no such component"],
)
def test_a_device_that_does_not_fit_does_nothing(path, procedure, device, reason):
    cut = FILES[path] == "example2" and procedure == UPDATE and reason is Reason.WRONG_MODEL
    assert refused(execute, manifest(path), procedure, device)[0] is (Reason.MALFORMED if cut else reason)


@pytest.mark.parametrize(
    ("slot", "update"),
    [
        (0, (Fetch(ZERO, FILE_1, A, SIZE_A), *CHECK_A)),
        (1, (Fetch(ZERO, FILE_2, B, SIZE_B), MATCH_B, MATCH_B)),
    ],
)
def test_the_slot_chooses_the_image_and_its_address(slot, update):
    found = manifest(VECTORS / "example3_signed.suit")
    assert execute(found, UPDATE, replace(FITS, slot=slot)).operations == update
    assert execute(found, BOOT, replace(FITS, slot=slot)).operations == (update[1],)


def test_a_third_slot_fits_neither_image():
    found = manifest(VECTORS / "example3_signed.suit")
    assert refused(execute, found, UPDATE, replace(FITS, slot=2))[0] is Reason.UPDATE_FAILED


@pytest.mark.parametrize(("path", "name"), FILES.items(), ids=lambda value: getattr(value, "stem", ""))
@pytest.mark.parametrize("procedure", [UPDATE, BOOT], ids=["update", "boot"])
def test_any_failed_operation_of_an_example_ends_it(path, name, procedure):
    operations = VERDICTS[name][0 if procedure == UPDATE else 1] or ()
    for number, operation in enumerate(operations):
        outcomes = [True] * number + [False]
        wanted = Reason.DIGEST_MISMATCH if isinstance(operation, Match) else Reason.UPDATE_FAILED
        assert refused(execute, manifest(path), procedure, FITS, outcomes)[0] is wanted
        assert execute(manifest(path), procedure, FITS, outcomes[:-1]).operations == operations


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("example0", Reason.UNSUPPORTED),  # it brings nothing
        ("example2", Reason.MALFORMED),  # what it brings was cut off
        ("example4", Reason.MALFORMED),  # the size of what is staged is not stated
    ],
)
def test_what_cannot_be_installed_by_our_devices_is_no_patch(name, reason):
    assert refused(suit.peek, (VECTORS / f"{name}_signed.suit").read_bytes())[0] is reason


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("example1_signed", [(ZERO, A, SIZE_A, FILE)]),
        ("example2_signed_full", [(ZERO, A, SIZE_A, LONG)]),
        ("example3_signed", [(ZERO, A, SIZE_A, FILE_1)]),
        ("example5_signed", [(ZERO, A, SIZE_A, FILE_1), (ONE, B, SIZE_B, FILE_2)]),
    ],
)
def test_what_an_example_brings_is_known_before_it_runs(name, held):
    patch = suit.peek((VECTORS / f"{name}.suit").read_bytes())
    assert [(c.component, c.digest, c.size, c.uri) for c in patch.payloads] == held
    assert (patch.image_digest, patch.image_size, patch.uri) == (A, SIZE_A, held[0][3])


def test_an_example_is_reported_on():
    patch = suit.peek((VECTORS / "example2_signed_full.suit").read_bytes())
    report = open_suit_report(make_report(patch, UPDATE, FITS, [True, True, False]))
    assert (report.uri, report.manifest) == ("https://git.io/JJYoj", patch.digest)
    assert report.words() == "condition-failed in validate at byte 1, component 0 (DIGEST_MISMATCH)"
