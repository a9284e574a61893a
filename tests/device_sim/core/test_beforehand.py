"""What the owner agreed to beforehand: urgent patches or all, always announced, never more than that."""

import pytest

from advisories.notice import Phase, Severity
from advisories.offer import Consent
from advisories.report import Agreed, question
from advisories.states import Surface
from device_sim.core import effects as do
from device_sim.core.profile import AutoConsent, Conditions
from keys.document import digest
from keys.reasons import Reason
from tests.device_sim.core.stories import P, name, survive, world
from tests.device_sim.core.test_inbox import rotated
from tests.device_sim.core.world import FLEET, World
from tests.helpers import HOUR, NOW, PRODUCT, make_fleet, notice, text

URGENT = {"auto_consent": AutoConsent.URGENT}


def warned(w: World, **fields) -> bytes:
    """A notice names a patch, all of it current, and the patch is offered."""
    patch = w.patch()
    header = w.notice(notice(w.fleet, **{"patches": {PRODUCT: (patch,)}, **fields}))
    w.current(header, patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    return patch


@pytest.mark.parametrize("severity", [Severity.HIGH, Severity.CRITICAL])
@pytest.mark.parametrize("surface", [Surface.CONSOLE, Surface.LED, Surface.NONE])
def test_an_urgent_patch_is_announced_and_installed_without_a_question(severity, surface) -> None:
    w = world(**URGENT, surface=surface)
    patch = warned(w, severity=severity)
    assert w.asks == []
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    track = w.patch_track(patch)
    header = digest(w.retained[w.topics.notice(PRODUCT, "EX-2026-0001")])
    assert (track.consent.how, track.consent.notice) == (Agreed.URGENT, header)
    if surface is not Surface.NONE:
        assert track.consent.question == question(patch, header, text("en").digest(), "en")
    assert [(told.version, told.urgent) for told in w.announcements] == [("1.4.2", True)]
    assert w.reports[-1].patches[0].consent.how is Agreed.URGENT


def test_the_announcement_goes_out_before_anything_is_brought() -> None:
    w = world(**URGENT)
    warned(w)
    kinds = [type(effect) for effect in w.effects]
    assert kinds.index(do.Announce) < kinds.index(do.EraseSlot)
    assert kinds.index(do.Announce) < kinds.index(do.WriteSlot)


@pytest.mark.parametrize(
    ("case", "fields"),
    [
        ("of medium severity", {"severity": Severity.MEDIUM}),
        ("names another patch", {"patches": {PRODUCT: (bytes(32),)}}),
        ("for another product", {"patches": {"camera": (bytes(32),)}}),
        ("names none", {"patches": None}),
        ("does not concern this version", {"affected": {PRODUCT: (((1, 0, 0, 0), (1, 2, 0, 0)),)}}),
        ("an exercise", {"exercise": True}),
        ("withdrawn", {"phase": Phase.WITHDRAWN}),
        ("over", {"expires": NOW + 60}),
    ],
)
def test_a_patch_that_no_grave_notice_names_is_asked_for(case, fields) -> None:
    w = world(**URGENT)
    patch = warned(w, **fields)
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION
    assert w.announcements == []


def test_where_all_is_exercise_an_exercise_is_urgent_too() -> None:
    fleet = make_fleet(exercise=True)
    w = World(fleet, **URGENT)
    w.connect()
    patch = warned(w, exercise=True)
    assert w.patch_track(patch).consent.how is Agreed.URGENT


def test_a_notice_that_the_catalogue_does_not_name_urges_nothing_until_it_does() -> None:
    w = world(**URGENT)
    patch = w.patch()
    header = w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
    w.current(patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION
    w.current(header, patches=((7, patch),))
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert w.patch_track(patch).consent.how is Agreed.URGENT


def test_a_notice_whose_signers_are_gone_urges_nothing() -> None:
    w = world(**URGENT)
    w.run(w.agent.conditions(Conditions(busy=True), w.now))
    patch = w.patch()
    header = w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
    w.current(header, patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    assert w.patch_track(patch).state is P.VERIFIED
    rotated(w, legal=("legal-9",))
    w.advance(120)
    w.current(header, patches=((7, patch),), version=NOW + 1_000)
    w.advance(5)
    assert w.agent.trusted.root.version == 2
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION


@pytest.mark.parametrize("wish", [AutoConsent.URGENT, AutoConsent.ALWAYS])
def test_an_offer_that_asks_is_asked_for_whatever_was_agreed(wish) -> None:
    w = world(auto_consent=wish)
    patch = w.patch()
    header = w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
    w.current(header, patches=((7, patch),))
    w.offer(patch, consent=Consent.ASK)
    w.advance(5)
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION
    assert w.announcements == []
    w.offer(patch)  # and one that does not ask any more goes by what was agreed
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_agreed_to_all_goes_without_any_notice_and_is_announced_too() -> None:
    w = world()
    patch = w.roll_out()
    w.advance(5)
    assert w.patch_track(patch).consent.how is Agreed.ALWAYS
    assert [(told.version, told.notice, told.urgent) for told in w.announcements] == [("1.4.2", None, False)]


def test_what_is_no_longer_urgent_before_the_install_is_asked_for() -> None:
    w = world(**URGENT)
    w.run(w.agent.conditions(Conditions(busy=True), w.now))
    patch = warned(w)
    assert w.patch_track(patch).state is P.VERIFIED
    milder = notice(FLEET, revision=2, version=NOW + 1, severity=Severity.LOW, patches={PRODUCT: (patch,)})
    w.notice(milder)
    w.current(milder, patches=((7, patch),))
    w.run(w.agent.conditions(Conditions(), w.now))
    w.pump()
    w.advance(5)
    assert w.path(name(patch))[-3:] == [P.CANCELED, P.OFFERED, P.WAITING_FOR_CONFIRMATION]
    assert w.agent.installed == (1, 4, 1, 0)


def test_metadata_that_lapses_takes_no_agreement_back() -> None:
    w = world(**URGENT)
    w.run(w.agent.conditions(Conditions(busy=True), w.now))
    patch = warned(w)
    w.advance(7 * HOUR)
    assert not w.agent.is_current
    assert w.patch_track(patch).state is P.VERIFIED


def test_it_is_announced_once_whatever_restarts() -> None:
    w = world(**URGENT)
    w.run(w.agent.conditions(Conditions(busy=True), w.now))
    patch = warned(w)
    w.restart()
    w.run(w.agent.conditions(Conditions(busy=True), w.now))
    w.restart()
    w.advance(60)
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert len(w.announcements) == 1
    assert w.patch_track(patch).announced is not None


def test_a_power_cut_never_leaves_an_install_unannounced() -> None:
    def live(cut_at: int | None) -> World:
        w = World(start=False, **URGENT)
        patch = w.patch()
        header = w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
        w.current(header, patches=((7, patch),))
        w.offer(patch)
        w.cut_at = cut_at
        survive(w, seconds=60)
        return w

    for cut_at in range(1, live(None).durable + 1):
        w = live(cut_at)
        kinds = [type(effect) for effect in w.effects]
        assert kinds.index(do.Announce) < kinds.index(do.SaveBoot)
        assert 1 <= len(w.announcements) <= 2


def test_an_owner_who_put_it_off_is_not_overruled_before_its_time() -> None:
    w = world(**URGENT)
    patch = w.roll_out()
    w.run(w.agent.consent("defer", w.now, w.asks[-1].question))
    header = w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
    w.current(header, patches=((7, patch),))
    w.advance(HOUR)
    assert w.patch_track(patch).state is P.DEFERRED
    w.run(w.agent.consent("no", w.now, w.asks[-1].question))
    assert w.patch_track(patch).state is P.DEFERRED
    assert Reason.DEFERRED is w.patch_track(patch).reason
