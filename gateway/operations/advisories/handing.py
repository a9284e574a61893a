"""Approving from another machine: what is to be signed goes out as a request, the signature comes back.

The private key stays where it is. The request holds the exact bytes and all that they bind, so that the
signer's own program makes every output again and shows it before anything is signed.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.operations.advisories.approvals import add_signature, require_passed, review
from gateway.operations.advisories.views import Shown, shown
from gateway.operations.afar import operation
from gateway.operations.trust import ceremonies, requests
from gateway.operations.trust.request_files import ANSWER_BYTES_MAX, Kind, read_answer
from gateway.operations.trust.signing import Approvals
from gateway.workspace.folder import Workspace
from keys.errors import InputError


@dataclass(frozen=True, slots=True)
class Handed:
    """What is to be signed."""

    request: bytes
    """A signing request, as ``tocsin sign-request`` reads it."""
    digest: str
    """Hexadecimal SHA-256 of the bytes to sign."""
    approvals: Approvals
    """So far."""


@operation("POST", "/advisories/{advisory}/request", right="advisory:approve")
def hand_out(workspace: Workspace, advisory: str, *, now: int, restart: bool = False) -> Handed:
    """Fix what the next approval signs, and return it as a signing request.

    Args:
        workspace: where.
        advisory: its id.
        now: UTC seconds; the time of issue, unless others began to sign.
        restart: leave what was signed or handed out so far aside, from now on.

    Raises:
        InputError: NO_ADVISORY, ADVISORY_BLOCKED, APPROVALS_VOID, TLP, REQUEST_TOO_BIG.
        DamagedError: APPROVALS_DAMAGED.
    """
    made = ceremonies.export_advisory(workspace, advisory, now=now, restart=restart)
    reviewed = review(workspace, advisory, now=now)
    return Handed(made.data, made.digest, reviewed.approvals)


@operation(
    "POST", "/advisories/{advisory}/approvals", right="advisory:approve", body_max=4 * ANSWER_BYTES_MAX
)
def take(
    workspace: Workspace,
    advisory: str,
    *,
    answer: bytes,
    now: int,
    comment: str | None = None,
    condition: str | None = None,
) -> Shown:
    """Take in a signature over what was handed out, once it is verified.

    Args:
        workspace: where.
        advisory: its id.
        answer: one signature, as ``tocsin sign-request sign`` writes it; untrusted.
        now: UTC seconds.
        comment: kept with the approval.
        condition: what has to be done before it may be published.

    Raises:
        InputError: NOT_AN_ANSWER; CHANGED_MEANWHILE, when it is over other bytes than those that wait here;
            ADVISORY_BLOCKED, KEY_NOT_IN_ROOT, WRONG_ROLE, BAD_VALUE.
        RefusedError: BAD_SIGNATURE, ALGORITHM_MISMATCH.
    """
    signature = read_answer(answer)
    reviewed = review(workspace, advisory, now=now)
    if signature.kind is not Kind.NOTICE or signature.digest != reviewed.digest:
        message = "This signature is over other bytes than those that wait for signatures here."
        raise InputError("CHANGED_MEANWHILE", message, mend="Look at it again.")
    require_passed(workspace, reviewed)
    signer = requests.signature_of(signature, reviewed.body, workspace.trusted().root)
    return shown(add_signature(workspace, reviewed, signer, comment=comment, condition=condition))
