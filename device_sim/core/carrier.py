"""Carries a patch out: from a manifest that fits to a confirmed boot, or back.

One room for the deciding side (:mod:`device_sim.core.patches`) to speak to. Beside it: ``plan`` says what the
manifest asks, ``execution`` does it, ``download`` brings payloads, ``survey`` reads banks back, and
``install`` or ``handover`` boots what came of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from advisories.states import PATCH_ENDED, PatchState
from advisories.suit import BOOT, UPDATE, Patch, judge_sequence, open_envelope
from advisories.suit.operations import ON_MAINS
from advisories.suit.report import make_report
from advisories.versions import format_version
from device_sim.core import plan
from device_sim.core.download import Download
from device_sim.core.execution import Execution
from device_sim.core.handover import Handover
from device_sim.core.install import Installer, failed
from device_sim.core.measure import Measurement
from device_sim.core.patchbook import PatchBook
from device_sim.core.profile import Platform
from device_sim.core.reporter import Reporter
from device_sim.core.state import PatchFacts, PatchTrack
from device_sim.core.survey import Found, Survey
from keys.errors import RefusedError
from keys.reasons import Reason

_P = PatchState
_BROUGHT: Final = frozenset({_P.DOWNLOADING, _P.DOWNLOADED})
_FAILED: Final = frozenset({_P.FAILED, _P.REJECTED})


class Carrier:
    """Works on the active patch of the book."""

    __slots__ = (
        "_book",
        "_download",
        "_execution",
        "_handover",
        "_hands_over",
        "_installer",
        "_patch",
        "_session",
        "_survey",
    )

    def __init__(self, book: PatchBook, reporter: Reporter) -> None:
        self._book = book
        self._session = book.session
        self._download = Download(book, reporter)
        self._execution = Execution(book, self._download)
        self._survey = Survey(self._session)
        self._hands_over = self._session.profile.platform is Platform.INSTALLER
        self._installer = Installer(book, self._survey)
        self._handover = Handover(book)
        self._patch: Patch | None = None
        """The patch under way, opened; None: not in this boot."""

    # For the deciding side.

    def judge(self, track: PatchTrack, patch: Patch) -> PatchFacts:
        """Compare a genuine patch with this device.

        Raises:
            RefusedError: with the reason why it does not fit; WRONG_MODEL where it is for others.
        """
        session = self._session
        if patch.sequence != track.sequence:
            raise RefusedError(Reason.MALFORMED, f"sequence {patch.sequence}, offered {track.sequence}")
        # A charge in percent says nothing of the draft's mWh; the owner's limit is a gate of its own.
        around = session.conditions
        battery = ON_MAINS if around is None or around.battery is None else None
        device = plan.facts(session, 1 - session.slot, session.time, battery)
        planned, outcomes = plan.judge(session, patch, device)
        floor = session.state.patch_floor
        judge_sequence(floor if floor[1] else None, patch.sequence, patch.digest)
        boots = plan.banks(session.profile, planned, outcomes)[0]
        if boots.component or (self._hands_over and patch.version is None):
            raise RefusedError(
                Reason.UNSUPPORTED, "an installer is given a version by which its success is told"
            )
        self._patch = patch
        return PatchFacts(
            image_digest=boots.digest if boots.digest is not None else session.image or bytes(32),
            image_size=boots.size or 0,
            version=patch.version if boots.digest is not None else None,
            signed=patch.signed,
        )

    def begin(self, track: PatchTrack) -> None:
        """Start to bring a patch that has just become DOWNLOADING."""
        self._execution.begin(track)

    def step(self, track: PatchTrack) -> None:
        """Go on with a patch from DOWNLOADING on; a VERIFIED one waits for the deciding side."""
        if track.state is _P.TESTING:
            (self._handover if self._hands_over else self._installer).step(track)
            return
        patch = self._opened(track)
        if patch is None:
            return
        if track.state in _BROUGHT:
            self._bring(track, patch)
        else:
            self._install(track, patch)
        self._told(track, patch)

    def ended(self, track: PatchTrack) -> None:
        """A patch under way was stopped by the deciding side: let go of what it holds."""
        del track
        self._let_go()

    def reset(self) -> None:
        """The device was reset to what it was made as: nothing of this side belongs to its owner."""

    def booted(self) -> bool:
        """Resume after a restart; True while a new image is on trial."""
        track = self._book.active
        on_trial = (self._handover if self._hands_over else self._installer).booted()
        if track is not None:
            self._rolled_back(track)
        return on_trial

    def connected(self) -> None:
        """The link is up: whatever was asked before may be lost."""
        self._download.reconnected()

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        self._download.clock_back(seconds)
        self._handover.clock_back(seconds)
        track = self._book.active
        if track is not None and track.retry_at is not None:
            self._book.put(replace(track, retry_at=max(0, track.retry_at - int(seconds))))

    # For the shell.

    def block(self, payload: bytes) -> None:
        """Take a block of a payload.

        Raises:
            RefusedError: TOO_BIG or MALFORMED.
        """
        track = self._book.active
        if track is not None and track.state is _P.DOWNLOADING:
            self._download.block(payload, track)

    def fetched(self, uri: str, offset: int, data: bytes) -> None:
        """Take a piece of what a Fetch brought."""
        track = self._book.active
        if track is not None and track.state is _P.DOWNLOADING:
            self._download.fetched(uri, offset, data, track)

    def fetch_ended(self, uri: str, reason: Reason) -> None:
        """Take the end of a Fetch: OK, or why it broke off."""
        self._download.fetch_ended(uri, reason)

    def measured(self, slot: int, found: Measurement, component: int) -> None:
        """Take what a slot was found to hold; nobody asked: nothing happens."""
        track = self._book.active
        if track is None:
            return
        if self._execution.measured(slot, component, found, track):
            return
        if not self._survey.measured(slot, component, found):
            self._download.measured(slot, component, found, track)

    def applied(self, reason: Reason) -> None:
        """Take the answer to an ApplyDelta."""
        track = self._book.active
        if track is not None:
            self._execution.applied(reason, track)

    def installer_answered(self, verb: str, reason: Reason) -> bool:
        """Take the answer to a RunInstaller; True when another version is now installed for good."""
        return self._handover.answered(verb, reason)

    def tested(self, *, ok: bool) -> bool:
        """Take the self-test's result; True when another version is now installed for good."""
        if self._hands_over:
            self._handover.tested(ok=ok)
            return False
        return self._installer.tested(ok=ok)

    # One step a state.

    def _opened(self, track: PatchTrack) -> Patch | None:
        """Return the patch; after a restart it is verified anew, against the root of now."""
        if self._patch is not None and self._patch.digest == track.digest:
            return self._patch
        try:
            self._patch = self._open(track)
        except RefusedError as error:
            self._session.log(error.reason, error.message)
            if track.state in _BROUGHT:
                self._book.move(track, _P.REJECTED, error.reason)
            else:
                failed(self._book, track, error.reason)
            self._let_go()
            return None
        return self._patch

    def _open(self, track: PatchTrack) -> Patch:
        session = self._session
        root, product = session.state.trusted.root, session.profile.product
        envelope = session.state.envelope or b""
        patch = open_envelope(envelope, root, product=product, algorithms=session.algorithms)
        if patch.digest != track.digest:
            raise RefusedError(Reason.DIGEST_MISMATCH, "not the patch that was offered")
        return patch

    def _bring(self, track: PatchTrack, patch: Patch) -> None:
        """Carry out operations until one has to be waited for, or all of them have been."""
        now: PatchTrack | None = track
        while now is not None and now.state in _BROUGHT:
            before = now
            if now.state is _P.DOWNLOADED and self._execution.is_done(now, patch):
                self._verify(now, patch)
                return
            self._execution.step(now, patch)
            now = self._book.active
            if now == before:
                return

    def _verify(self, track: PatchTrack, patch: Patch) -> None:
        """Look at what lies in the banks, and make them whole."""
        banks = self._banks(track, patch)
        known = self._execution.found
        rest = tuple(bank for bank in banks if bank.component not in known or bank.digest is None)
        slot, _ = plan.bank(self._session, 0)
        found = self._survey.step(("verify", track.begun, track.digest), slot, rest, repairs=True)
        if found is None:
            return
        self._survey.forget()
        if isinstance(found, Reason):
            self._execution.again(track, found)
        elif self._hands_over:
            self._book.move(track, _P.VERIFIED)
        else:
            self._judge_image(track, {**known, **found}, brought=banks[0].digest is not None)

    def _judge_image(self, track: PatchTrack, found: Found, *, brought: bool) -> None:
        """Decide whether what would boot is the promised image."""
        book, facts, state = self._book, track.facts, self._session.state
        assert facts is not None
        image = found[0].image
        if image is None:
            book.move(track, _P.REJECTED, found[0].reason)
            return
        counter = image.security_counter or 0
        if facts.version is not None and image.version != facts.version:
            self._session.log(Reason.WRONG_VERSION, f"the image says {format_version(image.version)}")
            book.move(track, _P.REJECTED, Reason.WRONG_VERSION)
        elif counter < state.security_counter:
            book.move(track, _P.REJECTED, Reason.DOWNGRADE_REFUSED)
        else:
            # Where the manifest states no version, the header of the image does, now that it is verified.
            promised = replace(facts, version=image.version) if brought else facts
            book.move(replace(track, facts=promised, counter=counter), _P.VERIFIED)

    def _install(self, track: PatchTrack, patch: Patch) -> None:
        """Look at everything once more, the clock too, before anything is booted."""
        slot, _ = plan.bank(self._session, 0)
        try:
            banks = self._banks(track, patch)
            now = plan.facts(self._session, track.slot, self._session.time)
            plan.operations(patch, now, track.outcomes or ())
        except RefusedError as error:
            failed(self._book, track, error.reason)
            return
        found = self._survey.step(("install", track.begun, track.digest), slot, banks)
        if found is not None:
            if not isinstance(found, Reason) and track.suit is None:
                track = self._book.put(replace(track, suit=self._suit(track, patch)))
            (self._handover if self._hands_over else self._installer).install(track, found)
        self._handover.step(track)

    def _banks(self, track: PatchTrack, patch: Patch) -> tuple[plan.Bank, ...]:
        planned = self._execution.operations(track, patch)
        return plan.banks(self._session.profile, planned, track.outcomes or ())

    # How it ended.

    def _told(self, before: PatchTrack, patch: Patch) -> None:
        """Report a procedure that came to a bad end in this step."""
        track = self._session.state.patches.get(before.digest)
        if track is not None and track.state in _FAILED:
            self._book.put(replace(track, suit=self._suit(track, patch)))
        if track is None or track.state in PATCH_ENDED:
            self._let_go()

    def _rolled_back(self, before: PatchTrack) -> None:
        """Report a boot that came to a bad end."""
        track = self._session.state.patches[before.digest]
        if track.state is not _P.ROLLED_BACK:
            return
        device = plan.facts(self._session, track.slot, track.begun or 0)
        try:
            suit = make_report(self._open(track), BOOT, device, failed=track.reason)
        except RefusedError:
            suit = None
        self._book.put(replace(track, suit=suit))

    def _suit(self, track: PatchTrack, patch: Patch) -> bytes | None:
        device = plan.facts(self._session, track.slot, track.begun or 0)
        why = track.reason if track.state in _FAILED and all(track.outcomes or ()) else None
        try:
            found = self._execution.refused
            return make_report(patch, UPDATE, device, track.outcomes or (), failed=why, found=found)
        except RefusedError:
            return None

    def _let_go(self) -> None:
        self._execution.forget()
        self._survey.forget()
        self._patch = None
