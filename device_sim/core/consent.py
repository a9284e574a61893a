"""The owner's consent: asked for, put off, given, or agreed to beforehand and announced.

An answer counts only for the question that was asked: the manifest, the notice that names the patch, the
words that were shown and their language. Where one of these is another by now, the owner is asked again.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, replace
from typing import Literal

from advisories.languages import fallback
from advisories.notice import Notice
from advisories.offer import Consent, Offer
from advisories.report import Agreed, Consented, question
from advisories.states import NoticeState, PatchState
from advisories.suit import Patch, peek
from advisories.versions import format_version
from device_sim.core import effects as do
from device_sim.core import limits
from device_sim.core.gates import last_second
from device_sim.core.mending import Mending
from device_sim.core.patchbook import PatchBook
from device_sim.core.profile import AutoConsent
from device_sim.core.showing import as_shown
from device_sim.core.state import PatchTrack
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason

Answer = Literal["yes", "defer", "no"]
"""What an owner can say."""

_P = PatchState
_SHOWN = frozenset({NoticeState.SHOWN, NoticeState.ACKNOWLEDGED})


@dataclass(frozen=True, slots=True)
class _Matter:
    """What an owner is asked about, or told of."""

    version: str
    text: str
    notice: Notice | None
    header: bytes | None
    """Digest of the notice."""
    language: str | None
    question: bytes


class Consents:
    """All that is between a device's owner and its patches."""

    __slots__ = ("_asked", "_book", "_described", "_mending", "_session")

    def __init__(self, book: PatchBook, mending: Mending) -> None:
        self._book = book
        self._session = book.session
        self._mending = mending
        self._asked: tuple[bytes, bool] | None = None
        """The question asked last in this boot, and whether it was the final one; None: ask (again)."""
        self._described: tuple[bytes, str | None, str] | None = None
        """(patch digest, language, text) of the description read last."""

    # Asking.

    def ask(self, track: PatchTrack) -> None:
        """Ask, unless this very question was asked in this boot already."""
        last = self._final_from(track.offer)
        final = self._is_final(track)
        if not final:
            self._session.wake(last)
        matter = self._matter(track)
        if self._asked == (matter.question, final):
            return
        self._asked = (matter.question, final)
        left = 0 if final else self._session.profile.defer_max - track.deferrals
        self._session.emit(
            do.AskConsent(matter.version, matter.notice, final, matter.question, matter.text, left)
        )

    def ask_again(self) -> None:
        """Whatever was asked before, ask anew."""
        self._asked = None

    def answer(self, answer: Answer, asked: bytes | None) -> PatchTrack | None:
        """Take the owner's answer; return the patch if it may go on.

        Args:
            answer: what the owner said.
            asked: the question that was answered; None: the one asked last.
        """
        track = self._book.active
        if track is None or track.state is not _P.WAITING_FOR_CONFIRMATION:
            return None
        if asked is None and self._asked is not None:
            asked = self._asked[0]
        matter = self._matter(track)
        if asked != matter.question:
            self._session.log(Reason.SUPERSEDED, "an answer to another question counts for nothing")
            self._asked = None
        elif answer == "yes":
            return replace(track, consent=self._consented(matter, Agreed.ASKED))
        elif answer == "no":
            self._book.move(track, _P.DECLINED, Reason.DECLINED)
        elif self._is_final(track):
            self._asked = None  # it cannot be put off any further: ask again
        else:
            # A gateway's key may have moved the time to its very end; the state must still be read back.
            until = min(self._session.time + self._session.profile.defer_seconds, VERSION_MAX)
            later = replace(track, deferrals=track.deferrals + 1, defer_until=until)
            self._book.move(later, _P.DEFERRED, Reason.DEFERRED)
        return None

    def remind(self, track: PatchTrack) -> None:
        """Ask again once a deferral is over, or when it will soon be too late."""
        due = min(track.defer_until or 0, self._final_from(track.offer))
        if self._session.time >= due:
            self._asked = None
            self._book.move(track, _P.WAITING_FOR_CONFIRMATION)
        else:
            self._session.wake(due)

    # Agreed to beforehand.

    def beforehand(self, track: PatchTrack) -> Agreed | None:
        """Say how the owner agreed to this patch without being asked, or None."""
        wish = self._session.profile.auto_consent
        if track.offer.consent is Consent.ASK or wish is AutoConsent.NEVER:
            return None
        if wish is AutoConsent.ALWAYS:
            return Agreed.ALWAYS
        return Agreed.URGENT if self._mending.urges(track.digest) else None

    def take(self, track: PatchTrack, how: Agreed) -> PatchTrack:
        """Go by what was agreed to beforehand."""
        return replace(track, consent=self._consented(self._matter(track), how))

    def announce(self, track: PatchTrack, at: int) -> PatchTrack:
        """Tell the owner, once, of an install that was not asked for; it may begin ``at`` (UTC seconds)."""
        if track.announced is not None or track.consent is None or track.consent.how is Agreed.ASKED:
            return track
        matter = self._matter(track)
        self._session.emit(do.Announce(matter.version, matter.notice, self._mending.urges(track.digest), at))
        # Stored after it went out: when the power fails in between, it is said twice rather than never.
        return replace(track, announced=self._session.time)

    def stands(self, track: PatchTrack) -> bool:
        """Say whether the owner's consent to a patch still holds, as far as that can be told now."""
        if track.consent is None:
            return False
        if track.consent.how is Agreed.ASKED:
            return True
        return self.beforehand(track) is not None

    # What is shown.

    def described(self, patch: Patch) -> None:
        """Keep what a patch says of itself, in the owner's language."""
        tag = fallback(self._session.profile.languages, patch.manifest.texts)
        text = patch.text(tag) if tag is not None else None
        self._described = (patch.digest, tag if text else None, text or "")

    def _matter(self, track: PatchTrack) -> _Matter:
        language, text = self._description(track)
        version = track.facts.version if track.facts is not None else None
        about = self._mending.about(track.digest)
        header = about.digest if about is not None else None
        words = about.words if about is not None and about.state in _SHOWN else None
        if about is not None and words is not None:
            language = language or about.language
        return _Matter(
            version=format_version(version) if version is not None else "",
            text=text,
            notice=as_shown(self._session, about) if about is not None else None,
            header=header,
            language=language,
            question=question(
                track.digest, header, hashlib.sha256(words).digest() if words is not None else None, language
            ),
        )

    def _description(self, track: PatchTrack) -> tuple[str | None, str]:
        if self._described is None or self._described[0] != track.digest:
            self._described = (track.digest, None, "")
            envelope = self._session.state.envelope
            if envelope is not None:
                with contextlib.suppress(RefusedError):
                    self.described(peek(envelope))  # it was verified before it was stored
        return self._described[1:]

    def _consented(self, matter: _Matter, how: Agreed) -> Consented:
        return Consented(
            how=how,
            time=self._session.time,
            question=matter.question,
            notice=matter.header,
            language=matter.language,
        )

    # When it is too late.

    def _is_final(self, track: PatchTrack) -> bool:
        is_late = self._session.time >= self._final_from(track.offer)
        return is_late or track.deferrals >= self._session.profile.defer_max

    @staticmethod
    def _final_from(offer: Offer) -> int:
        """Return the second (UTC) from which on an offer can be put off no more."""
        last = last_second(offer)
        return last - min(limits.FINAL_SECONDS, max(0, last - offer.issued) // 4)
