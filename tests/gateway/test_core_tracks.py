"""What a factory reset takes back, what a consent is bound to, and what is kept of a patch."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from advisories.notice import Notice
from advisories.report import FACTORY_RESET, Agreed, Consented, JournalEntry, PatchStatus, Track, question
from advisories.states import NoticeState, PatchState, Surface
from gateway.core.ingest import Committed, judge
from gateway.core.tracks import NoticeRow
from gateway.store.standings import Evidence
from keys.cbor import encode
from keys.codec import dump
from keys.reasons import Reason
from tests.device_sim.core.world import World
from tests.gateway.peer import entry, status, walked
from tests.gateway.runtime.test_core_ingest import FLEET, HEADER, ID, PATCH, commit, kinds, make, patch_status
from tests.gateway.scene import header, make_store, publish
from tests.helpers import DEVICE, NOW, PRODUCT
from tests.helpers import notice as make_notice
from tests.helpers import text as make_text

N, P = NoticeState, PatchState
SUIT = encode({3: [], 4: True, 99: ["", [-16, PATCH]]})
TOLD = walked(ID, N.DELIVERED, N.VERIFIED, N.SHOWN, N.ACKNOWLEDGED)
RESET = JournalEntry(
    index=4, time=NOW + 100, track=Track.DEVICE, name=FACTORY_RESET, old=0, new=0, reason=Reason.RESET
)


def back(index: int, name: str = ID, old: NoticeState = N.ACKNOWLEDGED) -> JournalEntry:
    return replace(entry(index, name, old, N.VERIFIED), reason=Reason.RESET, time=NOW + 100)


def told_before() -> Committed:
    return commit(make(TOLD, notices=(status(ID, HEADER, N.ACKNOWLEDGED),)))


def after(*more: JournalEntry, state: NoticeState = N.VERIFIED, **fields: Any) -> Committed:
    written = (*TOLD, *more)
    said = status(ID, HEADER, state, surface=Surface.NONE, time=written[-1].time, **fields)
    body = make(written, len(TOLD), version=2, notices=(said,))
    return commit(body, told_before().standing, received=NOW + 200.0)


def standing_of(row: NoticeRow) -> tuple[float | None, float | None, float | None, Surface]:
    return row.shown, row.acknowledged, row.shown_received, row.surface


def test_behind_a_factory_reset_the_owner_counts_as_not_told() -> None:
    found = after(RESET, back(5))
    row = found.notices[ID]
    assert kinds(found) == []
    assert (row.state, row.verified) == (N.VERIFIED, TOLD[1].time)
    assert standing_of(row)[:3] == (None, None, None)


def test_the_next_owner_is_told_again_at_another_time() -> None:
    shown = replace(entry(6, ID, N.VERIFIED, N.SHOWN), time=NOW + 150)
    found = after(RESET, back(5), shown, state=N.SHOWN)
    assert kinds(found) == []
    assert standing_of(found.notices[ID])[:3] == (NOW + 150, None, NOW + 200.0)


def test_a_whole_row_of_notices_is_taken_back_behind_one_reset() -> None:
    first = back(5, "EX-2026-0009", N.SHOWN)
    found = after(RESET, first, back(6))
    assert kinds(found) == []
    assert found.notices[ID].shown is None


@pytest.mark.parametrize(
    ("case", "entries"),
    [
        ("no reset at all", (back(4),)),
        ("a boot instead", (replace(RESET, name="boot"), back(5))),
        ("something else between", (RESET, entry(5, "EX-2026-0009", N.QUEUED, N.DELIVERED), back(6))),
        ("a boot between", (RESET, replace(RESET, index=5, name="boot"), back(6))),
        ("another step", (RESET, replace(back(5), new=int(N.DELIVERED)))),
        ("another name", (replace(RESET, track=Track.REFUSAL), back(5))),
    ],
)
def test_anywhere_else_it_stays_an_anomaly(case: str, entries: tuple[JournalEntry, ...]) -> None:
    found = after(*entries)
    assert "transition" in kinds(found), case
    assert found.notices[ID].shown == TOLD[2].time  # and nothing is forgotten


def test_without_any_entry_it_stays_an_anomaly() -> None:
    body = make(TOLD, len(TOLD), version=2, notices=(status(ID, HEADER, N.VERIFIED),))
    found = commit(body, told_before().standing)
    assert kinds(found) == ["notice_back"]
    assert found.notices[ID].acknowledged is not None


def test_a_reset_that_was_committed_before_still_counts() -> None:
    written = (*TOLD, RESET, back(5, "EX-2026-0009"), back(6))
    split = make(written[:6], 4, version=2, journal_count=7, notices=(status(ID, HEADER, N.VERIFIED),))
    split = replace(split, journal_head=make(written).journal_head)
    first = commit(split, told_before().standing)
    assert kinds(first) == []  # the rest of the journal is still to come
    rest = make(written, 6, version=3, notices=(status(ID, HEADER, N.VERIFIED),))
    overlap = {each.index: each for each in written[:6]}
    second = commit(rest, first.standing, overlap=overlap)
    assert kinds(second) == []
    assert second.notices[ID].shown is None
    assert "transition" in kinds(commit(rest, first.standing))


# Consent

NOTICE, WORDS = b"\x03" * 32, b"\x04" * 32
GERMAN, OF_ANOTHER_PATCH = b"\x05" * 32, b"\x09" * 32
TEXTS = {
    (PATCH, NOTICE): {"en": WORDS, "de": GERMAN},
    (b"\x08" * 32, OF_ANOTHER_PATCH): {"en": WORDS},
}


def consented(notice: bytes | None = NOTICE, words: bytes | None = WORDS, **fields: Any) -> Consented:
    language = fields.pop("language", "en")
    asked = fields.pop("question", question(PATCH, notice, words, language))
    base: dict[str, Any] = {"how": Agreed.ASKED, "time": NOW + 1}
    return Consented(**{**base, **fields}, question=asked, notice=notice, language=language)


def with_consent(consent: Consented | None, **fields: Any) -> PatchStatus:
    return patch_status(P.DOWNLOADING, consent=consent, **fields)


@pytest.mark.parametrize(
    ("case", "consent", "fits"),
    [
        ("as published", consented(), True),
        ("in another language", consented(words=GERMAN, language="de"), True),
        ("described in one language, warned in another", consented(words=GERMAN), True),
        ("before the text was there", consented(words=None), True),
        ("without a notice", consented(None, None), True),
        ("without anything", consented(None, None, language=None), True),
        ("agreed beforehand", consented(how=Agreed.URGENT), True),
        ("another text", consented(words=b"\x06" * 32), False),
        ("a notice that does not name the patch", consented(OF_ANOTHER_PATCH), False),
        ("a notice that nobody published", consented(b"\x07" * 32, None), False),
        ("another patch", consented(question=question(b"\x08" * 32, NOTICE, WORDS, "en")), False),
        ("another language than it says", consented(question=question(PATCH, NOTICE, WORDS, "de")), False),
        ("a text without its notice", consented(None, WORDS), False),
    ],
)
def test_a_consent_is_held_to_what_was_published(case: str, consent: Consented, fits: bool) -> None:
    found = commit(make(patches=(with_consent(consent),)), texts=TEXTS)
    assert kinds(found) == ([] if fits else ["consent"]), case
    assert found.patches[PATCH].consent == consent  # kept in any case


def test_a_wrong_consent_is_noted_once() -> None:
    wrong = consented(words=b"\x06" * 32)
    first = commit(make(patches=(with_consent(wrong),)), texts=TEXTS)
    again = commit(make(version=2, patches=(with_consent(wrong),)), first.standing, texts=TEXTS)
    other = replace(wrong, time=NOW + 2)
    third = commit(make(version=3, patches=(with_consent(other),)), again.standing, texts=TEXTS)
    assert (kinds(first), kinds(again), kinds(third)) == (["consent"], [], ["consent"])


def test_where_the_texts_are_not_known_nothing_is_held_against_it() -> None:
    assert kinds(commit(make(patches=(with_consent(consented(b"\x07" * 32)),)))) == []


def test_what_is_kept_of_a_patch() -> None:
    said = with_consent(consented(), done=40, deferrals=2, suit=SUIT)
    first = commit(make(patches=(said,)), texts=TEXTS)
    row = first.patches[PATCH]
    assert (row.consent, row.done, row.deferrals, row.suit) == (consented(), 40, 2, SUIT)
    # Consent, progress and deferrals are as the device says now; a SUIT_Report may only have found no room.
    later = commit(make(version=2, patches=(patch_status(P.FAILED),)), first.standing).patches[PATCH]
    assert (later.consent, later.done, later.deferrals, later.suit) == (None, None, None, SUIT)


@pytest.mark.parametrize(
    ("case", "suit", "fits"),
    [
        ("a report of it", SUIT, True),
        ("a report of another patch", encode({3: [], 4: True, 99: ["", [-16, b"\x08" * 32]]}), False),
        ("no report", b"\x80", False),
        ("no CBOR", b"\xff" * 768, False),
        ("no result", encode({99: ["", [-16, PATCH]]}), False),
    ],
)
def test_a_suit_report_that_is_none_is_noted_once_and_kept(case: str, suit: bytes, fits: bool) -> None:
    body = make(patches=(patch_status(P.FAILED, suit=suit),))
    first = commit(body)
    assert kinds(first) == ([] if fits else ["suit_report"]), case
    assert first.patches[PATCH].suit == suit
    assert kinds(commit(replace(body, version=2), first.standing)) == []


def test_the_core_alone_needs_no_texts() -> None:
    body = make(patches=(with_consent(consented()),))
    found = judge(body, FLEET.report(body), None, stored=None, overlap={}, received=NOW, nonce=bytes(16))
    assert isinstance(found, Committed)


def test_the_store_knows_which_patches_a_notice_names(tmp_path: Path) -> None:
    store, fleet = make_store(tmp_path)
    body = header(fleet, patches={PRODUCT: (PATCH,), "doorbell": (b"\x08" * 32,)})
    published = publish(store, fleet, body)
    said = tuple(
        replace(with_consent(consented(published.digest)), digest=digest) for digest in (PATCH, b"\x08" * 32)
    )
    with store.read() as session:
        found = Evidence(session, [DEVICE]).texts(make(patches=said))
    store.close()
    assert found == {(PATCH, published.digest): body.texts}


# A real device


class Followed(World):
    """A world whose reports are judged as the gateway judges them."""

    def __init__(self, **profile: Any) -> None:
        self.decisions: list[Committed] = []
        self.texts: dict[tuple[bytes, bytes], Any] = {}
        super().__init__(**profile)

    def notice(self, *arguments: Any, **named: Any) -> Notice:
        header = super().notice(*arguments, **named)
        words = {language: sha256(dump(make_text(language))).digest() for language in ("en", "de")}
        for patch in (header.patches or {}).get(PRODUCT, ()):
            self.texts[patch, sha256(dump(header)).digest()] = words
        return header

    def take_report(self, payload: bytes) -> None:
        super().take_report(payload)
        said = self.reports[-1]
        standing = self.decisions[-1].standing if self.decisions else None
        known = {each.index: each for decision in self.decisions for each in decision.journal}
        found = judge(
            said,
            payload,
            standing,
            stored=None,
            overlap={index: each for index, each in known.items() if index < said.journal_count},
            texts=self.texts,
            received=self.now,
            nonce=bytes(16),
        )
        assert isinstance(found, Committed)
        self.decisions.append(found)

    @property
    def row(self) -> NoticeRow:
        return self.decisions[-1].standing.notices["EX-2026-0001"]


def test_the_owner_after_a_factory_reset_of_a_real_device_is_told_again() -> None:
    w = Followed(auto_consent=False)
    w.connect()
    header = w.notice()
    w.current(header)
    w.advance(10)
    w.run(w.agent.acknowledge(w.now))
    w.advance(10)
    first = w.row
    assert first.acknowledged is not None
    w.run(w.agent.factory_reset(w.now))
    w.advance(60)
    assert w.row.shown is not None
    assert first.shown is not None
    assert w.row.shown > first.shown
    assert w.row.acknowledged is None
    assert [anomaly for decision in w.decisions for anomaly in decision.anomalies] == []


def test_the_consent_of_a_real_devices_owner_is_to_what_was_published() -> None:
    w = Followed(auto_consent=False)
    w.connect()
    patch = w.patch()
    header = w.notice(make_notice(w.fleet, patches={PRODUCT: (patch,)}))
    w.current(header, patches=((7, patch),))
    w.offer(patch)
    w.advance(10)
    w.run(w.agent.consent("yes", w.now, w.asks[-1].question))
    w.advance(30)
    row = w.decisions[-1].standing.patches[patch]
    assert row.consent is not None
    assert row.consent.how is Agreed.ASKED
    assert (patch, row.consent.notice) in w.texts
    assert [anomaly for decision in w.decisions for anomaly in decision.anomalies] == []
