"""What the parts of a file of facts are made of: scalars that a person writes, each read strictly."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from datetime import date as date_type
from enum import Enum
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from advisories import limits, yamlfile
from advisories.languages import is_language
from advisories.topics import is_id
from advisories.versions import parse_range, parse_version
from keys.limits import NAME_BYTES_MAX
from keys.root import ROLES

PROSE_LETTERS_MAX: Final = 4_096
"""Letters of one field: far above what can be sent, so that the checks can say by how much it is too long."""
LONG_LETTERS_MAX: Final = 32_768
"""Letters of a field that goes into documents only: a note of a supplier's advisory, for one."""
_YEARS = (1971, 9998)
"""Every offset of these fits the wire and the calendar."""
_CJK = "[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]"
_NO_SPACE = re.compile(rf"(?<={_CJK}) (?={_CJK})")
_URL = re.compile(r"https?://[^\s<>\"'`{}|\\^]+|mailto:[^\s<>\"']+@[^\s<>\"']+")


class Part(BaseModel):
    """A part of the file: unknown keys are refused, and nothing is converted silently."""

    # Deferred: a short command imports all of these and reads one file, if any.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def _id(value: str) -> str:
    if not is_id(value):
        raise ValueError(
            f"'{yamlfile.shown(value)}' must be 1 to {limits.ID_BYTES_MAX} letters, digits, dots, "
            "underscores or hyphens"
        )
    return value


def _name(value: str) -> str:
    if not 1 <= len(value.encode()) <= NAME_BYTES_MAX:
        raise ValueError(f"a name has 1 to {NAME_BYTES_MAX} bytes")
    return value


def _tag(value: str) -> str:
    if not is_language(value):
        raise ValueError(f"'{yamlfile.shown(value)}' is not a language tag like de, ja or pt-BR")
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


def folded(value: object) -> object:
    """Fold line ends to single spaces, or to none in scripts without spaces: a screen wraps by itself."""
    return _NO_SPACE.sub("", " ".join(value.split())) if isinstance(value, str) else value


def _bounded(most: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value) > most:
            raise ValueError(f"it has {len(value)} letters, at most {most}")
        return value

    return AfterValidator(check)


def instant(value: object) -> object:
    """Read ``2026-11-24T09:00:00Z``; an instant without a zone means something else in every country."""
    if not isinstance(value, str):
        return value
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"'{yamlfile.shown(value)}' is not a time like 2026-11-24T09:00:00Z") from None
    if time.tzinfo is None:
        raise ValueError(f"'{value}' has no time zone; add Z for UTC or an offset like +01:00")
    if not (_fits(time) and _fits(time.astimezone(UTC))):  # what is kept in UTC is read by this again
        raise ValueError(f"'{value}' is not between {_YEARS[0]} and {_YEARS[1]}")
    return time


def _fits(time: datetime) -> bool:
    return _YEARS[0] <= time.year <= _YEARS[1]


def _day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return date_type.fromisoformat(value)
    except ValueError:
        raise ValueError(f"'{yamlfile.shown(value)}' is not a date like 2026-11-22") from None


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError(f"'{yamlfile.shown(value)}' is not an address like https://example.com/page")
    return value


def words_of(members: type[Enum]) -> WithJsonSchema:
    """Return the JSON Schema of a member that is written by its name, as in ``act-now`` for ``ACT_NOW``."""
    names = [name.lower().replace("_", "-") for name in members.__members__]
    return WithJsonSchema({"type": "string", "enum": names})


Id = Annotated[str, AfterValidator(_id)]
"""One level of a topic: letters, digits, dots, underscores, hyphens."""
Name = Annotated[str, AfterValidator(_name)]
"""A person, a machine or an office, 1 to 64 bytes."""
Language = Annotated[str, AfterValidator(_tag)]
"""A BCP 47 tag in its usual spelling."""
Role = Annotated[str, AfterValidator(_role), WithJsonSchema({"type": "string", "enum": [*ROLES]})]
VersionText = Annotated[str, AfterValidator(_version)]
RangeText = Annotated[str, AfterValidator(_range)]
Prose = Annotated[str, BeforeValidator(folded), _bounded(PROSE_LETTERS_MAX)]
"""Words of one paragraph; line ends of the file mean nothing."""
Long = Annotated[str, _bounded(LONG_LETTERS_MAX)]
"""Words whose line ends are kept."""
Url = Annotated[str, _bounded(2_048), AfterValidator(_url)]
Instant = Annotated[
    datetime, BeforeValidator(instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""A moment with its zone."""
Day = Annotated[date_type, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
