"""What approvers say about a revision beside signing it: conditions, comments, rejections.

A signature is over exact bytes and dies with them. What was said stays for good, each with the digest it was
about. *Content* is what a revision is made of, facts and setting: it stays the same whenever the revision is
composed, while the digest of a header that nobody has fixed yet moves with its time of issue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from advisories.events import Event, Recorded, event
from advisories.facts.parts import Name, Prose

KINDS_PREFIX: Final = "approval."
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


def content_of(sources: Mapping[str, bytes]) -> str:
    """Return the hexadecimal digest of what a release was made of.

    Args:
        sources: name -> bytes, as in :attr:`advisories.compose.Release.sources`.
    """
    whole = hashlib.sha256()
    for name, data in sorted(sources.items()):
        whole.update(f"{name}\n{len(data)}\n".encode() + data)
    return whole.hexdigest()


class Said(Event):
    """Something said about exact content by somebody in a role."""

    revision: int = Field(ge=1)
    digest: Digest
    """SHA-256 of the header that this person was shown."""
    content: Digest
    """As :func:`content_of`."""
    roles: Annotated[tuple[Name, ...], Field(strict=False)]
    comment: Prose | None = None


@event("approval.given")
class Given(Said):
    """A signature was given."""

    kid: str
    """First 16 hex digits of the key's thumbprint."""
    condition: Prose | None = None
    """What has to be done before it may be published."""


@event("approval.rejected")
class Rejected(Said):
    """An approver says no, and why."""


@event("approval.comment")
class Comment(Said):
    """A remark that stops nothing."""


@event("approval.taken-back")
class TakenBack(Event):
    """A rejection is taken back by its author."""

    rejection: int
    """Number of the event."""


@event("approval.condition-met")
class ConditionMet(Event):
    """A condition is met."""

    condition: int
    """Its number among the conditions of the advisory, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing that was said, and how it stands."""

    seq: int
    at: float
    """UTC seconds."""
    by: str
    said: Said
    current: bool
    """It is about the content as it is now; False: about words that were changed since."""
    number: int | None = None
    """Of a condition, from 1."""
    met: tuple[str, float] | None = None
    """Who marked the condition as met, and when (UTC seconds)."""
    ended: float | None = None
    """When its author took the rejection back, by saying so or by approving the same content."""

    @property
    def condition(self) -> str | None:
        """What it asks for before publishing."""
        return self.said.condition if isinstance(self.said, Given) else None

    @property
    def stops(self) -> bool:
        """Say whether nothing may be published because of this."""
        if isinstance(self.said, Rejected):
            return self.current and self.ended is None
        return self.number is not None and self.met is None

    @property
    def kind(self) -> str:
        """One of given, rejected, comment."""
        return self.said.kind.removeprefix(KINDS_PREFIX)


def remarks(events: Iterable[Recorded], *, revision: int, content: str) -> tuple[Remark, ...]:
    """Return what was said about an advisory, oldest first.

    Args:
        events: every event of the advisory, in order; other kinds are passed over.
        revision: the one that is being approved now.
        content: its content now; empty when it cannot be read, and then nothing is about it.
    """
    every = list(events)
    met = {
        one.data.condition: (one.by, one.at) for one in reversed(every) if isinstance(one.data, ConditionMet)
    }
    back = {one.data.rejection: one.at for one in reversed(every) if isinstance(one.data, TakenBack)}
    found: list[Remark] = []
    conditions = 0
    for place, one in enumerate(every):
        said = one.data
        if not isinstance(said, Said):
            continue
        number = None
        if isinstance(said, Given) and said.condition:
            conditions += 1
            number = conditions
        ended = None
        if isinstance(said, Rejected):
            ended = back.get(one.seq) or _approved(one, said, every[place + 1 :])
        found.append(
            Remark(
                seq=one.seq,
                at=one.at,
                by=one.by,
                said=said,
                current=(said.revision, said.content) == (revision, content),
                number=number,
                met=met.get(number) if number else None,
                ended=ended,
            )
        )
    return tuple(found)


def _approved(rejection: Recorded, said: Rejected, later: Sequence[Recorded]) -> float | None:
    """Return when the author of a rejection approved the same content after all."""
    for one in later:
        given = one.data
        same = isinstance(given, Given) and (given.revision, given.content) == (said.revision, said.content)
        if (
            same
            and isinstance(given, Given)
            and one.by == rejection.by
            and set(given.roles) & set(said.roles)
        ):
            return one.at
    return None


def last_given(events: Iterable[Recorded], role: str) -> Given | None:
    """Return the newest approval in a role, whatever became of it."""
    given = [one.data for one in events if isinstance(one.data, Given) and role in one.data.roles]
    return given[-1] if given else None
