"""Policy rows: the same signers meet the same rows as in ``keys.root``."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.algorithms import Algorithm
from keys.codec import dump
from keys.document import require_met
from keys.reasons import Reason
from keys.root import DEFAULT_POLICY, PolicyRow, Root, RootKey, checked
from tests.helpers import key, make_root, policy, root_keys

from .build import Core
from .trust_of_c import Trust, unsigned, verdict


def rows(**demands: dict[str, int]) -> tuple[PolicyRow, ...]:
    return policy({**DEFAULT_POLICY, **demands})


def entry(name: str, roles: tuple[str, ...], holder: str | None = None) -> RootKey:
    return RootKey(key=key(name).public, roles=roles, holder=holder or name)


ROLES = ("a", "b", "c", "d")
HOLDERS = tuple(f"holder-{n}" for n in range(6))
held = st.tuples(
    st.lists(st.sampled_from(ROLES), min_size=1, max_size=4, unique=True),
    st.sampled_from(HOLDERS),
    st.booleans(),
)
demands = st.dictionaries(st.sampled_from(ROLES), st.integers(1, 4), min_size=1, max_size=4)
everyone = st.integers(0, 2**13 - 1)
questions = st.lists(
    st.tuples(
        everyone,
        st.sampled_from(("notice", "patch", "none")),
        st.sampled_from(("", "x", "y")),
        st.none() | st.tuples(st.sampled_from((*HOLDERS, "nobody")), st.sampled_from((*ROLES, "none"))),
    ),
    min_size=4,
    max_size=12,
)


@settings(max_examples=150)
@given(
    st.lists(held, min_size=3, max_size=10),
    st.lists(demands, min_size=3, max_size=3),
    st.sampled_from((False, False, True)),
    questions,
)
def test_the_same_signers_meet_the_same_rows(
    core_library: Core, seats: list[Any], wanted: list[dict[str, int]], exercise: bool, asked: list[Any]
) -> None:
    """Each holder counts for one role only, an author for the author's; signatures that cannot be read are UNSUPPORTED."""
    keys = [
        RootKey(key=(POINTS if other else CURVES)[n].public, roles=tuple(roles), holder=holder)
        for n, (roles, holder, other) in enumerate(seats)
    ]
    lines = [
        PolicyRow(type=type_, demands=row, product=of)
        for (type_, of), row in zip((("notice", None), ("notice", "x"), ("patch", "y")), wanted, strict=True)
    ]
    root = make_root(
        keys=tuple(keys), policy=(PolicyRow(type="root", demands={"root": 1}), *lines), exercise=exercise
    )
    trust = Trust(core_library)
    assert trust.judge_root(unsigned(dump(root))) is verdict(lambda: checked(root))
    reason, found = trust.read_root(unsigned(dump(root)))
    assert reason is Reason.OK
    others = found.others
    assert others == sum(1 << n for n, (*_, other) in enumerate(seats) if other)
    for mask, type_, product, author in asked:
        kids = [one.key.thumbprint for one in keys]
        signed = [kid for n, kid in enumerate(kids) if mask & ~others & 1 << n]
        passed = [kid for n, kid in enumerate(kids) if mask & others & 1 << n]

        def met(of: str | None = product or None) -> None:
            require_met(root, root.demands(type_, of), signed, passed, author)  # noqa: B023 - called at once

        said = trust.meets(found, type_, product, mask & ~others, mask & others, author)
        assert said is verdict(met)


CURVES = [key(f"curve-{n}") for n in range(10)]
POINTS = [key(f"point-{n}", Algorithm.ESP256) for n in range(10)]


def test_holders_move_over_for_others_however_long_the_way(core: Core) -> None:
    """Seat n can be taken by holders n and n + 1: the last signer to come pushes all others on by one."""
    count = 13
    roles = [f"r{n:x}" for n in range(count)]
    keys = [entry(f"curve-{n}", tuple(roles[max(n - 1, 0) : n + 1]), f"h{n}") for n in range(count)]
    keys += [entry(f"root-{n}", ("root",), "r") for n in range(2)]
    for order in (keys, keys[::-1]):
        root = make_root(
            keys=tuple(order),
            policy=(
                PolicyRow(type="root", demands={"root": 1}),
                PolicyRow(type="t", demands=dict.fromkeys(roles, 1)),
            ),
        )
        trust = Trust(core)
        reason, found = trust.read_root(unsigned(dump(root)))
        assert reason is Reason.OK
        all_ = (1 << len(keys)) - 1
        assert trust.meets(found, "t", "", all_, 0, None) is Reason.OK
        for n in range(len(keys)):
            wanted = Reason.OK if order[n].holder == "r" else Reason.THRESHOLD_NOT_MET
            assert trust.meets(found, "t", "", all_ & ~(1 << n), 0, None) is wanted
            unread = Reason.OK if wanted is Reason.OK else Reason.UNSUPPORTED
            assert trust.meets(found, "t", "", all_ & ~(1 << n), 1 << n, None) is unread


