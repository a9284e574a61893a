"""Headers, texts and drawn pages as they arrive at the C device: what makes room for what, and what is left aside."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from advisories.notice import Action, Phase, Severity
from advisories.states import NoticeState as S
from keys.codec import dump
from keys.reasons import Reason
from tests.helpers import DAY, NOW, PRODUCT, notice, text

from .build import Core
from .device_of_c import FLEET, Device
from .notice_of_c import (
    ID,
    LATER,
    PLACES,
    drawn,
    header,
    moves,
    passes,
    puts,
    says,
    screen,
    shown,
    stands,
)

OK = Reason.OK
ELSEWHERE = {PRODUCT: (((2, 0, 0, 0), None),)}
"""Versions that this device does not run."""


@pytest.fixture
def device(core: Core) -> Device:
    return Device(core)


def filled(device: Device, **fields: Any) -> list[str]:
    """Take every place there is; return the advisories, the oldest first."""
    names = [f"EX-{number}" for number in range(PLACES)]
    for number, name in enumerate(names):
        device.core.set_utc(LATER + number)
        assert puts(device, header(id=name, **fields)) is OK
    return names


# Places


def test_without_a_place_a_notice_is_refused_and_said_to_be_too_many(device: Device) -> None:
    names = filled(device)
    assert puts(device, header()) is Reason.LIMIT_REACHED
    assert stands(device) is None
    assert [stands(device, name) for name in names] == [(S.VERIFIED, OK)] * PLACES
    assert moves(device)[-1] == (ID, S.REJECTED, Reason.LIMIT_REACHED)


def test_one_that_is_here_needs_no_place_for_its_next_revision(device: Device) -> None:
    names = filled(device)
    assert puts(device, header(id=names[2], revision=2, version=NOW + 1)) is OK
    assert [stands(device, name) for name in names] == [(S.VERIFIED, OK)] * PLACES


def test_the_oldest_that_never_applied_makes_room(device: Device) -> None:
    names = filled(device, affected=ELSEWHERE)
    assert {stands(device, name) for name in names} == {(S.NOT_APPLICABLE, Reason.NOT_AFFECTED)}
    for number, gone in enumerate(names):
        device.core.set_utc(LATER + 100 + number)
        assert puts(device, header(id=f"NEW-{number}")) is OK
        assert stands(device, gone) is None
        assert stands(device, f"NEW-{number}") == (S.VERIFIED, OK)


def test_one_that_ended_makes_room_before_one_that_never_applied(device: Device) -> None:
    puts(device, header(id="never", affected=ELSEWHERE))
    passes(device, [10])
    puts(device, header(id="late", expires=LATER + 300))
    puts(device, header(id="soon", expires=LATER + 200))
    puts(device, header(id="stays"))
    passes(device, [200, 300])  # `soon` ended first, though it stands behind `late`
    assert stands(device, "soon") == stands(device, "late") == (S.EXPIRED, Reason.EXPIRED)
    for name, gone in (("one", "soon"), ("two", "late"), ("three", "never")):
        assert puts(device, header(id=name)) is OK
        assert stands(device, gone) is None
    assert puts(device, header(id="four")) is Reason.LIMIT_REACHED
    assert stands(device, "stays") == (S.VERIFIED, OK)


def test_what_takes_the_place_of_a_notice_on_the_display_takes_it_off(device: Device) -> None:
    shown(device, id="EX-0", expires=LATER + 200)
    for number in range(1, PLACES):
        puts(device, header(id=f"EX-{number}"))
    passes(device, [200])
    assert screen(device) is not None
    assert puts(device, header()) is OK
    assert screen(device) is None


# Headers


def test_a_notice_in_foreign_languages_only_is_shown_and_said_to_be(device: Device) -> None:
    french = text("fr", title="Mettez à jour")
    shown(device, french)
    assert moves(device)[-2:] == [(ID, S.VERIFIED, Reason.NO_LANGUAGE), (ID, S.SHOWN, Reason.STALE)]
    assert "Mettez à jour" in drawn(device.core)


@pytest.mark.parametrize("since", [-1, 0, 1])
def test_a_notice_that_ends_while_the_power_is_off_has_ended_when_it_is_on_again(
    device: Device, since: int
) -> None:
    shown(device, expires=LATER + DAY)
    device.core.set_utc(LATER + DAY + since)
    device.boot()
    assert stands(device) == ((S.EXPIRED, Reason.EXPIRED) if since >= 0 else (S.SHOWN, Reason.STALE))


def test_the_same_header_again_changes_nothing(device: Device) -> None:
    shown(device)
    before = len(device.journal())
    assert puts(device, header(text())) is OK
    assert device.journal()[before:] == []
    assert stands(device) == (S.SHOWN, Reason.STALE)


def revised(device: Device, *, since: int | None = 1, **fields: Any) -> list[S]:
    """Bring revision 2 of what is shown, with a language more; return how it goes on."""
    before = len(moves(device))
    second = {"revision": 2, "version": NOW + 1, "same_since": since}
    assert puts(device, header(*fields.pop("texts_", (text(), text("fr"))), **(second | fields))) is OK
    return [state for _, state, _ in moves(device)[before:]]


AGAIN = [S.SUPERSEDED, S.DELIVERED, S.VERIFIED]
CARRIED = [*AGAIN, S.SHOWN]


@pytest.mark.parametrize(
    ("fields", "story"),
    [
        ({}, CARRIED),
        ({"since": None}, AGAIN),
        ({"since": 2}, AGAIN),
        ({"phase": Phase.UPDATE}, AGAIN),
        ({"severity": Severity.LOW}, AGAIN),
        ({"action": Action.ACT_SOON}, AGAIN),
        ({"affected": {PRODUCT: (((1, 0, 0, 0), (1, 4, 3, 0)),)}}, AGAIN),
        ({"next_update": LATER + DAY}, AGAIN),
        ({"reminder": (60, 3)}, AGAIN),
        ({"patches": {PRODUCT: (bytes(32),)}}, AGAIN),
        ({"release_list": bytes(32)}, CARRIED),
        ({"texts_": (text(title="Other words"), text("fr"))}, AGAIN),
        ({"texts_": (text("fr"), text("en-GB"))}, AGAIN),
    ],
)
def test_an_owner_who_was_told_the_same_is_not_told_again(
    device: Device, fields: dict[str, Any], story: list[S]
) -> None:
    shown(device)
    assert revised(device, **fields) == story


@pytest.mark.parametrize(("noted", "story"), [(False, CARRIED), (True, [*CARRIED, S.ACKNOWLEDGED])])
def test_what_was_noted_stays_noted(device: Device, *, noted: bool, story: list[S]) -> None:
    shown(device)
    if noted:
        device.lib.tn_agent_acknowledge()
    assert revised(device) == story
    drawn(device.core)
    device.boot()
    assert ("Update your thermostat" in drawn(device.core)) == (not noted)


def test_what_was_never_shown_is_shown_with_the_next_revision(device: Device) -> None:
    puts(device, header(text()))
    assert revised(device) == AGAIN
    assert says(device, text()) is OK
    assert stands(device) == (S.SHOWN, Reason.STALE)


@pytest.mark.parametrize("told", [False, True])
def test_a_withdrawal_is_shown_to_those_who_were_told(device: Device, *, told: bool) -> None:
    puts(device, header(text()))
    if told:
        says(device, text())
    words = text(title="There was no fault")
    drawn(device.core)
    assert puts(device, header(words, revision=2, version=NOW + 1, phase=Phase.WITHDRAWN)) is OK
    assert says(device, words) is OK
    assert ("There was no fault" in drawn(device.core)) == told
    assert stands(device) == (S.WITHDRAWN, OK)


def test_a_withdrawal_is_shown_to_those_who_were_told_of_an_earlier_revision(device: Device) -> None:
    shown(device)
    newer = text(title="Words that never come")
    assert puts(device, header(newer, revision=2, version=NOW + 1)) is OK
    words = text(title="There was no fault")
    assert puts(device, header(words, revision=3, version=NOW + 2, phase=Phase.WITHDRAWN)) is OK
    drawn(device.core)
    assert says(device, words) is OK
    assert "There was no fault" in drawn(device.core)


def test_a_notice_without_an_end_is_never_over(device: Device) -> None:
    shown(device, expires=None)
    passes(device, [DAY, 4_000 * DAY])
    assert stands(device) == (S.SHOWN, Reason.STALE)


def test_a_notice_that_never_applied_is_not_said_again_at_each_start(device: Device) -> None:
    puts(device, header(affected=ELSEWHERE))
    before = len(moves(device))
    device.boot()
    device.boot()
    assert moves(device)[before:] == []
    assert stands(device) == (S.NOT_APPLICABLE, Reason.NOT_AFFECTED)


def test_a_revision_of_one_that_ended_begins_anew_and_nothing_moves_on_from_its_end(device: Device) -> None:
    shown(device, expires=LATER + 100)
    passes(device, [100])
    assert revised(device, since=None) == AGAIN[1:]
    assert says(device, text()) is OK
    assert stands(device) == (S.SHOWN, Reason.STALE)


@pytest.mark.parametrize(
    ("ranges", "applies"),
    [
        ((), False),
        (((None, None),), True),
        ((((1, 4, 1, 0), None),), True),
        ((((1, 4, 1, 1), None),), False),
        (((None, (1, 4, 1, 0)),), False),
        (((None, (1, 4, 1, 1)),), True),
        (((None, (1, 0, 0, 0)), ((1, 4, 0, 0), (1, 5, 0, 0))), True),
    ],
)
def test_whether_a_version_is_concerned_is_told_to_its_last_number(
    device: Device, ranges: tuple[Any, ...], *, applies: bool
) -> None:
    puts(device, header(affected={PRODUCT: ranges}))
    expected = (S.VERIFIED, OK) if applies else (S.NOT_APPLICABLE, Reason.NOT_AFFECTED)
    assert stands(device) == expected


def test_a_device_that_cannot_tell_its_version_is_not_left_out(core: Core) -> None:
    device = Device(core)
    core.flash_load(core.constants["TN_AT_SLOTS"] + 512, bytes(8))
    device.boot()
    assert not device.session.measured
    puts(device, header(affected=ELSEWHERE))
    assert stands(device) == (S.VERIFIED, OK)


def test_another_product_is_none_of_its_business(device: Device) -> None:
    body = notice(FLEET, subject=("lamp", PRODUCT), affected={"lamp": (((0, 0, 0, 0), None),)})
    assert puts(device, body) is OK
    assert stands(device) == (S.NOT_APPLICABLE, Reason.NOT_AFFECTED)


# Texts


@pytest.mark.parametrize("advisory", [ID, "EX-2026-0002"])
def test_a_text_that_no_header_names_is_left_aside(device: Device, advisory: str) -> None:
    puts(device, header())
    other = text(title="Other words") if advisory == ID else text()
    assert says(device, other, advisory) is OK
    assert stands(device) == (S.VERIFIED, OK)
    assert drawn(device.core) == []


def test_a_text_comes_once(device: Device) -> None:
    shown(device)
    drawn(device.core)
    before = len(device.journal())
    assert says(device, text()) is OK
    assert drawn(device.core) == []
    assert device.journal()[before:] == []


def test_a_text_under_another_language_is_left_aside(device: Device) -> None:
    puts(device, header(text(), text("de")))
    assert says(device, text("de")) is OK
    assert says(device, text(), language="de") is OK
    assert says(device, text("de"), language="en") is OK
    assert stands(device) == (S.VERIFIED, OK)
    assert says(device, text()) is OK
    assert stands(device) == (S.SHOWN, Reason.STALE)


@pytest.mark.parametrize("body", [dump(text("de")), b"\xa0", b"no text", b"\xa1\x01\x62en"])
def test_a_text_that_its_header_names_and_is_none_is_refused(device: Device, body: bytes) -> None:
    puts(device, header(texts={"en": hashlib.sha256(body).digest()}))
    assert device.put(f"text/{PRODUCT}/en/{ID}", body) is Reason.MALFORMED
    assert stands(device) == (S.VERIFIED, OK)
    assert drawn(device.core) == []


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_text_has_a_kibibyte_at_most(device: Device, over: int) -> None:
    short = text(happened="x" * 300, doing="z" * 256)
    words = replace(short, doing="z" * (len(short.doing) + 1_024 + over - len(dump(short))))
    assert len(dump(words)) == 1_024 + over
    puts(device, header(words))
    assert says(device, words) is (OK if over <= 0 else Reason.TOO_BIG)
    assert stands(device) == ((S.SHOWN, Reason.STALE) if over <= 0 else (S.VERIFIED, OK))
