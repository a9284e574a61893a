"""Answers of the C device that do not fit one message: lists lose their first entries, lines and reports come in parts."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from advisories.smp import Rc
from advisories.states import PatchState
from keys.reasons import Reason
from tests.helpers import HOLDERS, text

from .build import Core
from .device_of_c import NEW, OLD, Device, firmware
from .notice_of_c import header, puts, shown
from .patch_of_c import read_image
from .test_journal import say
from .test_server import IMG, OS, OURS, READ, WRITE, asked
from .test_store import Record

NOTICE, REPORT, STATE = 3, 4, 6
NAMES = [f"{number}" * 64 for number in range(4)]
KEYS = sum(map(len, HOLDERS.values()))
ROOM = 621
"""Bytes of an echo that fits a message: TN_SMP_BUFFER_BYTES without frame, head, and what stands around the text."""


@pytest.fixture
def device(device: Device, core: Core) -> Device:
    """One whose way to the gateway is open."""
    core.lib.tn_agent_connected(True)
    core.sent()
    return device


def lists(device: Device) -> tuple[list[bytes], list[str], list[int]]:
    """Return keys, advisories and sequence numbers of patches, as `state` says them."""
    said = asked(device, OURS, STATE, {})
    assert said["rc"] == Rc.OK
    names = [one["id"] for one in said["notices"]]
    return said["kids"], names, [one["sequence"] for one in said["patches"]]


def test_lists_lose_their_first_entries_where_they_do_not_fit(device: Device) -> None:
    kids, names, patches = lists(device)
    assert (len(kids), names, patches) == (KEYS, [], [])
    for count, name in enumerate(NAMES, 1):
        puts(device, header(text(), id=name))
        told, names, patches = lists(device)
        assert told == kids[len(kids) - len(told) :]
        assert names == NAMES[:count]
    assert 0 < len(told) < KEYS
    device.is_current()
    device.offered()
    device.takes()
    assert device.state is PatchState.WAITING_FOR_CONFIRMATION
    told, names, patches = lists(device)
    assert (told, patches) == ([], [])
    assert names == NAMES[1:]


def test_with_the_longest_names_and_versions_state_still_fits(device: Device) -> None:
    for name in NAMES:
        puts(device, header(text(), id=name))
    read_image(device.core, firmware((255, 255, 65_535, 2**32 - 1)), 1)
    device.lib.tn_boot_save(ctypes.byref(Record(active=0, has_trial=True, tried=False, trial=1)))
    said = asked(device, OURS, STATE, {})
    assert said["rc"] == Rc.OK
    assert said["pending"] == "255.255.65535+4294967295"
    assert said["notices"][-1]["id"] == NAMES[-1]


def test_what_runs_on_trial_says_why_it_started_and_waits_for_nothing(device: Device) -> None:
    read_image(device.core, firmware(), 1)
    device.lib.tn_boot_save(ctypes.byref(Record(active=0, has_trial=True, tried=False, trial=1)))
    waiting = asked(device, OURS, STATE, {})
    assert (waiting["cause"], waiting["installed"], waiting["pending"]) == ("power-on", "1.4.1", "1.4.2")
    device.core.reset()
    device.lib.tn_start()
    said = asked(device, OURS, STATE, {})
    assert (said["cause"], said["installed"], said["slot"]) == ("update", "1.4.2", 1)
    assert "pending" not in said
    images = asked(device, IMG, 0, {})["images"]
    assert [(one["pending"], one["confirmed"], one["active"]) for one in images] == [
        (False, True, False),
        (False, False, True),
    ]
    assert device.installed == NEW
    device.core.reset()
    device.lib.tn_start()
    assert asked(device, OURS, STATE, {})["cause"] == "reset", "it was not confirmed"
    assert device.installed == OLD


def pages(device: Device) -> tuple[list[str], int]:
    """Read what is shown, part by part; return its lines, and how many parts there were."""
    lines: list[str] = []
    for parts in range(1, 20):
        said = asked(device, OURS, NOTICE, {"off": len(lines)})
        assert (said["rc"], said["off"]) == (Rc.OK, len(lines))
        assert said["lines"], "each part goes on"
        lines += said["lines"]
        if len(lines) == said["count"]:
            return lines, parts
    raise AssertionError("it has no end")


def test_a_long_notice_is_read_in_parts_and_none_of_it_is_lost(device: Device) -> None:
    device.core.lines()
    shown(device, text(happened="word " * 60, doing="another " * 40))
    drawn = [line.partition(" ")[2] for line in device.core.lines()]
    lines, parts = pages(device)
    assert lines == drawn
    assert parts == 2
    assert asked(device, OURS, NOTICE, {"off": len(lines)})["lines"] == []
    assert asked(device, OURS, NOTICE, {"off": len(lines) + 1})["rc"] == Rc.EINVAL


def test_a_report_is_read_in_parts_until_it_is_taken(device: Device) -> None:
    say(device, 12)
    device.lib.tn_agent_connected(True)
    first = asked(device, OURS, REPORT, {})
    assert first["len"] > len(first["data"])
    data = first["data"]
    while len(data) < first["len"]:
        part = asked(device, OURS, REPORT, {"off": len(data)})
        assert (part["number"], part["off"]) == (first["number"], len(data))
        assert part["data"]
        data += part["data"]
    assert asked(device, OURS, REPORT, {"off": len(data)})["data"] == b""
    assert asked(device, OURS, REPORT, {"off": len(data) + 1})["rc"] == Rc.EINVAL
    assert asked(device, OURS, REPORT, {"ack": first["number"]}) == {"rc": Rc.OK}


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_an_echo_fits_to_its_last_byte_or_is_too_large(device: Device, over: int) -> None:
    words = "x" * (ROOM + over)
    said = asked(device, OS, 0, {"d": words}, op=WRITE)
    assert said == ({"rc": Rc.EMSGSIZE} if over > 0 else {"rc": Rc.OK, "r": words})


@pytest.mark.parametrize(
    ("group", "number", "op"), [(OS, 32, READ), (OS, 64, READ), (OS, 128, READ), (OURS, 32, READ)]
)
def test_a_command_beyond_all_tables_is_not_another_one(
    device: Device, group: int, number: int, op: int
) -> None:
    assert asked(device, group, number, {"d": "x"}, op=op) == {"rc": Rc.ENOTSUP}


@pytest.mark.parametrize(("changes", "asks"), [({}, "1.4.2"), ({"version": None}, "")])
def test_a_question_names_the_version_where_the_patch_does(
    core: Core, changes: dict[str, Any], asks: str
) -> None:
    device = Device(core, **changes)
    core.lib.tn_provision_apply()
    core.lib.tn_start()
    device.is_current()
    assert device.offered() is Reason.OK
    assert device.takes() is Reason.OK
    core.sent()
    said = asked(device, OURS, NOTICE, {})
    assert (said["asks"], said["count"], said["lines"]) == (asks, 0, [])
