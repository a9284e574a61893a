"""What approvers say: how each remark stands towards the content as it is now."""

from __future__ import annotations

from typing import Any

import pytest

from advisories import events
from advisories.approval import (
    Comment,
    ConditionMet,
    Given,
    Rejected,
    Said,
    TakenBack,
    content_of,
    last_given,
    remarks,
)
from advisories.events import Event, Recorded

NOW, OLD = "a" * 64, "b" * 64


def _said(
    cls: type[Said], *, content: str = NOW, revision: int = 1, role: str = "legal", **more: Any
) -> Said:
    if cls is Given:
        more = {"kid": "0" * 16, **more}
    return cls(revision=revision, digest="c" * 64, content=content, roles=(role,), **more)


def _told(*data: Event, by: str = "exercise-legal") -> list[Recorded]:
    return [Recorded(seq, 100.0 + seq, by, None, "EX-1", one) for seq, one in enumerate(data, 1)]


def _stops(*data: Event) -> list[bool]:
    return [one.stops for one in remarks(_told(*data), revision=1, content=NOW)]


@pytest.mark.parametrize("cls", [Given, Rejected, Comment])
def test_every_kind_comes_back_as_it_was_recorded(cls: type[Said]) -> None:
    data = _said(cls, comment="The offer is missing.")
    assert events.decode(data.kind, events.encode(data)) == data


def test_content_is_the_same_whenever_it_is_composed_and_nothing_runs_together() -> None:
    assert content_of({"a": b"x", "b": b"y"}) == content_of({"b": b"y", "a": b"x"})
    assert (
        len({content_of(one) for one in ({"a": b"xy"}, {"a": b"x", "b": b"y"}, {"a": b"x"}, {"ax": b""})})
        == 4
    )


def test_a_rejection_stands_until_the_content_changes() -> None:
    rejected = _said(Rejected, comment="No.")
    assert _stops(rejected) == [True]
    (other,) = remarks(_told(rejected), revision=1, content=OLD)
    assert (other.stops, other.current) == (False, False)
    (later,) = remarks(_told(rejected), revision=2, content=NOW)
    assert not later.stops


def test_a_rejection_ends_when_it_is_taken_back() -> None:
    found = remarks(_told(_said(Rejected, comment="No."), TakenBack(rejection=1)), revision=1, content=NOW)
    assert [(one.kind, one.stops, one.ended) for one in found] == [("rejected", False, 102.0)]


@pytest.mark.parametrize(
    ("given", "stops"),
    [
        (_said(Given), False),
        (_said(Given, content=OLD), True),
        (_said(Given, role="engineering"), True),
        (_said(Comment, comment="Better."), True),
    ],
)
def test_who_approves_the_same_content_after_all_has_taken_the_rejection_back(
    given: Said, stops: bool
) -> None:
    assert _stops(_said(Rejected, comment="No."), given)[0] is stops


def test_another_approver_of_the_role_does_not_take_it_back() -> None:
    (rejected,) = _told(_said(Rejected, comment="No."))
    (given,) = _told(_said(Given), by="exercise-legal-2")
    assert remarks([rejected, given], revision=1, content=NOW)[0].stops


def test_conditions_are_numbered_and_open_until_met_whatever_changes() -> None:
    told = _told(_said(Given, condition="Phone line"), _said(Given), _said(Given, condition="Offer"))
    for content in (NOW, OLD):
        found = remarks(told, revision=3, content=content)
        assert [(one.number, one.stops) for one in found] == [(1, True), (None, False), (2, True)]
    told += [Recorded(9, 200.0, "exercise-communications", None, "EX-1", ConditionMet(condition=2))]
    found = remarks(told, revision=1, content=NOW)
    assert [one.stops for one in found] == [True, False, False]
    assert found[2].met == ("exercise-communications", 200.0)
    assert found[2].condition == "Offer"
    assert found[1].condition is None


def test_the_last_approval_of_a_role() -> None:
    first, last = _said(Given), _said(Given, revision=2)
    told = _told(first, last, _said(Given, role="engineering"), _said(Rejected, comment="No."))
    assert last_given(told, "legal") == last
    assert last_given(told, "communications") is None
