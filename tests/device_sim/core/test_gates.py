"""What holds an install up: windows of gateway and owner, battery, work, metadata that is not current."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from advisories.report import Agreed
from device_sim.core import limits
from device_sim.core.profile import Conditions, Window
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from tests.device_sim.core.stories import P, name, world
from tests.device_sim.core.world import World
from tests.helpers import DAY, HOUR, NOW

START = datetime.fromtimestamp(NOW, UTC)
NIGHT = (Window(2 * 60, 4 * 60),)


def feel(w: World, **found) -> None:
    w.run(w.agent.conditions(Conditions(**found), w.now))
    w.pump()


def keep_current(w: World, patch: bytes, hours: int) -> None:
    for _ in range(hours):
        w.current(patches=((7, patch),))
        w.advance(HOUR)


def held(w: World, patch: bytes) -> Reason:
    track = w.patch_track(patch)
    assert track.state is P.VERIFIED
    assert w.reports[-1].patches[0].reason is track.reason
    return track.reason


@pytest.mark.parametrize(
    "zone", [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/Los_Angeles"), ZoneInfo("Asia/Kathmandu")]
)
def test_an_install_begins_only_inside_the_owners_window_and_the_image_is_there_before(zone) -> None:
    w = world(zone=zone, windows=NIGHT)
    patch = w.roll_out()
    w.advance(1)
    assert held(w, patch) is Reason.OUT_OF_WINDOW
    keep_current(w, patch, 24)
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    begun = next(e.time for e in w.entries() if e.name == name(patch) and e.new == P.INSTALLING)
    wall = datetime.fromtimestamp(begun, zone)
    assert (wall.hour, wall.minute) == (2, 0)


def test_both_windows_must_be_open() -> None:
    w = world(windows=(Window(START.hour * 60, START.hour * 60 + 30), Window((START.hour + 3) % 24 * 60, 0)))
    patch = w.roll_out(window=(NOW + HOUR, NOW + 20 * HOUR))
    w.advance(HOUR - 61)
    assert w.path(name(patch)) == [P.OFFERED, P.WAITING_FOR_WINDOW]
    assert w.patch_track(patch).reason is Reason.OK
    keep_current(w, patch, 1)
    assert held(w, patch) is Reason.OUT_OF_WINDOW
    keep_current(w, patch, 3)
    begun = next(e.time for e in w.entries() if e.name == name(patch) and e.new == P.INSTALLING)
    assert datetime.fromtimestamp(begun, UTC).hour == (START.hour + 3) % 24


def test_windows_that_never_meet_the_offer_are_said_at_once_and_time_out() -> None:
    w = world(windows=(Window((START.hour + 5) % 24 * 60, (START.hour + 6) % 24 * 60),))
    patch = w.roll_out(deadline=NOW + 2 * HOUR)
    w.advance(1)
    track = w.patch_track(patch)
    assert (track.state, track.reason) == (P.WAITING_FOR_WINDOW, Reason.OUT_OF_WINDOW)
    assert w.reports[-1].patches[0].reason is Reason.OUT_OF_WINDOW
    assert not w.announcements  # nobody is told of what will not happen
    w.offer(patch, deadline=NOW + 30 * HOUR)
    w.advance(1)
    assert held(w, patch) is Reason.OUT_OF_WINDOW
    assert [told.at % DAY // HOUR for told in w.announcements] == [(START.hour + 5) % 24]
    w.offer(patch, deadline=NOW + 3 * HOUR)
    w.advance(1)
    assert held(w, patch) is Reason.OUT_OF_WINDOW
    w.advance(3 * HOUR)
    assert (w.path(name(patch))[-1], w.patch_track(patch).reason) == (P.TIMED_OUT, Reason.DEADLINE_PASSED)


@pytest.mark.parametrize(
    ("bad", "reason", "good"),
    [
        ({"battery": 29}, Reason.LOW_BATTERY, {"battery": 30}),
        ({"battery": 29}, Reason.LOW_BATTERY, {}),
        ({"busy": True}, Reason.BUSY, {"busy": False}),
        ({"battery": 10, "busy": True}, Reason.LOW_BATTERY, {"battery": 90}),
    ],
)
def test_a_low_battery_or_work_holds_the_install_up_and_nothing_else(bad, reason, good) -> None:
    w = world()
    feel(w, **bad)
    patch = w.roll_out()
    w.advance(1)
    assert held(w, patch) is reason
    feel(w, **good)
    w.advance(1)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_the_owner_says_how_much_charge_is_enough() -> None:
    w = world(battery_min=0)
    feel(w, battery=0)
    patch = w.roll_out()
    w.advance(1)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_conditions_that_flap_make_no_storm() -> None:
    w = world()
    feel(w, battery=5, busy=True)
    patch = w.roll_out()
    w.advance(5)
    reports, stored = len(w.reports), w.durable
    for number in range(200):
        feel(w, battery=5 if number % 2 else 80, busy=number % 2 == 0)
        w.advance(0.1)
    assert len(w.reports) - reports <= 4
    assert w.durable - stored <= 10
    assert w.patch_track(patch).state is P.VERIFIED
    feel(w, battery=5)
    w.advance(limits.HOLD_SECONDS)
    assert held(w, patch) is Reason.LOW_BATTERY
    feel(w, busy=True)
    w.advance(limits.HOLD_SECONDS)
    assert held(w, patch) is Reason.BUSY


def test_after_a_restart_nothing_is_installed_before_the_shell_has_said_how_things_are() -> None:
    w = world()
    feel(w, battery=5)
    patch = w.roll_out()
    w.advance(1)
    w.restart()
    assert w.patch_track(patch).state is P.VERIFIED
    feel(w, battery=5)
    w.advance(limits.SENSING_SECONDS)
    assert held(w, patch) is Reason.LOW_BATTERY
    w.restart()
    w.advance(limits.SENSING_SECONDS)  # a shell that says nothing has nothing to say
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_a_clock_that_is_put_back_shortens_no_pause_and_prolongs_none() -> None:
    w = world()
    feel(w, battery=5)
    patch = w.roll_out()
    w.advance(1)
    w.restart()
    w.now -= 10 * DAY
    w.run(w.agent.tick(w.now))
    assert w.patch_track(patch).state is P.VERIFIED
    w.advance(limits.SENSING_SECONDS + 1)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_every_gate_is_asked_again_right_before_the_install() -> None:
    w = world()
    feel(w, busy=True)
    patch = w.roll_out()
    w.advance(7 * HOUR)  # the timestamp is over by now
    feel(w)
    w.advance(limits.HOLD_SECONDS)
    assert held(w, patch) is Reason.STALE
    w.current(patches=((7, patch),))
    w.advance(1)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_wishes_that_changed_meanwhile_are_kept() -> None:
    w = world()
    feel(w, busy=True)
    patch = w.roll_out()
    w.advance(1)
    w.profile = replace(w.profile, auto_consent=World(start=False, auto_consent=False).profile.auto_consent)
    w.restart()
    feel(w, busy=True)
    w.advance(5)
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION
    w.run(w.agent.consent("yes", w.now, w.asks[-1].question))
    feel(w)
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert w.patch_track(patch).consent.how is Agreed.ASKED


def test_a_time_beyond_every_calendar_opens_no_window_and_harms_nothing() -> None:
    w = world(windows=NIGHT, auto_consent=False)
    patch = w.patch()
    w.current(patches=((7, patch),), expires=VERSION_MAX)
    w.offer(patch, deadline=VERSION_MAX, expires=VERSION_MAX)
    late = VERSION_MAX - 50_000
    w.answer(w.reports[-1], version=late, issued=late, expires=VERSION_MAX)
    w.pump()
    w.run(w.agent.consent("yes", w.now))
    track = w.patch_track(patch)
    assert (track.state, track.reason) == (P.WAITING_FOR_WINDOW, Reason.OUT_OF_WINDOW)
    w.restart()
    assert w.patch_track(patch).state is P.WAITING_FOR_WINDOW
