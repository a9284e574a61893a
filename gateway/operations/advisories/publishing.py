"""Publishing an approved revision, with the catalogues that list it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from advisories.catalogue import Catalogue
from advisories.compose import FACTS
from advisories.embargo import Channel
from advisories.facts import load_facts
from advisories.notice import Notice
from advisories.phases import require_phase
from gateway.operations import releases
from gateway.operations.advisories.approvals import Review, require_no_rejection, review
from gateway.operations.advisories.drafts import facts_path, published_revision
from gateway.operations.advisories.embargo import require_may_leave
from gateway.operations.advisories.setting import past
from gateway.operations.afar import operation
from gateway.operations.catalogues import listed, next_catalogue
from gateway.operations.trust.signing import missing_error
from gateway.store import publication
from gateway.workspace.folder import Workspace
from keys.codec import dump
from keys.document import body_bytes, digest, open_document, peek
from keys.errors import InputError
from keys.signer import Signer

_SECONDS: Final = 900  # within which prepared catalogues have to come back signed


@dataclass(frozen=True, slots=True)
class Issued:
    """What publishing an advisory did, or would do."""

    notice: Notice
    digest: bytes
    topics: tuple[str, ...]
    changed: bool
    """False when this revision had been published before."""
    document: bytes = b""
    """The header with its signatures."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the operator has to sign before an approved revision is published."""

    header: bytes
    """The approved header with its signatures (COSE_Sign)."""
    catalogues: tuple[bytes, ...]
    """The body of a catalogue for each product, to be signed one by one; none where it is published."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What publishing an advisory did, or would do."""

    advisory: str
    revision: int
    digest: bytes
    topics: tuple[str, ...]
    changed: bool
    """False when this revision had been published before."""

    @staticmethod
    def of(issued: Issued) -> Outcome:
        """Tell what was issued."""
        notice = issued.notice
        return Outcome(notice.id, notice.revision, issued.digest, issued.topics, issued.changed)


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
        InputError: PHASE, EMBARGO, TLP, NOT_APPROVED, APPROVALS_VOID, APPROVAL_REJECTED, CONDITION_OPEN.
        RefusedError: THRESHOLD_NOT_MET with the command that mends it, and whatever a device would refuse.
    """
    with workspace.lock():
        found = _ready(workspace, advisory, now)
        if isinstance(found, Issued):
            return found
        listing = listed(
            workspace, workspace.fleet(), found.reviewed.notice.subject, found.row, operator, now=now
        )
        found.put(workspace, listing, now=now, dry_run=dry_run, leave_behind=leave_behind)
    return _issued(workspace, found.document, changed=True)


@operation("POST", "/advisories/{advisory}/catalogues", right="advisory:publish")
def prepare(workspace: Workspace, advisory: str, *, now: int) -> Prepared:
    """Return the catalogues that the operator has to sign; nothing is written.

    Raises:
        InputError: as of :func:`publish`.
        RefusedError: the same.
    """
    with workspace.lock():
        found = _ready(workspace, advisory, now)
        if isinstance(found, Issued):
            return Prepared(found.document, ())
        return Prepared(found.document, tuple(map(dump, found.catalogues(workspace, now))))


@operation("POST", "/advisories/{advisory}/publication", right="advisory:publish")
def submit(
    workspace: Workspace,
    advisory: str,
    *,
    catalogues: tuple[bytes, ...],
    now: int,
    dry_run: bool = False,
    leave_behind: bool = False,
) -> Outcome:
    """Publish the approved revision with the catalogues of :func:`prepare`, which the operator has signed.

    Args:
        workspace: where.
        advisory: its id.
        catalogues: signed documents (COSE_Sign), in the same order; untrusted.
        now: UTC seconds.
        dry_run: check everything, change nothing.
        leave_behind: go on although active devices could not verify it.

    Raises:
        InputError: as of :func:`publish`; CHANGED_MEANWHILE, when other catalogues are due by now.
        RefusedError: as of :func:`publish`.
    """
    with workspace.lock():
        found = _ready(workspace, advisory, now)
        if isinstance(found, Issued):
            return Outcome.of(found)
        bodies = [body_bytes(document) for document in catalogues]
        made = peek(catalogues[0], Catalogue).issued if catalogues else 0
        due = [dump(body) for body in found.catalogues(workspace, made)] if abs(now - made) < _SECONDS else []
        if bodies != due:
            raise InputError(
                "CHANGED_MEANWHILE",
                "Other catalogues than these are due by now.",
                mend="Publish it once more: new ones are signed.",
            )
        found.put(workspace, catalogues, now=now, dry_run=dry_run, leave_behind=leave_behind)
        return Outcome.of(_issued(workspace, found.document, changed=True))


@dataclass(frozen=True, slots=True)
class _Ready:
    """A revision that everybody approved and nothing stops."""

    document: bytes
    reviewed: Review

    @property
    def row(self) -> tuple[str, int, bytes]:
        """What catalogues say of it."""
        return (self.reviewed.notice.id, self.reviewed.notice.revision, self.reviewed.digest)

    def catalogues(self, workspace: Workspace, now: int) -> list[Catalogue]:
        """Return the catalogues that list it, not yet signed."""
        fleet, subject = workspace.fleet(), self.reviewed.notice.subject
        with workspace.store() as store, store.read() as session:
            return [next_catalogue(session, fleet, product, now=now, notice=self.row) for product in subject]

    def put(
        self,
        workspace: Workspace,
        listing: Sequence[bytes],
        *,
        now: int,
        dry_run: bool,
        leave_behind: bool,
    ) -> None:
        """Store it with the signed catalogues."""
        release = self.reviewed.release
        with workspace.store() as store:
            store.rehearsing = dry_run
            publication.publish_advisory(
                store,
                self.document,
                release.texts,
                release.outputs | release.sources,
                list(listing),
                now=now,
                topics=workspace.topics,
                leave_behind=leave_behind,
            )


def _ready(workspace: Workspace, advisory: str, now: int) -> _Ready | Issued:
    """Return the revision that may be published, or what was published before. Call with the lock held."""
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
    facts = load_facts(reviewed.release.sources[FACTS], where=str(facts_path(workspace, advisory)))
    require_phase(facts, past(workspace, advisory))
    require_may_leave(workspace, facts, Channel.DEVICES, now=now)
    require_no_rejection(workspace, reviewed)
    trusted = workspace.trusted()
    for product in reviewed.notice.subject:
        open_document(document, Notice, trusted.root, fleet=trusted.fleet, subject=product, now=now)
    return _Ready(document, reviewed)


def _issued(workspace: Workspace, document: bytes, *, changed: bool) -> Issued:
    notice = peek(document, Notice)
    drawn = sorted(releases.drawn(workspace, notice.id, notice.revision))
    topics = []
    for product in notice.subject:
        topics.append(workspace.topics.notice(product, notice.id))
        topics += [workspace.topics.pages(product, language, notice.id) for language in drawn]
        topics += [workspace.topics.text(product, language, notice.id) for language in sorted(notice.texts)]
        topics.append(workspace.topics.catalogue(product))
    return Issued(notice, digest(document), tuple(topics), changed, document)
