"""Drafts of reports to authorities from another machine: text goes out, Legal's signature comes back."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from advisories.incident import seal
from advisories.incident.draft import Draft
from advisories.incident.kinds import DraftSigned, made
from advisories.incident.orders import require
from gateway import files
from gateway.operations.afar import operation
from gateway.operations.incidents import drafts
from gateway.operations.incidents.drafts import Place
from gateway.operations.incidents.records import at, load, record, regimes
from gateway.operations.trust.signing import Signed
from gateway.workspace.folder import Workspace
from keys.errors import InputError


@dataclass(frozen=True, slots=True)
class Asked:
    """An item of which nothing is known."""

    item: str
    label: str
    asks: str


@dataclass(frozen=True, slots=True)
class Made:
    """A draft of what is known now."""

    incident: str
    regime: str
    step: str
    text: bytes
    """Markdown, for people: what Legal signs."""
    data: bytes
    """The same as JSON."""
    missing: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Lying:
    """A draft as it lies in the workspace."""

    file: str
    """In the workspace."""
    text: bytes | None
    """None: nobody has written it."""
    signature: bytes | None
    fleet: bytes
    """Digest of root 1, which the signature is about."""


def _place(workspace: Workspace, incident: str, regime: str, step: str) -> Place:
    return drafts.place(workspace, incident, regime, step, None)


def _made(where: Place, draft: Draft) -> Made:
    asked = tuple(Asked(entry.item, entry.label, entry.asks) for entry in draft.entries if not entry.lines)
    return Made(where.incident, where.regime.id, where.step.id, draft.text, draft.data, asked)


@operation("GET", "/incidents/{incident}/drafts/{regime}/{step}/now", right="incident:read")
def compose(workspace: Workspace, incident: str, regime: str, step: str, *, now: int) -> Made:
    """Make a draft of what is known now; nothing is written.

    Raises:
        InputError: NO_INCIDENT, NO_REGIME, NO_STEP; faults of the facts or of organisation.yaml.
    """
    where = _place(workspace, incident, regime, step)
    return _made(where, drafts.compose(workspace, where, now=now))


@operation("POST", "/incidents/{incident}/drafts/{regime}/{step}", right="incident:write")
def write(
    workspace: Workspace, incident: str, regime: str, step: str, *, now: int, restart: bool = False
) -> Made:
    """Write a draft into the workspace, as text and JSON.

    Args:
        workspace: where.
        incident: its id.
        regime: for whom it is.
        step: which report.
        now: UTC seconds.
        restart: write it anew; edits and a signature are lost.

    Raises:
        InputError: as of :func:`compose`; DRAFT_EXISTS.
    """
    where = _place(workspace, incident, regime, step)
    return _made(where, drafts.write(workspace, where, now=now, restart=restart))


@operation("GET", "/incidents/{incident}/drafts/{regime}/{step}", right="incident:read")
def lying(workspace: Workspace, incident: str, regime: str, step: str) -> Lying:
    """Return a draft as it lies in the workspace, with Legal's signature if it has one.

    Raises:
        InputError: NO_INCIDENT, NO_REGIME, NO_STEP.
    """
    where = _place(workspace, incident, regime, step)
    return Lying(
        str(where.path.relative_to(workspace.path)),
        where.path.read_bytes() if where.path.exists() else None,
        where.seal.read_bytes() if where.seal.exists() else None,
        workspace.fleet(),
    )


@operation("POST", "/incidents/{incident}/drafts/{regime}/{step}/signature", right="incident:write")
def take(
    workspace: Workspace,
    incident: str,
    regime: str,
    step: str,
    *,
    text: bytes,
    signature: bytes,
    now: int,
    elsewhere: bool = False,
) -> DraftSigned:
    """Take in Legal's signature over a draft, once it is verified, and record it.

    Args:
        workspace: where.
        incident: its id.
        regime: for whom it is.
        step: which report.
        text: the exact bytes that were signed; untrusted.
        signature: a detached COSE_Sign1; untrusted.
        now: UTC seconds.
        elsewhere: the draft lies on the signer's machine, not in the workspace.

    Raises:
        InputError: NO_INCIDENT, NO_REGIME, NO_STEP, FILE_MISSING, CHANGED_MEANWHILE, INCIDENT_CLOSED.
        RefusedError: of :func:`advisories.incident.seal.verify`.
    """
    where = _place(workspace, incident, regime, step)
    holder = judge(workspace, incident, regime, step, text=text, signature=signature).holder
    said = made(
        DraftSigned,
        when=at(now),
        regime=where.regime.id,
        step=where.step.id,
        digest=sha256(text).hexdigest(),
        holder=holder,
    )
    if not elsewhere and drafts.read(where) != text:
        message = "Somebody changed the draft meanwhile."
        raise InputError("CHANGED_MEANWHILE", message, mend="Read it again and sign.", where=str(where.path))
    require(load(workspace, incident), said, regimes(workspace), now=at(now))
    if not elsewhere:
        files.require_replaceable(where.seal)
        files.write_atomic(where.seal, signature)
    record(workspace, incident, said, by=holder, now=now)
    return said


@operation("POST", "/incidents/{incident}/drafts/{regime}/{step}/verification", right="incident:read")
def judge(
    workspace: Workspace, incident: str, regime: str, step: str, *, text: bytes, signature: bytes
) -> Signed:
    """Say which holder of Legal signed a draft, wherever it lies.

    Raises:
        InputError: NO_INCIDENT, NO_REGIME, NO_STEP.
        RefusedError: of :func:`advisories.incident.seal.verify`.
    """
    where = _place(workspace, incident, regime, step)
    trusted = workspace.trusted()
    about = {"incident": where.incident, "regime": where.regime.id, "step": where.step.id}
    return Signed.by(seal.verify(signature, text, trusted.root, fleet=trusted.fleet, **about))
