"""A revision that only adds languages: shown to those who waited for one, and not again to the others."""

import itertools

import pytest

from advisories.notice import Notice, Severity
from advisories.states import NoticeState
from keys.codec import dump
from keys.reasons import Reason
from tests.device_sim.core.world import FLEET, PowerCutError, World
from tests.helpers import HOUR, NOW, PRODUCT, notice, text

S = NoticeState
ID = "EX-2026-0001"


def world(**profile) -> World:
    made = World(**profile)
    made.connect()
    return made


def revision(number: int, *languages: str, same_since: int | None = None, **fields) -> Notice:
    texts = {language: text(language).digest() for language in languages}
    return notice(
        FLEET,
        **{"revision": number, "version": NOW + number, "texts": texts, "same_since": same_since, **fields},
    )


def publish(w: World, header: Notice) -> None:
    w.notice(header, texts=tuple(header.texts))
    w.current(header)


FIRST = revision(1, "en", "de")
MORE = revision(2, "en", "de", "fr", same_since=1)


@pytest.mark.parametrize("acknowledged", [True, False])
def test_who_saw_the_words_is_not_shown_them_again(acknowledged: bool) -> None:
    w = world()
    publish(w, FIRST)
    if acknowledged:
        w.run(w.agent.acknowledge(w.now))
    seen = w.notice_track()
    w.shows.clear()
    publish(w, MORE)
    w.advance(5)
    track = w.notice_track()
    assert w.shows == []
    assert (track.header.revision, track.state) == (2, S.ACKNOWLEDGED if acknowledged else S.SHOWN)
    assert (track.shown, track.language, track.words) == (seen.shown, "en", seen.words)
    assert (track.reason, track.confirmed is not None) == (Reason.OK, True)
    ends = [S.SHOWN, S.ACKNOWLEDGED] if acknowledged else [S.SHOWN]
    assert w.path(ID)[-len(ends) - 2 :] == [S.DELIVERED, S.VERIFIED, *ends]
    journaled = [e.reason for e in w.entries() if e.digest == track.digest and e.new in ends]
    assert journaled == [Reason.SAME_WORDS] * len(ends)
    assert w.reports[-1].notices[0].revision == 2
    assert w.wants == []


def test_who_had_no_text_in_the_own_language_is_shown_the_new_one() -> None:
    w = world(languages=("fr", "en"))
    publish(w, FIRST)
    w.advance(5)
    w.run(w.agent.acknowledge(w.now))
    assert w.notice_track().language == "en"
    publish(w, MORE)
    w.advance(5)
    assert {(show.text.language, show.notice.revision) for show in w.shows} == {("en", 1), ("fr", 2)}
    assert w.notice_track().state is S.SHOWN


def test_a_device_that_comes_later_is_shown_it_once() -> None:
    w = world()
    publish(w, MORE)
    w.send(w.topics.notice(PRODUCT, ID), w.seal(FIRST))
    w.advance(5)
    assert [show.notice.revision for show in w.shows if show.confirmed] == [2]
    assert w.notice_track().header.revision == 2


@pytest.mark.parametrize(
    ("words", "header"),
    [
        ("says nothing of it", revision(2, "en", "de", "fr")),
        ("speaks of a revision that was not seen", revision(2, "en", "de", "fr", same_since=2)),
        ("is graver", revision(2, "en", "de", same_since=1, severity=Severity.CRITICAL)),
        ("promises another time", revision(2, "en", "de", same_since=1, next_update=NOW + 9 * HOUR)),
        ("marks an exercise", revision(2, "en", "de", same_since=1, exercise=True)),
        ("has other words", revision(2, "de", same_since=1, texts={"en": text(title="New").digest()})),
    ],
)
def test_anything_else_new_is_shown_whatever_the_header_claims(words: str, header: Notice) -> None:
    w = world()
    publish(w, FIRST)
    w.run(w.agent.acknowledge(w.now))
    w.shows.clear()
    publish(w, header)
    if "en" in header.texts and words == "has other words":
        w.send(w.topics.text(PRODUCT, "en", ID), dump(text(title="New")))
    w.advance(5)
    assert [show.notice.revision for show in w.shows][-1:] == [2], words
    assert w.notice_track().state is S.SHOWN


def test_revisions_that_were_missed_between_do_not_matter() -> None:
    w = world()
    publish(w, FIRST)
    w.run(w.agent.acknowledge(w.now))
    w.shows.clear()
    publish(w, revision(4, "en", "de", "fr", "ja", same_since=1))
    w.advance(5)
    assert w.shows == []
    assert w.notice_track().state is S.ACKNOWLEDGED


def test_it_is_carried_on_from_revision_to_revision_and_over_a_restart() -> None:
    w = world()
    publish(w, FIRST)
    w.run(w.agent.acknowledge(w.now))
    w.shows.clear()
    publish(w, MORE)
    w.restart()
    publish(w, revision(3, "en", "de", "fr", "ja", same_since=1))
    w.restart()
    w.advance(5)
    assert w.shows == []
    assert (w.notice_track().state, w.notice_track().header.revision) == (S.ACKNOWLEDGED, 3)


def test_reminders_go_on_as_if_nothing_had_come() -> None:
    w = world()
    publish(w, revision(1, "en", reminder=(HOUR, 3)))
    w.advance(HOUR + 1)
    assert w.notice_track().reminders == 1
    w.shows.clear()
    publish(w, revision(2, "en", "de", same_since=1, reminder=(HOUR, 3)))
    w.advance(HOUR - 60)
    assert w.shows == []
    w.advance(61)
    assert len(w.shows) == 1
    assert w.notice_track().reminders == 2


def test_what_was_shown_as_unconfirmed_is_drawn_anew_once_it_is_confirmed() -> None:
    w = world()
    w.notice(FIRST)
    assert [show.confirmed for show in w.shows] == [False]
    w.notice(MORE, texts=("en", "de", "fr"))
    assert len(w.shows) == 1
    w.current(MORE)
    assert [show.confirmed for show in w.shows] == [False, True]


@pytest.mark.parametrize("order", list(itertools.permutations(("header", "text", "catalogue"))))
def test_in_any_order(order: tuple[str, ...]) -> None:
    w = world(languages=("fr", "en"))
    publish(w, FIRST)
    w.advance(5)
    w.run(w.agent.acknowledge(w.now))
    w.shows.clear()
    parts = {
        "header": lambda: w.publish(w.topics.notice(PRODUCT, ID), w.seal(MORE)),
        "text": lambda: w.publish(w.topics.text(PRODUCT, "fr", ID), dump(text("fr"))),
        "catalogue": lambda: w.current(MORE),
    }
    for part in order:
        parts[part]()
    w.advance(5)
    # Until the header is there, the catalogue says of the old one only that it is not current.
    assert [show.text.language for show in w.shows if show.notice.revision == 2][-1:] == ["fr"]
    assert {show.text.language for show in w.shows if show.notice.revision == 2} == {"fr"}


def test_a_power_cut_at_any_moment_neither_loses_nor_repeats_it() -> None:
    def play(cut: int | None) -> tuple[NoticeState, int, int]:
        w = world()
        publish(w, FIRST)
        w.run(w.agent.acknowledge(w.now))
        w.shows.clear()
        w.cut_at = None if cut is None else w.durable + cut
        try:
            publish(w, MORE)
        except PowerCutError:
            w.restart()
            publish(w, MORE)
        w.advance(30)
        return w.notice_track().state, w.notice_track().header.revision, len(w.shows)

    for cut in (None, 1, 2, 3):
        assert play(cut) == (S.ACKNOWLEDGED, 2, 0), cut
