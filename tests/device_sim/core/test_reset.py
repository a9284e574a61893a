"""A factory reset: the next owner is told and asked anew; trust, floors and the journal stay."""

from dataclasses import replace

import pytest

from advisories.report import Agreed, Track, journal_genesis, journal_head
from advisories.states import NoticeState
from device_sim.core import effects as do
from device_sim.core.profile import AutoConsent, Conditions
from keys.reasons import Reason
from tests.device_sim.core.firmware import NEW
from tests.device_sim.core.stories import TRIAL, P, name, offered, until, world
from tests.device_sim.core.world import FLEET, PowerCutError, World
from tests.helpers import HOUR, NOW, PRODUCT, notice

S = NoticeState
ID = "EX-2026-0001"


def reset(w: World) -> None:
    w.run(w.agent.factory_reset(w.now))
    w.pump()


def test_notices_are_told_anew_and_acknowledgements_forgotten() -> None:
    w = world()
    w.notice(notice(FLEET, reminder=(HOUR, 3)))
    w.advance(2 * HOUR)
    w.run(w.agent.acknowledge(w.now))
    w.shows.clear()
    reset(w)
    assert w.path(ID)[-3:] == [S.ACKNOWLEDGED, S.VERIFIED, S.SHOWN]
    assert len(w.shows) == 1
    assert w.notice_track().reminders == 0
    w.advance(HOUR + 1)
    assert w.notice_track().reminders == 1
    w.restart()
    assert w.path(ID)[-1] is S.SHOWN


def test_the_journal_says_so_and_everything_that_protects_stays() -> None:
    w = world()
    header = w.notice()
    patch = w.roll_out(header)
    w.advance(5)
    before, w.receipting = w.agent._session.state, False
    kept = (before.patch_floor, before.security_counter, before.boot_epoch + 1, before.trusted.dump())
    reset(w)
    state = w.agent._session.state
    assert (state.patch_floor, state.security_counter, state.boot_epoch, state.trusted.dump()) == kept
    assert [e.name for e in w.entries() if e.track is Track.DEVICE][-2:] == ["factory reset", "boot"]
    said = next(e for e in w.entries() if e.name == "factory reset")
    assert said.reason is Reason.RESET
    assert all(e.index > said.index for e in w.entries() if e.reason is Reason.RESET and e != said)
    assert journal_head(journal_genesis(FLEET.id, w.profile.id), w.entries()) == state.journal_head
    assert w.patch_track(patch).state is P.SUCCEEDED
    assert w.patch_track(patch).consent is None
    assert w.agent.installed == NEW


def test_the_next_owner_reads_in_the_language_that_the_device_was_made_with() -> None:
    w = World(languages=("en",))
    w.profile = replace(w.profile, languages=("de",), auto_consent=AutoConsent.ALWAYS)
    w.restart()
    w.notice()
    assert w.shows[-1].text.language == "de"
    reset(w)
    w.advance(20)
    assert w.profile.languages == ("en",)
    assert w.shows[-1].text.language == "en"
    assert w.notice_track().state is S.SHOWN


def test_words_in_the_right_language_are_shown_without_the_gateway() -> None:
    w = world()
    w.notice()
    w.disconnect()
    w.shows.clear()
    reset(w)
    assert len(w.shows) == 1
    assert w.path(ID)[-1] is S.SHOWN


def test_a_notice_that_was_not_shown_yet_is_looked_for_in_the_next_owners_words() -> None:
    w = World(languages=("en",))
    w.profile = replace(w.profile, languages=("de",))
    w.surface = Reason.DISPLAY_FAILED
    w.restart()
    w.notice()
    w.surface = Reason.OK
    reset(w)
    w.advance(20)
    assert w.shows[-1].text.language == "en"


