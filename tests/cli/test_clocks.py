"""``tocsin clocks``: counted down, as a calendar, and where the numbers come from."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from icalendar import Calendar

from advisories.clocks.page import regimes_page
from gateway.cli.clocks import span
from gateway.operations import advisories
from gateway.workspace.folder import Workspace
from tests.advisories.incident_facts import PLAIN
from tests.cli.conftest import ADVISORY, ROOT, Ran, Tocsin, no_passphrase

ID = "INC-2026-0001"
REGIME = "eu-cra-14-exploited"


def ago(hours: float) -> str:
    return datetime.fromtimestamp(int(time.time() - hours * 3_600), UTC).isoformat()


@pytest.fixture
def at(tocsin: Tocsin, workspace: Workspace) -> Tocsin:
    def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Ran:
        return tocsin(*arguments, "-w", workspace.path, env=env)

    (workspace.path / "organisation.yaml").write_text(f"regimes: [{REGIME}, eu-gdpr-33]\nsilence_hours: 24\n")
    return run


def states(ran: Ran) -> dict[str, str]:
    return {f"{clock['regime']} {clock['step']}": clock["state"] for clock in ran.json["clocks"]}


def test_what_is_overdue_is_told_by_the_exit_status(at: Tocsin) -> None:
    assert at("clocks").status == 0
    at("incident", "open", ID, "--aware", ago(2), "--kind", "personal-data")
    calm = at("clocks", "--json")
    assert calm.status == 0
    assert states(calm) == {"silence first-notice": "running", "eu-gdpr-33 notification": "running"}
    assert calm.json["overdue"] == 0
    at("incident", "open", "INC-2026-0002", "--aware", ago(30))
    late = at("clocks", "--json")
    assert (late.status, late.json["overdue"]) == (1, 1)
    assert late.json["clocks"][0]["left_seconds"] < 0
    assert at("clocks", ID).status == 0
    assert at("clocks", "show", "INC-2026-0002").status == 1
    assert " over" in at("clocks", "INC-2026-0002").out


def test_a_weakness_that_is_not_known_to_be_exploited_waits(at: Tocsin) -> None:
    at("incident", "open", ID, "--aware", ago(2), "--kind", "vulnerability")
    assert states(at("clocks", ID, "--json"))[f"{REGIME} early-warning"] == "waiting-for-trigger"
    assert "for aware-exploited" in at("clocks", ID).out
    at("incident", "trigger", ID, "aware-exploited", "--at", ago(1))
    assert states(at("clocks", ID, "--json"))[f"{REGIME} early-warning"] == "running"
    at("incident", "trigger", ID, "fix-available", "--at", ago(0.5))
    assert "by another reading" in at("clocks", ID).out


def test_closing_ends_no_duty(at: Tocsin) -> None:
    at("incident", "open", ID, "--aware", ago(30), "--kind", "personal-data")
    at("incident", "close", ID, "--reason", "a false alarm, somebody thinks")
    assert states(at("clocks", "--json")) == {"eu-gdpr-33 notification": "running"}
    at("incident", "reopen", ID, "--reason", "not quite")
    at("incident", "regime", ID, "eu-gdpr-33", "--not", "--reason", "a risk is unlikely")
    at("incident", "close", ID, "--reason", "now it is")
    assert states(at("clocks", "--json")) == {}


def test_a_published_notice_ends_the_silence_and_its_promise_is_watched(
    at: Tocsin, workspace: Workspace
) -> None:
    at("incident", "open", ID, "--aware", ago(2))
    at("incident", "link", ID, ADVISORY)
    at("incident", "told", ID, "customers", "Example Ltd.", "--at", ago(1))
    promise = f"next_update: {ago(-48)}\n"
    (workspace.path / "advisories" / f"{ADVISORY}.yaml").write_text(PLAIN + promise)
    signers = {
        name: workspace.signer(name, no_passphrase) for name in ("engineering", "legal", "communications")
    }
    now = int(time.time())
    shown = advisories.review(workspace, ADVISORY, now=now)
    for signer in signers.values():
        shown = advisories.add_signature(workspace, shown, signer)
    before = states(at("clocks", ID, "--json"))
    assert before["silence first-notice"] == "met"  # customers were told by hand
    advisories.publish(workspace, ADVISORY, workspace.signer("operator", no_passphrase), now=now)
    after = states(at("clocks", ID, "--json"))
    assert (after["silence first-notice"], after[f"next-update {ADVISORY}.r1"]) == ("met", "running")
    broken = at("incident", "show", ID, "--json").json["violations"]
    assert [each["code"] for each in broken] == ["TOLD_BEFORE_APPROVAL"]


def test_the_calendar_is_read_back_by_the_library(at: Tocsin, tmp_path: Path) -> None:
    at("incident", "open", ID, "--aware", ago(2), "--kind", "personal-data")
    out = tmp_path / "deadlines.ics"
    assert at("clocks", "export", out, "--json").json["entries"] == 2
    first = Calendar.from_ical(out.read_bytes()).walk("VEVENT")
    assert at("clocks", "export", out, "--incident", ID).status == 0
    second = Calendar.from_ical(out.read_bytes()).walk("VEVENT")
    assert [event["uid"] for event in first] == [event["uid"] for event in second]
    assert all(str(event["summary"]).startswith("EXERCISE") for event in first)
    assert at("clocks", "export", tmp_path).status == 4
    assert at("clocks", "export", out, "--incident", "INC-404").status == 2


def test_regimes_are_listed_with_their_sources(at: Tocsin, workspace: Workspace) -> None:
    listed = at("clocks", "regimes", "--json").json
    assert {each["id"] for each in listed["regimes"]} >= {REGIME, "us-circia"}
    circia = at("clocks", "regimes", "us-circia")
    assert "Sources disagree" in circia.out
    assert at("clocks", "regimes").out.count("2026-11-21") >= 15
    assert "16 CFR" in at("clocks", "regimes").out
    assert at("clocks", "regimes", "us-cirica").status == 2
    (workspace.path / "regimes.toml").write_text("[regimes.own]\nname = 3\n")
    broken = at("clocks", "regimes")
    assert (broken.status, "regimes.toml" in broken.err) == (2, True)


def test_the_workspace_sets_its_own_policy(at: Tocsin, workspace: Workspace) -> None:
    (workspace.path / "regimes.toml").write_text(
        '[regimes.own]\nname = "Own"\njurisdiction = "policy"\nsource = "policy, page 3"\n'
        'verified_on = 2026-11-21\nwho = "maker"\nwhom = "reporter"\nkinds = ["incident"]\n'
        'steps = [{id = "ack", name = "acknowledged", trigger = "aware", amount = 7, unit = "days"}]\n'
    )
    at("incident", "open", ID, "--aware", ago(2), "--regime", "own")
    assert states(at("clocks", ID, "--json"))["own ack"] == "running"


@pytest.mark.parametrize("line", [("INC-404",), ("\x1b[2J",), ("show", "a b"), ("--no-such-option",)])
def test_what_is_wrong_is_refused(at: Tocsin, line: tuple[str, ...]) -> None:
    ran = at("clocks", *line)
    assert ran.status == 2
    assert ran.err.strip().isprintable()


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0, "0 h 0 min"),
        (59, "0 h 59 min"),
        (1_439, "23 h 59 min"),
        (1_440, "1 d 0 h"),
        (-61, "1 h 1 min over"),
    ],
)
def test_spans(minutes: int, text: str) -> None:
    assert span(timedelta(minutes=minutes)) == text


def test_the_reference_page_is_what_its_source_makes() -> None:
    assert (ROOT / "docs" / "reference" / "regimes.md").read_text("utf-8") == regimes_page()
