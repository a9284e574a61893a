"""Embargo of an advisory in this workspace: whether it holds, and lifting it early by signatures.

The signatures lie in the store as events. They are verified whenever the question is asked: an event alone
lifts nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass

from advisories.embargo import Channel, Lift, Lifted, LiftSigned, ends, require_free, seconds, warnings
from advisories.facts import Facts
from advisories.facts.matter import Tlp
from advisories.notice import Notice
from gateway.operations.advisories.drafts import load
from gateway.operations.afar import operation
from gateway.operations.trust.signing import (
    Approvals,
    approvals,
    require_role,
    require_say,
    sign,
    verified,
)
from gateway.store.events import record, recorded
from gateway.workspace.folder import Workspace
from keys import cose
from keys.codec import dump
from keys.document import body_bytes, peek, typ
from keys.errors import InputError, RefusedError
from keys.root import Root
from keys.signer import Passphrase, Signer


@dataclass(frozen=True, slots=True)
class Standing:
    """How an advisory's embargo stands."""

    advisory: str
    tlp: Tlp
    until: int | None
    """UTC seconds at which it ends, with what was lifted; None: there is none."""
    lifting: Lift | None
    """The lifting for which signatures are collected, or that is in force."""
    approvals: Approvals | None
    """Whose signatures it has; none missing: it is in force."""


@dataclass(frozen=True, slots=True)
class Marked:
    """How an advisory's embargo stands, and what a person who reads it has to be told first."""

    standing: Standing
    marks: tuple[str, ...]


@operation("GET", "/advisories/{advisory}/embargo", right="advisory:read")
def show(workspace: Workspace, advisory: str, *, now: int) -> Marked:
    """Return until when nothing leaves, how far it may travel, and who wants to lift it.

    Raises:
        InputError: NO_ADVISORY; faults of the file.
    """
    facts = load(workspace, advisory).facts
    found = standing(workspace, facts)
    return Marked(found, tuple(warnings(facts, lifted(workspace, facts), now)))


def lifted(workspace: Workspace, facts: Facts) -> int | None:
    """Return the time to which the approvers brought an embargo forward, in UTC seconds, or None."""
    found = [lift.new for lift, _, so_far in _liftings(workspace, facts) if not so_far.missing]
    return min(found, default=None)


def require_may_leave(workspace: Workspace, facts: Facts, channel: Channel, *, now: float) -> None:
    """Refuse to let anything about an advisory go where, or while, it may not.

    Every output calls it before it writes or sends: publishing, site, exports, webhooks.

    Raises:
        InputError: EMBARGO, TLP.
    """
    require_free(facts, lifted(workspace, facts) if facts.embargo_until else None, now, channel)


def standing(workspace: Workspace, facts: Facts) -> Standing:
    """Return how an advisory's embargo stands."""
    found = _liftings(workspace, facts) if facts.embargo_until else []
    newest = found[-1] if found else None
    return Standing(
        advisory=facts.id,
        tlp=facts.tlp,
        until=ends(facts, lifted(workspace, facts) if found else None),
        lifting=newest[0] if newest else None,
        approvals=newest[2] if newest else None,
    )


def review_lift(workspace: Workspace, advisory: str, *, until: int | None, now: int) -> tuple[Facts, Lift]:
    """Return what the next signature would be over: the lifting under way, or a new one.

    Args:
        workspace: where.
        advisory: its id.
        until: UTC seconds at which the embargo shall end; None: that of the lifting under way, else now.
        now: UTC seconds.

    Raises:
        InputError: NO_EMBARGO, when nothing would end earlier.
    """
    facts = load(workspace, advisory).facts
    old = seconds(facts.embargo_until)
    if old is None or old <= now:
        raise InputError("NO_EMBARGO", f"{advisory} is under no embargo.", where=facts.place("embargo_until"))
    for lift, _, so_far in reversed(_liftings(workspace, facts)):
        if so_far.missing and until in {None, lift.new}:
            return facts, lift
    new = now if until is None else until
    if new >= old:
        raise InputError(
            "NO_EMBARGO",
            "The embargo would not end any earlier.",
            mend="Name an earlier --until; a later end stands in the file.",
            where=facts.place("embargo_until"),
        )
    lift = Lift(
        type=Lift.TYPE,
        fleet=workspace.fleet(),
        subject=tuple(sorted(facts.products)),
        version=now,
        issued=now,
        author=(facts.author.holder, facts.author.role),
        id=facts.id,
        facts=_digest(facts),
        old=old,
        new=new,
    )
    return facts, lift


