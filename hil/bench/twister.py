"""Zephyr's hardware map read as boards: what Twister knows of a bench need not be written twice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from keys.errors import InputError

MAP_BYTES_MAX: Final = 1_048_576
_CODE: Final = "TWISTER_MAP"
_TAKE_ID: Final = frozenset({"jlink", "nrfjprog", "nrfutil", "pyocd"})
"""Runners of west that take ``--dev-id``."""


def read(path: Path) -> str:
    """Return the text of a board file with the boards of a hardware map.

    Args:
        path: YAML as ``twister --generate-hardware-map`` writes it: a list of entries with ``id``,
            ``product``, ``platform``, ``serial``, ``baud``, ``runner``; other keys are left aside.

    Raises:
        InputError: TWISTER_MAP, with file and line where it can be told.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(_CODE, f"The map cannot be read ({error.strerror}).", where=str(path)) from None
    if len(data) > MAP_BYTES_MAX:
        raise InputError(_CODE, f"The map has more than {MAP_BYTES_MAX} bytes.", where=str(path))
    try:
        loaded = YAML(typ="base", pure=True).load(data)  # an id's leading zeros stay
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(_CODE, "The map is not well-formed YAML.", where=where) from None
    if not isinstance(loaded, list) or not all(isinstance(item, dict) for item in loaded):
        raise InputError(_CODE, "The map is no list of boards.", where=str(path))
    names: set[str] = set()
    tables = ["\n".join(_table(item, names)) for item in loaded]
    return "\n\n".join(tables) + "\n"


def _table(item: dict[Any, Any], names: set[str]) -> Iterator[str]:
    kind = _text(item.get("platform"))
    name = _name(kind or _text(item.get("product")), names)
    told = ", ".join(f"{key} {_text(item[key])}" for key in ("product", "id") if _text(item.get(key)))
    about = f"  # {told}" if told else ""
    serial = _text(item.get("serial"))
    if not serial:
        what = "starts a program for its line: 'spawn'" if item.get("serial_pty") else "names no port for it"
        yield f"# {name}{about}: the map {what}. Add it by hand."
        return
    yield f"[board.{name}]{about}"
    if kind:
        yield f"class = {_quoted(kind[:63])}"
    baud = _text(item.get("baud"))
    rate = f", baud = {int(baud)}" if re.fullmatch("[0-9]{2,8}", baud) else ""
    yield f"link = {{ url = {_quoted(serial)}{rate} }}"
    runner, board = _text(item.get("runner")), _text(item.get("id"))
    if runner:
        command = ["west", "flash", "--skip-rebuild", "--runner", runner]
        command += ["--dev-id", board] if board not in {"", "unknown"} and runner in _TAKE_ID else []
        yield f"flash = {{ command = [{', '.join(map(_quoted, command))}] }}"


def _name(words: str, names: set[str]) -> str:
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", words).strip("-_")[:50] or "board"
    name, number = stem, 2
    while name in names:
        name, number = f"{stem}-{number}", number + 1
    names.add(name)
    return name


def _text(value: Any) -> str:
    """Return a value of the map as one short printable line."""
    text = "" if value in (None, "null", "~") else str(value)
    return "".join(c if c.isprintable() else " " for c in text)[:200].strip()


def _quoted(text: str) -> str:
    """Return a text as TOML has it; ``$`` means a variable there."""
    return json.dumps(text.replace("$", "$$"), ensure_ascii=False)
