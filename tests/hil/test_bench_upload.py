"""The benchmark of uploads runs and writes what its readers expect; `make bench` alone judges the figures."""

from __future__ import annotations

import json
from pathlib import Path

from bench import hil


def test_the_benchmark_writes_its_figure_beside_its_limit(tmp_path: Path) -> None:
    out = tmp_path / "new" / "hil.json"
    code = hil.main(["--runs", "1", "--kib", "4", "--out", str(out)])
    found = json.loads(out.read_text())
    assert code == bool(found["missed"])
    assert found["limits"] == {"upload_ratio_smpclient": {"at_least": 1.0}}
    assert found["upload_ratio_smpclient"] > 0
    assert set(found["kib_per_second"]) == {"smpclient", "tocsin", "tocsin_windowed"}
    assert found["machine"]["versions"]["smpclient"].startswith("7.")
