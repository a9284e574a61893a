"""Consent is bound to what was shown: manifest, notice, words, language."""

import pytest

from advisories.notice import Phase
from advisories.report import Agreed, Consented, question
from device_sim.core.state import State
from keys.document import digest
from keys.reasons import Reason
from tests.device_sim.core.stories import P, name, world
from tests.device_sim.core.world import FLEET, World
from tests.helpers import HOUR, NOW, PRODUCT, notice, text

ID = "EX-2026-0001"


def asking(**profile) -> tuple[World, bytes]:
    """An owner is asked about a patch that a notice names."""
    w = world(auto_consent=False, **profile)
    patch = w.patch(texts={"en": "Closes the hole.", "de": "Schliesst die Luecke."})
    header = w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
    w.current(header, patches=((7, patch),))
    w.offer(patch)
    return w, patch


def answer(w: World, said: str, asked: bytes | None) -> None:
    w.run(w.agent.consent(said, w.now, asked))
    w.pump()


def header_digest(w: World) -> bytes:
    return digest(w.retained[w.topics.notice(PRODUCT, ID)])


@pytest.mark.parametrize(
    ("languages", "language", "says"),
    [
        (("en",), "en", "Closes the hole."),
        (("de", "en"), "de", "Schliesst die Luecke."),
        (("de-AT",), "de", "Schliesst die Luecke."),
        (("ja", "de"), "de", "Schliesst die Luecke."),
        (("ja",), "en", "Closes the hole."),
    ],
    ids=str,
)
def test_the_owner_is_asked_in_its_language_and_what_it_saw_is_reported(languages, language, says) -> None:
    w, patch = asking(languages=languages)
    w.advance(20)
    asked = w.asks[-1]
    shown = question(patch, header_digest(w), text(language).digest(), language)
    assert (asked.text, asked.question, asked.left, asked.final) == (says, shown, 3, False)
    answer(w, "yes", asked.question)
    agreed = Consented(
        how=Agreed.ASKED, time=int(w.now), question=shown, notice=header_digest(w), language=language
    )
    assert w.patch_track(patch).consent == agreed
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert w.reports[-1].patches[0].consent == agreed


@pytest.mark.parametrize("said", ["yes", "no", "defer"])
@pytest.mark.parametrize("wrong", [b"", bytes(32), b"q" * 32])
def test_an_answer_to_another_question_counts_for_nothing_and_the_owner_is_asked_again(said, wrong) -> None:
    w, patch = asking()
    answer(w, said, wrong)
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION
    assert len(w.asks) == 2
    assert w.asks[0] == w.asks[1]
    assert any(log.reason is Reason.SUPERSEDED for log in w.logs)
    answer(w, "yes", w.asks[1].question)
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_a_new_revision_between_question_and_answer_asks_again() -> None:
    w, patch = asking()
    before = w.asks[-1].question
    header = notice(FLEET, revision=2, version=NOW + 1, phase=Phase.CORRECTION, patches={PRODUCT: (patch,)})
    w.notice(header)
    assert w.asks[-1].notice == header
    assert w.asks[-1].question != before
    asked = len(w.asks)
    answer(w, "yes", before)
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION
    assert len(w.asks) == asked + 1
    answer(w, "yes", w.asks[-1].question)
    assert w.patch_track(patch).consent.notice == header_digest(w)


def test_a_notice_that_comes_while_the_owner_thinks_changes_the_question() -> None:
    w = world(auto_consent=False)
    patch = w.roll_out()
    assert [(ask.notice, ask.question) for ask in w.asks] == [(None, question(patch, None, None, None))]
    w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
    answer(w, "yes", w.asks[0].question)
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION


def test_words_that_could_not_be_shown_are_no_part_of_what_was_agreed_to() -> None:
    w = world(auto_consent=False)
    w.surface = Reason.DISPLAY_FAILED
    patch = w.patch()
    header = w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
    w.current(header, patches=((7, patch),))
    w.offer(patch)
    assert w.asks[-1].question == question(patch, header_digest(w), None, None)


def test_the_gravest_and_newest_notice_that_names_the_patch_is_asked_with() -> None:
    w = world(auto_consent=False)
    patch = w.patch()
    named = {PRODUCT: (patch,)}
    mild = w.notice(notice(FLEET, id="EX-3", severity=1, patches=named))
    old = w.notice(notice(FLEET, id="EX-1", severity=4, patches=named))
    new = w.notice(notice(FLEET, id="EX-2", severity=4, issued=NOW + 5, patches=named))
    over = w.notice(notice(FLEET, id="EX-4", severity=4, issued=NOW + 9, patches=named, affected={}))
    w.current(mild, old, new, over, patches=((7, patch),))
    w.offer(patch)
    assert w.asks[-1].notice == new


def test_a_restart_asks_the_very_same_and_an_answer_from_before_it_counts() -> None:
    w, patch = asking()
    before = w.asks[-1]
    w.restart()
    assert w.asks[-1] == before
    answer(w, "yes", before.question)
    assert w.patch_track(patch).consent is not None


