"""Files of facts in the workspace: written, taken over, read and checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sqlalchemy as sa

from advisories.checks import Finding
from advisories.embargo import Channel, require_free
from advisories.facts import Facts, load_facts
from advisories.topics import is_id
from gateway import files
from gateway.core.rights import Caller
from gateway.operations.advisories import checking
from gateway.operations.afar import operation
from gateway.store import schema
from gateway.workspace.entries import require_id
from gateway.workspace.folder import Workspace
from keys.errors import InputError


@dataclass(frozen=True)
class Checked:
    """Facts and what the checks find in them."""

    path: Path
    facts: Facts
    workspace: Workspace
    now: int | None

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What there is to mend; looked for when it is first asked.

        Raises:
            InputError: of ``organisation.yaml`` or ``glossary.toml``.
        """
        return checking.findings(self.workspace, self.facts, now=self.now)

    @property
    def blocking(self) -> bool:
        """Say whether something has to be mended before anyone may approve."""
        return any(finding.severity == "block" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class FactsFile:
    """A file of facts, as it lies in the workspace."""

    id: str
    file: bytes
    tag: str
    """Changes with the file."""
    published: int
    """The newest published revision; 0 before the first."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file of facts that was written."""

    id: str
    path: str
    """In the workspace."""


def tag_of(file: bytes) -> str:
    """Return the tag of a file: the hexadecimal SHA-256 of its bytes."""
    return hashlib.sha256(file).hexdigest()


def facts_path(workspace: Workspace, advisory: str) -> Path:
    """Return where an advisory's facts lie."""
    return workspace.path / "advisories" / f"{require_id(advisory, 'an advisory id')}.yaml"


def add(workspace: Workspace, source: Path) -> Path:
    """Copy a file of facts into the workspace, under its own id.

    Raises:
        InputError: the file's own faults with file:line; ADVISORY_EXISTS.
    """
    data = files.read_bytes(source, what="advisory", mend="Check the path.")
    return workspace.path / take(workspace, data, where=str(source)).path


@operation(
    "POST", "/advisories", right="advisory:write", creates=True, raw="file", body_max=files.NAMED_BYTES_MAX
)
def take(workspace: Workspace, file: bytes, *, where: str = "") -> Written:
    """Take over a file of facts as a new advisory, under its own id.

    Args:
        workspace: where.
        file: untrusted YAML.
        where: its name, for messages.

    Raises:
        InputError: the file's own faults with file:line; ADVISORY_EXISTS.
    """
    facts = load_facts(file, where=where)
    path = facts_path(workspace, facts.id)
    with workspace.lock():
        require_new(path)
        files.write_atomic(path, file)
    return written(workspace, path)


def written(workspace: Workspace, path: Path) -> Written:
    """Tell where a file of facts was written."""
    return Written(path.stem, str(path.relative_to(workspace.path)))


@operation("GET", "/advisories/{advisory}/facts", right="advisory:read")
def facts(workspace: Workspace, advisory: str, *, now: int, asker: Caller | None = None) -> FactsFile:
    """Return the file of facts of an advisory.

    Raises:
        InputError: NO_ADVISORY; faults of the file; TLP, for what is written on no other machine.
    """
    found = load(workspace, advisory).facts
    require_for(asker, found, now=now)
    return FactsFile(advisory, found.file, tag_of(found.file), published_revision(workspace, advisory))


def require_for(asker: Caller | None, facts: Facts, *, now: int) -> None:
    """Refuse to give another machine what may be shown on this one only.

    Raises:
        InputError: TLP.
    """
    if asker is not None:  # our own people, who may work on it under embargo
        require_free(facts, None, now, Channel.OWN)


def place_for(asker: Caller | None, workspace: Workspace, where: str) -> str:
    """Return a place as it is told: from afar, folders of this machine are nobody's business."""
    return where if asker is None else where.removeprefix(f"{workspace.path}/")


def require_own(asker: Caller | None, role: str) -> None:
    """Refuse to let a token speak in a role that it has not.

    Args:
        asker: whose token it is; None: a person in the workspace's own folder.
        role: in which something is said.

    Raises:
        InputError: WRONG_ROLE.
    """
    if asker is not None and role not in asker.roles:
        mend = f"Say it in one of its own: {', '.join(asker.roles)}."
        raise InputError("WRONG_ROLE", f"This token has not the role '{role}'.", mend=mend)


def require_new(path: Path) -> None:
    """Refuse to write a new advisory over another.

    Raises:
        InputError: ADVISORY_EXISTS.
    """
    if path.exists():
        raise InputError(
            "ADVISORY_EXISTS",
            "There is an advisory of this id already.",
            mend="Edit that file: what changes after publishing becomes its next revision.",
            where=str(path),
        )


def load(workspace: Workspace, advisory: str | Path, *, now: int | None = None) -> Checked:
    """Read an advisory by id, or a file of facts anywhere.

    Args:
        workspace: where.
        advisory: its id, or a file.
        now: UTC seconds; None: checks about time say nothing.

    Raises:
        InputError: NO_ADVISORY; faults of the file with file:line; WRONG_ID.
    """
    path = advisory if isinstance(advisory, Path) else facts_path(workspace, advisory)
    if not isinstance(advisory, Path) and not path.exists():
        known = [p.stem for p in files.listed(path.parent, ".yaml")]
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
    return Checked(path, facts, workspace, now)


def published_revision(workspace: Workspace, advisory: str) -> int:
    """Return the newest published revision of an advisory, 0 before the first."""
    if not is_id(advisory):  # a stray file's name, which may not even be a text
        return 0
    t = schema.advisories
    with workspace.store() as store, store.read() as session:
        query = sa.select(sa.func.max(t.c.revision)).where(t.c.id == advisory)
        return int(session.connection.execute(query).scalar() or 0)
