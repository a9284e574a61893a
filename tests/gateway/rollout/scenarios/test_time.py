"""Silence, phases, deferral, windows: what time does to a rollout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from advisories.offer import Offer
from gateway.core.rollout import GroupState, Outcome, RolloutState
from gateway.core.rollout.plan import Gates, Group, Plan, Silence, Success, Then, Trip, Window
from gateway.core.rollout.schedule import next_window
from keys.reasons import Reason
from tests.gateway.rollout.scenarios.world import (
    DAY,
    HOUR,
    MINUTE,
    Device,
    P,
    Said,
    World,
    begin,
    installs,
    last,
    outcome_of,
    world,
)

G = GroupState


def test_devices_that_say_nothing_trip_a_gate_of_their_own(tmp_path: Path) -> None:
    """Edgehog: a request times out, and a campaign ends over its maximum of failures (issues 225, 1447, 1469)."""
    with world(tmp_path) as w:
        silence = Silence(percent=30, minimum=10, seconds=6 * HOUR, then=Then.PAUSE)
        gates = Gates(success=Success(percent=90), silence=silence)
        w.roll(Plan(groups=(Group(count=200), Group()), gates=gates, deadline=int(w.now) + 7 * DAY))
        first = [w.devices[id_] for id_ in sorted(w.members(0))]
        for device in first[:70]:
            device.online = False
        stuck = outcome_of(P.DOWNLOADING)
        w.script = lambda w, device, offer: (stuck if device in first[70:80] else installs)(w, device, offer)
        w.run(5 * HOUR)
        assert w.counts(0) == {Outcome.OFFERED: 70, Outcome.UNDER_WAY: 10, Outcome.PROVEN: 120}
        assert w.state() is RolloutState.RUNNING
        w.run(2 * HOUR)
        assert w.counts(0) == {Outcome.SILENT: 80, Outcome.PROVEN: 120}, "70 never spoke, 10 stopped speaking"
        assert (w.state(), w.groups()) == (RolloutState.PAUSED, (G.ERROR, G.SCHEDULED))
        for device in first[:70]:
            w.wake(device)
        w.run(HOUR)
        assert w.counts(0) == {Outcome.SILENT: 10, Outcome.PROVEN: 190}, "a late word ends the silence"
        assert w.groups() == (G.ERROR, G.SCHEDULED), "and not the verdict"
        assert w.offered() == w.members(0)
        w.check()


def test_phases_come_by_time_alone(tmp_path: Path) -> None:
    """Mender: phases with a batch size and a start time, no gate; the deployment itself starts at a time."""
    with world(tmp_path) as w:
        groups = (Group(percent=10), Group(percent=20, opens=6 * HOUR), Group(percent=70, opens=DAY))
        gates = Gates(success=Success(percent=0), failure=())
        starts = int(w.now) + 2 * HOUR
        w.roll(Plan(groups=groups, gates=gates, starts=starts, deadline=int(w.now) + 7 * DAY))
        for device in w.devices.values():
            device.online = False
        assert w.state() is RolloutState.SCHEDULED
        w.run(DAY + 4 * HOUR, step=HOUR)
        times = Counter((at - starts) / HOUR for at, _ in w.sent)
        assert times == {0: 200, 6: 400, 24: 1_400}
        assert w.rollout().started == starts
        w.check()


def test_an_owner_may_put_it_off_until_the_deadline(tmp_path: Path) -> None:
    """LwM2M object 5 (Maximum Defer Period), Matter (DelayedOnUserConsent): deferral ends, and is no silence."""
    with world(tmp_path) as w:
        deadline = int(w.now) + 5 * DAY
        gates = Gates(
            success=Success(percent=60),
            failure=(Trip(percent=50, minimum=2),),
            silence=Silence(percent=1, minimum=1, seconds=12 * HOUR),
        )

        def script(w: World, device: Device, offer: Offer) -> Sequence[Said]:
            if device.number % 4 == 0:  # puts it off each day, and then it is too late
                days = range(int((last(offer) - w.now) // DAY))
                late = (last(offer), P.TIMED_OUT, Reason.DEADLINE_PASSED)
                return [*((w.now + HOUR + day * DAY, P.DEFERRED, Reason.DEFERRED) for day in days), late]
            if device.number % 4 == 1:  # agrees on the third day
                at = w.now + 3 * DAY
                if at >= last(offer):
                    return [(last(offer), P.TIMED_OUT, Reason.DEADLINE_PASSED)]
                return [(w.now + HOUR, P.WAITING_FOR_CONFIRMATION, Reason.OK), (at, P.SUCCEEDED, Reason.OK)]
            return installs(w, device, offer)

        w.script = script
        w.roll(Plan(groups=(Group(percent=50), Group()), gates=gates, ask=True, deadline=deadline))
        w.run(2 * DAY, step=2 * HOUR)
        assert {offer.deadline for _, offer in w.sent} == {deadline}
        assert w.counts()[Outcome.SILENT] == 0
        assert w.counts(0)[Outcome.WAITING] == 1_000 - w.counts(0)[Outcome.PROVEN] > 300
        assert (w.state(), w.groups()) == (RolloutState.RUNNING, (G.RUNNING, G.SCHEDULED))
        w.run(DAY + HOUR, step=2 * HOUR)
        assert w.groups()[0] is G.FINISHED, "those who agreed on the third day made the 60 per cent"
        w.run(2 * DAY + HOUR, step=2 * HOUR)
        assert w.state() is RolloutState.FINISHED
        late = sum(device.states[7][0] is P.TIMED_OUT for device in w.devices.values())
        assert late > 500
        assert w.counts() == {Outcome.PROVEN: 2_000 - late, Outcome.FAILED_TIME: late}, (
            "what is over is final"
        )
        w.check()


def test_a_window_that_lapsed_comes_back_with_the_next_offer(tmp_path: Path) -> None:
    """hawkBit cancels an action whose maintenance window lapsed (issues 245, 2026); AWS windows come back."""
    with world(tmp_path) as w:
        window = Window(start=2 * 60, minutes=120, days=(5, 6))  # Saturday and Sunday from 2 to 4
        plan = Plan(
            groups=(Group(),),
            windows=(window,),
            zone="Europe/Berlin",
            jitter=30 * MINUTE,
            deadline=int(w.now) + 20 * DAY,
        )
        zone = ZoneInfo(plan.zone)
        opens, closes = next_window(plan, zone, w.now) or (0, 0)
        assert opens > w.now
        for number, device in enumerate(w.devices.values()):
            device.online = number % 2 == 0

        def script(w: World, device: Device, offer: Offer) -> Sequence[Said]:
            if device.number % 10 == 0 and len(device.offers) == 1:  # a flat battery in the first window
                return [(last(offer), P.TIMED_OUT, Reason.LOW_BATTERY)]
            return [(begin(w, offer) + 5 * MINUTE, P.SUCCEEDED, Reason.OK)]

        w.script = script
        w.roll(plan)
        w.run(closes - w.now + HOUR, step=HOUR)
        first = [offer for at, offer in w.sent if at == w.start]
        assert len(first) == 2_000
        starts = [offer.window[0] for offer in first if offer.window]
        assert {offer.window[1] for offer in first if offer.window} == {closes}
        assert opens <= min(starts) < opens + MINUTE
        assert max(starts) > opens + 29 * MINUTE
        assert max(starts) <= opens + 30 * MINUTE
        assert w.counts()[Outcome.PROVEN] == 800
        second = [offer for at, offer in w.sent if at > w.start]
        assert {offer.subject[0] for offer in second} == {
            device.id for device in w.devices.values() if device.installed[2] == 1
        }
        assert all(offer.window and offer.window[0] > closes for offer in second)
        for device in w.devices.values():
            if not device.online:
                w.wake(device)
        w.run(9 * DAY, step=6 * HOUR)
        assert (w.state(), w.counts()) == (RolloutState.FINISHED, {Outcome.PROVEN: 2_000})
        assert w.rows("rollout.judged"), "a lapsed window was no failure, and is on record"
        w.check()
