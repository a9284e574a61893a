"""The threat model names a test for each threat, and each of those tests is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.keys.threats.attack import Threat

HERE = Path(__file__).parent
MODEL = (HERE.parents[2] / "docs" / "threat-model.md").read_text(encoding="utf-8")
ROWS = [line.split(" | ") for line in MODEL.splitlines() if line.startswith("| ") and ".py::" in line]
FOLDERS = (HERE, HERE.parents[1] / "device_sim", HERE.parents[1] / "gateway" / "evidence")


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_row_names_tests_that_exist() -> None:
    assert len(ROWS) >= 15
    for threat, _, named in ROWS:
        found = re.findall(r"`([\w/]*test_\w+\.py)::(test_\w+)`", named)
        assert found, threat
        for file, name in found:
            path = next((folder / file for folder in FOLDERS if (folder / file).exists()), HERE / file)
            assert name in names_in(path), (threat, name)


def test_every_threat_of_the_table_has_a_row() -> None:
    documented = {threat.removeprefix("| ") for threat, _, _ in ROWS}
    assert {value for name, value in vars(Threat).items() if name.isupper()} <= documented
