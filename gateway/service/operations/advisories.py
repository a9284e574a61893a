"""``tocsin advisory``: facts become a release, approvals are signatures over its exact bytes.

The first approval composes the release and keeps its header; every later one composes again from the
YAML with the same time of issue and must come to the very same bytes. So an edit after an approval is
noticed before anyone else signs, and nobody signs what another did not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from advisories.checks import Finding, check
from advisories.compose import Release, compose
from advisories.facts import Facts, load_facts
from advisories.notice import Notice, check_code
from gateway.core.publication import next_version
from gateway.service import files, publication, schema
from gateway.service.entries import require_id
from gateway.service.operations import patches, releases
from gateway.service.operations.catalogues import listed
from gateway.service.operations.products import languages
from gateway.service.operations.trust.signing import (
    Approvals,
    approvals,
    missing_error,
    require_role,
    require_say,
    sign,
    verified,
)
from gateway.service.workspace import Workspace
from keys.cbor import decode
from keys.codec import dump, unpack
from keys.document import body_bytes, digest, open_document, peek, typ
from keys.errors import DamagedError, InputError, RefusedError
from keys.root import Root
from keys.signer import Passphrase, Signer


@dataclass(frozen=True, slots=True)
class Checked:
    """Facts and what the checks found in them."""

    path: Path
    facts: Facts
    findings: tuple[Finding, ...]

    @property
    def blocking(self) -> bool:
        """Say whether something has to be mended before anyone may approve."""
        return any(finding.severity == "block" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Review:
    """What an approval signs: shown before, and compared when it is signed."""

    release: Release
    body: bytes
    """The header's bytes: exactly what is signed."""
    digest: bytes
    document: bytes | None
    """The header with the signatures so far; None before the first."""
    stored: bytes | None
    """What lay in the workspace then: the same as ``document``, unless approvals are started over."""
    approvals: Approvals
    findings: tuple[Finding, ...]

    @property
    def notice(self) -> Notice:
        """The header."""
        return self.release.header

    @property
    def code(self) -> str:
        """The check code that people compare."""
        return check_code(self.digest)


@dataclass(frozen=True, slots=True)
class Issued:
    """What publishing an advisory did, or would do."""

    notice: Notice
    digest: bytes
    topics: tuple[str, ...]
    changed: bool
    """False when this revision had been published before."""


def facts_path(workspace: Workspace, advisory: str) -> Path:
    """Return where an advisory's facts lie."""
    return workspace.path / "advisories" / f"{require_id(advisory, 'an advisory id')}.yaml"


def add(workspace: Workspace, source: Path) -> Path:
    """Copy a file of facts into the workspace, under its own id.

    Raises:
        InputError: the file's own faults with file:line; ADVISORY_EXISTS.
    """
    data = files.read_bytes(source, what="advisory", mend="Check the path.")
    facts = load_facts(data, where=str(source))
    path = facts_path(workspace, facts.id)
    with workspace.lock():
        _require_new(path)
        files.write_atomic(path, data)
    return path


def draft(workspace: Workspace, advisory: str, text: str) -> Path:
    """Write a new file of facts from a template's text.

    Raises:
        InputError: BAD_ID, ADVISORY_EXISTS.
    """
    path = facts_path(workspace, advisory)
    with workspace.lock():
        _require_new(path)
        files.write_atomic(path, text.encode())
    return path


def _require_new(path: Path) -> None:
    if path.exists():
        raise InputError(
            "ADVISORY_EXISTS",
            "There is an advisory of this id already.",
            mend="Edit that file: what changes after publishing becomes its next revision.",
            where=str(path),
        )


def load(workspace: Workspace, advisory: str | Path) -> Checked:
    """Read an advisory by id, or a file of facts anywhere, and run the checks.

    Raises:
        InputError: NO_ADVISORY; faults of the file with file:line; WRONG_ID.
    """
    path = advisory if isinstance(advisory, Path) else facts_path(workspace, advisory)
    if not isinstance(advisory, Path) and not path.exists():
        known = sorted(p.stem for p in path.parent.glob("*.yaml"))
        mend = files.near(advisory, known) if known else "Make it with 'tocsin advisory new'."
        raise InputError("NO_ADVISORY", f"There is no advisory '{advisory}'.", mend=mend, where=str(path))
    facts = load_facts(files.read_bytes(path, what="advisory", mend="Check the path."), where=str(path))
    if not isinstance(advisory, Path) and facts.id != advisory:
        raise InputError(
            "WRONG_ID",
            f"The file says id '{facts.id}', its name says '{advisory}'.",
            mend="Make the two agree.",
            where=facts.place("id"),
        )
    findings = check(facts, languages=languages(workspace))
    return Checked(path, facts, tuple(findings))


