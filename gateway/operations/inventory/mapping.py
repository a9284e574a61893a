"""Lists that others made: where in them our facts stand.

A path names a member, and members of members behind dots: ``attributes.country``. A name that holds dots
itself is tried first; a list of ``{"key", "value"}`` is read as an object, and a text that holds JSON (the
shadow in AWS IoT's search results) as what it holds.

Shapes: hawkBit's Management API (``GET /rest/v1/targets``, with what was added of attributes, metadata and
the installed distribution set), ``aws iot list-things`` and ``aws iot search-index``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from gateway import files
from gateway.operations.identity.device_list import COLUMNS, LABEL, Row, is_known
from keys.errors import InputError

MAPPED_MAX: Final = 64  # names in one mapping
_SHADOW_CHARACTERS_MAX: Final = 65_536  # of JSON in a text; a shadow of AWS IoT has 8 KB, 30 at most


class Source(StrEnum):
    """Who made a list."""

    CSV = "csv"
    JSON = "json"
    HAWKBIT = "hawkbit"
    AWS_IOT = "aws-iot"


Paths = Mapping[str, Sequence[str]]
"""Our column -> paths; the first at which there is something counts."""
DEFAULTS: Final[Mapping[Source, Paths]] = {
    Source.HAWKBIT: {
        "external": ("controllerId",),
        "product": ("targetTypeName",),
        "version": ("installedDistributionSet.version", "installedDS.version"),
    },
    Source.AWS_IOT: {
        "external": ("thingName",),
        "product": ("thingTypeName",),
        "version": ("attributes.version", "shadow.reported.version"),
    },
}
_SIGNS: Final = {"controllerId": Source.HAWKBIT, "thingName": Source.AWS_IOT}
"""A member that only such a list has."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How a list is to be understood."""

    source: Source | None = None
    """None: it shows."""
    paths: Mapping[str, str] = field(default_factory=dict)
    products: Mapping[str, str] = field(default_factory=dict)
    """Their name -> ours."""
    product: str | None = None
    """Of rows that say none."""
    account: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    skip_others: bool = False
    """Pass over rows of products that are not ours."""

    @property
    def loose(self) -> bool:
        """Say whether columns that we do not know are to be expected."""
        return bool(self.paths) or self.source in DEFAULTS


def read_paths(words: Sequence[str]) -> dict[str, str]:
    """Read mappings such as ``region=attributes.country``.

    Raises:
        InputError: BAD_MAPPING.
    """
    found: dict[str, str] = {}
    for word in words:
        name, sign, path = word.partition("=")
        if not sign or not path or not is_known(name):
            mend = files.near(name, [*COLUMNS, f"{LABEL}NAME"]) if sign else "Write it as NAME=PATH."
            raise InputError("BAD_MAPPING", f"'{word[:64]}' is not a mapping.", mend=mend)
        found[name] = path
    if len(found) > MAPPED_MAX or len(found) != len(words):
        message = "A name is mapped twice, or there are too many."
        raise InputError("BAD_MAPPING", message, mend=f"Map each name once, {MAPPED_MAX} at most.")
    return found


def read_products(words: Sequence[str]) -> tuple[str | None, dict[str, str]]:
    """Read products: one alone is that of all rows, ``THEIRS=OURS`` gives theirs another name.

    Raises:
        InputError: BAD_MAPPING.
    """
    alone = [word for word in words if "=" not in word]
    pairs = [word.rpartition("=") for word in words if "=" in word]
    if len(alone) > 1:
        message = "Two products are given for the same rows."
        raise InputError("BAD_MAPPING", message, mend="Give one, or write THEIRS=OURS.")
    return (alone[0] if alone else None), {theirs: ours for theirs, _, ours in pairs}


def translated(rows: Iterator[Row], ways: Ways, plain: Source) -> Iterator[tuple[Source, Row]]:
    """Yield rows with our columns, and who made them.

    Args:
        rows: as they stand in the file.
        ways: see there.
        plain: who made rows that show no sign of anybody else.
    """
    for line, row in rows:
        source = ways.source or next((made for sign, made in _SIGNS.items() if sign in row), plain)
        paths: dict[str, Sequence[str]] = {**DEFAULTS.get(source, {})}
        paths.update({name: (path,) for name, path in ways.paths.items()})
        if source in DEFAULTS:
            found: dict[str, Any] = {}
        elif ways.paths:
            found = {name: value for name, value in row.items() if is_known(name)}
        else:
            found = dict(row)
        for name, tried in paths.items():
            value = next((each for path in tried if (each := _at(row, path)) not in {None, ""}), None)
            if value is None:
                found.pop(name, None)
            else:
                found[name] = value
        product = found.get("product", ways.product)
        if isinstance(product, str):
            found["product"] = ways.products.get(product, product)
        if ways.account is not None:
            found.setdefault("account", ways.account)
        for label, value in ways.labels.items():
            found.setdefault(f"{LABEL}{label}", value)
        yield source, (line, found)


def _at(row: Any, path: str) -> str | None:
    """Return the text at a path; None where there is nothing that could be one."""
    if isinstance(row, str) and row[:1] == "{" and len(row) <= _SHADOW_CHARACTERS_MAX:
        try:
            row = json.loads(row)
        except (ValueError, RecursionError):
            return None
    if isinstance(row, list):
        pairs = [each for each in row if isinstance(each, dict) and isinstance(each.get("key"), str)]
        row = {each["key"]: each.get("value") for each in pairs}
    if not isinstance(row, Mapping):
        return None
    if path in row:
        return _text(row[path])
    head, sign, rest = path.partition(".")
    return _at(row[head], rest) if sign and head in row else None


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value.strip() if isinstance(value, str) else None
