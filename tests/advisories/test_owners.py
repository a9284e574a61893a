"""Every part of the facts has one owner."""

from __future__ import annotations

import pytest

from advisories.facts import Facts
from advisories.owners import APPROVERS, OWNERS, owner
from keys.root import DEFAULT_POLICY


def test_every_field_of_the_facts_has_an_owner() -> None:
    assert {path for path in OWNERS if "." not in path} == set(Facts.model_fields)


def test_owners_are_the_roles_that_sign_a_notice() -> None:
    assert set(OWNERS.values()) == set(APPROVERS) == set(DEFAULT_POLICY["notice"])


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("texts", "communications"),
        ("texts.de.title", "communications"),
        ("data", "legal"),
        ("data.status", "legal"),
        ("data.types", "engineering"),
        ("data.types.0", "engineering"),
        ("products.thermostat.affected", "engineering"),
        ("legal.statements.0", "legal"),
    ],
)
def test_what_lies_below_belongs_with_it(path: str, role: str) -> None:
    assert owner(path) == role


@pytest.mark.parametrize("path", ["", "texte", "texts2.de"])
def test_a_path_of_no_file_has_no_owner(path: str) -> None:
    with pytest.raises(KeyError):
        owner(path)