def lift_embargo(
    workspace: Workspace, facts: Facts, lift: Lift, key: str, passphrase: Passphrase, *, now: float
) -> Standing:
    """Sign a lifting with one role's key and record it; with the last signature it is in force.

    Args:
        workspace: where.
        facts: as :func:`review_lift` returned them.
        lift: the same.
        key: name of the key that signs.
        passphrase: asked when the key is encrypted.
        now: UTC seconds.

    Raises:
        InputError: WRONG_ROLE, KEY_NOT_IN_ROOT, CHANGED_MEANWHILE, or of opening the key.
    """
    root = workspace.trusted().root
    require_role(workspace, root, key, {role for row in _rows(root, lift) for role in row})
    return sign_lift(workspace, facts, lift, workspace.signer(key, passphrase), now=now)


def sign_lift(workspace: Workspace, facts: Facts, lift: Lift, signer: Signer, *, now: float) -> Standing:
    """Add a signer's signature to a lifting.

    Raises:
        InputError: KEY_NOT_IN_ROOT, WRONG_ROLE, CHANGED_MEANWHILE.
    """
    root = workspace.trusted().root
    require_say(root, signer.public, {role for row in _rows(root, lift) for role in row})
    with workspace.lock():
        if _digest(load(workspace, facts.id).facts) != lift.facts:
            raise InputError(
                "CHANGED_MEANWHILE", "The facts were changed meanwhile.", mend="Look again and sign."
            )
        so_far = next((d for known, d, _ in _liftings(workspace, facts) if known == lift), None)
        document = sign(so_far, dump(lift), typ(Lift.TYPE), signer)
        found = _approvals(root, document, lift)
        common = {"id": lift.id, "facts": lift.facts.hex(), "old": lift.old, "new": lift.new}
        holder = root.by_kid[signer.public.thumbprint].holder
        signed = LiftSigned.model_validate({**common, "holder": holder, "document": document.hex()})
        with workspace.store() as store, store.write() as session:
            about = {"by": holder, "now": now, "advisory": facts.id, "incident": facts.incident}
            record(session, signed, **about)  # type: ignore[arg-type]
            if not found.missing:
                holders = tuple(each.holder for each in found.signed)
                done = Lifted.model_validate({**common, "holders": holders})
                record(session, done, **about)  # type: ignore[arg-type]
    return standing(workspace, facts)


def _liftings(workspace: Workspace, facts: Facts) -> list[tuple[Lift, bytes, Approvals]]:
    """Return every lifting of exactly these facts, each with its newest document, oldest first."""
    with workspace.store() as store, store.read() as session:
        events = recorded(session, advisory=facts.id, kind="embargo.signed")
    wanted = _digest(facts).hex()
    newest: dict[bytes, bytes] = {}
    for each in events:
        if isinstance(each.data, LiftSigned) and each.data.facts == wanted:
            with contextlib.suppress(ValueError, RefusedError):  # altered in the store: it lifts nothing
                document = bytes.fromhex(each.data.document)
                newest[body_bytes(document)] = document
    if not newest:
        return []
    trusted = workspace.trusted()
    found = []
    for document in newest.values():
        with contextlib.suppress(RefusedError):
            lift = peek(document, Lift)
            same = (facts.id, _digest(facts), seconds(facts.embargo_until), trusted.fleet)
            if (lift.id, lift.facts, lift.old, lift.fleet) == same:
                found.append((lift, document, _approvals(trusted.root, document, lift)))
    return found


def _approvals(root: Root, document: bytes, lift: Lift) -> Approvals:
    """Return whose signatures on a lifting are right; for its type, and by the strictest product's row."""
    try:
        header = cose.parse(document, cose.TAG_SIGN).header
        kids = verified(document, root) if header.get(cose.TYP) == typ(Lift.TYPE) else ()
    except RefusedError:  # somebody altered the store: what does not verify lifts nothing
        kids = ()
    found = []
    for demands in _rows(root, lift):
        missing = tuple(root.missing(demands, kids, lift.author))
        found.append(Approvals(approvals(root, kids, demands).signed, missing))
    return max(found, key=lambda each: len(each.missing))


def _rows(root: Root, lift: Lift) -> list[dict[str, int]]:
    return [root.demands(Notice.TYPE, product) for product in lift.subject or (None,)]


def _digest(facts: Facts) -> bytes:
    return hashlib.sha256(facts.file).digest()
