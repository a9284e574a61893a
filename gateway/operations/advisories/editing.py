"""Changing an advisory as one role: its own fields only, each accepted edit recorded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from advisories.edits import Change, Edited, changes
from advisories.facts import load_facts
from advisories.owners import APPROVERS
from gateway import files
from gateway.core.rights import Caller
from gateway.operations.advisories.drafts import facts_path, load, place_for, require_own, tag_of
from gateway.operations.afar import operation
from gateway.store.events import record, recorded
from gateway.workspace.folder import Workspace
from keys.errors import InputError


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit would change."""

    accepted: tuple[Change, ...]
    refused: tuple[Change, ...]
    """Fields of other roles; with one of them nothing is written."""
    changed: bool
    """False: it is the very same file."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An edit that was accepted."""

    at: float
    """UTC seconds."""
    by: str
    role: str
    paths: tuple[str, ...]
    """Of the fields that it changed."""


@operation(
    "PUT", "/advisories/{advisory}/facts", right="advisory:write", raw="data", body_max=files.NAMED_BYTES_MAX
)
def edit(
    workspace: Workspace,
    advisory: str,
    role: str,
    data: bytes,
    *,
    by: str,
    now: float,
    where: str = "",
    if_match: str = "",
    asker: Caller | None = None,
) -> Edit:
    """Take a changed file over, if every changed field belongs to the role.

    Args:
        workspace: where.
        advisory: its id.
        role: engineering, legal or communications.
        data: the changed file, untrusted.
        by: who says so.
        now: UTC seconds.
        where: its name, for messages.
        if_match: tag of the file that was changed, where that is known: it must still be the one here.
        asker: whose token it is; an author may write in any role.

    Raises:
        InputError: WRONG_ROLE, CHANGED_MEANWHILE, WRONG_ID, or the file's own faults with file:line.
    """
    if role not in APPROVERS:
        raise InputError(
            "WRONG_ROLE",
            f"'{role}' owns no field of an advisory.",
            mend=f"Name one of: {', '.join(APPROVERS)}.",
        )
    if asker is not None and "author" not in asker.roles:
        require_own(asker, role)
    with workspace.lock():
        current = load(workspace, advisory).facts.file
        if if_match and if_match != tag_of(current):
            raise InputError(
                "CHANGED_MEANWHILE", "The file was changed meanwhile.", mend="Begin again with the new one."
            )
        path = facts_path(workspace, advisory)
        before = place_for(asker, workspace, str(path))
        found = changes(current, data, where_before=before, where_after=where)
        if load_facts(data, where=where).id != advisory:
            raise InputError(
                "WRONG_ID", f"It is not about {advisory} any more.", mend="Leave its id.", where=where
            )
        refused = tuple(each for each in found if each.owner != role)
        accepted = tuple(each for each in found if each.owner == role)
        if not refused and data != current:
            said = Edited(
                id=advisory,
                role=role,
                paths=tuple(each.path for each in accepted),
                before=hashlib.sha256(current).hexdigest(),
                after=hashlib.sha256(data).hexdigest(),
            )
            with workspace.store() as store, store.write() as session:
                record(session, said, by=by, now=now, advisory=advisory)
                files.write_atomic(path, data)  # what cannot be recorded is not changed either
    return Edit(accepted, refused, data != current)


@operation("GET", "/advisories/{advisory}/edits", right="advisory:read")
def edits(workspace: Workspace, advisory: str) -> tuple[Taken, ...]:
    """Return the edits of an advisory that were accepted, oldest first.

    Raises:
        InputError: NO_ADVISORY.
    """
    load(workspace, advisory)
    with workspace.store() as store, store.read() as session:
        found = recorded(session, advisory=advisory, kind="advisory.edited")
    return tuple(
        Taken(each.at, each.by, each.data.role, each.data.paths)
        for each in found
        if isinstance(each.data, Edited)
    )
