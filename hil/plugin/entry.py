"""A board's entry as evidence shows it: as it was written, and nothing secret in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

MASK: Final = "***"
_WORDS: Final = r"pass(?:word|wd|phrase)?|token|secret|api[-_]?key|key|auth|credentials?"
_OPTION: Final = re.compile(rf"-{{1,2}}(?:[a-z0-9-]+[-_])?(?:{_WORDS})", re.IGNORECASE)
_ASSIGNED: Final = re.compile(rf"((?:{_WORDS})\s*[=:]\s*)[^\s&]+", re.IGNORECASE)
_USER: Final = re.compile(r"(?<=://)[^/@\s]+@")


def written(path: Path, name: str) -> dict[str, Any]:
    """Return one board's table as the file has it: ``${NAME}`` stays ``${NAME}``, and secrets are masked.

    Masked are the values of ``spawn.env``, user and password in a URL, and what follows an option or a word
    such as ``--token`` or ``password=``.

    Args:
        path: a board file that was read before without a mistake; one that is gone since gives nothing.
        name: of the board.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))["board"][name]
    except (OSError, ValueError, KeyError):
        return {}
    spawn = table.get("spawn", {})
    if "env" in spawn:
        spawn["env"] = dict.fromkeys(spawn["env"], MASK)
    masked = _masked(table)
    assert isinstance(masked, dict)
    return masked


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(one) for key, one in value.items()}
    if isinstance(value, list):
        before = [None, *value]
        return [
            MASK if isinstance(last, str) and _OPTION.fullmatch(last) else _masked(one)
            for last, one in zip(before, value, strict=False)
        ]
    if isinstance(value, str):
        return _ASSIGNED.sub(rf"\1{MASK}", _USER.sub(f"{MASK}@", value))
    return value
