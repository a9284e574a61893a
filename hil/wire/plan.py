"""What shall go wrong on a line: the faults file, read strictly."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NoReturn

from advisories.smp import COMMANDS
from advisories.yamlfile import near_miss, shown
from hil.wire.record import Direction
from keys.errors import InputError

RULES_MAX: Final = 64
FILE_BYTES_MAX: Final = 65_536
TEXT_CHARACTERS_MAX: Final = 512
LOG_LINE: Final = "[00:00:01.234,000] <inf> radio: link up\r\n"


class FaultKind(StrEnum):
    """The ways in which a line goes wrong."""

    DROP = "drop"
    """Nothing of it arrives."""
    FLIP = "flip"
    """Bits of it arrive turned round."""
    DUP = "dup"
    """It arrives twice."""
    SPLIT = "split"
    """It arrives in two pieces, the second one later."""
    DELAY = "delay"
    """It arrives later, and so does all that follows: a line keeps its order."""
    NOISE = "noise"
    """Bytes that nobody sent arrive in the midst of it."""
    LOG_LINE = "log_line"
    """A line of log arrives before one of its lines."""
    ANSI = "ansi"
    """What steers a terminal arrives before one of its lines."""
    SWALLOW_NEWLINE = "swallow_newline"
    """The end of one of its lines is lost."""
    BAUD = "baud"
    """It is read at the wrong speed."""
    STALL = "stall"
    """The line goes dead in the midst of it; what is sent meanwhile is lost."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a kind of fault takes besides where it strikes."""

    low: float
    high: float
    default: float
    whole: bool = False


PARAMETERS: Final[Mapping[FaultKind, Mapping[str, Parameter]]] = {
    FaultKind.FLIP: {"bits": Parameter(1, 64, 1, whole=True)},
    FaultKind.SPLIT: {"seconds": Parameter(0, 60, 0.02)},
    FaultKind.DELAY: {"seconds": Parameter(0, 60, 0.2)},
    FaultKind.NOISE: {"bytes": Parameter(1, 4096, 4, whole=True)},
    FaultKind.BAUD: {"rate": Parameter(0.1, 10, 0.5)},
    FaultKind.STALL: {"seconds": Parameter(0, 3600, 1.0)},
}
"""Kind -> its numbers, with units: seconds, bits, bytes, and the reader's speed over the sender's."""
_TEXTS: Final = {FaultKind.LOG_LINE: {"text": LOG_LINE}}
_COMMON: Final = ("kind", "direction", "probability", "at")
_PLACE: Final = re.compile(r"(?P<what>frame|line) (?P<number>[1-9][0-9]{0,8})(?: of (?P<command>\S+))?")
_DIRECTIONS: Final = {
    "to-board": frozenset({Direction.TO_BOARD}),
    "from-board": frozenset({Direction.FROM_BOARD}),
    "both": frozenset({Direction.TO_BOARD, Direction.FROM_BOARD}),
}


@dataclass(frozen=True, slots=True)
class Place:
    """One frame or line: the n-th in its direction, or the n-th of one command."""

    frame: bool
    number: int
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One ``[[fault]]``: what strikes, on which way, and when."""

    kind: FaultKind
    directions: frozenset[Direction]
    probability: float = 0.0
    places: tuple[Place, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Everything that shall go wrong; each rule is asked in turn, for every frame and line of text."""

    rules: tuple[Rule, ...] = ()

    @staticmethod
    def of(*tables: Mapping[str, Any]) -> FaultPlan:
        """Make a plan from tables as the file has: ``of({"kind": "drop", "probability": 1})``.

        Raises:
            InputError: FAULTS_FILE.
        """
        return _plan({"fault": [dict(table) for table in tables]} if tables else {}, _Source("", ""))

    @staticmethod
    def from_toml(text: str, where: str = "") -> FaultPlan:
        """Read a faults file.

        Args:
            text: its text, at most 64 KiB.
            where: its name, for messages.

        Raises:
            InputError: FAULTS_FILE, with file and line, and the nearest known word.
        """
        if len(text) > FILE_BYTES_MAX:
            raise InputError(
                "FAULTS_FILE", "The faults file is too large.", mend="Keep to 64 KiB.", where=where
            )
        try:
            table = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            found = re.search(r" \(at (?:line (\d+)|end)[^)]*\)$", str(error))
            place = f"{where}:{found[1]}" if found and found[1] else where
            why = str(error)[: found.start()] if found else "a value cannot be read"
            raise InputError(
                "FAULTS_FILE", f"This is not TOML: {why}.", mend="Correct the line.", where=place
            ) from None
        return _plan(table, _Source(text, where))

    @staticmethod
    def load(path: Path) -> FaultPlan:
        """Read a faults file from the disk.

        Raises:
            InputError: FAULTS_FILE; FILE where it cannot be read.
        """
        try:
            with path.open("rb") as file:
                text = file.read(FILE_BYTES_MAX + 1).decode()
        except OSError as error:
            message = f"The faults file cannot be read: {error.strerror or type(error).__name__}."
            raise InputError("FILE", message, mend="Check the path.", where=str(path)) from None
        except UnicodeDecodeError:
            raise InputError(
                "FAULTS_FILE", "The faults file is no UTF-8.", mend="Save it as UTF-8.", where=str(path)
            ) from None
        return FaultPlan.from_toml(text, str(path))


