"""What an approver is given to read before signing: everything that the page shows, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from advisories.approval import Remark
from advisories.checks import Finding
from advisories.facts import Facts
from advisories.notice import Notice, check_code
from advisories.packet.changes import Change


@dataclass(frozen=True, slots=True)
class Clock:
    """One legal deadline of the incident behind an advisory."""

    name: str
    due: int | None
    """UTC seconds; None: it does not run yet."""
    done: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """Whose signature is on these bytes."""

    holder: str
    roles: tuple[str, ...]
    kid: str


@dataclass(frozen=True, slots=True)
class Since:
    """What changed since a role last approved."""

    code: str
    """Check code of what it approved then."""
    revision: int
    changes: tuple[Change, ...] = ()
    outputs: tuple[str, ...] = ()
    """Names of outputs whose bytes differ."""
    known: bool = True
    """False: what it approved then is no longer here, or another program wrote it."""


@dataclass(frozen=True, slots=True)
class Carried:
    """By what a signing request counts: its own claim, for the signer to compare."""

    fleet: bytes
    """Digest of root 1."""
    named: bool
    """The signer named this fleet when opening the request."""
    root: int
    """Version of the newest enclosed root."""
    root_expires: int | None
    """UTC seconds."""
    unseen: tuple[str, ...] = ()
    """Languages whose drawn pages could not be compared here, for want of a font."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One revision as an approver judges it."""

    role: str
    """Whose packet it is."""
    facts: Facts
    notice: Notice
    digest: bytes
    """SHA-256 of the header: what the signature is over."""
    outputs: Mapping[str, bytes]
    """Name -> bytes of every output on the release list but the sources."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """Name of a small screen's page -> PNG of it."""
    since: Since | None = None
    """None: this role has not approved any of it before."""
    findings: Sequence[Finding] | None = ()
    """None: checks were not run, since only the workspace can."""
    clocks: Sequence[Clock] = ()
    signatures: Sequence[Signature] = ()
    missing: Sequence[str] = ()
    """Roles whose signature is still missing."""
    remarks: Sequence[Remark] = ()
    void: bool = False
    """Others signed earlier content, which was changed since."""
    made: int
    """UTC seconds."""
    carried: Carried | None = None
    """Set when it was made from a signing request: then only that is known."""

    @property
    def code(self) -> str:
        """The check code."""
        return check_code(self.digest)

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """Findings that keep it from being approved."""
        return tuple(one for one in self.findings or () if one.severity == "block")

    @property
    def advice(self) -> tuple[Finding, ...]:
        """The other findings."""
        return tuple(one for one in self.findings or () if one.severity != "block")

    @property
    def stops(self) -> tuple[Remark, ...]:
        """Rejections that stand and conditions that are open."""
        return tuple(one for one in self.remarks if one.stops)

    @property
    def signed(self) -> bool:
        """Say whether this role has signed these very bytes."""
        return any(self.role in one.roles for one in self.signatures)

    @property
    def exercise(self) -> bool:
        """Say whether it is a drill."""
        return self.notice.exercise

    @property
    def title(self) -> str:
        """The title in the source language."""
        return self.facts.source.title
