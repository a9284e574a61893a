"""What a report changes: newest wins, nothing that went back is hidden, the journal has no holes unseen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.report import JournalEntry, PatchStatus, Report, Track, journal_genesis, journal_head
from advisories.states import NoticeState, PatchState, Surface
from gateway.core.ingest import Committed, Device, Repeated, Standing, examine, judge
from keys.errors import RefusedError
from keys.reasons import Reason
from tests.gateway.peer import entry, status, walked
from tests.helpers import DEVICE, NOW, device_record, key, make_fleet, report

FLEET = make_fleet()
N, P = NoticeState, PatchState
ID, HEADER, PATCH = "EX-2026-0001", b"\x01" * 32, b"\x02" * 32
NONCE = b"n" * 16


def device(**changes: Any) -> Device:
    record = device_record(FLEET, **changes)
    return Device(record.id, record.product, record.key, record.valid_from, record.valid_to, record.revoked)


def make(written: tuple[JournalEntry, ...] = (), first: int = 0, **fields: Any) -> Report:
    """A report whose device has ``written`` this journal and carries it from index ``first``."""
    base: dict[str, Any] = {
        "journal_count": len(written),
        "journal_head": journal_head(journal_genesis(FLEET.id, DEVICE), written),
        "journal": written[first:],
    }
    return report(FLEET, **{**base, **fields})


def commit(
    body: Report, standing: Standing | None = None, received: float = NOW + 1.5, **more: Any
) -> Committed:
    options: dict[str, Any] = {"stored": None, "overlap": {}, "received": received, "nonce": NONCE, **more}
    decision = judge(body, FLEET.report(body), standing, **options)
    assert isinstance(decision, Committed)
    return decision


def kinds(decision: Committed) -> list[str]:
    return [anomaly.kind for anomaly in decision.anomalies]


def patch_status(state: PatchState, **fields: Any) -> PatchStatus:
    base: dict[str, Any] = {"sequence": 7, "time": NOW, "reason": Reason.OK}
    return PatchStatus(**{**base, "digest": PATCH, "state": state, **fields})


EXAMINED = [
    ("an unknown device", None, {}, Reason.UNKNOWN_DEVICE),
    ("a revoked device", device(revoked=True), {}, Reason.REVOKED),
    ("before its time", device(valid_from=NOW + 100), {}, Reason.EXPIRED),
    ("after its time", device(valid_to=NOW), {}, Reason.EXPIRED),
    ("another key", device(key=key("other").public), {}, Reason.BAD_SIGNATURE),
    ("another device's report", device(id="device-0002"), {}, Reason.BAD_SIGNATURE),
    ("another product", device(), {"product": "doorbell"}, Reason.BAD_SIGNATURE),
]


@pytest.mark.parametrize(("case", "row", "fields", "reason"), EXAMINED, ids=[row[0] for row in EXAMINED])
def test_only_reports_of_registered_devices_are_examined(
    case: str, row: Device | None, fields: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(RefusedError) as caught:
        examine(FLEET.report(report(FLEET, **fields)), row, fleet=FLEET.id, now=NOW)
    assert caught.value.reason is reason


def test_a_report_that_states_another_product_than_the_register_is_refused() -> None:
    data = FLEET.report(report(FLEET))
    row = device(product="doorbell", key=FLEET.device().public)
    with pytest.raises(RefusedError) as caught:
        examine(data, row, fleet=FLEET.id, now=NOW)
    assert caught.value.reason is Reason.WRONG_SUBJECT
    assert examine(data, device(), fleet=FLEET.id, now=NOW).device == DEVICE


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_and_never_raise_anything_else(data: bytes) -> None:
    with pytest.raises(RefusedError):
        examine(data, device(), fleet=FLEET.id, now=NOW)


def test_the_first_report_sets_times_from_the_journal_and_the_gateways_clock() -> None:
    steps = walked(ID, N.DELIVERED, N.VERIFIED, N.SHOWN)
    done = commit(make(steps, notices=(status(ID, HEADER, N.SHOWN, confirmed=NOW + 9),)))
    row = done.notices[ID]
    assert (row.verified, row.shown, row.acknowledged) == (steps[1].time, steps[2].time, None)
    assert (row.confirmed, row.shown_received) == (NOW + 9, NOW + 1.5)
    assert (done.newest, done.standing.count, kinds(done)) == (True, 3, [])
    assert done.standing.next_nonce == NONCE


def test_times_stay_those_of_the_first_entry() -> None:
    steps = walked(ID, N.DELIVERED, N.VERIFIED, N.SHOWN)
    first = commit(make(steps, notices=(status(ID, HEADER, N.SHOWN),)))
    more = (*steps, entry(3, ID, N.SHOWN, N.ACKNOWLEDGED))
    second = commit(
        make(
            more,
            3,
            version=2,
            notices=(status(ID, HEADER, N.ACKNOWLEDGED, surface=Surface.NONE, language=None),),
        ),
        first.standing,
        received=NOW + 60.0,
    )
    row = second.notices[ID]
    assert (row.shown, row.shown_received) == (steps[2].time, NOW + 1.5)
    assert row.acknowledged == more[3].time
    assert (row.surface, row.language) == (Surface.SCREEN, "en")  # remembered from when it was shown


def test_a_state_without_its_journal_entry_takes_the_time_of_the_status() -> None:
    row = commit(make(notices=(status(ID, HEADER, N.ACKNOWLEDGED, time=NOW + 3),))).notices[ID]
    assert (row.verified, row.shown, row.acknowledged) == (NOW + 3, NOW + 3, NOW + 3)
    gone = commit(make(notices=(status(ID, HEADER, N.NOT_APPLICABLE, time=NOW + 3),))).notices[ID]
    assert gone.verified == NOW + 3  # only a genuine header can say which versions are affected
    assert (gone.shown, gone.shown_received) == (None, None)


def test_the_very_same_report_is_answered_again_and_changes_nothing() -> None:
    body = make()
    data = FLEET.report(body)
    first = commit(body)
    again = judge(body, data, first.standing, stored=data, overlap={}, received=NOW, nonce=b"x" * 16)
    assert again == Repeated(body, first.standing)
    with pytest.raises(RefusedError) as caught:
        judge(body, data, first.standing, stored=b"other", overlap={}, received=NOW, nonce=NONCE)
    assert caught.value.reason is Reason.EQUIVOCATION


def test_an_older_report_is_kept_and_changes_nothing() -> None:
    newest = commit(make(version=5, notices=(status(ID, HEADER, N.SHOWN),)))
    late = commit(make(version=4, notices=(status(ID, HEADER, N.DELIVERED),)), newest.standing)
    assert (late.newest, late.standing, late.notices, kinds(late)) == (False, newest.standing, {}, [])
    rebooted = commit(make(version=1, boot_epoch=2), newest.standing)
    assert rebooted.newest


WENT_BACK = [
    (N.SHOWN, N.DELIVERED, False, True),
    (N.ACKNOWLEDGED, N.SHOWN, False, True),
    (N.SHOWN, N.VERIFIED, False, True),
    (N.REJECTED, N.SHOWN, False, True),
    (N.SUPERSEDED, N.SHOWN, True, True),
    (N.SHOWN, N.VERIFIED, True, False),  # by way of NOT_APPLICABLE, which the journal tells
    (N.SHOWN, N.SHOWN, False, False),
    (N.SHOWN, N.NOT_APPLICABLE, False, False),
    (N.NOT_APPLICABLE, N.VERIFIED, False, False),
    (N.VERIFIED, N.ACKNOWLEDGED, False, False),
]


@pytest.mark.parametrize(("before", "after", "explained", "anomaly"), WENT_BACK)
def test_a_notice_state_that_went_back_is_an_anomaly_and_the_newer_still_wins(
    before: NoticeState, after: NoticeState, explained: bool, anomaly: bool
) -> None:
    first = commit(make(notices=(status(ID, HEADER, before),)))
    journal: tuple[JournalEntry, ...] = ()
    if explained:
        journal = (entry(0, ID, N.SHOWN, N.NOT_APPLICABLE), entry(1, ID, N.NOT_APPLICABLE, N.VERIFIED))
    second = commit(make(journal, version=2, notices=(status(ID, HEADER, after),)), first.standing)
    assert kinds(second) == (["notice_back"] if anomaly else [])
    assert second.notices[ID].state is after


def test_a_lower_revision_and_a_second_header_of_one_revision_are_anomalies() -> None:
    first = commit(make(notices=(status(ID, HEADER, N.SHOWN, revision=2),)))
    lower = commit(make(version=2, notices=(status(ID, HEADER, N.SHOWN, revision=1),)), first.standing)
    assert kinds(lower) == ["notice_back"]
    other = commit(make(version=2, notices=(status(ID, PATCH, N.SHOWN, revision=2),)), first.standing)
    assert kinds(other) == ["notice_other"]
    higher = commit(make(version=2, notices=(status(ID, PATCH, N.DELIVERED, revision=3),)), first.standing)
    assert kinds(higher) == []
    assert higher.notices[ID].shown is None  # a new revision is told anew


def test_a_head_that_is_not_in_the_chain_is_an_anomaly_also_in_a_late_report() -> None:
    told = {"audit_head": b"\xab" * 32, "version": 2}
    found = commit(make(**told), head_known=False)
    assert kinds(found) == ["audit_head"]
    assert ("ab" * 32) in found.anomalies[0].detail
    late = commit(make(**told, boot_epoch=1), commit(make(boot_epoch=9)).standing, head_known=False)
    assert (late.newest, kinds(late)) == (False, ["audit_head"])
    assert kinds(commit(make(**told))) == []


def test_a_patch_state_that_cannot_follow_is_an_anomaly() -> None:
    first = commit(make(patches=(patch_status(P.SUCCEEDED),)))
    back = commit(make(version=2, patches=(patch_status(P.DOWNLOADING),)), first.standing, received=NOW + 9.0)
    assert kinds(back) == ["patch_back"]
    assert back.patches[PATCH].changed == NOW + 9.0
    same = commit(make(version=2, patches=(patch_status(P.SUCCEEDED),)), first.standing, received=NOW + 9.0)
    assert same.patches[PATCH].changed == NOW + 1.5


def test_the_same_end_reached_twice_counts_as_a_change() -> None:
    first = commit(make(patches=(patch_status(P.ROLLED_BACK),)))
    name = PATCH.hex()[:16]
    journal = (entry(0, name, P.ROLLED_BACK, P.OFFERED, track=Track.PATCH, digest=PATCH),)
    again = commit(
        make(journal, version=2, patches=(patch_status(P.ROLLED_BACK),)), first.standing, received=NOW + 9.0
    )
    assert again.patches[PATCH].changed == NOW + 9.0


def test_transitions_outside_the_tables_are_anomalies() -> None:
    journal = (
        entry(0, ID, N.QUEUED, N.ACKNOWLEDGED),
        entry(1, ID, 200, 3),
        entry(2, "boot", 0, 1, track=Track.DEVICE),
        entry(3, "catalogue", 0, 9, track=Track.REFUSAL, reason=Reason.REPLAYED),
        entry(4, ID, N.SHOWN, N.SHOWN),
        entry(5, "p", P.QUEUED, P.SUCCEEDED, track=Track.PATCH),
    )
    assert kinds(commit(make(journal))) == ["transition"] * 3


STEPS = walked(ID, N.DELIVERED, N.VERIFIED, N.SHOWN, N.ACKNOWLEDGED)


def test_a_journal_continues_where_the_receipt_ended() -> None:
    first = commit(make(STEPS[:2]))
    second = commit(make(STEPS, 2, version=2), first.standing)
    assert (second.journal, second.standing.count, kinds(second)) == (STEPS[2:], 4, [])
    repeated = commit(make(STEPS, version=3), second.standing, overlap=dict(enumerate(STEPS)))
    assert (repeated.journal, repeated.standing.count, kinds(repeated)) == ((), 4, [])


def test_a_report_may_carry_less_than_the_whole_rest() -> None:
    whole = make(STEPS)
    part = commit(make(STEPS, journal=STEPS[:2]))
    assert (part.standing.count, kinds(part)) == (2, [])
    none_new = commit(
        make(STEPS, journal=STEPS[:2], version=2), part.standing, overlap=dict(enumerate(STEPS[:2]))
    )
    assert (none_new.standing.count, kinds(none_new)) == (2, [])
    rest = commit(make(STEPS, 2, version=3), none_new.standing)
    assert (rest.standing.head, kinds(rest)) == (whole.journal_head, [])


def test_a_gap_is_an_anomaly_and_the_chain_is_taken_up_again_after_it() -> None:
    first = commit(make(STEPS[:1]))
    gap = commit(make(STEPS, 2, version=2), first.standing)
    assert (kinds(gap), gap.journal, gap.standing.count) == (["journal_gap"], STEPS[2:], 4)
    assert gap.standing.head == make(STEPS).journal_head
    part = commit(make(STEPS, journal=STEPS[2:3], version=2), first.standing)
    assert (kinds(part), part.standing.head) == (["journal_gap"], b"")
    bare = commit(make(STEPS, journal=(), version=2), first.standing)
    assert (kinds(bare), bare.standing.count) == (["journal_gap"], 4)
    holes = commit(make(STEPS, journal=(STEPS[1], STEPS[3]), version=2), first.standing)
    assert (kinds(holes), holes.journal, holes.standing.count) == (["journal_gap"], (STEPS[1], STEPS[3]), 4)
    assert holes.standing.head == make(STEPS).journal_head  # a device whose journal overflowed goes on


def test_a_rewritten_a_forked_and_a_disordered_journal_are_anomalies() -> None:
    first = commit(make(STEPS[:2]))
    lie = (entry(0, ID, N.QUEUED, N.EXPIRED), *STEPS[1:])
    rewritten = commit(make(lie, version=2), first.standing, overlap=dict(enumerate(STEPS[:2])))
    assert kinds(rewritten) == ["journal_rewritten", "journal_fork"]
    forked = commit(make(STEPS[:2], version=2, journal_head=bytes(32)), first.standing)
    assert kinds(forked) == ["journal_fork"]
    mixed = commit(make(STEPS, journal=(STEPS[2], STEPS[0])))
    assert (kinds(mixed), mixed.journal) == (["journal_order"], ())
    too_many = commit(make(STEPS, journal_count=1))
    assert kinds(too_many) == ["journal_order"]


def test_a_journal_begun_anew_is_an_anomaly_and_starts_another_life() -> None:
    first = commit(make(STEPS))
    reset = commit(make(STEPS[:1], version=1, boot_epoch=2), first.standing, overlap=dict(enumerate(STEPS)))
    assert kinds(reset) == ["journal_back"]
    assert (reset.standing.life, reset.standing.count, reset.journal) == (1, 1, STEPS[:1])


@given(st.lists(st.integers(1, 4), max_size=6), st.data())
def test_in_whatever_order_reports_arrive_the_newest_stands_and_the_journal_is_whole(
    cuts: list[int], data: st.DataObject
) -> None:
    """Each report repeats what no receipt covers: lost, late and repeated ones change nothing in the end."""
    journal = tuple(entry(i, "boot", 0, 1, track=Track.DEVICE) for i in range(sum(cuts)))
    ends = [sum(cuts[: i + 1]) for i in range(len(cuts))]
    bodies = [make(journal[:end], version=i + 1) for i, end in enumerate(ends)]
    order = data.draw(st.permutations(bodies))
    standing: Standing | None = None
    kept: dict[int, JournalEntry] = {}
    for body in order:
        done = commit(body, standing, overlap=dict(kept))
        kept.update({e.index: e for e in done.journal})
        assert kinds(done) == []
        standing = done.standing
    if standing is not None:
        assert standing.order == (1, len(bodies))
        assert [kept[i] for i in range(standing.count)] == list(journal)
        assert standing.head == bodies[-1].journal_head
