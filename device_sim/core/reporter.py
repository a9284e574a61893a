"""Tells the gateway: the present states and the journal, again and again until a receipt comes."""

from __future__ import annotations

from advisories import limits as wire
from advisories.offer import Answer
from advisories.report import JournalEntry, NoticeStatus, PatchStatus, Report, fitted, seal_report
from advisories.states import NOTICE_DONE, PATCH_ENDED, NoticeState, PatchState, Surface
from device_sim.core import effects as do
from device_sim.core import limits
from device_sim.core.session import Session
from device_sim.core.state import NoticeTrack, PatchTrack
from keys.document import open_document
from keys.errors import RefusedError
from keys.reasons import Reason

_SEEN_STATES = frozenset({NoticeState.SHOWN, NoticeState.ACKNOWLEDGED})


class Reporter:
    """Builds, sends and repeats reports; takes receipts."""

    __slots__ = (
        "_asked",
        "_last",
        "_pause",
        "_pending",
        "_reports",
        "_sequence",
        "_session",
        "_wait",
        "_wants",
    )

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sequence = 0
        self._pending = False
        """A report was sent and no receipt has covered it."""
        self._last = float("-inf")
        self._pause = limits.RECEIPT_SECONDS_MIN
        self._wait = 0.0
        self._reports: tuple[bytes, ...] = ()
        self._wants: tuple[bytes, ...] = ()
        self._asked: bytes | None = None

    def want_nonce(self) -> bytes:
        """Return a nonce for a want, and remember it."""
        self._wants = (*self._wants, self._session.random(16))[-limits.NONCES_MAX :]
        return self._wants[-1]

    def connected(self) -> None:
        """Report at once: whatever was sent before may be lost."""
        self._session.news = True
        self._last = float("-inf")
        self._pause = limits.RECEIPT_SECONDS_MIN

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        self._last -= seconds

    def answer(self, payload: bytes) -> None:
        """Take a receipt; one that answers nothing asked since the last boot is only late, and left aside.

        Raises:
            RefusedError: not genuine, or not for this device.
        """
        session, state = self._session, self._session.state
        known = state.trusted.time_floor
        body = self._open(payload)
        if state.trusted.time_floor > known:
            session.touch()  # signed time outlives a restart; the same answer again wears no flash
        if body.nonce not in self._reports and body.nonce not in self._wants:
            session.emit(do.Log(Reason.WRONG_NONCE, "an answer to none of the last nonces"))
            return
        self._asked = body.next_nonce
        kept = [entry for entry in state.journal if entry.index >= body.journal_count]
        trimmed = len(kept) != len(state.journal)
        if trimmed:
            state.journal = kept
            session.touch()
        if body.receipt is not None and body.receipt >= (state.boot_epoch, self._sequence):
            self._pending = False
            self._pause = limits.RECEIPT_SECONDS_MIN
            # The next entries follow at once, but only to a gateway that took some: one restored from an
            # older copy would be asked in a circle, as fast as it answers.
            if kept and trimmed:
                session.news = True

    def _open(self, payload: bytes) -> Answer:
        session, trusted = self._session, self._session.state.trusted
        device, product = session.profile.id, session.profile.product
        try:
            return trusted.accept(
                payload, Answer, name=device, subject=device, product=product, now=int(session.now)
            ).body
        except RefusedError as error:
            if error.reason not in {Reason.REPLAYED, Reason.EQUIVOCATION}:
                raise
            # A gateway that was restarted may count from its clock again. That an answer is fresh is
            # told by its nonce, not by its version.
            return open_document(
                payload,
                Answer,
                trusted.root,
                fleet=trusted.fleet,
                subject=device,
                product=product,
                algorithms=session.algorithms,
            ).body

    def step(self) -> None:
        """Send what is due."""
        session = self._session
        if not session.connected or not (session.news or self._pending):
            return
        # One report at a time: what changes meanwhile goes into the next one, so that a slow gateway is
        # not flooded, and its answer still finds the nonce that it names.
        due = self._last + (self._wait if self._pending else limits.REPORT_SECONDS_MIN)
        if session.now < due:
            session.wake(due)
            return
        if self._pending:
            self._pause = min(self._pause * 2, limits.RECEIPT_SECONDS_MAX)
        self._send()
        session.wake(self._last + self._wait)

    def _send(self) -> None:
        session = self._session
        session.news = False
        self._pending = True
        self._last = session.now
        self._wait = self._pause * (0.75 + session.random(1)[0] / 512)
        self._sequence += 1
        self._reports = (*self._reports, session.random(16))[-limits.NONCES_MAX :]
        data = seal_report(self.build(), session.signer)
        session.emit(do.Publish(session.topics.device(session.profile.id, "report"), data))

    def build(self) -> Report:
        """Return the report of this moment."""
        session, state, profile = self._session, self._session.state, self._session.profile
        notices, patches = _statuses(session)
        catalogue = state.trusted.floor("catalogue", profile.product) if state.catalogue_body else None
        report = Report(
            type=Report.TYPE,
            fleet=state.trusted.fleet,
            subject=(profile.id,),
            version=self._sequence,
            issued=session.time,
            product=profile.product,
            installed=session.installed,
            boot_epoch=state.boot_epoch,
            root_version=state.trusted.root.version,
            catalogue=catalogue.digest if catalogue else None,
            nonce=self._reports[-1] if self._reports else bytes(16),
            asked=self._asked,
            notices=notices,
            patches=patches,
            journal_count=state.journal_count,
            journal_head=state.journal_head,
            journal=_first_run(state.journal),
            language=profile.languages[0],
            algorithms=tuple(sorted(session.algorithms)),
            audit_head=_audit_head(session),
        )
        return fitted(report, session.signer.public.algorithm)


