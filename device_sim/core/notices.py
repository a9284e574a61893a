"""The notice track: from a header that is genuine to a notice that the owner has acknowledged.

A warning is never held up by metadata. It is shown as soon as header and text are in hand; a fresh
catalogue and timestamp only change whether it is drawn as current. It is SHOWN once the surface says so.

A revision that only adds languages is not shown again to an owner who read the same words before: what the
owner saw and acknowledged is carried over. Which text is shown is decided in :mod:`device_sim.core.wording`.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from advisories import limits as wire
from advisories.notice import Notice, Phase, Text
from advisories.report import Track
from advisories.states import NOTICE_DONE, NOTICE_RESETS, NOTICE_TRANSITIONS, NoticeState, Surface
from device_sim.core import limits
from device_sim.core.currency import Currency
from device_sim.core.fetch import Missing
from device_sim.core.session import Session
from device_sim.core.showing import Showing
from device_sim.core.state import NoticeTrack
from device_sim.core.wording import Wording
from keys.codec import dump, load
from keys.errors import RefusedError
from keys.reasons import Reason

_S = NoticeState
_ON_SCREEN = frozenset({_S.SHOWN, _S.ACKNOWLEDGED})


@dataclass(frozen=True, slots=True)
class _Piece:
    """A text that fits no header yet."""

    advisory: str
    language: str
    data: bytes
    until: float


class Notices:
    """All advisories of one device."""

    __slots__ = ("_currency", "_session", "_showing", "_waiting", "_wording")

    def __init__(self, session: Session, currency: Currency) -> None:
        self._session = session
        self._currency = currency
        self._waiting: OrderedDict[bytes, _Piece] = OrderedDict()
        self._wording = Wording(session)
        self._showing = Showing(session, currency, self._wording)

    def header(self, payload: bytes, advisory: str) -> None:
        """Take a header that arrived under an advisory's topic.

        Raises:
            RefusedError: not genuine, for another product or advisory, older than what is known, or
                LIMIT_REACHED.
        """
        session, state = self._session, self._session.state
        trusted, product = state.trusted, session.profile.product
        crowded = advisory not in state.notices and len(state.notices) >= limits.NOTICE_TRACKS_MAX
        if crowded and self._dispensable() is None:
            raise RefusedError(Reason.LIMIT_REACHED, f"{len(state.notices)} advisories that still apply")
        genuine = trusted.accept(payload, Notice, name=advisory, subject=product, expiring=False)
        dispensable = self._dispensable() if crowded else None
        if dispensable is not None:
            del state.notices[dispensable]
        old = state.notices.get(advisory)
        if old is not None and old.digest == genuine.digest:
            return
        told = False
        carried = None
        if old is not None:
            told = old.told or old.shown is not None
            carried = old if self._wording.is_known(old, genuine.body) else None
            if old.state not in NOTICE_DONE:
                self._move(old, _S.SUPERSEDED, Reason.SUPERSEDED)
        track = NoticeTrack(
            id=advisory,
            body=dump(genuine.body),
            digest=genuine.digest,
            state=_S.SENT,
            time=session.warning_time,
            reason=Reason.OK,
            reminders=0,
            told=told,
        )
        state.notices.pop(advisory, None)
        self._wording.forget(advisory)
        self._showing.forget(advisory, keep_doubt=carried is not None)
        if carried is not None:
            seen = ("language", "words", "pages", "shown", "reminders")
            track = replace(track, **{name: getattr(carried, name) for name in seen})
        self._assess(self._move(track, _S.DELIVERED), carried.state if carried is not None else None)

    def text(self, payload: bytes, language: str, advisory: str) -> None:
        """Take a text; one that fits no header yet waits for a while.

        Raises:
            RefusedError: TOO_BIG, or the text that its header names is MALFORMED.
        """
        if len(payload) > wire.NOTICE_TEXT_BYTES_MAX:
            raise RefusedError(Reason.TOO_BIG, f"{len(payload)} bytes, at most {wire.NOTICE_TEXT_BYTES_MAX}")
        digest = hashlib.sha256(payload).digest()
        track = self._session.state.notices.get(advisory)
        if track is not None and track.header.texts.get(language) == digest:
            self._take_text(track, language, payload)
            return
        if digest not in self._waiting:
            until = self._session.now + limits.WAITING_SECONDS
            self._waiting[digest] = _Piece(advisory, language, payload, until)
            if len(self._waiting) > limits.WAITING_PIECES_MAX:
                self._waiting.popitem(last=False)

    def pages(self, payload: bytes, language: str, advisory: str) -> None:
        """Take the drawn pages of a text that this surface has no font for; others are left aside.

        Raises:
            RefusedError: TOO_BIG, or DIGEST_MISMATCH where the text names other pages.
        """
        track = self._session.state.notices.get(advisory)
        if track is None or track.language != language or not self._needs_pages(track):
            return
        assert track.text is not None
        track.text.split(payload)
        self._showing.draw(self._put(replace(track, pages=payload)))

    def acknowledge(self, advisory: str | None) -> None:
        """The owner has taken note of one advisory, or of all that are shown."""
        for track in list(self._session.state.notices.values()):
            if track.state is _S.SHOWN and advisory in {None, track.id}:
                self._move(track, _S.ACKNOWLEDGED, track.reason)

    def displayed(self, advisory: str, revision: int, reason: Reason) -> None:
        """Take what came of a Show: only what the owner can see counts as shown."""
        drawing = self._showing.answered(advisory, revision, reason)
        track = self._session.state.notices.get(advisory)
        if drawing is None or track is None or drawing.digest != track.digest:
            return
        if reason is not Reason.OK:
            if track.reason is not reason and (self._is_due(track) or track.state in _ON_SCREEN):
                self._put(replace(track, reason=reason))
        elif track.state is _S.VERIFIED:
            time = self._session.warning_time
            at = time if drawing.confirmed and track.confirmed is None else track.confirmed
            shown = replace(track, shown=time, confirmed=at, reminders=0)
            self._move(shown, _S.SHOWN, Reason.OK if drawing.confirmed else Reason.STALE)
        elif track.state is _S.SHOWN and drawing.reminders is not None:
            self._put(replace(track, reminders=drawing.reminders))
        elif track.state is _S.WITHDRAWN and track.reason is not Reason.OK:
            self._put(replace(track, reason=Reason.OK))

    def reset(self) -> None:
        """Forget what the former owner saw and acknowledged: the next one has not been told."""
        for track in list(self._session.state.notices.values()):
            self._showing.forget(track.id)
            afresh = replace(track, told=False, shown=None, reminders=0)
            if track.state in NOTICE_RESETS:
                self._move(afresh, NOTICE_RESETS[track.state], Reason.RESET)
            else:
                self._put(replace(afresh, reason=Reason.RESET) if track.state is _S.VERIFIED else afresh)

    def booted(self) -> None:
        """Draw what was on the screen and has not been acknowledged, or can be shown only since this boot."""
        for found in list(self._session.state.notices.values()):
            track = self._in_own_words(found)
            if track.state is _S.SHOWN:
                self._showing.draw(track)
            elif track.words is not None and self._is_due(track):
                self._present(track)

    def _in_own_words(self, track: NoticeTrack) -> NoticeTrack:
        """After a factory reset, leave words that are in another than the next owner's language aside."""
        if track.reason is not Reason.RESET or track.language == self._wording.language(track.header):
            return track
        return self._put(replace(track, language=None, words=None, pages=None))

    def installed(self) -> None:
        """Another version runs, confirmed: decide again whether each notice concerns this owner."""
        for track in list(self._session.state.notices.values()):
            if track.state not in NOTICE_DONE:
                self._assess(track)

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        for digest, piece in self._waiting.items():
            self._waiting[digest] = replace(piece, until=piece.until - seconds)
        self._showing.clock_back(seconds)

    def step(self, absent: Iterable[str] = ()) -> None:
        """Let time pass: expiry, confirmation, reminders, and texts that never fitted.

        Args:
            absent: topics that were fetched and on which nothing came.
        """
        for track in list(self._session.state.notices.values()):
            if self._needs_pages(track) and self._pages_topic(track) in absent:
                self._pass_over(track)
        for track in list(self._session.state.notices.values()):
            if track.state not in NOTICE_DONE:
                self._pass_time(track)
            elif track.state is _S.EXPIRED:
                self._revive(track)
        self._try_again()
        for digest, piece in list(self._waiting.items()):
            if self._session.now >= piece.until:
                del self._waiting[digest]
                self._discard(piece, digest)
            else:
                self._session.wake(piece.until)

    def missing(self) -> list[Missing]:
        """Return headers that the catalogue names, and texts of headers in hand."""
        session = self._session
        topics, product, languages = session.topics, session.profile.product, session.profile.languages
        found = [Missing(topics.notice(product, name), subscribe=False) for name in self._currency.unseen()]
        for track in session.state.notices.values():
            language = self._wording.language(track.header)
            if self._needs_text(track) and language is not None:
                topic = topics.text(product, language, track.id)
                found.append(Missing(topic, subscribe=language != languages[0]))
            if self._needs_pages(track):
                found.append(Missing(self._pages_topic(track), subscribe=True))
        return found

    def _needs_text(self, track: NoticeTrack) -> bool:
        """Say whether something would be shown if only the text were here."""
        return self._is_due(track) and track.words is None

    def _needs_pages(self, track: NoticeTrack) -> bool:
        """Say whether the text is in hand and would be shown if only its drawn pages were here."""
        return self._is_due(track) and self._wording.needs_pages(track)

    def _is_due(self, track: NoticeTrack) -> bool:
        """Say whether there is something to show that has not been shown."""
        wanted = track.state is _S.VERIFIED or (track.state is _S.WITHDRAWN and track.told)
        return wanted and self._session.profile.surface is not Surface.NONE

    def _pages_topic(self, track: NoticeTrack) -> str:
        product = self._session.profile.product
        return self._session.topics.pages(product, track.language or "", track.id)

    def _dispensable(self) -> str | None:
        """Return the notice that may be forgotten: the oldest that ended, or else that never applied."""
        tracks = self._session.state.notices.values()
        for ends in (NOTICE_DONE, frozenset({_S.NOT_APPLICABLE})):
            ended = [track for track in tracks if track.state in ends]
            if ended:
                return min(ended, key=lambda track: track.time).id
        return None

    def _move(self, track: NoticeTrack, state: NoticeState, reason: Reason = Reason.OK) -> NoticeTrack:
        """Make one transition of the table, journaled."""
        lawful = state in NOTICE_TRANSITIONS[track.state] or (
            reason is Reason.RESET and NOTICE_RESETS.get(track.state) is state
        )
        assert lawful, f"{track.state.name} -> {state.name}"
        session = self._session
        moved = replace(track, state=state, time=session.warning_time, reason=reason)
        session.state.notices[track.id] = moved
        session.record(Track.NOTICE, track.id, reason, old=track.state, new=state, digest=track.digest)
        return moved

    def _put(self, track: NoticeTrack) -> NoticeTrack:
        """Store a change that is no transition."""
        self._session.state.notices[track.id] = track
        self._session.news = True
        self._session.touch()
        return track

    def _assess(self, track: NoticeTrack, carried: NoticeState | None = None) -> None:
        """Decide from time, phase and installed version how far the notice goes.

        ``carried`` is how far its owner came with the same words in an earlier revision.
        """
        session = self._session
        header = track.header
        if header.expires is not None and session.warning_time >= header.expires:
            self._move(track, _S.EXPIRED, Reason.EXPIRED)
        elif header.phase is Phase.WITHDRAWN:
            self._find_text(self._move(track, _S.WITHDRAWN))
        elif not self._affects(header):
            if track.state is not _S.NOT_APPLICABLE:
                self._move(track, _S.NOT_APPLICABLE, Reason.NOT_AFFECTED)
        elif session.profile.surface is Surface.NONE:
            # Nobody can be told here: DELIVERED is the end, and the owner goes on the letter list.
            if track.state is _S.NOT_APPLICABLE:
                self._move(track, _S.VERIFIED)
        elif track.state in {_S.DELIVERED, _S.NOT_APPLICABLE}:
            known = self._wording.is_own(header)
            verified = self._move(track, _S.VERIFIED, Reason.OK if known else Reason.NO_LANGUAGE)
            if carried is None:
                self._find_text(verified)
                return
            shown = self._move(verified, _S.SHOWN, Reason.SAME_WORDS)
            if carried is _S.ACKNOWLEDGED:
                self._move(shown, _S.ACKNOWLEDGED, Reason.SAME_WORDS)

    def _affects(self, header: Notice) -> bool:
        """Say whether the notice concerns this device; one that cannot tell its version is not left out."""
        session = self._session
        if session.measured:
            return header.affects(session.profile.product, session.installed)
        return bool(header.affected.get(session.profile.product))

    def _find_text(self, track: NoticeTrack) -> None:
        """Look for the text: in hand already, or among the pieces that wait."""
        language = self._wording.language(track.header)
        if language is None:
            return
        digest = track.header.texts[language]
        if track.words is not None:
            self._present(track)
        elif digest in self._waiting:
            self._take_text(track, language, self._waiting.pop(digest).data)

    def _take_text(self, track: NoticeTrack, language: str, payload: bytes) -> None:
        if language != self._wording.language(track.header) or not self._needs_text(track):
            return
        words = load(Text, payload, size_max=wire.NOTICE_TEXT_BYTES_MAX)
        if words.language != language:
            raise RefusedError(Reason.MALFORMED, f"a text in {words.language} as one in {language}")
        self._present(self._put(replace(track, language=language, words=payload, pages=None)))

    def _present(self, track: NoticeTrack) -> None:
        """Show the text in hand, wait for its drawn pages, or go on to another language."""
        if self._wording.can_show(track):
            self._showing.draw(track)
        elif not self._needs_pages(track):
            self._pass_over(track)

    def _pass_over(self, track: NoticeTrack) -> None:
        """Take the next language, for this one cannot be shown; without another one, say so and wait."""
        if self._wording.pass_over(track):
            self._find_text(self._put(replace(track, language=None, words=None, pages=None)))
        elif track.reason is not Reason.FONT_MISSING:
            self._put(replace(track, reason=Reason.FONT_MISSING))

    def _try_again(self) -> None:
        """Show what could not be shown before, where its pause is over."""
        for track in list(self._session.state.notices.values()):
            failed = self._showing.failure(track) is not None
            if failed and track.words is not None and self._is_due(track) and self._showing.may_draw(track):
                self._present(track)

    def _pass_time(self, track: NoticeTrack) -> None:
        session = self._session
        header = track.header
        if header.expires is not None and session.warning_time >= header.expires:
            self._move(track, _S.EXPIRED, Reason.EXPIRED)
            return
        if header.expires is not None:
            session.wake(header.expires)
        confirmed = self._currency.names(track.id, header.revision, track.digest)
        reason = track.reason
        if track.state in _ON_SCREEN and not self._showing.is_under_way(track):
            reason = self._showing.failure(track) or (Reason.OK if confirmed else Reason.STALE)
        at = session.warning_time if confirmed and track.confirmed is None else track.confirmed
        if (reason, at) != (track.reason, track.confirmed):
            track = self._put(replace(track, reason=reason, confirmed=at))
        reminders = self._reminders_due(track)
        due = reminders is not None or self._showing.differs(track, confirmed=confirmed)
        if track.state in _ON_SCREEN and due and self._showing.may_draw(track):
            self._showing.draw(track, reminders)

    def _revive(self, track: NoticeTrack) -> None:
        """Take a notice up again that ended by a wrong clock: whoever sets the time silences nobody."""
        expires = track.header.expires
        if expires is not None and self._session.warning_time < expires:
            afresh = replace(track, state=_S.SENT, shown=None, confirmed=None, reminders=0)
            self._showing.forget(track.id)
            self._assess(self._move(afresh, _S.DELIVERED))

    def _reminders_due(self, track: NoticeTrack) -> int | None:
        """Return how many reminders will have been given with the one that is due; None: none is."""
        session = self._session
        if track.header.reminder is None or track.state is not _S.SHOWN or track.shown is None:
            return None
        pause, count = track.header.reminder
        if track.reminders >= count:
            return None
        due = track.shown + (track.reminders + 1) * pause
        if session.warning_time < due:
            session.wake(due)
            return None
        return min(count, (session.warning_time - track.shown) // max(pause, 1))

    def _discard(self, piece: _Piece, digest: bytes) -> None:
        """Journal a text that is not the one its header names."""
        track = self._session.state.notices.get(piece.advisory)
        expected = track.header.texts.get(piece.language) if track is not None else None
        if expected is not None and expected != digest:
            self._session.refuse(Track.REFUSAL, "text", Reason.DIGEST_MISMATCH, digest)
