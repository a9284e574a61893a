"""Nothing leaves a device of which its owner is not told: every member has its words, and its value in them."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import fields, replace
from typing import Any

import pytest

from advisories.report import (
    Agreed,
    Consented,
    JournalEntry,
    Report,
    Track,
    Want,
    journal_genesis,
)
from advisories.states import NoticeState, PatchState, Surface
from device_sim.core.profile import Profile
from device_sim.core.telling import TOLD, Group, groups
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from tests.advisories.wire import CONSENTED, REPORT, WANT
from tests.device_sim.core.world import World
from tests.helpers import DEVICE, NOW, PRODUCT

PROFILE = Profile(id=DEVICE, product=PRODUCT, vendor_id=bytes(16), class_id=bytes(16))
FULL = replace(
    REPORT,
    expires=NOW,
    author=("anna", "operator"),
    patches=(replace(REPORT.patches[0], consent=CONSENTED, done=40, deferrals=2, suit=bytes(33)),),
    journal=(
        *REPORT.journal,
        JournalEntry(index=1, time=NOW, track=Track.PATCH, name="0" * 16, old=4, new=5, reason=Reason.OK),
        JournalEntry(index=2, time=NOW, track=Track.REFUSAL, name="offer", old=0, new=0, reason=Reason.BUSY),
        JournalEntry(index=3, time=NOW, track=Track.DEVICE, name="boot", old=0, new=1, reason=Reason.OK),
    ),
)


def told(report: Report = FULL, wants: tuple[Want, ...] = (WANT,), **fields: Any) -> tuple[Group, ...]:
    return groups(report, replace(PROFILE, **fields), wants, "mqtts://broker.example.com")


def words(found: tuple[Group, ...]) -> str:
    return "\n".join(line.text for group in found for line in group.lines)


def _parts(kind: Any) -> set[Any]:
    """Every record inside a type."""
    inside = set().union(*(_parts(each) for each in typing.get_args(kind)))
    return inside | ({kind} if dataclasses.is_dataclass(kind) else set())


def test_every_record_that_leaves_the_device_is_told() -> None:
    found: set[Any] = set()
    todo: set[Any] = {Report, Want}
    while todo:
        record = todo.pop()
        found.add(record)
        todo |= set().union(*map(_parts, typing.get_type_hints(record).values())) - found
    assert found == set(TOLD)
    assert len(found) == 6


@pytest.mark.parametrize("record", TOLD, ids=lambda record: record.__name__)
def test_every_member_has_its_words_and_none_has_more(record: type[Any]) -> None:
    assert set(TOLD[record]) == {field.name for field in fields(record)}


@pytest.mark.parametrize("report", [FULL, REPORT], ids=["full", "usual"])
def test_every_member_is_told_with_its_value(report: Report) -> None:
    lines = {line.member: line for group in told(report) for line in group.lines if line.member}
    expected = {f"{record.__name__}.{field.name}" for record in TOLD for field in fields(record)}
    if report is REPORT:
        expected -= {f"Consented.{field.name}" for field in fields(Consented)}
    assert set(lines) == expected
    for field in fields(Report):
        assert lines[f"Report.{field.name}"].value == getattr(report, field.name)
    for field in fields(JournalEntry):
        values = [getattr(entry, field.name) for entry in report.journal]
        assert lines[f"JournalEntry.{field.name}"].value == values


@pytest.mark.parametrize(
    "part",
    [
        DEVICE,
        "a thermostat",
        "EX-2026-0001",
        "shown on its console",
        "yes when it asked",
        "40 percent",
        "put it off: 2",
        "33 bytes",
        "became shown, once",
        "offer (",
        "boot, once",
        "anna",
        "catalogue/thermostat",
        "from byte 4096",
        "mqtts://broker.example.com, as tocsin/v1/device/device-0001/report",
        "every 300 at most",
        "2027-01-15 08:00:05 UTC",
    ],
)
def test_the_words_say_what_is_sent(part: str) -> None:
    assert part in words(told())


def test_where_patches_are_fetched_is_told() -> None:
    assert "artefact.example.com" not in words(told())
    assert "https://artefact.example.com/" in words(told(artefacts="https://artefact.example.com/"))


def test_without_an_address_it_is_said_what_it_depends_on() -> None:
    assert "that it is run with" in "\n".join(
        line.text for group in groups(REPORT, PROFILE, (), "") for line in group.lines
    )


@pytest.mark.parametrize("how", Agreed)
@pytest.mark.parametrize("surface", Surface)
def test_every_kind_of_value_has_words(how: Agreed, surface: Surface) -> None:
    notices = tuple(
        replace(REPORT.notices[0], state=state, surface=surface, language=None, confirmed=None)
        for state in NoticeState
    )
    consent = replace(CONSENTED, how=how, notice=None, language=None, time=VERSION_MAX)
    patches = tuple(replace(REPORT.patches[0], state=state, consent=consent) for state in PatchState)
    journal = tuple(replace(FULL.journal[2], track=track, new=255, reason=Reason.STALE) for track in Track)
    report = replace(FULL, notices=notices, patches=patches, journal=journal, algorithms=None, catalogue=None)
    found = words(told(report))
    assert "could not be measured" in words(told(replace(report, installed=(0, 0, 0, 0))))
    assert f"second {VERSION_MAX}" in found
    assert "not said" in found


def test_a_device_that_was_told_and_patched_is_told_in_full() -> None:
    w = World()
    w.connect()
    header = w.notice()
    patch = w.patch()
    w.current(header, patches=((7, patch),))
    w.offer(patch)
    w.advance(30)
    report = w.reports[-1]
    found = words(groups(report, w.profile, w.wants, ""))
    for part in (header.id, patch.hex()[:16], "succeeded"):
        assert part in found


def test_a_device_that_never_ran_has_little_to_tell() -> None:
    new = replace(
        REPORT,
        catalogue=None,
        asked=None,
        nonce=bytes(16),
        version=0,
        notices=(),
        patches=(),
        journal=(),
        journal_count=0,
        journal_head=journal_genesis(REPORT.fleet, DEVICE),
    )
    found = words(told(new, ()))
    for part in ("counted when it is sent", "notices it speaks of: 0", "Entries in its life so far: 0"):
        assert part in found
