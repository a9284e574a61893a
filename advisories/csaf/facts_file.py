"""How a file of facts is written: YAML that a person goes on with, or JSON where it is long.

JSON is YAML with one way to write it, and it is read some fifty times as fast.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from advisories import jsonfile
from advisories.templates.writing import SCHEMA_FILE
from advisories.yamlfile import FILE_BYTES_MAX
from keys.errors import InputError

YAML_BYTES_MAX: Final = 65_536
"""Files above this are written as JSON."""
_KEY_LETTERS_MAX: Final = 512
"""YAML lets a key that stands on one line have 1,024 letters, escapes included."""
_PLAIN = re.compile(r"[a-z][a-z0-9_-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def write(facts: dict[str, Any], *, head: str) -> bytes:
    """Return the file.

    Args:
        facts: plain values.
        head: one line that says where they are from.

    Raises:
        InputError: CSAF_TOO_BIG, when it would be more than may be read again.
    """
    comments = (
        f"yaml-language-server: $schema={SCHEMA_FILE}",
        _scalar(head),
        "What stands in [brackets] is for you to write; then run: tocsin advisory check",
    )
    top = "".join(f"# {line}\n" for line in comments)
    lines = list(_lines(facts, ""))
    data = (top + "".join(f"{line}\n" for line in lines)).encode()
    if len(data) > YAML_BYTES_MAX or _longest_key(facts) > _KEY_LETTERS_MAX:
        data = (top + jsonfile.write(facts)).encode()
    if len(data) > FILE_BYTES_MAX:
        raise InputError(
            "CSAF_TOO_BIG", f"Its facts would take {len(data)} bytes; a file has at most {FILE_BYTES_MAX}."
        )
    return data


def _longest_key(value: Any) -> int:
    if isinstance(value, dict):
        return max((max(len(key), _longest_key(item)) for key, item in value.items()), default=0)
    return max(map(_longest_key, value), default=0) if isinstance(value, list) else 0


def _scalar(value: Any) -> str:
    return jsonfile.safe(json.dumps(value, ensure_ascii=False))


def _key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) and key not in _WORDS else _scalar(key)


def _lines(value: dict[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        yield from _entry(f"{indent}{_key(key)}:", item, f"{indent}  ")


def _entry(start: str, item: Any, indent: str) -> Iterator[str]:
    if isinstance(item, dict) and item:
        yield start
        yield from _lines(item, indent)
    elif isinstance(item, list) and item:
        if all(isinstance(member, str) for member in item):
            yield f"{start} [{', '.join(map(_scalar, item))}]"
            return
        yield start
        for member in item:
            first, *rest = _lines(member, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest
    else:
        yield f"{start} {_scalar(item)}"
