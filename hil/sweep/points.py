"""Where the power is cut: points, counted in an undisturbed run, and the tap that cuts at one of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from advisories.smp import IMG_UPLOAD, NOTIFIER_GROUP, NOTIFIER_PUT
from hil.wire.header import Header
from hil.wire.record import Direction, Kind, Record
from hil.wire.spell import body
from keys.errors import InputError

POINTS_MAX: Final = 100_000
OFFSET_MAX: Final = 64 << 20  # bytes of the longest image
TAIL_CHARACTERS: Final = 4096
"""Of the console, in which a regular expression is searched: a match may begin in an earlier record."""
WHENS: Final = ("before", "torn", "after")


class Cut(StrEnum):
    """What a point counts."""

    FRAMES = "frames"
    """SMP messages both ways: before one to the board is sent, or after one from the board has come."""
    OFFSETS = "offsets"
    """Bytes of an upload or a staged message: before the part that holds this byte is sent."""
    CONSOLE = "console"
    """A regular expression in what the console says."""
    SECONDS = "seconds"
    """Time since the scenario began."""
    WRITES = "writes"
    """Writes to flash, in the device itself (test build): before, in the middle of, or after one."""


@dataclass(frozen=True, slots=True)
class Point:
    """One moment at which the power is cut."""

    cut: Cut
    at: float = 0
    """Number of the frame or write, from 1; offset in bytes; or seconds."""
    when: str = ""
    """Of a write: before, torn or after."""
    pattern: str = ""

    def __str__(self) -> str:
        """As in a table."""
        if self.cut is Cut.CONSOLE:
            return f"console {self.pattern!r}"
        what = {Cut.FRAMES: "frame", Cut.OFFSETS: "offset", Cut.SECONDS: "second", Cut.WRITES: "write"}[
            self.cut
        ]
        return f"{what} {self.at:g}{' ' if self.when else ''}{self.when}"


def sample(total: int, points: int | None) -> list[int]:
    """Return 1 to ``total``, or so many of them, evenly spread with both ends.

    >>> sample(10, 4)
    [1, 4, 7, 10]
    """
    if points is None or points >= total:
        return list(range(1, total + 1))
    if points == 1:
        return [(total + 1) // 2]
    return sorted({1 + round(n * (total - 1) / (points - 1)) for n in range(points)})


def counted(cut: Cut, total: int, points: int | None) -> list[Point]:
    """Return the points of a sweep over frames, offsets (in bytes) or writes (three points each)."""
    whens = WHENS if cut is Cut.WRITES else ("",)
    return [Point(cut, at, when) for at in sample(total, points) for when in whens]


def spread(cut: Cut, total: float, points: int) -> list[Point]:
    """Return points evenly spread over seconds or bytes, the ends left out."""
    step = total / (points + 1)
    places = [(n + 1) * step for n in range(points)]
    return [Point(cut, round(at, 3) if cut is Cut.SECONDS else int(at)) for at in places]


def parse(cut: Cut, text: str) -> list[Point]:
    """Read a point as a person names it: ``7``, ``7:torn``, ``4096``, ``1.5``, or a regular expression.

    Raises:
        InputError: BAD_POINT.
    """
    if cut is Cut.CONSOLE:
        try:
            re.compile(text)
        except re.error as error:
            raise _bad(text, f"it is no regular expression: {error}") from None
        return [Point(cut, pattern=text)]
    number, _, when = text.partition(":")
    try:
        at = float(number) if cut is Cut.SECONDS else int(number)
    except ValueError:
        raise _bad(text, f"{cut.value} are counted in numbers") from None
    if not 0 <= at <= (OFFSET_MAX if cut is Cut.OFFSETS else POINTS_MAX) or (
        at < 1 and cut in {Cut.FRAMES, Cut.WRITES}
    ):
        raise _bad(text, "it is out of range")
    if when and (cut is not Cut.WRITES or when not in WHENS):
        raise _bad(text, f"only a write has one of {', '.join(WHENS)}")
    return [Point(cut, at, one) for one in ((when,) if when else WHENS if cut is Cut.WRITES else ("",))]


def _bad(text: str, why: str) -> InputError:
    message = f"'{text[:80]}' is no point: {why}."
    return InputError("BAD_POINT", message, mend="Write as in 7, 7:torn, 4096 or 1.5.")


class Trigger:
    """A tap that counts what a scenario does, and calls ``cut`` once when it comes to the point.

    Attributes:
        frames: SMP messages both ways since it was made.
        reached: the power was cut here.
    """

    def __init__(
        self, point: Point | None, cut: Callable[[], object], *, group: int = NOTIFIER_GROUP
    ) -> None:
        """Count only, where there is no point."""
        self._point, self._cut, self._group = point, cut, group
        self._console = ""
        self.frames = 0
        self.bytes = 0
        """Furthest byte of an upload that was sent."""
        self.reached = False

    def __call__(self, record: Record) -> None:
        """Take a record of the line."""
        message = record.kind is Kind.MESSAGE
        self.frames += message
        if message and record.direction is Direction.TO_BOARD:
            self.bytes = max(self.bytes, self._sent(record.data))
        if record.kind is Kind.TEXT and record.direction is Direction.FROM_BOARD:
            self._console = (self._console + record.data.decode(errors="replace"))[-TAIL_CHARACTERS:]
        if self._point is not None and not self.reached and self._hits(self._point):
            self.reached = True
            self._cut()

    def _hits(self, point: Point) -> bool:
        if point.cut is Cut.FRAMES:
            return self.frames >= point.at
        if point.cut is Cut.OFFSETS:
            return self.bytes > point.at
        return point.cut is Cut.CONSOLE and re.search(point.pattern, self._console) is not None

    def _sent(self, message: bytes) -> int:
        """Return the byte behind the part of an upload that a message carries."""
        header = Header.peek(message)
        command = header.command(self._group) if header else None
        if command not in {IMG_UPLOAD, NOTIFIER_PUT}:
            return 0
        fields = body(message) or {}
        off, data = fields.get("off"), fields.get("data")
        return off + len(data) if isinstance(off, int) and isinstance(data, bytes) else 0
