"""Publishing an approved revision, with the catalogues that list it."""

from __future__ import annotations

from dataclasses import dataclass

from advisories.compose import FACTS
from advisories.embargo import Channel
from advisories.facts import load_facts
from advisories.notice import Notice
from advisories.phases import require_phase
from gateway.operations import releases
from gateway.operations.advisories.approvals import require_no_rejection, review
from gateway.operations.advisories.drafts import facts_path, published_revision
from gateway.operations.advisories.embargo import require_may_leave
from gateway.operations.advisories.setting import past
from gateway.operations.catalogues import listed
from gateway.operations.trust.signing import missing_error
from gateway.store import publication
from gateway.workspace.folder import Workspace
from keys.document import digest, open_document, peek
from keys.errors import InputError
from keys.signer import Signer


@dataclass(frozen=True, slots=True)
class Issued:
    """What publishing an advisory did, or would do."""

    notice: Notice
    digest: bytes
    topics: tuple[str, ...]
    changed: bool
    """False when this revision had been published before."""


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
        row = (reviewed.notice.id, reviewed.notice.revision, reviewed.digest)
        listing = listed(workspace, trusted.fleet, reviewed.notice.subject, row, operator, now=now)
        with workspace.store() as store:
            store.rehearsing = dry_run
            publication.publish_advisory(
                store,
                document,
                reviewed.release.texts,
                reviewed.release.outputs | reviewed.release.sources,
                listing,
                now=now,
                topics=workspace.topics,
                leave_behind=leave_behind,
            )
    return _issued(workspace, document, changed=True)


def _issued(workspace: Workspace, document: bytes, *, changed: bool) -> Issued:
    notice = peek(document, Notice)
    drawn = sorted(releases.drawn(workspace, notice.id, notice.revision))
    topics = []
    for product in notice.subject:
        topics.append(workspace.topics.notice(product, notice.id))
        topics += [workspace.topics.pages(product, language, notice.id) for language in drawn]
        topics += [workspace.topics.text(product, language, notice.id) for language in sorted(notice.texts)]
        topics.append(workspace.topics.catalogue(product))
    return Issued(notice, digest(document), tuple(topics), changed)
