"""A faults file is read strictly: what is wrong in it is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.wire.plan import PARAMETERS, RULES_MAX, FaultKind, FaultPlan
from hil.wire.record import Direction
from keys.errors import InputError

TO, FROM = Direction.TO_BOARD, Direction.FROM_BOARD

GOOD = """
[[fault]]
kind = "drop"
probability = 0.02
direction = "to-board"

[[fault]]
kind = "delay"
seconds = 0.5
at = ["frame 2 of notifier.submit", "line 4"]
"""


def test_a_plan_is_read_as_it_is_written() -> None:
    plan = FaultPlan.from_toml(GOOD)
    drop, delay = plan.rules
    assert (drop.kind, drop.probability, drop.directions) == (FaultKind.DROP, 0.02, {TO})
    assert (delay.directions, delay.values) == ({TO, FROM}, {"seconds": 0.5})
    assert [(one.frame, one.number, one.command) for one in delay.places] == [
        (True, 2, "notifier.submit"),
        (False, 4, None),
    ]
    assert FaultPlan.from_toml("") == FaultPlan.of() == FaultPlan()


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[[fault]\n", 1, "not TOML"),
        ("a = 1\n[[fault]\n", 2, "not TOML"),
        ("a = " + "9" * 5000, None, "not TOML"),
        ("[[faults]]\n", 1, "Did you mean 'fault'?"),
        ("x = 1", 1, "Known: fault."),
        ("fault = 3", 1, "no list"),
        ("\n[fault]\nkind = 'drop'", 2, "no list"),
        ("[[fault]]\nkind = 'dorp'\nprobability = 1", 2, "Did you mean 'drop'?"),
        ("[[fault]]\nprobability = 1", 1, "'kind' is missing"),
        ("[[fault]]\nkind = 3\nprobability = 1", 2, "'3' is no kind"),
        (
            "[[fault]]\nkind = 'drop'\nat = 'frame 1'\n[[fault]]\nkind = 'drop'\nprobabilty = 1",
            6,
            "'probability'?",
        ),
        ("[[fault]]\nkind = 'drop'\nprobability = 1\nseconds = 2", 4, "'seconds' is unknown in a drop"),
        ("[[fault]]\nkind = 'drop'", 1, "'probability' or 'at'"),
        ("[[fault]]\nkind = 'drop'\nprobability = 1\nat = 'frame 1'", 3, "'probability' or 'at'"),
        ("[[fault]]\nkind = 'drop'\nprobability = 1.01", 3, "from 0 to 1"),
        ("[[fault]]\nkind = 'drop'\nprobability = -0.01", 3, "from 0 to 1"),
        ("[[fault]]\nkind = 'drop'\nprobability = true", 3, "from 0 to 1"),
        ("[[fault]]\nkind = 'drop'\nprobability = nan", 3, "from 0 to 1"),
        ("[[fault]]\nkind = 'drop'\nprobability = inf", 3, "from 0 to 1"),
        ("[[fault]]\nkind = 'drop'\nprobability = 1\ndirection = 'to_board'", 4, "Did you mean 'to-board'?"),
        ("[[fault]]\nkind = 'drop'\nat = 'frame 0'", 3, "no place"),
        ("[[fault]]\nkind = 'drop'\nat = 'line 2 of img.upload'", 3, "no place"),
        ("[[fault]]\nkind = 'drop'\nat = []", 3, "no place"),
        ("[[fault]]\nkind = 'drop'\nat = ['frame 1', 7]", 3, "no place"),
        ("[[fault]]\nkind = 'drop'\nat = 'frame 2 of img.uplaod'", 3, "Did you mean 'img.upload'?"),
        ("[[fault]]\nkind = 'flip'\nprobability = 1\nbits = 1.5", 4, "whole number from 1 to 64"),
        ("[[fault]]\nkind = 'flip'\nprobability = 1\nbits = inf", 4, "whole number from 1 to 64"),
        ("[[fault]]\nkind = 'log_line'\nprobability = 1\ntext = ''", 4, "1 to 512 characters"),
        ("[[fault]]\nkind = 'log_line'\nprobability = 1\ntext = 5", 4, "1 to 512 characters"),
        ("#" * 65_537, None, "too large"),
    ],
)
def test_what_is_wrong_in_a_plan_is_named_with_its_line(text: str, line: int | None, says: str) -> None:
    with pytest.raises(InputError) as caught:
        FaultPlan.from_toml(text, "f.toml")
    assert caught.value.code == "FAULTS_FILE"
    assert says in str(caught.value)
    assert caught.value.where == ("f.toml" if line is None else f"f.toml:{line}")
    assert caught.value.mend


@pytest.mark.parametrize("kind", list(FaultKind))
def test_numbers_are_taken_to_their_bounds_and_not_beyond(kind: FaultKind) -> None:
    for name, number in PARAMETERS.get(kind, {}).items():
        step = 1 if number.whole else 0.001
        for value, good in (
            (number.low, True),
            (number.high, True),
            (number.low - step, False),
            (number.high + step, False),
        ):
            table = {"kind": str(kind), "probability": 1, name: value}
            if good:
                (rule,) = FaultPlan.of(table).rules
                assert rule.values[name] == value
            else:
                with pytest.raises(InputError):
                    FaultPlan.of(table)


def test_a_plan_has_an_end() -> None:
    table = {"kind": "drop", "probability": 0}
    assert len(FaultPlan.of(*[table] * RULES_MAX).rules) == RULES_MAX
    with pytest.raises(InputError, match="too many"):
        FaultPlan.of(*[table] * (RULES_MAX + 1))


@given(st.text(max_size=200))
def test_any_text_is_a_plan_or_is_refused(text: str) -> None:
    try:
        FaultPlan.from_toml(text, "f.toml")
    except InputError as error:
        assert error.code == "FAULTS_FILE"  # noqa: PT017 - any other error fails the test


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read") as caught:
        FaultPlan.load(tmp_path / "none.toml")
    assert caught.value.code == "FILE"
    (tmp_path / "latin").write_bytes(b"# \xe9")
    with pytest.raises(InputError, match="no UTF-8"):
        FaultPlan.load(tmp_path / "latin")
    (tmp_path / "good.toml").write_text(GOOD)
    assert len(FaultPlan.load(tmp_path / "good.toml").rules) == 2
