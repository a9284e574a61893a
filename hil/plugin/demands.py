"""What a test demands of its board, read from its marks and checked at collection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import pytest

SECONDS_MAX: Final = 1_000_000
"""Longest time that a test may ask for, in seconds: what an operating system's timers surely hold."""
MARKERS: Final = (
    "hil_needs(*capabilities): skip on a board that lacks one of these, such as 'power.cut'",
    "hil_destructive: run only on a board whose file says destructive = true",
    "hil_boards(tags, class_): run only on a board with these tags, of this class",
    "hil_timeout(op, test): seconds that one SMP request, and the test itself, may take",
    "hil_seed(number): seed of this test's faults",
)
NAMES: Final = frozenset(line.partition("(")[0].partition(":")[0] for line in MARKERS)

_IMPLIED: Final = {"hil_smp": "os", "hil_notifier": "group.notifier", "hil_bridge": "group.notifier"}
"""Fixture -> what it cannot do without."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What one test demands."""

    needs: tuple[str, ...] = ()
    destructive: bool = False
    tags: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    """All of them: a test of a class of tests may name one more."""
    op_s: float | None = None
    test_s: float | None = None
    seed: int | None = None


def read(item: pytest.Item) -> Demands:
    """Return what a test demands.

    Raises:
        pytest.UsageError: a mark holds something that it cannot mean; says which test.
    """
    used = getattr(item, "fixturenames", ())
    implied = [capability for fixture, capability in _IMPLIED.items() if fixture in used]
    marks = [mark for mark in item.iter_markers() if mark.name in NAMES]
    if not marks:
        return Demands(needs=tuple(implied))
    try:
        needs = [name for mark in marks if mark.name == "hil_needs" for name in _words(mark.args)]
        _check(needs)
        boards = [_fields(mark, ("tags", "class_")) for mark in marks if mark.name == "hil_boards"]
        limits = _closest(item, "hil_timeout", ("op", "test"))
        return Demands(
            needs=tuple(dict.fromkeys((*implied, *needs))),
            destructive=any(mark.name == "hil_destructive" for mark in marks),
            tags=tuple(tag for fields in boards for tag in _words(fields.get("tags") or ())),
            classes=tuple(_words([fields["class_"]])[0] for fields in boards if fields.get("class_")),
            op_s=_seconds(limits.get("op")),
            test_s=_seconds(limits.get("test")),
            seed=_seed(_closest(item, "hil_seed", ("number",)).get("number")),
        )
    except ValueError as error:
        raise pytest.UsageError(f"{item.nodeid}: {error}") from None


def _closest(item: pytest.Item, name: str, known: tuple[str, ...]) -> dict[str, Any]:
    mark = item.get_closest_marker(name)
    return _fields(mark, known) if mark else {}


def _fields(mark: pytest.Mark, known: tuple[str, ...]) -> dict[str, Any]:
    """Return a mark's arguments by name, be they given by place or by name."""
    fields = {**dict(zip(known, mark.args, strict=False)), **mark.kwargs}
    if len(mark.args) > len(known) or not set(fields) <= set(known):
        raise ValueError(f"{mark.name} takes {', '.join(known)} and nothing else.")
    return fields


def _words(values: Any) -> list[str]:
    found = [values] if isinstance(values, str) else list(values)
    for word in found:
        if not isinstance(word, str):
            raise ValueError(f"{word!r} is no name.")  # noqa: TRY004 - told as every other wrong value
    return found


def _check(needs: Iterable[str]) -> None:
    names = list(needs)
    if not names:
        return
    from advisories.yamlfile import near_miss  # noqa: PLC0415 - only where a test names a capability
    from hil.bench.board import CAPABILITIES  # noqa: PLC0415 - the same: pydantic is not for every run

    for name in names:
        if name not in CAPABILITIES:
            hint = near_miss(name, CAPABILITIES)
            raise ValueError(f"'{name}' is no capability of a board. {hint}".rstrip())


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= SECONDS_MAX:
        raise ValueError(f"hil_timeout: {value!r} is no number of seconds up to {SECONDS_MAX:,}.")
    return float(value)


def _seed(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ValueError(f"hil_seed: {value!r} is no whole number from 0.")
    return value
