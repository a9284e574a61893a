"""``tocsin advisory``: facts become a release, approvals are signatures over its exact bytes.

The first approval composes the release and keeps its header; every later one composes again from the
YAML with the same time of issue and must come to the very same bytes. So an edit after an approval is
noticed before anyone else signs, and nobody signs what another did not. What approvers say beside signing
is kept in :mod:`gateway.operations.advisories.comments`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from advisories.approval import content_of
from advisories.checks import Finding, Level
from advisories.compose import FACTS, SETTING, Release, compose
from advisories.facts import Facts
from advisories.notice import Notice, check_code
from advisories.render.pages import Pages
from advisories.story import Setting
from gateway import files
from gateway.core.publication import next_version
from gateway.operations import fonts, patches, releases
from gateway.operations.advisories import comments
from gateway.operations.advisories.comments import About
from gateway.operations.advisories.drafts import Checked, facts_path, load, published_revision
from gateway.operations.advisories.setting import current, kept
from gateway.operations.trust.signing import (
    Approvals,
    Signed,
    approvals,
    require_role,
    require_say,
    sign,
    verified,
)
from gateway.workspace.folder import Workspace
from keys.cbor import decode
from keys.codec import dump, unpack
from keys.document import body_bytes, peek, typ
from keys.errors import DamagedError, InputError, RefusedError
from keys.root import Root
from keys.signer import Passphrase, Signer


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
    fixed: bytes | None
    """The header's bytes that had been handed out or signed by then."""
    approvals: Approvals
    findings: tuple[Finding, ...]
    at: float = 0.0
    """UTC seconds at which it was looked at; what is signed or said of it is recorded as of then."""
    restart: bool = False
    """The approvals so far, if any, are left aside."""

    @property
    def about(self) -> About:
        """The exact content, for what is said about it."""
        notice = self.notice
        return About(notice.id, notice.revision, self.digest, content_of(self.release.sources))

    @property
    def blocked(self) -> bool:
        """Whether checks found what has to be mended before anyone may approve."""
        return any(finding.severity == "block" for finding in self.findings)

    @property
    def notice(self) -> Notice:
        """The header."""
        return self.release.header

    @property
    def code(self) -> str:
        """The check code that people compare."""
        return check_code(self.digest)


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
    checked = load(workspace, advisory, now=now)
    trusted = workspace.trusted()
    revision = published_revision(workspace, advisory) + 1
    stored = releases.stored(workspace, advisory, revision)
    fixed = releases.fixed(workspace, advisory, revision)
    document = None if restart else stored
    header = None if restart else _header(workspace, advisory, revision, document, fixed)
    setting = current(workspace, checked.facts)
    if header is None:
        last = _last(workspace, advisory)
        release = compose(
            checked.facts,
            setting=setting,
            fleet=trusted.fleet,
            issued=now,
            revision=revision,
            exercise=trusted.root.exercise,
            version=next_version(last.version if last else None, now),
            patches=patches.mending(workspace, checked.facts),
            fonts=fonts.installed(),
            previous=last,
        )
    else:
        drawn = releases.drawn(workspace, advisory, revision)
        before = releases.last(workspace, advisory, revision) or {}
        release = _again(
            checked,
            trusted.root,
            header,
            kept(workspace, advisory, revision),
            drawn=drawn,
            approved=before.get(FACTS),
        )
    body = dump(release.header)
    try:
        found = _approvals(trusted.root, document, release.header)
    except RefusedError as error:  # a signature that is none: somebody altered the file
        raise _damaged(workspace, advisory, revision, error) from None
    digest = hashlib.sha256(body).digest()
    findings = (*checked.findings, *_without_pages(checked.facts, release))
    if release.sources[SETTING] != setting.encode():
        findings = (*findings, _setting_changed(checked.facts, advisory))
    return Review(release, body, digest, document, stored, fixed, found, findings, now, restart)


