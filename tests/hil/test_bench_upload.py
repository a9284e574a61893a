"""The benchmark of uploads runs and writes what its readers expect; `make bench` alone judges the figures."""

from __future__ import annotations

import json
from pathlib import Path

from bench import firmware, hil


def test_the_benchmark_writes_its_figure_beside_its_limit(tmp_path: Path) -> None:
    out = tmp_path / "new" / "hil.json"
    code = hil.main(["--runs", "1", "--kib", "4", "--out", str(out)])
    found = json.loads(out.read_text())
    assert code == bool(found["missed"])
    counted = {
        "c_text_bytes": {"at_most": 32_768},
        "c_static_ram_bytes": {"at_most": 8_192},
        "c_stack_bytes": {"at_most": 3_072},
        "c_verify_instructions": {"at_most": 3_000_000},
    }
    limits = {"upload_ratio_smpclient": {"at_least": 1.0}, **({} if firmware.missing() else counted)}
    assert found["limits"] == limits
    assert all(found[name] > 0 for name in limits)
    assert found["upload_ratio_smpclient"] > 0
    assert set(found["kib_per_second"]) == {"smpclient", "tocsin", "tocsin_windowed"}
    assert found["machine"]["versions"]["smpclient"].startswith("7.")
