"""Notices of the C device as time passes: reminders, what is current, a display that fails, and a clock that was wrong."""

from __future__ import annotations

import pytest

from advisories.notice import Notice, Phase, page_digests
from advisories.states import NoticeState as S
from keys.reasons import Reason
from tests.helpers import DAY, PRODUCT, catalogue, text, timestamp

from .build import Core
from .device_of_c import FLEET, Device
from .notice_of_c import (
    ID,
    LATER,
    drawn,
    draws,
    header,
    moves,
    passes,
    puts,
    says,
    screen,
    shown,
    stands,
    track,
)

TITLE = "Update your thermostat"
PAGES = bytes(1_024)
FOREIGN = text("ja", title="更新のお願い", pages=page_digests((PAGES,)))


@pytest.fixture
def device(core: Core) -> Device:
    return Device(core)


def listed(device: Device, *notices: Notice, at: int = 0) -> None:
    """Bring a catalogue that names these notices, and its timestamp."""
    made = catalogue(FLEET, *notices, version=LATER + at, issued=LATER + at)
    stamp = timestamp(FLEET, made, version=LATER + at, issued=LATER + at)
    assert device.put(f"timestamp/{PRODUCT}", FLEET.seal(stamp)) is Reason.OK
    assert device.put(f"catalogue/{PRODUCT}", FLEET.seal(made)) is Reason.OK


def times(device: Device) -> int:
    """Count how often the notice was drawn since this was asked last."""
    return drawn(device.core).count(TITLE)


def given(device: Device) -> int:
    """How many reminders count as given."""
    found = track(device)
    assert found is not None
    return int(found.reminders)


# Reminders


@pytest.mark.parametrize(
    ("reminder", "seconds", "drawings"),
    [
        ((60, 3), [59, 60, 61, 119, 120, 179, 180, 240, 10_000], [0, 1, 0, 0, 1, 0, 1, 0, 0]),
        ((60, 3), [130], [1]),
        ((60, 3), [130, 179, 180], [1, 0, 1]),
        ((60, 0), [60, 10_000], [0, 0]),
        ((0, 2), [0, 1, 2, 3], [0, 1, 1, 0]),
        ((1, 255), [255, 256], [1, 0]),
        (None, [60, 10_000], [0, 0]),
    ],
)
def test_a_reminder_is_drawn_when_it_is_due_and_once(
    device: Device, reminder: tuple[int, int] | None, seconds: list[int], drawings: list[int]
) -> None:
    shown(device, reminder=reminder)
    assert times(device) == 1
    found = []
    for second in seconds:
        passes(device, [second])
        found.append(times(device))
    assert found == drawings


def test_whoever_noted_it_is_not_reminded(device: Device) -> None:
    shown(device, reminder=(60, 3))
    passes(device, [60])
    assert times(device) == 2
    device.lib.tn_agent_acknowledge()
    device.lib.tn_agent_acknowledge()
    assert moves(device)[-1] == (ID, S.ACKNOWLEDGED, Reason.STALE)
    passes(device, [120, 180])
    assert times(device) == 0


def test_nothing_is_noted_where_nothing_is_shown(device: Device) -> None:
    puts(device, header())
    before = len(device.journal())
    device.lib.tn_agent_acknowledge()
    assert device.journal()[before:] == []


def test_reminders_that_were_given_are_kept_over_a_restart(device: Device) -> None:
    shown(device, reminder=(60, 3))
    passes(device, [130])
    assert given(device) == 2
    times(device)
    device.boot()
    assert times(device) == 1, "what was not noted is drawn anew"
    assert given(device) == 2
    passes(device, [179])
    assert times(device) == 0
    passes(device, [180])
    assert (times(device), given(device)) == (1, 3)


def test_a_reminder_that_cannot_be_drawn_does_not_count(device: Device) -> None:
    shown(device, reminder=(60, 3))
    device.lib.test_blind(True)
    passes(device, [60])
    assert stands(device) == (S.SHOWN, Reason.DISPLAY_FAILED)
    assert given(device) == 0
    device.lib.test_blind(False)
    times(device)
    passes(device, [119])
    assert times(device) == 0
    passes(device, [120])
    assert (times(device), given(device)) == (1, 2)


# A display that fails


@pytest.mark.parametrize("seconds", [59, 60, 61])
def test_a_display_that_failed_is_tried_again_after_a_minute(device: Device, seconds: int) -> None:
    device.lib.test_blind(True)
    shown(device)
    assert stands(device) == (S.VERIFIED, Reason.DISPLAY_FAILED)
    assert screen(device) is None
    device.lib.test_blind(False)
    passes(device, [seconds])
    assert stands(device) == (
        (S.SHOWN, Reason.STALE) if seconds >= 60 else (S.VERIFIED, Reason.DISPLAY_FAILED)
    )
    assert times(device) == (seconds >= 60)


def test_a_restart_tries_at_once(device: Device) -> None:
    device.lib.test_blind(True)
    shown(device)
    device.boot()
    assert stands(device) == (S.VERIFIED, Reason.DISPLAY_FAILED)
    device.lib.test_blind(False)
    device.boot()
    assert stands(device) == (S.SHOWN, Reason.STALE)


def test_a_display_that_fails_at_a_later_page_shows_nothing(device: Device) -> None:
    puts(device, header(FOREIGN))
    says(device, FOREIGN)
    device.lib.test_blind(True)
    assert draws(device, PAGES, "ja") is Reason.OK
    assert stands(device) == (S.VERIFIED, Reason.DISPLAY_FAILED)
    assert device.core.pages()[0] == 0
    device.lib.test_blind(False)
    passes(device, [60])
    assert stands(device) == (S.SHOWN, Reason.STALE)
    assert device.core.pages()[0] == 1


