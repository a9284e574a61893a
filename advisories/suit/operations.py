"""What running a manifest comes down to: what a device is, and what it is asked to do.

Values only; :mod:`advisories.suit.interpreter` makes them, and a device carries them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from advisories.suit.manifest import ComponentId
from advisories.suit.numbers import Parameter, ReportReason
from advisories.versions import Version
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason

ON_MAINS: Final = VERSION_MAX
"""The ``battery`` of a device that cannot run out."""


@dataclass(frozen=True, slots=True)
class Device:
    """What conditions are compared with: the device as it was when the procedure began.

    One procedure is run with one Device to its end. Whoever plans again with other facts (another time,
    another charge) may be led to other operations, for which the outcomes so far say nothing.
    """

    vendor_id: bytes
    """16 bytes, UUIDv5 of the vendor's domain."""
    class_id: bytes
    """16 bytes, UUIDv5 of the model in the vendor's name space."""
    components: frozenset[ComponentId] = frozenset({(b"\x00",)})
    """The components this device has."""
    slot: int = 0
    """The image slot that an update would be written to, or that boots."""
    measured: Mapping[ComponentId, bytes] = field(default_factory=dict)
    """SHA-256 of what a component holds now, where it has been measured, and empty where it is known to
    hold nothing. A component that is not here is measured by a Match."""
    device_id: bytes | None = None
    """16 bytes, UUIDv5 of the device in its class; None: a manifest for one device only does not fit."""
    time: int | None = None
    """UTC seconds; None: no idea, and then nothing is early enough for use-before."""
    versions: Mapping[ComponentId, Version] = field(default_factory=dict)
    """What each component runs; a condition on another one fails."""
    battery: int | None = None
    """Charge in mWh (the draft's unit), :data:`ON_MAINS`, or None: not known, and then never enough."""


class Origin(NamedTuple):
    """Which command of the manifest asked for something."""

    section: int
    """Number of the section in the manifest; 3 (common) for the shared sequence."""
    offset: int
    """Bytes from the start of that section's sequence to the command, also inside nested sequences."""
    component: int
    """Index of the component that it was run for."""
    policy: int = 0
    """Reporting policy: 1 record success, 2 failure, 4 and 8 what was measured, on success and failure."""


_NOWHERE: Final = Origin(0, 0, 0)


def _origin() -> Any:
    return field(default=_NOWHERE, compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bring the payload at ``uri`` into the component."""

    component: ComponentId
    uri: str
    """``#name`` for a payload that travels in the envelope."""
    digest: bytes | None
    """SHA-256 of what the component then holds, 32 bytes."""
    size: int | None
    """Bytes that the component then holds."""
    arguments: bytes | None = None
    """How to fetch it, in bytes that the maker and the device agree on; see ``docs/protocol/suit.md``."""
    origin: Origin = _origin()


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy what ``source`` holds into the component."""

    component: ComponentId
    source: ComponentId
    digest: bytes | None
    size: int | None
    origin: Origin = _origin()


@dataclass(frozen=True, slots=True)
class Write:
    """Write these bytes into the component."""

    component: ComponentId
    content: bytes
    origin: Origin = _origin()


@dataclass(frozen=True, slots=True)
class Swap:
    """Exchange what the component and ``source`` hold."""

    component: ComponentId
    source: ComponentId
    digest: bytes | None
    size: int | None
    origin: Origin = _origin()


@dataclass(frozen=True, slots=True)
class Match:
    """Measure the component and compare: SHA-256, and length where the manifest says it."""

    component: ComponentId
    digest: bytes
    size: int | None
    origin: Origin = _origin()


@dataclass(frozen=True, slots=True)
class Invoke:
    """Start the component."""

    component: ComponentId
    arguments: bytes | None = None
    origin: Origin = _origin()


Operation = Fetch | Copy | Write | Swap | Match | Invoke


@dataclass(frozen=True, slots=True)
class Record:
    """How one command went, of those whose reporting policy asks for it."""

    origin: Origin
    succeeded: bool | None
    """None in a report that was read: only who has the manifest can tell."""
    measured: Mapping[Parameter, Any]
    """What the device found, as SUIT parameters (number -> value as on the wire)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a procedure asks for, and the identities it checked on the way.

    The first operations are those whose outcomes are known; the next one is to be carried out, and its
    outcome decides what comes after it. With as many outcomes as operations the procedure is over.
    """

    operations: tuple[Operation, ...]
    vendor_ids: tuple[bytes, ...]
    class_ids: tuple[bytes, ...]
    records: tuple[Record, ...] = ()
    """In the order in which it happened, as far as outcomes are known; empty without a device."""


class ProcedureError(RefusedError):
    """A procedure came to its end before its time; says where."""

    def __init__(
        self, reason: Reason, detail: str = "", why: ReportReason = ReportReason.OPERATION_FAILED
    ) -> None:
        """``origin``, ``records`` and ``measured`` are filled in where the run stops."""
        super().__init__(reason, detail)
        self.why = why
        """The same in the words of a SUIT_Report."""
        self.origin: Origin | None = None
        """The command that failed; None where the manifest as a whole does not fit."""
        self.records: tuple[Record, ...] = ()
        """What was recorded before."""
        self.measured: Mapping[Parameter, Any] = {}
        """What the failed command found, as SUIT parameters."""


class ConditionError(ProcedureError):
    """A condition of the manifest does not hold; try-each goes on with the next alternative."""


class DirectiveError(ConditionError):
    """A directive could not be carried out; only try-each goes on, a soft failure does not excuse it."""
