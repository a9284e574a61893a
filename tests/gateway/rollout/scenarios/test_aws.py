"""Behaviours that AWS IoT Jobs documents: rates, aborts, retries."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from pathlib import Path

from gateway.core.rollout import Failure, GroupState, Outcome, RolloutState
from gateway.core.rollout.plan import Gates, Group, Plan, Rate, Retry, Success, Then, Trip
from keys.reasons import Reason
from tests.gateway.rollout.scenarios.world import DAY, HOUR, MINUTE, P, outcome_of, world


def test_the_rate_grows_with_what_is_proven(tmp_path: Path) -> None:
    """AWS: exponential rollout rate: a base a minute, a factor for every so many successes, a maximum."""
    with world(tmp_path) as w:
        rate = Rate(per_minute=20, grow_percent=200, every=100, maximum=160)
        w.script = outcome_of(P.SUCCEEDED, after=90)
        w.roll(Plan(groups=(Group(),), rate=rate, deadline=int(w.now) + DAY))
        w.run(3 * HOUR, step=20)
        assert w.state() is RolloutState.FINISHED
        times = sorted(at for at, _ in w.sent)
        assert len(times) == 2_000
        most = [bisect_right(times, at) - bisect_right(times, at - MINUTE) for at in times]
        assert max(most) == 160, "never more than the maximum in any minute"
        for at, many in zip(times, most, strict=True):
            proven = bisect_right(times, at - 80)  # those offered that long before have reported
            allowed = min(160, 20 * 2 ** (proven // 100))
            assert many <= allowed, (at - w.start, many)
        assert bisect_right(times, w.start + 4 * MINUTE) == 100, "20 in each of the first minutes"
        w.check()


def test_an_abort_counts_one_kind_of_failure_once_enough_have_ended(tmp_path: Path) -> None:
    """AWS: abort configuration: failure type, threshold per cent, and a minimum of executed things."""
    with world(tmp_path) as w:
        trip = Trip(percent=20, minimum=1, ended=50, failures=(Failure.DOWNLOAD,), then=Then.STOP)
        plan = Plan(
            groups=(Group(),),
            gates=Gates(failure=(trip,)),
            rate=Rate(per_minute=10),
            deadline=int(w.now) + DAY,
        )
        lost, refused = (
            outcome_of(P.FAILED, Reason.CONNECTION_LOST),
            outcome_of(P.FAILED, Reason.UPDATE_FAILED),
        )
        good, slow = outcome_of(P.SUCCEEDED), outcome_of(P.SUCCEEDED, after=5 * HOUR)
        # A half fails at installing, which is not what is counted; then a half at loading.
        order = [refused, good, slow] * 12 + [lost, good] * 2_000
        w.script = lambda w, device, offer: order[len(w.sent) - 1](w, device, offer)
        w.roll(plan)
        w.run(HOUR, step=MINUTE)
        found = w.rollout()
        assert found.groups == (GroupState.ERROR,)
        assert found.state is RolloutState.STOPPED
        tripped = next(row for row in w.rows("rollout.changed") if row["event"] == "FAIL")
        many, base = (int(word) for word in tripped["why"].replace(" failed (download)", "").split(" of "))
        assert base >= 50
        assert many * 100 > 20 * base
        # Whoever had not begun is told to leave it; whoever had said nothing more keeps nothing to act on.
        assert w.counts()[Outcome.OFFERED] == 0
        back = [offer for _, offer in w.sent if offer.cancel]
        assert back
        assert {offer.subject[0] for offer in back} <= w.offered()
        w.run(6 * HOUR)
        assert len(w.offered()) < 200, "nobody else is offered anything"
        w.check()


def test_each_kind_of_failure_is_tried_again_as_often_as_the_plan_says(tmp_path: Path) -> None:
    """AWS: retry configuration: a number of retries for each failure type; hawkBit issue 3251 wants a backoff."""
    with world(tmp_path) as w:
        plan = Plan(
            groups=(Group(),),
            gates=Gates(success=Success(percent=90), failure=(Trip(percent=20, minimum=2),)),
            retry=(Retry(failure=Failure.DOWNLOAD, times=2, seconds=HOUR),),
            deadline=int(w.now) + 2 * DAY,
        )
        lost, boot = (
            outcome_of(P.FAILED, Reason.CONNECTION_LOST),
            outcome_of(P.ROLLED_BACK, Reason.BOOT_NOT_CONFIRMED),
        )

        def fails(device_number: int, offers: int) -> bool:
            return device_number % 4 == 0 and offers <= (1 if device_number % 8 else 3)

        w.script = lambda w, device, offer: (
            [*under_way(w.now), *lost(w, device, offer)]
            if fails(device.number, len(device.offers))
            else (boot if device.number % 100 == 1 else outcome_of(P.SUCCEEDED))(w, device, offer)
        )
        w.roll(plan)
        w.run(30 * MINUTE)
        assert w.counts() == {Outcome.FAILING: 500, Outcome.FAILED_BOOT: 20, Outcome.PROVEN: 1_480}
        assert w.state() is RolloutState.RUNNING, "a quarter failed, and it is not final"
        w.run(5 * HOUR)
        assert w.counts() == {Outcome.PROVEN: 1_730, Outcome.FAILED_DOWNLOAD: 250, Outcome.FAILED_BOOT: 20}
        many = Counter(len(device.offers) for device in w.devices.values())
        assert many == {1: 1_500, 2: 250, 3: 250}
        times = sorted({at - w.start for at, _ in w.sent})
        assert len(times) == 3
        assert times[1] >= HOUR
        assert times[2] - times[1] >= 2 * HOUR, "twice as long before the second time"
        judged = w.rows("rollout.judged")
        assert sum(len(row.get("failed", ())) for row in judged) == 270
        assert sum(len(row.get("retry", ())) for row in judged) == 750
        w.check()


def under_way(now: float) -> list[tuple[float, P, Reason]]:
    """A word in between: the same end twice in a row would be no news."""
    return [(now + MINUTE, P.DOWNLOADING, Reason.OK)]
