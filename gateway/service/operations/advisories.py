"""``tocsin advisory``: facts become a release, approvals are signatures over its exact bytes.

The first approval composes the release and keeps its header; every later one composes again from the
YAML with the same time of issue and must come to the very same bytes. So an edit after an approval is
noticed before anyone else signs, and nobody signs what another did not.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from advisories.checks import Finding, check
from advisories.compose import Release, compose
from advisories.facts import Facts, load_facts
from advisories.notice import Notice, check_code
from gateway.core.publication import next_version
from gateway.service import files, publication, schema
from gateway.service.entries import require_id
from gateway.service.operations import patches
from gateway.service.operations.catalogues import next_catalogue
from gateway.service.operations.products import languages
from gateway.service.operations.signing import (
    Approvals,
    approvals,
    missing_error,
    require_role,
    sign,
    verified,
)
from gateway.service.workspace import Workspace
from keys.codec import dump
from keys.document import body_bytes, digest, open_document, peek, seal, typ
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


def _folder(workspace: Workspace, advisory: str, revision: int) -> Path:
    return workspace.path / "advisories" / advisory / f"r{revision}"


def _stored(workspace: Workspace, advisory: str, revision: int) -> bytes | None:
    """Return the header with the approvals so far, or None before the first."""
    path = _folder(workspace, advisory, revision) / "header.cose"
    return path.read_bytes() if path.exists() else None


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
    stored = _stored(workspace, advisory, revision)
    document = None if restart else stored
    if document is None:
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
        release = _again(workspace, checked, trusted.root, trusted.fleet, document)
    body = dump(release.header)
    found = _approvals(trusted.root, document, release.header)
    return Review(release, body, hashlib.sha256(body).digest(), document, stored, found, checked.findings)


def _last_version(workspace: Workspace, advisory: str) -> int | None:
    with workspace.store() as store, store.read() as session:
        last = session.document(Notice.TYPE, advisory)
    return last.version if last else None


def _again(workspace: Workspace, checked: Checked, root: Root, fleet: bytes, document: bytes) -> Release:
    """Compose with what the first approval fixed, and compare the bytes."""
    where = _folder(workspace, checked.facts.id, 0).parent
    try:
        header = peek(document, Notice)
    except RefusedError as error:
        raise DamagedError(
            "APPROVALS_DAMAGED",
            f"The approvals cannot be read: {error.detail or error.reason.means}.",
            mend="Start over with 'tocsin advisory approve --restart'.",
            where=str(where),
        ) from None
    release = compose(
        checked.facts,
        fleet=fleet,
        issued=header.issued,
        revision=header.revision,
        exercise=root.exercise,
        version=header.version,
        patches=header.patches,
    )
    if dump(release.header) != body_bytes(document):
        raise InputError(
            "APPROVALS_VOID",
            "The advisory was changed after it was approved: those approvals are void.",
            mend=f"Undo it, or start over: 'tocsin advisory approve {checked.facts.id} --restart'.",
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
    if any(finding.severity == "block" for finding in reviewed.findings):
        raise InputError(
            "ADVISORY_BLOCKED",
            "Checks found what has to be mended before anyone may approve.",
            mend=f"See 'tocsin advisory check {notice.id}'.",
            where=str(facts_path(workspace, notice.id)),
        )
    root = workspace.trusted().root
    require_role(workspace, root, key, {r for p in notice.subject for r in root.demands(Notice.TYPE, p)})
    signer = workspace.signer(key, passphrase)
    with workspace.lock():
        folder = _folder(workspace, notice.id, notice.revision)
        if _stored(workspace, notice.id, notice.revision) != reviewed.stored:
            raise InputError(
                "CHANGED_MEANWHILE", "Somebody else approved meanwhile.", mend="Look at it again and approve."
            )
        document = sign(reviewed.document, reviewed.body, typ(Notice.TYPE), signer)
        if reviewed.document is None:
            _keep(folder, reviewed.release)
        files.write_atomic(folder / "header.cose", document)
    found = _approvals(root, document, notice)
    return Review(
        reviewed.release, reviewed.body, reviewed.digest, document, document, found, reviewed.findings
    )


def _keep(folder: Path, release: Release) -> None:
    """Store the release whole: written beside, then moved into place."""
    fresh = folder.with_name(f".{folder.name}.new")
    old = folder.with_name(f".{folder.name}.old")
    with files.os_errors(folder, "written"):
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        for name, data in _release_files(release).items():
            files.write_atomic(fresh / name, data)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        files.sync_folder(folder.parent)
        shutil.rmtree(old, ignore_errors=True)


def _release_files(release: Release) -> dict[str, bytes]:
    texts = {f"texts/{language}.cbor": data for language, data in release.texts.items()}
    outputs = {f"outputs/{name}": data for name, data in release.outputs.items()}
    return {**texts, **outputs, "release-list.cbor": release.release_list}


def publish(
    workspace: Workspace, advisory: str, operator: Signer, *, now: int, dry_run: bool = False
) -> Issued:
    """Publish the approved revision with catalogues that the operator signs.

    Publishing again the revision that was published last changes nothing.

    Raises:
        InputError: NOT_APPROVED, APPROVALS_VOID.
        RefusedError: THRESHOLD_NOT_MET with the command that mends it, and whatever a device would refuse.
    """
    with workspace.lock():
        revision = published_revision(workspace, advisory) + 1
        document = _stored(workspace, advisory, revision)
        if document is None and revision > 1:
            document = _stored(workspace, advisory, revision - 1)
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
        catalogues = _catalogues(workspace, reviewed, trusted.fleet, operator, now)
        with workspace.store() as store:
            store.rehearsing = dry_run
            publication.publish_advisory(
                store,
                document,
                reviewed.release.texts,
                reviewed.release.outputs,
                catalogues,
                now=now,
                topics=workspace.topics,
            )
    return _issued(workspace, document, changed=True)


def _catalogues(
    workspace: Workspace, reviewed: Review, fleet: bytes, operator: Signer, now: int
) -> list[bytes]:
    notice = reviewed.notice
    row = (notice.id, notice.revision, reviewed.digest)
    with workspace.store() as store, store.read() as session:
        bodies = [next_catalogue(session, fleet, product, now=now, notice=row) for product in notice.subject]
    return [seal(body, [operator]) for body in bodies]


def _issued(workspace: Workspace, document: bytes, *, changed: bool) -> Issued:
    notice = peek(document, Notice)
    topics = []
    for product in notice.subject:
        topics.append(workspace.topics.notice(product, notice.id))
        topics += [workspace.topics.text(product, language, notice.id) for language in sorted(notice.texts)]
        topics.append(workspace.topics.catalogue(product))
    return Issued(notice, digest(document), tuple(topics), changed)
