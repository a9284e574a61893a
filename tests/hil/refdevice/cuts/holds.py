"""What must hold behind a cut, beyond what a sweep asks of every board: pure functions over what it said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisories.report import Report
from advisories.states import NOTICE_TRANSITIONS, PATCH_TRANSITIONS, NoticeState, PatchState
from hil.sweep.invariants import State

BACK = {NoticeState: NoticeState.VERIFIED, PatchState: PatchState.OFFERED}
"""Where another image or a new offer leads back to: no flow goes on to an end and back between two reports."""


def place(before: State, behind: State, after: State) -> str:
    """Say whether a state is that before a step, that behind it, or one between."""
    found = ending(after)
    for name, state in (("before", before), ("after", behind)):
        if ending(state) == found:
            return name
    return "between"


def ending(state: State) -> dict[str, Any]:
    """Return what a flow comes to: all but what each boot and each attempt count anew."""
    device, screen = state.device, state.screen
    if device is None:
        return {}
    if screen is not None and not screen.asks and _acknowledged(device.notices, screen.id):
        screen = None  # it need not be shown again
    floors = {name: value for name, value in device.floors.items() if name != "answer"}
    return {
        "installed": device.installed,
        "pending": device.pending,
        "root": device.root,
        "kids": sorted(device.kids),
        "floors": floors,
        "notices": [{**track, "time": 0} for track in device.notices],
        "patches": [{**track, "time": 0} for track in device.patches],
        "screen": screen,
        "slots": [(slot.version, slot.hash, slot.confirmed) for slot in state.slots or () if slot.active],
    }


def _acknowledged(notices: Sequence[Mapping[str, Any]], name: str | None) -> bool:
    return any(one["id"] == name and one["state"] == NoticeState.ACKNOWLEDGED for one in notices)


def invariants(before: State, behind: State, after: State, newest: Report | None) -> dict[str, str]:
    """Hold a state behind a cut to more than any board is held to by a sweep."""
    checks = {
        "runs": _runs(before, behind, after),
        "reported": _reported(after, newest),
        "shown": _shown(before, behind, after),
    }
    return {name: why for name, why in checks.items() if why}


def _runs(before: State, behind: State, after: State) -> str:
    assert before.device is not None
    assert behind.device is not None
    assert after.device is not None
    active = [slot for slot in after.slots or () if slot.active]
    lawful = {before.device.installed, behind.device.installed}
    if after.device.installed not in lawful:
        return f"{after.device.installed} runs, neither of {sorted(lawful)}"
    if [slot.version for slot in active] != [after.device.installed] and after.device.installed != "0.0.0":
        return f"the slot that runs says {[slot.version for slot in active]}, the device {after.device.installed}"
    return ""


def _reported(after: State, newest: Report | None) -> str:
    """What a report has told is still so, or has gone on by lawful steps."""
    assert after.device is not None
    if newest is None:
        return ""
    notices = {track["id"]: track for track in after.device.notices}
    for notice in newest.notices:
        track = notices.get(notice.id)
        if track is None:
            return f"{notice.id} was reported as {notice.state.name}, and is forgotten"
        now = NoticeState(track["state"])
        newer = track["revision"] > notice.revision
        if track["revision"] < notice.revision or not (
            newer or now in _reach(NOTICE_TRANSITIONS, notice.state)
        ):
            return f"{notice.id} was reported as {notice.state.name}, and is {now.name}"
    for patch in newest.patches:
        states = [
            PatchState(t["state"]) for t in after.device.patches if patch.digest.startswith(t["digest"])
        ]
        if not states:
            return f"a patch was reported as {patch.state.name}, and is forgotten"
        if states[0] not in _reach(PATCH_TRANSITIONS, patch.state):
            return f"a patch was reported as {patch.state.name}, and is {states[0].name}"
    return ""


def _reach(table: Mapping[Any, frozenset[Any]], state: Any) -> set[Any]:
    """Return what lies ahead of a state; what leads back on the way is no way on, but from the state itself."""
    found, new = set(), {state, *table.get(state, ())}
    while new:
        found |= new
        new = {one for state in new for one in table.get(state, ()) if one is not BACK[type(one)]} - found
    return found


def _shown(before: State, behind: State, after: State) -> str:
    """What was shown, and would be shown behind the step, is shown again, but where it was acknowledged."""
    shown = [ending(state)["screen"] for state in (before, behind)]
    names = [(screen.id, screen.revision) if screen else (None, None) for screen in shown]
    if names[0] != names[1] or names[0][0] is None:
        return ""
    now = (after.screen.id, after.screen.revision) if after.screen else (None, None)
    return "" if now == names[0] else f"{names[0][0]} was shown and is not shown again, but {now[0]}"
