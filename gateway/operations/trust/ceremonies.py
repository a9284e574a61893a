"""``tocsin sign-request export`` and ``import``: the workspace's side of signing elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from advisories.compose import FACTS
from advisories.embargo import Channel
from advisories.facts import load_facts
from gateway import files
from gateway.operations import advisories, patches, releases
from gateway.operations.advisories.embargo import require_may_leave
from gateway.operations.afar import operation
from gateway.operations.trust import requests, roots
from gateway.operations.trust.request_files import (
    Answer,
    Kind,
    encode_request,
    for_notice,
    for_patch,
    for_root,
    read_answer,
)
from gateway.operations.trust.signing import Approvals, Signed
from gateway.workspace.folder import Workspace
from keys.document import body_bytes
from keys.errors import InputError, RefusedError


@dataclass(frozen=True, slots=True)
class Exported:
    """A request, ready to be written."""

    name: str
    """What it is about, for people."""
    digest: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """What taking in an answer did."""

    name: str
    digest: str
    signed: Signed
    changed: bool
    """False when this signature was there already."""
    missing: tuple[str, ...]


@operation("GET", "/signing-requests/root", right="trust:read")
def export_root(workspace: Workspace) -> Exported:
    """Return the request for the draft of a root.

    Raises:
        InputError: NO_DRAFT.
    """
    body, root = roots.draft_bytes(workspace)
    request = for_root(body, workspace.root_documents())
    return Exported(f"root {root.version}", hashlib.sha256(body).hexdigest(), encode_request(request))


@operation("POST", "/signing-requests/advisories/{advisory}", right="advisory:approve")
def export_advisory(workspace: Workspace, advisory: str, *, now: int, restart: bool = False) -> Exported:
    """Return the request for an advisory; what is handed out is fixed from then on.

    Args:
        workspace: where.
        advisory: its id.
        now: UTC seconds; the time of issue, unless others began to sign.
        restart: leave what was signed or handed out so far aside, and fix the advisory as it is now.

    Raises:
        InputError: as of reviewing and approving it: ADVISORY_BLOCKED, APPROVALS_VOID; TLP.
    """
    reviewed = advisories.review(workspace, advisory, now=now, restart=restart)
    facts = load_facts(reviewed.release.sources[FACTS], where=FACTS)
    require_may_leave(workspace, facts, Channel.OWN, now=now)
    advisories.fix(workspace, reviewed)
    request = for_notice(workspace.root_documents(), reviewed.release)
    name = f"{advisory} revision {reviewed.notice.revision}"
    return Exported(name, reviewed.digest.hex(), encode_request(request))


@operation("GET", "/signing-requests/patches/{patch}", right="patch:read")
def export_patch(workspace: Workspace, patch: str) -> Exported:
    """Return the request for a patch.

    Raises:
        InputError: NO_PATCH, NO_ROOT.
    """
    view = patches.find(workspace, patch)
    workspace.trusted()
    vendor = workspace.product(view.product).vendor
    request = for_patch(view.envelope, workspace.root_documents(), view.product, vendor)
    return Exported(_patch_name(view), view.patch.digest.hex(), encode_request(request))


def _patch_name(view: patches.PatchView) -> str:
    return f"patch {view.patch.sequence} ({view.product} {view.version})"


def take(workspace: Workspace, data: bytes, *, now: int, by: str, where: str = "") -> Taken:
    """Verify an answer and add its signature; nothing is written unless everything fits.

    Args:
        workspace: where.
        data: untrusted bytes of an answer.
        now: UTC seconds.
        by: who brings it.
        where: the file's name, for messages.

    Raises:
        InputError: NOT_AN_ANSWER; ANSWER_STALE, when nothing that waits for signatures has its digest;
            KEY_NOT_IN_ROOT, WRONG_ROLE, NOT_A_ROOT_KEY.
        RefusedError: BAD_SIGNATURE, ALGORITHM_MISMATCH.
    """
    answer = read_answer(data, where=where)
    try:
        if answer.kind is Kind.ROOT:
            return take_root(workspace, data, now=now, by=by)
        if answer.kind is Kind.NOTICE:
            return take_notice(workspace, data, now=now)
        return take_patch(workspace, data, now=now, by=by)
    except (InputError, RefusedError) as error:
        error.where = error.where or where
        raise


def _of(data: bytes, kind: Kind) -> Answer:
    """Read an answer of one kind: each kind is another right."""
    answer = read_answer(data)
    if answer.kind is not kind:
        message = "This is a signature over something else."
        raise InputError("NOT_AN_ANSWER", message, mend="Name the answer's file.")
    return answer


def _stale(answer: Answer, what: str, mend: str) -> InputError:
    return InputError(
        "ANSWER_STALE",
        f"This signature is over another {what} (digest {answer.digest.hex()}) than the one that waits here.",
        mend=mend,
    )


def _taken(name: str, answer: Answer, before: Approvals, after: Approvals) -> Taken:
    kid = answer.kid.hex()[:16]
    (signed, *_) = [one for one in after.signed if one.kid == kid]
    changed = kid not in {one.kid for one in before.signed}
    return Taken(name, answer.digest.hex(), signed, changed, after.missing)


@operation("POST", "/signatures/root", right="trust:approve", raw="data")
def take_root(workspace: Workspace, data: bytes, *, now: int, by: str) -> Taken:
    """Take in a signature over the draft of a root, see :func:`take`."""
    answer = _of(data, Kind.ROOT)
    body, root = roots.draft_bytes(workspace)
    if hashlib.sha256(body).digest() != answer.digest:
        mend = "Export the present draft with 'tocsin sign-request export root' and have that signed."
        raise _stale(answer, "draft of a root", mend)
    # A root key that leaves with this root still has its say under the old policy.
    judges = [root] if root.version == 1 else [root, workspace.trusted().root]
    judge = next((judge for judge in judges if answer.kid in judge.by_kid), root)
    signer = requests.signature_of(answer, body, judge)
    before = roots.show(workspace).approvals
    after = roots.add_signature(workspace, signer, now=now, by=by).approvals
    return _taken(f"root {root.version}", answer, before, after)


@operation("POST", "/signatures/advisory", right="advisory:approve", raw="data")
def take_notice(workspace: Workspace, data: bytes, *, now: int) -> Taken:
    """Take in a signature over an advisory, see :func:`take`."""
    answer = _of(data, Kind.NOTICE)
    for advisory in [path.stem for path in files.listed(workspace.path / "advisories", ".yaml")]:
        revision = advisories.published_revision(workspace, advisory) + 1
        if _waiting(workspace, advisory, revision) != answer.digest:
            continue
        reviewed = advisories.review(workspace, advisory, now=now)
        root = workspace.trusted().root
        signer = requests.signature_of(answer, reviewed.body, root)
        done = advisories.add_signature(workspace, reviewed, signer)
        return _taken(f"{advisory} revision {revision}", answer, reviewed.approvals, done.approvals)
    mend = "Export the advisory as it is now with 'tocsin sign-request export advisory' and have that signed."
    raise _stale(answer, "text of an advisory", mend)


def _waiting(workspace: Workspace, advisory: str, revision: int) -> bytes | None:
    """Return the digest of the header that waits for signatures."""
    document = releases.stored(workspace, advisory, revision)
    try:
        body = body_bytes(document) if document else releases.fixed(workspace, advisory, revision)
    except RefusedError:  # told to whoever looks at that advisory
        return None
    return None if body is None else hashlib.sha256(body).digest()


@operation("POST", "/signatures/patch", right="patch:approve", raw="data")
def take_patch(workspace: Workspace, data: bytes, *, now: int, by: str) -> Taken:
    """Take in a signature over a patch, see :func:`take`."""
    answer = _of(data, Kind.PATCH)
    found = [view for view in patches.every(workspace) if view.patch.digest == answer.digest]
    if not found:
        mend = "Export the patch again with 'tocsin sign-request export patch' and have that signed."
        raise _stale(answer, "patch", mend)
    view = found[-1]
    signer = requests.signature_of(answer, view.envelope, workspace.trusted().root)
    done = patches.add_signature(
        workspace, str(view.patch.sequence), signer, digest=answer.digest, now=now, by=by
    )
    return _taken(_patch_name(view), answer, view.approvals, done.approvals)
