"""Receipts and refusals of the C device: which answer ends which report, and what is journaled of what was refused."""

from __future__ import annotations

from typing import Any

import pytest

from advisories.report import Report
from advisories.states import NoticeState
from keys.reasons import Reason
from tests.helpers import DEVICE, PRODUCT, answer

from .build import Core
from .device_of_c import FLEET, Device
from .notice_of_c import LATER, moves, passes
from .test_journal import KEPT, reports, say

TOPIC = f"device/{DEVICE}/answer"
WAITING = 48
"""TN_JOURNAL_REFUSALS_MAX."""
REFUSALS = 16
"""TN_REFUSALS_PER_BOOT_MAX."""
OF_REPORT = 12
"""TN_JOURNAL_REPORT_MAX."""


@pytest.fixture
def device(core: Core) -> Device:
    return Device(core)


def answered(device: Device, report: Report, **fields: Any) -> Reason:
    """Bring the answer to a report: a receipt for it, and for none of its journal."""
    base: dict[str, Any] = {"nonce": report.nonce, "receipt": report.order, "journal_count": 0}
    return device.put(TOPIC, FLEET.seal(answer(FLEET, **(base | fields))))


def repeated(device: Device, seconds: list[int]) -> list[Report]:
    """Return one report for each of these times."""
    found = []
    for second in seconds:
        passes(device, [second])
        (one,) = reports(device)
        found.append(one)
    return found


TIMES = [0, 7, 20, 46, 97, 198]
"""Each longer than the pause before the next report."""


def test_a_report_is_repeated_until_its_receipt_comes_each_time_later(device: Device) -> None:
    found = repeated(device, TIMES)
    assert [one.version for one in found] == list(range(1, 1 + len(TIMES)))
    assert len({one.nonce for one in found}) == len(TIMES)
    assert answered(device, found[-1]) is Reason.OK
    passes(device, [199, 400, 800])
    assert reports(device) == []


@pytest.mark.parametrize(("newest", "known"), [(1, True), (2, True), (4, True), (5, False), (6, False)])
def test_an_answer_is_known_by_one_of_the_last_four_nonces(
    device: Device, newest: int, *, known: bool
) -> None:
    found = repeated(device, TIMES)
    reason = answered(device, found[-newest], receipt=found[-1].order)
    assert reason is (Reason.OK if known else Reason.WRONG_NONCE)
    passes(device, [400, 800])
    assert (reports(device) == []) == known


@pytest.mark.parametrize("nonce", [bytes(16), b"\xff" * 16])
def test_an_answer_to_no_nonce_changes_nothing(device: Device, nonce: bytes) -> None:
    (one,) = repeated(device, [0])
    before = len(device.journal())
    assert answered(device, one, nonce=nonce, journal_count=5) is Reason.WRONG_NONCE
    assert len(device.journal()) == before, "it is logged and not journaled"
    (again,) = repeated(device, [7])
    assert again.asked is None
    assert again.journal == one.journal


@pytest.mark.parametrize(
    ("receipt", "ends"),
    [
        ((0, 0), True),
        ((0, -1), False),
        ((0, 1), True),
        ((-1, 9), False),
        ((1, -2), True),
        (None, False),
    ],
)
def test_a_receipt_counts_for_the_newest_report_or_a_later_one(
    device: Device, receipt: tuple[int, int] | None, *, ends: bool
) -> None:
    one = repeated(device, TIMES[:3])[-1]
    order = None if receipt is None else (one.boot_epoch + receipt[0], one.version + receipt[1])
    assert answered(device, one, receipt=order) is Reason.OK
    passes(device, [200])
    assert (reports(device) == []) == ends


def test_what_the_gateway_asks_with_is_carried_by_the_next_report(device: Device) -> None:
    (one,) = repeated(device, [0])
    assert one.asked is None
    assert answered(device, one, receipt=None, next_nonce=b"\x07" * 16) is Reason.OK
    assert repeated(device, [7])[0].asked == b"\x07" * 16


@pytest.mark.parametrize(
    ("covered", "first"), [(0, 0), (1, 1), (OF_REPORT, OF_REPORT), (OF_REPORT + 1, OF_REPORT + 1)]
)
def test_what_a_receipt_covers_is_forgotten_and_the_next_report_goes_on_there(
    device: Device, covered: int, first: int
) -> None:
    say(device, 30)
    one = repeated(device, [0, 7])[-1]
    assert len(one.journal) == OF_REPORT
    answered(device, one, journal_count=covered)
    passes(device, [8])
    told = reports(device)
    assert bool(told) == bool(covered), "only a gateway that took some is told the next ones at once"
    if told:
        assert told[0].journal[0].index == first


@pytest.mark.parametrize("over", [0, 1, 2**53 - 1_000])
def test_a_receipt_for_more_than_there_is_covers_all_and_no_more(device: Device, over: int) -> None:
    (one,) = repeated(device, [0])
    answered(device, one, journal_count=one.journal_count + over)
    passes(device, [8])
    assert reports(device) == []
    say(device, 1)
    passes(device, [9])
    assert [entry.index for entry in reports(device)[0].journal] == [one.journal_count]


