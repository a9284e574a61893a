"""A list as spreadsheets save it in many countries: the mend says what to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin


@pytest.mark.parametrize(("sign", "named"), [(";", "';'"), ("\t", r"'\t'"), ("|", "'|'")])
def test_another_separator_than_the_comma_is_named(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path, sign: str, named: str
) -> None:
    (tmp_path / "devices.csv").write_text(sign.join(("id", "product", "key")) + "\n")
    ran = tocsin("device", "import", "devices.csv", "-w", workspace.path)
    assert ran.status == 2
    told = f"devices.csv:1: The columns are separated by {named}; a comma is expected."
    assert f"{told} Save it as CSV with commas." in ran.err