def _without_pages(facts: Facts, release: Release) -> list[Finding]:
    """Return what to say of languages that devices without a font will not be able to show."""
    found = []
    for language, why in release.without_pages.items():
        where = facts.place("texts", language)
        line = int(where.rpartition(":")[2]) if where.rpartition(":")[2].isdigit() else 0
        message = f"Devices without a font cannot show '{language}': it has no drawn pages. {why}"
        mend = "Approve on a machine with the package fonts-unifont, or shorten the text as it says."
        found.append(Finding("drawn-pages", Level.ADVICE, where, message, mend, 35, line))
    return found


def _setting_changed(facts: Facts, advisory: str) -> Finding:
    """Return what to say when who speaks, or a product, was changed after the outputs were fixed."""
    message = "organisation.yaml or products.toml was changed since; the outputs say it as before."
    mend = f"If it matters here, start over: 'tocsin advisory approve {advisory} --restart'."
    return Finding("setting-changed", Level.ADVICE, facts.place("id"), message, mend, 29, facts.line("id"))


def present(workspace: Workspace, advisory: str, *, now: int) -> Review:
    """Compose the advisory as it is now, also when an edit has made approvals void; nothing is written.

    Raises:
        InputError: faults of the file.
    """
    try:
        return review(workspace, advisory, now=now)
    except InputError as error:
        if error.code != "APPROVALS_VOID":
            raise
        return review(workspace, advisory, now=now, restart=True)


def require_no_rejection(workspace: Workspace, reviewed: Review) -> None:
    """Refuse to publish while a rejection of this content stands, or a condition is open.

    Raises:
        InputError: APPROVAL_REJECTED, CONDITION_OPEN.
    """
    comments.require_settled(workspace, reviewed.about)


def _last(workspace: Workspace, advisory: str) -> Notice | None:
    """Return the header that was published last."""
    with workspace.store() as store, store.read() as session:
        last = session.document(Notice.TYPE, advisory)
    return peek(last.bytes, Notice) if last else None


def _header(
    workspace: Workspace, advisory: str, revision: int, document: bytes | None, fixed: bytes | None
) -> bytes | None:
    """Return the header's bytes that somebody signed, or that were handed out to be signed."""
    try:
        header = body_bytes(document) if document else fixed
        if header is not None:
            unpack(Notice, decode(header))
    except RefusedError as error:
        raise _damaged(workspace, advisory, revision, error) from None
    return header


def _damaged(workspace: Workspace, advisory: str, revision: int, error: RefusedError) -> DamagedError:
    return DamagedError(
        "APPROVALS_DAMAGED",
        f"The approvals cannot be read: {error.detail or error.reason.means}.",
        mend="Start over with 'tocsin advisory approve --restart'.",
        where=str(releases.folder(workspace, advisory, revision)),
    )