def _audit_head(session: Session) -> bytes | None:
    """Return the gateway's audit head that the newest timestamp names, also when its time is over.

    One that the present root no longer stands behind vouches for nothing.
    """
    state = session.state
    stamp = state.timestamp
    if stamp is None or state.trusted.floor("timestamp", session.profile.product) is None:
        return None
    return stamp.audit_head


def _first_run(journal: list[JournalEntry]) -> tuple[JournalEntry, ...]:
    """Return the oldest kept entries up to the first gap, as many as one report may carry."""
    run = [entry for place, entry in enumerate(journal) if entry.index == journal[0].index + place]
    return tuple(run[: wire.REPORT_JOURNAL_MAX])


def _statuses(session: Session) -> tuple[tuple[NoticeStatus, ...], tuple[PatchStatus, ...]]:
    """Return the states that one report carries: what goes on before what has ended, the newest first."""
    state = session.state
    tracks = [(track.state in NOTICE_DONE, -track.time, track) for track in state.notices.values()]
    ends = [(track.state in PATCH_ENDED, -track.time, track) for track in state.patches.values()]
    order = sorted([*tracks, *ends], key=lambda item: item[:2])[: wire.REPORT_STATES_MAX]
    chosen = [track for _, _, track in order]
    notices = tuple(
        NoticeStatus(
            id=track.id,
            revision=track.header.revision,
            digest=track.digest,
            state=track.state,
            time=track.time,
            reason=track.reason,
            surface=session.profile.surface if track.state in _SEEN_STATES else Surface.NONE,
            language=track.language,
            confirmed=track.confirmed,
        )
        for track in chosen
        if isinstance(track, NoticeTrack)
    )
    patches = tuple(
        PatchStatus(
            digest=track.digest,
            sequence=track.sequence,
            state=track.state,
            time=track.time,
            reason=track.reason,
            consent=track.consent,
            done=_done(track),
            deferrals=track.deferrals or None,
            suit=track.suit,
        )
        for track in chosen
        if isinstance(track, PatchTrack)
    )
    return notices, patches


def _done(track: PatchTrack) -> int | None:
    """Return how much of the payload is certainly here, in percent; None while nothing is brought."""
    return (track.done or 0) if track.state is PatchState.DOWNLOADING else None
