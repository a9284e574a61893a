"""What a run of the table found, as a table that can be published: row, verdict, reason, milliseconds."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from hil.conformance.rows import Facts, Row

JSON: Final = "conformance.json"
TABLE: Final = "conformance.md"
AS_WRITTEN, BEYOND, DIFFERS = "as written", "beyond", "differs"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one row."""

    row: str
    result: str
    """``as written``; ``beyond``: the board refused, as it must, what it does not declare; ``differs``."""
    verdict: str
    """The last verdict of the row; empty where it is about something else."""
    reason: str
    """What the board said to it; why the row differs; or what it went beyond."""
    ms: float
    threat: str = ""


@dataclass(slots=True)
class Results:
    """The results of one board."""

    board: str
    folder: Path
    facts: Facts | None = None
    firmware: str = ""
    hardware: str = ""
    found: list[Result] = field(default_factory=list)

    def add(self, row: Row, result: str, verdict: str, reason: str, ms: float) -> None:
        """Add a row's result."""
        self.found.append(Result(row.name, result, verdict, reason, round(ms, 1), row.threat))

    def summary(self) -> dict[str, int]:
        """Return how many rows came out how."""
        return {name: sum(one.result == name for one in self.found) for name in (AS_WRITTEN, BEYOND, DIFFERS)}

    def write(self) -> Path:
        """Write both files, and return the table's path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        facts = self.facts
        said: dict[str, Any] = {
            "board": self.board,
            "firmware": self.firmware,
            "hardware": self.hardware,
            "host": platform.system(),
            "algorithms": sorted(facts.algorithms) if facts else [],
            "suit": sorted(facts.subsets) if facts else [],
            "message_bytes_max": facts.max if facts else 0,
            "summary": self.summary(),
        }
        rows = [asdict(one) for one in self.found]
        text = json.dumps({**said, "rows": rows}, indent=1, ensure_ascii=False)
        (self.folder / JSON).write_text(text + "\n", encoding="utf-8")
        path = self.folder / TABLE
        path.write_text(self._table(said), encoding="utf-8")
        return path

    def _table(self, said: dict[str, Any]) -> str:
        counts = self.summary()
        verifies = ", ".join(map(str, said["algorithms"])) or "nothing"
        subset = ", ".join(said["suit"]) or "nothing"
        what = f"Firmware {self.firmware or 'unknown'} on {self.hardware or 'unknown hardware'}"
        can = f"verifies with {verifies}; messages of up to {said['message_bytes_max']:,} bytes"
        came = (
            f"{counts[AS_WRITTEN]} as written, {counts[BEYOND]} beyond what it declares and refused as that"
        )
        head = [
            f"# {self.board}",
            "",
            f"{what}; {can}; SUIT beyond the smallest subset: {subset}.",
            "",
            f"{len(self.found)} rows: {came}, {counts[DIFFERS]} that differ.",
            "",
            "| row | result | verdict | reason | ms |",
            "|---|---|---|---|---|",
        ]
        lines = [
            f"| {_cell(one.row)} | {one.result} | {one.verdict} | {_cell(one.reason)} | {one.ms:g} |"
            for one in self.found
        ]
        return "\n".join([*head, *lines]).replace("|  |", "| |") + "\n"


def _cell(text: str) -> str:
    """Return words as one cell of the table."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(plain.replace("|", "/").split())
