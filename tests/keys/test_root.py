from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.codec import dump, load
from keys.errors import RefusedError
from keys.limits import POLICY_ROWS_MAX, ROLES_MAX, ROOT_KEYS_MAX, SIGNATURES_MAX
from keys.reasons import Reason
from keys.root import DEFAULT_POLICY, ROLES, PolicyRow, Root, RootKey, checked
from tests.helpers import HOLDERS, NOW, key, make_root, policy, root_keys

NOTICE = dict(DEFAULT_POLICY["notice"])


def entry(name: str, roles: tuple[str, ...], holder: str | None = None) -> RootKey:
    return RootKey(key=key(name).public, roles=roles, holder=holder or name)


def kids(*names: str) -> list[bytes]:
    return [key(name).public.thumbprint for name in names]


def rows(**demands: Mapping[str, int]) -> tuple[PolicyRow, ...]:
    return policy({**DEFAULT_POLICY, **demands})


def test_the_default_policy_with_its_roles_is_valid() -> None:
    root = checked(make_root())
    assert load(Root, dump(root), size_max=Root.BYTES_MAX) == root
    assert set(HOLDERS) == set(ROLES) == {role for row in DEFAULT_POLICY.values() for role in row}


_ONE_MORE = RootKey(key=key("root-1").public, roles=("legal",), holder="another")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"keys": (*root_keys(), _ONE_MORE)}, "listed twice"),
        ({"expires": None}, "when it expires"),
        ({"expires": NOW}, "when it expires"),
        ({"expires": NOW - 1}, "when it expires"),
        ({"fleet": bytes(32)}, "leaves the fleet empty"),
        ({"version": 2}, "leaves the fleet empty"),
        ({"version": 0}, "leaves the fleet empty"),
        ({"subject": ("thermostat",)}, "whole fleet"),
        ({"policy": (*policy(), PolicyRow(type="root", demands={"root": 1}, product="x"))}, "whole fleet"),
        ({"policy": (*policy(), *policy({"notice": {"legal": 1}}))}, "stands twice"),
        ({"policy": rows(notice={})}, "row for notice is empty"),
        ({"policy": rows(notice={"legal": 0})}, "threshold below 1"),
        ({"policy": rows(notice={"legal": 1, "engineering": 0})}, "threshold below 1"),
        ({"policy": rows(notice={"legal": 3})}, "more holders than there are"),
        ({"policy": rows(notice={"press": 1})}, "more holders than there are"),
        ({"policy": rows(notice={"legal": SIGNATURES_MAX, "root": 1})}, "more than 16 signatures"),
        ({"policy": (*policy(), PolicyRow(type="notice", demands={"press": 1}, product="x"))}, "notice of x"),
        ({"policy": policy({k: v for k, v in DEFAULT_POLICY.items() if k != "root"})}, "row for root"),
        ({"policy": rows(root={"legal": 1})}, "row for root"),
        ({"policy": rows(root={"root": 1, "legal": 1})}, "row for root"),
        ({"policy": rows(root={"root": 3})}, "threshold plus one"),
        ({"policy": rows(root={"root": 4})}, "more holders"),
    ],
)
def test_a_root_that_could_not_work_or_says_too_little_is_refused(
    changes: dict[str, Any], fault: str
) -> None:
    with pytest.raises(RefusedError, match=fault) as caught:
        checked(make_root(**changes))
    assert caught.value.reason is Reason.BAD_ROOT


def test_one_holder_of_three_keys_does_not_make_a_threshold() -> None:
    one = tuple(entry(f"root-{n}", ("root",), "mallory") for n in (1, 2, 3))
    rest = tuple(k for k in root_keys() if "root" not in k.roles)
    with pytest.raises(RefusedError, match="row for root demands more holders"):
        checked(make_root(keys=(*one, *rest)))


def test_one_holder_in_three_roles_meets_one_of_them() -> None:
    roles = ("engineering", "legal", "communications")
    root = make_root(keys=(entry("a", roles), entry("b", roles), entry("c", roles)))
    assert len(root.missing(NOTICE, kids("a"))) == 2
    assert len(root.missing(NOTICE, kids("a", "b"))) == 1
    assert root.missing(NOTICE, kids("a", "b", "c")) == []


def test_one_holder_with_a_key_for_each_role_meets_one_of_them() -> None:
    root = make_root(keys=tuple(entry(role, (role,), "mallory") for role in NOTICE))
    assert len(root.missing(NOTICE, kids(*NOTICE))) == 2
    with pytest.raises(RefusedError, match="row for notice demands more holders"):
        checked(replace(root, keys=(*root.keys, *(k for k in root_keys() if k.roles[0] not in NOTICE))))


def test_in_an_exercise_one_holder_may_act_for_several_roles_even_as_author() -> None:
    root = make_root(keys=(entry("a", ("engineering", "legal", "communications")),), exercise=True)
    assert root.missing(NOTICE, kids("a")) == []
    assert root.missing(NOTICE, kids("a"), ("a", "legal")) == []
    assert root.missing({"legal": 2}, kids("a")) == ["legal"]
    assert root.missing({"press": 2}, kids("a")) == ["press", "press"]


