"""Which bytes a request for a part means, and whether what it knows still holds (RFC 9110, 13 and 14). Pure.

Entity tags are strong and content never changes under one address, so there is no date to compare: a
condition on a date is passed over, and a range that hangs from one brings the whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import pairwise
from typing import Final

RANGES_MAX: Final = 16
"""Parts of one answer; who asks for more, or for the same bytes twice, gets the whole instead."""
_SET: Final = re.compile(r"bytes=(.*)", re.IGNORECASE | re.DOTALL)
_ONE: Final = re.compile(r"([0-9]{0,18})-([0-9]{0,18})")
_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')

Part = tuple[int, int]
"""First byte, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer to a request has to bring."""

    status: HTTPStatus
    """OK, PARTIAL_CONTENT, NOT_MODIFIED, PRECONDITION_FAILED or REQUESTED_RANGE_NOT_SATISFIABLE."""
    parts: tuple[Part, ...] = ()
    """Of PARTIAL_CONTENT, in the order asked for."""


def judge(method: str, headers: Mapping[str, str], tag: str, size: int) -> Answer:
    """Decide what a request for something of ``size`` bytes gets.

    Args:
        method: GET or HEAD; a range means nothing to HEAD (14.2).
        headers: of the request, by lower-case name.
        tag: its strong entity tag, with the quotes.
        size: bytes of the whole.
    """
    # The order is that of section 13.2.2.
    match = headers.get("if-match")
    if match is not None and match.strip() != "*" and tag not in _tags(match):
        return Answer(HTTPStatus.PRECONDITION_FAILED)
    none = headers.get("if-none-match")
    if none is not None and (none.strip() == "*" or tag in {t.removeprefix("W/") for t in _tags(none)}):
        return Answer(HTTPStatus.NOT_MODIFIED)
    wanted = headers.get("range")
    if method != "GET" or wanted is None or headers.get("if-range", tag).strip() != tag:
        return Answer(HTTPStatus.OK)
    parts = _parts(wanted, size)
    if parts is None:
        return Answer(HTTPStatus.OK)
    if not parts:
        return Answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    return Answer(HTTPStatus.PARTIAL_CONTENT, parts)


def _tags(text: str) -> list[str]:
    return _TAG.findall(text)


def _parts(wanted: str, size: int) -> tuple[Part, ...] | None:
    """Return the parts that are there; None where the header is to be passed over."""
    found = _SET.fullmatch(wanted.strip())
    if found is None:
        return None  # another unit, which a server must pass over
    pieces = [piece.strip(" \t") for piece in found[1].split(",")]
    pieces = [piece for piece in pieces if piece]
    if not 1 <= len(pieces) <= RANGES_MAX:
        return None
    parts = []
    for piece in pieces:
        one = _ONE.fullmatch(piece)
        if one is None or piece == "-":
            return None
        first, last = one[1], one[2]
        if first and last and int(last) < int(first):
            return None
        start = int(first) if first else max(0, size - int(last))
        end = min(size, int(last) + 1) if first and last else size
        if start < end:
            parts.append((start, end))
    ordered = sorted(parts)
    if any(after[0] < before[1] for before, after in pairwise(ordered)):
        return None
    return tuple(parts)
