"""The benchmark of checks and import runs and writes what its readers expect; ``make bench`` judges it."""

from __future__ import annotations

import json
from pathlib import Path

from bench import advisories


def test_each_figure_is_a_number_with_its_limit_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "new" / "advisories.json"
    code = advisories.main(["--rounds", "1", "--out", str(out)])
    found = json.loads(out.read_text())
    assert code == bool(found["missed"])
    assert found["limits"] == {
        "checks_largest_s": {"at_most": 1.0},
        "checks_largest_first_s": {"at_most": 1.0},
        "csaf_import_1000": {"at_most": 5.0},
    }
    assert all(found[name] > 0 for name in found["limits"])
    assert found["content"]["languages"] == 9
    assert found["content"]["rules"] > 60
