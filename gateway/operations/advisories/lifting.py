"""Lifting an embargo from another machine: the bytes go out, and come back with a signature."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from advisories.embargo import Lift
from gateway.operations.advisories.embargo import Standing, review_lift, sign_lift
from gateway.operations.afar import operation
from gateway.operations.trust.signing import GivenSigner
from gateway.workspace.folder import Workspace
from keys import cose
from keys.codec import dump
from keys.document import peek, typ
from keys.errors import InputError

_SECONDS: Final = 900  # within which a lifting that begins has to come back signed


@operation("POST", "/advisories/{advisory}/embargo/lifting", right="advisory:approve")
def prepare(workspace: Workspace, advisory: str, *, now: int, until: int | None = None) -> bytes:
    """Return the exact bytes that the next signature would be over: an embargo-lift document's body.

    Args:
        workspace: where.
        advisory: its id.
        now: UTC seconds.
        until: UTC seconds at which the embargo shall end; None: that of the lifting under way, else now.

    Raises:
        InputError: NO_ADVISORY, NO_EMBARGO.
    """
    return dump(review_lift(workspace, advisory, until=until, now=now)[1])


@operation("POST", "/advisories/{advisory}/embargo/signatures", right="advisory:approve")
def take(workspace: Workspace, advisory: str, *, document: bytes, now: int) -> Standing:
    """Take in a signature over a lifting, once it is verified; with the last one it is in force.

    Args:
        workspace: where.
        advisory: its id.
        document: the lifting with one signature (COSE_Sign); untrusted.
        now: UTC seconds.

    Raises:
        InputError: KEY_NOT_IN_ROOT, WRONG_ROLE, NO_EMBARGO, CHANGED_MEANWHILE.
        RefusedError: MALFORMED, BAD_SIGNATURE, ALGORITHM_MISMATCH.
    """
    lift = peek(document, Lift)
    facts, due = review_lift(workspace, advisory, until=lift.new, now=now)
    fresh = (
        replace(due, version=lift.version, issued=lift.issued) == lift and abs(now - lift.issued) < _SECONDS
    )
    if due != lift and not fresh:
        message = "This is over another lifting than the one that is due here."
        raise InputError("CHANGED_MEANWHILE", message, mend="Look again and sign.")
    root = workspace.trusted().root
    signatures = cose.parse(document, cose.TAG_SIGN).signatures
    entry = root.by_kid.get(signatures[0].kid or b"") if len(signatures) == 1 else None
    if entry is None:
        message = f"Root {root.version} does not list the key that made this signature."
        raise InputError("KEY_NOT_IN_ROOT", message, mend="Sign with one key that it lists.")
    signer = GivenSigner(entry.key, signatures[0].value)
    again = cose.parse(cose.sign(dump(lift), [signer], typ=typ(Lift.TYPE)), cose.TAG_SIGN)
    cose.check(again, again.signatures[0], entry.key, payload=dump(lift))
    return sign_lift(workspace, facts, lift, signer, now=now)
