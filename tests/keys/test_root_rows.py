"""Which row a document must meet, and who could ever see it met."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keys.algorithms import UNDECLARED, VERIFIED, Algorithm
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import DEFAULT_POLICY, PolicyRow, Root, RootKey, checked
from tests.helpers import key, make_fleet, make_root, notice, policy, root_keys

STRICT = PolicyRow(type="notice", product="thermostat", demands={"engineering": 2, "legal": 1})
LAX = PolicyRow(type="notice", product="lamp", demands={"engineering": 1, "communications": 1})


def with_rows(*rows: PolicyRow) -> Root:
    return checked(make_root(policy=(*policy(), *rows)))


def test_a_document_about_two_products_meets_the_higher_threshold_of_each_role() -> None:
    root = with_rows(STRICT, LAX)
    fleet = make_fleet(policy=root.policy)
    for products in (("thermostat", "lamp"), ("lamp", "thermostat")):
        body = notice(fleet, subject=products)
        assert root.demanded(body, None) == {"engineering": 2, "legal": 1, "communications": 1}
    assert root.demanded(notice(fleet, subject=("lamp", "oven")), None) == dict(DEFAULT_POLICY["notice"])
    assert root.demanded(notice(fleet, subject=()), None) == dict(DEFAULT_POLICY["notice"])


def test_a_reader_with_a_product_goes_by_its_row_alone() -> None:
    root = with_rows(STRICT, LAX)
    body = notice(make_fleet(), subject=("thermostat", "lamp"))
    assert root.demanded(body, "lamp") == LAX.demands
    assert root.demanded(body, "thermostat") == STRICT.demands
    assert root.demanded(body, "oven") == dict(DEFAULT_POLICY["notice"])


def one_more(role: str) -> tuple[RootKey, ...]:
    """One more holder of a role, whose key is ML-DSA."""
    public = key(f"{role}-pq", Algorithm.ML_DSA_44).public
    return (RootKey(key=public, roles=(role,), holder=f"{role}-pq"),)


def test_a_row_is_readable_for_whom_enough_of_its_keys_can_be_verified() -> None:
    root = with_rows(LAX)
    assert root.unreadable("notice", None, UNDECLARED) == []
    assert root.unreadable("notice", None, VERIFIED) == []
    assert root.unreadable("notice", "lamp", UNDECLARED) == []
    assert root.unreadable("notice", None, ()) == ["communications", "engineering", "legal"]
    assert root.unreadable("notice", "lamp", ()) == ["communications", "engineering"]


def test_a_row_is_unreadable_by_each_role_that_lacks_a_key_of_the_readers_algorithms() -> None:
    extra = PolicyRow(type="patch", product="lamp", demands={"release": 1, "security": 2})
    root = with_rows(LAX)
    root = checked(replace(root, keys=(*root_keys(), *one_more("security")), policy=(*root.policy, extra)))
    assert root.unreadable("patch", None, UNDECLARED) == []
    assert root.unreadable("patch", "lamp", UNDECLARED) == ["security"]
    assert root.unreadable("patch", "lamp", VERIFIED) == []
    assert root.unreadable("patch", "lamp", {Algorithm.ML_DSA_44}) == ["release", "security"]


def test_what_has_no_row_is_neither_readable_nor_not() -> None:
    with pytest.raises(RefusedError) as caught:
        make_root().unreadable("recipe", None, VERIFIED)
    assert caught.value.reason is Reason.NO_POLICY_ROW


def test_answers_about_holders_take_no_more_room_with_time_and_are_nobodys_to_change() -> None:
    root = make_root()
    demands = {"legal": 1}
    kids = [entry.key.thumbprint for entry in root.keys if "legal" in entry.roles]
    first = root.missing(demands, [])
    first.append("nonsense")
    assert root.missing(demands, []) == ["legal"]
    for number in range(600):
        assert root.missing(demands, [number.to_bytes(32)]) == ["legal"]
        assert len(root._answers) <= 256
    assert root.missing(demands, kids) == []
    assert root.missing({"legal": 3}, kids) == ["legal"]


@pytest.mark.parametrize(("demanded", "valid"), [(16, True), (17, False)])
def test_a_row_demands_at_most_as_many_signatures_as_a_document_holds(demanded: int, valid: bool) -> None:
    names = tuple(f"legal-{number}" for number in range(demanded))
    holders = {"root": ("root-1", "root-2", "root-3"), "legal": names}
    rows = policy({"root": {"root": 2}, "publication": {"legal": demanded}})
    root = make_root(keys=root_keys(holders), policy=rows)
    if valid:
        assert checked(root) is root
    else:
        with pytest.raises(RefusedError, match="more than 16 signatures"):
            checked(root)
