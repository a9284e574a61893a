"""Limits of the trust layer, with units. Each is tested at -1, 0 and +1."""

from __future__ import annotations

from typing import Final

CBOR_DEPTH_MAX: Final = 16  # levels of nesting in any document
CBOR_ITEMS_MAX: Final = 16_384  # entries in one array or map
DOCUMENT_BYTES_MAX: Final = 100_000  # MQTT payload limit; a document type may set less
SIGNATURES_BYTES_MAX: Final = 32_768  # all signatures of one document together, beside its body
ROOT_BYTES_MAX: Final = 32_768  # body of a root; the constrained profile allows 2,048 with its signatures
SIGNATURES_MAX: Final = 16  # signatures on one document
ROOT_KEYS_MAX: Final = 64  # keys in one root
ROLES_MAX: Final = 16  # roles of one key, and roles named in one policy row
POLICY_ROWS_MAX: Final = 64  # rows of one policy
NAME_BYTES_MAX: Final = 64  # role, holder, product, device id, advisory id
SUBJECTS_MAX: Final = 64  # products or devices that one document is about
VERSION_MAX: Final = 2**53 - 1  # above any UTC second; larger is refused, exact in every JSON reader
FLOORS_MAX: Final = 256  # version floors that one trusted set keeps
STATE_BYTES_MAX: Final = (
    1_048_576  # a trusted set as stored: a root and FLOORS_MAX floors, each at its largest
)
