"""Consent, deferral, windows and deadlines."""

import pytest

from advisories.offer import Consent
from advisories.report import question
from device_sim.core import effects as do
from keys.document import digest
from tests.device_sim.core.stories import TRIAL, P, name, world
from tests.device_sim.core.world import FLEET
from tests.helpers import HOUR, NOW, PRODUCT, notice, text


def test_the_owner_is_asked_with_the_notice_that_the_patch_mends() -> None:
    w = world(auto_consent=False)
    patch = w.patch()
    header = w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
    w.current(header, patches=((7, patch),))
    w.offer(patch)
    shown = question(
        patch, digest(w.retained[w.topics.notice(PRODUCT, header.id)]), text("en").digest(), "en"
    )
    assert w.asks == [do.AskConsent("1.4.2", header, final=False, question=shown, text="", left=3)]
    w.advance(HOUR)
    assert len(w.asks) == 1
    w.run(w.agent.consent("yes", w.now))
    w.pump()
    w.advance(5)
    assert w.path(name(patch)) == [P.OFFERED, P.WAITING_FOR_CONFIRMATION, *TRIAL[1:], P.SUCCEEDED]


def test_the_owner_who_says_no_is_not_asked_again() -> None:
    w = world(auto_consent=False)
    patch = w.roll_out()
    w.run(w.agent.consent("no", w.now))
    w.restart()
    w.run(w.agent.consent("yes", w.now))
    assert w.path(name(patch))[-1] is P.DECLINED
    assert len(w.asks) == 1


def test_the_owner_may_put_it_off_only_so_often() -> None:
    w = world(auto_consent=False, defer_max=2, defer_seconds=HOUR)
    patch = w.roll_out()
    for _ in range(2):
        w.run(w.agent.consent("defer", w.now))
        assert w.path(name(patch))[-1] is P.DEFERRED
        w.advance(HOUR)
        assert w.path(name(patch))[-1] is P.WAITING_FOR_CONFIRMATION
    assert [ask.final for ask in w.asks] == [False, False, True]
    w.run(w.agent.consent("defer", w.now))
    assert w.path(name(patch))[-1] is P.WAITING_FOR_CONFIRMATION
    assert [ask.final for ask in w.asks][-1:] == [True]
    assert len(w.asks) == 4


def test_the_question_comes_again_after_a_restart() -> None:
    w = world(auto_consent=False)
    w.roll_out()
    w.restart()
    assert len(w.asks) == 2


def test_an_offer_may_ask_although_the_owner_agreed_beforehand() -> None:
    w = world()
    patch = w.roll_out(consent=Consent.ASK)
    assert w.path(name(patch))[-1] is P.WAITING_FOR_CONFIRMATION


def test_an_offer_that_asks_for_more_consent_than_the_last_begins_again() -> None:
    w = world()
    w.serving = False
    patch = w.roll_out()
    assert w.patch_track(patch).state is P.DOWNLOADING
    w.offer(patch, consent=Consent.ASK)
    assert w.path(name(patch)) == [
        *(P.OFFERED, P.DOWNLOADING, P.CANCELED, P.OFFERED, P.WAITING_FOR_CONFIRMATION),
    ]


def test_a_manifest_whose_text_was_cut_names_no_version_and_the_image_does() -> None:
    from advisories import suit

    w = world(auto_consent=False)
    patch = w.patch()
    topic = w.topics.patch(PRODUCT, 7)
    whole = suit.decode(w.retained[topic])
    w.retained[topic] = suit.encode(suit.Envelope(whole.digest, whole.blocks, whole.manifest))
    w.current(patches=((7, patch),))
    w.offer(patch)
    assert w.asks[0].version == ""
    w.run(w.agent.consent("yes", w.now))
    w.pump()
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_a_patch_waits_for_its_window() -> None:
    w = world()
    patch = w.roll_out(window=(NOW + HOUR, NOW + 2 * HOUR))
    w.advance(HOUR - 61)
    assert w.path(name(patch)) == [P.OFFERED, P.WAITING_FOR_WINDOW]
    w.advance(10)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_a_window_that_moves_while_the_patch_is_ready_is_kept() -> None:
    w = world()
    patch = w.roll_out(window=(NOW + HOUR, NOW + 2 * HOUR))
    w.serving = False
    w.advance(HOUR)
    assert w.patch_track(patch).state is P.DOWNLOADING
    w.offer(patch, window=(NOW + 3 * HOUR, NOW + 4 * HOUR))
    w.serving = True
    w.advance(10 * 60)
    assert w.path(name(patch))[-1] is P.VERIFIED
    w.advance(2 * HOUR)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_a_window_taken_away_lets_the_patch_go_on() -> None:
    w = world()
    patch = w.roll_out(window=(NOW + HOUR, NOW + 2 * HOUR))
    w.offer(patch)
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


@pytest.mark.parametrize("terms", [{"deadline": NOW + HOUR}, {"window": (NOW, NOW + HOUR)}], ids=str)
def test_an_install_not_begun_in_time_is_timed_out(terms) -> None:
    w = world(auto_consent=False)
    patch = w.roll_out(**terms)
    w.advance(HOUR - 61)
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION
    w.advance(1)
    assert w.path(name(patch))[-1] is P.TIMED_OUT
