"""SUIT_Report (draft-ietf-suit-report-22): how a procedure went, in the words of its manifest.

It travels inside a device's signed report, which gives it its authenticity and its freshness. Records point
at commands of the manifest; whoever has the manifest can say what each of them was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from advisories.limits import SUIT_REPORT_BYTES_MAX, URI_BYTES_MAX
from advisories.suit.interpreter import COMMANDS, execute
from advisories.suit.numbers import (
    BOOT,
    MANIFEST_SUPPORTED,
    PARAMETERS_SUPPORTED,
    RECORD_FAILURE,
    RECORD_SUCCESS,
    SHA256,
    SYSINFO_SUCCESS,
    SYSTEM_COMPONENT,
    UPDATE,
    CapabilityKey,
    CommonKey,
    EnvelopeKey,
    ManifestKey,
    Parameter,
    ReportKey,
    ReportReason,
    Section,
    label,
)
from advisories.suit.operations import (
    Device,
    Invoke,
    Match,
    Operation,
    Origin,
    ProcedureError,
    Record,
)
from advisories.suit.patch import Patch
from advisories.suit.reading import ComponentId, component_id, read_digest, uint
from keys.algorithms import VERIFIED
from keys.cbor import decode as decode_cbor
from keys.cbor import encode as encode_cbor
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason

_NONCE_BYTES_MAX: Final = 64
_SECTIONS: Final = frozenset({ManifestKey.COMMON.value, *(section.value for section in Section)})
_MANIFEST: Final[list[int]] = []
"""Path to the manifest in a tree of dependencies: the root, for we have no others."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the device measured of one component when a condition held."""

    component: ComponentId
    measured: Mapping[Parameter, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a procedure did not come to its end."""

    code: int
    """Our reason code, see ``keys.reasons``."""
    record: Record
    reason: ReportReason


@dataclass(frozen=True, slots=True)
class SuitReport:
    """A SUIT_Report; what it says is the device's word, and as good as the report it came in."""

    manifest: bytes
    """The patch digest, 32 bytes."""
    uri: str
    """The manifest's reference URI; empty where it has none."""
    nonce: bytes | None
    records: tuple[Record | Claim, ...]
    """In the order in which it happened."""
    failure: Failure | None
    """None: the procedure succeeded."""
    left_out: int = 0
    """How many of the oldest records found no room."""
    capable: bool = False
    """It also says what the device can do."""

    def words(self) -> str:
        """Return the outcome on one line: ``success``, or what failed and where."""
        if self.failure is None:
            return "success"
        at, failure = self.failure.record.origin, self.failure
        section = "shared-sequence" if at.section == ManifestKey.COMMON else label(Section(at.section))
        reason = Reason(failure.code).name if failure.code in Reason._value2member_map_ else str(failure.code)
        return (
            f"{label(failure.reason)} in {section} at byte {at.offset}, component {at.component} ({reason})"
        )


def make_report(
    patch: Patch,
    procedure: tuple[Section, ...],
    device: Device,
    outcomes: Sequence[bool] = (),
    *,
    failed: Reason | None = None,
    found: bytes | None = None,
    nonce: bytes | None = None,
    capabilities: bool = False,
) -> bytes:
    """Return the SUIT_Report of a procedure that has come to its end; ``SUIT_REPORT_BYTES_MAX`` at most.

    The procedure is run again over its outcomes, and the reporting policy of every command is obeyed. Where
    not everything fits, the oldest records give way, and the report says how many.

    Args:
        patch: the patch.
        procedure: UPDATE or BOOT.
        device: as it was when the procedure began.
        outcomes: of every operation that was carried out.
        failed: why the operation after those was not carried out; None where nothing went wrong but what
            the outcomes say.
        found: SHA-256 of what the failed Match found, if it found anything.
        nonce: where the report is not inside something fresh.
        capabilities: also say what this device can do.
    """
    records: Sequence[Record]
    failure: Failure | None = None
    try:
        plan = execute(patch.manifest, procedure, device, outcomes)
    except ProcedureError as error:
        records = error.records
        failure = _failure(error, found)
    else:
        records = plan.records
        ahead = plan.operations[len(outcomes) :]
        if failed is not None or ahead:
            failure = _stopped(ahead or plan.operations[-1:], failed, found)
    body: dict[int, Any] = {
        ReportKey.RESULT.value: True if failure is None else _pack_failure(failure),
        ReportKey.REFERENCE.value: [patch.manifest.reference_uri or "", [SHA256, patch.digest]],
    }
    if nonce is not None:
        body[ReportKey.NONCE.value] = nonce
    if capabilities:
        body[ReportKey.CAPABILITIES.value] = _capabilities(device)
    return _fitted(body, _pack_records(patch, records))


def _failure(error: ProcedureError, found: bytes | None) -> Failure:
    at = error.origin or Origin(ManifestKey.COMMON, 0, 0)
    measured = dict(error.measured)
    if found is not None:
        measured[Parameter.IMAGE_DIGEST] = encode_cbor([SHA256, found])
    return Failure(error.reason.value, Record(at, succeeded=False, measured=measured), error.why)


def _stopped(ahead: Sequence[Operation], failed: Reason | None, found: bytes | None) -> Failure:
    """Return the failure of a procedure that ended before the next operation, or in it."""
    at = ahead[0].origin if ahead else Origin(ManifestKey.COMMON, 0, 0)
    measured = {} if found is None else {Parameter.IMAGE_DIGEST: encode_cbor([SHA256, found])}
    if failed is None:
        pending = bool(ahead) and isinstance(ahead[0], Invoke)
        why = ReportReason.INVOKE_PENDING if pending else ReportReason.OPERATION_FAILED
        code = Reason.OK if pending else Reason.UPDATE_FAILED
    else:
        condition = bool(ahead) and isinstance(ahead[0], Match)
        why = ReportReason.CONDITION_FAILED if condition else ReportReason.OPERATION_FAILED
        code = failed
    return Failure(code.value, Record(at, succeeded=False, measured=measured), why)


def _pack_record(record: Record, measured: Mapping[Parameter, Any]) -> list[Any]:
    at = record.origin
    values = {key.value: value for key, value in measured.items()}
    return [_MANIFEST, int(at.section), at.offset, at.component, values]


def _pack_failure(failure: Failure) -> dict[int, Any]:
    return {
        ReportKey.RESULT_CODE.value: failure.code,
        ReportKey.RESULT_RECORD.value: _pack_record(failure.record, failure.record.measured),
        ReportKey.RESULT_REASON.value: failure.reason.value,
    }


def _pack_records(patch: Patch, records: Sequence[Record]) -> list[bytes]:
    """Return what the policies ask for, each encoded; the same claim about a component stands once."""
    packed: list[bytes] = []
    for record in records:
        policy = record.origin.policy
        if policy & (RECORD_SUCCESS if record.succeeded else RECORD_FAILURE):
            packed.append(encode_cbor(_pack_record(record, {} if record.succeeded else record.measured)))
        if record.succeeded and policy & SYSINFO_SUCCESS and record.measured:
            component = patch.manifest.components[record.origin.component]
            values = {key.value: value for key, value in record.measured.items()}
            claim = encode_cbor({SYSTEM_COMPONENT: list(component), **values})
            if claim not in packed:
                packed.append(claim)
    return packed


def _fitted(body: dict[int, Any], packed: list[bytes]) -> bytes:
    for left_out in range(len(packed) + 1):
        kept = packed[left_out:]
        body[ReportKey.RECORDS.value] = [decode_cbor(one) for one in kept]
        if left_out:
            body[ReportKey.LEFT_OUT.value] = left_out
        data = encode_cbor(body)
        if len(data) <= SUIT_REPORT_BYTES_MAX:
            return data
    # Without any record it is still too long: what the device can do is the rest that may give way.
    del body[ReportKey.CAPABILITIES.value]
    return encode_cbor(body)


def _capabilities(device: Device) -> dict[int, Any]:
    components = sorted(device.components)
    return {
        CapabilityKey.COMPONENTS.value: [list(component) for component in components],
        CapabilityKey.COMMANDS.value: sorted(command.value for command in COMMANDS),
        CapabilityKey.PARAMETERS.value: sorted(parameter.value for parameter in PARAMETERS_SUPPORTED),
        CapabilityKey.ALGORITHMS.value: [SHA256, *sorted((a.value for a in VERIFIED), reverse=True)],
        CapabilityKey.ENVELOPE.value: sorted({key.value for key in EnvelopeKey} & _ENVELOPE),
        CapabilityKey.MANIFEST.value: sorted(key.value for key in MANIFEST_SUPPORTED),
        CapabilityKey.COMMON.value: [CommonKey.COMPONENTS.value, CommonKey.SHARED_SEQUENCE.value],
    }


_ENVELOPE: Final = frozenset(
    {
        EnvelopeKey.AUTHENTICATION,
        EnvelopeKey.MANIFEST,
        EnvelopeKey.PAYLOAD_FETCH,
        EnvelopeKey.INSTALL,
        EnvelopeKey.TEXT,
    }
)


def open_suit_report(data: bytes) -> SuitReport:
    """Decode an untrusted SUIT_Report.

    Raises:
        RefusedError: TOO_BIG, MALFORMED, or UNSUPPORTED for a member or number that we do not know.
    """
    body = decode_cbor(data, size_max=SUIT_REPORT_BYTES_MAX)
    members = _members(body, {key.value for key in ReportKey})
    reference = members.get(ReportKey.REFERENCE)
    if not isinstance(reference, list) or len(reference) != 2 or type(reference[0]) is not str:
        raise RefusedError(Reason.MALFORMED, "the reference is not an address and a digest")
    if len(reference[0].encode()) > URI_BYTES_MAX:
        raise RefusedError(Reason.BAD_URI, f"an address of more than {URI_BYTES_MAX} bytes")
    nonce = members.get(ReportKey.NONCE)
    if nonce is not None and (type(nonce) is not bytes or not 1 <= len(nonce) <= _NONCE_BYTES_MAX):
        raise RefusedError(Reason.MALFORMED, f"the nonce is not 1 to {_NONCE_BYTES_MAX} bytes")
    records = members.get(ReportKey.RECORDS)
    if not isinstance(records, list):
        raise RefusedError(Reason.MALFORMED, "the records are not a list")
    left_out = uint(members.get(ReportKey.LEFT_OUT, 0), "the number of records left out", VERSION_MAX)
    result = members.get(ReportKey.RESULT)
    capable = isinstance(members.get(ReportKey.CAPABILITIES, {}), dict)
    if not capable:
        raise RefusedError(Reason.MALFORMED, "the capabilities are not a map")
    return SuitReport(
        manifest=read_digest(reference[1]),
        uri=reference[0],
        nonce=nonce,
        records=tuple(_read_entry(entry) for entry in records),
        failure=None if result is True else _read_failure(result),
        left_out=left_out,
        capable=ReportKey.CAPABILITIES in members,
    )


def _members(value: Any, known: set[int]) -> dict[int, Any]:
    if not isinstance(value, dict):
        raise RefusedError(Reason.MALFORMED, "a part of the report is not a map")
    for key in value:
        if type(key) is not int or key not in known:
            raise RefusedError(Reason.UNSUPPORTED, f"a member {key!r} of a report")
    return value


def _read_entry(value: Any) -> Record | Claim:
    if isinstance(value, list):
        return _read_record(value)
    if not isinstance(value, dict) or SYSTEM_COMPONENT not in value:
        raise RefusedError(Reason.MALFORMED, "neither a record nor a claim")
    measured = {key: item for key, item in value.items() if key != SYSTEM_COMPONENT}
    return Claim(component_id(value[SYSTEM_COMPONENT]), _read_measured(measured))


def _read_record(value: Any) -> Record:
    if not isinstance(value, list) or len(value) != 5 or value[0] != _MANIFEST:
        raise RefusedError(Reason.MALFORMED, "a record is not of five parts, about this manifest")
    _, section, offset, component, measured = value
    if type(section) is not int or section not in _SECTIONS:
        raise RefusedError(Reason.UNSUPPORTED, f"a record of section {section!r}")
    at = Origin(section, uint(offset, "an offset", VERSION_MAX), uint(component, "a component", VERSION_MAX))
    return Record(at, succeeded=None, measured=_read_measured(measured))


def _read_measured(value: Any) -> Mapping[Parameter, Any]:
    measured = _members(value, {parameter.value for parameter in Parameter})
    if not all(type(item) in {int, bytes, str, bool} for item in measured.values()):
        raise RefusedError(Reason.MALFORMED, "a measured value is neither a number nor bytes nor a text")
    return {Parameter(key): item for key, item in measured.items()}


def _read_failure(value: Any) -> Failure:
    keys = {ReportKey.RESULT_CODE, ReportKey.RESULT_RECORD, ReportKey.RESULT_REASON}
    members = _members(value, {key.value for key in keys})
    code, reason = members.get(ReportKey.RESULT_CODE), members.get(ReportKey.RESULT_REASON)
    if type(code) is not int or type(reason) is not int or reason not in set(ReportReason):
        raise RefusedError(Reason.MALFORMED, "a failure without a code or a reason of the draft")
    record = _read_record(members.get(ReportKey.RESULT_RECORD))
    return Failure(code, record, ReportReason(reason))


__all__ = ["BOOT", "UPDATE", "Claim", "Failure", "SuitReport", "make_report", "open_suit_report"]
