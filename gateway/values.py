"""What a value in a table may be: each function accepts one kind, or says what it expects instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gateway.files import steers


def a_text(value: Any) -> str:
    """Accept a text that is not empty, and holds nothing that steers a terminal or turns words around."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected a text in quotes")
    if any(map(steers, value)):
        raise ValueError("expected a text without control characters")
    return value


def a_bool(value: Any) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise ValueError("expected true or false")  # noqa: TRY004 - Field.read promises ValueError
    return value


def an_int(low: int, high: int) -> Callable[[Any], int]:
    """Accept an integer from ``low`` to ``high``."""

    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"expected an integer from {low} to {high}")
        return int(value)

    return read


def texts(value: Any) -> tuple[str, ...]:
    """Accept a list of at least one text."""
    if not isinstance(value, list) or not value:
        raise ValueError('expected a list of texts such as ["en", "de"]')
    return tuple(a_text(item) for item in value)


def a_time(value: Any) -> int:
    """Accept a time with its zone, such as 2026-11-22T03:00:00Z; return UTC seconds."""
    if not isinstance(value, datetime) or value.tzinfo is None or value.timestamp() < 0:
        raise ValueError("expected a time in UTC such as 2026-11-22T03:00:00Z")
    return int(value.timestamp())


def one_of(*known: str) -> Callable[[Any], str]:
    """Accept one of some words."""

    def read(value: Any) -> str:
        if value not in known:
            raise ValueError(f"'{value}' is not one of {', '.join(known)}")
        return str(value)

    return read
