"""What approvers say beside signing: kept as events, with the digest that each was about."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pydantic import ValidationError

from advisories.approval import (
    KINDS_PREFIX,
    Comment,
    ConditionMet,
    Given,
    Rejected,
    Remark,
    TakenBack,
    last_given,
    remarks,
)
from advisories.events import Event, Recorded
from gateway import files
from gateway.operations.trust.signing import Signed
from gateway.store import events
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from keys.limits import NAME_BYTES_MAX


@dataclass(frozen=True, slots=True)
class About:
    """The exact content that something is said about."""

    advisory: str
    revision: int
    digest: bytes
    """SHA-256 of the header."""
    content: str
    """As :func:`advisories.approval.content_of`."""


def every(workspace: Workspace, advisory: str) -> list[Recorded]:
    """Return all that was recorded about approving an advisory, oldest first."""
    with workspace.store() as store, store.read() as session:
        return events.recorded(session, advisory=advisory, kind=KINDS_PREFIX)


def said(workspace: Workspace, about: About) -> tuple[Remark, ...]:
    """Return what was said about an advisory, oldest first, and how each stands towards its content now."""
    found = every(workspace, about.advisory)
    return remarks(found, revision=about.revision, content=about.content)


def last_approval(workspace: Workspace, advisory: str, role: str) -> Given | None:
    """Return the newest approval in a role."""
    return last_given(every(workspace, advisory), role)


def _record(workspace: Workspace, advisory: str, data: Event, *, by: str, now: float) -> None:
    with workspace.store() as store, store.write() as session:
        events.record(session, data, by=by, now=now, advisory=advisory)


def _fields(about: About, roles: tuple[str, ...], comment: str | None) -> dict[str, object]:
    return {
        "revision": about.revision,
        "digest": about.digest.hex(),
        "content": about.content,
        "roles": roles,
        "comment": _words(comment),
    }


def _words(text: str | None) -> str | None:
    """Return a remark as it is kept: on one line, and nothing at all for blanks."""
    kept = " ".join((text or "").split())
    return files.visible(kept) or None


def _made(cls: type[Event], fields: dict[str, object]) -> Event:
    try:
        return cls.model_validate(fields, strict=False)
    except ValidationError as error:
        (first, *_) = error.errors()
        where = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise InputError("BAD_VALUE", f"'{where}': {said}.", mend="Say it in other words.") from None


def given(
    workspace: Workspace,
    about: About,
    signed: Signed,
    *,
    roles: set[str],
    comment: str | None = None,
    condition: str | None = None,
    now: float,
) -> None:
    """Record an approval by signature, with what was said along with it."""
    mine = tuple(role for role in signed.roles if role in roles)
    fields = _fields(about, mine, comment) | {"kid": signed.kid, "condition": _words(condition)}
    _record(workspace, about.advisory, _made(Given, fields), by=signed.holder, now=now)


def reject(workspace: Workspace, about: About, *, role: str, by: str, comment: str, now: float) -> None:
    """Say no to exact content: it cannot be published until it changes or the author takes this back.

    Args:
        workspace: where.
        about: the content.
        role: in which it is said; one of those that sign notices.
        by: who says so.
        comment: why.
        now: UTC seconds.

    Raises:
        InputError: WRONG_ROLE, BAD_VALUE.
    """
    _require_role(workspace, role)
    if _words(comment) is None:
        raise InputError("BAD_VALUE", "A rejection needs its reason.", mend="Say why with --comment.")
    rejected = _made(Rejected, _fields(about, (role,), comment))
    _record(workspace, about.advisory, rejected, by=_name(by), now=now)


def remark(workspace: Workspace, about: About, *, role: str, by: str, comment: str, now: float) -> None:
    """Say something that stops nothing.

    Raises:
        InputError: WRONG_ROLE, BAD_VALUE.
    """
    _require_role(workspace, role)
    if _words(comment) is None:
        raise InputError("BAD_VALUE", "The comment is empty.", mend="Write what you have to say.")
    _record(
        workspace, about.advisory, _made(Comment, _fields(about, (role,), comment)), by=_name(by), now=now
    )


def take_back(workspace: Workspace, about: About, *, role: str, by: str, now: float) -> None:
    """Take one's own standing rejection back.

    Raises:
        InputError: NO_REJECTION.
    """
    mine = [
        one.seq
        for one in said(workspace, about)
        if isinstance(one.said, Rejected) and one.stops and one.by == by and role in one.said.roles
    ]
    if not mine:
        raise InputError(
            "NO_REJECTION",
            f"No rejection by {by} ({role}) stands against {about.advisory} as it is now.",
            mend=f"See 'tocsin advisory comments {about.advisory}'.",
        )
    for seq in mine:
        _record(workspace, about.advisory, TakenBack(rejection=seq), by=_name(by), now=now)


def meet(workspace: Workspace, advisory: str, number: int, *, by: str, now: float) -> None:
    """Mark a condition as met.

    Raises:
        InputError: NO_CONDITION, CONDITION_MET.
    """
    found = remarks(every(workspace, advisory), revision=0, content="")
    condition = next((one for one in found if one.number == number), None)
    if condition is None:
        raise InputError(
            "NO_CONDITION",
            f"There is no condition {number} on {advisory}.",
            mend=f"See 'tocsin advisory comments {advisory}'.",
        )
    if condition.met is not None:
        who, when = condition.met
        day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(when))
        raise InputError("CONDITION_MET", f"{who} marked condition {number} as met on {day}.")
    _record(workspace, advisory, ConditionMet(condition=number), by=_name(by), now=now)


def _name(by: str) -> str:
    if not by.strip() or len(by.encode()) > NAME_BYTES_MAX or files.visible(by) != by or "\n" in by:
        raise InputError("BAD_VALUE", f"A name has 1 to {NAME_BYTES_MAX} bytes.", mend="Say who you are.")
    return by


def _require_role(workspace: Workspace, role: str) -> None:
    root = workspace.trusted().root
    known = sorted({name for row in root.policy if row.type == "notice" for name in row.demands})
    if role not in known:
        raise InputError("WRONG_ROLE", f"'{role}' does not sign notices.", mend=f"Known: {', '.join(known)}.")


def require_settled(workspace: Workspace, about: About) -> None:
    """Refuse to go on while an approver's word stands against it.

    Raises:
        InputError: APPROVAL_REJECTED, CONDITION_OPEN.
    """
    standing = [one for one in said(workspace, about) if one.stops]
    for one in standing:
        if isinstance(one.said, Rejected):
            raise InputError(
                "APPROVAL_REJECTED",
                f"{one.by} ({', '.join(one.said.roles)}) rejected this: {one.said.comment}",
                mend=f"Change it, or have them take it back: 'advisory reject {about.advisory} --take-back'.",
            )
    for one in standing:
        raise InputError(
            "CONDITION_OPEN",
            f"{one.by} approved on a condition: {one.condition}",
            mend=f"Once it is so: 'tocsin advisory condition {about.advisory} {one.number} --met'.",
        )
