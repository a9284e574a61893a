"""Chain, rates, versions and the bodies that the gateway says: small pure parts."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories import limits
from advisories.catalogue import Catalogue, Timestamp
from advisories.offer import Consent
from gateway.core import publication
from gateway.core.rate import Rates
from gateway.core.speech import build_answer, build_offer
from keys.codec import dump
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from tests.gateway.scene import header, texts
from tests.helpers import NOW, PRODUCT, make_fleet, text, timestamp

FLEET = make_fleet()


@given(st.integers(0, 2**40) | st.none(), st.floats(0, 2**33))
def test_versions_rise_and_follow_the_clock(last: int | None, now: float) -> None:
    version = publication.next_version(last, now)
    assert version > (last or 0)
    assert version >= int(now)


def test_a_rate_allows_a_burst_then_what_the_time_brings() -> None:
    rates = Rates(burst=2, per_second=1)
    assert [rates.allow("a", 0) for _ in range(3)] == [True, True, False]
    assert rates.allow("b", 0)
    assert [rates.allow("a", 1.0), rates.allow("a", 1.0), rates.allow("a", 0.5)] == [True, False, False]
    few = Rates(burst=1, per_second=0, names_max=1)
    assert [few.allow("a", 0), few.allow("b", 0), few.allow("a", 0)] == [True, True, True]


def test_a_catalogue_holds_64_entries_and_not_one_more() -> None:
    def make(count: int) -> Catalogue:
        notices = [(f"EX-{i}", 1, bytes(32)) for i in range(count)]
        return publication.build_catalogue(FLEET.id, PRODUCT, notices, [], last=5, now=NOW + 0.9)

    body = make(limits.CATALOGUE_ENTRIES_MAX)
    assert (body.version, body.expires) == (NOW, NOW + 30 * 86_400)
    with pytest.raises(InputError) as caught:
        make(limits.CATALOGUE_ENTRIES_MAX + 1)
    assert caught.value.code == "CATALOGUE_FULL"


DUE: list[tuple[str, dict[str, Any], float, bool]] = [
    ("fresh", {}, NOW, False),
    ("just before half its time", {}, NOW + 3 * 3_600 - 1, False),
    ("half its time is over", {}, NOW + 3 * 3_600, True),
    ("another catalogue", {"catalogue_digest": bytes(32)}, NOW, True),
    ("another root", {"root_version": 9}, NOW, True),
    ("the clock was put back", {}, NOW - 1, True),
]


@pytest.mark.parametrize(("case", "fields", "now", "due"), DUE, ids=[row[0] for row in DUE])
def test_when_a_new_timestamp_is_due(case: str, fields: dict[str, Any], now: float, due: bool) -> None:
    newest: Timestamp = timestamp(FLEET, **{"catalogue_digest": b"c" * 32, **fields})
    assert publication.timestamp_is_due(newest, b"c" * 32, root_version=1, now=now) is due
    assert publication.timestamp_is_due(None, b"c" * 32, root_version=1, now=now)


def test_a_timestamp_says_what_is_current() -> None:
    catalogue = publication.build_catalogue(FLEET.id, PRODUCT, [], [], last=None, now=NOW)
    body = publication.build_timestamp(
        catalogue, b"d" * 32, root_version=3, audit_head=b"h" * 32, last=NOW + 5, now=NOW
    )
    assert (body.version, body.catalogue_version, body.root_version) == (NOW + 6, NOW, 3)
    assert body.subject == (PRODUCT,)


def test_texts_must_be_those_of_the_header_and_say_their_language() -> None:
    body = header(FLEET)
    publication.check_texts(body, texts())
    swapped = dump(text("de"))
    lying = header(FLEET, texts={"en": hashlib.sha256(swapped).digest()})
    with pytest.raises(RefusedError) as caught:
        publication.check_texts(lying, {"en": swapped})
    assert caught.value.reason is Reason.MALFORMED


def test_names_that_cannot_be_topic_levels_are_refused() -> None:
    for fields in ({"id": "a/b"}, {"subject": ("#",), "affected": {}}, {"texts": {"en+": bytes(32)}}):
        with pytest.raises(RefusedError) as caught:
            publication.check_names(header(FLEET, **fields))
        assert caught.value.reason is Reason.MALFORMED
    with pytest.raises(RefusedError) as caught:
        publication.check_names(header(FLEET, subject=(), affected={}))
    assert caught.value.reason is Reason.WRONG_SUBJECT


def test_answers_and_offers_state_what_they_are_asked_to() -> None:
    answer = build_answer(
        FLEET.id, "d", b"n" * 16, receipt=(1, 2), journal_count=3, next_nonce=b"m" * 16, last=NOW, now=NOW
    )
    assert (answer.version, answer.issued, answer.expires) == (NOW + 1, NOW, NOW + 600)
    common: dict[str, Any] = {"catalogue_version": 4, "window": None, "last": None, "now": NOW}
    offer = build_offer(
        FLEET.id, "d", PRODUCT, (7, bytes(32)), deadline=NOW + 90, ask=True, cancel=False, **common
    )
    assert (offer.consent, offer.expires, offer.sequence) == (Consent.ASK, NOW + 90, 7)
    back = build_offer(
        FLEET.id, "d", PRODUCT, (7, bytes(32)), deadline=NOW - 90, ask=False, cancel=True, **common
    )
    assert (back.consent, back.expires, back.cancel) == (Consent.AS_OWNER_SET, NOW + 60, True)
