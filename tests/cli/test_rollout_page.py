"""The page on rollouts is run word for word, and everything else that the commands of a rollout say."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from advisories import mcuboot
from gateway.operations import patches
from gateway.store import audit
from gateway.workspace.folder import Workspace
from tests.cli.conftest import Ran, Tocsin, no_passphrase
from tests.pages import ROOT, Step, pattern_of, read_steps

PAGE = ROOT / "docs" / "how-to" / "roll-out-a-patch.md"


@pytest.fixture
def published(workspace: Workspace) -> Workspace:
    """A workspace with two published patches of thermostats."""
    image = workspace.path / "firmware.bin"
    for number, version in enumerate(((1, 4, 2, 0), (1, 4, 3, 0))):
        now = int(time.time()) + number
        image.write_bytes(mcuboot.pack(bytes([number]) * 4_000, version, security_counter=1))
        made = patches.add(workspace, "thermostat", image, now=now, texts={"en": "Closes a hole."})
        reference = str(made.patch.sequence)
        for role in ("release", "security"):
            patches.approve(
                workspace, reference, role, no_passphrase, digest=made.patch.digest, now=now, by="exercise"
            )
        patches.publish(workspace, reference, workspace.signer("operator", no_passphrase), now=now)
    return workspace


def run(step: Step, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch) -> str:
    program, *arguments = shlex.split(step.command)
    if program == "tocsin":
        ran = tocsin(*arguments)
        return ran.out + ran.err
    if program == "export":
        monkeypatch.setenv(*arguments[0].split("="))
        return ""
    return subprocess.run(["bash", "-c", step.command], capture_output=True, text=True, check=True).stdout


def test_every_command_of_the_page_prints_what_the_page_says(
    published: Workspace, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert published.path.name == "fleet"
    steps = read_steps(PAGE.read_text(encoding="utf-8"))
    assert len(steps) >= 20
    for step in steps:
        printed = run(step, tocsin, monkeypatch)
        wanted = pattern_of(step.expected)
        assert wanted.fullmatch(printed), f"{PAGE.name}:{step.line}: $ {step.command}\n{printed}"


def code_of(ran: Ran) -> str:
    """The code of the error that a command ended with."""
    found: str = json.loads(ran.out or ran.err)["error"]["code"]
    return found


def create(tocsin: Tocsin, *options: str) -> Ran:
    return tocsin("rollout", "create", "--patch", "thermostat@1.4.2", "--by", "ann", "-w", "fleet", *options)


BAD: list[tuple[tuple[str, ...], str]] = [
    (("--group", "ten %"), "SELECTION"),
    (("--group", "0"), "ROLLOUT_PLAN"),
    (("--group", "50 %", "--group", "40 %"), "ROLLOUT_PLAN"),
    (("--where", "region ="), "SELECTION"),
    (("--where", "filter = none"), "FILTER_UNKNOWN"),
    (("--where", "region = XX"), "NO_DEVICES"),
    (("--soak", "long"), "BAD_VALUE"),
    (("--on-failure", "panic"), "ROLLOUT_PLAN"),
    (("--on-failure", "return"), "ROLLOUT_PLAN"),
    (("--return-to", "thermostat@9.9.9"), "NO_PATCH"),
    (("--window", "someday 02:00-03:00"), "BAD_VALUE"),
    (("--window", "daily 2-3"), "BAD_VALUE"),
    (("--window", "daily 02:00-29:00"), "BAD_VALUE"),
    (("--window", "daily 02:00-24:30"), "BAD_VALUE"),
    (("--window", "2020-01-01T00:00:00Z/2020-01-02T00:00:00Z"), "ROLLOUT_PLAN"),
    (("--window", "2030-01-01T00:00:00Z/never"), "BAD_VALUE"),
    (("--window", "daily 02:00-03:00", "--window", "1d/2d"), "BAD_VALUE"),
    (("--window", "daily 02:00-03:00", "--zone", "Nowhere/At_All"), "ROLLOUT_PLAN"),
    (("--retry", "often"), "BAD_VALUE"),
    (("--retry", "luck=3"), "ROLLOUT_PLAN"),
    (("--rate", "0"), "ROLLOUT_PLAN"),
    (("--days", "0"), "ROLLOUT_PLAN"),
    (("--plan", "missing.toml"), "FILE_MISSING"),
    (("--plan", "odd.toml"), "ROLLOUT_PLAN"),
    (("--plan", "broken.toml"), "BAD_TOML"),
    (("--plan", "number.toml"), "ROLLOUT_PLAN"),
    (("--plan", "back.toml"), "ROLLOUT_PLAN"),
    (("--plan", "former.toml"), "ROLLOUT_PLAN"),
    (("--plan", "deep.toml"), "BAD_TOML"),
    (("--by", " ", "--approval"), "NO_NAME"),
    (("--name", "a/b"), "ROLLOUT_ID"),
]


def test_bad_options_are_refused_with_one_sentence_and_leave_nothing(
    published: Workspace, tocsin: Tocsin
) -> None:
    Path("odd.toml").write_text("percents = [1]\n", encoding="utf-8")
    Path("broken.toml").write_text("groups = [", encoding="utf-8")
    Path("number.toml").write_text("groups = 5\n", encoding="utf-8")
    Path("back.toml").write_text("back = 5\n[[groups]]\n", encoding="utf-8")
    Path("deep.toml").write_text(f"where = {'[' * 3_000}{']' * 3_000}\n", encoding="utf-8")
    former = 'percents = "a"\nsuccess_percent = "b"\nfailure_percent = 1\nfailure_minimum = 2\n'
    Path("former.toml").write_text(f"{former}deadline = 4\nwindow = 5\nask = 6\n", encoding="utf-8")
    for options, code in BAD:
        ran = create(tocsin, *options, "--json")
        assert (code_of(ran), ran.status != 0) == (code, True), options
        assert "Traceback" not in ran.err
    assert "No rollout yet" in tocsin("rollout", "list", "-w", published.path).out


def test_what_somebody_approves_is_shown_whole_and_in_lines_of_its_own(
    published: Workspace, tocsin: Tocsin
) -> None:
    """Neither what a plan leaves out nor the name of its author can make it look like another one."""
    Path("plan.toml").write_text(
        'where = "not region = \'X\'"\nshare = 50\nask = true\nstarts = 1\njitter = 60\nzone = "Asia/Tokyo"\n'
        "windows = [{start = 125, minutes = 30, days = [0, 6]}, {start = 0, minutes = 5}]\n"
        "[gates.success]\nminimum = 1\n[[groups]]\nopens = 60\n",
        encoding="utf-8",
    )
    author = "ann, approved by ben\nplan 0 by \x1b[2Kcy"
    create(tocsin, "--plan", "plan.toml", "--name", "whole", "--approval", "--by", author)
    lines = tocsin("rollout", "show", "whole", "-w", "fleet", env={"COLUMNS": "300"}).out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("plan "))
    assert lines[start].endswith(r"by ann, approved by ben\nplan 0 by \x1b[2Kcy, approved by -")
    for wanted in (
        "devices: not region = 'X'",
        "  50 % of those",
        "owners are asked, also those who agreed beforehand",
        "from group 1: 90 % patched, at least 1 -> next",
        "starts: 1970-01-01 00:00:01 UTC at the soonest",
        "group 1 opens 60 s after the start at the soonest",
        "window: mon,sun 02:05 for 30 minutes, Asia/Tokyo",
        "window: daily 00:00 for 5 minutes, Asia/Tokyo",
        "jitter: up to 60 s",
    ):
        assert wanted in lines[start + 1 :], lines
    for group in ("0", "2", "9" * 30):
        ran = tocsin("rollout", "devices", "whole", "--group", group, "-w", "fleet", "--json")
        assert code_of(ran) == "GROUP_UNKNOWN"


def test_a_rehearsal_says_when_and_changes_nothing(published: Workspace, tocsin: Tocsin) -> None:
    starts = "2040-01-01T00:00:00Z"
    ran = create(
        tocsin, "--group", "1", "--group", "rest", "--rate", "1", "--soak", "2h", "--starts", starts,
        "--days", "5000", "--dry-run", "--json",
    )  # fmt: skip
    assert ran.status == 2, "a deadline is within a year"
    ran = create(
        tocsin, "--group", "1", "--group", "rest", "--rate", "1", "--soak", "2h", "--dry-run", "--json"
    )
    found = ran.json["rehearsal"]
    first, second = found["groups"]
    assert (first["devices"], second["devices"]) == (1, 1)
    assert first["offered_last"] == first["offered_first"]
    assert second["offered_first"] == first["offered_last"] + 7_200
    assert found["selected"] == {"devices": 2, "invalid": 0, "unreachable": 0}
    assert found["approval"] is False
    with published.store() as store, store.read() as session:
        assert "rollout.created" not in {row.kind for row in audit.rows(session)}


def test_a_plan_of_a_real_fleet_waits_for_another_person(published: Workspace, tocsin: Tocsin) -> None:
    settings = published.path / "tocsin.toml"
    settings.write_text(settings.read_text().replace("exercise = true", "exercise = false"), encoding="utf-8")
    started = tocsin(
        "rollout", "start", "--patch", "thermostat@1.4.2", "--by", "ann", "-w", "fleet", "--json"
    )
    assert started.json["rollout"]["state"] == "waiting_for_approval"
    name = started.json["rollout"]["id"]
    assert code_of(tocsin("rollout", "start", name, "-w", "fleet", "--json")) == "ROLLOUT_STATE"
    digest = started.json["rollout"]["digest"]
    wrong = tocsin("rollout", "approve", name, "--by", "ben", "--plan", "0", "-w", "fleet", "--json")
    assert code_of(wrong) == "PLAN_DIFFERS"
    rehearsed = tocsin(
        "rollout", "approve", name, "--by", "ben", "--plan", digest, "--dry-run", "-w", "fleet"
    )
    assert "would be approved" in rehearsed.out
    assert tocsin("rollout", "approve", name, "--by", "ben", "--plan", digest, "-w", "fleet").status == 0
    begun = tocsin("rollout", "start", name, "--by", "ann", "--dry-run", "-w", "fleet", "--json")
    assert begun.status == 0
    begun = tocsin("rollout", "start", name, "--by", "ann", "-w", "fleet", "--json").json["rollout"]
    assert (begun["state"], begun["approved"]) == ("running", "ben")
    other = create(tocsin, "--name", "unwanted", "--json").json["rollout"]
    denied = tocsin("rollout", "deny", other["id"], "--by", "ben", "--why", "no canary", "-w", "fleet")
    assert "is denied" in denied.out
    listed = tocsin("rollout", "list", "-w", "fleet", "--json").json["rollouts"]
    assert [each["state"] for each in listed["items"]] == ["running", "approval_denied"]
    shown = tocsin("rollout", "status", "unwanted", "-w", "fleet").out
    assert "by ben: no canary" in shown


def test_filters_that_are_in_use_stay(published: Workspace, tocsin: Tocsin) -> None:
    def named(*arguments: str) -> Ran:
        return tocsin("rollout", "filter", *arguments, "-w", published.path)

    assert named("add", "one", "region = DE").status == 0
    assert named("add", "two", "filter = one or region = FR").status == 0
    assert code_of(named("remove", "one", "--json")) == "FILTER_USED"
    assert code_of(named("show", "three", "--json")) == "FILTER_UNKNOWN"
    assert "would be removed" in named("remove", "two", "--dry-run").out
    assert "two: filter = one or region = FR" in named("show", "two").out
    assert named("remove", "two").status == 0
    assert named("remove", "one").status == 0
    for arguments, code in (
        (("retry", "x", "--failure", "luck"), "BAD_VALUE"),
        (("devices", "x", "--state", "odd"), "OUTCOME_UNKNOWN"),
        (("devices", "x"), "ROLLOUT_UNKNOWN"),
        (("start",), "BAD_VALUE"),
    ):
        assert code_of(tocsin("rollout", *arguments, "-w", published.path, "--json")) == code
