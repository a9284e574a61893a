"""What a test asks of a world."""

from __future__ import annotations

from typing import Any

from advisories.report import JournalEntry, Track
from advisories.states import (
    NOTICE_RESETS,
    NOTICE_TRANSITIONS,
    PATCH_TRANSITIONS,
    NoticeState,
    PatchState,
)
from device_sim.core.agent import Agent
from keys.reasons import Reason


class Asked:
    """Questions to the device, and to the journal that the gateway has seen of it."""

    agent: Agent
    journal: dict[int, JournalEntry]

    def notice_track(self, advisory: str = "EX-2026-0001") -> Any:
        return next(track for track in self.agent.notices if track.id == advisory)

    def patch_track(self, patch: bytes) -> Any:
        return next(track for track in self.agent.patches if track.digest == patch)

    def entries(self) -> list[JournalEntry]:
        """Everything journaled so far, as far as the gateway or the device still has it."""
        own = {entry.index: entry for entry in self.agent._session.state.journal}
        return [entry for _, entry in sorted({**self.journal, **own}.items())]

    def refusals(self) -> list[tuple[str, Reason]]:
        rejected = (Track.NOTICE, NoticeState.REJECTED)
        return [
            (entry.name, entry.reason)
            for entry in self.entries()
            if entry.track is Track.REFUSAL or (entry.track, entry.new) == rejected
        ]

    def path(self, name: str) -> list[Any]:
        """The states that one track went through."""
        found: list[Any] = []
        for entry in self.entries():
            if entry.name == name and entry.track is Track.NOTICE and entry.new != NoticeState.REJECTED:
                old, new = NoticeState(entry.old), NoticeState(entry.new)
                is_reset = entry.reason is Reason.RESET and NOTICE_RESETS.get(old) is new
                assert is_reset or new in NOTICE_TRANSITIONS[old]
                found.append(NoticeState(entry.new))
            if entry.name == name and entry.track is Track.PATCH:
                assert PatchState(entry.new) in PATCH_TRANSITIONS[PatchState(entry.old)]
                found.append(PatchState(entry.new))
        return found
