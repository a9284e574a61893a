"""JSON read strictly: one spelling, one meaning, bounded."""

from __future__ import annotations

import json
from typing import Any, Final

DEPTH_MAX: Final = 32  # of objects and lists in one another


class BadValueError(ValueError):
    """A value is not what it should be; ``place`` says which, such as ``plan.percents[2]``."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"'{place}': {why}" if place else why)
        self.place, self.why = place, why


def loads(data: bytes) -> Any:
    """Read one JSON document, strictly: UTF-8, no name twice, no NaN, not too deep.

    Raises:
        BadValueError: saying what is wrong.
    """
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise BadValueError("", "this is not UTF-8") from None
    except RecursionError:
        raise BadValueError("", "it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise BadValueError("", f"this is not JSON ({error.msg.lower()})") from None
    except BadValueError:
        raise
    except ValueError:  # more digits than Python turns into a number
        raise BadValueError("", "a number has too many digits") from None
    _check_depth(found)
    return found


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadValueError("", "a name stands twice in one object")
    return found


def _no_number(text: str) -> Any:
    raise BadValueError("", f"{text} is not a number of JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [
            item
            for each in level
            if isinstance(each, dict | list)
            for item in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise BadValueError("", "it is nested too deep")


def dumps(value: Any) -> bytes:
    """Write what JSON knows, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