def published_revision(workspace: Workspace, advisory: str) -> int:
    """Return the newest published revision of an advisory, 0 before the first."""
    t = schema.advisories
    with workspace.store() as store, store.read() as session:
        query = sa.select(sa.func.max(t.c.revision)).where(t.c.id == advisory)
        return int(session.connection.execute(query).scalar() or 0)


def review(workspace: Workspace, advisory: str, *, now: int, restart: bool = False) -> Review:
    """Compose what the next approval signs; nothing is written.

    Args:
        workspace: where.
        advisory: its id.
        now: UTC seconds; the time of issue if this is the first approval.
        restart: leave the approvals so far aside and start over.

    Raises:
        InputError: APPROVALS_VOID when the YAML no longer gives the bytes that others signed.
        DamagedError: APPROVALS_DAMAGED.
    """
    checked = load(workspace, advisory)
    trusted = workspace.trusted()
    revision = published_revision(workspace, advisory) + 1
    stored = releases.stored(workspace, advisory, revision)
    document = None if restart else stored
    header = None if restart else _fixed(workspace, advisory, revision, document)
    if header is None:
        last = _last_version(workspace, advisory)
        release = compose(
            checked.facts,
            fleet=trusted.fleet,
            issued=now,
            revision=revision,
            exercise=trusted.root.exercise,
            version=next_version(last, now),
            patches=patches.mending(workspace, checked.facts),
        )
    else:
        release = _again(checked, trusted.root, header)
    body = dump(release.header)
    found = _approvals(trusted.root, document, release.header)
    return Review(release, body, hashlib.sha256(body).digest(), document, stored, found, checked.findings)


def _last_version(workspace: Workspace, advisory: str) -> int | None:
    with workspace.store() as store, store.read() as session:
        last = session.document(Notice.TYPE, advisory)
    return last.version if last else None


def _fixed(workspace: Workspace, advisory: str, revision: int, document: bytes | None) -> bytes | None:
    """Return the header's bytes that somebody signed, or that were handed out to be signed."""
    fixed = releases.fixed(workspace, advisory, revision)
    try:
        header = body_bytes(document) if document else fixed
        if header is not None:
            unpack(Notice, decode(header))
    except RefusedError as error:
        raise DamagedError(
            "APPROVALS_DAMAGED",
            f"The approvals cannot be read: {error.detail or error.reason.means}.",
            mend="Start over with 'tocsin advisory approve --restart'.",
            where=str(releases.folder(workspace, advisory, revision)),
        ) from None
    return header


def _again(checked: Checked, root: Root, fixed: bytes) -> Release:
    """Compose with what was fixed when others began to sign, and compare the bytes."""
    header = unpack(Notice, decode(fixed))
    release = compose(
        checked.facts,
        fleet=header.fleet,
        issued=header.issued,
        revision=header.revision,
        exercise=root.exercise,
        version=header.version,
        patches=header.patches,
    )
    if dump(release.header) != fixed:
        raise InputError(
            "APPROVALS_VOID",
            "The advisory was changed after it was approved or handed out: those approvals are void.",
            mend=f"Undo it, or start over: 'tocsin advisory approve {checked.facts.id} --restart' or export.",
            where=str(checked.path),
        )
    return release


def _approvals(root: Root, document: bytes | None, notice: Notice) -> Approvals:
    kids = verified(document, root) if document else ()
    signed: list[Approvals] = []
    for product in notice.subject:
        demands = root.demands(Notice.TYPE, product)
        found = approvals(root, kids, demands)
        signed.append(Approvals(found.signed, tuple(root.missing(demands, kids, notice.author))))
    # A product's own row may demand more than the general one: all of them have to be met.
    return max(signed, key=lambda found: len(found.missing))


def approve(workspace: Workspace, reviewed: Review, key: str, passphrase: Passphrase) -> Review:
    """Sign exactly what was reviewed; the first approval stores the release.

    Args:
        workspace: where.
        reviewed: what :func:`review` returned and the signer was shown.
        key: name of the key that signs.
        passphrase: asked when the key is encrypted.

    Raises:
        InputError: ADVISORY_BLOCKED, WRONG_ROLE, KEY_NOT_IN_ROOT, CHANGED_MEANWHILE, or of opening the key.
    """
    notice = reviewed.notice
    _require_passed(workspace, reviewed)
    root = workspace.trusted().root
    require_role(workspace, root, key, _roles(root, notice))
    return add_signature(workspace, reviewed, workspace.signer(key, passphrase))


