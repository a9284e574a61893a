"""The figures of a review: each step between two recorded moments, and promises kept or broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.learning.review import Measures, Published, measures

HOUR = 3_600.0


def revision(
    number: int, hour: float, *, approved: float | None = None, due: float | None = None
) -> Published:
    return Published(
        revision=number,
        published=hour * HOUR,
        approved=None if approved is None else approved * HOUR,
        next_update=None if due is None else int(due * HOUR),
    )


def look(*revisions: Published, now: float = 1_000, **more: object) -> Measures:
    given_ = {"aware": 0.0, "affected": 10, "shown": (), "patched": (), "questions": {}} | more
    return measures(revisions=revisions, now=now * HOUR, **given_)  # type: ignore[arg-type]


def test_each_step_is_measured_between_its_two_moments() -> None:
    found = look(
        revision(1, 6, approved=5, due=24),
        shown=[7 * HOUR] * 9,
        patched=[8 * HOUR] * 8 + [30 * HOUR] * 2,
        questions={"genuine": 3, "data": 2},
    )
    assert found.aware_to_approved == 5 * HOUR
    assert found.approved_to_published == HOUR
    assert found.aware_to_published == 6 * HOUR
    assert found.published_to_shown == HOUR
    assert found.published_to_patched == 24 * HOUR
    assert (found.shown, found.patched, found.affected) == (9, 10, 10)
    assert found.questions_per_thousand == 500.0


@pytest.mark.parametrize(
    ("shown", "reached"), [(8, False), (9, True), (10, True)], ids=["just under", "nine of ten", "all"]
)
def test_told_is_when_nine_of_ten_were_shown(shown: int, reached: bool) -> None:
    assert (look(revision(1, 1), shown=[2 * HOUR] * shown).published_to_shown is not None) is reached


@pytest.mark.parametrize(
    ("revisions", "now", "due", "kept"),
    [
        ([revision(1, 1, due=10)], 9, 0, 0),
        ([revision(1, 1, due=10)], 10, 1, 0),
        ([revision(1, 1, due=10), revision(2, 10)], 10, 1, 1),
        ([revision(1, 1, due=10), revision(2, 11)], 12, 1, 0),
        ([revision(1, 1, due=10), revision(2, 5, due=20), revision(3, 30)], 40, 2, 1),
        ([revision(1, 1)], 99, 0, 0),
    ],
    ids=["not yet", "missed", "kept to the second", "late", "one of two", "nothing promised"],
)
def test_promised_updates_are_kept_or_not(
    revisions: list[Published], now: float, due: int, kept: int
) -> None:
    found = look(*revisions, now=now)
    assert (found.updates_due, found.updates_kept) == (due, kept)


def test_what_nobody_recorded_is_not_invented() -> None:
    found = look(aware=None, affected=0)
    assert (found.aware_to_approved, found.aware_to_published, found.published_to_shown) == (None, None, None)
    assert found.questions_per_thousand is None
    assert look(revision(1, 6)).aware_to_approved is None


@given(
    st.lists(st.floats(0, 1e9), max_size=30),
    st.integers(0, 30),
)
def test_a_share_is_reached_only_by_enough_devices(times: list[float], affected: int) -> None:
    found = look(revision(1, 0), shown=times, affected=affected)
    if found.published_to_shown is not None:
        inside = sum(at <= found.published_to_shown for at in times)
        assert inside >= 0.9 * affected
