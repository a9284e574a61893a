"""The example advisory and its text, for every test of the room."""

from pathlib import Path

import pytest

from advisories.facts import Facts, load_facts

EXAMPLE = Path(__file__).parents[2] / "examples" / "advisories" / "EX-2026-0001.yaml"


@pytest.fixture(scope="session")
def example_yaml() -> str:
    return EXAMPLE.read_text("utf-8")


@pytest.fixture(scope="session")
def example(example_yaml: str) -> Facts:
    return load_facts(example_yaml, where=EXAMPLE.name)
