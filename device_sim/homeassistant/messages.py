"""What a device says to Home Assistant once it has been found: how it is, and what has just happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from advisories.languages import on_calendar
from advisories.states import PATCH_ENDED, NoticeState, PatchState
from device_sim.core.status import NoticeView, PatchView, Status
from device_sim.homeassistant.wording import short, title

CLEAR: Final = "clear"
"""State of the notice sensor while no notice stands."""
_N, _P = NoticeState, PatchState
_OFFERED: Final = frozenset(PatchState) - {_P.QUEUED, _P.NOT_APPLICABLE, _P.REJECTED, _P.ALREADY_INSTALLED}
_ENDS: Final = {
    _P.SUCCEEDED: "patch_installed",
    _P.ROLLED_BACK: "patch_failed",
    _P.FAILED: "patch_failed",
    _P.TIMED_OUT: "patch_failed",
    _P.REJECTED: "patch_refused",
    _P.DECLINED: "patch_declined",
    _P.CANCELED: "patch_canceled",
    _P.SUPERSEDED: "patch_canceled",
}
EVENTS: Final = (
    "notice_shown",
    "notice_acknowledged",
    "notice_withdrawn",
    "notice_ended",
    "patch_offered",
    "patch_asked",
    *dict.fromkeys(_ENDS.values()),
)
"""Types of events, for the life of a device in the home."""


def encoded(value: dict[str, Any]) -> bytes:
    """Return JSON, the same bytes for the same value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def versions(status: Status) -> bytes:
    """Return the state of the update entity."""
    view = status.patch
    latest = view.version if view is not None and view.wanted else None
    under_way = view is not None and view.under_way
    found: dict[str, Any] = {
        "in_progress": under_way,
        "update_percentage": view.percent if view is not None and under_way else None,
    }
    if status.installed is not None:
        found |= {"installed_version": status.installed, "latest_version": latest or status.installed}
    return encoded(found)


def patch(status: Status) -> bytes:
    """Return what else there is to say of the patch, such as what holds it up; empty without one."""
    view = status.patch
    return encoded({f"patch_{key}": value for key, value in _patch_facts(view).items()} if view else {})


def notice(status: Status) -> bytes:
    """Return state and attributes of the notice sensor: how bad it is, and the notice to read next."""
    severity, view = status.severity, status.foremost
    found: dict[str, Any] = {
        "state": severity.name.lower() if severity is not None else CLEAR,
        "open_notices": sum(one.is_open for one in status.notices),
    }
    return encoded(found | (_facts(view) if view is not None else {}))


def events(before: Status | None, after: Status, since: int) -> list[bytes]:
    """Return what happened between two moments, in the order in which an owner would tell it.

    Args:
        before: how it was; None at the start.
        after: how it is.
        since: UTC seconds when watching began: what changed later is told even where ``before`` is None.
    """
    found = [*_notice_events(before, after, since), *_patch_events(before, after, since)]
    return [encoded(event) for event in found]


def _facts(view: NoticeView) -> dict[str, Any]:
    header, text = view.notice, view.text
    found: dict[str, Any] = {
        "id": header.id,
        "revision": header.revision,
        "check_code": view.check_code,
        "confirmed_current": view.confirmed,
        "severity": header.severity.name.lower(),
        "action": header.action.name.lower(),
        "phase": header.phase.name.lower(),
        "exercise": header.exercise,
        "acknowledged": view.state is _N.ACKNOWLEDGED,
        "next_update": on_calendar(header.next_update).isoformat()
        if header.next_update is not None
        else None,
    }
    if text is not None:
        found |= {
            "language": text.language,
            "title": short(title(view)),
            "what_to_do": short(text.action),
            "what_happened": short(text.happened),
            "what_is_affected": short(text.affected),
            "what_we_are_doing": short(text.doing),
            "contact": short(text.contact),
        }
    return found


def _notice_events(before: Status | None, after: Status, since: int) -> Iterator[dict[str, Any]]:
    for view in after.notices:
        if before is None and view.time < since:
            continue
        was = _known(before.find(view.notice.id), view) if before is not None else None
        if view.state is _N.WITHDRAWN:
            steps = ["notice_withdrawn"] if was is not _N.WITHDRAWN else []
        else:
            steps = ["notice_shown"] if was is None else []
            steps += ["notice_acknowledged"] if view.state is _N.ACKNOWLEDGED is not was else []
        for step in steps:
            yield {"event_type": step, **_facts(view)}
    for view in before.notices if before is not None else ():
        if view.state is not _N.WITHDRAWN and after.find(view.notice.id) is None:
            yield {"event_type": "notice_ended", **_facts(view)}


def _known(earlier: NoticeView | None, view: NoticeView) -> NoticeState | None:
    """Return how far the owner was with these very words; a revision may only add languages."""
    if earlier is None:
        return None
    same = earlier.text == view.text and view.notice.tells_as(earlier.notice, ())
    return earlier.state if same or earlier.digest == view.digest else None


def _patch_events(before: Status | None, after: Status, since: int) -> Iterator[dict[str, Any]]:
    view, asked = after.patch, after.question
    if view is not None and (before is not None or view.time >= since):
        old = before.patch if before is not None else None
        was = old.state if old is not None and old.digest == view.digest else None
        for step in _steps(was, view.state):
            yield {"event_type": step, **_patch_facts(view)}
    earlier = before.question if before is not None else None
    if asked is not None and (earlier is None or earlier.question != asked.question):
        yield {"event_type": "patch_asked", "version": asked.version, "final": asked.final}


def _steps(was: PatchState | None, now: PatchState) -> Iterator[str]:
    again = was in PATCH_ENDED and now not in PATCH_ENDED
    if (was is None or again) and now in _OFFERED:
        yield "patch_offered"
    if now is not was and now in _ENDS:
        yield _ENDS[now]


def _patch_facts(view: PatchView) -> dict[str, Any]:
    return {
        "version": view.version,
        "state": view.state.name.lower(),
        "reason": view.reason.name.lower(),
        "notice": view.mends,
    }
