"""Shown is what the owner can see: a surface that fails keeps a notice unshown, and is tried again."""

import pytest

from advisories.notice import Phase
from advisories.states import NoticeState
from device_sim.core import limits
from keys.reasons import Reason
from tests.device_sim.core.stories import world
from tests.device_sim.core.world import FLEET, World
from tests.helpers import DAY, HOUR, NOW, notice

S = NoticeState
ID = "EX-2026-0001"


def broken(reason: Reason = Reason.DISPLAY_FAILED) -> World:
    w = world()
    w.surface = reason
    return w


@pytest.mark.parametrize("reason", [Reason.DISPLAY_FAILED, Reason.FONT_MISSING])
def test_what_could_not_be_drawn_is_not_shown_and_that_is_reported(reason) -> None:
    w = broken(reason)
    w.notice()
    w.advance(1)
    assert w.path(ID) == [S.DELIVERED, S.VERIFIED]
    status = w.reports[-1].notices[0]
    assert (status.state, status.reason) == (S.VERIFIED, reason)
    w.run(w.agent.acknowledge(w.now))
    assert w.notice_track().state is S.VERIFIED


def test_it_is_tried_again_after_pauses_that_double_and_is_shown_when_that_works() -> None:
    w = broken()
    w.notice()
    tries = []
    for _ in range(12):
        before = len(w.shows)
        w.advance(HOUR)
        tries.append(len(w.shows) - before)
    assert tries[0] > tries[1] >= tries[2]
    assert tries[-1] == 1
    reports = len(w.reports)
    w.advance(3 * HOUR)
    assert len(w.reports) == reports  # a broken screen is told once
    w.surface = Reason.OK
    w.advance(limits.DISPLAY_SECONDS_MAX)
    assert w.path(ID) == [S.DELIVERED, S.VERIFIED, S.SHOWN]
    assert w.notice_track().shown == pytest.approx(w.now, abs=limits.DISPLAY_SECONDS_MAX)
    assert w.notice_track().reason is Reason.STALE


def test_it_is_tried_again_at_the_next_boot() -> None:
    w = broken()
    w.notice()
    w.surface = Reason.OK
    w.restart()
    assert w.path(ID)[-1] is S.SHOWN


def test_a_surface_that_never_answers_has_shown_nothing() -> None:
    w = world()
    w.surface = None
    w.notice()
    w.advance(DAY)
    assert len(w.shows) == 1
    assert w.notice_track().state is S.VERIFIED


@pytest.mark.parametrize(
    ("advisory", "revision"), [(ID, 2), ("EX-2026-0009", 1)], ids=["another revision", "another advisory"]
)
def test_an_answer_to_what_was_not_asked_counts_for_nothing(advisory, revision) -> None:
    w = world()
    w.surface = None
    w.notice()
    w.run(w.agent.displayed(advisory, revision, Reason.OK, w.now))
    assert w.notice_track().state is S.VERIFIED


def test_the_answer_to_an_older_revision_does_not_count_for_the_newer_one() -> None:
    w = world()
    w.surface = None
    w.notice()
    w.notice(notice(FLEET, revision=2, version=NOW + 1, phase=Phase.UPDATE))
    w.run(w.agent.displayed(ID, 1, Reason.OK, w.now))
    assert w.notice_track().state is S.VERIFIED
    w.run(w.agent.displayed(ID, 2, Reason.OK, w.now))
    assert w.notice_track().state is S.SHOWN


def test_a_reminder_that_could_not_be_drawn_was_not_given() -> None:
    w = world()
    w.notice(notice(FLEET, reminder=(DAY, 2)))
    w.surface = Reason.DISPLAY_FAILED
    w.advance(DAY + 1)
    assert w.notice_track().reminders == 0
    assert w.notice_track().state is S.SHOWN
    assert w.notice_track().reason is Reason.DISPLAY_FAILED
    w.surface = Reason.OK
    w.advance(HOUR)
    assert w.notice_track().reminders == 1
    assert w.notice_track().reason is Reason.STALE


def test_a_mark_that_could_not_be_drawn_is_drawn_later() -> None:
    w = world()
    header = w.notice()
    w.surface = Reason.DISPLAY_FAILED
    w.current(header)
    w.advance(5)
    assert w.notice_track().reason is Reason.DISPLAY_FAILED
    w.surface = Reason.OK
    w.advance(limits.DISPLAY_SECONDS_MIN)
    assert w.shows[-1].confirmed
    assert w.notice_track().reason is Reason.OK


def test_a_withdrawal_that_could_not_be_drawn_is_drawn_later() -> None:
    w = world()
    w.notice()
    w.surface = Reason.DISPLAY_FAILED
    w.notice(notice(FLEET, revision=2, version=NOW + 1, phase=Phase.WITHDRAWN))
    assert w.notice_track().reason is Reason.DISPLAY_FAILED
    w.surface = Reason.OK
    w.advance(limits.DISPLAY_SECONDS_MIN)
    assert (w.notice_track().state, w.notice_track().reason) == (S.WITHDRAWN, Reason.OK)
    assert w.shows[-1].notice.phase is Phase.WITHDRAWN


def test_a_clock_that_is_put_back_does_not_keep_a_screen_dark() -> None:
    w = broken()
    w.notice()
    w.surface = Reason.OK
    w.now -= 30 * DAY
    w.run(w.agent.tick(w.now))
    w.advance(limits.DISPLAY_SECONDS_MIN + 1)
    assert w.notice_track().state is S.SHOWN
