"""Approvals with what is said beside them: any edit voids them, words stay, and some words stop publishing."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisories.approval import KINDS_PREFIX
from gateway.operations import advisories, releases
from gateway.operations.advisories import comments
from gateway.operations.advisories import packet as packets
from gateway.operations.trust import ceremonies, requests
from gateway.store import audit, events
from gateway.workspace.folder import Workspace
from keys.errors import InputError, RefusedError
from tests.cli.conftest import ADVISORY, Tocsin, no_passphrase

ROLES = ("engineering", "legal", "communications")
NOW = 1_900_000_000


def _facts(workspace: Workspace) -> Path:
    return workspace.path / "advisories" / f"{ADVISORY}.yaml"


def _edit(workspace: Workspace, old: str, new: str) -> None:
    text = _facts(workspace).read_text("utf-8")
    assert old in text
    _facts(workspace).write_text(text.replace(old, new, 1), "utf-8")


def _approve(workspace: Workspace, *roles: str, now: int = NOW, **said: str) -> advisories.Review:
    for role in roles:
        reviewed = advisories.review(workspace, ADVISORY, now=now)
        reviewed = advisories.approve(workspace, reviewed, role, no_passphrase, **said)
    return reviewed


def _publish(workspace: Workspace, now: int = NOW) -> advisories.Issued:
    return advisories.publish(workspace, ADVISORY, workspace.signer("operator", no_passphrase), now=now)


def _code(call: object, *args: object, **named: object) -> str:
    with pytest.raises((InputError, RefusedError)) as refused:
        call(*args, **named)  # type: ignore[operator]
    return refused.value.code


EDITS = {
    "a fact": ("laboratory test 17", "laboratory test 18"),
    "a text": ("Please accept the update", "Please take the update"),
    "a translation": ("Bitte nehmen Sie", "Nehmen Sie bitte"),
    "a deadline": ("expires_days: 90", "expires_days: 60"),
    "an embargo": ("\nsource_language", "\nembargo_until: 2030-01-01T00:00:00Z\nsource_language"),
    "a comment in the file": ("# An exercise advisory", "# The exercise advisory"),
}


def test_any_edit_of_the_facts_voids_approvals(workspace: Workspace) -> None:
    _approve(workspace, "legal")
    whole = _facts(workspace).read_bytes()
    for what, edit in EDITS.items():
        _edit(workspace, *edit)
        assert _code(advisories.review, workspace, ADVISORY, now=NOW) == "APPROVALS_VOID", what
        assert _code(_publish, workspace) == "APPROVALS_VOID", what
        _facts(workspace).write_bytes(whole)
    advisories.review(workspace, ADVISORY, now=NOW)


def test_a_stored_output_that_somebody_edits_is_not_what_is_published(workspace: Workspace) -> None:
    reviewed = _approve(workspace, *ROLES)
    for name in ("release-list.cbor", "outputs/en/console.txt", "texts/en.cbor", "source/facts.yaml"):
        path = releases.folder(workspace, ADVISORY, 1) / name
        path.write_bytes(path.read_bytes() + b" ")
    assert advisories.review(workspace, ADVISORY, now=NOW + 9).release == reviewed.release
    assert _publish(workspace).digest == reviewed.digest


def test_the_setting_that_was_approved_cannot_be_edited(workspace: Workspace) -> None:
    _approve(workspace, *ROLES)
    path = releases.folder(workspace, ADVISORY, 1) / "source" / "setting.json"
    path.write_bytes(path.read_bytes().replace(b"{", b'{"organisation":{"name":"Other"},', 1))
    assert _code(_publish, workspace) == "APPROVALS_VOID"


@pytest.mark.parametrize("file", ["organisation.yaml", "products.toml"])
def test_who_speaks_is_frozen_with_the_first_approval(workspace: Workspace, file: str) -> None:
    first = _approve(workspace, "engineering")
    path = workspace.path / file
    if file == "organisation.yaml":
        path.write_text("name: Another Example\n")
    else:
        path.write_text(path.read_text().replace('name = "thermostat"', 'name = "Thermostat"'))
    frozen = advisories.review(workspace, ADVISORY, now=NOW + 99)
    assert frozen.digest == first.digest
    assert [f.severity for f in frozen.findings if f.rule == "setting-changed"] == ["advice"]
    again = advisories.review(workspace, ADVISORY, now=NOW, restart=True)
    assert again.about.content != first.about.content
    assert not [f for f in again.findings if f.rule == "setting-changed"]


def test_old_comments_stay_visible_with_the_digest_they_were_about(
    workspace: Workspace, tocsin: Tocsin
) -> None:
    first = _approve(workspace, "legal", comment="Good.")
    _edit(workspace, *EDITS["a fact"])
    ran = tocsin("advisory", "comments", ADVISORY, "--workspace", workspace.path, "--json").json
    (remark,) = ran["remarks"]
    assert (remark["comment"], remark["digest"], remark["current"]) == ("Good.", first.digest.hex(), False)
    shown = tocsin("advisory", "comments", ADVISORY, "--workspace", workspace.path)
    assert "which was changed since" in shown.out
    assert first.digest.hex() in shown.out


def test_comments_are_read_although_the_file_has_a_fault(workspace: Workspace, tocsin: Tocsin) -> None:
    _approve(workspace, "legal", comment="Good.")
    _edit(workspace, "severity: high", "severity: huge")
    ran = tocsin("advisory", "comments", ADVISORY, "--workspace", workspace.path)
    assert (ran.status, "Good." in ran.out) == (0, True)
    assert tocsin("advisory", "comments", "EX-0", "--workspace", workspace.path).status == 2


def test_a_rejection_stands_until_its_author_takes_it_back(workspace: Workspace, tocsin: Tocsin) -> None:
    where = ("--workspace", workspace.path)
    _approve(workspace, *ROLES)
    who = ("--role", "legal", "--by", "exercise-legal-2")
    assert (
        tocsin("advisory", "reject", ADVISORY, *who, "--comment", "The offer is missing.", *where).status == 0
    )
    assert _code(_publish, workspace) == "APPROVAL_REJECTED"
    other = tocsin(
        "advisory", "reject", ADVISORY, "--role", "legal", "--by", "exercise-legal", "--take-back", *where
    )
    assert (
        "NO_REJECTION"
        in tocsin(
            "advisory", "reject", ADVISORY, "--role", "legal", "--by", "x", "--take-back", *where, "--json"
        ).out
    )
    assert other.status == 2
    assert "It stands: this cannot be published." in tocsin("advisory", "comments", ADVISORY, *where).out
    assert tocsin("advisory", "reject", ADVISORY, *who, "--take-back", *where).status == 0
    assert "taken back" in tocsin("advisory", "comments", ADVISORY, *where).out
    assert _publish(workspace).changed


def test_a_rejection_ends_with_the_content(workspace: Workspace, tocsin: Tocsin) -> None:
    where = ("--workspace", workspace.path)
    tocsin(
        "advisory",
        "reject",
        ADVISORY,
        "--role",
        "legal",
        "--by",
        "exercise-legal",
        "--comment",
        "No.",
        *where,
    )
    reviewed = advisories.review(workspace, ADVISORY, now=NOW)
    assert _code(advisories.require_no_rejection, workspace, reviewed) == "APPROVAL_REJECTED"
    _edit(workspace, *EDITS["a text"])
    _approve(workspace, *ROLES)
    assert _publish(workspace).changed


def test_who_rejected_and_then_approves_the_same_has_changed_their_mind(workspace: Workspace) -> None:
    about = advisories.review(workspace, ADVISORY, now=NOW).about
    comments.reject(workspace, about, role="legal", by="exercise-legal", comment="No.", now=NOW)
    _approve(workspace, *ROLES)
    assert _publish(workspace).changed


def test_an_open_condition_stops_publishing_until_it_is_met(workspace: Workspace, tocsin: Tocsin) -> None:
    where = ("--workspace", workspace.path)
    _approve(workspace, "engineering", "communications")
    given = tocsin(
        "advisory",
        "approve",
        ADVISORY,
        "--key",
        "legal",
        "--yes",
        "--comment",
        "Well said.",
        "--condition",
        "The phone line is staffed.",
        *where,
    )
    assert given.status == 0
    assert _code(_publish, workspace) == "CONDITION_OPEN"
    assert (
        "condition 1 (OPEN): The phone line is staffed."
        in tocsin("advisory", "comments", ADVISORY, *where).out
    )
    assert tocsin("advisory", "condition", ADVISORY, "1", "--by", "x", *where).status == 2
    assert (
        "NO_CONDITION"
        in tocsin("advisory", "condition", ADVISORY, "2", "--met", "--by", "x", *where, "--json").out
    )
    met = ("advisory", "condition", ADVISORY, "1", "--met", "--by", "exercise-communications", *where)
    assert tocsin(*met).status == 0
    assert "CONDITION_MET" in tocsin(*met, "--json").out
    assert "met: exercise-communications" in tocsin("advisory", "comments", ADVISORY, *where).out
    assert _publish(workspace).changed


def test_every_later_revision_needs_approvals_of_its_own(workspace: Workspace) -> None:
    _approve(workspace, *ROLES)
    _publish(workspace)
    _edit(workspace, "phase: initial", "phase: update")
    _edit(
        workspace,
        'title: "Please install update"',
        'changed: "The update is there."\n    title: "Please install update"',
    )
    reviewed = advisories.review(workspace, ADVISORY, now=NOW + 60)
    assert (reviewed.notice.revision, sorted(reviewed.approvals.missing)) == (2, sorted(ROLES))
    assert _publish(workspace, NOW + 60).changed is False


def test_legal_reviews_again_after_the_last_change_of_wording(workspace: Workspace) -> None:
    _approve(workspace, "legal")
    _edit(workspace, "We are sorry for the trouble.", "We regret the trouble.")
    reviewed = advisories.review(workspace, ADVISORY, now=NOW, restart=True)
    advisories.approve(workspace, reviewed, "engineering", no_passphrase)
    reviewed = _approve(workspace, "communications")
    assert reviewed.approvals.missing == ("legal",)
    assert _code(_publish, workspace) == "THRESHOLD_NOT_MET"


def test_legal_reviews_again_after_the_last_change_of_a_translation(workspace: Workspace) -> None:
    _approve(workspace, *ROLES)
    _edit(workspace, "案内が出たら", "案内を見たら")
    reviewed = advisories.review(workspace, ADVISORY, now=NOW, restart=True)
    assert "legal" in reviewed.approvals.missing
    made = packets.packet(workspace, reviewed, "legal", now=NOW)
    assert made.since is not None
    assert [change.path for change in made.since.changes] == ["texts.ja.action"]
    assert made.void


def test_a_signature_made_elsewhere_is_remembered_too(workspace: Workspace) -> None:
    exported = ceremonies.export_advisory(workspace, ADVISORY, now=NOW)
    answer = requests.sign(requests.judge(exported.data), workspace.signer("legal", no_passphrase))
    for _ in range(2):
        ceremonies.take(workspace, answer, now=NOW + 5, by="exercise")
    reviewed = advisories.review(workspace, ADVISORY, now=NOW + 9)
    (remark,) = comments.said(workspace, reviewed.about)
    assert (remark.by, remark.kind, remark.at, remark.current) == ("exercise-legal", "given", NOW + 5, True)


def test_signing_again_with_a_word_keeps_the_word(workspace: Workspace) -> None:
    _approve(workspace, "legal")
    done = _approve(workspace, "legal", condition="Only with the letter.")
    assert [one.number for one in comments.said(workspace, done.about)] == [None, 1]
    assert len(done.approvals.signed) == 1


def test_what_is_said_is_in_the_audit_chain(workspace: Workspace) -> None:
    _approve(workspace, "legal", comment="Good.")
    with workspace.store() as store:
        audit.verify_chain(store)
        with store.read() as session:
            assert [row.kind for row in audit.rows(session)][-1] == "approval.given"
            assert len(events.recorded(session, advisory=ADVISORY, kind=KINDS_PREFIX)) == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"role": "gateway"}, "WRONG_ROLE"),
        ({"comment": " \n "}, "BAD_VALUE"),
        ({"comment": "x" * 5_000}, "BAD_VALUE"),
        ({"by": ""}, "BAD_VALUE"),
        ({"by": "x" * 65}, "BAD_VALUE"),
        ({"by": "a\u202eb"}, "BAD_VALUE"),
    ],
)
def test_a_rejection_that_says_nothing_is_refused(
    workspace: Workspace, fields: dict[str, str], code: str
) -> None:
    about = advisories.review(workspace, ADVISORY, now=NOW).about
    said = {"role": "legal", "by": "exercise-legal", "comment": "No.", **fields}
    for act in (comments.reject, comments.remark):
        assert _code(act, workspace, about, now=NOW, **said) == code
    assert comments.said(workspace, about) == ()


def test_words_that_would_steer_a_terminal_are_written_out(workspace: Workspace) -> None:
    about = advisories.review(workspace, ADVISORY, now=NOW).about
    comments.remark(workspace, about, role="legal", by="x", comment="a\x1b[2J\n\u202eb", now=NOW)
    (remark,) = comments.said(workspace, about)
    assert remark.said.comment == "a\\x1b[2J \\u202eb"
