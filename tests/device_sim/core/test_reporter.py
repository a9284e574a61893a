"""Reports: complete, repeated until receipted, and honest about what could not be kept."""

import pytest

from advisories import limits as wire
from advisories.report import NoticeStatus, Track, journal_genesis, journal_head
from advisories.states import NoticeState, Surface
from device_sim.core import limits
from keys.reasons import Reason
from tests.device_sim.core.world import FLEET, World
from tests.helpers import DEVICE, HOUR, NOW, PRODUCT, catalogue, notice


def world(**profile) -> World:
    made = World(**profile)
    made.connect()
    return made


def whole(w: World) -> None:
    """The gateway has every entry, and their hash is the one that was signed."""
    last = w.reports[-1]
    entries = [w.journal[index] for index in range(last.journal_count)]
    assert journal_head(journal_genesis(FLEET.id, DEVICE), entries) == last.journal_head


def test_a_device_reports_as_soon_as_it_is_connected() -> None:
    w = world()
    first = w.reports[0]
    assert (first.order, first.product, first.installed) == ((1, 1), PRODUCT, (1, 4, 1, 0))
    assert [(entry.track, entry.name) for entry in first.journal] == [(Track.DEVICE, "boot")]
    assert (first.root_version, first.catalogue, first.asked, first.language) == (1, None, None, "en")
    whole(w)


def test_a_report_says_where_each_notice_stands() -> None:
    w = world()
    body = w.current(w.notice())
    w.advance(1)
    report = w.reports[-1]
    track = w.notice_track()
    assert report.notices == (
        NoticeStatus(
            id=track.id,
            revision=1,
            digest=track.digest,
            state=NoticeState.SHOWN,
            time=track.time,
            reason=Reason.OK,
            surface=Surface.CONSOLE,
            language="en",
            confirmed=track.confirmed,
        ),
    )
    assert report.catalogue is not None
    assert body.notices[0][2] == track.digest
    whole(w)


def test_a_notice_that_was_not_shown_names_no_surface() -> None:
    w = world()
    w.notice(texts=())
    w.advance(1)
    assert w.reports[-1].notices[0].surface is Surface.NONE


def test_changes_are_gathered_into_one_report() -> None:
    w = world()
    w.advance(1)
    count = len(w.reports)
    w.current(w.notice())
    w.advance(limits.REPORT_SECONDS_MIN + 0.1)
    assert len(w.reports) - count == 2  # the first change at once, the rest together


def test_a_report_is_repeated_until_it_is_receipted_with_growing_pauses() -> None:
    w = World()
    w.receipting = False
    w.connect()
    w.advance(HOUR)
    silent = len(w.reports)
    assert 12 <= silent <= 20
    assert len({report.nonce for report in w.reports}) == silent
    assert [report.order for report in w.reports] == [(1, number + 1) for number in range(silent)]
    w.receipting = True
    w.advance(limits.RECEIPT_SECONDS_MAX * 1.5)
    answered = len(w.reports)
    w.advance(HOUR)
    assert len(w.reports) == answered
    whole(w)


def test_a_receipt_for_an_older_report_does_not_end_the_repeating() -> None:
    w = World()
    w.receipting = False
    w.connect()
    w.advance(10)
    w.answer(w.reports[0])
    w.pump()
    count = len(w.reports)
    w.advance(60)
    assert len(w.reports) > count
    assert w.reports[-1].journal == ()


def test_the_gateways_question_is_carried_by_the_next_report() -> None:
    w = world()
    w.notice()
    w.advance(1)
    assert w.reports[-1].asked == bytes(range(16))


def test_an_answer_may_name_any_of_the_last_four_nonces_and_no_other() -> None:
    w = World()
    w.receipting = False
    w.connect()
    while len(w.reports) < limits.NONCES_MAX + 1:
        w.advance(1)
    w.answer(w.reports[1])
    w.pump()
    assert w.refusals() == []
    w.answer(w.reports[0])
    w.pump()
    assert w.logs[-1].reason is Reason.WRONG_NONCE
    assert w.refusals() == []


def test_an_answer_from_before_a_restart_is_late_and_not_an_attack() -> None:
    w = World()
    w.receipting = False
    w.connect()
    w.start()
    w.pump()
    kept = len(w.agent._session.state.journal)
    w.answer(w.reports[-1])
    w.pump()
    assert w.logs[-1].reason is Reason.WRONG_NONCE
    assert w.refusals() == []
    assert len(w.agent._session.state.journal) == kept


@pytest.mark.parametrize("version", [1, None], ids=["an older version", "the same version again"])
def test_the_answer_of_a_gateway_that_counts_from_its_clock_again_is_fresh_by_its_nonce(version) -> None:
    w = World()
    w.receipting = False
    w.connect()
    w.answer(w.reports[-1], receipt=None, journal_count=0)
    w.pump()
    floor = w.agent.trusted.floor("answer", w.agent.profile.id)
    assert w.agent._session.state.journal
    w.answer(w.reports[-1], version=version or floor.version)
    w.pump()
    assert w.agent._session.state.journal == []
    assert w.refusals() == []
    assert w.agent.trusted.floor("answer", w.agent.profile.id) == floor


