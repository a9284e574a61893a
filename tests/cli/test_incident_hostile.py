"""What is wrong with a command about incidents is refused with one sentence, and nothing is changed."""

from __future__ import annotations

from typing import Final

from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin, snapshot
from tests.cli.test_incident import ID, REGIME, ago

REFUSED: Final = [
    (("open", "INC-9", "--aware", "2999-01-01T00:00:00Z"), "still to come"),
    (("open", "INC-9", "--aware", "2026-11-20T09:00:00"), "no time zone"),
    (("open", "INC-9", "--aware", "now"), "is not a time"),
    (("open", "a/b", "--aware", "2026-11-20T09:00:00Z"), "is not an incident id"),
    (("open", "../x", "--aware", "2026-11-20T09:00:00Z"), "is not an incident id"),
    (("open", ID, "--aware", "2026-11-20T09:00:00Z"), "already"),
    (("open", "INC-9", "--aware", "2026-11-20T09:00:00Z", "--kind", "mishap"), "not one of"),
    (("open", "INC-9", "--aware", "2026-11-20T09:00:00Z", "--regime", "eu-gdpr"), "no regime"),
    (("open", "INC-9", "--aware", "2026-11-20T09:00:00Z", "--title", "a\x1bb"), "control characters"),
    (("open", "INC-9", "--aware", "2026-11-20T09:00:00Z", "--by", "a\u202eb"), "control characters"),
    (("open", "INC-9", "--aware", "2026-11-20T09:00:00Z", "--by", "x" * 65), "at most 64"),
    (("open", "INC-9", "--aware", "2026-11-20T09:00:00Z", "--by", ""), "--by"),
    (("trigger", ID, "fix-available", "--at", "2026-01-01T00:00:00Z"), "lies before"),
    (("trigger", ID, "fixavailable", "--at", "2026-01-01T00:00:00Z"), "lies before"),
    (("trigger", "INC-404", "fix-available", "--at", "2026-11-20T09:00:00Z"), "no incident"),
    (("submitted", ID, "--regime", REGIME, "--step", "x", "--at", "{now}"), "no step"),
    (("submitted", ID, "--regime", "x", "--step", "x", "--at", "{now}"), "no regime"),
    (("regime", ID, "x", "--reason", "y"), "no regime"),
    (("hold", ID, "--office", "police", "--lift"), "No hold"),
    (("hold", ID, "--office", "police", "--lift", "--until", "2999-01-01T00:00:00Z"), "--until"),
    (("hold", ID, "--office", "police", "--until", "2001-01-01T00:00:00Z"), "until"),
    (("hold", ID, "--office", "police", "--regime", REGIME), "knows no delay"),
    (("fact", ID, "weather", "rain"), "no report has an item"),
    (("fact", ID, "actor", "a\nb\x00c"), "control characters"),
    (("fact", ID, "actor", "\udcff"), "no text"),
    (("severity", ID, "awful"), "not one of"),
    (("estimate", ID, "-5", "--source", "x"), ""),
    (("estimate", ID, "many", "--source", "x"), ""),
    (("estimate", ID, "5", "--of", "sheep", "--source", "x"), "not one of"),
    (("credit", ID, "\x07", "--agreed"), "control characters"),
    (("credit", ID, "x"), "agreed"),
    (("log", ID, "a", "b"), "out"),
    (("log", ID, "a", "b", "--out", "--tlp", "white"), "not one of"),
    (("told", ID, "aliens", "x"), "not one of"),
    (("note", ID, ""), "it is empty"),
    (("link", ID, "EX-404"), "no advisory"),
    (("link", ID, "../../etc/passwd"), "must be 1 to 64"),
    (("reopen", ID, "--reason", "x"), "is open"),
    (("close", "INC-404", "--reason", "x"), "no incident"),
    (("show", "INC-404"), "no incident"),
    (("show", "\x1b[2J"), "no incident"),
    (("timeline", "INC-404"), "no incident"),
    (("timeline", ID, "--csv", "--json"), "two forms"),
    (("draft", ID, "--regime", "x", "--step", "final"), "no regime"),
    (("draft", ID, "--regime", REGIME, "--step", "x"), "no step"),
    (("draft", ID, "--regime", REGIME, "--step", "final", "--verify"), "cannot be read"),
    (("draft", ID, "--regime", REGIME, "--step", "final", "--verify", "--restart"), "changes nothing"),
    (("draft", ID, "--regime", REGIME, "--step", "final", "--sign", "nobody"), "no key"),
    (("draft", ID, "--regime", REGIME, "--step", "final", "--sign", "engineering"), "no say"),
]
"""Arguments, and a part of what is said; all against one incident, which stays as it was."""


def test_what_is_wrong_is_refused_with_one_sentence_and_changes_nothing(
    tocsin: Tocsin, workspace: Workspace
) -> None:
    assert tocsin("incident", "open", ID, "--aware", ago(2), "-w", workspace.path).status == 0
    before = snapshot(workspace.path)
    for line, said in REFUSED:
        ran = tocsin("incident", *(part.replace("{now}", ago(0)) for part in line), "-w", workspace.path)
        assert ran.status == 2, (line, ran)
        assert said.lower() in (ran.err + ran.out).lower(), (line, ran)
        assert ran.err.count("\n") == (0 if "--json" in line else 1), (line, ran)
        assert ran.err.rstrip("\n").isprintable(), (line, ran)
    assert snapshot(workspace.path) == before
