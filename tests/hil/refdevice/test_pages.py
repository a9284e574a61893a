"""Drawn pages on the C device: the very pages that a text names, and another language where there are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisories.notice import page_digests
from advisories.states import NoticeState as S
from keys.reasons import Reason
from tests.helpers import NOW, text

from .build import Core
from .device_of_c import Device
from .notice_of_c import ID, drawn, draws, header, puts, says, shown, stands, track

OK = Reason.OK
PAGES = tuple(bytes([number]) * 1_024 for number in (1, 2))
WHOLE = b"".join(PAGES)
JAPANESE = text("ja", title="更新のお願い", pages=page_digests(PAGES))


@pytest.fixture
def device(core: Core) -> Device:
    return Device(core)


@pytest.fixture
def waiting(device: Device) -> Device:
    """A device of a Japanese owner, whose notice waits for its drawn pages."""
    puts(device, header(JAPANESE))
    assert says(device, JAPANESE) is OK
    assert stands(device) == (S.VERIFIED, Reason.NO_LANGUAGE)
    return device


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        (WHOLE, OK),
        (WHOLE[:-1], Reason.DIGEST_MISMATCH),
        (WHOLE + b"\0", Reason.DIGEST_MISMATCH),
        (PAGES[0], Reason.DIGEST_MISMATCH),
        (PAGES[1] + PAGES[0], Reason.DIGEST_MISMATCH),
        (WHOLE[:-1] + b"\0", Reason.DIGEST_MISMATCH),
        (WHOLE + WHOLE, Reason.DIGEST_MISMATCH),
        (WHOLE + WHOLE + b"\0", Reason.TOO_BIG),
    ],
)
def test_only_the_very_pages_are_drawn(waiting: Device, pages: bytes, reason: Reason) -> None:
    before, _ = waiting.core.pages()
    assert draws(waiting, pages, "ja") is reason
    count, last = waiting.core.pages()
    assert count - before == (2 if reason is OK else 0)
    if reason is OK:
        assert last == PAGES[-1]
        assert stands(waiting) == (S.SHOWN, Reason.STALE)
    else:
        assert stands(waiting) == (S.VERIFIED, Reason.NO_LANGUAGE)


@pytest.mark.parametrize(("language", "advisory"), [("en", ID), ("j", ID), ("ja", "EX-2026-0002")])
def test_pages_that_nobody_waits_for_are_left_aside(waiting: Device, language: str, advisory: str) -> None:
    assert draws(waiting, WHOLE, language, advisory) is OK
    assert waiting.core.pages()[0] == 0
    assert stands(waiting) == (S.VERIFIED, Reason.NO_LANGUAGE)


def test_pages_before_their_text_are_left_aside(device: Device) -> None:
    puts(device, header(JAPANESE))
    assert draws(device, WHOLE, "ja") is OK
    assert says(device, JAPANESE) is OK
    assert stands(device) == (S.VERIFIED, Reason.NO_LANGUAGE)
    assert draws(device, WHOLE, "ja") is OK
    assert stands(device) == (S.SHOWN, Reason.STALE)


def test_pages_come_once_and_only_where_words_cannot_be_drawn(waiting: Device) -> None:
    draws(waiting, WHOLE, "ja")
    count = waiting.core.pages()[0]
    assert draws(waiting, bytes(2_048), "ja") is OK
    assert waiting.core.pages()[0] == count
    plain = text(pages=page_digests(PAGES))
    shown(waiting, plain, id="plain")
    assert draws(waiting, WHOLE, "en", "plain") is OK
    assert waiting.core.pages()[0] == count


def test_without_pages_the_next_language_is_shown(device: Device) -> None:
    foreign = replace(JAPANESE, pages=None)
    puts(device, header(foreign, text("zz")))
    assert says(device, foreign) is OK
    assert stands(device) == (S.VERIFIED, Reason.NO_LANGUAGE)
    found = track(device)
    assert found is not None
    assert not found.text
    assert says(device, text("zz")) is OK
    assert stands(device) == (S.SHOWN, Reason.STALE)


def test_where_no_language_can_be_shown_it_is_said_and_waited_for(device: Device) -> None:
    foreign = replace(JAPANESE, pages=None)
    puts(device, header(foreign))
    for _ in range(2):
        assert says(device, foreign) is OK
        assert stands(device) == (S.VERIFIED, Reason.FONT_MISSING)
    assert drawn(device.core) == []
    assert puts(device, header(text(), revision=2, version=NOW + 1)) is OK
    assert says(device, text()) is OK
    assert stands(device) == (S.SHOWN, Reason.STALE)