def test_an_answer_may_name_the_nonce_of_a_want() -> None:
    w = world()
    w.advance(60)
    assert w.wants
    w.answer(w.reports[-1], nonce=w.wants[-1].nonce, receipt=None)
    w.pump()
    assert w.refusals() == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"subject": ("device-0002",)}, Reason.WRONG_SUBJECT),
        ({"expires": NOW}, Reason.EXPIRED),
    ],
    ids=["another device", "over"],
)
def test_an_answer_that_is_not_for_this_report_is_refused(fields, reason) -> None:
    w = world()
    w.answer(w.reports[0], **fields)
    w.pump()
    assert w.refusals() == [("answer", reason)]


def test_nothing_is_lost_while_the_device_is_offline() -> None:
    w = World()
    for number in range(5):
        w.send(w.topics.catalogue(PRODUCT), b"scrap %d" % number)
        w.start()
        w.pump()
    w.connect()
    w.advance(5)
    assert len(w.refusals()) == 5
    assert w.agent._session.state.journal == []
    whole(w)


def test_a_long_journal_travels_in_several_reports_without_waiting() -> None:
    w = World()
    for _ in range(wire.REPORT_JOURNAL_MAX * 2):
        w.start()
    w.connect()
    w.advance(5)
    assert len(w.reports[0].journal) == wire.REPORT_JOURNAL_MAX
    assert w.agent._session.state.journal == []
    whole(w)


def test_a_journal_without_room_says_how_much_it_could_not_keep() -> None:
    w = world()
    session = w.agent._session
    w.disconnect()
    for _ in range(limits.JOURNAL_MAX + 20):
        session.record(Track.DEVICE, "clock", Reason.OK)
    assert len(session.state.journal) == limits.JOURNAL_MAX
    lost = session.state.journal_lost
    assert lost == 20
    w.connect()
    w.advance(30)
    gaps = [entry for entry in w.entries() if entry.name.startswith("journal gap")]
    assert not gaps  # told with the next thing that happens
    w.notice()
    w.advance(5)
    gaps = [entry for entry in w.entries() if entry.name.startswith("journal gap")]
    assert [(gap.name, gap.reason) for gap in gaps] == [(f"journal gap {lost}", Reason.LIMIT_REACHED)]
    last = w.reports[-1]
    assert last.journal_count == max(w.journal) + 1
    assert sorted(set(range(last.journal_count)) - set(w.journal)) == list(
        range(gaps[0].index - lost, gaps[0].index)
    )


def test_a_report_carries_entries_only_up_to_a_gap() -> None:
    w = World()
    session = w.agent._session
    for _ in range(5):
        session.record(Track.DEVICE, "clock", Reason.OK)
    del session.state.journal[3]
    w.connect()
    assert [entry.index for entry in w.reports[0].journal] == [0, 1, 2]


def test_refusals_are_the_first_to_go_when_the_journal_fills() -> None:
    w = World()
    w.receipting = False
    w.connect()
    session = w.agent._session
    for _ in range(limits.JOURNAL_REFUSALS_MAX):
        session.record(Track.DEVICE, "clock", Reason.OK)
    w.send(w.topics.catalogue(PRODUCT), b"scrap")
    assert w.refusals() == []
    assert w.logs[-1].reason is Reason.MALFORMED
    w.notice()
    assert w.path("EX-2026-0001")[-1] is NoticeState.SHOWN


def test_a_report_holds_sixteen_states_what_goes_on_before_what_has_ended() -> None:
    w = world()
    for number in range(wire.REPORT_STATES_MAX + 4):
        expires = NOW + 61 if number < 4 else NOW + HOUR
        w.notice(notice(FLEET, id=f"EX-{number}", expires=expires), texts=())
    w.advance(5)
    reported = {status.id for status in w.reports[-1].notices}
    assert reported == {f"EX-{number}" for number in range(4, wire.REPORT_STATES_MAX + 4)}


def test_the_largest_report_fits() -> None:
    w = World()
    w.receipting = False
    w.connect()
    session = w.agent._session
    for number in range(wire.REPORT_STATES_MAX):
        w.notice(notice(FLEET, id="A" * 62 + f"{number:02}"), texts=())
    for number in range(100):
        session.record(Track.NOTICE, "B" * 64, Reason.REVOKED, old=255, new=255, digest=bytes([number] * 32))
    w.advance(10)
    assert len(w.reports[-1].journal) == wire.REPORT_JOURNAL_MAX
    assert len(w.reports[-1].notices) == wire.REPORT_STATES_MAX


def test_a_newer_boot_outranks_every_report_before_it() -> None:
    w = world()
    w.advance(1)
    w.restart()
    orders = [report.order for report in w.reports]
    assert orders == sorted(orders)
    assert orders[-1][0] == 2
    assert len({report.nonce for report in w.reports}) == len(w.reports)


def test_the_agent_shows_who_it_is() -> None:
    w = world()
    assert w.agent.profile.id == DEVICE
    assert w.agent.trusted.fleet == FLEET.id


def test_a_catalogue_alone_is_worth_a_report() -> None:
    w = world()
    w.advance(1)
    count = len(w.reports)
    w.publish(w.topics.catalogue(PRODUCT), FLEET.seal(catalogue(FLEET)))
    w.advance(1)
    assert len(w.reports) > count