def test_a_withdrawal_that_cannot_be_drawn_is_tried_again(device: Device) -> None:
    shown(device)
    words = text(title="There was no fault")
    device.lib.test_blind(True)
    assert puts(device, header(words, revision=2, version=LATER, phase=Phase.WITHDRAWN)) is Reason.OK
    assert says(device, words) is Reason.OK
    assert stands(device) == (S.WITHDRAWN, Reason.DISPLAY_FAILED)
    device.lib.test_blind(False)
    drawn(device.core)
    passes(device, [59])
    assert drawn(device.core) == []
    passes(device, [60])
    assert "There was no fault" in drawn(device.core)
    assert stands(device) == (S.WITHDRAWN, Reason.OK)


# What is current


def test_a_notice_that_becomes_current_is_drawn_anew_and_says_so(device: Device) -> None:
    body = shown(device)
    assert "NOT CONFIRMED CURRENT." in drawn(device.core)
    listed(device, body)
    assert stands(device) == (S.SHOWN, Reason.OK)
    assert "Confirmed current." in drawn(device.core)
    passes(device, [5, 10])
    assert drawn(device.core) == []
    passes(device, [DAY])  # the timestamp is over
    assert stands(device) == (S.SHOWN, Reason.STALE)
    assert "NOT CONFIRMED CURRENT." in drawn(device.core)


def test_a_notice_that_was_noted_and_becomes_current_says_so_and_stays_noted(device: Device) -> None:
    body = shown(device, reminder=(60, 3))
    device.lib.tn_agent_acknowledge()
    drawn(device.core)
    listed(device, body)
    assert "Confirmed current." in drawn(device.core)
    assert stands(device) == (S.ACKNOWLEDGED, Reason.OK)
    assert given(device) == 0


def test_what_is_current_when_it_comes_is_shown_as_that(device: Device) -> None:
    body = header(text())
    listed(device, body)
    assert puts(device, body) is Reason.OK
    assert says(device, text()) is Reason.OK
    assert stands(device) == (S.SHOWN, Reason.OK)
    assert "Confirmed current." in drawn(device.core)


def test_only_what_stands_on_the_display_is_drawn_anew(device: Device) -> None:
    first = shown(device)
    second = shown(device, text(title="Another one"), id="EX-2026-0002")
    drawn(device.core)
    listed(device, first)
    assert drawn(device.core) == []
    assert stands(device) == (S.SHOWN, Reason.OK)
    listed(device, first, second, at=1)
    assert "Another one" in drawn(device.core)


# A clock that was wrong


def test_whoever_sets_the_time_silences_nobody(device: Device) -> None:
    shown(device, reminder=(60, 1))
    passes(device, [60])
    times(device)
    device.core.set_utc(LATER + 100 * DAY)
    device.tick()
    assert stands(device) == (S.EXPIRED, Reason.EXPIRED)
    device.tick()
    assert stands(device) == (S.EXPIRED, Reason.EXPIRED)
    device.core.set_utc(LATER + 120)
    device.tick()
    assert stands(device) == (S.SHOWN, Reason.STALE)
    assert times(device) == 1
    assert given(device) == 0
    device.core.set_utc(LATER + 180)
    device.tick()
    assert (times(device), given(device)) == (1, 1)


# What is lacking


def wanted(device: Device) -> list[tuple[int, str]]:
    """Take what it says; return what it subscribes to (1) or leaves (2)."""
    found = []
    while head := device.lib.tn_out_head():
        out = head.contents
        if out.kind:
            found.append((out.kind, device.lib.tn_topic_word(out.topic).decode()))
        device.lib.tn_out_acknowledge(out.number)
    return found


def listens(device: Device) -> list[tuple[int, str]]:
    """Let it say all it has to, as one topic is said at a time; return the subscriptions."""
    found = wanted(device)
    device.tick()
    return found + wanted(device)


def test_pages_that_never_come_let_the_next_language_through(device: Device) -> None:
    puts(device, header(FOREIGN, text("zz", title="Plain letters")))
    assert listens(device) == [(1, "text")]
    says(device, FOREIGN)
    assert listens(device) == [(2, "text"), (1, "pages")]
    passes(device, [2])
    assert listens(device) == []
    passes(device, [3])
    assert listens(device) == [(2, "pages"), (1, "text")]
    assert says(device, text("zz", title="Plain letters")) is Reason.OK
    assert stands(device) == (S.SHOWN, Reason.STALE)
    assert "Plain letters" in drawn(device.core)


def test_without_another_language_it_waits_for_the_pages(device: Device) -> None:
    puts(device, header(FOREIGN))
    listens(device)
    says(device, FOREIGN)
    listens(device)
    passes(device, [3])
    assert stands(device) == (S.VERIFIED, Reason.FONT_MISSING)
    assert draws(device, PAGES, "ja") is Reason.OK
    assert stands(device) == (S.SHOWN, Reason.STALE)


def test_of_two_notices_only_the_one_whose_pages_did_not_come_goes_on(device: Device) -> None:
    names = (ID, "EX-2026-0002")
    for name in names:
        puts(device, header(FOREIGN, text("zz"), id=name))
        listens(device)
        says(device, FOREIGN, name)
    listens(device)
    passes(device, [3])
    here = [track(device, name) for name in names]
    assert [one is not None and one.text for one in here] == [False, True]


def test_a_text_is_asked_for_by_its_topic(device: Device) -> None:
    wanted(device)
    puts(device, header(text("fr")))
    assert (1, "text") in wanted(device)
    assert says(device, text("fr")) is Reason.OK
    assert (2, "text") in wanted(device)
