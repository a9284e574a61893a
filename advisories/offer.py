"""What the gateway says to one device: an offer of a patch, and an answer with a receipt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from advisories import limits
from keys.codec import at, blob, boolean, choice, ident, row, uint
from keys.root import Body


class Consent(IntEnum):
    """How much consent an offer asks for; it may ask for more than the owner set, never for less."""

    AS_OWNER_SET = 0
    ASK = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer(Body):
    """A patch of the current catalogue for one device (``subject``); a higher ``version`` replaces it."""

    TYPE: ClassVar[str] = "offer"
    BYTES_MAX: ClassVar[int] = limits.OFFER_BYTES_MAX

    product: str = at(10, ident(limits.ID_BYTES_MAX))
    sequence: int = at(11, uint())
    """Names the topic of the patch."""
    digest: bytes = at(12, blob(32))
    """Manifest digest."""
    catalogue_version: int = at(13, uint())
    deadline: int = at(14, uint())
    """UTC seconds; an install not begun by then is TIMED_OUT."""
    window: tuple[int, int] | None = at(15, row(uint(), uint()), optional=True)
    """UTC seconds from and to between which it may install."""
    consent: Consent = at(16, choice(Consent))
    cancel: bool = at(17, boolean())
    """True takes the offer back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Body):
    """The gateway's receipt to one device (``subject``); ``issued`` is the signed time."""

    TYPE: ClassVar[str] = "answer"
    BYTES_MAX: ClassVar[int] = limits.ANSWER_BYTES_MAX

    nonce: bytes = at(10, blob(16))
    """The device's own nonce, from the report or want that this answers."""
    receipt: tuple[int, int] | None = at(11, row(uint(), uint()), optional=True)
    """(boot epoch, sequence) of the newest report committed to the store."""
    journal_count: int = at(12, uint())
    """Journal entries committed: the device may forget those before."""
    next_nonce: bytes = at(13, blob(16))
    """To be carried by the device's next report."""
