"""The words of a notice: which language, before or after the header, right or wrong."""

import pytest

from advisories.states import NoticeState
from device_sim.core import limits
from keys.codec import dump
from keys.reasons import Reason
from tests.device_sim.core.world import FLEET, World
from tests.helpers import PRODUCT, notice, text

S = NoticeState
ID = "EX-2026-0001"


def world(**profile) -> World:
    made = World(**profile)
    made.connect()
    return made


@pytest.mark.parametrize(
    ("languages", "state", "language"),
    [
        (("en", "de"), S.SHOWN, "en"),
        (("de", "en"), S.SHOWN, "de"),
        (("fr", "de"), S.SHOWN, "de"),
        (("fr", "ja"), S.SHOWN, "en"),
    ],
    ids=["first choice", "other first choice", "falls back to the second", "another stands in"],
)
def test_the_owner_reads_the_first_language_there_is(languages, state, language) -> None:
    w = world(languages=languages)
    w.notice()
    w.advance(20)
    assert (w.notice_track().state, w.notice_track().language) == (state, language)
    assert w.most_filters <= 8
    reasons = [entry.reason for entry in w.entries() if entry.new == S.VERIFIED and entry.name == ID]
    assert reasons == [Reason.OK if language in languages else Reason.NO_LANGUAGE]


def test_a_text_before_its_header_waits() -> None:
    w = world()
    w.send(w.topics.text(PRODUCT, "en", ID), dump(text()))
    w.send(w.topics.text(PRODUCT, "en", ID), dump(text()))
    assert w.agent.notices == ()
    w.notice(texts=())
    assert w.notice_track().state is S.SHOWN


def test_a_text_that_never_came_is_wanted() -> None:
    w = world()
    w.notice(texts=())
    w.retained[w.topics.text(PRODUCT, "en", ID)] = dump(text())
    assert w.notice_track().state is S.VERIFIED
    w.advance(limits.WANT_GRACE_SECONDS + 1)
    assert w.notice_track().state is S.SHOWN
    assert f"text/{PRODUCT}/en/{ID}" in w.wants[-1].topics


def test_a_wrong_text_is_never_shown_and_journaled_once_its_time_is_over() -> None:
    w = world()
    w.notice(texts=())
    w.send(w.topics.text(PRODUCT, "en", ID), dump(text(title="Send us your password")))
    assert w.refusals() == []
    w.advance(limits.WAITING_SECONDS + 1)
    assert w.refusals() == [("text", Reason.DIGEST_MISMATCH)]
    assert w.shows == []


def test_a_text_without_any_header_is_forgotten_without_a_word() -> None:
    w = world()
    w.send(w.topics.text(PRODUCT, "en", "EX-2026-0009"), dump(text()))
    w.advance(limits.WAITING_SECONDS + 1)
    assert w.refusals() == []


def test_only_so_many_texts_wait() -> None:
    w = world()
    for number in range(limits.WAITING_PIECES_MAX):
        w.send(w.topics.text(PRODUCT, "en", ID), dump(text(title=f"Number {number}")))
    w.send(w.topics.text(PRODUCT, "en", ID), dump(text()))
    w.notice(texts=())
    assert w.notice_track().state is S.SHOWN
    other = notice(FLEET, id="EX-2", texts={"en": text(title="Number 0").digest()})
    w.notice(other, texts=())
    assert w.notice_track("EX-2").state is S.VERIFIED


@pytest.mark.parametrize(
    ("size", "reasons"), [(1_024, []), (1_025, [("text", Reason.TOO_BIG)])], ids=["at the limit", "one above"]
)
def test_a_text_is_at_most_1024_bytes(size, reasons) -> None:
    w = world()
    w.send(w.topics.text(PRODUCT, "en", ID), b"x" * size)
    assert w.refusals() == reasons


@pytest.mark.parametrize(
    "payload", [b"not CBOR", dump(text("de"))], ids=["not a text", "the words of another language"]
)
def test_a_text_that_its_header_names_but_cannot_be_used_is_refused(payload) -> None:
    import hashlib

    w = world()
    w.notice(notice(FLEET, texts={"en": hashlib.sha256(payload).digest()}), texts=())
    w.send(w.topics.text(PRODUCT, "en", ID), payload)
    assert w.refusals() == [("text", Reason.MALFORMED)]
    assert w.notice_track().state is S.VERIFIED


def test_a_text_for_a_device_that_does_not_need_it_changes_nothing() -> None:
    w = world(languages=("en", "de"))
    w.notice()
    before = w.agent.notices
    w.send(w.topics.text(PRODUCT, "de", ID), dump(text("de")))
    assert w.agent.notices == before