def _again(
    checked: Checked,
    root: Root,
    fixed: bytes,
    setting: Setting,
    *,
    drawn: Mapping[str, Pages],
    approved: bytes | None,
) -> Release:
    """Compose with what was fixed when others began to sign, and compare the bytes."""
    header = unpack(Notice, decode(fixed))
    release = compose(
        checked.facts,
        setting=setting,
        fleet=header.fleet,
        issued=header.issued,
        revision=header.revision,
        exercise=root.exercise,
        version=header.version,
        patches=header.patches,
        drawn=drawn,
        same_since=header.same_since,
    )
    if dump(release.header) != fixed:
        what = "The advisory was changed after it was approved or handed out"
        if checked.facts.file == approved:
            what = "This program makes other outputs of the same facts than the one that was approved with"
        raise InputError(
            "APPROVALS_VOID",
            f"{what}: those approvals are void.",
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


def approve(
    workspace: Workspace,
    reviewed: Review,
    key: str,
    passphrase: Passphrase,
    *,
    comment: str | None = None,
    condition: str | None = None,
) -> Review:
    """Sign exactly what was reviewed; the first approval stores the release.

    Args:
        workspace: where.
        reviewed: what :func:`review` returned and the signer was shown.
        key: name of the key that signs.
        passphrase: asked when the key is encrypted.
        comment: kept with the approval.
        condition: what has to be done before it may be published.

    Raises:
        InputError: ADVISORY_BLOCKED, WRONG_ROLE, KEY_NOT_IN_ROOT, CHANGED_MEANWHILE, or of opening the key.
    """
    require_passed(workspace, reviewed)
    root = workspace.trusted().root
    require_role(workspace, root, key, roles_of(root, reviewed.notice))
    signer = workspace.signer(key, passphrase)
    return add_signature(workspace, reviewed, signer, comment=comment, condition=condition)


def roles_of(root: Root, notice: Notice) -> set[str]:
    """Return the roles whose signatures count on a notice."""
    return {role for product in notice.subject for role in root.demands(Notice.TYPE, product)}


def require_passed(workspace: Workspace, reviewed: Review) -> None:
    """Refuse to go on with what checks found to be mended first.

    Raises:
        InputError: ADVISORY_BLOCKED.
    """
    if reviewed.blocked:
        raise InputError(
            "ADVISORY_BLOCKED",
            "Checks found what has to be mended before anyone may approve.",
            mend=f"See 'tocsin advisory check {reviewed.notice.id}'.",
            where=str(facts_path(workspace, reviewed.notice.id)),
        )


def add_signature(
    workspace: Workspace,
    reviewed: Review,
    signer: Signer,
    *,
    comment: str | None = None,
    condition: str | None = None,
) -> Review:
    """Add a signer's signature to what was reviewed; the first one stores the release.

    Raises:
        InputError: KEY_NOT_IN_ROOT, WRONG_ROLE, CHANGED_MEANWHILE, BAD_VALUE.
    """
    notice = reviewed.notice
    root = workspace.trusted().root
    roles = roles_of(root, notice)
    require_say(root, signer.public, roles)
    with workspace.lock():
        folder = releases.folder(workspace, notice.id, notice.revision)
        _require_unchanged(workspace, reviewed)
        document = sign(reviewed.document, reviewed.body, typ(Notice.TYPE), signer)
        signed = Signed.by(root.by_kid[signer.public.thumbprint])
        if comment or condition or signed not in reviewed.approvals.signed:
            # Before the signature: a power failure may leave a word too many, never a condition less.
            comments.given(
                workspace,
                reviewed.about,
                signed,
                roles=roles,
                comment=comment,
                condition=condition,
                now=reviewed.at,
            )
        if reviewed.document is None:
            releases.keep(folder, reviewed.release)
        releases.remember(workspace, notice.id, reviewed.digest, reviewed.release)
        files.write_atomic(folder / "header.cose", document)
    found = _approvals(root, document, notice)
    return replace(
        reviewed, document=document, stored=document, fixed=reviewed.body, approvals=found, restart=False
    )


def _require_unchanged(workspace: Workspace, reviewed: Review) -> None:
    """Refuse to write over what others signed or handed out since it was looked at."""
    notice = reviewed.notice
    lies = [look(workspace, notice.id, notice.revision) for look in (releases.stored, releases.fixed)]
    if lies != [reviewed.stored, reviewed.fixed]:
        raise InputError(
            "CHANGED_MEANWHILE",
            "Somebody else approved it or handed it out meanwhile.",
            mend="Look at it again.",
        )


def fix(workspace: Workspace, reviewed: Review) -> None:
    """Store the release before anybody signed it, so that what is handed out to be signed stays the same.

    Raises:
        InputError: ADVISORY_BLOCKED, CHANGED_MEANWHILE.
    """
    require_passed(workspace, reviewed)
    notice = reviewed.notice
    with workspace.lock():
        _require_unchanged(workspace, reviewed)
        if reviewed.document is None and reviewed.fixed != reviewed.body:
            releases.keep(releases.folder(workspace, notice.id, notice.revision), reviewed.release)
