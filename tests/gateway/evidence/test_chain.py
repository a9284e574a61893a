"""Whatever is done to a chain is found, in each of its forms; heads vouch for what was cut off its end."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.report import PatchStatus, Track
from advisories.states import NoticeState, PatchState
from gateway.core import chain
from gateway.core.evidence.about import subjects
from keys.reasons import Reason
from tests.gateway.peer import entry, status
from tests.helpers import NOW, make_fleet, report

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=3), min_size=3, max_size=6)


def build(rows: list[dict[str, Any]], form_at: int = 1) -> list[chain.Link]:
    """Make a chain that is of form 2 from row ``form_at`` on; 0: never."""
    links: list[chain.Link] = []
    head, form = chain.GENESIS, 1
    for index, data in enumerate(rows, start=1):
        kind = {form_at: chain.BEGAN if form_at == 1 else chain.FORM_CHANGED}.get(index, "kind")
        form = 2 if index == form_at else form
        links.append(chain.link(head, index, NOW + index / 3, kind, data, form=form))
        head = links[-1].hash
    return links


def numbered(links: list[chain.Link]) -> list[chain.Link]:
    """Give the rows the numbers of their places, as whoever hides something would."""
    return [replace(row, index=index) for index, row in enumerate(links, start=1)]


@given(ROWS, st.integers(0, 3))
def test_a_chain_that_nobody_touched_is_whole(rows: list[dict[str, Any]], form_at: int) -> None:
    assert chain.fault(build(rows, form_at)) is None


@given(ROWS, st.integers(0, 3), st.data())
def test_a_change_a_removal_an_insertion_and_another_order_are_found(
    rows: list[dict[str, Any]], form_at: int, data: st.DataObject
) -> None:
    links = build(rows, form_at)
    place = data.draw(st.integers(0, len(links) - 2))
    other = chain.canonical({"not": "said"})
    swapped = [*links[:place], links[place + 1], links[place], *links[place + 2 :]]
    for damaged in (
        [replace(row, data=other) if i == place else row for i, row in enumerate(links)],
        [replace(row, time=1.0) if i == place else row for i, row in enumerate(links)],
        [replace(row, kind="other") if i == place else row for i, row in enumerate(links)],
        [replace(row, hash=bytes(32)) if i == place else row for i, row in enumerate(links)],
        [*links[:place], *links[place + 1 :]],
        numbered([*links[:place], *links[place + 1 :]]),
        numbered([*links[: place + 1], links[place], *links[place + 1 :]]),
        swapped,
        numbered(swapped),
    ):
        assert chain.fault(damaged) is not None


@given(ROWS, st.integers(0, 3))
def test_only_a_head_from_elsewhere_tells_that_the_end_is_missing(
    rows: list[dict[str, Any]], form_at: int
) -> None:
    links = build(rows, form_at)
    echoed = links[-1].hash  # in a timestamp, or in a device's report
    for length in range(len(links)):
        assert chain.fault(links[:length]) is None
        assert echoed not in {row.hash for row in links[:length]}


@pytest.mark.parametrize(
    "change", [{"time": 1.0}, {"kind": "other"}, {"data": "{}"}, {"hash": bytes(32)}], ids=str
)
def test_a_changed_row_is_named(change: dict[str, Any]) -> None:
    links = build([{"a": 1}, {"a": 2}, {"a": 3}])
    links[1] = replace(links[1], **change)
    assert chain.fault(links) == f"row 2 ({links[1].kind}) was changed"


def test_a_missing_row_is_named() -> None:
    links = build([{"a": 1}, {"a": 2}, {"a": 3}])
    assert chain.fault([links[0], links[2]]) == "row 2 is missing"


def test_a_row_of_form_2_is_as_good_by_its_digest_and_one_of_form_1_is_not() -> None:
    for row, before in itertools.pairwise([*build([{}, {"a": 1}], 1)[::-1]]):
        body = chain.row_bytes(row.index, row.time, row.kind, row.data)
        assert chain.next_head(before.hash, hashlib.sha256(body).digest()) == row.hash
    old = build([{}, {"a": 1}], 0)
    body = chain.row_bytes(2, old[1].time, "kind", old[1].data)
    assert chain.next_head(old[0].hash, hashlib.sha256(body).digest()) != old[1].hash


THREADS = [
    ("advisory.published", {"id": "EX-1", "digest": "ab"}, ("advisory:EX-1",)),
    ("approval.given", {"advisory": "EX-1", "incident": None, "seq": 1}, ("advisory:EX-1",)),
    ("incident.linked", {"advisory": "EX-1", "incident": "INC-1"}, ("advisory:EX-1", "incident:INC-1")),
    ("patch.published", {"digest": "ab", "product": "p"}, ("patch:ab",)),
    ("rollout.created", {"digest": "ab", "id": "r"}, ("patch:ab", "rollout:r")),
    ("rollout.changed", {"id": "r"}, ("rollout:r",)),
    ("catalogue.published", {"product": "p"}, ("catalogue:p",)),
    ("root.published", {"version": 1}, ("roots",)),
    ("devices.registered", {"version": 1}, ("devices",)),
    ("retention.erased", {"rule": "reports"}, ("retention",)),
    ("reports.committed", {"about": {"advisory:EX-1": 2, "patch:ab": 1}}, ("advisory:EX-1", "patch:ab")),
    ("chain.began", {"form": 2}, ()),
    ("token.made", {"account": ""}, ()),
    ("reply.received", {"advisory": "x" * 99}, ()),
]


@pytest.mark.parametrize(("kind", "data", "expected"), THREADS, ids=[row[0] for row in THREADS])
def test_what_a_row_is_about(kind: str, data: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert chain.threads(kind, data) == expected


def test_what_a_report_speaks_about_is_in_its_states_and_its_journal() -> None:
    patch = PatchStatus(digest=b"p" * 32, sequence=7, state=PatchState.OFFERED, time=NOW, reason=Reason.OK)
    journal = (
        entry(0, "EX-2", NoticeState.QUEUED, NoticeState.REJECTED),
        entry(1, "0123456789abcdef", 0, 1, track=Track.PATCH, digest=b"q" * 32),
        entry(2, "0123456789abcdef", 0, 1, track=Track.PATCH),
        entry(3, "boot", 0, 1, track=Track.DEVICE),
    )
    said = report(
        make_fleet(),
        notices=(status("EX-1", bytes(32), NoticeState.SHOWN),),
        patches=(patch,),
        journal=journal,
        journal_count=4,
    )
    patches = {f"patch:{(b'p' * 32).hex()}", f"patch:{(b'q' * 32).hex()}"}
    assert subjects(said) == {"advisory:EX-1", "advisory:EX-2"} | patches
