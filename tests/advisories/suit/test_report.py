from __future__ import annotations

from dataclasses import replace

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories import limits, suit
from advisories.suit import BOOT, UPDATE, Device, make_report, open_suit_report
from advisories.suit.numbers import ReportReason
from advisories.suit.report import Claim
from keys.cbor import encode
from keys.errors import RefusedError
from keys.reasons import Reason
from tests.advisories.suit_case import (
    CLASS,
    URI,
    VENDOR,
    built,
    craft,
    delta_patch,
    refused,
    two_components,
)

HERE, THERE = (b"\x00",), (b"\x01",)
DEVICE = Device(VENDOR, CLASS, frozenset({HERE, THERE}))
OTHER = bytes(32)
PATCH = suit.peek(built())


def reported(patch=PATCH, outcomes=(), device=DEVICE, procedure=UPDATE, **more):
    return open_suit_report(make_report(patch, procedure, device, outcomes, **more))


def records(report):
    return [(r.origin.section, r.origin.offset) for r in report.records if not isinstance(r, Claim)]


def test_a_success_says_what_was_found_where_the_policy_asks_for_it():
    report = reported(outcomes=(True, True, True))
    assert (report.failure, report.words(), report.manifest) == (None, "success", PATCH.digest)
    claims = [claim for claim in report.records if isinstance(claim, Claim)]
    assert [dict(claim.measured) for claim in claims] == [{1: VENDOR}, {2: CLASS}]
    assert {claim.component for claim in claims} == {HERE}
    # Vendor and class in common for each of two sections, image-match in install and in validate; not the fetch.
    assert [section for section, _ in records(report)] == [3, 3, 20, 3, 3, 7]


def test_a_failure_says_where_and_what_was_found():
    data = cbor2.loads(make_report(PATCH, UPDATE, DEVICE, (True, False), found=OTHER))
    assert data[4][5] == Reason.DIGEST_MISMATCH
    assert data[4][7] == ReportReason.CONDITION_FAILED
    manifest, section, offset, component, measured = data[4][6]
    assert (manifest, section, component) == ([], 20, 0)
    install = encode([20, {21: URI}, 21, 2, 3, 15])
    assert install[offset] == 3
    assert measured == {3: encode([-16, OTHER])}
    assert data[99] == ["", [-16, PATCH.digest]]


WHY = {
    "another vendor": (replace(DEVICE, vendor_id=CLASS), (), ReportReason.CONDITION_FAILED, 3),
    "no such component": (
        replace(DEVICE, components=frozenset({THERE})), (), ReportReason.COMPONENT_UNSUPPORTED, 3,
    ),
    "a fetch that failed": (DEVICE, (False,), ReportReason.OPERATION_FAILED, 20),
    "an image that does not match": (DEVICE, (True, True, False), ReportReason.CONDITION_FAILED, 7),
}  # fmt: skip


@pytest.mark.parametrize(("device", "outcomes", "why", "section"), WHY.values(), ids=WHY.keys())
def test_every_failure_has_a_reason_of_the_draft(device, outcomes, why, section):
    failure = reported(outcomes=outcomes, device=device).failure
    assert (failure.reason, failure.record.origin.section) == (why, section)


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([29, {1: 1}], ReportReason.COMMAND_UNSUPPORTED),
        ([20, {19: b"e"}], ReportReason.PARAMETER_UNSUPPORTED),
        ([18, 2], ReportReason.OPERATION_FAILED),
    ],
)
def test_what_is_not_supported_is_reported_as_that(steps, why):
    # The patch can be opened: what is not supported stands where only a boot comes by.
    patch = suit.peek(craft(sections={20: [20, {21: URI}, 21, 2, 3, 15], 9: steps}))
    assert reported(patch, procedure=BOOT).failure.reason is why


def test_a_section_that_was_cut_off_is_reported_as_that():
    cut = suit.parse(suit.decode(craft(sections={}, extra={20: [-16, OTHER]})))
    with pytest.raises(suit.ProcedureError) as error:
        suit.execute(cut, UPDATE, DEVICE)
    assert error.value.why is ReportReason.SEVERING_UNSUPPORTED


def test_an_operation_that_was_not_carried_out_is_the_one_that_failed():
    failure = reported(outcomes=(), failed=Reason.NO_SPACE).failure
    assert (failure.code, failure.reason) == (Reason.NO_SPACE, ReportReason.OPERATION_FAILED)
    assert failure.record.origin.section == 20
    failure = reported(outcomes=(True,), failed=Reason.DIGEST_MISMATCH, found=OTHER).failure
    assert failure.reason is ReportReason.CONDITION_FAILED
    assert failure.record.measured == {3: encode([-16, OTHER])}


def test_what_has_not_come_to_its_end_is_no_success():
    assert reported(outcomes=(True,)).failure.reason is ReportReason.OPERATION_FAILED
    booting = reported(outcomes=(True,), procedure=BOOT).failure
    assert (booting.reason, booting.code) == (ReportReason.INVOKE_PENDING, Reason.OK)
    nothing = suit.peek(craft(sections={20: [20, {21: URI}, 21, 2, 3, 15], 9: []}))
    assert reported(nothing, procedure=BOOT, failed=Reason.BUSY).failure.code == Reason.BUSY


