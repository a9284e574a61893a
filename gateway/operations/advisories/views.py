"""What is looked at and said about an advisory, also from another machine: no key is needed for any of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from advisories.approval import Remark
from advisories.checks import Finding
from advisories.compose import FACTS
from advisories.embargo import warnings
from advisories.facts import load_facts
from gateway import files
from gateway.core.rights import Caller
from gateway.operations.advisories import comments, embargo
from gateway.operations.advisories.approvals import Review, present, review
from gateway.operations.advisories.checking import findings
from gateway.operations.advisories.comments import About
from gateway.operations.advisories.drafts import (
    Checked,
    load,
    place_for,
    published_revision,
    require_for,
    require_own,
)
from gateway.operations.afar import operation
from gateway.operations.trust.signing import Approvals
from gateway.workspace.folder import Workspace
from keys.errors import InputError


@dataclass(frozen=True, slots=True)
class Report:
    """What the checks found."""

    advisory: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What an approval signs, and who signed so far."""

    header: bytes
    """The exact bytes that are signed."""
    digest: bytes
    """Their SHA-256."""
    texts: Mapping[str, bytes]
    """Language -> text, which the header binds by digest."""
    outputs: tuple[str, ...]
    """Names of all that the header binds."""
    approvals: Approvals
    tlp: str
    marks: tuple[str, ...] = ()
    """What a person who reads it has to be told first."""


@dataclass(frozen=True, slots=True)
class Remarks:
    """All that approvers said, oldest first."""

    items: tuple[Remark, ...]
    stops: bool
    """Whether something of it keeps the advisory from being published."""


@dataclass(frozen=True, slots=True)
class Told:
    """Something that was said about exact content."""

    advisory: str
    revision: int
    digest: bytes
    by: str


@dataclass(frozen=True, slots=True)
class Met:
    """A condition that is met."""

    advisory: str
    condition: int
    by: str


def checked(workspace: Workspace, advisory: str | Path, *, now: int) -> tuple[Path, Report]:
    """Check an advisory by id, or a file of facts on this machine; return where it lies, too."""
    found = load(workspace, advisory, now=now)
    return found.path, _report(found)


def _report(found: Checked) -> Report:
    return Report(found.facts.id, found.findings)


@operation("GET", "/advisories/{advisory}/checks", right="advisory:read")
def check(workspace: Workspace, advisory: str, *, now: int, asker: Caller | None = None) -> Report:
    """Check an advisory as a compiler would.

    Raises:
        InputError: NO_ADVISORY; faults of the file, or of organisation.yaml or glossary.toml.
    """
    found = load(workspace, advisory, now=now)
    require_for(asker, found.facts, now=now)
    report = _report(found)
    told = (replace(one, where=place_for(asker, workspace, one.where)) for one in report.findings)
    return replace(report, findings=tuple(told))


@operation("POST", "/advisory-checks", right="advisory:read", raw="file", body_max=files.NAMED_BYTES_MAX)
def check_file(workspace: Workspace, file: bytes, *, where: str = "", now: int) -> Report:
    """Check a file of facts that lies elsewhere, by this fleet's products and words; nothing is kept.

    Raises:
        InputError: faults of the file with file:line, or of organisation.yaml or glossary.toml.
    """
    facts = load_facts(file, where=where)
    return Report(facts.id, findings(workspace, facts, now=now))


def shown(reviewed: Review) -> Shown:
    """Return what was reviewed, as it is shown."""
    release = reviewed.release
    facts = load_facts(release.sources[FACTS], where=FACTS)
    return Shown(
        header=reviewed.body,
        digest=reviewed.digest,
        texts=release.texts,
        outputs=tuple(sorted(release.outputs)),
        approvals=reviewed.approvals,
        tlp=facts.tlp.value,
    )


@operation("GET", "/advisories/{advisory}/approvals", right="advisory:read")
def show(workspace: Workspace, advisory: str, *, now: int, asker: Caller | None = None) -> Shown:
    """Show what an approval signs, and who signed so far.

    Raises:
        InputError: NO_ADVISORY, APPROVALS_VOID; faults of the file; TLP.
        DamagedError: APPROVALS_DAMAGED.
    """
    reviewed = review(workspace, advisory, now=now)
    facts = load(workspace, advisory).facts
    require_for(asker, facts, now=now)
    found = shown(reviewed)
    marks = tuple(warnings(facts, embargo.lifted(workspace, facts), now))
    return Shown(
        found.header, found.digest, found.texts, found.outputs, found.approvals, facts.tlp.value, marks
    )


@operation("GET", "/advisories/{advisory}/comments", right="advisory:read")
def remarks(workspace: Workspace, advisory: str, *, now: int) -> Remarks:
    """Return all that approvers said, each with the digest it was about; nothing is ever forgotten.

    Raises:
        InputError: NO_ADVISORY, BAD_ID.
    """
    try:
        about = present(workspace, advisory, now=now).about
    except InputError as error:
        if error.code in {"NO_ADVISORY", "BAD_ID"}:
            raise
        # The file has a fault just now: what was said is about other content, whatever it will be.
        about = About(advisory, published_revision(workspace, advisory) + 1, bytes(32), "")
    found = comments.said(workspace, about)
    return Remarks(found, any(remark.stops for remark in found))


@operation("POST", "/advisories/{advisory}/comments", right="advisory:approve", creates=True)
def comment(
    workspace: Workspace,
    advisory: str,
    *,
    role: str,
    comment: str,
    by: str,
    now: int,
    asker: Caller | None = None,
) -> Told:
    """Say something in a role that stops nothing.

    Raises:
        InputError: NO_ADVISORY, WRONG_ROLE, BAD_VALUE.
    """
    require_own(asker, role)
    about = present(workspace, advisory, now=now).about
    comments.remark(workspace, about, role=role, by=by, comment=comment, now=now)
    return Told(advisory, about.revision, about.digest, by)


@operation("POST", "/advisories/{advisory}/rejections", right="advisory:approve", creates=True)
def reject(
    workspace: Workspace,
    advisory: str,
    *,
    role: str,
    by: str,
    now: int,
    comment: str = "",
    take_back: bool = False,
    asker: Caller | None = None,
) -> Told:
    """Say no, and why: this content cannot be published until it changes or that is taken back.

    Args:
        workspace: where.
        advisory: its id.
        role: in which it is said.
        by: who says so.
        now: UTC seconds.
        comment: why.
        take_back: the same person's rejection of this content no longer stands.
        asker: whose token it is.

    Raises:
        InputError: NO_ADVISORY, WRONG_ROLE, BAD_VALUE, NO_REJECTION.
    """
    require_own(asker, role)
    about = present(workspace, advisory, now=now).about
    if take_back:
        comments.take_back(workspace, about, role=role, by=by, now=now)
    else:
        comments.reject(workspace, about, role=role, by=by, comment=comment, now=now)
    return Told(advisory, about.revision, about.digest, by)


@operation("POST", "/advisories/{advisory}/conditions/{number}/met", right="advisory:write")
def meet(workspace: Workspace, advisory: str, number: int, *, by: str, now: int) -> Met:
    """Mark a condition of an approval as met, so that publishing may go on.

    Raises:
        InputError: NO_CONDITION, CONDITION_MET.
    """
    comments.meet(workspace, advisory, number, by=by, now=now)
    return Met(advisory, number, by)
