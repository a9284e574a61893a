"""Which of a notice's texts this device shows.

The owner's first language in which there is one; else the one that stands in for it
(:func:`advisories.languages.fallback`). Where the surface has no font for a text, its drawn pages are
fetched; where they are not there either, the next language is taken, and where there is no other, it is
waited for.
"""

from __future__ import annotations

from advisories.languages import fallback, primary
from advisories.notice import Notice
from advisories.states import NoticeState
from device_sim.core.profile import Ability
from device_sim.core.session import Session
from device_sim.core.state import NoticeTrack

_ON_SCREEN = frozenset({NoticeState.SHOWN, NoticeState.ACKNOWLEDGED})


class Wording:
    """The choice of a text for each advisory; what could not be shown is remembered for this boot."""

    __slots__ = ("_passed", "_session", "_stuck")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._passed: dict[str, set[str]] = {}
        """Advisory id -> languages that the surface can show neither in words nor in pages."""
        self._stuck: frozenset[str] = frozenset()
        """Advisories of which no language can be shown: only the best one is waited for."""

    def language(self, header: Notice) -> str | None:
        """Return the tag of the text to show, or None when none is left."""
        left = header.texts.keys() - self._passed.get(header.id, set())
        return fallback(self._session.profile.languages, left)

    def is_own(self, header: Notice) -> bool:
        """Say whether there is a text in a language of the owner."""
        own = {primary(tag) for tag in self._session.profile.languages}
        return any(primary(tag) in own for tag in header.texts)

    def wanted(self, track: NoticeTrack) -> str | None:
        """Return the owner's language that this surface cannot show and the text in hand stands in for."""
        passed = {primary(tag) for tag in self._passed.get(track.id, ())}
        for tag in self._session.profile.languages:
            if primary(tag) == primary(track.language or ""):
                return None
            if primary(tag) in passed:
                return tag
        return None

    def needs_pages(self, track: NoticeTrack) -> bool:
        """Say whether the text in hand can be shown only by drawn pages, and they are not here."""
        text = track.text
        return (
            text is not None
            and text.pages is not None
            and track.pages is None
            and self._session.able(text) is Ability.PAGES
        )

    def pages(self, track: NoticeTrack) -> tuple[bytes, ...]:
        """Return the drawn pages to show; none where the surface shows the words."""
        text, data = track.text, track.pages
        if text is None or data is None or self._session.able(text) is not Ability.PAGES:
            return ()
        return text.split(data)

    def can_show(self, track: NoticeTrack) -> bool:
        """Say whether the text in hand can be shown now."""
        assert track.text is not None
        able = self._session.able(track.text)
        return able is Ability.WORDS or (able is Ability.PAGES and track.pages is not None)

    def pass_over(self, track: NoticeTrack) -> bool:
        """Leave the language in hand aside; False when there is nothing better to turn to."""
        if track.id in self._stuck:
            return False
        texts = track.header.texts.keys()
        passed = self._passed.setdefault(track.id, set())
        passed.add(track.language or "")
        if self.language(track.header) is None:
            best = fallback(self._session.profile.languages, texts)
            self._stuck |= {track.id}
            self._passed[track.id] = texts - {best or ""}
            return best != track.language
        return True

    def forget(self, advisory: str) -> None:
        """Another revision takes its place: its texts are looked at afresh."""
        self._passed.pop(advisory, None)
        self._stuck -= {advisory}

    def is_known(self, old: NoticeTrack, header: Notice) -> bool:
        """Say whether the owner read in an earlier revision what this one would show, and no more."""
        chosen = self.language(header)
        return (
            header.same_since is not None
            and old.header.revision >= header.same_since
            and old.state in _ON_SCREEN
            and old.language is not None
            and chosen is not None
            and header.tells_as(old.header, {old.language, chosen})
        )
