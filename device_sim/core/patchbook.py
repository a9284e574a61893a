"""The patch tracks of one device, and the only way to change one: a transition of the table."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from advisories.report import Track
from advisories.states import PATCH_ENDED, PATCH_TRANSITIONS, PatchState
from device_sim.core import limits
from device_sim.core.session import Session
from device_sim.core.state import PatchTrack
from keys.reasons import Reason

_P = PatchState
NO_RETURN: Final = frozenset(
    {_P.INSTALLING, _P.INSTALLED, _P.CANCEL_REJECTED, _P.REBOOTING, _P.TESTING, _P.CANCELING}
)
"""From here on the new image boots, or is reverted, before anything else happens."""


class PatchBook:
    """Shared by the rooms that move a patch on."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def active(self) -> PatchTrack | None:
        """The one patch under way."""
        tracks = self.session.state.patches.values()
        return next((track for track in tracks if track.state not in PATCH_ENDED), None)

    def move(self, track: PatchTrack, state: PatchState, reason: Reason = Reason.OK) -> PatchTrack:
        """Make one transition, journaled."""
        assert state in PATCH_TRANSITIONS[track.state], f"{track.state.name} -> {state.name}"
        session = self.session
        session.record(Track.PATCH, track.name, reason, old=track.state, new=state, digest=track.digest)
        session.log(reason, f"patch {track.sequence}: {state.name}")
        return self.put(replace(track, state=state, time=session.warning_time, reason=reason))

    def put(self, track: PatchTrack) -> PatchTrack:
        """Store a change that is no transition."""
        patches = self.session.state.patches
        patches.pop(track.digest, None)
        while len(patches) >= limits.PATCH_TRACKS_MAX:
            ended = [old.digest for old in patches.values() if old.state in PATCH_ENDED]
            del patches[ended[0]]
        patches[track.digest] = track
        self.session.touch()
        return track
