"""``tocsin status`` and ``tocsin followup`` as JSON and as files, and what they refuse."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin
from tests.gateway.funnel.untold_scene import ID, make_scene

DAYS = 5 * 86_400


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_scene(tmp_path, int(time.time()) - DAYS)


@pytest.fixture
def ask(tocsin: Tocsin, workspace: Workspace) -> Any:
    def run(*arguments: str | Path) -> Any:
        return tocsin(*arguments, "--json", "--workspace", workspace.path).json

    return run


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_status_tells_apart_what_is_asked(ask: Any) -> None:
    (found,) = ask("status", ID, "--by", "language, account")["status"]["advisories"]
    assert found["total"]["counts"]["not_told"] == 7
    assert found["total"]["percents"]["not_told"] == 87.5
    assert [(part["language"], part["account"], part["counts"]["devices"]) for part in found["slices"]] == [
        ("", "", 1),
        ("", "north", 3),
        ("en", "", 5),
        ("en", "south", 1),
    ]
    assert {part["region"] for part in found["slices"]} == {None}
    mine = ask("status", "--account", "north")["status"]
    assert (mine["devices"], mine["unreachable"], mine["rollouts"], mine["served"]) == (1, 2, [], {})
    assert found["seconds_p50"] == 60.0


def test_pages_of_silent_devices_lead_to_all_of_them(ask: Any, tocsin: Tocsin, workspace: Workspace) -> None:
    first = ask("status", "--silent", "--limit", "1")["silent"]
    second = ask("status", "--silent", "--limit", "1", "--after", first["next"])["silent"]
    devices = [row["device"] for page in (first, second) for row in page["items"]]
    assert (devices, second["next"]) == (["never", "gone"], "")
    words = tocsin("status", "--silent", "--limit", "1", "--workspace", workspace.path).out
    assert f"--after {first['next']}" in words
    early = tocsin("status", ID, "--silent", "--hours", "8000", "--workspace", workspace.path).out
    assert "No affected device is silent." in early
    assert "less than 8000 hours ago" in early


def test_lists_are_written_whole_and_for_spreadsheets(ask: Any, workspace: Workspace, tmp_path: Path) -> None:
    letters, silent, followups = (tmp_path / name for name in ("letters.csv", "silent.csv", "followups.csv"))
    assert ask("status", ID, "--letters", letters)["devices"] == 7
    assert ask("status", "--silent", "--csv", silent)["devices"] == 2
    note = "=1+1, and more"
    ask(
        "followup", "done", ID, "gone", "--outcome", "wrong-contact", "--note", note, "--by", "exercise-legal"
    )
    assert ask("followup", "list", "--csv", followups)["followups"] == 1
    assert {path.stat().st_mode & 0o777 for path in (letters, silent, followups)} == {
        0o600
    }  # people stand there
    rows = read(letters)
    assert {row["name"] for row in rows} == {"", "'=North"}
    assert {row["phone"] for row in rows} == {"", "'+49 30 0000000"}
    assert [row["last report"] != "" for row in read(silent)] == [False, True]
    (row,) = read(followups)
    assert (row["outcome"], row["note"]) == ("wrong-contact", f"'{note}")


def test_a_rehearsal_follows_nobody_up(ask: Any, tocsin: Tocsin, workspace: Workspace) -> None:
    taken = ask("followup", "take", ID, "gone", "--owner", "exercise-legal", "--dry-run")
    assert [row["owner"] for row in taken["followups"]] == ["exercise-legal"]
    assert ask("followup", "list") == {"followups": {"items": [], "next": ""}}
    assert "no such follow-up" in tocsin("followup", "list", "--workspace", workspace.path).out
    ask("followup", "take", ID, "gone", "led", "--by", "exercise-operator")
    listed = tocsin("followup", "list", "--limit", "1", "--workspace", workspace.path).out
    assert f"--after {ID}/gone" in listed


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("status", "EX-2026-9999"), "ADVISORY_UNKNOWN"),
        (("status", "--letters", "letters.csv"), "NO_ADVISORY"),
        (("status", ID, "--by", "colour"), "BAD_VALUE"),
        (("status", "--silent", "--after", "nowhere/2/x"), None),
        (("status", "--silent", "--after", f"{ID}/1/x/y"), "BAD_VALUE"),
        (("status", ID, "--letters", "/dev/null/x.csv"), "FILE"),
        (("followup", "take", ID, "nobody"), "NO_DEVICE"),
    ],
)
def test_what_is_refused(ask: Any, arguments: tuple[str, ...], code: str | None) -> None:
    found = ask(*arguments)
    assert found.get("error", {}).get("code") == code


def test_an_account_is_shown_its_own_letters_only(ask: Any, tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    assert ask("status", ID, "--letters", file, "--account", "south")["devices"] == 1
    assert [row["device"] for row in read(file)] == ["gone"]
