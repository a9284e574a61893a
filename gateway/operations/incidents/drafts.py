"""Drafts of reports to authorities in the workspace: written, edited by people, signed by Legal, verified."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from advisories.clocks.regimes import Regime, Step
from advisories.clocks.running import clocks
from advisories.incident import seal
from advisories.incident.draft import Draft, draft
from advisories.incident.kinds import DraftSigned, made
from advisories.incident.known import Known
from advisories.incident.orders import require, step_of
from gateway import files
from gateway.operations.advisories.setting import organisation
from gateway.operations.incidents.records import at, load, record, regimes
from gateway.operations.incidents.watching import facts_of, issues_of
from gateway.operations.trust.signing import Signed, require_role
from gateway.workspace.folder import Workspace
from keys.errors import InputError, RefusedError
from keys.signer import Passphrase


@dataclass(frozen=True, slots=True)
class Place:
    """Which report of which incident, and where it lies."""

    incident: str
    regime: Regime
    step: Step
    path: Path
    """The text that people read and Legal signs."""

    @property
    def data(self) -> Path:
        """The same as JSON."""
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def seal(self) -> Path:
        """Legal's signature over the text."""
        return self.path.with_name(f"{self.path.name}.cose")


def place(workspace: Workspace, incident: str, regime: str, step: str, out: Path | None) -> Place:
    """Return where a draft lies: in the workspace, unless a file is named.

    Raises:
        InputError: NO_INCIDENT, NO_REGIME, NO_STEP.
    """
    name = load(workspace, incident).id
    found, which = step_of(regimes(workspace), regime, step)
    path = out or workspace.path / "incidents" / name / f"{found.id}.{which.id}.md"
    return Place(name, found, which, path)


def compose(workspace: Workspace, where: Place, *, now: float) -> Draft:
    """Make a draft of what is known now; nothing is written.

    Raises:
        InputError: faults of the facts or of organisation.yaml.
    """
    incident = load(workspace, where.incident)
    known = Known(
        incident=incident,
        regime=where.regime,
        organisation=organisation(workspace),
        facts=facts_of(workspace, incident),
        issues=issues_of(workspace, incident),
        products={product.id: product.name for product in workspace.products().values()},
    )
    running = clocks(incident, [where.regime], at(now))
    clock = next(clock for clock in running if clock.step == where.step.id)
    return draft(known, where.step, clock, now=at(now), exercise=workspace.settings.exercise)


def write(workspace: Workspace, where: Place, *, now: float, restart: bool = False) -> Draft:
    """Write a draft as text and JSON.

    Raises:
        InputError: DRAFT_EXISTS, for people may have filled in what was missing; KEY_IN_THE_WAY.
    """
    fresh = compose(workspace, where, now=now)
    with workspace.lock():
        if where.path.exists() and not restart:
            raise InputError(
                "DRAFT_EXISTS",
                "There is a draft already, which people may have edited.",
                mend="Sign that one with --sign KEY, or write it anew with --restart.",
                where=str(where.path),
            )
        for path in (where.path, where.data, where.seal):
            files.require_replaceable(path)
        with files.os_errors(where.seal, "removed"):
            where.seal.unlink(missing_ok=True)
        files.write_atomic(where.data, fresh.data)
        files.write_atomic(where.path, fresh.text)
    return fresh


def read(where: Place) -> bytes:
    """Return the bytes of a draft as they lie there now.

    Raises:
        InputError: FILE_MISSING.
    """
    return files.read_bytes(where.path, what="draft", mend="Write it first: leave --sign and --verify away.")


def require_legal(workspace: Workspace, key: str) -> None:
    """Refuse a key that has not the role of Legal, before anybody reads or types anything.

    Raises:
        InputError: NO_KEY, KEY_NOT_IN_ROOT, WRONG_ROLE.
    """
    require_role(workspace, workspace.trusted().root, key, {seal.ROLE})


def sign(
    workspace: Workspace, where: Place, data: bytes, key: str, passphrase: Passphrase, *, now: float
) -> DraftSigned:
    """Sign exactly the bytes that were shown, and record it.

    Raises:
        InputError: CHANGED_MEANWHILE, INCIDENT_CLOSED, or of opening the key.
    """
    require_legal(workspace, key)
    signer = workspace.signer(key, passphrase)
    trusted = workspace.trusted()
    signature = seal.sign(
        data,
        signer,
        fleet=trusted.fleet,
        incident=where.incident,
        regime=where.regime.id,
        step=where.step.id,
    )
    holder = trusted.root.by_kid[signer.public.thumbprint].holder
    said = made(
        DraftSigned,
        when=at(now),
        regime=where.regime.id,
        step=where.step.id,
        digest=sha256(data).hexdigest(),
        holder=holder,
    )
    if read(where) != data:
        raise InputError(
            "CHANGED_MEANWHILE",
            "Somebody changed the draft meanwhile.",
            mend="Read it again and sign.",
            where=str(where.path),
        )
    require(load(workspace, where.incident), said, regimes(workspace), now=at(now))
    files.require_replaceable(where.seal)
    files.write_atomic(where.seal, signature)
    record(workspace, where.incident, said, by=holder, now=now)
    return said


def verify(workspace: Workspace, where: Place) -> Signed:
    """Return which holder of Legal signed a draft.

    Raises:
        InputError: FILE_MISSING, NOT_SIGNED.
        RefusedError: of :func:`advisories.incident.seal.verify`.
    """
    data = read(where)
    if not where.seal.exists():
        raise InputError(
            "NOT_SIGNED",
            "Nobody has signed this draft.",
            mend="Legal signs it with --sign KEY.",
            where=str(where.path),
        )
    signature = files.read_bytes(where.seal, what="signature", mend="Check the path.")
    trusted = workspace.trusted()
    try:
        entry = seal.verify(
            signature,
            data,
            trusted.root,
            fleet=trusted.fleet,
            incident=where.incident,
            regime=where.regime.id,
            step=where.step.id,
        )
    except RefusedError as error:
        error.where = str(where.path)
        raise
    return Signed.by(entry)
