"""Statuses to announce, made by hand."""

from dataclasses import replace
from typing import Any

from advisories.notice import Notice
from advisories.states import NoticeState, PatchState
from device_sim.core.effects import AskConsent
from device_sim.core.status import NoticeView, PatchView, Status
from keys.reasons import Reason
from tests.helpers import make_fleet, notice, text

FLEET = make_fleet()
QUESTION = bytes(range(32))
QUIET = Status(
    product="thermostat",
    installed="1.4.0",
    current=True,
    notices=(),
    patch=None,
    question=None,
    patches=True,
)
"""A device about which there is nothing to say."""


def view(state: NoticeState = NoticeState.SHOWN, *, words: Any = None, **fields: Any) -> NoticeView:
    """A notice in English as the owner sees it."""
    header: Notice = notice(FLEET, **fields)
    return NoticeView(
        notice=header,
        text=text("en", **(words or {})),
        digest=bytes([header.revision]) * 32,
        state=state,
        confirmed=True,
        time=FLEET.now,
    )


def patch(state: PatchState = PatchState.WAITING_FOR_CONFIRMATION, **fields: Any) -> PatchView:
    base: dict[str, Any] = {
        "digest": b"p" * 32,
        "reason": Reason.OK,
        "version": "1.4.2",
        "percent": None,
        "time": FLEET.now,
        "mends": "EX-2026-0001",
    }
    return PatchView(state=state, **{**base, **fields})


def asking(**fields: Any) -> AskConsent:
    base: dict[str, Any] = {"notice": None, "final": False, "question": QUESTION, "text": "", "left": 3}
    return AskConsent("1.4.2", **{**base, **fields})


ASKED = replace(QUIET, notices=(view(),), patch=patch(), question=asking())
"""A device that warns, and asks whether to install."""
