"""Carries a patch out: from a manifest that fits to a confirmed boot, or back.

One room for the deciding side (:mod:`device_sim.core.patches`) to speak to; bringing payloads and booting
what they became are the business of ``download`` and ``install``.
"""

from __future__ import annotations

from advisories.limits import IMAGE_BYTES_MAX
from advisories.states import PatchState
from advisories.suit import UPDATE, Device, Fetch, Patch, judge_sequence
from device_sim.core.download import Download
from device_sim.core.install import Installer
from device_sim.core.measure import Measurement
from device_sim.core.patchbook import PatchBook
from device_sim.core.reporter import Reporter
from device_sim.core.state import PatchFacts, PatchTrack
from keys.errors import RefusedError
from keys.reasons import Reason

_P = PatchState


class Carrier:
    """Works on the active patch of the book."""

    def __init__(self, book: PatchBook, reporter: Reporter) -> None:
        self._book = book
        self._session = book.session
        self._download = Download(book, reporter)
        self._installer = Installer(book, self._download)

    def judge(self, track: PatchTrack, patch: Patch) -> PatchFacts:
        """Compare a genuine patch with this device.

        Raises:
            RefusedError: with the reason why it does not fit; WRONG_MODEL where it is for others.
        """
        session, profile = self._session, self._session.profile
        if patch.sequence != track.sequence:
            raise RefusedError(Reason.MALFORMED, f"sequence {patch.sequence}, offered {track.sequence}")
        device = Device(profile.vendor_id, profile.class_id, slot=1 - session.slot)
        fetch = next(step for step in patch.run(UPDATE, device) if isinstance(step, Fetch))
        floor = session.state.patch_floor
        judge_sequence(floor if floor[1] else None, patch.sequence, patch.digest)
        assert fetch.digest is not None
        assert fetch.size is not None
        room = min(profile.slot_bytes, IMAGE_BYTES_MAX)
        if fetch.size > room:
            raise RefusedError(Reason.NO_SPACE, f"{fetch.size} bytes, at most {room}")
        return PatchFacts(
            image_digest=fetch.digest, image_size=fetch.size, version=patch.version, signed=patch.signed
        )

    def begin(self, track: PatchTrack) -> None:
        """Start to bring a patch that has just become DOWNLOADING."""
        self._download.begin(track)

    def step(self, track: PatchTrack) -> None:
        """Go on with a patch from DOWNLOADING on; a VERIFIED one waits for the deciding side."""
        assert track.facts is not None
        if track.state is _P.DOWNLOADING:
            if self._download.step(track, track.facts):
                self._book.move(track, _P.DOWNLOADED)
        else:
            self._installer.measure(track, track.facts)

    def block(self, payload: bytes) -> None:
        """Take a block of a payload.

        Raises:
            RefusedError: TOO_BIG or MALFORMED.
        """
        track = self._book.active
        if track is not None and track.state is _P.DOWNLOADING and track.facts is not None:
            self._download.block(payload, track, track.facts)

    def fetched(self, uri: str, offset: int, data: bytes) -> None:
        """Take a piece of what a Fetch brought."""

    def fetch_ended(self, uri: str, reason: Reason) -> None:
        """Take the end of a Fetch: OK, or why it broke off."""

    def measured(self, slot: int, found: Measurement, component: int) -> None:
        """Take what a slot was found to hold."""
        del component
        self._installer.measured(slot, found)

    def applied(self, reason: Reason) -> None:
        """Take the answer to an ApplyDelta."""

    def installer_answered(self, verb: str, reason: Reason) -> None:
        """Take the answer to a RunInstaller."""

    def tested(self, *, ok: bool) -> bool:
        """Take the self-test's result; True when another version is now installed for good."""
        return self._installer.tested(ok=ok)

    def booted(self) -> bool:
        """Resume after a restart; True while a new image is on trial."""
        return self._installer.booted()

    def connected(self) -> None:
        """The link is up: whatever was asked before may be lost."""
        self._download.restart()

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        self._download.clock_back(seconds)

    def ended(self, track: PatchTrack) -> None:
        """A patch under way was stopped by the deciding side: let go of what it holds."""

    def reset(self) -> None:
        """The device was reset to what it was made as."""
