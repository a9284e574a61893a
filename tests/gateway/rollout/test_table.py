"""Every cell of the rollout tables, (state x event), by name: what happens, or that nothing can."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from itertools import product
from typing import Any

import pytest

from gateway.core.rollout.table import (
    ACTIVE,
    GROUP_TABLE,
    OPENED,
    OVER,
    ROLLOUT_TABLE,
    SETTLED,
    GroupEvent,
    GroupState,
    RolloutEvent,
    RolloutState,
)

# One row a state, one column an event in the order of its enumeration; a dot: it cannot happen.
ROLLOUTS = """
                      SUBMIT               MADE  APPROVE DENY            SCHEDULE  START   PAUSE  HOLD   TRIP   RESUME  STOP     EMPTIED END
READY                 .                    .     .       APPROVAL_DENIED SCHEDULED RUNNING .      .      .      .       STOPPING .       .
RUNNING               .                    .     .       .               .         .       PAUSED PAUSED PAUSED .       STOPPING .       FINISHED
PAUSED                .                    .     .       .               .         .       .      .      .      RUNNING STOPPING .       FINISHED
STOPPED               .                    .     .       .               .         .       .      .      .      .       .        .       .
FINISHED              .                    .     .       .               .         .       .      .      .      .       .        .       .
WAITING_FOR_APPROVAL  .                    .     READY   APPROVAL_DENIED .         .       .      .      .      .       STOPPING .       .
APPROVAL_DENIED       .                    .     .       .               .         .       .      .      .      .       .        .       .
SCHEDULED             .                    .     .       .               .         RUNNING .      .      .      .       STOPPING .       .
STOPPING              .                    .     .       .               .         .       .      .      .      .       .        STOPPED .
CREATING              WAITING_FOR_APPROVAL READY .       .               .         .       .      .      .      .       STOPPING .       .
"""
GROUPS = """
             OPEN    PROVE   PASS     FAIL  OVERRIDE   RETURN    RETURNED
SCHEDULED    RUNNING .       .        .     .          .         .
RUNNING      .       SOAKING FINISHED ERROR .          .         .
FINISHED     .       .       .        ERROR .          .         .
ERROR        .       .       .        .     OVERRIDDEN RETURNING .
OVERRIDDEN   .       .       .        .     .          .         .
SOAKING      .       .       FINISHED ERROR .          .         .
RETURNING    .       .       .        ERROR .          .         RETURNED
RETURNED     .       .       .        .     .          RETURNING .
"""


def cells(text: str) -> dict[tuple[str, str], str | None]:
    head, *rows = [line.split() for line in text.strip().splitlines()]
    return {
        (state, event): None if cell == "." else cell
        for state, *row in rows
        for event, cell in zip(head, row, strict=True)
    }


@pytest.mark.parametrize(
    ("text", "states", "events", "table"),
    [
        (ROLLOUTS, RolloutState, RolloutEvent, ROLLOUT_TABLE),
        (GROUPS, GroupState, GroupEvent, GROUP_TABLE),
    ],
    ids=["rollout", "group"],
)
def test_every_cell(
    text: str, states: type[Enum], events: type[Enum], table: Mapping[tuple[Any, Any], Enum]
) -> None:
    wanted = cells(text)
    assert set(wanted) == set(product(states.__members__, events.__members__))
    for state, event in product(states, events):
        found = table.get((state, event))
        assert (None if found is None else found.name) == wanted[state.name, event.name], (state, event)


def reachable(table: Mapping[tuple[Any, Any], Any], first: Any) -> set[Any]:
    found, fresh = set[Any](), {first}
    while fresh:
        found |= fresh
        fresh = {end for (state, _), end in table.items() if state in fresh} - found
    return found


def test_nothing_leads_out_of_an_end_and_everything_can_be_reached() -> None:
    for over in OVER:
        assert reachable(ROLLOUT_TABLE, over) == {over}
    assert reachable(ROLLOUT_TABLE, RolloutState.CREATING) == set(RolloutState)
    assert reachable(GROUP_TABLE, GroupState.SCHEDULED) == set(GroupState)
    assert not OVER & ACTIVE


def test_no_verdict_goes_back() -> None:
    passed = {GroupState.SCHEDULED, GroupState.RUNNING, GroupState.SOAKING}
    assert not reachable(GROUP_TABLE, GroupState.FINISHED) & passed
    assert not reachable(GROUP_TABLE, GroupState.ERROR) & {*passed, GroupState.FINISHED}
    assert SETTLED < OPENED
