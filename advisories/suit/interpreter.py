"""Runs a manifest for one device: steps and outcomes in, operations out, nothing is touched.

The table :data:`COMMANDS` is the whole of what a device can do; a command or parameter that is not in
it is refused by name, never skipped. Parameters are set per component and cleared when a procedure
begins; before each section the shared sequence runs. A condition that fails ends the run, except in
try-each, where the next alternative is tried, and in run-sequence with soft failure, which then stops
without effect. Operations that a failed sequence planned are dropped, unless they were carried out.

Three rules are ours and stricter than the draft: nothing is fetched, written, copied or invoked before
the vendor and the class have been checked in the same procedure; whatever is put into a component is
compared afterwards, before anything is invoked; and a procedure has at most ``OPERATIONS_MAX`` operations
and ``STEPS_MAX`` steps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from advisories.suit.manifest import ComponentId, Manifest, Steps
from advisories.suit.numbers import (
    PARAMETERS_SUPPORTED,
    SHA256,
    Command,
    Comparison,
    ManifestKey,
    Parameter,
    Section,
    label,
)
from advisories.suit.operations import (
    ConditionError,
    Copy,
    Device,
    DirectiveError,
    Fetch,
    Invoke,
    Match,
    Operation,
    Origin,
    Plan,
    ProcedureError,
    Record,
    Swap,
    Write,
)
from keys.cbor import encode as encode_cbor
from keys.errors import RefusedError
from keys.reasons import Reason

__all__ = [
    "COMMANDS",
    "OPERATIONS_MAX",
    "STEPS_MAX",
    "ConditionError",
    "Copy",
    "Device",
    "Fetch",
    "Invoke",
    "Match",
    "Operation",
    "Origin",
    "Plan",
    "ProcedureError",
    "Record",
    "Swap",
    "Write",
    "execute",
    "show_component",
]

OPERATIONS_MAX: Final = 64  # operations of one procedure
STEPS_MAX: Final = 2_048  # steps of one procedure: a list of components runs a sequence many times

_STORES: Final = (Fetch, Copy, Write, Swap)
_SUCCESS, _FAILURE = 1, 2  # reporting policy: record it


@dataclass(slots=True)
class _Walk:
    """The state of one procedure."""

    manifest: Manifest
    device: Device | None
    known: Mapping[int, bool]
    """How operations went that were carried out, by the number of the attempt."""
    section: int = 0
    offset: int = 0
    policy: int = 0
    index: int = 0
    several: tuple[int, ...] | None = None
    """Indices that each command is run for, instead of ``index``."""
    soft: bool | None = None
    """Soft failure of the enclosing sequence; None outside of try-each and run-sequence."""
    left: int = STEPS_MAX
    parameters: dict[int, dict[Parameter, Any]] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    """Beside ``operations``: the number of the attempt that made each."""
    attempt: int = 0
    unknown: int = 0
    """How many of ``operations`` have not been carried out."""
    filled: set[ComponentId] = field(default_factory=set)
    """Components that hold something else than they did when the procedure began."""
    vendor_ids: list[bytes] = field(default_factory=list)
    class_ids: list[bytes] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    measured: Mapping[Parameter, Any] = field(default_factory=dict)

    @property
    def component(self) -> ComponentId:
        return self.manifest.components[self.index]

    @property
    def origin(self) -> Origin:
        return Origin(self.section, self.offset, self.index, self.policy)

    def optional(self, parameter: Parameter) -> Any:
        return self.parameters.get(self.index, {}).get(parameter)

    def required(self, parameter: Parameter) -> Any:
        value = self.optional(parameter)
        if value is None:
            raise RefusedError(Reason.MALFORMED, f"the parameter {label(parameter)} is not set")
        return value

    def needs_identity(self, command: Command) -> None:
        if not self.vendor_ids or not self.class_ids:
            raise RefusedError(Reason.MALFORMED, f"{label(command)} before vendor and class were checked")

    def decide(self, holds: bool, reason: Reason, why: str, measured: Mapping[Parameter, Any]) -> None:  # noqa: FBT001 - a verdict, at each call the first word
        """Take what a condition came to."""
        self.record(holds, measured)
        if not holds:
            self.measured = measured
            raise ConditionError(reason, why)

    def record(self, succeeded: bool, measured: Mapping[Parameter, Any]) -> None:  # noqa: FBT001 - a verdict
        wanted = self.policy & (_SUCCESS | _SUCCESS << 2 if succeeded else _FAILURE | _FAILURE << 2)
        if wanted and self.device is not None and not self.unknown:
            self.records.append(Record(self.origin, succeeded, measured))

    def ask(self, operation: Operation) -> None:
        """Plan an operation, and take its outcome where it is known.

        Raises:
            RefusedError: LIMIT_REACHED; ConditionError or DirectiveError when it is known to have failed.
        """
        if len(self.operations) >= OPERATIONS_MAX:
            raise RefusedError(Reason.LIMIT_REACHED, f"more than {OPERATIONS_MAX} operations")
        outcome = self.known.get(self.attempt)
        self.operations.append(operation)
        self.attempts.append(self.attempt)
        self.attempt += 1
        if isinstance(operation, _STORES):
            self.filled.add(operation.component)
            if isinstance(operation, Swap):
                self.filled.add(operation.source)
        if outcome is None:
            self.unknown += 1
            return
        self.record(outcome, {})
        if not outcome:
            name = f"component {show_component(operation.component)}"
            if isinstance(operation, Match):
                raise ConditionError(Reason.DIGEST_MISMATCH, name)
            if isinstance(operation, Swap | Invoke):  # it may have changed more than its own component
                raise RefusedError(Reason.UPDATE_FAILED, name)
            raise DirectiveError(Reason.UPDATE_FAILED, name)

    def drop(self, planned: tuple[int, int, int]) -> None:
        """Forget what a failed sequence planned or checked, but for what was carried out."""
        start, vendors, classes = planned
        kept = [
            (operation, attempt)
            for operation, attempt in zip(self.operations[start:], self.attempts[start:], strict=True)
            if attempt in self.known
        ]
        self.operations[start:] = [operation for operation, _ in kept]
        self.attempts[start:] = [attempt for _, attempt in kept]
        self.unknown = sum(attempt not in self.known for attempt in self.attempts)
        del self.vendor_ids[vendors:], self.class_ids[classes:]
        stored = [operation for operation in self.operations if isinstance(operation, _STORES)]
        self.filled = {operation.component for operation in stored}
        self.filled |= {operation.source for operation in stored if isinstance(operation, Swap)}

    def require_compared(self) -> None:
        """Refuse a plan that puts something into a component and does not look at it afterwards."""
        compared: set[ComponentId] = set()
        for operation in reversed(self.operations):
            if isinstance(operation, Match):
                compared.add(operation.component)
            elif isinstance(operation, _STORES) and operation.component not in compared:
                name = show_component(operation.component)
                raise RefusedError(Reason.MALFORMED, f"component {name} is not compared after it is changed")


_Act = Callable[[_Walk, Any], None]


def execute(
    manifest: Manifest,
    procedure: tuple[Section, ...],
    device: Device | None,
    outcomes: Sequence[bool] = (),
) -> Plan:
    """Run the sections of a procedure in order.

    Args:
        manifest: a genuine manifest.
        procedure: :data:`~advisories.suit.numbers.UPDATE` or :data:`~advisories.suit.numbers.BOOT`.
        device: whose facts decide, the same for all of a procedure; None finds out what the manifest asks
            of a device that it fits.
        outcomes: how the operations went that have been carried out, in order: each was the one that
            ``operations[len(outcomes)]`` named before. Others are taken to succeed.

    Raises:
        ProcedureError: WRONG_MODEL, WRONG_SUBJECT, WRONG_VERSION, EXPIRED, LOW_BATTERY, DIGEST_MISMATCH or
            UPDATE_FAILED when a condition does not hold or an operation failed; UNSUPPORTED naming the
            command, parameter, member or component; MALFORMED; LIMIT_REACHED; UPDATE_FAILED also where
            there are more outcomes than operations, for then the device is not what it was.
    """
    _require_known(manifest, device)
    known: dict[int, bool] = {}
    walk = _walked(manifest, procedure, device, known)
    for number, outcome in enumerate(outcomes):
        if number >= len(walk.operations):
            why = f"{len(outcomes)} outcomes of {len(walk.operations)} operations: the device has changed"
            raise ProcedureError(Reason.UPDATE_FAILED, why)
        known[walk.attempts[number]] = outcome
        # A success is what the walk took for granted: it would lead to the same place again.
        if not outcome:
            walk = _walked(manifest, procedure, device, known)
    if known and device is not None:
        walk = _walked(manifest, procedure, device, known)  # with all that is to be recorded
    return Plan(tuple(walk.operations), tuple(walk.vendor_ids), tuple(walk.class_ids), tuple(walk.records))


def _require_known(manifest: Manifest, device: Device | None) -> None:
    if manifest.extensions:
        names = ", ".join(sorted(label(key) for key in manifest.extensions))
        raise ProcedureError(Reason.UNSUPPORTED, f"manifest member {names}")
    unknown = [] if device is None else [c for c in manifest.components if c not in device.components]
    if unknown:
        raise ProcedureError(Reason.UNSUPPORTED, f"component {show_component(unknown[0])}")


def _walked(
    manifest: Manifest, procedure: tuple[Section, ...], device: Device | None, known: Mapping[int, bool]
) -> _Walk:
    walk = _Walk(manifest, device, known)
    try:
        for section in procedure:
            if section in manifest.severed:
                raise RefusedError(
                    Reason.MALFORMED, f"the section {label(section)} was cut from the envelope"
                )
            steps = manifest.sections.get(section)
            if steps is not None:
                for number, sequence in ((ManifestKey.COMMON, manifest.shared), (section, steps)):
                    walk.section, walk.index, walk.several = number, 0, None
                    _steps(walk, sequence)
        walk.require_compared()
    except RefusedError as error:
        raise _located(walk, error) from None
    return walk


def _located(walk: _Walk, error: RefusedError) -> ProcedureError:
    """Return the error that ends a procedure, with the command that it ended at."""
    ended = error if isinstance(error, ProcedureError) else ProcedureError(error.reason, error.detail)
    ended.origin, ended.records = walk.origin, tuple(walk.records)
    if isinstance(error, ConditionError):
        ended.measured = walk.measured
    return ended


def show_component(component: ComponentId) -> str:
    """Write a component identifier as hexadecimal path levels."""
    return "/".join(part.hex() for part in component)


def _steps(walk: _Walk, steps: Steps) -> None:
    for command, argument, offset in steps:
        act = COMMANDS.get(command)
        if act is None:
            raise RefusedError(Reason.UNSUPPORTED, f"command {label(command)}")
        several = walk.several
        if several is None or command is Command.SET_COMPONENT_INDEX:  # it is the one that names them
            _step(walk, act, argument, offset)
            continue
        for index in several:
            walk.several, walk.index = None, index
            _step(walk, act, argument, offset)
        walk.several = several


def _step(walk: _Walk, act: _Act, argument: Any, offset: int) -> None:
    walk.left -= 1
    if walk.left < 0:
        raise RefusedError(Reason.LIMIT_REACHED, f"more than {STEPS_MAX} steps")
    walk.offset = offset
    walk.policy = argument if type(argument) is int else 0
    act(walk, argument)


def _set_component_index(walk: _Walk, argument: Any) -> None:
    count = len(walk.manifest.components)
    listed = (argument,) if type(argument) is int else range(count) if argument is True else argument
    for index in listed:
        if index >= count:
            raise RefusedError(Reason.MALFORMED, f"there is no component {index}")
    walk.several = None if type(argument) is int else tuple(listed)
    walk.index = listed[0]


def _override_parameters(walk: _Walk, argument: Mapping[Parameter, Any]) -> None:
    for parameter in argument:
        if parameter not in PARAMETERS_SUPPORTED:
            raise RefusedError(Reason.UNSUPPORTED, f"parameter {label(parameter)}")
    if Parameter.SOFT_FAILURE in argument:
        if walk.soft is None:
            raise RefusedError(Reason.MALFORMED, "soft-failure outside of try-each and run-sequence")
        walk.soft = argument[Parameter.SOFT_FAILURE]
    walk.parameters.setdefault(walk.index, {}).update(argument)


def _vendor(walk: _Walk, _: Any) -> None:
    expected, device = walk.required(Parameter.VENDOR_ID), walk.device
    if device is not None:
        found = {Parameter.VENDOR_ID: device.vendor_id}
        same = device.vendor_id == expected
        walk.decide(same, Reason.WRONG_MODEL, f"for vendor {expected.hex()}", found)
    walk.vendor_ids.append(expected)


def _class(walk: _Walk, _: Any) -> None:
    expected, device = walk.required(Parameter.CLASS_ID), walk.device
    if device is not None:
        found = {Parameter.CLASS_ID: device.class_id}
        walk.decide(device.class_id == expected, Reason.WRONG_MODEL, f"for class {expected.hex()}", found)
    walk.class_ids.append(expected)


def _device(walk: _Walk, _: Any) -> None:
    expected, device = walk.required(Parameter.DEVICE_ID), walk.device
    if device is not None:
        found = {} if device.device_id is None else {Parameter.DEVICE_ID: device.device_id}
        same = device.device_id == expected
        walk.decide(same, Reason.WRONG_SUBJECT, f"for device {expected.hex()}", found)


def _held(walk: _Walk) -> bytes | None:
    """Return the digest of what the component holds, empty for nothing; None where nobody has measured it."""
    if walk.device is None or walk.component in walk.filled:
        return None
    return walk.device.measured.get(walk.component)


def _digest(held: bytes) -> Mapping[Parameter, Any]:
    return {Parameter.IMAGE_DIGEST: encode_cbor([SHA256, held])} if held else {}


def _compare(walk: _Walk, digest: bytes, size: int | None) -> None:
    held = _held(walk)
    if held is None:
        walk.ask(Match(walk.component, digest, size, origin=walk.origin))
    else:
        name = f"component {show_component(walk.component)}"
        walk.decide(held == digest, Reason.DIGEST_MISMATCH, name, _digest(held))


def _image_match(walk: _Walk, _: Any) -> None:
    _compare(walk, walk.required(Parameter.IMAGE_DIGEST), walk.optional(Parameter.IMAGE_SIZE))


def _check_content(walk: _Walk, _: Any) -> None:
    # Digests are compared, not bytes: how long that takes says nothing about what the component holds.
    content = walk.required(Parameter.CONTENT)
    _compare(walk, hashlib.sha256(content).digest(), len(content))


def _image_not_match(walk: _Walk, _: Any) -> None:
    digest = walk.required(Parameter.IMAGE_DIGEST)
    if walk.device is not None:
        held = _held(walk)  # what nobody has measured may be the very image
        name = f"component {show_component(walk.component)} holds it, or was not measured"
        other = held is not None and held != digest
        walk.decide(other, Reason.DIGEST_MISMATCH, name, _digest(held or b""))


def _component_slot(walk: _Walk, _: Any) -> None:
    slot, device = walk.required(Parameter.COMPONENT_SLOT), walk.device
    if device is not None:
        why = f"for slot {slot}, not slot {device.slot}"
        found = {Parameter.COMPONENT_SLOT: device.slot}
        walk.decide(device.slot == slot, Reason.UPDATE_FAILED, why, found)


def _use_before(walk: _Walk, _: Any) -> None:
    end, device = walk.required(Parameter.USE_BEFORE), walk.device
    if device is not None:
        early = device.time is not None and device.time < end
        found = {} if device.time is None else {Parameter.USE_BEFORE: device.time}
        walk.decide(early, Reason.EXPIRED, f"at {end}, now {device.time or 'unknown'}", found)


def _minimum_battery(walk: _Walk, _: Any) -> None:
    least, device = walk.required(Parameter.MINIMUM_BATTERY), walk.device
    if device is not None:
        enough = device.battery is not None and device.battery >= least
        found = {} if device.battery is None else {Parameter.MINIMUM_BATTERY: device.battery}
        why = f"{device.battery or 'unknown'}, at least {least} mWh"
        walk.decide(enough, Reason.LOW_BATTERY, why, found)


def _component_version(walk: _Walk, _: Any) -> None:
    comparison, bound = walk.required(Parameter.VERSION)
    if walk.device is not None:
        version = walk.device.versions.get(walk.component)
        holds = version is not None and compare_versions(comparison, version, bound)
        shown = "unknown" if version is None else ".".join(map(str, version))
        why = f"runs {shown}, for {label(comparison)} {'.'.join(map(str, bound))}"
        found = (
            {}
            if version is None
            else {Parameter.VERSION: encode_cbor([Comparison.EQUAL.value, list(version)])}
        )
        walk.decide(holds, Reason.WRONG_VERSION, why, found)


def compare_versions(comparison: Comparison, version: Sequence[int], bound: Sequence[int]) -> bool:
    """Say whether a version satisfies a bound: number by number, as far as the bound has any."""
    shown = (*version, *(0 for _ in bound))[: len(bound)]
    order = (shown > tuple(bound)) - (shown < tuple(bound))
    return order in _ORDERS[comparison]


_ORDERS: Final[Mapping[Comparison, frozenset[int]]] = {
    Comparison.GREATER: frozenset({1}),
    Comparison.GREATER_EQUAL: frozenset({0, 1}),
    Comparison.EQUAL: frozenset({0}),
    Comparison.LESSER_EQUAL: frozenset({-1, 0}),
    Comparison.LESSER: frozenset({-1}),
}


def _abort(walk: _Walk, _: Any) -> None:
    walk.decide(False, Reason.UPDATE_FAILED, "the manifest says abort", {})  # noqa: FBT003 - a verdict


def _fetch(walk: _Walk, _: Any) -> None:
    walk.needs_identity(Command.FETCH)
    uri, arguments = walk.required(Parameter.URI), walk.optional(Parameter.FETCH_ARGS)
    digest, size = walk.optional(Parameter.IMAGE_DIGEST), walk.optional(Parameter.IMAGE_SIZE)
    walk.ask(Fetch(walk.component, uri, digest, size, arguments or None, origin=walk.origin))


def _source(walk: _Walk, command: Command) -> ComponentId:
    walk.needs_identity(command)
    source = walk.required(Parameter.SOURCE_COMPONENT)
    if source >= len(walk.manifest.components) or source == walk.index:
        raise RefusedError(Reason.MALFORMED, f"{label(command)} from component {source}")
    return walk.manifest.components[source]


def _copy(walk: _Walk, _: Any) -> None:
    source = _source(walk, Command.COPY)
    digest, size = walk.optional(Parameter.IMAGE_DIGEST), walk.optional(Parameter.IMAGE_SIZE)
    walk.ask(Copy(walk.component, source, digest, size, origin=walk.origin))


def _swap(walk: _Walk, _: Any) -> None:
    source = _source(walk, Command.SWAP)
    digest, size = walk.optional(Parameter.IMAGE_DIGEST), walk.optional(Parameter.IMAGE_SIZE)
    walk.ask(Swap(walk.component, source, digest, size, origin=walk.origin))


def _write(walk: _Walk, _: Any) -> None:
    walk.needs_identity(Command.WRITE)
    walk.ask(Write(walk.component, walk.required(Parameter.CONTENT), origin=walk.origin))


def _invoke(walk: _Walk, _: Any) -> None:
    walk.needs_identity(Command.INVOKE)
    walk.require_compared()
    arguments = walk.optional(Parameter.INVOKE_ARGS)
    walk.ask(Invoke(walk.component, arguments or None, origin=walk.origin))


def _attempt(walk: _Walk, steps: Steps, *, soft: bool) -> tuple[ConditionError | None, bool]:
    """Run a nested sequence; return the condition that failed, and whether that is to be forgiven."""
    before, index, several = walk.soft, walk.index, walk.several
    planned = len(walk.operations), len(walk.vendor_ids), len(walk.class_ids)
    walk.soft = soft
    try:
        _steps(walk, steps)
    except ConditionError as error:
        forgiven = bool(walk.soft)
        if forgiven:
            walk.drop(planned)
            walk.index, walk.several = index, several
        return error, forgiven
    finally:
        walk.soft = before
    return None, True


def _try_each(walk: _Walk, alternatives: tuple[Steps, ...]) -> None:
    failed: ConditionError | None = None
    for alternative in alternatives:
        failed, forgiven = _attempt(walk, alternative, soft=True)
        if failed is None:
            return
        if not forgiven:  # the author wants no other alternative to be tried: not here, and not further out
            raise ProcedureError(failed.reason, failed.detail)
    assert failed is not None, "a list without alternatives is refused when it is read"
    raise failed


def _run_sequence(walk: _Walk, steps: Steps) -> None:
    failed, forgiven = _attempt(walk, steps, soft=False)
    if failed is not None and (not forgiven or isinstance(failed, DirectiveError)):
        raise failed


COMMANDS: Final[Mapping[Command, _Act]] = {
    Command.VENDOR_ID: _vendor,
    Command.CLASS_ID: _class,
    Command.IMAGE_MATCH: _image_match,
    Command.USE_BEFORE: _use_before,
    Command.COMPONENT_SLOT: _component_slot,
    Command.CHECK_CONTENT: _check_content,
    Command.SET_COMPONENT_INDEX: _set_component_index,
    Command.ABORT: _abort,
    Command.TRY_EACH: _try_each,
    Command.WRITE: _write,
    Command.OVERRIDE_PARAMETERS: _override_parameters,
    Command.FETCH: _fetch,
    Command.COPY: _copy,
    Command.INVOKE: _invoke,
    Command.DEVICE_ID: _device,
    Command.IMAGE_NOT_MATCH: _image_not_match,
    Command.MINIMUM_BATTERY: _minimum_battery,
    Command.COMPONENT_VERSION: _component_version,
    Command.SWAP: _swap,
    Command.RUN_SEQUENCE: _run_sequence,
}
"""Every command that a device carries out; it is also the list in ``docs/protocol/suit.md``."""
