"""A test's folder: readable, bounded, its own."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.plugin.names import CHARACTERS_MAX, folder

SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]+")


@pytest.mark.parametrize(
    ("test", "begins"),
    [
        ("tests/test_boot.py::test_answers", "test_boot-test_answers-"),
        ("test_boot.py::TestCold::test_answers[3.3 V/cold]", "test_boot-TestCold-test_answers-3.3-V-cold-"),
        ("../x.py::test_ü", "x-test_-"),
        ("", "test-"),
    ],
)
def test_a_folder_says_which_test_it_is_of(test: str, begins: str) -> None:
    assert folder(test).startswith(begins)


def test_names_that_look_alike_differ() -> None:
    alike = ["t.py::a[x/y]", "t.py::a[x y]", "t.py::A[x y]", "u/t.py::a[x y]", "t.py::a[x" + "y" * 500 + "]"]
    folders = {folder(name).lower() for name in [*alike, alike[-1] + "2"]}
    assert len(folders) == len(alike) + 1


@given(st.text(max_size=300))
def test_any_name_makes_a_safe_folder(name: str) -> None:
    made = folder(name)
    assert len(made) <= CHARACTERS_MAX
    assert SAFE.fullmatch(made)
