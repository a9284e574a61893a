"""The facts of one advisory: the single source of every text, screen and document.

A person writes them as YAML (``examples/advisories/EX-2026-0001.yaml`` teaches how). When it was
issued, and as which revision, is not a fact of the file but an argument of ``compose``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from datetime import date as date_type
from enum import StrEnum
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    model_validator,
)

from advisories import limits, yamlfile
from advisories.languages import is_language
from advisories.notice import Action, Phase, Severity
from advisories.topics import is_id
from advisories.versions import Range, Version, contains, parse_range, parse_version
from advisories.yamlfile import Lines
from keys.limits import NAME_BYTES_MAX
from keys.root import ROLES

EXPIRES_DAYS_MAX = 3_650
"""Ten years; a notice that matters longer is issued again."""
PROSE_LETTERS_MAX = 4_096
"""Letters of one field: far above what can be sent, so that the checks can say by how much it is too long."""
_YEARS = (1971, 9998)
"""Every offset of these fits the wire and the calendar."""
_CJK = "[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]"
_NO_SPACE = re.compile(rf"(?<={_CJK}) (?={_CJK})")
TEXT_FIELDS = ("title", "action", "happened", "affected", "doing", "contact")
"""What an owner reads, in the order of ``Text`` on the wire."""


def _id(value: str) -> str:
    if not is_id(value):
        raise ValueError(
            f"'{value}' must be 1 to {limits.ID_BYTES_MAX} letters, digits, dots, underscores or hyphens"
        )
    return value


def _name(value: str) -> str:
    if not 1 <= len(value.encode()) <= NAME_BYTES_MAX:
        raise ValueError(f"a name has 1 to {NAME_BYTES_MAX} bytes")
    return value


def _tag(value: str) -> str:
    if not is_language(value):
        raise ValueError(f"'{value}' is not a language tag like de, ja or pt-BR")
    return value


def _role(value: str) -> str:
    if value not in ROLES:
        raise yamlfile.not_one_of(value, ROLES)
    return value


def _version(value: str) -> str:
    parse_version(value)
    return value


def _range(value: str) -> str:
    parse_range(value)
    return value


def _folded(value: object) -> object:
    """Fold line ends to single spaces, or to none in scripts without spaces: a screen wraps by itself."""
    return _NO_SPACE.sub("", " ".join(value.split())) if isinstance(value, str) else value


def _bounded(value: str) -> str:
    if len(value) > PROSE_LETTERS_MAX:
        raise ValueError(f"it has {len(value)} letters, at most {PROSE_LETTERS_MAX}")
    return value


def _instant(value: object) -> object:
    """Read ``2026-11-24T09:00:00Z``; an instant without a zone means something else in every country."""
    if not isinstance(value, str):
        return value
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"'{value}' is not a time like 2026-11-24T09:00:00Z") from None
    if time.tzinfo is None:
        raise ValueError(f"'{value}' has no time zone; add Z for UTC or an offset like +01:00")
    if not _YEARS[0] <= time.year <= _YEARS[1]:
        raise ValueError(f"'{value}' is not between {_YEARS[0]} and {_YEARS[1]}")
    return time


def _day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return date_type.fromisoformat(value)
    except ValueError:
        raise ValueError(f"'{value}' is not a date like 2026-11-22") from None


Id = Annotated[str, AfterValidator(_id)]
Name = Annotated[str, AfterValidator(_name)]
Language = Annotated[str, AfterValidator(_tag)]
Prose = Annotated[str, BeforeValidator(_folded), AfterValidator(_bounded)]


class Status(StrEnum):
    """How sure we are of a fact; *unknown* is allowed and said honestly."""

    CONFIRMED = "confirmed"
    SUSPECTED = "suspected"
    UNKNOWN = "unknown"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Author(_Part):
    """Who wrote it: counts only for the author's own role when the notice is signed."""

    holder: Name
    role: Annotated[str, AfterValidator(_role)]


