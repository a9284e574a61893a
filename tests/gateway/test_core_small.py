"""Chain, rates, funnel, versions and the bodies that the gateway says: small pure parts."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories import limits
from advisories.catalogue import Catalogue, Timestamp
from advisories.offer import Consent
from advisories.report import Track
from advisories.states import NoticeState, PatchState, Surface
from gateway.core import funnel, publication
from gateway.core.funnel import Funnel, Told, fold, percentile, total
from gateway.core.rate import Rates
from gateway.core.speech import build_answer, build_offer
from gateway.core.tracks import NoticeRow
from keys.codec import dump
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from tests.gateway.scene import header, texts
from tests.helpers import NOW, PRODUCT, make_fleet, text, timestamp

FLEET = make_fleet()
N = NoticeState

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


def row(state: NoticeState, **fields: Any) -> NoticeRow:
    base: dict[str, Any] = {
        "revision": 1,
        "digest": bytes(32),
        "reason": Reason.OK,
        "surface": Surface.SCREEN,
        "language": "en",
    }
    return NoticeRow(**{**base, "state": state, **fields})


SHOWN = {"verified": 1.0, "shown": 2.0}
FOLDED: list[tuple[str, Any, NoticeRow | None, set[str]]] = [
    ("never reported", None, None, {"silent"}),
    ("affected and not yet told", (1, 2, 0, 0), None, {"affected"}),
    ("not affected and not yet told", (2, 0, 0, 0), None, set()),
    ("an older revision is not this one", (1, 2, 0, 0), row(N.SHOWN, revision=0, **SHOWN), {"affected"}),
    ("does not concern it", (2, 0, 0, 0), row(N.NOT_APPLICABLE), {"not_applicable"}),
    (
        "fixed after it was shown",
        (2, 0, 0, 0),
        row(N.NOT_APPLICABLE, **SHOWN, confirmed=3.0),
        {"affected", "delivered", "verified", "shown", "confirmed"},
    ),
    ("refused", (1, 2, 0, 0), row(N.REJECTED), {"affected", "delivered", "rejected"}),
    ("delivered", (1, 2, 0, 0), row(N.DELIVERED, surface=Surface.NONE), {"affected", "delivered"}),
    ("queued", (1, 2, 0, 0), row(N.QUEUED, surface=Surface.NONE), {"affected"}),
    (
        "acknowledged",
        (1, 2, 0, 0),
        row(N.ACKNOWLEDGED, **SHOWN, acknowledged=4.0),
        {"affected", "delivered", "verified", "shown", "acknowledged"},
    ),
    (
        "an LED is no text",
        (1, 2, 0, 0),
        row(N.SHOWN, surface=Surface.LED, **SHOWN),
        {"affected", "delivered", "verified", "led"},
    ),
    (
        "expired unseen",
        (1, 2, 0, 0),
        row(N.EXPIRED, verified=1.0),
        {"affected", "delivered", "verified", "untold"},
    ),
]


@pytest.mark.parametrize(("case", "installed", "stands", "steps"), FOLDED, ids=[r[0] for r in FOLDED])
def test_where_a_device_counts(case: str, installed: Any, stands: NoticeRow | None, steps: set[str]) -> None:
    told = Told(product=PRODUCT, language="en", installed=installed, row=stands)
    cells = fold(header(FLEET), [told])
    assert cells == {(PRODUCT, "en"): Funnel(**dict.fromkeys({"devices", *steps}, 1))}


def test_cells_add_up() -> None:
    people = [
        Told(product=PRODUCT, language=lang, installed=None, row=None) for lang in ("en", "de", "en", None)
    ]
    cells = fold(header(FLEET), people)
    assert {key[1]: cell.devices for key, cell in cells.items()} == {"en": 2, "de": 1, None: 1}
    assert total(cells.values()) == Funnel(devices=4, silent=4)


def test_refusals_count_rejected_notices_and_documents() -> None:
    entries = [
        (Track.NOTICE, N.REJECTED, Reason.BAD_SIGNATURE, 2),
        (Track.NOTICE, N.SHOWN, Reason.OK, 9),
        (Track.REFUSAL, 0, Reason.REPLAYED, 1),
        (Track.PATCH, PatchState.REJECTED, Reason.EXPIRED, 5),
        (Track.REFUSAL, 1, Reason.BAD_SIGNATURE, 1),
    ]
    assert funnel.refusals(entries) == {"BAD_SIGNATURE": 3, "REPLAYED": 1}
    assert funnel.patch_counts({12: 3, 1: 4}) == {"OFFERED": 4, "SUCCEEDED": 3}


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([], 0.5) is None
    assert percentile([5.0], 0.99) == 5.0
    values = [float(i) for i in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 0.0)) == (50.0, 99.0, 1.0)
