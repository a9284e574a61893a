"""Plans as people type them: options and TOML into the data of a plan."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gateway import files
from gateway.cli.times import moment
from gateway.core.rollout import Plan
from gateway.core.rollout.plan import from_data
from gateway.core.selection import Query, parse
from keys.errors import InputError

_SPAN: Final = re.compile(r"(\d{1,5})\s*([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK: Final = r"([01]\d|2[0-3]|24(?=:00)):([0-5]\d)"
_WINDOW: Final = re.compile(rf"(\S+)\s+{_CLOCK}\s*-\s*{_CLOCK}")
_RETRY: Final = re.compile(r"([a-z]+)=(\d{1,2})(?::(\S+))?")
_DAY_MINUTES: Final = 1_440


def _refuse(what: str, mend: str) -> InputError:
    return InputError("BAD_VALUE", what, mend=mend)


def span(text: str) -> int:
    """Read a length of time, such as 90s, 30m, 2h or 3d, in seconds."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise _refuse(f"'{text}' is not a length of time.", "Write it as 30m, 2h or 3d.")
    return int(match.group(1)) * _UNITS[match.group(2)]


def query(text: str | None) -> Query | None:
    """Read a selection."""
    return None if text is None else parse(text)


def groups(texts: Sequence[str] | None) -> list[dict[str, Any]]:
    """Read groups: a percentage, a number of devices, a selection, or the rest."""
    return [_group(text.strip()) for text in texts or ("10 %", "rest")]


def _group(text: str) -> dict[str, Any]:
    if re.fullmatch(r"\d{1,3}\s*%", text):
        return {"percent": int(text.rstrip("% "))}
    if text.isdecimal():
        return {"count": int(text[:9])}
    return {} if text == "rest" else {"where": parse(text)}


def moment_of(text: str | None, *, now: int) -> int | None:
    """Read a moment in UTC seconds."""
    if text is None:
        return None
    try:
        return int(moment(text, now=now).timestamp())
    except ValueError as error:
        raise _refuse(f"'{text}' is not a moment: {error}.", "Write it as 2027-01-31T08:00:00Z.") from None


def windows(texts: Sequence[str] | None, *, now: int) -> dict[str, Any]:
    """Read windows: one from one moment to another, or some that come back."""
    found = [_window(text) for text in texts or () if "/" not in text]
    once = [text for text in texts or () if "/" in text]
    if len(once) > 1 or (once and found):
        raise _refuse("There can be one window FROM/TO, or some that come back.", "Give --window anew.")
    if not once:
        return {"windows": found}
    first, _, last = once[0].partition("/")
    return {"window": [moment_of(first, now=now), moment_of(last, now=now)]}


def _window(text: str) -> dict[str, Any]:
    match = _WINDOW.fullmatch(text.strip())
    days = () if match is None or match.group(1) == "daily" else match.group(1).lower().split(",")
    if match is None or not set(days) <= set(DAYS):
        raise _refuse(
            f"'{text}' is not a window.", "Write it as 'sat,sun 02:00-05:00' or 'daily 22:00-04:00'."
        )
    start = int(match.group(2)) * 60 + int(match.group(3))
    end = int(match.group(4)) * 60 + int(match.group(5))
    minutes = (end - start) % _DAY_MINUTES or _DAY_MINUTES
    return {"start": start, "minutes": minutes, "days": sorted(DAYS.index(day) for day in days)}


def retry(text: str) -> dict[str, Any]:
    """Read a retry: what failed, how often, and after how long."""
    match = _RETRY.fullmatch(text.strip())
    if match is None:
        raise _refuse(f"'{text}' is not a retry.", "Write it as download=3:1h.")
    wait = {} if match.group(3) is None else {"seconds": span(match.group(3))}
    return {"failure": match.group(1), "times": int(match.group(2)), **wait}


def plan_file(path: Path, *, now: int, days: int) -> dict[str, Any]:
    """Read a plan in TOML; its selections are text, and its deadline counts from now where it has none."""
    mend = "Name a file with a plan in TOML."
    raw = files.read_bytes(path, what="plan", mend=mend, size_max=256 * 1024)
    data = dict(files.parse_toml(path, raw).data)
    data.setdefault("deadline", now + days * 86_400)
    _read_queries(data)
    groups = data.get("groups")
    for group in groups if isinstance(groups, list) else ():  # what is none is refused with the plan
        if isinstance(group, dict):
            _read_queries(group)
    return data


def _read_queries(table: dict[str, Any]) -> None:
    if isinstance(table.get("where"), str):
        table["where"] = parse(table["where"])


def plan(data: Mapping[str, Any]) -> Plan:
    """Make a plan of data (InputError ROLLOUT_PLAN)."""
    return from_data(data)
