"""What is current (catalogue), that it is so right now (timestamp), and which devices exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from advisories import limits
from advisories.abilities import ALGORITHMS
from keys.algorithms import Algorithm, PublicKey
from keys.codec import Shape, at, blob, boolean, ident, many, record, row, uint
from keys.root import Body

_ID = ident(limits.ID_BYTES_MAX)
_DIGEST = blob(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue(Body):
    """Current notices and patches of one product (``subject``), at most 64 together, 30 days valid."""

    TYPE: ClassVar[str] = "catalogue"
    BYTES_MAX: ClassVar[int] = limits.CATALOGUE_BYTES_MAX

    notices: tuple[tuple[str, int, bytes], ...] = at(
        10, many(row(_ID, uint(65_535), _DIGEST), limits.CATALOGUE_ENTRIES_MAX)
    )
    """(advisory id, revision, header digest)."""
    patches: tuple[tuple[int, bytes], ...] = at(11, many(row(uint(), _DIGEST), limits.CATALOGUE_ENTRIES_MAX))
    """(sequence number, manifest digest)."""

    def __post_init__(self) -> None:
        """Refuse more entries than a device keeps."""
        if len(self.notices) + len(self.patches) > limits.CATALOGUE_ENTRIES_MAX:
            raise ValueError(f"more than {limits.CATALOGUE_ENTRIES_MAX} entries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timestamp(Body):
    """Says for some hours that this catalogue of one product (``subject``) is the current one."""

    TYPE: ClassVar[str] = "timestamp"
    BYTES_MAX: ClassVar[int] = limits.TIMESTAMP_BYTES_MAX

    root_version: int = at(10, uint())
    catalogue_version: int = at(11, uint())
    catalogue_digest: bytes = at(12, _DIGEST)
    audit_head: bytes = at(13, _DIGEST)
    """Head of the gateway's audit chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRecord:
    """One device that may report: its random id, product and key."""

    id: str = at(1, _ID)
    product: str = at(2, _ID)
    key: PublicKey = at(3, Shape(lambda key: key.to_cose(), PublicKey.from_cose))
    valid_from: int = at(4, uint())
    valid_to: int = at(5, uint())
    revoked: bool = at(6, boolean())
    algorithms: tuple[Algorithm, ...] | None = at(7, ALGORITHMS, optional=True)
    """What it can verify, as its maker states it; counts until the device itself says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices(Body):
    """Device records, many in one document, signed by the operator: a gateway cannot invent receipts."""

    TYPE: ClassVar[str] = "devices"
    BYTES_MAX: ClassVar[int] = limits.DEVICES_BYTES_MAX

    records: tuple[DeviceRecord, ...] = at(
        10, many(record(DeviceRecord), limits.DEVICE_RECORDS_MAX, items_min=1)
    )
