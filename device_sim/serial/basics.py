"""The groups ``os`` and ``stat``, as every MCUmgr client knows them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from advisories import smp
from advisories.smp import Command, Rc
from device_sim.serial.machine import Machine
from device_sim.serial.server import Ask, Done, Handler, RequestError

YEAR_10000: Final = 253_402_300_800
"""UTC seconds from which no clock is set: dates have four digits for the year."""
BOOTLOADER: Final = "Tocsin simulator"
DIRECT_XIP_WITH_REVERT: Final = 5
"""MCUboot's number for what the boot loader does: run from either slot, revert what nobody confirms."""
_FORMATS: Final = "snrvbmpio"


class Basics:
    """Handlers of both groups."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def handlers(self) -> Mapping[Command, Handler]:
        """Return what this firmware can do."""
        return {
            smp.OS_ECHO: lambda ask: {"r": ask.body["d"]},
            smp.OS_CONSOLE_ECHO: lambda _: {},  # nothing is ever echoed on this line
            smp.OS_TASKS: self._tasks,
            smp.OS_MEMORY_POOLS: self._pools,
            smp.OS_DATETIME: lambda ask: {"datetime": _written(ask.now)},
            smp.OS_DATETIME_SET: self._set_datetime,
            smp.OS_RESET: lambda _: Done({}, self._machine.reset),
            smp.OS_PARAMETERS: lambda _: {"buf_size": self._machine.buffer_bytes, "buf_count": 1},
            smp.OS_INFO: self._info,
            smp.OS_BOOTLOADER: self._bootloader,
            smp.STAT_SHOW: self._show,
            smp.STAT_LIST: lambda _: {"stat_list": list(self._machine.counters())},
        }

    def _tasks(self, ask: Ask) -> Mapping[str, Any]:
        none = dict.fromkeys(("prio", "stkuse", "stksiz", "cswcnt", "last_checkin", "next_checkin"), 0)
        runtime = max(0, int((ask.now - self._machine.booted) * 1000))
        return {"tasks": {"main": {**none, "tid": 1, "state": 1, "runtime": runtime}}}

    def _pools(self, _ask: Ask) -> Mapping[str, Any]:
        return {"smp": {"blksiz": self._machine.buffer_bytes, "nblks": 1, "nfree": 1, "min": 0}}

    def _set_datetime(self, ask: Ask) -> Mapping[str, Any]:
        if not self._machine.test_build:
            raise RequestError(Rc.EACCESSDENIED)
        try:
            given = dt.datetime.fromisoformat(ask.body["datetime"])
        except ValueError:
            raise RequestError(Rc.EINVAL) from None
        seconds = (given if given.tzinfo else given.replace(tzinfo=dt.UTC)).timestamp()
        if not 0 <= seconds < YEAR_10000:
            raise RequestError(Rc.EINVAL)
        self._machine.set_clock(seconds)
        return {}

    def _info(self, ask: Ask) -> Mapping[str, Any]:
        wanted = set(ask.body.get("format") or "s")
        profile = self._machine.flash.profile
        version = self._machine.version(self._machine.flash.running or 0)
        values = (
            "Tocsin",
            profile.id,
            version,
            version,
            "unknown",
            "python",
            "python",
            "simulator",
            "Tocsin",
        )
        if not wanted <= {*_FORMATS, "a"}:
            raise RequestError(Rc.EINVAL)
        chosen = [v for letter, v in zip(_FORMATS, values, strict=True) if letter in wanted or "a" in wanted]
        return {"output": " ".join(chosen)}

    def _bootloader(self, ask: Ask) -> Mapping[str, Any]:
        query = ask.body.get("query")
        if query not in {None, "mode"}:
            raise RequestError(Rc.ENOENT)
        return {"mode": DIRECT_XIP_WITH_REVERT} if query else {"bootloader": BOOTLOADER}

    def _show(self, ask: Ask) -> Mapping[str, Any]:
        name = ask.body["name"]
        fields = self._machine.counters().get(name)
        if fields is None:
            raise RequestError(Rc.ENOENT)
        return {"name": name, "fields": dict(fields)}


def _written(utc: float) -> str:
    """Write a time as MCUmgr does: no zone, milliseconds."""
    moment = dt.datetime.fromtimestamp(min(utc, YEAR_10000 - 1), tz=dt.UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
