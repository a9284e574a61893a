"""What a device core asks its shell to do. The shell carries effects out in order, and only those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    """Empty an image slot, or the staging area."""

    slot: int
    component: int = 0


@dataclass(frozen=True, slots=True)
class WriteSlot:
    """Write bytes into an image slot."""

    slot: int
    offset: int
    data: bytes
    component: int = 0


@dataclass(frozen=True, slots=True)
class CopySlot:
    """Copy the first ``size`` bytes of one slot into another, which is empty."""

    source: int
    source_component: int
    slot: int
    component: int
    size: int


@dataclass(frozen=True, slots=True)
class ApplyDelta:
    """Rebuild an image of ``size`` bytes from a base and the staged delta; call ``Agent.applied``."""

    base: int
    slot: int
    component: int
    size: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bring a payload from ``offset`` to ``size`` over HTTPS; another one replaces it.

    Call ``Agent.fetched`` with each piece, in order, and ``Agent.fetch_ended`` when no more comes.
    """

    uri: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class StopFetch:
    """Give up the fetch under way, if there is one; it is not answered."""


@dataclass(frozen=True, slots=True)
class RunInstaller:
    """Let the platform's own updater act on the staged payload; call ``Agent.installer_answered``."""

    verb: Literal["install", "confirm", "revert"]
    size: int
    """Bytes of the payload."""


@dataclass(frozen=True, slots=True)
class MeasureSlot:
    """Read the first ``size`` bytes of a slot back and call ``Agent.measured`` with what they are."""

    slot: int
    size: int
    component: int = 0


@dataclass(frozen=True, slots=True)
class Reboot:
    """Restart: ask ``slots.select`` which slot to boot, then make a new ``Agent`` and call ``booted``."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Run the product's own test of the new image and call ``Agent.tested`` with the result."""


@dataclass(frozen=True, slots=True)
class Show:
    """Show a notice to the owner: draw it, then call ``Agent.displayed`` with what came of it."""

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
    question: bytes = b""
    """SHA-256 over what the owner is shown; the answer carries it, and counts for nothing else."""
    text: str = ""
    """What the patch does, in the owner's language where the manifest says it."""
    left: int = 0
    """How many more times it may be put off."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the owner that a patch is installed without asking, as the owner agreed beforehand."""

    version: str
    notice: Notice | None
    urgent: bool
    at: int
    """UTC seconds from which on it may happen."""


@dataclass(frozen=True, slots=True)
class ForgetWishes:
    """Put the owner's wishes (languages, agreement, windows) back to those the device was made with.

    They count from the next boot, which the core asks for as soon as no install is under way.
    """


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
    | CopySlot
    | ApplyDelta
    | Fetch
    | StopFetch
    | RunInstaller
    | MeasureSlot
    | Reboot
    | SelfTest
    | Show
    | AskConsent
    | Announce
    | ForgetWishes
    | Log
    | WakeAt
)
