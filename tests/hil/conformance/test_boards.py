"""Every device of this repository gives the verdicts of the table."""

from __future__ import annotations

import pytest

from hil.conformance.whole import rows

from .boards import Ran


@pytest.mark.slow
def test_the_board_gives_every_verdict_of_the_table(ran: Ran) -> None:
    assert ran.status == 0, ran.out[-8_000:]
    told = {row["row"]: row["result"] for row in ran.results["rows"]}
    assert told.keys() == {row.name for row in rows()}
    assert "differs" not in told.values()
    assert "skipped" not in ran.out
    _can_be_published(ran)


def _can_be_published(ran: Ran) -> None:
    """The report of the same run; a test of its own would run the table once more, on another worker."""
    lines = ran.table.splitlines()
    summary = ran.results["summary"]
    assert f"{summary['as written']} as written" in ran.table
    cells = [line for line in lines if line.startswith("| ")][1:]
    assert len(cells) == len(ran.results["rows"]) == sum(summary.values())
    assert all(line.count("|") == 6 for line in cells)
