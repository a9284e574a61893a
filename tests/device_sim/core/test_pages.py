"""Drawn pages: fetched by a device without a font, and by no other; shown exactly as they were signed."""

import pytest

from advisories.notice import Notice, Text, page_digests
from advisories.states import NoticeState, Surface
from device_sim.core import limits
from device_sim.core.profile import Ability
from keys.codec import dump
from keys.reasons import Reason
from tests.device_sim.core.world import FLEET, World
from tests.helpers import PRODUCT, notice, text

S = NoticeState
ID = "EX-2026-0001"
SIGNED = tuple(bytes([number]) * 1_024 for number in (1, 2, 3))
WHOLE = b"".join(SIGNED)
JAPANESE = text("ja", title="更新のお願い", pages=page_digests(SIGNED))


def latin_only(told: Text) -> Ability:
    return Ability.WORDS if told.title.isascii() else Ability.PAGES


def ascii_console(told: Text) -> Ability:
    return Ability.WORDS if told.title.isascii() else Ability.NOTHING


def world(able=latin_only, languages=("ja", "en"), **profile) -> World:
    made = World(able=able, languages=languages, surface=Surface.SCREEN, **profile)
    made.connect()
    return made


def publish(w: World, *texts: Text, pages: bytes | None = WHOLE, **fields) -> Notice:
    header = notice(FLEET, texts={told.language: told.digest() for told in texts}, **fields)
    w.publish(w.topics.notice(PRODUCT, header.id), w.seal(header))
    if pages is not None:
        w.retained[w.topics.pages(PRODUCT, "ja", ID)] = pages
    for told in texts:
        w.publish(w.topics.text(PRODUCT, told.language, ID), dump(told))
    return header


def test_a_device_without_the_font_shows_the_pages_that_were_signed() -> None:
    w = world()
    publish(w, JAPANESE, text("en"))
    assert [(show.text.language, show.pages, show.wanted) for show in w.shows] == [("ja", SIGNED, None)]
    assert (w.notice_track().state, w.notice_track().language) == (S.SHOWN, "ja")
    w.advance(1)
    assert w.reports[-1].notices[0].surface is Surface.SCREEN
    assert w.most_filters <= 8
    assert w.extra == set()


def test_a_device_with_the_font_never_asks_for_pages() -> None:
    w = world(able=lambda _: Ability.WORDS)
    publish(w, JAPANESE, text("en"))
    w.send(w.topics.pages(PRODUCT, "ja", ID), WHOLE)
    assert [show.pages for show in w.shows] == [()]
    assert w.most_filters == 7
    assert w.notice_track().pages is None


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        (WHOLE[:-1] + b"\xff", Reason.DIGEST_MISMATCH),
        (WHOLE[1_024:] + WHOLE[:1_024], Reason.DIGEST_MISMATCH),
        (WHOLE[:2_048], Reason.DIGEST_MISMATCH),
        (WHOLE + bytes(1_024), Reason.DIGEST_MISMATCH),
        (bytes(4_096), Reason.DIGEST_MISMATCH),
        (bytes(4_097), Reason.TOO_BIG),
    ],
    ids=["a dot altered", "turned round", "one too few", "one too many", "as large as may be", "too large"],
)
def test_other_pages_are_refused_and_the_next_language_is_shown(pages: bytes, reason: Reason) -> None:
    w = world()
    publish(w, JAPANESE, text("en"), pages=pages)
    assert w.shows == []
    w.advance(20)
    assert ("pages", reason) in w.refusals()
    assert [(show.text.language, show.pages, show.wanted) for show in w.shows] == [("en", (), "ja")]


def test_pages_that_never_come_leave_the_notice_to_another_language() -> None:
    w = world(languages=("ja",))
    publish(w, JAPANESE, text("en"), text("de"), pages=None)
    w.advance(limits.FETCH_SECONDS * 3)
    assert [(show.text.language, show.wanted) for show in w.shows] == [("en", "ja")]
    assert w.notice_track().state is S.SHOWN


