"""What a device core asks its shell to do. The shell carries effects out in order, and only those."""

from __future__ import annotations

from dataclasses import dataclass

from advisories.notice import Notice, Text
from keys.reasons import Reason


@dataclass(frozen=True, slots=True)
class Publish:
    """Send a message with QoS 1, never retained."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Start to receive a filter (beyond the seven that the shell subscribes at every connect)."""

    filter: str


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Stop receiving a filter."""

    filter: str


@dataclass(frozen=True, slots=True)
class Save:
    """Store the agent's state atomically before carrying out any later effect."""

    state: bytes


@dataclass(frozen=True, slots=True)
class SaveBoot:
    """Store the boot record atomically before carrying out any later effect."""

    record: bytes


@dataclass(frozen=True, slots=True)
class EraseSlot:
    """Empty an image slot."""

    slot: int


@dataclass(frozen=True, slots=True)
class WriteSlot:
    """Write bytes into an image slot."""

    slot: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class MeasureSlot:
    """Read the first ``size`` bytes of a slot back and call ``Agent.measured`` with them."""

    slot: int
    size: int


@dataclass(frozen=True, slots=True)
class Reboot:
    """Restart: ask ``slots.select`` which slot to boot, then make a new ``Agent`` and call ``booted``."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Run the product's own test of the new image and call ``Agent.tested`` with the result."""


@dataclass(frozen=True, slots=True)
class Show:
    """Show a notice to the owner; the shell draws it on the surfaces it has."""

    notice: Notice
    text: Text
    check_code: str
    confirmed: bool
    """False draws "not confirmed current"."""
    pages: tuple[bytes, ...] = ()
    """Drawn pages to show instead of the words, where this device has no font for them."""
    wanted: str | None = None
    """The owner's language, where this text stands in for one that is not there or cannot be shown."""


@dataclass(frozen=True, slots=True)
class AskConsent:
    """Ask the owner whether to install; the shell answers with ``Agent.consent`` when the owner has."""

    version: str
    notice: Notice | None
    """The notice that this patch mends, when there is one."""
    final: bool
    """True when it cannot be put off any further."""


@dataclass(frozen=True, slots=True)
class Log:
    """Something an engineer would want to read on the device's console; never secret."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Call ``Agent.tick`` at this time (UTC seconds), or later."""

    time: float


Effect = (
    Publish
    | Subscribe
    | Unsubscribe
    | Save
    | SaveBoot
    | EraseSlot
    | WriteSlot
    | MeasureSlot
    | Reboot
    | SelfTest
    | Show
    | AskConsent
    | Log
    | WakeAt
)
