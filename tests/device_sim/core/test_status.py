"""What an onlooker sees of a device, from its factory to a patch that was installed."""

from typing import Any

import pytest

from advisories.notice import Action, Phase, Severity
from advisories.states import NoticeState, PatchState
from device_sim.core.profile import AutoConsent, Platform
from device_sim.core.status import Status, snapshot
from tests.device_sim.core.stories import world
from tests.device_sim.core.world import World
from tests.helpers import DEVICE, make_fleet, notice

N, P = NoticeState, PatchState


def seen(w: World) -> Status:
    return snapshot(w.agent, w.asks[-1] if w.asks else None)


def asked(**profile: Any) -> tuple[World, bytes]:
    """A device whose owner is asked about a patch that mends a notice."""
    w = world(auto_consent=AutoConsent.NEVER, **profile)
    patch = w.patch()
    header = notice(w.fleet, patches={w.profile.product: (patch,)})
    w.notice(header)
    assert w.roll_out(header) == patch
    w.pump()
    return w, patch


def test_a_device_from_the_factory_has_nothing_to_say() -> None:
    status = seen(world())
    assert (status.product, status.installed, status.current) == ("thermostat", "1.4.1", False)
    assert (status.notices, status.patch, status.question, status.patches) == ((), None, None, True)
    assert (status.foremost, status.severity, status.find("EX-2026-0001")) == (None, None, None)


def test_what_was_not_measured_is_not_told() -> None:
    w = World(start=False)
    w.slots[0] = bytearray(b"no image")
    w.start()
    assert seen(w).installed is None


def test_a_notice_is_seen_before_it_is_confirmed_and_after_it_was_read() -> None:
    w = world()
    header = w.notice()
    (view,) = seen(w).notices
    assert (view.state, view.confirmed, view.unread, view.is_open) == (N.SHOWN, False, True, True)
    assert view.text is not None
    assert view.text.language == "en"
    assert len(view.check_code) == 7
    w.current(header)
    assert seen(w).notices[0].confirmed
    w.run(w.agent.acknowledge(w.now))
    status = seen(w)
    assert (status.notices[0].unread, status.severity) == (False, Severity.HIGH)
    assert status.foremost is status.find(header.id)
    w.advance(7 * 3600)  # the timestamp runs out
    assert not seen(w).notices[0].confirmed


def test_a_notice_for_other_versions_is_not_seen() -> None:
    w = world()
    w.notice(notice(w.fleet, affected={w.profile.product: (((1, 0, 0, 0), (1, 4, 0, 0)),)}))
    assert seen(w).notices == ()


def test_a_notice_that_waits_for_its_text_is_not_seen() -> None:
    w = world()
    w.notice(texts=())
    assert seen(w).notices == ()


@pytest.mark.parametrize("was_shown", [True, False])
def test_a_withdrawn_notice_is_seen_by_those_who_saw_it_before(was_shown: bool) -> None:
    w = world()
    if was_shown:
        w.notice()
    w.notice(notice(w.fleet, revision=2, version=w.fleet.now + 1, phase=Phase.WITHDRAWN))
    status = seen(w)
    assert [view.state for view in status.notices] == [N.WITHDRAWN] * was_shown
    assert (status.foremost, status.severity) == (None, None)


def test_a_resolved_notice_stands_no_more() -> None:
    w = world()
    w.notice(notice(w.fleet, phase=Phase.RESOLVED, action=Action.RESOLVED))
    status = seen(w)
    assert status.severity is None
    assert status.foremost is not None
    assert not status.foremost.is_open


def test_what_is_read_next_stands_first_and_the_worst_one_counts() -> None:
    w = world()
    kinds = {
        "EX-2026-0001": (Severity.CRITICAL, Action.FOR_INFORMATION),
        "EX-2026-0002": (Severity.LOW, Action.ACT_SOON),
        "EX-2026-0003": (Severity.HIGH, Action.ACT_SOON),
        "EX-2026-0004": (Severity.HIGH, Action.RESOLVED),
    }
    for name, (severity, action) in kinds.items():
        w.notice(notice(w.fleet, id=name, severity=severity, action=action))
    order = [view.notice.id[-1] for view in seen(w).notices]
    assert order == ["3", "2", "1", "4"]
    assert seen(w).severity is Severity.CRITICAL
    w.run(w.agent.acknowledge(w.now, "EX-2026-0003"))
    assert [view.notice.id[-1] for view in seen(w).notices] == ["2", "1", "4", "3"]


