"""How single values of a document are read for the facts; what cannot be held is refused with its reason."""

from __future__ import annotations

import re
from typing import Any

from advisories.csaf.losses import Reader
from advisories.facts.parts import LONG_LETTERS_MAX, instant
from advisories.facts.vocabulary import URI, like, score

_HALF = re.compile("[\ud800-\udfff]")


def text(value: Any) -> str:
    """Read words that are not empty."""
    if not isinstance(value, str):
        raise ValueError("it is no text")  # noqa: TRY004 - a reader promises ValueError
    if not value:
        raise ValueError("it is empty")
    if len(value) > LONG_LETTERS_MAX:
        raise ValueError(f"it has more than {LONG_LETTERS_MAX} letters")
    if _HALF.search(value):
        raise ValueError("it is not made of whole letters")
    return value


def word(known: tuple[str, ...]) -> Reader[str]:
    """Return a reader of one of some words."""

    def read(value: Any) -> str:
        if value not in known:
            raise ValueError(f"CSAF 2.0 knows {', '.join(known)} here")
        return str(value)

    return read


def shaped(pattern: re.Pattern[str], what: str) -> Reader[str]:
    """Return a reader of words of one shape; ``what`` completes "it is not ..."."""
    check = like(pattern, what)

    def read(value: Any) -> str:
        return check(text(value))

    return read


uri = shaped(URI, "an address")


def moment(value: Any) -> str:
    """Read a time with its zone, as it is written."""
    instant(text(value))
    return str(value)


def vector(value: Any) -> str:
    """Read a CVSS vector of version 2.0, 3.0 or 3.1."""
    score(text(value))
    return str(value)
