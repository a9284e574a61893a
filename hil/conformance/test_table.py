"""Runs the table against the board that was chosen."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from hil.bench.session import Session
from hil.conformance.bench import Bench
from hil.conformance.results import AS_WRITTEN, BEYOND, DIFFERS, Results
from hil.conformance.rows import Row
from hil.conformance.whole import rows
from hil.plugin import mark as hil
from hil.plugin.keys import RUN
from hil.smp.notifier import NotifierGroup

NEEDS = ("submit", "state", "notice", "report", "carrier", "press", "fault", "clock_set", "provision")


@pytest.fixture(scope="session")
def bench(hil_board: Session) -> Bench:
    """The board, for the whole run: what one row leaves is of use to the next."""
    return Bench(hil_board)


@pytest.fixture(scope="session")
def results(hil_board: Session, request: pytest.FixtureRequest) -> Iterator[Results]:
    """What was found; written when the last row has been run."""
    name = hil_board.board.name
    found = Results(name, request.config.stash[RUN].options.artifacts / name)
    yield found
    found.write()


@hil.destructive
@hil.needs(*(f"notifier.{name}" for name in NEEDS))
@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_row(row: Row, hil_notifier: NotifierGroup, bench: Bench, results: Results) -> None:
    """The board does what the row says, and keeps what must never fall."""
    if results.facts is None:
        info = hil_notifier.info()
        results.firmware, results.hardware = info.fw, info.hw
    began = time.monotonic()
    result, why = DIFFERS, ""
    try:
        bench.run(row)
        result, why = (BEYOND, bench.beyond) if bench.beyond else (AS_WRITTEN, "")
    except Exception as error:
        why = str(error)
        raise
    finally:
        said = bench.verdict
        ms = (time.monotonic() - began) * 1_000
        results.facts = bench.facts
        results.add(row, result, said.name if said else "", why or (said.text if said else ""), ms)
