"""What a device can verify: a set of algorithms, stated by its firmware, its reports and its record.

On the wire it is an array of COSE algorithm numbers in rising order, each once. Who states nothing is
taken for ``keys.algorithms.UNDECLARED``.

>>> sorted(a.name for a in parse_algorithms(format_algorithms({Algorithm.ED25519, Algorithm.ML_DSA_44})))
['ED25519', 'ML_DSA_44']
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from advisories.limits import ALGORITHMS_MAX
from keys.algorithms import VERIFIED, Algorithm
from keys.codec import Shape
from keys.errors import RefusedError
from keys.reasons import Reason


def _unpack(value: Any) -> tuple[Algorithm, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= ALGORITHMS_MAX:
        raise RefusedError(Reason.MALFORMED, f"expected an array of 1 to {ALGORITHMS_MAX} algorithms")
    if any(type(number) is not int or number not in VERIFIED for number in value):
        raise RefusedError(Reason.MALFORMED, "no such algorithm to verify with")
    if any(later <= earlier for earlier, later in pairwise(value)):
        raise RefusedError(Reason.MALFORMED, "algorithms stand in rising order, each once")
    return tuple(Algorithm(number) for number in value)


ALGORITHMS: Shape = Shape(lambda found: sorted({int(number) for number in found}), _unpack)
"""Algorithm numbers in rising order; a tuple in Python."""


def format_algorithms(algorithms: Iterable[Algorithm]) -> str:
    """Return the numbers in rising order, separated by blanks: how they stand in a table or a file."""
    return " ".join(str(number) for number in ALGORITHMS.pack(algorithms))


def parse_algorithms(text: str) -> frozenset[Algorithm]:
    """Read what :func:`format_algorithms` wrote (RefusedError: MALFORMED)."""
    try:
        return frozenset(ALGORITHMS.unpack([int(part) for part in text.split(" ")]))
    except ValueError:
        raise RefusedError(Reason.MALFORMED, "not a list of algorithm numbers") from None
