from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from advisories import states
from advisories.states import (
    NOTICE_DONE,
    NOTICE_TRANSITIONS,
    PATCH_ENDED,
    PATCH_FAILED,
    PATCH_PROVEN,
    PATCH_TRANSITIONS,
    NoticeState,
    PatchState,
)

TABLES = [(NoticeState, NOTICE_TRANSITIONS), (PatchState, PATCH_TRANSITIONS)]
P, N = PatchState, NoticeState


def reachable(table: Mapping[Any, frozenset[Any]], start: Any) -> set[Any]:
    found, todo = {start}, [start]
    while todo:
        for target in table[todo.pop()] - found:
            found.add(target)
            todo.append(target)
    return found


@pytest.mark.parametrize(("enum", "table"), TABLES)
def test_every_state_has_its_row_and_every_target_exists(
    enum: Any, table: Mapping[Any, frozenset[Any]]
) -> None:
    assert set(table) == set(enum)
    assert all(type(target) is enum for targets in table.values() for target in targets)


@pytest.mark.parametrize(("enum", "table"), TABLES)
def test_every_state_can_be_reached_and_none_leads_to_itself(
    enum: Any, table: Mapping[Any, frozenset[Any]]
) -> None:
    assert reachable(table, enum.QUEUED) == set(enum)
    assert not any(state in targets for state, targets in table.items())


@pytest.mark.parametrize(("enum", "table"), TABLES)
def test_numbers_of_the_wire_have_no_gap(enum: Any, table: Any) -> None:
    assert sorted(member.value for member in enum) == list(range(len(enum)))


def test_the_ends_of_a_notice_lead_nowhere() -> None:
    assert {state for state, to in NOTICE_TRANSITIONS.items() if not to} == NOTICE_DONE
    assert states.NOTICE_ENDS < NOTICE_DONE


@pytest.mark.parametrize("state", sorted(set(NoticeState) - NOTICE_DONE))
def test_every_open_notice_can_end(state: NoticeState) -> None:
    assert NOTICE_TRANSITIONS[state] >= states.NOTICE_ENDS


def test_a_notice_is_shown_only_when_it_is_genuine() -> None:
    assert {s for s, to in NOTICE_TRANSITIONS.items() if N.SHOWN in to} == {N.VERIFIED}
    assert {s for s, to in NOTICE_TRANSITIONS.items() if N.ACKNOWLEDGED in to} == {N.SHOWN}


def test_the_ends_of_a_patch_lead_on_only_by_a_new_offer_or_into_the_past() -> None:
    assert {state for state, to in PATCH_TRANSITIONS.items() if not to} == {P.REMOVED}
    for state in PATCH_ENDED - {P.SUCCEEDED}:
        assert PATCH_TRANSITIONS[state] <= {P.OFFERED, P.SUPERSEDED, P.REMOVED}
    assert PATCH_TRANSITIONS[P.SUCCEEDED] == {P.REMOVED}
    assert PATCH_FAILED | PATCH_PROVEN < PATCH_ENDED
    assert not PATCH_FAILED & PATCH_PROVEN


@pytest.mark.parametrize("state", [P.INSTALLING, P.INSTALLED, P.REBOOTING, P.TESTING])
def test_there_is_no_return_once_installing_has_begun(state: PatchState) -> None:
    assert not PATCH_TRANSITIONS[state] & {
        P.CANCELED,
        P.SUPERSEDED,
        P.TIMED_OUT,
        P.DOWNLOADING,
        P.DEFERRED,
        P.DECLINED,
    }


@pytest.mark.parametrize("state", [s for s in PatchState if s < P.INSTALLING])
def test_every_patch_can_be_stopped_before_that(state: PatchState) -> None:
    assert PATCH_TRANSITIONS[state] >= states.PATCH_STOPS


def test_success_follows_only_the_self_test() -> None:
    assert {s for s, to in PATCH_TRANSITIONS.items() if P.SUCCEEDED in to} == {P.TESTING}
    assert {s for s, to in PATCH_TRANSITIONS.items() if P.TESTING in to} == {P.REBOOTING}
    assert {s for s, to in PATCH_TRANSITIONS.items() if P.INSTALLING in to} == {P.VERIFIED}
    assert {s for s, to in PATCH_TRANSITIONS.items() if P.VERIFIED in to} == {P.DOWNLOADED}
