"""What may leave, when, and where to: the embargo and the traffic light of a matter.

Nothing leaves before the embargo ends. It is lifted early only by a signature of each role that a notice
needs, over the advisory's id, the digest of its facts and both times (:class:`Lift`). How far a document may
travel after that is its TLP 2.0 label (FIRST, Traffic Light Protocol): a page or a device is public, and so
carries CLEAR only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final, Protocol

from advisories import limits
from advisories.events import Event, event
from advisories.facts.matter import Tlp
from advisories.facts.parts import Id, Name
from keys.codec import at, blob, ident, uint
from keys.errors import InputError
from keys.root import Body


class Channel(StrEnum):
    """Where something goes."""

    DEVICES = "devices"
    """Notices, texts, catalogues: retained messages and the same bytes over HTTP."""
    SITE = "site"
    """Pages, FAQ, banner, feeds, and CSAF documents in the public tree."""
    CUSTOMERS = "customers"
    """Letters, mail and social posts."""
    WEBHOOK = "webhook"
    LOG = "log"
    """Logs and figures that others may read."""
    RECIPIENTS = "recipients"
    """A document for named people outside: a supplier, an authority, a coordinator."""
    OWN = "own"
    """A document for named people of ours, such as those who approve."""
    SCREEN = "screen"
    """What is shown to the person at this terminal and written nowhere."""


_PUBLIC: Final = frozenset({Tlp.CLEAR})
_OUTSIDE: Final = _PUBLIC | {Tlp.GREEN, Tlp.AMBER}
_INSIDE: Final = _OUTSIDE | {Tlp.AMBER_STRICT}
CARRIES: Final[Mapping[Channel, frozenset[Tlp]]] = MappingProxyType(
    {
        Channel.DEVICES: _PUBLIC,
        Channel.SITE: _PUBLIC,
        Channel.CUSTOMERS: _PUBLIC,
        Channel.WEBHOOK: _PUBLIC,
        Channel.LOG: _PUBLIC,
        Channel.RECIPIENTS: _OUTSIDE,
        Channel.OWN: _INSIDE,
        Channel.SCREEN: frozenset(Tlp),
    }
)
"""Channel -> labels of what it may carry."""
STAYS: Final = frozenset({Channel.OWN, Channel.SCREEN})
"""Channels on which nothing leaves us: people have to read and approve while the embargo lasts."""


class Marked(Protocol):
    """Facts, an incident, or whatever else carries both marks."""

    @property
    def tlp(self) -> Tlp:
        """How far it may travel."""

    @property
    def embargo_until(self) -> datetime | None:
        """Nothing leaves before this moment."""


def seconds(moment: datetime | None) -> int | None:
    """Return a moment as UTC seconds."""
    return None if moment is None else int(moment.timestamp())


def label(tlp: Tlp) -> str:
    """Return the label as FIRST writes it: ``TLP:AMBER+STRICT``."""
    return f"TLP:{tlp.value.upper().replace('-', '+')}"


def ends(marked: Marked, lifted: int | None) -> int | None:
    """Return when the embargo ends, in UTC seconds; None: there is none.

    Args:
        marked: facts or an incident.
        lifted: the time to which the approvers brought it forward; it never makes an embargo longer.
    """
    until = seconds(marked.embargo_until)
    return until if until is None or lifted is None else min(until, lifted)


def require_free(facts: Marked, lifted: int | None, now: float, channel: Channel) -> None:
    """Refuse to let something go where, or while, it may not.

    Args:
        facts: or an incident; call it for each where both are there.
        lifted: as in :func:`ends`.
        now: UTC seconds.
        channel: where it would go.

    Raises:
        InputError: EMBARGO with the time at which it ends; TLP with the label.
    """
    until = ends(facts, lifted)
    if until is not None and now < until and channel not in STAYS:
        raise InputError(
            "EMBARGO",
            f"This is under embargo until {_written(until)}: nothing may leave before.",
            mend="Wait, or have the approvers lift it: 'tocsin advisory embargo lift'.",
        )
    if facts.tlp not in CARRIES[channel]:
        able = sorted(each.value for each in CARRIES if facts.tlp in CARRIES[each])
        raise InputError(
            "TLP",
            f"This is marked {label(facts.tlp)}, which may not go to: {channel.value}.",
            mend=f"It may go to: {', '.join(able)}. Legal may give it another label ('tlp:').",
        )


def warnings(facts: Marked, lifted: int | None, now: float) -> list[str]:
    """Return what a person who reads it has to be told first; nothing for an ordinary advisory."""
    found = []
    until = ends(facts, lifted)
    if until is not None and now < until:
        found.append(f"EMBARGO until {_written(until)}: nothing leaves before.")
    if facts.tlp is Tlp.RED:
        found.append(f"{label(facts.tlp)}: for your eyes only. Do not copy, print or send it.")
    elif facts.tlp is not Tlp.CLEAR:
        able = ", ".join(sorted(each.value for each in CARRIES if facts.tlp in CARRIES[each]))
        found.append(f"{label(facts.tlp)}: it may go to {able} only.")
    return found


def _written(time: int) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift(Body):
    """What each role signs to end an embargo early. ``subject`` is the advisory's products."""

    TYPE: ClassVar[str] = "embargo-lift"

    id: str = at(10, ident(limits.ID_BYTES_MAX))
    """Advisory id."""
    facts: bytes = at(11, blob(32))
    """SHA-256 of the file of facts: an edit voids the lifting."""
    old: int = at(12, uint())
    """UTC seconds at which the embargo would end."""
    new: int = at(13, uint())
    """UTC seconds at which it ends instead."""


@event("embargo.signed")
class LiftSigned(Event):
    """A role agreed to end an embargo early."""

    id: Id
    facts: str
    """SHA-256 of the facts, hexadecimal."""
    old: int
    new: int
    holder: Name
    document: str
    """The :class:`Lift` with all signatures so far, hexadecimal: whoever reads it verifies it again."""


@event("embargo.lifted")
class Lifted(Event):
    """Every role agreed: the embargo ends at ``new``."""

    id: Id
    facts: str
    old: int
    new: int
    holders: tuple[Name, ...] = ()
