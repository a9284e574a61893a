"""A report with the most of everything fits into one message; SUIT_Reports that find no room are left out first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisories import limits
from advisories.report import (
    Agreed,
    Consented,
    JournalEntry,
    NoticeStatus,
    PatchStatus,
    Report,
    Track,
    fitted,
    open_report,
    seal_report,
)
from advisories.states import NoticeState, PatchState, Surface
from keys.algorithms import SIGNATURE_BYTES, Algorithm
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from tests.advisories.wire import FLEET, REPORT
from tests.helpers import DEVICE, key

LONG = "x" * limits.ID_BYTES_MAX
TAG = "x" * limits.LANGUAGE_BYTES_MAX
SUIT = bytes(limits.SUIT_REPORT_BYTES_MAX)
PATCH = PatchStatus(
    digest=bytes(32),
    sequence=VERSION_MAX,
    state=PatchState.REMOVED,
    time=VERSION_MAX,
    reason=Reason.OUT_OF_WINDOW,
    consent=Consented(
        how=Agreed.ALWAYS, time=VERSION_MAX, question=bytes(32), notice=bytes(32), language=TAG
    ),
    done=100,
    deferrals=255,
    suit=SUIT,
)
NOTICE = NoticeStatus(
    id=LONG,
    revision=65_535,
    digest=bytes(32),
    state=NoticeState.NOT_APPLICABLE,
    time=VERSION_MAX,
    reason=Reason.OUT_OF_WINDOW,
    surface=Surface.COMPANION,
    language=TAG,
    confirmed=VERSION_MAX,
)
ENTRY = JournalEntry(
    index=VERSION_MAX,
    time=VERSION_MAX,
    track=Track.DEVICE,
    name=LONG,
    old=255,
    new=255,
    reason=Reason.OUT_OF_WINDOW,
    digest=bytes(32),
)
LARGEST = replace(
    REPORT,
    subject=(LONG,),
    version=VERSION_MAX,
    issued=VERSION_MAX,
    expires=VERSION_MAX,
    author=(LONG, LONG),
    product=LONG,
    installed=(255, 255, 65_535, 2**32 - 1),
    boot_epoch=VERSION_MAX,
    root_version=VERSION_MAX,
    journal_count=VERSION_MAX,
    journal=(ENTRY,) * limits.REPORT_JOURNAL_MAX,
    language=TAG,
    algorithms=tuple(sorted(SIGNATURE_BYTES)),
    audit_head=bytes(32),
)


def suits(report: Report) -> list[bool]:
    return [status.suit is not None for status in report.patches]


@pytest.mark.parametrize("algorithm", sorted(SIGNATURE_BYTES))
@pytest.mark.parametrize(
    "states",
    [
        {"notices": (), "patches": (PATCH,) * limits.REPORT_STATES_MAX},
        {"notices": (NOTICE,) * limits.REPORT_STATES_MAX, "patches": ()},
        {"notices": (NOTICE,) * 8, "patches": (PATCH,) * 8},
    ],
)
def test_the_largest_report_fits_with_any_signature(algorithm: Algorithm, states: dict[str, Any]) -> None:
    signer = key("device", algorithm)
    whole = replace(LARGEST, **states)
    report = fitted(whole, algorithm)
    data = seal_report(report, signer)
    assert len(data) <= limits.REPORT_BYTES_MAX
    assert open_report(data, signer.public, fleet=FLEET.id, device=LONG) == report
    bare = [replace(status, suit=None) for status in whole.patches]
    assert [replace(status, suit=None) for status in report.patches] == bare
    assert replace(report, patches=()) == replace(whole, patches=())


def test_sixteen_suit_reports_of_a_usual_size_fit_beside_a_full_journal() -> None:
    patch = replace(PATCH, suit=bytes(320), consent=replace(PATCH.consent, language="en"))  # type: ignore[type-var]
    entry = replace(ENTRY, index=4_000, time=1_800_000_000, name="0123456789abcdef", old=5, new=6)
    report = replace(
        REPORT,
        notices=(),
        patches=(patch,) * limits.REPORT_STATES_MAX,
        journal=(entry,) * limits.REPORT_JOURNAL_MAX,
    )
    assert fitted(report, Algorithm.ED25519) == report
    assert len(seal_report(report, FLEET.device())) <= limits.REPORT_BYTES_MAX


def test_the_last_patches_lose_theirs_first_and_no_more_than_must() -> None:
    signer = key("device")
    patches = tuple(replace(PATCH, sequence=number) for number in range(limits.REPORT_STATES_MAX))
    whole = replace(REPORT, notices=(), patches=patches, journal=(ENTRY,) * limits.REPORT_JOURNAL_MAX)
    report = fitted(whole, Algorithm.ED25519)
    kept = suits(report).count(True)
    assert 0 < kept < len(patches)
    assert suits(report) == [True] * kept + [False] * (len(patches) - kept)
    room = limits.REPORT_BYTES_MAX - len(seal_report(report, signer))
    assert 0 <= room < len(SUIT) + 64


@pytest.mark.parametrize("algorithm", sorted(SIGNATURE_BYTES))
def test_all_the_room_is_used(algorithm: Algorithm) -> None:
    signer = key("device", algorithm)

    def of(size: int, entries: int) -> Report:
        patches = (*(replace(PATCH, suit=bytes(500)) for _ in range(15)), replace(PATCH, suit=bytes(size)))
        return replace(REPORT, notices=(), patches=patches, journal=(ENTRY,) * entries)

    def sealed(size: int, entries: int) -> int:
        return len(seal_report(of(size, entries), signer))

    entries = next(n for n in range(64) if sealed(600, n) > limits.REPORT_BYTES_MAX - 100)
    size = 600 + limits.REPORT_BYTES_MAX - sealed(600, entries)
    assert sealed(size, entries) == limits.REPORT_BYTES_MAX
    size -= 0 if algorithm in {Algorithm.ML_DSA_44, Algorithm.ML_DSA_65} else 2  # their labels are longer
    assert fitted(of(size, entries), algorithm) == of(size, entries)
    assert suits(fitted(of(size + 1, entries), algorithm)) == [True] * 15 + [False]


def test_a_report_without_any_stays_as_it_is() -> None:
    assert fitted(REPORT, Algorithm.ED25519) is REPORT
    assert open_report(
        seal_report(REPORT, FLEET.device()), FLEET.device().public, fleet=FLEET.id, device=DEVICE
    )