class Product(_Part):
    """Which versions of one product are concerned, and which version mends it."""

    affected: tuple[Annotated[str, AfterValidator(_range)], ...] = Field(
        max_length=limits.VERSION_RANGES_MAX, strict=False
    )
    fixed: Annotated[str, AfterValidator(_version)] | None = None

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The affected versions as half-open ranges."""
        return tuple(parse_range(item) for item in self.affected)

    @property
    def fixed_version(self) -> Version | None:
        """The version that mends it, or None while there is none."""
        return None if self.fixed is None else parse_version(self.fixed)

    @model_validator(mode="after")
    def _fixed_is_not_affected(self) -> Product:
        version = self.fixed_version
        if version is not None and any(contains(bounds, version) for bounds in self.ranges):
            raise ValueError(f"the fixed version {self.fixed} is itself in the affected range")
        return self


class Reminder(_Part):
    """How often a device reminds an owner who has not acknowledged."""

    every_hours: int = Field(ge=1, le=8_760)
    at_most: int = Field(ge=1, le=255)


class Fact(_Part):
    """One statement with how sure we are, who says so, and since when."""

    statement: Prose
    status: Annotated[Status, BeforeValidator(yamlfile.choice(Status))]
    source: Prose | None = None
    date: Annotated[date_type, BeforeValidator(_day)] | None = None


class Words(_Part):
    """What an owner reads in one language."""

    title: Prose
    action: Prose
    happened: Prose
    affected: Prose
    doing: Prose
    contact: Prose
    translator: Prose | None = None
    """Who translated it; not for the source language."""
    signed_off: Prose | None = None
    """Who read the translation last, and when."""


class Facts(_Part):
    """One advisory, as written. Validated: an instance can be composed unless a text is too long."""

    id: Id
    exercise: bool = False
    author: Author
    phase: Annotated[Phase, BeforeValidator(yamlfile.choice(Phase))]
    severity: Annotated[Severity, BeforeValidator(yamlfile.choice(Severity))]
    action: Annotated[Action, BeforeValidator(yamlfile.choice(Action))]
    products: dict[Id, Product] = Field(min_length=1, max_length=limits.NOTICE_PRODUCTS_MAX)
    expires_days: int = Field(ge=1, le=EXPIRES_DAYS_MAX)
    next_update: Annotated[datetime, BeforeValidator(_instant)] | None = None
    reminder: Reminder | None = None
    facts: tuple[Fact, ...] = Field(default=(), strict=False)
    source_language: Language
    waived_languages: dict[Language, Name] = Field(default_factory=dict)
    """Language that some devices ask for and that is left out -> who decided that."""
    texts: dict[Language, Words] = Field(min_length=1, max_length=limits.NOTICE_LANGUAGES_MAX)

    _lines: Lines = PrivateAttr(default_factory=lambda: Lines("advisory", {}))

    @property
    def next_update_seconds(self) -> int | None:
        """UTC seconds by which the owner hears again."""
        return None if self.next_update is None else int(self.next_update.astimezone(UTC).timestamp())

    @property
    def source(self) -> Words:
        """The text that all translations are compared with."""
        return self.texts[self.source_language]

    def place(self, *path: str | int) -> str:
        """Return ``file:line`` of a part of the file."""
        return self._lines.place(path)

    def line(self, *path: str | int) -> int:
        """Return the line of a part of the file, from 1."""
        return self._lines.line(path)

    @model_validator(mode="after")
    def _whole(self) -> Facts:
        if self.source_language not in self.texts:
            raise ValueError(
                f"source_language is {self.source_language}, but texts has no {self.source_language}"
            )
        both = sorted(set(self.waived_languages) & set(self.texts))
        if both:
            raise ValueError(f"{both[0]} is waived although it has a text")
        return self


def load_facts(text: str | bytes, *, where: str) -> Facts:
    """Read the facts of one advisory from YAML.

    Args:
        text: untrusted; bytes must be UTF-8.
        where: the file's name, for messages.

    Raises:
        InputError: unknown or misspelt key, wrong type, bad version range, duplicate key, tab, unreadable
            encoding: with ``file:line`` and, where there is one, the nearest key or value.
    """
    found = yamlfile.read(Facts, text, where=where)
    found.model._lines = found.lines  # noqa: SLF001 - our own private attribute, set once at birth
    return found.model
