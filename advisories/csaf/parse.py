"""Bytes that claim to be a CSAF document, as plain values: strict, and bounded before anything walks them."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from keys.errors import InputError

DOCUMENT_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of a document: the largest that was published anywhere has about 10 MB."""
DEPTH_MAX: Final = 100
"""Levels of nesting: 30 levels of branches (CSAF 2.0, section 3.1.2) take 64."""


def parse(data: bytes, *, where: str) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Args:
        data: untrusted; UTF-8.
        where: the file's name, for messages.

    Raises:
        InputError: NOT_JSON, CSAF_TOO_BIG, CSAF_TOO_DEEP, NOT_CSAF: one sentence each.
    """
    if len(data) > DOCUMENT_BYTES_MAX:
        raise InputError("CSAF_TOO_BIG", f"The file has more than {DOCUMENT_BYTES_MAX} bytes.", where=where)
    try:
        value = json.loads(
            data.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_constant, parse_int=_integer
        )
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _no_json("the file is not UTF-8 text", f"{where}:{line}") from None
    except json.JSONDecodeError as error:
        problem = error.msg[:1].lower() + error.msg[1:]
        raise _no_json(f"{problem} in column {error.colno}", f"{where}:{error.lineno}") from None
    except RecursionError:
        raise _too_deep(where) from None
    except ValueError as error:
        raise _no_json(str(error), where) from None
    if not isinstance(value, dict):
        raise InputError("NOT_CSAF", "This is JSON, but no CSAF document: it holds no object.", where=where)
    _require_shallow(value, where)
    return value


def _no_json(reason: str, where: str) -> InputError:
    return InputError("NOT_JSON", f"This is not JSON: {reason}.", where=where)


def _too_deep(where: str) -> InputError:
    return InputError("CSAF_TOO_DEEP", f"The document nests deeper than {DEPTH_MAX} levels.", where=where)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {json.dumps(twice[:100])} stands twice in one object")
    return found


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number there")


def _integer(digits: str) -> int:
    if len(digits) > 100:
        raise ValueError("a number has more than 100 digits")
    return int(digits)


def _require_shallow(value: Any, where: str) -> None:
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [
            item
            for holder in level
            for item in (
                holder.values() if isinstance(holder, dict) else holder if isinstance(holder, list) else ()
            )
        ]
        if not level:
            return
    raise _too_deep(where)
