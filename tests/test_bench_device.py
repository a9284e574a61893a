"""The device's benchmark runs and writes what its readers expect; what it measures is judged by `make bench`."""

from __future__ import annotations

import json

import pytest

from bench import device


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict:
    out = tmp_path_factory.mktemp("bench") / "new" / "device.json"
    few = ["--blocks", "1", "--rounds", "1", "--devices", "2", "--pairs", "2", "--mib", "1"]
    code = device.main([*few, "--out", str(out)])
    found = json.loads(out.read_text())
    assert code == bool(found["missed"])
    return found


def test_each_figure_is_a_number_with_its_limit_beside_it(written: dict) -> None:
    assert written["limits"] == {
        "suit_verify_overhead_ratio": {"at_most": 1.3},
        "core_bytes_per_device": {"at_most": 16_384},
        "download_ratio_curl": {"at_least": 0.7},
    }
    assert all(written[name] > 0 for name in written["limits"])


def test_every_row_of_manifests_has_its_times_sizes_and_languages(written: dict) -> None:
    rows = written["suit"]
    assert [(name, row["languages"]) for name, row in rows.items()] == [
        ("ED25519", 9),
        ("ESP256", 9),
        ("ESP256+ML_DSA_44", 9),
        ("ED25519 (one language)", 1),
    ]
    for row in rows.values():
        assert min(row["open_us"]["minimum"], row["checks_us"]["minimum"]) > 0
        assert row["bytes"]["envelope"] > row["bytes"]["manifest"] + row["bytes"]["severed"]


def test_both_brought_the_same_file_as_often(written: dict) -> None:
    row = written["download"]
    assert (row["bytes"], len(row["ratios"])) == (1 << 20, 2)
    assert min(row["curl_s"]["minimum"], row["device_s"]["minimum"]) > 0
    assert row["curl"][0].isdigit()


def test_what_is_for_information_is_there(written: dict) -> None:
    assert min(written["for_information"].values()) > 0
    assert written["machine"]["versions"]["cryptography"]
