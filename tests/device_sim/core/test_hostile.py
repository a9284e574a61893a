"""What somebody without keys, with one stolen key, or with a hold on the clock must not achieve."""

from __future__ import annotations

import pytest

from advisories.states import NoticeState, PatchState
from tests.device_sim.core.world import FLEET, World
from tests.helpers import DAY, NOW, PRODUCT, make_fleet
from tests.helpers import catalogue as make_catalogue
from tests.helpers import notice as make_notice
from tests.helpers import timestamp as make_timestamp


def connected(**profile: object) -> World:
    w = World(**profile)
    w.connect()
    return w


@pytest.mark.parametrize(
    "below",
    [
        f"notice/{PRODUCT}/EX-OTHER",
        f"text/{PRODUCT}/en/EX-2026-0001",
        f"catalogue/{PRODUCT}",
        f"timestamp/{PRODUCT}",
        "root/2",
        "device/device-0001/offer",
        "device/device-0001/answer",
    ],
)
def test_a_genuine_notice_sent_to_a_wrong_topic_first_is_still_taken_at_its_own(below: str) -> None:
    w = connected()
    w.send(f"{w.topics.prefix}/{below}", w.seal(make_notice(FLEET)))
    w.notice()
    assert [show.notice.id for show in w.shows] == ["EX-2026-0001"]


def test_a_notice_for_which_there_was_no_room_is_taken_when_there_is() -> None:
    w = connected()
    for number in range(32):
        w.notice(make_notice(FLEET, id=f"EX-{number}", expires=NOW + DAY), texts=("en",))
    w.notice(make_notice(FLEET, id="EX-LATE"), texts=("en",))
    assert "EX-LATE" not in {show.notice.id for show in w.shows}
    w.advance(2 * DAY)
    w.disconnect()
    w.connect()
    assert w.shows[-1].notice.id == "EX-LATE"


YEARS = 10 * 365 * DAY


def put_back(w: World, seconds: float) -> None:
    """Set the clock back; the shell ticks after that (``test_timers.py``)."""
    w.now -= seconds
    w.run(w.agent.tick(w.now))
    w.pump()


def test_a_clock_put_back_by_years_leaves_no_pause_of_years() -> None:
    w = connected()
    w.receipting = False
    w.now += YEARS
    w.notice(texts=())
    w.advance(1)
    put_back(w, YEARS)
    reports, wants = len(w.reports), len(w.wants)
    w.advance(600)
    assert len(w.reports) > reports
    assert len(w.wants) > wants
    assert w.wake_at is not None
    assert w.wake_at < w.now + DAY


def test_a_text_that_waits_for_its_header_is_not_kept_for_years_by_a_clock_put_back() -> None:
    w = connected()
    w.now += YEARS
    w.send(w.topics.text(PRODUCT, "en", "EX-2026-0001"), b"no text of any notice")
    put_back(w, YEARS)
    w.advance(60)
    assert not w.agent._notices._waiting


def test_a_download_goes_on_when_the_clock_was_put_back() -> None:
    w = connected()
    w.receipting = False
    w.serving = False
    w.now += DAY  # the same day for the gateway: only the pauses are looked at here
    patch = w.roll_out()
    put_back(w, DAY)
    w.serving = True
    w.advance(600)
    assert w.patch_track(patch).state is PatchState.SUCCEEDED


def test_a_notice_that_ended_by_a_wrong_clock_is_taken_up_again() -> None:
    w = connected()
    w.notice(make_notice(FLEET, expires=NOW + DAY))
    w.now += YEARS
    w.advance(1)
    assert w.notice_track().state is NoticeState.EXPIRED
    w.now -= YEARS
    w.restart()
    assert w.notice_track().state is NoticeState.SHOWN
    w.advance(DAY)
    assert w.notice_track().state is NoticeState.EXPIRED


def test_what_was_over_by_a_wrong_clock_is_judged_again_by_the_right_one() -> None:
    w = connected()
    w.receipting = False
    body = make_catalogue(FLEET)
    w.now += 100 * DAY
    w.publish(w.topics.catalogue(PRODUCT), w.seal(body))
    w.publish(w.topics.timestamp(PRODUCT), w.seal(make_timestamp(FLEET, body)))
    assert not w.agent.is_current
    w.now -= 100 * DAY
    w.disconnect()
    w.connect()
    assert w.agent.is_current


def test_what_was_held_under_a_root_that_only_seemed_over_is_judged_at_once() -> None:
    w = connected()
    w.receipting = False
    body = make_catalogue(FLEET)
    w.now += YEARS
    w.publish(w.topics.catalogue(PRODUCT), w.seal(body))
    w.publish(w.topics.timestamp(PRODUCT), w.seal(make_timestamp(FLEET, body)))
    put_back(w, YEARS)
    assert w.agent.is_current


def test_nothing_is_current_while_the_timestamp_names_a_root_that_is_not_here() -> None:
    w = connected()
    body = w.current()
    assert w.agent.is_current
    w.stamp(body, root_version=2)
    assert not w.agent.is_current
    w.next_root()
    w.advance(120)
    assert w.agent.is_current


def test_under_an_exercise_root_everything_is_shown_as_an_exercise() -> None:
    fleet = make_fleet(exercise=True)
    w = World(fleet, auto_consent=False)
    w.connect()
    patch = w.patch()
    header = w.notice(make_notice(fleet, exercise=False, patches={PRODUCT: (patch,)}))
    assert w.shows[-1].notice.exercise
    w.current(header, patches=((7, patch),))
    w.offer(patch)
    assert w.asks[-1].notice is not None
    assert w.asks[-1].notice.exercise


def test_a_gateway_that_keeps_nothing_of_the_journal_is_not_asked_in_a_circle() -> None:
    w = connected()
    w.receipting = False
    w.notice()
    w.advance(10)
    before = len(w.reports)
    for _ in range(20):
        w.answer(w.reports[-1], journal_count=0)
        w.pump()
        w.advance(1)
    assert len(w.reports) - before <= 2


@pytest.mark.parametrize(
    ("languages", "shown"), [(("de-AT",), "de"), (("fr", "de-CH", "en"), "de"), (("en-GB", "de"), "en")]
)
def test_the_same_language_of_another_region_is_better_than_silence(
    languages: tuple[str, ...], shown: str
) -> None:
    w = connected(languages=languages)
    w.notice()
    w.advance(30)
    assert [show.text.language for show in w.shows] == [shown]


@pytest.mark.parametrize(("ranges", "told"), [((((1, 0, 0, 0), None),), True), ((), False)])
def test_a_device_that_cannot_tell_its_version_is_told_what_concerns_its_product(
    ranges: tuple[object, ...], *, told: bool
) -> None:
    w = World(start=False)
    w.slots[0] = bytearray(b"no image at all, yet it runs")
    w.start()
    w.connect()
    w.notice(make_notice(FLEET, affected={PRODUCT: ranges}))
    assert bool(w.shows) is told
