"""The whole table, in the order in which it is run."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import chain
from typing import Final

from hil.conformance.rows import Row
from hil.conformance.table import (
    algorithms,
    contents,
    currency,
    flow,
    limits,
    line,
    notices,
    offers,
    pages,
    policy,
    power,
    revoked,
    roots,
    signatures,
    suits,
)

SUBJECTS: Final = (
    signatures,
    contents,
    policy,
    roots,
    revoked,
    notices,
    pages,
    currency,
    limits,
    suits,
    offers,
    algorithms,
    flow,
    line,
    power,
)
"""A module a subject."""


@cache
def rows() -> tuple[Row, ...]:
    """Return every row; those that leave nothing behind stand together, by their situation.

    Raises:
        ValueError: two rows have one name.
    """
    found = tuple(chain.from_iterable(subject.ROWS for subject in SUBJECTS))
    twice = [name for name, count in Counter(row.name for row in found).items() if count > 1]
    if twice:
        raise ValueError(f"rows of the same name: {', '.join(twice)}")
    return tuple(sorted(found, key=lambda row: (not row.keeps, row.on.name if row.keeps else "")))
