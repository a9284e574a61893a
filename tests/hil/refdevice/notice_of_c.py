"""Notices of the C device: what tests hand it, what stands on its display, and how far each track is."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

from advisories.notice import Notice, Text
from advisories.states import NoticeState
from keys.codec import dump
from keys.reasons import Reason
from tests.helpers import NOW, PRODUCT, notice, text

from .build import Core
from .device_of_c import FLEET, Device
from .patch_of_c import Record

ID = "EX-2026-0001"
PLACES = 4
"""TN_NOTICES_MAX."""
LATER = NOW + 60
"""When a device of :class:`Device` is switched on."""
MOVES = list[tuple[str, NoticeState, Reason]]


class Track(Record):
    """How ``tn_notice_track`` begins."""

    _fields_ = (
        ("state", ctypes.c_uint8),
        ("reason", ctypes.c_uint8),
        ("reminders", ctypes.c_uint8),
        ("told", ctypes.c_bool),
        ("text", ctypes.c_bool),
        ("pages", ctypes.c_bool),
        ("failed", ctypes.c_bool),
    )


def track(device: Device, advisory: str = ID) -> Track | None:
    """Return the track of an advisory; None: it has no place."""
    device.lib.tn_track_find.restype = ctypes.POINTER(Track)
    found = device.lib.tn_track_find(advisory.encode())
    one: Track | None = found.contents if found else None
    return one


def stands(device: Device, advisory: str = ID) -> tuple[NoticeState, Reason] | None:
    """Return how far an advisory is, and why."""
    found = track(device, advisory)
    return None if found is None else (NoticeState(found.state), Reason(found.reason))


def moves(device: Device, since: int = 0) -> MOVES:
    """Return the transitions of notices that it has journaled."""
    return [
        (name, NoticeState(new), why) for kind, name, _, new, why in device.journal()[since:] if kind == 0
    ]


def header(*texts: Text, **fields: Any) -> Notice:
    """A notice of these texts."""
    named = {"texts": {one.language: one.digest() for one in texts}} if texts else {}
    return notice(FLEET, **({"id": ID} | named | fields))


def puts(device: Device, body: Notice) -> Reason:
    """Bring a header."""
    return device.put(f"notice/{PRODUCT}/{body.id}", FLEET.seal(body))


def says(device: Device, words: Text, advisory: str = ID, *, language: str | None = None) -> Reason:
    """Bring a text."""
    return device.put(f"text/{PRODUCT}/{language or words.language}/{advisory}", dump(words))


def draws(device: Device, pages: bytes, language: str, advisory: str = ID) -> Reason:
    """Bring drawn pages."""
    return device.put(f"pages/{PRODUCT}/{language}/{advisory}", pages)


def shown(device: Device, *texts: Text, **fields: Any) -> Notice:
    """Bring a header and its texts."""
    made = header(*(texts or (text(),)), **fields)
    assert puts(device, made) is Reason.OK
    for one in texts or (text(),):
        assert says(device, one, made.id) is Reason.OK
    return made


def drawn(core: Core) -> list[str]:
    """Return what was drawn since this was asked last, without the lines' numbers."""
    return [line.partition(" ")[2] for line in core.lines()]


def screen(device: Device) -> Track | None:
    """Return the track that stands on the display."""
    device.lib.tn_screen_shown.restype = ctypes.POINTER(ctypes.POINTER(Track))
    found = device.lib.tn_screen_shown()
    one: Track | None = found.contents.contents if found else None
    return one


def passes(device: Device, seconds: Iterable[int]) -> None:
    """Let time pass: the clock of the board, and its milliseconds with it."""
    for one in seconds:
        device.core.set_utc(LATER + one)
        device.core.set_ms(one * 1_000)
        device.tick()