@pytest.mark.parametrize(
    ("author", "missing"),
    [
        (None, []),
        (("a", "engineering"), []),
        (("a", "legal"), ["engineering"]),
        (("b", "engineering"), ["legal"]),
        (("a", "press"), ["engineering"]),
        (("nobody", "legal"), []),
    ],
)
def test_the_author_counts_only_for_the_authors_own_role(
    author: tuple[str, str] | None, missing: list[str]
) -> None:
    root = make_root(keys=(entry("a", ("engineering",)), entry("b", ("legal",))))
    assert root.missing({"engineering": 1, "legal": 1}, kids("a", "b"), author) == missing


def test_an_author_of_several_roles_needs_others_for_the_rest() -> None:
    both = ("engineering", "legal")
    root = make_root(keys=(entry("a", both), entry("b", both)))
    demands = {"engineering": 1, "legal": 1}
    assert root.missing(demands, kids("a", "b"), ("a", "engineering")) == []
    assert root.missing(demands, kids("a"), ("a", "engineering")) == ["legal"]


def test_keys_that_are_unknown_or_named_twice_count_for_nothing() -> None:
    root = make_root()
    assert root.missing({"legal": 2}, kids("legal-1", "legal-1", "stranger")) == ["legal"]
    assert root.missing({"legal": 2}, kids("legal-1", "legal-2")) == []


ROLE_SETS = st.lists(st.frozensets(st.sampled_from("xyz"), min_size=1), min_size=1, max_size=5)


@given(ROLE_SETS, st.dictionaries(st.sampled_from("xyz"), st.integers(1, 2), min_size=1))
def test_matching_finds_an_assignment_exactly_when_there_is_one(
    holders: list[frozenset[str]], demands: dict[str, int]
) -> None:
    root = make_root(keys=tuple(entry(str(n), tuple(sorted(r))) for n, r in enumerate(holders)))
    seats = [role for role, count in demands.items() for _ in range(count)]
    possible = len(seats) <= len(holders) and any(
        all(seat in roles for seat, roles in zip(seats, order, strict=False))
        for order in permutations(holders)
    )
    missing = root.missing(demands, root.by_kid)
    assert (missing == []) is possible
    assert set(missing) <= set(demands)


def test_a_row_of_a_product_wins_and_a_type_without_row_is_refused() -> None:
    root = make_root(policy=(*policy(), PolicyRow(type="notice", demands={"legal": 2}, product="lock")))
    assert root.demands("notice", "lock") == {"legal": 2}
    assert root.demands("notice", "thermostat") == NOTICE
    assert root.demands("notice", None) == NOTICE
    for type_ in ("weather", "", "Notice"):
        with pytest.raises(RefusedError) as caught:
            root.demands(type_, "lock")
        assert caught.value.reason is Reason.NO_POLICY_ROW


def test_a_row_only_for_one_product_holds_for_no_other() -> None:
    root = make_root(policy=(PolicyRow(type="patch", demands={"release": 1}, product="lock"),))
    assert root.demands("patch", "lock") == {"release": 1}
    for other in (None, "thermostat"):
        with pytest.raises(RefusedError, match="NO_POLICY_ROW"):
            root.demands("patch", other)


def test_an_emptied_row_of_a_product_does_not_fall_back_to_the_general_one() -> None:
    root = make_root(policy=(*policy(), PolicyRow(type="notice", demands={}, product="lock")))
    with pytest.raises(RefusedError, match="NO_POLICY_ROW"):
        root.demands("notice", "lock")


@pytest.mark.parametrize(
    ("change", "limit"),
    [
        (lambda n: {"keys": tuple(entry(f"k{i}", ("r",)) for i in range(n))}, ROOT_KEYS_MAX),
        (
            lambda n: {"policy": tuple(PolicyRow(type=f"t{i}", demands={"r": 1}) for i in range(n))},
            POLICY_ROWS_MAX,
        ),
        (lambda n: {"keys": (entry("k", tuple(f"r{i}" for i in range(n))),)}, ROLES_MAX),
        (lambda n: {"policy": policy({"t": {f"r{i}": 1 for i in range(n)}})}, ROLES_MAX),
        (lambda n: {"subject": tuple(f"s{i}" for i in range(n))}, 64),
        (lambda n: {"keys": (entry("k", ("r",), "h" * n),)}, 64),
        (lambda n: {"policy": policy({"t": {"r": n}})}, SIGNATURES_MAX),
    ],
)
def test_each_list_of_a_root_is_limited(change: Any, limit: int) -> None:
    for count in (limit - 1, limit, limit + 1):
        data = dump(make_root(**change(count)))
        if count > limit:
            with pytest.raises(RefusedError, match="MALFORMED"):
                load(Root, data, size_max=100_000)
        else:
            load(Root, data, size_max=100_000)


def test_a_row_has_one_form_only() -> None:
    data = dump(PolicyRow(type="t", demands={"r": 1}))
    assert load(PolicyRow, data, size_max=100).product is None
    with pytest.raises(RefusedError):
        load(PolicyRow, b"\xa3" + data[1:] + b"\x03\xf6", size_max=100)
