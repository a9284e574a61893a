"""What happens between looking and signing: nothing that others signed or handed out is written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.operations import advisories, releases
from gateway.operations.advisories import comments
from gateway.operations.trust import ceremonies
from gateway.workspace.folder import Workspace
from keys.errors import DamagedError, InputError
from tests.cli.conftest import ADVISORY, Tocsin, no_passphrase

NOW = 1_900_000_000


def _review(workspace: Workspace, *, now: int = NOW, restart: bool = False) -> advisories.Review:
    return advisories.review(workspace, ADVISORY, now=now, restart=restart)


def _edit(workspace: Workspace, old: str, new: str) -> None:
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_handing_out_does_not_do_away_with_a_signature_that_came_in(workspace: Workspace) -> None:
    looked_at = _review(workspace)
    advisories.approve(workspace, _review(workspace, now=NOW + 1), "engineering", no_passphrase)
    with pytest.raises(InputError) as refused:
        advisories.fix(workspace, looked_at)
    assert refused.value.code == "CHANGED_MEANWHILE"
    assert [one.holder for one in _review(workspace).approvals.signed] == ["exercise-engineering"]


@pytest.mark.parametrize("restart", [False, True])
def test_signing_does_not_void_what_was_handed_out_meanwhile(workspace: Workspace, *, restart: bool) -> None:
    looked_at = _review(workspace, restart=restart)
    handed_out = ceremonies.export_advisory(workspace, ADVISORY, now=NOW + 60)
    with pytest.raises(InputError) as refused:
        advisories.approve(workspace, looked_at, "legal", no_passphrase)
    assert refused.value.code == "CHANGED_MEANWHILE"
    assert _review(workspace).digest.hex() == handed_out.digest
    assert comments.every(workspace, ADVISORY) == []


def test_the_same_review_signs_for_two_keys_in_turn(workspace: Workspace) -> None:
    reviewed = advisories.approve(workspace, _review(workspace), "legal", no_passphrase)
    reviewed = advisories.approve(workspace, reviewed, "engineering", no_passphrase)
    assert len(reviewed.approvals.signed) == 2


def test_a_signature_that_somebody_spoilt_is_told_and_started_over(
    workspace: Workspace, tocsin: Tocsin
) -> None:
    advisories.approve(workspace, _review(workspace), "legal", no_passphrase)
    path = releases.folder(workspace, ADVISORY, 1) / "header.cose"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(DamagedError) as damaged:
        _review(workspace)
    assert (damaged.value.code, "--restart" in damaged.value.mend) == ("APPROVALS_DAMAGED", True)
    advisories.approve(workspace, _review(workspace, restart=True), "legal", no_passphrase)
    shown = tocsin("advisory", "show", ADVISORY, "-w", workspace.path, "--json")
    assert [one["holder"] for one in shown.json["signed"]] == ["exercise-legal"]


def test_a_word_without_its_signature_counts_as_no_approval(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_folder: Path, _release: object) -> None:
        raise KeyboardInterrupt

    reviewed = _review(workspace)
    with monkeypatch.context() as patch:
        patch.setattr(releases, "keep", killed)
        with pytest.raises(KeyboardInterrupt):
            advisories.approve(workspace, reviewed, "legal", no_passphrase, condition="The letter first.")
    reviewed = _review(workspace)
    assert (reviewed.approvals.signed, reviewed.document) == ((), None)
    (word,) = comments.said(workspace, reviewed.about)
    assert word.stops, "a condition less would be worse than a word too many"
    assert advisories.approve(workspace, reviewed, "legal", no_passphrase).document is not None


def test_a_signature_without_its_word_still_counts(workspace: Workspace) -> None:
    advisories.approve(workspace, _review(workspace), "legal", no_passphrase)
    with workspace.store() as store, store.write() as session:
        session.connection.exec_driver_sql("DELETE FROM events")
    assert len(_review(workspace).approvals.signed) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# ", "#  "),
        ("severity: high", "severity: medium"),
        ("Please accept the update", "Please take the update"),
    ],
)
def test_every_kind_of_edit_voids_and_says_so(workspace: Workspace, old: str, new: str) -> None:
    if old == "# ":
        path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
        path.write_text("# a comment\n" + path.read_text("utf-8"), "utf-8")
    advisories.approve(workspace, _review(workspace), "legal", no_passphrase)
    _edit(workspace, old, new)
    with pytest.raises(InputError) as refused:
        _review(workspace)
    assert refused.value.code == "APPROVALS_VOID"
    assert "was changed after it was approved" in refused.value.message