def test_under_an_exercise_root_everything_is_an_exercise() -> None:
    fleet = make_fleet(exercise=True)
    w = World(fleet)
    w.connect()
    w.notice(notice(fleet))
    assert seen(w).notices[0].notice.exercise


def test_a_question_is_seen_as_long_as_it_is_open() -> None:
    w, patch = asked()
    status = seen(w)
    assert status.question == w.asks[-1]
    assert status.patch is not None
    assert (status.patch.digest, status.patch.version, status.patch.mends) == (patch, "1.4.2", "EX-2026-0001")
    assert (status.patch.under_way, status.patch.wanted, status.patch.percent) == (False, True, None)
    assert status.question is not None
    w.run(w.agent.consent("yes", w.now, status.question.question))
    assert seen(w).question is None
    w.pump()
    status = seen(w)
    assert status.installed == "1.4.2"
    assert status.patch is not None
    assert (status.patch.state, status.patch.wanted) == (P.SUCCEEDED, False)


def test_progress_is_told_in_percent_while_the_payload_comes() -> None:
    w, patch = asked()
    percents: list[int] = []
    question = seen(w).question
    assert question is not None
    w.run(w.agent.consent("yes", w.now, question.question))
    while w.queue:
        w.run(w.queue.popleft()())
        status = seen(w)
        if status.patch is not None and status.patch.percent is not None:
            assert status.patch.under_way
            percents.append(status.patch.percent)
    assert percents == sorted(percents)
    assert percents[0] == 0
    assert max(percents) <= 100
    assert w.patch_track(patch).state is P.SUCCEEDED


def test_what_the_owner_declined_is_still_the_newer_version() -> None:
    w, _ = asked()
    w.run(w.agent.consent("no", w.now))
    status = seen(w)
    assert status.patch is not None
    assert (status.patch.state, status.patch.wanted, status.question) == (P.DECLINED, True, None)


def test_of_several_notices_the_gravest_one_stands_behind_a_patch() -> None:
    w = world()
    patch = w.patch()
    mends = {"patches": {w.profile.product: (patch,)}}
    grave = notice(w.fleet, id="EX-2026-0002", severity=Severity.CRITICAL, **mends)
    slight = notice(w.fleet, id="EX-2026-0001", severity=Severity.LOW, **mends)
    for header in (grave, slight):
        w.notice(header)
    w.current(grave, slight, patches=((7, patch),))
    w.queue.clear()
    w.offer(patch)
    status = seen(w)
    assert status.patch is not None
    assert status.patch.mends == "EX-2026-0002"


def test_a_patch_that_mends_nothing_known_is_seen_alone() -> None:
    w = world(auto_consent=AutoConsent.NEVER)
    w.roll_out()
    status = seen(w)
    assert status.patch is not None
    assert status.patch.mends is None
    assert status.question is not None


def test_the_patch_under_way_is_seen_before_one_that_ended() -> None:
    w, _ = asked()
    w.run(w.agent.consent("no", w.now))
    other = w.patch(8, version=(1, 4, 3, 0))
    w.current(patches=((8, other),))
    w.offer(other, 8)
    w.pump()
    status = seen(w)
    assert status.patch is not None
    assert (status.patch.digest, status.patch.state) == (other, P.WAITING_FOR_CONFIRMATION)


def test_where_somebody_else_installs_the_device_only_tells() -> None:
    assert seen(world(platform=Platform.NONE)).patches is False


def test_nothing_secret_is_seen() -> None:
    w, _ = asked()
    told = repr(seen(w))
    assert DEVICE not in told
    for secret in (w.fleet.device(DEVICE).public.thumbprint, w.reports[-1].nonce):
        assert repr(secret)[2:-1] not in told