@dataclass(frozen=True, slots=True)
class _Source:
    """The file's text: it knows on which line a key stands, and says what is wrong there."""

    text: str
    where: str

    def line(self, rule: int | None, key: str) -> int | None:
        section, last = -1, None
        for number, line in enumerate(self.text.splitlines(), 1):
            bare = line.strip()
            if bare.startswith("["):
                section += re.match(r"\[\[\s*fault\s*\]\]", bare) is not None
                if section == rule:
                    last = number
            if re.match(rf"""(?:\[+\s*)?["']?{re.escape(key)}["']?\s*[\].=]""", bare) and (
                rule is None or section == rule
            ):
                return number
        return last

    def wrong(self, message: str, mend: str, rule: int | None = None, key: str = "") -> NoReturn:
        line = self.line(rule, key)
        place = f"{self.where}:{line}" if line and self.where else self.where
        raise InputError("FAULTS_FILE", message, mend=mend, where=place) from None


def _plan(table: Mapping[str, Any], source: _Source) -> FaultPlan:
    for key in table:
        if key != "fault":
            source.wrong(f"The key '{shown(key)}' is unknown.", near_miss(key, ["fault"]), key=key)
    rules = table.get("fault", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        source.wrong("'fault' is no list of tables.", "Begin each fault with [[fault]].", key="fault")
    if len(rules) > RULES_MAX:
        source.wrong("There are too many faults.", f"Keep to {RULES_MAX}.", rule=RULES_MAX)
    return FaultPlan(tuple(_Reader(source, number, rule).rule() for number, rule in enumerate(rules)))


@dataclass(frozen=True, slots=True)
class _Reader:
    source: _Source
    number: int
    table: Mapping[str, Any]

    def rule(self) -> Rule:
        kind = FaultKind(self.word("kind", [str(one) for one in FaultKind]))
        numbers, texts = PARAMETERS.get(kind, {}), _TEXTS.get(kind, {})
        known = [*_COMMON, *numbers, *texts]
        for key in self.table:
            if key not in known:
                self.wrong(key, f"The key '{shown(key)}' is unknown in a {kind}.", near_miss(key, known))
        if ("probability" in self.table) == ("at" in self.table):
            self.wrong(
                "probability", "A fault needs 'probability' or 'at', and not both.", "Write one of them."
            )
        values: dict[str, Any] = {key: self.value(key, number) for key, number in numbers.items()}
        values |= {key: self.text(key, default) for key, default in texts.items()}
        probability = self.value("probability", Parameter(0, 1, 0))
        return Rule(kind, _DIRECTIONS[self.direction()], probability, self.places(), values)

    def direction(self) -> str:
        return self.word("direction", list(_DIRECTIONS)) if "direction" in self.table else "both"

    def word(self, key: str, known: list[str]) -> str:
        value = self.table.get(key)
        if value is None:
            self.wrong(key, f"The key '{key}' is missing.", f"One of: {', '.join(known)}.")
        if not isinstance(value, str) or value not in known:
            self.wrong(key, f"'{shown(str(value))}' is no {key}.", near_miss(str(value), known))
        return value

    def value(self, key: str, number: Parameter) -> Any:
        value = self.table.get(key, number.default)
        right = isinstance(value, int | float) and not isinstance(value, bool)
        if not right or not number.low <= value <= number.high or (number.whole and value != int(value)):
            kind = "a whole number" if number.whole else "a number"
            self.wrong(
                key,
                f"The value of '{key}' is wrong.",
                f"Write {kind} from {number.low:g} to {number.high:g}.",
            )
        return int(value) if number.whole else float(value)

    def text(self, key: str, default: str) -> str:
        value = self.table.get(key, default)
        if not isinstance(value, str) or not 0 < len(value) <= TEXT_CHARACTERS_MAX:
            self.wrong(
                key, f"The value of '{key}' is wrong.", f"Write 1 to {TEXT_CHARACTERS_MAX} characters."
            )
        return value

    def places(self) -> tuple[Place, ...]:
        if "at" not in self.table:
            return ()
        named = self.table["at"]
        return tuple(self.place(one) for one in (named if isinstance(named, list) and named else [named]))

    def place(self, text: object) -> Place:
        found = _PLACE.fullmatch(text) if isinstance(text, str) else None
        if not found or (found["command"] and found["what"] == "line"):
            self.wrong(
                "at",
                f"'{shown(str(text))}' is no place.",
                "Write as in: frame 3, frame 2 of img.upload, line 5.",
            )
        if found["command"] and found["command"] not in COMMANDS:
            self.wrong(
                "at", f"'{shown(found['command'])}' is no command.", near_miss(found["command"], COMMANDS)
            )
        return Place(found["what"] == "frame", int(found["number"]), found["command"])

    def wrong(self, key: str, message: str, mend: str) -> NoReturn:
        self.source.wrong(message, mend, self.number, key)