@pytest.mark.parametrize("exercise", [False, True])
@pytest.mark.parametrize(("seats", "reason"), [(8, Reason.OK), (9, Reason.BAD_ROOT)])
def test_no_row_of_an_exercise_has_more_seats_either(
    core: Core, exercise: bool, seats: int, reason: Reason
) -> None:
    """There each holder may sit on two; a document still has 16 signatures."""
    keys = tuple(entry(f"crowd-{n}", ("a", "b", "root") if n < 2 else ("a", "b"), f"h{n}") for n in range(9))
    lines = (
        PolicyRow(type="root", demands={"root": 1}),
        PolicyRow(type="t", demands={"a": seats, "b": seats}),
    )
    root = make_root(keys=keys, policy=lines, exercise=exercise)
    wanted = reason if exercise else Reason.BAD_ROOT
    assert verdict(lambda: checked(root)) is wanted
    assert Trust(core).judge_root(unsigned(dump(root))) is wanted


def held_by(*roles_of: str) -> Root:
    """One holder for each argument, whose letters are the roles; a row that demands one of each role, in order."""
    keys = tuple(entry(f"crowd-{n}", tuple(roles), f"h{n}") for n, roles in enumerate(roles_of))
    wanted = dict.fromkeys(sorted(set("".join(roles_of))), 1)
    lines = (PolicyRow(type="root", demands={"root": 1}), PolicyRow(type="t", demands=wanted))
    return make_root(keys=keys, policy=lines)


def test_a_way_leads_through_holders_who_have_moved_before(core: Core) -> None:
    """a takes 3, b takes 1; c pushes b on to 2 and takes 1; for d, 1 must move again, from c's seat and not from b's."""
    root = held_by("bcd", "b", "ac", "a")
    trust = Trust(core)
    _, found = trust.read_root(unsigned(dump(root)))
    assert trust.meets(found, "t", "", 0b1111, 0, None) is Reason.OK


def test_matching_is_exact_on_graphs_of_many_shapes(core: Core) -> None:
    trust, chance = Trust(core), random.Random(8)
    said: Counter[Reason] = Counter()
    for _ in range(200):
        people = chance.randint(5, 8)
        root = held_by(*("".join(chance.sample("abcdef", chance.randint(1, 3))) for _ in range(people)))
        _, found = trust.read_root(unsigned(dump(root)))
        kids = [one.key.thumbprint for one in root.keys]
        for mask in ((1 << people) - 1, chance.getrandbits(people)):
            signed = [kid for n, kid in enumerate(kids) if mask >> n & 1]
            reason = verdict(lambda: require_met(root, root.demands("t", None), signed, ()))  # noqa: B023 - called at once
            assert trust.meets(found, "t", "", mask, 0, None) is reason
            said[reason] += 1
    assert min(said[Reason.OK], said[Reason.THRESHOLD_NOT_MET]) > 50


def test_the_key_of_an_exercise_may_sign_for_all_its_roles(core: Core) -> None:
    one = (entry("one", ("a", "b"), "anna"), *root_keys({"root": ("root-1", "root-2", "root-3")}))
    line = PolicyRow(type="notice", demands={"a": 1, "b": 1})
    trust = Trust(core)
    for exercise in (False, True):
        root = make_root(keys=one, policy=(*policy({"root": {"root": 2}}), line), exercise=exercise)
        assert verdict(lambda: checked(root)) is (Reason.OK if exercise else Reason.BAD_ROOT)  # noqa: B023 - called at once
        _, found = trust.read_root(unsigned(dump(root)))
        met = Reason.OK if exercise else Reason.THRESHOLD_NOT_MET
        for author in (None, ("anna", "a"), ("boris", "a")):
            assert trust.meets(found, "notice", "", 1, 0, author) is met


def test_a_product_goes_by_its_own_row(core: Core) -> None:
    more = PolicyRow(type="notice", demands={"legal": 2}, product="x")
    root = replace(make_root(), policy=(more, *rows(notice={"legal": 1})))
    trust = Trust(core)
    _, found = trust.read_root(unsigned(dump(root)))
    legal = 1 << [one.holder for one in root.keys].index("legal-1")
    for product, met in (
        ("x", Reason.THRESHOLD_NOT_MET),
        ("y", Reason.OK),
        ("", Reason.OK),
        ("xx", Reason.OK),
    ):
        assert trust.meets(found, "notice", product, legal, 0, None) is met
    assert trust.meets(found, "notices", "x", legal, 0, None) is Reason.NO_POLICY_ROW
    assert trust.meets(found, "notice", "x", legal | legal << 1, 0, None) is Reason.OK