def test_a_restart_tells_what_the_patch_does_without_the_gateway() -> None:
    w, _ = asking()
    w.start()
    w.pump()
    assert w.asks[-1].text == "Closes the hole."


@pytest.mark.parametrize("envelope", [None, b"not an envelope"], ids=["none", "one that is refused by now"])
def test_without_an_envelope_the_owner_is_asked_all_the_same(envelope) -> None:
    w, patch = asking()
    stored = State.load(w.state or b"", w.root_1)
    stored.envelope = envelope
    w.state = stored.dump()
    w.start()
    w.pump()
    assert (w.asks[-1].version, w.asks[-1].text) == ("1.4.2", "")
    answer(w, "no", w.asks[-1].question)
    assert w.patch_track(patch).state is P.DECLINED


def test_an_envelope_is_kept_only_as_long_as_its_patch_is_under_way() -> None:
    w, patch = asking()
    assert w.agent._session.state.envelope == w.retained[w.topics.patch(PRODUCT, 7)]
    answer(w, "no", w.asks[-1].question)
    assert w.patch_track(patch).state is P.DECLINED
    assert w.agent._session.state.envelope is None


def test_an_answer_that_nobody_asked_for_changes_nothing() -> None:
    w = world(auto_consent=False)
    answer(w, "yes", bytes(32))
    assert w.agent.patches == ()
    patch = w.roll_out()
    answer(w, "no", w.asks[-1].question)
    answer(w, "yes", w.asks[-1].question)
    assert w.patch_track(patch).state is P.DECLINED


def test_another_manifest_is_another_question() -> None:
    w, first = asking()
    before = w.asks[-1].question
    second = w.patch(8, version=(1, 5, 0, 0))
    w.current(w.notice_track().header, patches=((7, first), (8, second)))
    w.offer(second, 8)
    answer(w, "yes", before)
    assert w.patch_track(second).state is P.WAITING_FOR_CONFIRMATION
    assert w.patch_track(second).consent is None


# Put off.


def test_deferrals_are_counted_down_and_reported() -> None:
    w, patch = asking(defer_max=2, defer_seconds=HOUR)
    for left in (2, 1):
        assert (w.asks[-1].left, w.asks[-1].final) == (left, False)
        answer(w, "defer", w.asks[-1].question)
        w.advance(HOUR)
    assert (w.asks[-1].left, w.asks[-1].final) == (0, True)
    assert w.reports[-1].patches[0].deferrals == 2
    asked = len(w.asks)
    answer(w, "defer", w.asks[-1].question)
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION
    assert len(w.asks) == asked + 1


def test_who_puts_it_off_is_reminded_before_it_is_too_late() -> None:
    w = world(auto_consent=False, defer_seconds=48 * HOUR)
    patch = w.roll_out(deadline=NOW + 24 * HOUR)
    answer(w, "defer", w.asks[-1].question)
    w.advance(18 * HOUR - 120)
    assert w.patch_track(patch).state is P.DEFERRED
    w.advance(180)
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION
    assert (w.asks[-1].final, w.asks[-1].left) == (True, 0)
    answer(w, "defer", w.asks[-1].question)
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION
    w.advance(6 * HOUR)
    assert (w.path(name(patch))[-1], w.patch_track(patch).reason) == (P.TIMED_OUT, Reason.DEADLINE_PASSED)


def test_who_never_answers_is_reminded_once_more_before_it_is_too_late() -> None:
    w = world(auto_consent=False)
    w.roll_out(deadline=NOW + 24 * HOUR)
    w.advance(17 * HOUR)
    assert [ask.final for ask in w.asks] == [False]
    w.advance(2 * HOUR)
    assert [ask.final for ask in w.asks] == [False, True]


@pytest.mark.parametrize("hours", [1, 4, 24, 72])
def test_the_last_quarter_of_an_offer_or_six_hours_belong_to_the_final_reminder(hours) -> None:
    w = world(auto_consent=False, defer_seconds=1_000 * HOUR)
    patch = w.roll_out(deadline=int(w.now) + hours * HOUR)
    answer(w, "defer", w.asks[-1].question)
    lead = min(6 * HOUR, hours * HOUR // 4)
    w.advance(hours * HOUR - lead - 1)
    assert w.patch_track(patch).state is P.DEFERRED
    w.advance(1)
    assert w.asks[-1].final
    answer(w, "yes", w.asks[-1].question)
    assert w.patch_track(patch).state is not P.WAITING_FOR_CONFIRMATION


def test_an_offer_that_ends_sooner_than_the_deferral_brings_the_reminder_forward() -> None:
    w = world(auto_consent=False, defer_seconds=48 * HOUR)
    patch = w.roll_out()
    answer(w, "defer", w.asks[-1].question)
    w.offer(patch, deadline=int(w.now) + 4 * HOUR)
    w.advance(3 * HOUR + 1)
    assert w.asks[-1].final