@pytest.mark.parametrize("state", [P.WAITING_FOR_CONFIRMATION, P.DEFERRED, P.DOWNLOADING, P.VERIFIED])
def test_a_patch_before_the_point_of_no_return_is_asked_for_again(state) -> None:
    w = world(auto_consent=False, defer_max=1)
    w.run(w.agent.conditions(Conditions(busy=True), w.now))
    patch = w.roll_out()
    if state is P.DEFERRED:
        w.run(w.agent.consent("defer", w.now))
    elif state is not P.WAITING_FOR_CONFIRMATION:
        w.serving = state is P.VERIFIED
        w.run(w.agent.consent("yes", w.now))
        w.pump()
        w.advance(5)
    assert w.patch_track(patch).state is state
    w.serving = True
    asked = len(w.asks)
    reset(w)
    w.advance(5)
    assert w.path(name(patch))[-4:] == [state, P.CANCELED, P.OFFERED, P.WAITING_FOR_CONFIRMATION]
    canceled = next(e for e in w.entries() if e.name == name(patch) and e.new == P.CANCELED)
    assert canceled.reason is Reason.RESET
    track = w.patch_track(patch)
    assert (track.consent, track.deferrals, track.announced) == (None, 0, None)
    assert len(w.asks) > asked
    assert (w.asks[-1].final, w.asks[-1].left) == (False, 1)
    w.run(w.agent.consent("yes", w.now))
    w.pump()
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_a_patch_that_the_former_owner_refused_is_asked_for_again() -> None:
    w = world(auto_consent=False)
    patch = w.roll_out()
    w.run(w.agent.consent("no", w.now))
    reset(w)
    w.advance(5)
    assert w.path(name(patch))[-3:] == [P.DECLINED, P.OFFERED, P.WAITING_FOR_CONFIRMATION]


def test_an_older_patch_that_was_refused_before_a_newer_offer_stays_refused() -> None:
    w = world(auto_consent=False)
    first = w.roll_out()
    w.run(w.agent.consent("no", w.now))
    second = w.patch(8, version=(1, 5, 0, 0))
    w.current(patches=((7, first), (8, second)))
    w.offer(second, 8)
    w.run(w.agent.consent("yes", w.now))
    w.pump()
    w.advance(5)
    assert w.path(name(second))[-1] is P.SUCCEEDED
    reset(w)
    w.advance(5)
    assert w.path(name(first))[-1] is P.DECLINED


@pytest.mark.parametrize("state", [P.INSTALLING, P.TESTING])
def test_after_the_point_of_no_return_the_install_goes_on_and_the_restart_waits(state) -> None:
    w = world(defer_max=2)
    w.profile = replace(w.profile, languages=("de",))
    patch = offered(w)
    until(w, patch, state)
    boots = w.boots
    w.run(w.agent.factory_reset(w.now))
    assert w.boots == boots
    assert w.patch_track(patch).state is state
    assert w.patch_track(patch).consent is None
    w.pump()
    w.advance(5)
    assert w.path(name(patch)) == [*TRIAL, P.SUCCEEDED]
    assert w.agent.installed == NEW
    assert w.agent.profile.languages == ("en",)


def test_what_is_announced_is_announced_to_the_next_owner_too() -> None:
    w = world()
    w.run(w.agent.conditions(Conditions(busy=True), w.now))
    patch = w.roll_out()
    w.advance(1)
    assert len(w.announcements) == 1
    reset(w)
    w.advance(60)
    assert len(w.announcements) == 2
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert w.patch_track(patch).consent.how is Agreed.ALWAYS


def test_whenever_the_power_fails_a_reset_was_done_or_can_be_done_again() -> None:
    def live(cut_at: int | None) -> tuple[World, bytes]:
        w = world(auto_consent=False)
        patch = w.patch()
        header = w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
        w.current(header, patches=((7, patch),))
        w.offer(patch)
        w.run(w.agent.acknowledge(w.now))
        w.run(w.agent.consent("defer", w.now))
        w.durable, w.cut_at = 0, cut_at
        try:
            reset(w)
        except PowerCutError:
            w.restart()
        return w, patch

    for cut_at in range(1, live(None)[0].durable + 1):
        w, patch = live(cut_at)
        w.advance(10)
        if any(entry.name == "factory reset" for entry in w.entries()):
            assert w.notice_track().state is S.SHOWN
            assert w.patch_track(patch).deferrals == 0
        else:
            reset(w)
            w.advance(10)
        assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION
        assert w.path(ID)[-1] is S.SHOWN


def test_the_wishes_are_forgotten_before_anything_says_that_they_are() -> None:
    w = world()
    w.effects.clear()
    reset(w)
    kinds = [type(effect) for effect in w.effects]
    assert kinds.index(do.ForgetWishes) < kinds.index(do.Save) < kinds.index(do.Reboot)


def test_a_device_without_anything_is_reset_too() -> None:
    w = world()
    reset(w)
    reset(w)
    assert [e.name for e in w.entries()].count("factory reset") == 2
    assert w.notice(notice(FLEET, version=NOW + 3)) is not None
    assert w.notice_track().state is S.SHOWN
