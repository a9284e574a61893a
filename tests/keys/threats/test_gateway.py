"""What is altered between an approval and the next signature: nobody signs what another did not approve."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gateway import files
from gateway.operations import advisories
from gateway.workspace.folder import Workspace
from keys.document import digest
from keys.errors import DamagedError, InputError
from tests.cli.conftest import no_passphrase, template, workspace

__all__ = ["template", "workspace"]  # fixtures: a fleet whose keys are all at hand


def facts(at: Workspace) -> Path:
    return next((at.path / "advisories").glob("*.yaml"))


def sign(at: Workspace, key: str) -> advisories.Review:
    name = facts(at).stem
    return advisories.approve(at, advisories.review(at, name, now=int(time.time())), key, no_passphrase)


def publish(at: Workspace) -> advisories.Issued:
    operator = at.signer("operator", no_passphrase)
    return advisories.publish(at, facts(at).stem, operator, now=int(time.time()))


def test_what_is_approved_by_all_and_left_alone_is_published(workspace: Workspace) -> None:
    digests = {sign(workspace, key).digest for key in ("engineering", "legal", "communications")}
    assert len(digests) == 1
    assert publish(workspace).digest == digests.pop()


@pytest.mark.parametrize("signed", [1, 2, 3])
def test_facts_changed_after_an_approval_are_signed_by_nobody_and_not_published(
    workspace: Workspace,
    signed: int,
) -> None:
    roles = ("engineering", "legal", "communications")
    for key in roles[:signed]:
        last = sign(workspace, key)
    before = last.document
    assert before is not None
    path = facts(workspace)
    words = path.read_text(encoding="utf-8")
    marked = next(line for line in words.splitlines() if line.strip().startswith("contact:"))
    files.write_atomic(path, words.replace(marked, marked.replace(".com", ".org")).encode())
    assert path.read_text(encoding="utf-8") != words, "the test changes nothing"
    for attempt in (lambda: sign(workspace, roles[-1]), lambda: publish(workspace)):
        with pytest.raises(InputError) as refused:
            attempt()
        assert refused.value.code == "APPROVALS_VOID"
    stored = next(path.parent.rglob("header.cose")).read_bytes()
    assert (stored, digest(stored)) == (before, last.digest)


def test_what_was_shown_to_a_signer_is_what_is_signed_even_if_another_signs_meanwhile(
    workspace: Workspace,
) -> None:
    name = facts(workspace).stem
    seen = advisories.review(workspace, name, now=int(time.time()))
    sign(workspace, "legal")
    with pytest.raises(InputError) as refused:
        advisories.approve(workspace, seen, "engineering", no_passphrase)
    assert refused.value.code == "CHANGED_MEANWHILE"


def test_approvals_altered_on_the_gateways_disk_are_not_published(workspace: Workspace) -> None:
    for key in ("engineering", "legal", "communications"):
        sign(workspace, key)
    stored = next(facts(workspace).parent.rglob("header.cose"))
    good = stored.read_bytes()
    stored.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(DamagedError) as refused:
        publish(workspace)
    assert refused.value.code == "APPROVALS_DAMAGED"
    stored.write_bytes(good)
    publish(workspace)