def test_a_receipt_that_covers_less_than_an_earlier_one_brings_nothing_back(device: Device) -> None:
    say(device, 30)
    one = repeated(device, [0, 7])[-1]
    answered(device, one, journal_count=20)
    (two,) = repeated(device, [8])
    answered(device, two, journal_count=10, version=LATER, issued=LATER)
    say(device, 1)
    (three,) = repeated(device, [9])
    assert three.journal[0].index == 20


def test_entries_that_are_gone_are_passed_over(device: Device) -> None:
    say(device, 30)
    place = device.core.constants["TN_AT_JOURNAL"]
    for index in (0, 1, 5):
        device.core.flash_load(place + 256 * index, bytes(16))
    one = repeated(device, [0, 7])[-1]
    assert [entry.index for entry in one.journal] == [2, 3, 4]


def test_news_come_at_once_and_what_comes_meanwhile_in_the_next_report(device: Device) -> None:
    (one,) = repeated(device, [0])
    answered(device, one)
    say(device, 1)
    passes(device, [1])
    (two,) = reports(device)
    say(device, 1)
    passes(device, [2])
    assert reports(device) == []
    assert repeated(device, [8])[0].journal_count == two.journal_count + 1


def test_an_answer_does_not_keep_back_what_came_before_it(device: Device) -> None:
    (one,) = repeated(device, [0])
    say(device, 1)
    answered(device, one)
    passes(device, [1])
    assert [told.journal_count for told in reports(device)] == [one.journal_count + 1]


def test_a_journal_that_is_gone_altogether_is_reported_without_entries(device: Device) -> None:
    core = device.core
    core.flash_load("TN_AT_JOURNAL", bytes(core.constants["TN_JOURNAL_BYTES"]))
    one = repeated(device, [0, 7])[-1]
    assert one.journal == ()
    assert one.journal_count > 0


def test_while_nobody_listens_nothing_is_said(device: Device) -> None:
    reports(device)
    device.lib.tn_agent_connected(False)
    say(device, 1)
    passes(device, [1, 100])
    assert reports(device) == []
    device.lib.tn_agent_connected(True)
    assert len(reports(device)) == 1
    device.lib.tn_agent_connected(True)
    assert len(reports(device)) == 1


# Refusals


def refused(device: Device, number: int, topic: str = f"timestamp/{PRODUCT}") -> Reason:
    """Bring something that is no document."""
    return device.put(topic, b"no document %d" % number)


def entries(device: Device, since: int) -> list[tuple[str, Reason]]:
    """Return names and reasons of what was journaled since then."""
    return [(name, why) for _, name, _, _, why in device.journal()[since:]]


def test_what_was_refused_is_journaled_once_in_a_boot(device: Device) -> None:
    since = len(device.journal())
    for number in (1, 1, 2, 1, 2):
        assert refused(device, number) is Reason.MALFORMED
    assert entries(device, since) == [("timestamp", Reason.MALFORMED)] * 2
    device.boot()
    assert refused(device, 1) is Reason.MALFORMED
    assert entries(device, since)[2:] == [("boot", Reason.OK), ("timestamp", Reason.MALFORMED)]


@pytest.mark.parametrize("times", [REFUSALS - 1, REFUSALS, REFUSALS + 1, REFUSALS + 5])
def test_so_many_refusals_are_journaled_in_a_boot_and_that_there_were_more(
    device: Device, times: int
) -> None:
    since = len(device.journal())
    for number in range(times):
        assert refused(device, number) is Reason.MALFORMED
    told = [("timestamp", Reason.MALFORMED)] * min(times, REFUSALS)
    more = [("more refusals", Reason.LIMIT_REACHED)] * (times > REFUSALS)
    assert entries(device, since) == told + more


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_refusals_leave_room_in_the_journal_for_what_matters_more(device: Device, over: int) -> None:
    say(device, WAITING + over - len(device.journal()))
    since = len(device.journal())
    assert refused(device, 1) is Reason.MALFORMED
    assert len(device.journal()) - since == (over < 0)
    say(device, 1)
    assert entries(device, since)[-1][0] == "entry 0"
    assert WAITING < KEPT


def test_a_refused_notice_is_journaled_under_its_own_name(device: Device) -> None:
    assert refused(device, 1, f"notice/{PRODUCT}/EX-9") is Reason.MALFORMED
    assert moves(device)[-1] == ("EX-9", NoticeState.REJECTED, Reason.MALFORMED)


@pytest.mark.parametrize("topic", ["catalogue/lamp", "nonsense", "root/0x1"])
def test_what_anyone_may_send_is_logged_and_not_journaled(device: Device, topic: str) -> None:
    since = len(device.journal())
    assert refused(device, 1, topic) is not Reason.OK
    assert entries(device, since) == []


def test_an_empty_message_is_none(device: Device) -> None:
    since = len(device.journal())
    for topic in (f"timestamp/{PRODUCT}", f"device/{DEVICE}/block", "nonsense"):
        assert device.put(topic, b"") is Reason.OK
    assert entries(device, since) == []


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_no_document_is_larger_than_four_drawn_pages(device: Device, over: int) -> None:
    size = device.core.constants["TN_DOCUMENT_BYTES_MAX"] + over
    assert device.put(f"pages/{PRODUCT}/en/EX-1", bytes(size)) is (Reason.TOO_BIG if over > 0 else Reason.OK)
