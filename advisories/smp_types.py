"""What a row of the table of SMP commands says; the rows are made from ``smp.toml`` into ``smp.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final


class Retry(Enum):
    """Whether, and why, a request may be sent again when its answer is missing."""

    READ = "read"
    """Nothing changes on the board."""
    OFFSET = "offset"
    """The board answers where it is, and takes each byte once."""
    KEY = "key"
    """The board remembers the request's ``key`` and answers again without acting again."""
    NEVER = "never"
    """It may act twice: the caller must find out first whether it acted."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of an SMP group.

    Fields map a name to its type: ``text``, ``bytes``, ``uint`` (64 bits), ``int`` (64 bits), ``bool``,
    ``array`` or ``map``; ``?`` at the end says that the field may be left out.
    """

    name: str
    group: int
    id: int
    write: bool
    """Its operation is WRITE; READ otherwise."""
    retry: Retry
    request: Mapping[str, str] = field(hash=False)
    answer: Mapping[str, str] = field(hash=False)
    test_build: bool = False
    """Absent from the firmware unless it is a test build."""


_UINT_MAX: Final = 2**64 - 1
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**63 - 1


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_IS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "text": lambda value: isinstance(value, str),
    "bytes": lambda value: isinstance(value, bytes),
    "uint": lambda value: _whole(value) and 0 <= value <= _UINT_MAX,
    "int": lambda value: _whole(value) and _INT_MIN <= value <= _INT_MAX,
    "bool": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list | tuple),
    "map": lambda value: isinstance(value, Mapping),
}


def fits(fields: Mapping[str, str], body: Mapping[str, Any]) -> str | None:
    """Say why ``body`` does not fit its declared fields; None if it does.

    Fields that are not declared are allowed: newer firmware may say more.

    >>> fits({"off": "uint", "len": "uint?"}, {"off": -1})
    "'off' is no uint"
    """
    for name, kind in fields.items():
        if name not in body:
            if not kind.endswith("?"):
                return f"'{name}' is missing"
        elif not _IS[kind.removesuffix("?")](body[name]):
            return f"'{name}' is no {kind.removesuffix('?')}"
    return None
