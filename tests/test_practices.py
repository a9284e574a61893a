"""docs/practices.toml names what exists: rules, commands, files, and tests that are there to fail."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from advisories.checks import RULES
from advisories.checks.explain import practices
from gateway.cli.app import make as tocsin

ROOT = Path(__file__).parents[1]
Rows = dict[str, dict[str, list[str]]]
_COUNT = 57
_KEYS = {"rules", "commands", "places", "tests"}
_TOCSIN = typer.main.get_command(tocsin())


@cache
def functions(file: str) -> frozenset[str]:
    """Names of the test functions of a module, and of the methods of its test classes."""
    path = ROOT / file
    tree = ast.parse(path.read_text("utf-8")) if path.is_file() else ast.Module([], [])
    found = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in found if node.name.startswith("test_"))


def is_command(words: str) -> bool:
    level: Any = _TOCSIN
    for word in words.split():
        level = getattr(level, "commands", {}).get(word)
    return level is not None and not hasattr(level, "commands")


def is_test(name: str) -> bool:
    file, _, function = name.partition("::")
    return function in functions(file)


def faults(rows: Rows, proof: str) -> Iterable[str]:
    """Everything that the table says and that is not so."""
    if sorted(rows, key=int) != [str(number) for number in range(1, _COUNT + 1)]:
        yield "the numbers are not 1 to 57"
    if not is_test(proof):
        yield f"there is no test {proof}"
    for number, row in rows.items():
        if unknown := set(row) - _KEYS:
            yield f"{number}: unknown keys {unknown}"
        rules = set(row.get("rules", []))
        if rules != {rule.name for rule in RULES.values() if rule.practice == int(number)}:
            yield f"{number}: its rules are others than {sorted(rules)}"
        acts = [*rules, *row.get("commands", []), *row.get("places", [])]
        if not acts:
            yield f"{number}: nothing acts on it"
        if not rules and not row.get("tests"):
            yield f"{number}: no test proves it"
        yield from (
            f"{number}: there is no command {name}"
            for name in row.get("commands", [])
            if not is_command(name)
        )
        yield from (
            f"{number}: there is no file {name}"
            for name in row.get("places", [])
            if not (ROOT / name).is_file()
        )
        yield from (
            f"{number}: there is no test {name}" for name in row.get("tests", []) if not is_test(name)
        )


@pytest.fixture
def table() -> dict[str, Any]:
    return tomllib.loads((ROOT / "docs" / "practices.toml").read_text("utf-8"))


def test_the_table_says_what_is_so(table: dict[str, Any]) -> None:
    proof = table.pop("rules_proved_by")
    assert list(faults(table, proof)) == []
    assert list(practices()) == [int(number) for number in table]


def _broken(number: str, **parts: list[str] | None) -> Any:
    def change(table: dict[str, Any]) -> None:
        row = {**table[number], **parts}
        table[number] = {key: value for key, value in row.items() if value is not None}

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda table: table.pop("31"), "the numbers are not 1 to 57"),
        (lambda table: table.update({"58": {"places": ["README.md"], "tests": []}}), "the numbers are not"),
        (_broken("31", rules=[]), "31: its rules are others"),
        (_broken("31", rules=["jargon", "no-such-rule"]), "31: its rules are others"),
        (_broken("31", rules=["jargon", "login-link"]), "31: its rules are others"),
        (_broken("21", commands=["clocks"]), "21: there is no command clocks"),
        (_broken("21", commands=["clocks shw"]), "21: there is no command clocks shw"),
        (_broken("21", commands=["clocks show more"]), "21: there is no command clocks show more"),
        (_broken("21", places=["advisories/clocks"]), "21: there is no file advisories/clocks"),
        (_broken("21", tests=["tests/test_practices.py::test_x"]), "21: there is no test"),
        (_broken("21", tests=["tests/test_none.py::test_x"]), "21: there is no test"),
        (_broken("21", tests=["tests/test_practices.py::functions"]), "21: there is no test"),
        (_broken("21", tests=[]), "21: no test proves it"),
        (_broken("21", commands=None, places=None), "21: nothing acts on it"),
        (_broken("21", words=["a"]), "21: unknown keys"),
    ],
)
def test_a_row_that_is_not_so_is_found(table: dict[str, Any], change: Any, told: str) -> None:
    proof = table.pop("rules_proved_by")
    change(table)
    assert [fault for fault in faults(table, proof) if fault.startswith(told)]
    assert len(list(faults(table, proof))) <= 2


def test_the_test_of_all_rules_has_to_be_there(table: dict[str, Any]) -> None:
    del table["rules_proved_by"]
    assert list(faults(table, "tests/advisories/checks/test_faults.py::test_x")) == [
        "there is no test tests/advisories/checks/test_faults.py::test_x"
    ]
