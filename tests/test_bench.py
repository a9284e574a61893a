"""The benchmark runs and writes what its readers expect; what it measures is judged by `make bench` alone."""

from __future__ import annotations

import json

import pytest

from bench import trust
from bench.measure import Limit, Times, Work, alternate, report


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict:
    out = tmp_path_factory.mktemp("bench") / "new" / "trust.json"
    code = trust.main(["--blocks", "1", "--rounds", "1", "--out", str(out)])
    found = json.loads(out.read_text())
    assert code == bool(found["missed"])
    return found


def test_each_figure_is_a_number_with_its_limit_beside_it(written: dict) -> None:
    assert written["limits"] == {
        "verify_overhead_ratio": {"at_most": 1.25},
        "speedup_over_tuf": {"at_least": 3.0},
    }
    assert all(written[name] > 0 for name in written["limits"])


def test_the_content_is_what_the_figures_are_said_to_be_about(written: dict) -> None:
    assert written["content"] == {"signatures": 5, "catalogue_entries": 10, "languages": 9}


def test_every_row_has_its_times_and_sizes(written: dict) -> None:
    rows = [written["ed25519"], *written["for_information"].values()]
    assert set(written["for_information"]) == {"ESP256", "ML_DSA_44"}
    assert set(written["python_tuf"]) == {
        "trusted_set", "trusted_set_dsse", "client", "client_from_a_start",
    }  # fmt: skip
    for row in rows:
        assert min(row["verify_us"]["minimum"], row["signature_checks_us"]["minimum"]) > 0
    for row in (*rows, *written["python_tuf"].values()):
        assert min(row["bytes"].values()) > 0


def test_it_says_on_what_it_ran(written: dict) -> None:
    assert written["machine"]["versions"]["tuf"].startswith("7.")
    assert written["machine"]["python"]


def test_both_works_run_as_often_and_only_prepared_things_reach_them() -> None:
    ran: list[str] = []
    first = Work(lambda word: ran.append(f"a {word}"), lambda: "prepared")
    times = alternate(first, Work(lambda word: ran.append(f"b {word}")), blocks=4, rounds=3)
    assert (len(times.a), len(times.b)) == (4, 4)
    assert ran.count("a prepared") == ran.count("b None") == 3 * (4 + 1)  # one block of each goes before


def test_a_ratio_compares_within_a_block() -> None:
    times = Times((2.0, 20.0, 6.0), (1.0, 10.0, 2.0))
    assert (times.ratio, times.ratio_of_minima) == (2, 2)


@pytest.mark.parametrize(
    ("limit", "figure", "holds"),
    [
        (Limit("x", "x", at_most=1.25), 1.25, True),
        (Limit("x", "x", at_most=1.25), 1.26, False),
        (Limit("x", "x", at_least=3), 3, True),
        (Limit("x", "x", at_least=3), 2.9, False),
    ],
)
def test_a_missed_limit_is_named(
    limit: Limit, figure: float, holds: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report([limit], {"x": figure}) == ([] if holds else ["x"])
    assert ("NOT OK" in capsys.readouterr().out) is not holds
