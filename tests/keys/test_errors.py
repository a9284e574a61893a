from __future__ import annotations

import json
import tomllib
from importlib.resources import files

import pytest

from keys import reasons
from keys.errors import DamagedError, InputError, RefusedError, TocsinError, UnavailableError
from keys.reasons import Reason

WHO = {"nobody", "owner", "operator", "engineer", "attacker"}


def test_every_reason_stands_once_in_the_data_file_with_its_number() -> None:
    table = tomllib.loads(files("keys").joinpath("reasons.toml").read_text(encoding="utf-8"))
    assert {name: row["number"] for name, row in table.items()} == {r.name: r.value for r in Reason}
    assert reasons.table() == table
    assert len({row["number"] for row in table.values()}) == len(table)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_says_what_happened_and_who_acts(reason: Reason) -> None:
    assert reason.means
    assert not reason.means.endswith(".")
    assert reason.who in WHO
    assert 0 <= reason.value <= 255


def test_numbers_of_the_wire_never_change() -> None:
    locked = {"OK": 0, "SUCCESS": 1, "MALFORMED": 20, "THRESHOLD_NOT_MET": 24, "REPLAYED": 27, "REVOKED": 51}
    assert {name: Reason[name].value for name in locked} == locked


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (
            InputError("X", "It is wrong.", mend="Mend it.", where="a.yaml:3"),
            2,
            "a.yaml:3: It is wrong. Mend it.",
        ),
        (
            RefusedError(Reason.EXPIRED, "at 1, now 2"),
            3,
            f"Refused (EXPIRED): {Reason.EXPIRED.means}: at 1, now 2.",
        ),
        (RefusedError(Reason.EXPIRED), 3, f"Refused (EXPIRED): {Reason.EXPIRED.means}."),
        (UnavailableError("X", "It is silent."), 4, "It is silent."),
        (DamagedError("X", "It is torn.", where="store"), 5, "store: It is torn."),
    ],
)
def test_an_error_is_one_line_with_an_exit_status(error: TocsinError, status: int, line: str) -> None:
    assert error.exit_status == status
    assert str(error) == line


def test_an_error_keeps_its_parts_apart() -> None:
    error = InputError("CODE", "It is wrong.", mend="Mend it.", where="a.yaml:3")
    assert (error.code, error.message, error.mend, error.where) == (
        "CODE",
        "It is wrong.",
        "Mend it.",
        "a.yaml:3",
    )
    assert error.args == ("It is wrong.",)
    assert str(error) == "a.yaml:3: It is wrong. Mend it."
    assert str(InputError("CODE", "It is wrong.")) == "It is wrong."


def test_a_refusal_carries_its_reason_and_says_it() -> None:
    means = Reason.EXPIRED.means
    error = RefusedError(Reason.EXPIRED, "at 1", where="a.cbor")
    assert (error.reason, error.code, error.detail, error.where) == (
        Reason.EXPIRED,
        "EXPIRED",
        "at 1",
        "a.cbor",
    )
    assert str(error) == f"a.cbor: Refused (EXPIRED): {means}: at 1."
    assert error.args == (f"Refused (EXPIRED): {means}: at 1.",)
    assert str(RefusedError(Reason.EXPIRED)) == f"Refused (EXPIRED): {means}."
    assert RefusedError(Reason.EXPIRED).detail == ""


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        ("", ""),
        ("plain", "plain"),
        ("y" * 200, "y" * 200),
        ("y" * 201, "y" * 200 + "..."),
        ("y" * 1_000, "y" * 200 + "..."),
        ("a\x1b[2J", "a\\x1b[2J"),
        ("a\nb", "a\\x0ab"),
        ("\u202e", "\\x202e"),
        ("\n" * 100, "\\x0a" * 50 + "..."),
    ],
)
def test_a_detail_is_one_short_line(detail: str, shown: str) -> None:
    assert RefusedError(Reason.MALFORMED, detail).detail == shown


def test_what_an_attacker_wrote_is_cut_and_escaped() -> None:
    error = RefusedError(Reason.WRONG_TYPE, "body says \x1b[2J\nroot\u202e" + "x" * 1_000)
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)
    assert "\u202e" not in str(error)
    assert len(error.detail) < 210
    assert json.dumps(error.detail)