def test_without_another_language_the_device_says_so_and_waits() -> None:
    w = world(languages=("ja",))
    publish(w, JAPANESE, pages=None)
    w.advance(30)
    assert w.shows == []
    assert (w.notice_track().state, w.notice_track().reason) == (S.VERIFIED, Reason.FONT_MISSING)
    assert w.reports[-1].notices[0].surface is Surface.NONE
    assert f"pages/{PRODUCT}/ja/{ID}" in {topic for want in w.wants for topic in want.topics}
    w.retained[w.topics.pages(PRODUCT, "ja", ID)] = WHOLE
    w.advance(limits.RETRY_SECONDS_MAX + 10)
    assert [show.pages for show in w.shows] == [SIGNED]
    assert w.notice_track().state is S.SHOWN


def test_a_text_without_pages_is_not_waited_for() -> None:
    w = world()
    publish(w, text("ja", title="更新のお願い"), text("en"), pages=None)
    w.advance(5)
    assert [(show.text.language, show.wanted) for show in w.shows] == [("en", "ja")]


def test_a_text_alone_that_cannot_be_shown_is_told_as_such() -> None:
    w = world(able=ascii_console, languages=("ja",))
    publish(w, JAPANESE)
    w.advance(60)
    assert w.shows == []
    assert (w.notice_track().state, w.notice_track().reason) == (S.VERIFIED, Reason.FONT_MISSING)


def test_of_several_that_cannot_be_shown_the_owners_own_is_waited_for() -> None:
    w = world(languages=("ja", "ar"))
    arabic = text("ar", title="تحديث", pages=page_digests(SIGNED[:1]))
    publish(w, JAPANESE, arabic, pages=None)
    w.advance(60)
    assert w.shows == []
    assert (w.notice_track().language, w.notice_track().reason) == ("ja", Reason.FONT_MISSING)
    w.retained[w.topics.pages(PRODUCT, "ja", ID)] = WHOLE
    w.advance(limits.RETRY_SECONDS_MAX + 10)
    assert [(show.pages, show.wanted) for show in w.shows] == [(SIGNED, None)]


def test_a_console_of_ascii_takes_a_language_that_it_can_say() -> None:
    w = world(able=ascii_console)
    publish(w, JAPANESE, text("en"))
    w.advance(5)
    assert [(show.text.language, show.pages, show.wanted) for show in w.shows] == [("en", (), "ja")]


def test_pages_are_kept_over_a_restart() -> None:
    w = world()
    publish(w, JAPANESE, text("en"))
    del w.retained[w.topics.pages(PRODUCT, "ja", ID)]
    w.shows.clear()
    w.restart()
    assert [show.pages for show in w.shows] == [SIGNED]
    w.able = lambda _: Ability.WORDS
    w.restart()
    assert w.shows[-1].pages == ()


def test_a_font_that_was_installed_meanwhile_shows_the_words_after_a_restart() -> None:
    w = world(languages=("ja",))
    publish(w, JAPANESE, pages=None)
    w.advance(5)
    assert w.shows == []
    w.able = lambda _: Ability.WORDS
    w.restart()
    assert [(show.text.language, show.pages) for show in w.shows] == [("ja", ())]


@pytest.mark.parametrize("topic", ["ja", "de"])
def test_pages_nobody_asked_for_are_left_aside(topic: str) -> None:
    w = world()
    w.send(w.topics.pages(PRODUCT, topic, ID), WHOLE)
    publish(w, text("en"), pages=None)
    w.send(w.topics.pages(PRODUCT, topic, ID), bytes(9))
    assert w.refusals() == []
    assert [show.text.language for show in w.shows] == ["en"]


def test_a_withdrawal_is_drawn_too() -> None:
    from advisories.notice import Phase

    w = world()
    publish(w, JAPANESE, text("en"))
    w.shows.clear()
    publish(w, JAPANESE, text("en"), revision=2, version=w.version + 1, phase=Phase.WITHDRAWN)
    w.advance(5)
    assert [show.pages for show in w.shows] == [SIGNED]
    assert w.notice_track().state is S.WITHDRAWN
