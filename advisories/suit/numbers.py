"""The numbers of draft-ietf-suit-manifest-37 and its extensions: one table, used by everything else.

The final RFC can be swapped in here. Commands and parameters 4 and from 26 on, and ``set-version``, are those
of draft-ietf-suit-update-management-10; 7, 8, 11, 19 and 33 of suit-trust-domains. A member that is listed
but not in a ``SUPPORTED`` set is known by name only: it is shown by :func:`advisories.suit.tree`, and
refused by a recipient.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

DRAFT: Final = "draft-ietf-suit-manifest-37"
TAG_ENVELOPE: Final = 107
MANIFEST_VERSION: Final = 1
SHA256: Final = -16
"""COSE algorithm number of SHA-256 (RFC 9054), the one digest that every recipient must know."""
REPORT_ALL: Final = 15
"""Reporting policy of a condition: record success and failure, with system information."""
REPORT_FAILURE: Final = 2
"""Reporting policy of a directive: record a failure."""
REPORT_MAX: Final = 15
RECORD_SUCCESS: Final = 1
RECORD_FAILURE: Final = 2
SYSINFO_SUCCESS: Final = 4
SYSINFO_FAILURE: Final = 8
"""Bits of a reporting policy."""


class EnvelopeKey(IntEnum):
    """Members of an envelope. From COSWID on they are severable members of the manifest."""

    AUTHENTICATION = 2
    MANIFEST = 3
    COSWID = 14
    DEPENDENCY_RESOLUTION = 15
    PAYLOAD_FETCH = 16
    CANDIDATE_VERIFICATION = 18
    INSTALL = 20
    TEXT = 23

    __hash__ = int.__hash__


class ManifestKey(IntEnum):
    """Members of a manifest."""

    VERSION = 1
    SEQUENCE_NUMBER = 2
    COMMON = 3
    REFERENCE_URI = 4
    COMPONENT_ID = 5
    SET_VERSION = 6
    VALIDATE = 7
    LOAD = 8
    INVOKE = 9
    COSWID = 14
    DEPENDENCY_RESOLUTION = 15
    PAYLOAD_FETCH = 16
    CANDIDATE_VERIFICATION = 18
    INSTALL = 20
    TEXT = 23
    UNINSTALL = 24

    __hash__ = int.__hash__


class CommonKey(IntEnum):
    """Members of the common block."""

    DEPENDENCIES = 1
    COMPONENTS = 2
    SHARED_SEQUENCE = 4

    __hash__ = int.__hash__


class Command(IntEnum):
    """Conditions and directives: manifest, update management and trust domains."""

    VENDOR_ID = 1
    CLASS_ID = 2
    IMAGE_MATCH = 3
    USE_BEFORE = 4
    COMPONENT_SLOT = 5
    CHECK_CONTENT = 6
    DEPENDENCY_INTEGRITY = 7
    IS_DEPENDENCY = 8
    PROCESS_DEPENDENCY = 11
    SET_COMPONENT_INDEX = 12
    ABORT = 14
    TRY_EACH = 15
    WRITE = 18
    SET_PARAMETERS = 19
    OVERRIDE_PARAMETERS = 20
    FETCH = 21
    COPY = 22
    INVOKE = 23
    DEVICE_ID = 24
    IMAGE_NOT_MATCH = 25
    MINIMUM_BATTERY = 26
    UPDATE_AUTHORIZED = 27
    COMPONENT_VERSION = 28
    WAIT = 29
    SWAP = 31
    RUN_SEQUENCE = 32
    UNLINK = 33
    OVERRIDE_MULTIPLE = 34
    COPY_PARAMS = 35

    __hash__ = int.__hash__


class Parameter(IntEnum):
    """What commands read, set for each component."""

    VENDOR_ID = 1
    CLASS_ID = 2
    IMAGE_DIGEST = 3
    USE_BEFORE = 4
    COMPONENT_SLOT = 5
    STRICT_ORDER = 12
    SOFT_FAILURE = 13
    IMAGE_SIZE = 14
    CONTENT = 18
    ENCRYPTION_INFO = 19
    URI = 21
    SOURCE_COMPONENT = 22
    INVOKE_ARGS = 23
    DEVICE_ID = 24
    FETCH_ARGS = 25
    MINIMUM_BATTERY = 26
    UPDATE_PRIORITY = 27
    VERSION = 28
    WAIT_INFO = 29
    COMPONENT_METADATA = 30

    __hash__ = int.__hash__


class Comparison(IntEnum):
    """How the version of a component is compared with a bound (update management)."""

    GREATER = 1
    GREATER_EQUAL = 2
    EQUAL = 3
    LESSER_EQUAL = 4
    LESSER = 5

    __hash__ = int.__hash__


class TextKey(IntEnum):
    """What a text says about the whole manifest, in one language."""

    MANIFEST_DESCRIPTION = 1
    UPDATE_DESCRIPTION = 2
    MANIFEST_JSON_SOURCE = 3
    MANIFEST_YAML_SOURCE = 4

    __hash__ = int.__hash__


class ComponentTextKey(IntEnum):
    """What a text says about one component."""

    VENDOR_NAME = 1
    MODEL_NAME = 2
    VENDOR_DOMAIN = 3
    MODEL_INFO = 4
    COMPONENT_DESCRIPTION = 5
    COMPONENT_VERSION = 6
    VERSION_REQUIRED = 7
    CURRENT_VERSION = 8

    __hash__ = int.__hash__


class Section(IntEnum):
    """Command sequences of a manifest that we run."""

    VALIDATE = 7
    LOAD = 8
    INVOKE = 9
    PAYLOAD_FETCH = 16
    INSTALL = 20

    __hash__ = int.__hash__


class ReportKey(IntEnum):
    """Members of a SUIT_Report and of its result (draft-ietf-suit-report-22)."""

    NONCE = 2
    RECORDS = 3
    RESULT = 4
    RESULT_CODE = 5
    RESULT_RECORD = 6
    RESULT_REASON = 7
    CAPABILITIES = 8
    REFERENCE = 99
    LEFT_OUT = -4294967297
    """Ours, below every registered range: how many of the oldest records found no room."""

    __hash__ = int.__hash__


class CapabilityKey(IntEnum):
    """Members of a capability report (draft-ietf-suit-report-22)."""

    COMPONENTS = 1
    COMMANDS = 2
    PARAMETERS = 3
    ALGORITHMS = 4
    ENVELOPE = 5
    MANIFEST = 6
    COMMON = 7

    __hash__ = int.__hash__


class ReportReason(IntEnum):
    """Why a procedure failed, in a SUIT_Report (draft-ietf-suit-report-22)."""

    OK = 0
    CBOR_PARSE = 1
    COSE_UNSUPPORTED = 2
    ALG_UNSUPPORTED = 3
    UNAUTHORISED = 4
    COMMAND_UNSUPPORTED = 5
    COMPONENT_UNSUPPORTED = 6
    COMPONENT_UNAUTHORISED = 7
    PARAMETER_UNSUPPORTED = 8
    SEVERING_UNSUPPORTED = 9
    CONDITION_FAILED = 10
    OPERATION_FAILED = 11
    INVOKE_PENDING = 12

    __hash__ = int.__hash__


SYSTEM_COMPONENT: Final = 0
"""Key of the component in a system property claim (draft-ietf-suit-report-22)."""

UPDATE: Final = (Section.PAYLOAD_FETCH, Section.INSTALL, Section.VALIDATE)
"""The update procedure: fetch, install, validate."""
BOOT: Final = (Section.VALIDATE, Section.LOAD, Section.INVOKE)
"""The boot procedure: validate, load, invoke."""

SEVERABLE: Final = frozenset(EnvelopeKey) - {EnvelopeKey.AUTHENTICATION, EnvelopeKey.MANIFEST}
"""Members that may be cut from the manifest, a digest staying behind."""

MANIFEST_SUPPORTED: Final = frozenset(
    {
        ManifestKey.VERSION,
        ManifestKey.SEQUENCE_NUMBER,
        ManifestKey.COMMON,
        ManifestKey.REFERENCE_URI,
        ManifestKey.SET_VERSION,
        ManifestKey.VALIDATE,
        ManifestKey.LOAD,
        ManifestKey.INVOKE,
        ManifestKey.PAYLOAD_FETCH,
        ManifestKey.INSTALL,
        ManifestKey.TEXT,
    }
)
PARAMETERS_SUPPORTED: Final = frozenset(Parameter) - {
    Parameter.ENCRYPTION_INFO,
    Parameter.UPDATE_PRIORITY,
    Parameter.WAIT_INFO,
    Parameter.COMPONENT_METADATA,
}


def label(number: IntEnum) -> str:
    """Return a member's name as the draft writes it: ``override-parameters``."""
    return number.name.lower().replace("_", "-")
