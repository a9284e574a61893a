"""``hil report``: JUnit files of many runs become one table of boards and suites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final
from xml.parsers import expat

import typer
from rich.console import Console

from hil.cli.output import JsonOption, emit, example
from keys.errors import InputError

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
FILES_MAX: Final = 1_000
CASES_MAX: Final = 1_000_000
_CELL_CHARACTERS_MAX: Final = 120
_CHUNK_BYTES: Final = 65_536
CODE: Final = "REPORT_FILE"
_SUITES: Final = ("testsuite", "testsuites")


class Result(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    BENCH = "bench"
    SKIPPED = "skipped"


@dataclass(slots=True)
class Case:
    """One test of one file."""

    suite: str
    result: Result = Result.PASSED
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def board(self) -> str:
        """The board, or nothing where the test had none."""
        return self.properties.get("hil.board", "")

    def settle(self) -> None:
        """Tell the bench's failures from the product's, now that all properties are known."""
        if self.result is Result.FAILED and self.properties.get("hil.fault") == "bench":
            self.result = Result.BENCH


@dataclass(slots=True)
class Row:
    """One board and one suite."""

    board: str
    suite: str
    counts: Counter[Result] = field(default_factory=Counter)
    firmware: set[str] = field(default_factory=set)

    def json(self) -> dict[str, Any]:
        """Return the row as scripts see it."""
        counts = {result.value: self.counts[result] for result in Result}
        return {"board": self.board, "suite": self.suite, "firmware": sorted(self.firmware), **counts}


class _Reader:
    """Reads one file as it streams by; nothing of it is kept but the cases."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._case: Case | None = None
        self._suites = False
        self._depth = 0  # of elements within the innermost suite
        self.cases: list[Case] = []

    def read(self, path: Path) -> list[Case]:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            with path.open("rb") as stream:
                left = FILE_BYTES_MAX
                while data := stream.read(_CHUNK_BYTES):
                    left -= len(data)
                    if left < 0:
                        raise self._wrong(f"It has more than {FILE_BYTES_MAX} bytes")
                    parser.Parse(data, False)
                parser.Parse(b"", True)
        except OSError as error:
            raise self._wrong(f"It cannot be read ({error.strerror or type(error).__name__})") from None
        except expat.ExpatError as error:
            raise self._wrong(f"It is not XML ({expat.ErrorString(error.code)})", error.lineno) from None
        except (LookupError, ValueError):  # an encoding that the parser has no table of
            raise self._wrong("Its encoding is not known") from None
        if not self._suites:
            raise self._wrong("It holds no test suite")
        return self.cases

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        match name:
            case "testsuite" | "testsuites":
                self._suites = True
            case "testcase":
                if len(self.cases) >= CASES_MAX:
                    raise self._wrong(f"It has more than {CASES_MAX} tests")
                self._case = Case(attributes.get("classname", ""))
                self.cases.append(self._case)
            case "property" if self._case:
                self._case.properties[attributes.get("name", "")] = attributes.get("value", "")
            case "failure" | "error" if self._case:
                self._case.result = Result.FAILED
            case "failure" | "error" if self._depth == 0:  # beside the tests: what ran them has failed
                self.cases.append(Case(attributes.get("message", ""), Result.FAILED))
            case "skipped" if self._case and self._case.result is Result.PASSED:
                self._case.result = Result.SKIPPED
        self._depth += name not in _SUITES

    def _end(self, name: str) -> None:
        self._depth -= name not in _SUITES
        if name == "testcase" and self._case:
            self._case.settle()
            self._case = None

    def _doctype(self, *_: object) -> None:
        raise self._wrong("It declares a document type, which no JUnit file does")

    def _wrong(self, problem: str, line: int | None = None) -> InputError:
        where = f"{self._where}:{line}" if line else self._where
        return InputError(CODE, f"{problem}.", mend="Name files of 'pytest --junitxml'.", where=where)


def read(path: Path) -> list[Case]:
    """Return the tests of one JUnit file of at most 64 MiB.

    Raises:
        InputError: REPORT_FILE, where it cannot be read, or is no JUnit file.
    """
    return _Reader(str(path)).read(path)


def rows(cases: Iterable[Case]) -> list[Row]:
    """Return the table: a row for each board and suite, in the order of their names."""
    table: dict[tuple[str, str], Row] = {}
    for case in cases:
        row = table.setdefault((case.board, case.suite), Row(case.board, case.suite))
        row.counts[case.result] += 1
        if version := case.properties.get("hil.fw"):
            row.firmware.add(version)
    return [table[key] for key in sorted(table)]


def status(table: Iterable[Row]) -> int:
    """Return 1 where a test failed, 3 where only the bench did, else 0."""
    total: Counter[Result] = sum((row.counts for row in table), Counter())
    return 1 if total[Result.FAILED] else 3 if total[Result.BENCH] else 0


def markdown(table: Iterable[Row]) -> str:
    """Return the table in Markdown, and the totals under it."""
    found = list(table)
    lines = [
        "| board | firmware | suite | passed | failed | bench | skipped |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for row in found:
        words = (row.board or "-", ", ".join(sorted(row.firmware)) or "-", row.suite or "-")
        numbers = (str(row.counts[result]) for result in Result)
        lines.append(f"| {' | '.join((*map(_cell, words), *numbers))} |")
    total: Counter[Result] = sum((row.counts for row in found), Counter())
    boards = len({row.board for row in found if row.board})
    counted = ", ".join(f"{total[result]} {result}" for result in Result)
    return "\n".join((*lines, "", f"{boards} board{'s' * (boards != 1)}: {counted}."))


def _cell(text: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in text[:_CELL_CHARACTERS_MAX])
    for special in "\\|`*<[":
        text = text.replace(special, "\\" + special)
    return text


def report(
    files: Annotated[
        list[Path], typer.Argument(help="JUnit files of 'pytest --junitxml'.", show_default=False)
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Make one table of boards and suites out of JUnit files.

    The exit status is 1 where a test failed, 3 where only the bench did, 2 where there is none, else 0.
    """
    if len(files) > FILES_MAX:
        raise InputError(CODE, f"These are more than {FILES_MAX} files.", mend="Name fewer.")
    table = rows(case for path in files for case in read(path))
    if not table:  # a run that never began must not look like a good one
        message = "No test is in " + ("this file." if len(files) == 1 else "these files.")
        raise InputError(
            "REPORT_EMPTY", message, mend="See what the run of pytest said.", where=str(files[0])
        )
    result = status(table)

    def human(console: Console) -> None:
        console.print(markdown(table))

    emit(as_json, {"rows": [row.json() for row in table], "exit_status": result}, human)
    raise typer.Exit(result)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=example("report build/*.xml"))(report)
