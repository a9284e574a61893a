"""The notice on the wire: one header for all its products, and a text per language bound by digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from advisories import limits
from advisories.versions import RANGE, Range, Version, contains
from keys.codec import at, blob, boolean, choice, dump, ident, many, mapping, row, text, uint
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import Body

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ID = ident(limits.ID_BYTES_MAX)
_DIGEST = blob(32)


class Phase(IntEnum):
    """Where the story stands; a revision changes it."""

    INITIAL = 0
    UPDATE = 1
    RESOLVED = 2
    WITHDRAWN = 3
    CORRECTION = 4


class Severity(IntEnum):
    """How bad it is for an affected owner."""

    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class Action(IntEnum):
    """What the owner must do; the only thing an LED can say."""

    ACT_NOW = 0
    ACT_SOON = 1
    FOR_INFORMATION = 2
    RESOLVED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Body):
    """The header that Engineering, Legal and Communications sign. ``subject`` is its products."""

    TYPE: ClassVar[str] = "notice"
    BYTES_MAX: ClassVar[int] = limits.NOTICE_BYTES_MAX

    id: str = at(10, _ID)
    """Advisory id, one topic level, e.g. ``EX-2026-0001``."""
    revision: int = at(11, uint(65_535))
    """1, 2, 3: one for each approved phase."""
    phase: Phase = at(12, choice(Phase))
    exercise: bool = at(13, boolean())
    severity: Severity = at(14, choice(Severity))
    affected: dict[str, tuple[Range, ...]] = at(
        15, mapping(_ID, many(RANGE, limits.VERSION_RANGES_MAX), limits.NOTICE_PRODUCTS_MAX)
    )
    """Product -> affected version ranges; an empty tuple: none is affected."""
    action: Action = at(16, choice(Action))
    next_update: int | None = at(17, uint(), optional=True)
    """UTC seconds by which the owner hears again."""
    reminder: tuple[int, int] | None = at(18, row(uint(31_536_000), uint(255)), optional=True)
    """Seconds between two reminders, and how many at most, until acknowledged."""
    texts: dict[str, bytes] = at(
        19, mapping(text(limits.LANGUAGE_BYTES_MAX), _DIGEST, limits.NOTICE_LANGUAGES_MAX, items_min=1)
    )
    """BCP 47 language -> SHA-256 of its text's bytes."""
    patches: dict[str, tuple[bytes, ...]] | None = at(
        20,
        mapping(_ID, many(_DIGEST, limits.NOTICE_PATCHES_MAX), limits.NOTICE_PRODUCTS_MAX),
        optional=True,
    )
    """Product -> manifest digests of the patches that mend it."""
    release_list: bytes = at(21, _DIGEST)
    """SHA-256 of the release list: every customer-facing output approved with this header."""
    same_since: int | None = at(22, uint(65_535), optional=True)
    """Owners who saw this revision or a later one are told nothing new: only languages were added since."""

    def names(self) -> tuple[str, ...]:
        """Versions of a notice are counted under its advisory id."""
        return (self.id,)

    def affects(self, product: str, version: Version) -> bool:
        """Decide from the installed version whether the owner of this device is concerned."""
        return any(contains(bounds, version) for bounds in self.affected.get(product, ()))

    def tells_as(self, earlier: Notice, languages: Iterable[str]) -> bool:
        """Say whether owners of an earlier revision read the very same again in these languages.

        Everything that a screen shows or an owner has to do is compared; time of issue, expiry, version and
        release list are not.
        """
        return all(getattr(self, name) == getattr(earlier, name) for name in _TOLD) and all(
            language in earlier.texts and self.texts.get(language) == earlier.texts[language]
            for language in languages
        )

    def only_adds_languages(self, earlier: Notice) -> bool:
        """Say whether this revision differs for owners of an earlier one in nothing but further languages."""
        return self.texts.keys() > earlier.texts.keys() and self.tells_as(earlier, earlier.texts)


_TOLD = (
    "id", "phase", "exercise", "severity", "affected", "action", "next_update", "reminder", "patches"
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The words of one notice in one language; at most 1,024 bytes encoded. Not signed: bound by digest."""

    language: str = at(1, text(limits.LANGUAGE_BYTES_MAX))
    title: str = at(2, text(160))
    action: str = at(3, text(600))
    """What you must do: always first."""
    happened: str = at(4, text(600))
    affected: str = at(5, text(600))
    doing: str = at(6, text(600))
    contact: str = at(7, text(200))
    pages: tuple[bytes, ...] | None = at(
        8, many(_DIGEST, limits.NOTICE_PAGES_MAX, items_min=1), optional=True
    )
    """SHA-256 of each drawn page of 1,024 bytes, for devices without a font for these letters."""

    def digest(self) -> bytes:
        """SHA-256 of the encoded text, as the header names it."""
        return hashlib.sha256(dump(self)).digest()

    def split(self, data: bytes) -> tuple[bytes, ...]:
        """Return the drawn pages that came together, if they are exactly those that the text names.

        Raises:
            RefusedError: TOO_BIG, DIGEST_MISMATCH.
        """
        if len(data) > limits.NOTICE_PAGES_MAX * limits.NOTICE_PAGE_BYTES:
            raise RefusedError(Reason.TOO_BIG, f"{len(data)} bytes of pages")
        size = limits.NOTICE_PAGE_BYTES
        found = tuple(data[at : at + size] for at in range(0, len(data), size))
        named = self.pages or ()
        if len(data) != len(named) * size or page_digests(found) != named:
            raise RefusedError(Reason.DIGEST_MISMATCH, "these are not the pages that the text names")
        return found


def page_digests(pages: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return what a text names of its drawn pages: the SHA-256 of each."""
    return tuple(hashlib.sha256(page).digest() for page in pages)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseList:
    """Name -> SHA-256 of every customer-facing output approved together with a header."""

    outputs: dict[str, bytes] = at(1, mapping(text(200), _DIGEST, 4_096))


def check_code(digest: bytes) -> str:
    """Return the six-character check code of a header's digest, e.g. ``K7Q-4MD``.

    The first 30 bits in Crockford base-32: it helps people find and compare a revision and
    proves nothing alone.
    """
    bits = int.from_bytes(digest[:4], "big") >> 2
    letters = "".join(_CROCKFORD[bits >> shift & 31] for shift in range(25, -1, -5))
    return f"{letters[:3]}-{letters[3:]}"