def test_the_way_that_was_not_taken_is_on_record():
    base = suit.read_arguments(suit.peek(delta_patch()).fetches[0].arguments).base
    device = replace(DEVICE, measured={HERE: base})
    taken = reported(suit.peek(delta_patch()), (False, True, True, True), device)
    assert taken.failure is None
    # The fetch of the delta asked to be recorded where it fails; the condition before it, where it holds.
    sections = [section for section, _ in records(taken)]
    assert sections == [3, 3, 20, 20, 20, 3, 3, 7]


def test_a_nonce_and_what_the_device_can_do_are_there_when_asked_for():
    report = reported(outcomes=(True,) * 3, nonce=b"n" * 16, capabilities=True)
    assert (report.nonce, report.capable) == (b"n" * 16, True)
    assert reported(outcomes=(True,) * 3).capable is False


def many(count, uri="x"):
    sections = {20: [20, {21: URI}, 21, 2, *[3, 15] * count], 7: [3, 15]}
    return suit.peek(craft(sections=sections, extra={4: uri}))


def test_the_oldest_records_give_way_and_are_counted():
    count = 60
    outcomes = (True,) * (count + 2)
    data = make_report(many(count), UPDATE, DEVICE, outcomes)
    assert len(data) <= limits.SUIT_REPORT_BYTES_MAX
    short = reported(many(count, "x" * limits.URI_BYTES_MAX), outcomes, nonce=b"n" * 64)
    whole = reported(many(2), (True,) * 4)
    assert (whole.left_out, short.left_out > 0) == (0, True)
    assert records(short)[-1] == records(whole)[-1]
    assert len(short.records) + short.left_out == len(whole.records) + count - 2


def test_what_a_device_can_do_gives_way_last():
    long = suit.peek(craft(extra={4: "x" * limits.URI_BYTES_MAX}))
    crowd = replace(DEVICE, components=frozenset((bytes((n,)) * 60,) for n in range(9)) | {HERE})
    report = reported(long, (True,) * 2, crowd, capabilities=True)
    assert report.capable is False
    assert report.failure is None


def test_a_failed_condition_of_a_second_component_names_it():
    patch = suit.peek(two_components())
    assert reported(patch, (True, True, True, False)).failure.record.origin.component == 1


def body(**changes):
    whole = cbor2.loads(make_report(PATCH, UPDATE, DEVICE, (True, False)))
    return {**whole, **{int(key.removeprefix("k")): value for key, value in changes.items()}}


WRONG = {
    "a list": [],
    "no reference": {k: v for k, v in body().items() if k != 99},
    "no result": {k: v for k, v in body().items() if k != 4},
    "no records": {k: v for k, v in body().items() if k != 3},
    "an unknown member": body(k9=1),
    "a result that is false": body(k4=False),
    "a result without a reason": body(k4={5: 1, 6: body()[4][6]}),
    "a reason of no draft": body(k4={**body()[4], 7: 13}),
    "a code that is a text": body(k4={**body()[4], 5: "x"}),
    "a record of four parts": body(k3=[[[], 20, 0, 0]]),
    "a record of a dependency": body(k3=[[[1], 20, 0, 0, {}]]),
    "a record of no section": body(k3=[[[], 99, 0, 0, {}]]),
    "a record of a section that is a list": body(k3=[[[], [], 0, 0, {}]]),
    "a record at a negative byte": body(k3=[[[], 20, -1, 0, {}]]),
    "a measured value of no table": body(k3=[[[], 20, 0, 0, {99: 1}]]),
    "a measured value that is a list": body(k3=[[[], 20, 0, 0, {3: []}]]),
    "a claim about nothing": body(k3=[{1: VENDOR}]),
    "a claim about a text": body(k3=[{0: ["x"], 1: VENDOR}]),
    "a record that is a number": body(k3=[1]),
    "a reference without a digest": body(k99=["x"]),
    "a reference by SHA-512": body(k99=["x", [-44, bytes(64)]]),
    "a long address": body(k99=["x" * 256, [-16, OTHER]]),
    "an empty nonce": body(k2=b""),
    "a nonce of 65 bytes": body(k2=bytes(65)),
    "capabilities that are a list": body(k8=[]),
}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_report_is_refused(value):
    assert refused(open_suit_report, encode(value))[0] in {
        Reason.MALFORMED, Reason.UNSUPPORTED, Reason.BAD_URI,
    }  # fmt: skip


def test_a_report_is_small():
    assert refused(open_suit_report, bytes(limits.SUIT_REPORT_BYTES_MAX + 1))[0] is Reason.TOO_BIG


@given(st.binary(max_size=60), st.integers(0, 400))
def test_any_bytes_are_read_or_refused(data, at):
    whole = make_report(PATCH, UPDATE, DEVICE, (True, False))
    for candidate in (data, whole[:at] + data + whole[at + len(data) :]):
        try:
            report = open_suit_report(candidate)
        except RefusedError:
            continue
        assert report.words()


@given(st.lists(st.booleans(), max_size=6), st.sampled_from([PATCH, suit.peek(delta_patch())]))
def test_whatever_came_of_it_there_is_a_report(outcomes, patch):
    report = reported(patch, outcomes)
    assert report.manifest == patch.digest
    assert (report.failure is None) == (report.words() == "success")