def _roles(root: Root, notice: Notice) -> set[str]:
    return {role for product in notice.subject for role in root.demands(Notice.TYPE, product)}


def _require_passed(workspace: Workspace, reviewed: Review) -> None:
    if any(finding.severity == "block" for finding in reviewed.findings):
        raise InputError(
            "ADVISORY_BLOCKED",
            "Checks found what has to be mended before anyone may approve.",
            mend=f"See 'tocsin advisory check {reviewed.notice.id}'.",
            where=str(facts_path(workspace, reviewed.notice.id)),
        )


def add_signature(workspace: Workspace, reviewed: Review, signer: Signer) -> Review:
    """Add a signer's signature to what was reviewed; the first one stores the release.

    Raises:
        InputError: KEY_NOT_IN_ROOT, WRONG_ROLE, CHANGED_MEANWHILE.
    """
    notice = reviewed.notice
    root = workspace.trusted().root
    require_say(root, signer.public, _roles(root, notice))
    with workspace.lock():
        folder = releases.folder(workspace, notice.id, notice.revision)
        if releases.stored(workspace, notice.id, notice.revision) != reviewed.stored:
            raise InputError(
                "CHANGED_MEANWHILE", "Somebody else approved meanwhile.", mend="Look at it again and approve."
            )
        document = sign(reviewed.document, reviewed.body, typ(Notice.TYPE), signer)
        if reviewed.document is None:
            releases.keep(folder, reviewed.release)
        files.write_atomic(folder / "header.cose", document)
    found = _approvals(root, document, notice)
    return replace(reviewed, document=document, stored=document, approvals=found)


def fix(workspace: Workspace, reviewed: Review) -> None:
    """Store the release before anybody signed it, so that what is handed out to be signed stays the same.

    Raises:
        InputError: ADVISORY_BLOCKED.
    """
    _require_passed(workspace, reviewed)
    notice = reviewed.notice
    with workspace.lock():
        known = releases.fixed(workspace, notice.id, notice.revision)
        if reviewed.document is None and known != reviewed.body:
            releases.keep(releases.folder(workspace, notice.id, notice.revision), reviewed.release)


def publish(
    workspace: Workspace,
    advisory: str,
    operator: Signer,
    *,
    now: int,
    dry_run: bool = False,
    leave_behind: bool = False,
) -> Issued:
    """Publish the approved revision with catalogues that the operator signs.

    Publishing again the revision that was published last changes nothing. With ``leave_behind`` the others
    are warned although active devices could not verify it.

    Raises:
        InputError: NOT_APPROVED, APPROVALS_VOID.
        RefusedError: THRESHOLD_NOT_MET with the command that mends it, and whatever a device would refuse.
    """
    with workspace.lock():
        revision = published_revision(workspace, advisory) + 1
        document = releases.stored(workspace, advisory, revision)
        if document is None and revision > 1:
            document = releases.stored(workspace, advisory, revision - 1)
            if document is not None:
                return _issued(workspace, document, changed=False)
        if document is None:
            raise InputError(
                "NOT_APPROVED",
                f"Nobody has approved {advisory} yet.",
                mend=f"Begin with 'tocsin advisory approve {advisory} --key NAME'.",
                where=str(facts_path(workspace, advisory)),
            )
        reviewed = review(workspace, advisory, now=now)
        if reviewed.approvals.missing:
            raise missing_error(reviewed.approvals, f"tocsin advisory approve {advisory}", workspace)
        trusted = workspace.trusted()
        for product in reviewed.notice.subject:
            open_document(document, Notice, trusted.root, fleet=trusted.fleet, subject=product, now=now)
        row = (reviewed.notice.id, reviewed.notice.revision, reviewed.digest)
        listing = listed(workspace, trusted.fleet, reviewed.notice.subject, row, operator, now=now)
        with workspace.store() as store:
            store.rehearsing = dry_run
            publication.publish_advisory(
                store,
                document,
                reviewed.release.texts,
                reviewed.release.outputs,
                listing,
                now=now,
                topics=workspace.topics,
                leave_behind=leave_behind,
            )
    return _issued(workspace, document, changed=True)


def _issued(workspace: Workspace, document: bytes, *, changed: bool) -> Issued:
    notice = peek(document, Notice)
    topics = []
    for product in notice.subject:
        topics.append(workspace.topics.notice(product, notice.id))
        topics += [workspace.topics.text(product, language, notice.id) for language in sorted(notice.texts)]
        topics.append(workspace.topics.catalogue(product))
    return Issued(notice, digest(document), tuple(topics), changed)
